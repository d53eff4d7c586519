"""OpenAI's Responses API: requests in, bodies and events out.

Shapes follow the API reference and the types of the `openai` package, whose parsers the tests use.
"""

from __future__ import annotations

from .api import CREATED, Event, Exchange, Json, RequestError, digest, objects, plain, said
from .model import Ask, Reply, Turn, answer, tokens
from .openai_api import required, tool


def stream_error(message: str) -> Event:
    """The event by which a stream says that it failed."""
    return "error", {"type": "error", "code": "server_error", "message": message, "param": None, "sequence_number": -1}


class Responses:
    """`POST /v1/responses`, with the conversations that `previous_response_id` goes on from."""

    def __init__(self) -> None:
        self._kept: dict[str, list[Turn]] = {}

    def __call__(self, body: Json) -> Exchange:
        """Answer one request.

        Raises:
            RequestError: a field is missing, or `previous_response_id` is not one that was kept.
        """
        ask = self._ask(body)
        reply = answer(ask)
        done = _response(body, ask.model, reply)
        if body.get("store") is not False:
            self._kept[done["id"]] = [*ask.turns, Turn("assistant", reply.text)]
        why = "max_output_tokens" if reply.finish == "length" else "completed"
        shown = reply.thought if (body.get("reasoning") or {}).get("summary") else ""
        return Exchange(done, _response_events(done), said(ask.model, reply, why, reasoning=shown))

    def _ask(self, body: Json) -> Ask:
        name = required(body, "model", str)
        given = required(body, "input", str, list)
        previous = body.get("previous_response_id")
        if previous is not None and previous not in self._kept:
            message = f"Previous response with id '{previous}' not found."
            raise RequestError(400, message, "previous_response_id", "previous_response_not_found")
        turns, system = list(self._kept.get(previous or "", ())), [body.get("instructions") or ""]
        called = {}
        for item in [{"role": "user", "content": given}] if isinstance(given, str) else objects(given):
            kind, role, text = item.get("type", "message"), item.get("role"), plain(item.get("content"))
            if kind == "function_call":
                called[item.get("call_id")] = item.get("name", "tool")
                turns.append(Turn("assistant", ""))
            elif kind == "function_call_output":
                output = item.get("output")
                said = output if isinstance(output, str) else plain(output)
                turns.append(Turn("tool", said, called.get(item.get("call_id"), "tool")))
            elif role in ("system", "developer"):
                system.append(text)
            elif role in ("user", "assistant"):
                turns.append(Turn("user" if role == "user" else "assistant", text))
        form = (body.get("text") or {}).get("format") or {}
        choice = body.get("tool_choice") or "auto"
        return Ask(
            model=name,
            turns=turns,
            system="\n\n".join(filter(None, system)),
            tools=[tool(item) for item in objects(body.get("tools")) if item.get("type") == "function"],
            tool_choice=choice if isinstance(choice, str) else choice.get("name", "auto"),
            parallel_tools=body.get("parallel_tool_calls") is not False,
            max_tokens=body.get("max_output_tokens"),
            schema=form.get("schema") if form.get("type") == "json_schema" else None,
            json_object=form.get("type") == "json_object",
            think=(body.get("reasoning") or {}).get("effort") not in (None, "none"),
        )


def _output(body: Json, reply: Reply) -> list[Json]:
    thoughts = []
    if reply.thought:
        # Shown only where a summary is asked for.
        shown = [{"type": "summary_text", "text": reply.thought}] if body["reasoning"].get("summary") else []
        thoughts = [{"type": "reasoning", "id": f"rs_{digest(body)}", "summary": shown}]
    return thoughts + _answered(body, reply)


def _answered(body: Json, reply: Reply) -> list[Json]:
    if reply.calls:
        return [
            {
                "type": "function_call",
                "id": f"fc_{digest(body, i)}",
                "call_id": f"call_{digest(body, i)}",
                "name": call.name,
                "arguments": call.arguments,
                "status": "completed",
            }
            for i, call in enumerate(reply.calls)
        ]
    part = {"type": "output_text", "text": reply.text, "annotations": [], "logprobs": []}
    status = "incomplete" if reply.finish == "length" else "completed"
    return [{"type": "message", "id": f"msg_{digest(body)}", "role": "assistant", "status": status, "content": [part]}]


def _response(body: Json, model: str, reply: Reply) -> Json:
    cut = reply.finish == "length"
    return {
        "id": f"resp_{digest(body)}",
        "object": "response",
        "created_at": CREATED,
        "completed_at": CREATED,
        "status": "incomplete" if cut else "completed",
        "error": None,
        "incomplete_details": {"reason": "max_output_tokens"} if cut else None,
        "instructions": body.get("instructions"),
        "max_output_tokens": body.get("max_output_tokens"),
        "metadata": body.get("metadata") or {},
        "model": model,
        "output": _output(body, reply),
        "parallel_tool_calls": body.get("parallel_tool_calls") is not False,
        "previous_response_id": body.get("previous_response_id"),
        "reasoning": body.get("reasoning") or {"effort": None, "summary": None},
        "store": body.get("store") is not False,
        "temperature": body.get("temperature", 1.0),
        "text": body.get("text") or {"format": {"type": "text"}},
        "tool_choice": body.get("tool_choice") or "auto",
        "tools": body.get("tools") or [],
        "top_p": body.get("top_p", 1.0),
        "truncation": "disabled",
        "usage": {
            "input_tokens": reply.input_tokens,
            "input_tokens_details": {"cached_tokens": reply.cached_tokens, "cache_write_tokens": 0},
            "output_tokens": reply.output_tokens,
            "output_tokens_details": {"reasoning_tokens": reply.reasoning_tokens},
            "total_tokens": reply.input_tokens + reply.output_tokens,
        },
    }


def _response_events(done: Json) -> list[Event]:
    begun = {**done, "status": "in_progress", "completed_at": None, "incomplete_details": None, "output": []}
    begun["usage"] = None
    events: list[Event] = []

    def add(kind: str, **data: object) -> None:
        events.append((kind, {"type": kind, "sequence_number": len(events), **data}))

    add("response.created", response=begun)
    add("response.in_progress", response=begun)
    for index, item in enumerate(done["output"]):
        place = {"item_id": item["id"], "output_index": index}
        if item["type"] == "function_call":
            started = {**item, "arguments": "", "status": "in_progress"}
            add("response.output_item.added", output_index=index, item=started)
            for piece in tokens(item["arguments"]):
                add("response.function_call_arguments.delta", **place, delta=piece)
            add("response.function_call_arguments.done", **place, arguments=item["arguments"], name=item["name"])
        elif item["type"] == "reasoning":
            add("response.output_item.added", output_index=index, item={**item, "summary": []})
            for number, part in enumerate(item["summary"]):
                there = {**place, "summary_index": number}
                add("response.reasoning_summary_part.added", **there, part={**part, "text": ""})
                for piece in tokens(part["text"]):
                    add("response.reasoning_summary_text.delta", **there, delta=piece)
                add("response.reasoning_summary_text.done", **there, text=part["text"])
                add("response.reasoning_summary_part.done", **there, part=part)
        else:
            add("response.output_item.added", output_index=index, item={**item, "content": [], "status": "in_progress"})
            part = item["content"][0]
            add("response.content_part.added", **place, content_index=0, part={**part, "text": ""})
            for piece in tokens(part["text"]):
                add("response.output_text.delta", **place, content_index=0, delta=piece, logprobs=[])
            add("response.output_text.done", **place, content_index=0, text=part["text"], logprobs=[])
            add("response.content_part.done", **place, content_index=0, part=part)
        add("response.output_item.done", output_index=index, item=item)
    add(f"response.{done['status']}", response=done)
    return events
