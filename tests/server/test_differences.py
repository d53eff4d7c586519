"""What `ao.diff` says of two calls: which messages, parameters and outputs are not the same."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from ao_lsp import protocol
from ao_lsp.server.command import Caller
from ao_lsp.server.commands import execute
from ao_lsp.server.core import Core, open_core
from ao_lsp.server.ingest import Stream
from ao_lsp.server.views import Json
from tests.recorder import Recorder, chat_response

pytestmark = pytest.mark.usefixtures("home")

SYSTEM = {"role": "system", "content": "be brief"}


@pytest.fixture
async def core(home: str) -> AsyncIterator[Core]:  # noqa: ARG001 - the core lives there
    opened = await open_core()
    yield opened
    await opened.close()


def asks(*messages: Json, **parameters: Any) -> bytes:
    return json.dumps({"model": "gpt-5", "messages": [SYSTEM, *messages], **parameters}).encode()


def user(text: str) -> Json:
    return {"role": "user", "content": text}


def calls_tool(number: str, city: str) -> Json:
    wanted = {"id": number, "type": "function", "function": {"name": "weather", "arguments": f'{{"city": "{city}"}}'}}
    return {"role": "assistant", "content": None, "tool_calls": [wanted]}


async def compared(core: Core, *sides: tuple[bytes, bytes], **last: Any) -> Json:
    """The diff of two runs with one call each: what it sent, and what it got."""
    for run, (request, response) in zip(("run1", "run2"), sides, strict=True):
        recorder = Recorder(run)
        recorder.start()
        same = {"request_hash": "h"} if sides[0][0] == sides[1][0] else {"request_hash": run}
        recorder.call_start("c1", request=request, **same)
        recorder.call_end("c1", response, **(last if run == "run2" else {}))
        recorder.end()
        await core.ingest.take(Stream(run, "s1", None), protocol.Frames(), b"".join(recorder.sent))
    return await execute(core, Caller(), "ao.diff", {"a": "run1", "b": "run2"})


async def test_only_the_messages_that_changed_are_told(core: Core) -> None:
    found = await compared(
        core,
        (asks(user("one"), user("two")), chat_response("x")),
        (asks(user("one"), user("2"), user("three")), chat_response("x")),
    )
    (call,) = found["calls"]
    assert call["messages"] == [{"role": "user", "a": "two", "b": "2"}, {"role": "user", "a": None, "b": "three"}]
    assert (call["verdict"], call["changes"], call["output"]) == ("same", ["input"], None)
    assert not found["identical"]


async def test_model_and_parameters_are_told_by_name(core: Core) -> None:
    found = await compared(
        core,
        (asks(user("one"), temperature=0.2), chat_response("x")),
        (asks(user("one"), temperature=0.7, model="gpt-5-mini"), chat_response("x")),
    )
    (call,) = found["calls"]
    assert call["parameters"] == {
        "model": {"a": "gpt-5", "b": "gpt-5-mini"},
        "temperature": {"a": 0.2, "b": 0.7},
    }
    assert (call["changes"], call["messages"]) == (["input", "model", "parameters"], [])


async def test_tool_calls_are_compared_by_what_they_say(core: Core) -> None:
    found = await compared(
        core,
        (asks(calls_tool("call_1", "Porto")), chat_response("x")),
        (asks(calls_tool("call_2", "Bonn")), chat_response("x")),
    )
    (message,) = found["calls"][0]["messages"]
    assert (message["a"], message["b"]) == ('weather({"city": "Porto"})', 'weather({"city": "Bonn"})')


async def test_new_ids_alone_change_nothing(core: Core) -> None:
    found = await compared(
        core,
        (asks(calls_tool("call_1", "Porto")), chat_response("x", id="chatcmpl-1", created=1)),
        (asks(calls_tool("call_2", "Porto")), chat_response("x", id="chatcmpl-2", created=2)),
    )
    assert found["identical"]
    assert found["counts"]["same"] == 1


async def test_an_output_that_says_something_else_is_a_change(core: Core) -> None:
    found = await compared(core, (asks(), chat_response("x")), (asks(), chat_response("y")))
    (call,) = found["calls"]
    assert (call["verdict"], call["changes"], call["output"]) == ("changed", ["output"], {"a": "x", "b": "y"})


async def test_a_call_that_fails_now_is_told_by_its_status_and_error(core: Core) -> None:
    failed = json.dumps({"error": {"message": "too many requests"}}).encode()
    found = await compared(core, (asks(), chat_response("x")), (asks(), failed), status="error", http_status=429)
    (call,) = found["calls"]
    assert call["changes"] == ["output", "status"]
    assert call["output"] == {"a": "x", "b": "too many requests"}


async def test_sums_of_both_runs_are_given(core: Core) -> None:
    usage = {"prompt_tokens": 1000, "completion_tokens": 100}
    found = await compared(core, (asks(), chat_response("x")), (asks(), chat_response("y", usage=usage)))
    a, b = found["totals"]["a"], found["totals"]["b"]
    assert (a["input_tokens"], b["input_tokens"], b["output_tokens"]) == (7, 1000, 100)
    assert 0 < a["cost_usd"] < b["cost_usd"]


async def test_what_cannot_be_read_is_compared_as_bytes(core: Core) -> None:
    found = await compared(core, (b"\xff", b"\xfe"), (b"\xff\xff", b"\xfd"))
    (call,) = found["calls"]
    assert (call["verdict"], call["input_changed"], call["messages"]) == ("changed", True, [])
