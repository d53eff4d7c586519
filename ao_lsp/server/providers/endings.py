"""Why a response ended, where an edit made it end for another reason.

Programs look at it before they look for tool calls. Who adds a tool call to a text, or takes the last one
away, and leaves the reason as it was, means the one that goes with that.
"""

from __future__ import annotations

from ao_lsp.server.providers.shape import Json, items, mapping

_CHAT = {True: "tool_calls", False: "stop"}
_BLOCKS = {True: "tool_use", False: "end_turn"}


def settled(given: Json, recorded: Json) -> Json:
    """`given` with the reason that goes with it, where it has that of the `recorded` response or none, and only one
    of the two calls tools. Other APIs say the same of both."""
    if isinstance(given.get("choices"), list):
        before = items(recorded.get("choices"))
        choices = [
            _choice(index, choice, before[index] if index < len(before) else {}) if isinstance(choice, dict) else choice
            for index, choice in enumerate(given["choices"])
        ]
        return {**given, "choices": choices}
    for key in ("stop_reason", "stopReason"):
        if key in recorded:
            return _settled(given, recorded, key, _calls(given), _calls(recorded), _BLOCKS)
    return given


def _choice(index: int, choice: Json, recorded: Json) -> Json:
    if "message" not in choice:
        return {"index": index, **choice}
    now, before = (
        bool(mapping(choice["message"]).get("tool_calls")),
        bool(mapping(recorded.get("message")).get("tool_calls")),
    )
    return {"index": index, **_settled(choice, recorded, "finish_reason", now, before, _CHAT)}


def _settled(given: Json, recorded: Json, key: str, now: bool, before: bool, reasons: dict[bool, str]) -> Json:
    reason = given.get(key)
    if reason is None or (reason == recorded.get(key) and now != before):
        return {**given, key: reasons[now]}
    return given


def _calls(response: Json) -> bool:
    content = response.get("content") or mapping(mapping(response.get("output")).get("message")).get("content")
    return any(block.get("type") == "tool_use" or "toolUse" in block for block in items(content))
