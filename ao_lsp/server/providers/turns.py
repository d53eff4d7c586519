"""Tool calls and their answers in a conversation: APIs refuse an answer without its call, and a call without
its answer. Whoever takes a message out of the middle of a request, or adds one, leaves the other behind."""

from __future__ import annotations

from ao_lsp.server.providers.shape import Json, items, mapping, text_of


def unanswered(request: Json) -> str | None:
    """What is wrong with the tool calls and answers of a request; None where nothing is."""
    if isinstance(request.get("input"), list):
        # Of a conversation that the API keeps, the calls are there.
        return None if request.get("previous_response_id") or request.get("conversation") else _among_items(request)
    waiting: dict[str, str] = {}
    for index, turn in enumerate(items(request.get("messages"))):
        place = f"messages[{index}]"
        answers = _answers(turn, place)
        for name, where in answers.items():
            if waiting.pop(name, None) is None:
                return _no_call(name, where)
        if waiting and not answers:
            break
        waiting |= _calls(turn, place)
    return next((_no_answer(name, where) for name, where in waiting.items()), None)


def _among_items(request: Json) -> str | None:
    """Of OpenAI's responses, where calls and answers are items of their own, in any order."""
    calls: dict[str, str] = {}
    answers: dict[str, str] = {}
    for index, item in enumerate(items(request["input"])):
        kind = item.get("type")
        if kind in ("function_call", "custom_tool_call"):
            calls[text_of(item.get("call_id")) or ""] = f"input[{index}]"
        elif kind in ("function_call_output", "custom_tool_call_output"):
            answers[text_of(item.get("call_id")) or ""] = f"input[{index}].call_id"
    for name, where in answers.items():
        if name not in calls:
            return _no_call(name, where)
    return next((_no_answer(name, where) for name, where in calls.items() if name not in answers), None)


def _no_call(name: str, where: str) -> str:
    return f'"{where}" is "{name}", which is the id of no tool call before it that has no answer yet'


def _no_answer(name: str, where: str) -> str:
    return f'"{where}" is a tool call without an answer: there must be one to "{name}" right behind it'


def _calls(turn: Json, place: str) -> dict[str, str]:
    """The ids of the tool calls of a turn, and where they stand."""
    found = {}
    for index, call in enumerate(items(turn.get("tool_calls"))):
        found[text_of(call.get("id"))] = f"{place}.tool_calls[{index}]"
    for index, block in enumerate(items(turn.get("content"))):
        use = text_of(mapping(block.get("toolUse")).get("toolUseId"))
        found[text_of(block.get("id")) if block.get("type") == "tool_use" else use] = f"{place}.content[{index}]"
    return {name: where for name, where in found.items() if name is not None}


def _answers(turn: Json, place: str) -> dict[str, str]:
    """The ids of the tool calls that a turn answers, and where it says so."""
    found = {}
    if turn.get("role") == "tool":
        found[text_of(turn.get("tool_call_id"))] = f"{place}.tool_call_id"
    for index, block in enumerate(items(turn.get("content"))):
        of = f"{place}.content[{index}]"
        if block.get("type") == "tool_result":
            found[text_of(block.get("tool_use_id"))] = f"{of}.tool_use_id"
        elif "toolResult" in block:
            found[text_of(mapping(block["toolResult"]).get("toolUseId"))] = f"{of}.toolResult.toolUseId"
    return {name: where for name, where in found.items() if name is not None}
