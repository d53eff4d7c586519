"""Bedrock's Converse: requests in, bodies and event-stream frames out.

Shapes follow https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html and the service
model in `botocore`; the framing https://smithy.io/2.0/aws/amazon-eventstream.html.
"""

from __future__ import annotations

import json
import struct
import zlib

from .api import Event, Exchange, Json, RequestError, digest, objects, said
from .model import Ask, Turn, answer, tokens
from .tools import Tool

_FINISH = {"stop": "end_turn", "stop_sequence": "stop_sequence", "length": "max_tokens", "tools": "tool_use"}
_ERROR_TYPES = {
    403: "AccessDeniedException",
    404: "ResourceNotFoundException",
    429: "ThrottlingException",
    503: "ServiceUnavailableException",
}


def error_type(status: int) -> str:
    """What stands in the header `x-amzn-ErrorType`: by it SDKs choose the class of the exception."""
    return _ERROR_TYPES.get(status, "InternalServerException" if status >= 500 else "ValidationException")


def error(_status: int, message: str, _param: str | None = None, _code: str | None = None) -> Json:
    """The body of an error answer."""
    return {"message": message}


def stream_error(message: str) -> Event:
    """The frame by which a stream says that it failed."""
    return "modelStreamErrorException", {"message": message}


def converse(body: Json) -> Exchange:
    """`POST /model/…/converse` and `…/converse-stream`; `body` has `model` from the path."""
    reply = answer(_ask(body))
    uses = [
        {"toolUseId": f"tooluse_{digest(body, i)}", "name": call.name, "input": json.loads(call.arguments)}
        for i, call in enumerate(reply.calls)
    ]
    blocks: list[Json] = [{"toolUse": use} for use in uses] or [{"text": reply.text}]
    if reply.thought:
        thought = {"text": reply.thought, "signature": digest(body, "thought")}
        blocks.insert(0, {"reasoningContent": {"reasoningText": thought}})
    usage = {
        "inputTokens": reply.input_tokens - reply.cached_tokens,
        "cacheReadInputTokens": reply.cached_tokens,
        "cacheWriteInputTokens": 0,
        "outputTokens": reply.output_tokens,
        "totalTokens": reply.input_tokens + reply.output_tokens,
    }
    end = {"usage": usage, "metrics": {"latencyMs": 12}}
    stop = {"stopReason": _FINISH[reply.finish]}
    events: list[Event] = [("messageStart", {"role": "assistant"})]
    for index, block in enumerate(blocks):
        use = block.get("toolUse")
        if use:
            start = {"toolUse": {"toolUseId": use["toolUseId"], "name": use["name"]}}
            events.append(("contentBlockStart", {"contentBlockIndex": index, "start": start}))
            deltas: list[Json] = [{"toolUse": {"input": piece}} for piece in tokens(json.dumps(use["input"]))]
        elif "reasoningContent" in block:
            thought = block["reasoningContent"]["reasoningText"]
            deltas = [{"reasoningContent": {"text": piece}} for piece in tokens(thought["text"])]
            deltas.append({"reasoningContent": {"signature": thought["signature"]}})
        else:
            deltas = [{"text": piece} for piece in tokens(block["text"])]
        events += [("contentBlockDelta", {"contentBlockIndex": index, "delta": delta}) for delta in deltas]
        events.append(("contentBlockStop", {"contentBlockIndex": index}))
    events += [("messageStop", stop), ("metadata", end)]
    # It names no model, and does not count thoughts.
    told = said(None, reply, stop["stopReason"], reasoning_tokens=None)
    return Exchange({"output": {"message": {"role": "assistant", "content": blocks}}, **stop, **end}, events, told)


def frame(event: Event) -> bytes:
    """One event as a message of `application/vnd.amazon.eventstream`."""
    name, data = event
    kind = "exception" if name.endswith("Exception") else "event"
    headers = {f":{kind}-type": name, ":content-type": "application/json", ":message-type": kind}
    head = b"".join(
        struct.pack(">B", len(key)) + key.encode() + struct.pack(">BH", 7, len(value)) + value.encode()
        for key, value in headers.items()
    )
    payload = json.dumps(data, ensure_ascii=False).encode()
    prelude = struct.pack(">II", 16 + len(head) + len(payload), len(head))
    message = prelude + struct.pack(">I", zlib.crc32(prelude)) + head + payload
    return message + struct.pack(">I", zlib.crc32(message))


def _ask(body: Json) -> Ask:
    turns: list[Turn] = []
    called: dict[str, str] = {}
    messages = objects(body.get("messages"))
    if not messages:
        raise RequestError(400, "A conversation must start with a user message.")
    for message in messages:
        blocks = objects(message.get("content"))
        uses = [block["toolUse"] for block in blocks if "toolUse" in block]
        called.update((use["toolUseId"], use["name"]) for use in uses)
        results = [block["toolResult"] for block in blocks if "toolResult" in block]
        if not results:
            turns.append(Turn("user" if message.get("role") == "user" else "assistant", _text(blocks)))
        turns += [
            Turn("tool", _text(objects(result.get("content"))), called.get(result["toolUseId"], "tool"))
            for result in results
        ]
    config, offered = body.get("inferenceConfig") or {}, body.get("toolConfig") or {}
    choice = offered.get("toolChoice") or {}
    specs = [item["toolSpec"] for item in objects(offered.get("tools")) if "toolSpec" in item]
    return Ask(
        model=body["model"],
        turns=turns,
        system=_text(objects(body.get("system"))),
        tools=[Tool(spec["name"], spec.get("description") or "", spec["inputSchema"]["json"]) for spec in specs],
        tool_choice="required" if "any" in choice else (choice.get("tool") or {}).get("name", "auto"),
        max_tokens=config.get("maxTokens"),
        stop=config.get("stopSequences") or (),
        think=((body.get("additionalModelRequestFields") or {}).get("thinking") or {}).get("type") == "enabled",
    )


def _text(blocks: list[Json]) -> str:
    return "\n".join(str(block["text"]) if "text" in block else json.dumps(block.get("json", {})) for block in blocks)
