"""What the fields of each API's requests are, as far as an edit of one is likely to get them wrong.

Ranges and roles are those of the reference pages named in each shape's module. Fields that are not here
are not looked at: APIs and hosts add their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ao_lsp.server.providers.expect import (
    Check,
    anything_in,
    fields,
    flag,
    json_object,
    list_of,
    number,
    one_of,
    refuse,
    text,
    text_or_list_of,
    whole,
)
from ao_lsp.server.providers.shape import EditError

_PART_FIELDS: Mapping[str, Check] = {
    "text": fields("text", text=text),
    "input_text": fields("text", text=text),
    "output_text": fields("text", text=text),
    "image_url": fields("image_url"),
    "image": fields("source", source=anything_in),
    "tool_use": fields("id", "name", "input", id=text, name=text, input=anything_in),
    "tool_result": fields("tool_use_id", tool_use_id=text, is_error=flag),
}


def _part(value: Any, place: str) -> None:
    """A part of a message's content, or a block, of a kind that its `type` names."""
    fields("type", type=text)(value, place)
    _PART_FIELDS.get(value["type"], anything_in)(value, place)


_CONTENT = text_or_list_of(_part, "parts")
_STOP = text_or_list_of(text, "strings")
_TOOL_CALL = fields(
    "id", id=text, type=text, function=fields("name", "arguments", name=text, arguments=json_object), custom=anything_in
)


def _chat_message(value: Any, place: str) -> None:
    fields(
        "role",
        role=one_of("system", "developer", "user", "assistant", "tool", "function"),
        content=_CONTENT,
        name=text,
        tool_calls=list_of(_TOOL_CALL, "tool calls", 1),
        tool_call_id=text,
    )(value, place)
    role = value["role"]
    if role == "tool" and value.get("tool_call_id") is None:
        raise EditError(f'"{place}" must have "tool_call_id": the id of the tool call that it answers')
    if role != "assistant" and value.get("content") is None:
        raise EditError(f'"{place}" must have "content"')
    if role == "assistant" and not any(
        value.get(key) is not None for key in ("content", "tool_calls", "function_call", "audio", "refusal")
    ):
        raise EditError(f'"{place}" must have "content" or "tool_calls"')


_RESPONSES_ITEMS: Mapping[str, Check] = {
    "message": fields(
        "role", "content", role=one_of("system", "developer", "user", "assistant"), content=_CONTENT
    ),
    "function_call": fields("call_id", "name", "arguments", call_id=text, name=text, arguments=json_object),
    "function_call_output": fields("call_id", "output", call_id=text, output=_CONTENT),
}  # fmt: skip


def _responses_item(value: Any, place: str) -> None:
    fields(type=text)(value, place)
    kind = value.get("type") or ("message" if "role" in value else None)
    if kind is None:
        raise EditError(f'"{place}" must have "type", or be a message with "role" and "content"')
    _RESPONSES_ITEMS.get(kind, anything_in)(value, place)


_GEMINI_PART = fields(text=text, functionCall=fields("name", name=text, args=anything_in), inlineData=anything_in)
_GEMINI_CONTENT = fields(
    "parts", role=one_of("user", "model", "function", "tool", "system"), parts=list_of(_GEMINI_PART, "parts", 1)
)
_GEMINI_NUMBERS: Mapping[str, Check] = {
    "temperature": number(0, 2),
    "topP": number(0, 1),
    "top_p": number(0, 1),
    "topK": number(0),
    "top_k": number(0),
    "candidateCount": whole(1),
    "candidate_count": whole(1),
    "maxOutputTokens": whole(1),
    "max_output_tokens": whole(1),
    "stopSequences": list_of(text, "strings"),
    "stop_sequences": list_of(text, "strings"),
}
_GEMINI_CONFIG = fields(**_GEMINI_NUMBERS)
_GEMINI: Mapping[str, Check] = {
    "contents": list_of(_GEMINI_CONTENT, "objects with parts", 1),
    "systemInstruction": fields("parts", parts=list_of(_GEMINI_PART, "parts", 1)),
    "system_instruction": fields("parts", parts=list_of(_GEMINI_PART, "parts", 1)),
    "generationConfig": _GEMINI_CONFIG,
    "generation_config": _GEMINI_CONFIG,
    "tools": list_of(anything_in, "objects"),
}


def _converse_block(value: Any, place: str) -> None:
    fields(
        text=text,
        toolUse=fields("toolUseId", "name", "input", toolUseId=text, name=text, input=anything_in),
        toolResult=fields("toolUseId", "content", toolUseId=text, content=list_of(anything_in, "blocks")),
    )(value, place)
    if len(value) != 1:
        raise refuse(place, 'an object with one field, which says what it is, as {"text": "…"}')


_CONVERSE: Mapping[str, Check] = {
    "messages": list_of(
        fields(
            "role", "content", role=one_of("user", "assistant"), content=list_of(_converse_block, "blocks", 1)
        ),
        "messages", 1,
    ),
    "system": list_of(anything_in, "blocks"),
    "inferenceConfig": fields(
        maxTokens=whole(1), temperature=number(0, 1), topP=number(0, 1), stopSequences=list_of(text, "strings")
    ),
    "toolConfig": fields(tools=list_of(anything_in, "tools", 1)),
}  # fmt: skip

_OLLAMA: Mapping[str, Check] = {
    "model": text,
    "messages": list_of(
        fields(
            "role", role=one_of("system", "user", "assistant", "tool"), content=text,
            images=list_of(text, "images in base64"),
            tool_calls=list_of(
                fields("function", function=fields("name", name=text, arguments=anything_in)), "tool calls"
            ),
        ),
        "messages",
    ),
    "prompt": text,
    "system": text,
    "input": text_or_list_of(text, "strings"),
    "tools": list_of(anything_in, "tools"),
    "options": fields(
        temperature=number(0), top_p=number(0, 1), top_k=whole(0), num_ctx=whole(1), num_predict=whole(-2),
        seed=whole(), stop=_STOP,
    ),
}  # fmt: skip

_OPENAI: Mapping[str, Check] = {
    "model": text,
    "temperature": number(0, 2),
    "top_p": number(0, 1),
    "n": whole(1, 128),
    "presence_penalty": number(-2, 2),
    "frequency_penalty": number(-2, 2),
    "max_tokens": whole(1),
    "max_completion_tokens": whole(1),
    "max_output_tokens": whole(1),
    "top_logprobs": whole(0, 20),
    "seed": whole(),
    "stop": _STOP,
    "tools": list_of(fields("type", type=text), "tools"),
    "response_format": fields("type", type=text),
    "logit_bias": anything_in,
    "metadata": anything_in,
    "parallel_tool_calls": flag,
    "store": flag,
    "user": text,
    "dimensions": whole(1),
    "encoding_format": one_of("float", "base64"),
    "instructions": text_or_list_of(_responses_item, "items"),
}


def _tokens(value: Any, place: str) -> None:
    """A string, or one that is cut into tokens already."""
    if not isinstance(value, str | int | list) or isinstance(value, bool):
        raise refuse(place, "a string, or a list of tokens")


_STRINGS = text_or_list_of(_tokens, "strings", 1)

FIELDS: Mapping[str, Mapping[str, Check]] = {
    "/chat/completions": {**_OPENAI, "messages": list_of(_chat_message, "messages", 1)},
    "/completions": {**_OPENAI, "prompt": _STRINGS},
    "/embeddings": {**_OPENAI, "input": _STRINGS},
    "/responses": {**_OPENAI, "input": text_or_list_of(_responses_item, "items", 1)},
    "/messages": {
        "model": text,
        "messages": list_of(
            fields("role", "content", role=one_of("user", "assistant"), content=_CONTENT), "messages", 1
        ),
        "system": text_or_list_of(fields("text", text=text), "blocks of text"),
        "max_tokens": whole(1),
        "temperature": number(0, 1),
        "top_p": number(0, 1),
        "top_k": whole(0),
        "stop_sequences": list_of(text, "strings"),
        "tools": list_of(fields("name", name=text), "tools"),
        "tool_choice": fields("type", type=text),
        "thinking": fields("type", type=text, budget_tokens=whole(1024)),
        "metadata": anything_in,
    },
    "/api/chat": _OLLAMA,
    "/api/generate": _OLLAMA,
    "/api/embed": _OLLAMA,
    "/api/embeddings": _OLLAMA,
    ":generateContent": _GEMINI,
    ":streamGenerateContent": _GEMINI,
    ":embedContent": {"content": _GEMINI_CONTENT},
    ":batchEmbedContents": {"requests": list_of(fields("content", content=_GEMINI_CONTENT), "requests", 1)},
    "/converse": _CONVERSE,
    "/converse-stream": _CONVERSE,
}  # fmt: skip
"""Ending of the path (as in endpoint.py) → field → what it has to be."""
