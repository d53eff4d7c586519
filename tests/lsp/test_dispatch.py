"""What happens with a message: on an editor's own dispatch over a real core, with what it sends collected."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from itertools import pairwise
from typing import Any

import pytest
from lsprotocol import types as lsp
from pygls.exceptions import JsonRpcInvalidParams

from ao_lsp.server.core import Core, open_core
from ao_lsp.server.lsp.connection import dispatch
from ao_lsp.server.lsp.connection.dispatch import AnswerError
from ao_lsp.server.lsp.connection.inbox import Inbox
from ao_lsp.server.lsp.connection.wire import encode, read_message
from ao_lsp.server.lsp.session import attend
from ao_lsp.server.params import CommandError
from ao_lsp.server.store import StoreError
from tests.lsp.in_process import Client, soon

pytestmark = pytest.mark.usefixtures("home")

SECRET = "the prompt that was recorded"


@pytest.fixture
async def core(home: str) -> AsyncIterator[Core]:  # noqa: ARG001 - the core lives there
    opened = await open_core()
    yield opened
    await opened.close()


@pytest.fixture
async def new(core: Core) -> AsyncIterator[Client]:
    """A client that has said nothing yet."""
    made = Client(core)
    yield made
    await made.editor.close()


@pytest.fixture
async def client(new: Client) -> Client:
    """A client that has introduced itself."""
    await new.begin()
    return new


# -- what is no request, or none that is known


@pytest.mark.parametrize(
    "message",
    [
        {"id": 1, "method": "ao/runs"},
        {"jsonrpc": "1.0", "id": 1, "method": "ao/runs"},
        {"jsonrpc": 2.0, "id": 1, "method": "ao/runs"},
        {"jsonrpc": "2.0", "id": 1, "method": None},
        {"jsonrpc": "2.0", "id": 1, "method": ["ao/runs"]},
    ],
)
async def test_a_message_of_another_protocol_is_refused(client: Client, message: dict[str, Any]) -> None:
    client.protocol.receive(message)
    assert (await client.answer(1))["error"]["code"] == -32600


@pytest.mark.parametrize("name", [None, True, 1.5, [1], {"a": 1}])
async def test_a_request_whose_id_is_none_is_refused_without_one(client: Client, name: Any) -> None:
    client.send("ao/runs", id=name)
    assert (await client.answer(None))["error"]["code"] == -32600


@pytest.mark.parametrize("method", ["x/unheardOf", "", "textDocument/definition", "$/unheardOf", "__init__"])
async def test_a_method_that_does_not_exist_is_refused(client: Client, method: str) -> None:
    answer = await client.ask(method, {})
    assert answer["error"]["code"] == -32601
    assert method in answer["error"]["message"]


async def test_numbers_and_texts_are_different_ids(client: Client) -> None:
    client.send("ao/runs", {}, id=7)
    client.send("ao/runs", {}, id="7")
    assert "result" in await client.answer(7)
    assert "result" in await client.answer("7")


async def test_an_id_is_refused_while_it_is_being_worked_on(client: Client) -> None:
    go_on = asyncio.Event()

    async def wait(_: Any) -> str:
        await go_on.wait()
        return "first"

    client.feature("x/wait", wait)
    client.send("x/wait", id=7)
    client.send("x/wait", id=7)
    assert (await client.answer(7))["error"]["code"] == -32600
    go_on.set()
    assert await client.answer(7) == {"result": "first"}
    client.send("ao/runs", {}, id=7)
    assert "result" in await client.answer(7)


# -- the life cycle


async def test_nothing_is_answered_before_initialize(new: Client) -> None:
    for method in ("textDocument/hover", "ao/runs", "shutdown", "x/unheardOf"):
        assert await new.refused(method, {}) == -32002
    new.send("textDocument/didOpen", _opened("x = 1"))
    await new.begin()
    assert new.editor.documents == {}
    assert "result" in await new.ask("ao/runs", {})


async def test_a_client_introduces_itself_once(client: Client) -> None:
    before = client.editor.client
    params = {"processId": None, "rootUri": None, "capabilities": {}, "clientInfo": {"name": "another"}}
    assert await client.refused("initialize", params) == -32600
    client.send("initialize", params)  # a notification
    await client.ask("ao/runs", {})
    assert client.editor.client is before
    assert client.sent.messages == []


async def test_a_request_that_comes_right_behind_initialize_is_answered(new: Client) -> None:
    new.send("initialize", {"processId": None, "rootUri": None, "capabilities": {}}, id=1)
    await asyncio.sleep(0)  # between two messages the session lets others have their turn
    new.send("ao/runs", {}, id=2)
    assert "result" in await new.answer(2)


async def test_nothing_is_done_after_shutdown(client: Client) -> None:
    assert await client.ask("shutdown") == {"result": None}
    for method in ("textDocument/hover", "ao/runs", "shutdown", "initialize", "x/unheardOf"):
        assert await client.refused(method, {}) == -32600
    client.send("textDocument/didOpen", _opened("x = 1"))
    await asyncio.sleep(0)
    assert client.editor.documents == {}
    assert not client.protocol.over


async def test_exit_ends_the_connection_in_every_state_and_nothing_else(new: Client) -> None:
    # Who serves the connection looks at `over`; the process serves others, too.
    new.send("exit")
    assert new.protocol.over
    new.protocol.over = False
    await new.begin()
    new.send("exit")
    assert new.protocol.over
    new.protocol.over = False
    await new.ask("shutdown")
    new.send("exit")
    assert new.protocol.over


async def test_exit_as_a_request_does_not_end_the_process(client: Client) -> None:
    client.send("exit", id=7)
    assert await client.answer(7) == {"result": None}
    assert client.protocol.over


async def test_what_is_offered_is_what_is_answered(new: Client) -> None:
    offered = (await new.begin())["capabilities"]
    assert {name for name, value in offered.items() if value} == {
        "positionEncoding", "textDocumentSync", "codeLensProvider", "codeActionProvider", "inlayHintProvider",
        "hoverProvider", "documentSymbolProvider", "callHierarchyProvider", "executeCommandProvider", "workspace",
    }  # fmt: skip
    assert "ao.rerunFrom" in offered["executeCommandProvider"]["commands"]
    assert offered["codeLensProvider"] == {"resolveProvider": False}


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        (None, "utf-16"),
        ([], "utf-16"),
        (["utf-8", "utf-16"], "utf-8"),
        (["utf-32"], "utf-32"),
        (["utf-7", "utf-8"], "utf-8"),
        (["utf-7"], "utf-16"),
    ],
)
async def test_the_encoding_is_the_first_that_both_know(new: Client, offered: Any, chosen: str) -> None:
    said = await new.begin(capabilities={"general": {"positionEncodings": offered}} if offered is not None else {})
    assert said["capabilities"]["positionEncoding"] == chosen
    # And it is what columns are counted in.
    columns = {"utf-8": 4, "utf-16": 2, "utf-32": 1}
    assert new.editor.units.from_column("😀", 1) == columns[chosen]


@pytest.mark.parametrize(
    "capabilities",
    [
        {"textDocument": {"codeAction": {"codeActionLiteralSupport": {"codeActionKind": {"valueSet": [5]}}}}},
        {"textDocument": {"hover": {"contentFormat": ["markdown", "html-2030"]}}},
        {"textDocument": {"completion": {"completionItemKind": {"valueSet": [1, 9999]}}}},
        {"workspace": {"workspaceEdit": {"resourceOperations": ["teleport"], "failureHandling": "shrug"}}},
        {"textDocument": {"foldingRange": "yes"}, "general": 5, "window": [], "experimental": [1]},
        {"notebookDocument": {"synchronization": {"dynamicRegistration": "maybe"}}, "unheardOf": {"a": [1]}},
    ],
)
async def test_a_client_of_tomorrow_is_let_in(new: Client, capabilities: Any) -> None:
    said = await new.begin(capabilities={**capabilities, "workspace": {"codeLens": {"refreshSupport": True}}})
    assert said["capabilities"]["hoverProvider"]
    # What could be read of it has been read.
    assert new.editor.client.lens_refresh


async def test_a_client_of_tomorrow_is_answered_in_its_units(new: Client) -> None:
    said = await new.begin(trace="loudly", capabilities={"general": {"positionEncodings": ["utf-8"]}})
    assert said["capabilities"]["positionEncoding"] == "utf-8"


async def test_what_a_client_of_tomorrow_says_is_not_logged(new: Client, caplog: pytest.LogCaptureFixture) -> None:
    await new.begin(trace="loudly", clientInfo={"name": "ed", "version": SECRET}, initializationOptions=SECRET)
    assert "initialize of ed is not as lsprotocol wants it" in caplog.text
    assert SECRET not in caplog.text


@pytest.mark.parametrize("params", [None, [], "hello", 5])
async def test_an_introduction_that_is_no_object_is_refused(new: Client, params: Any) -> None:
    assert await new.refused("initialize", params) == -32602
    await new.begin()


# -- parameters


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("textDocument/hover", None),
        ("textDocument/hover", []),
        ("textDocument/hover", {}),
        ("textDocument/hover", {"textDocument": {"uri": SECRET}, "position": {"line": -1, "character": 0}}),
        ("textDocument/hover", {"textDocument": {"uri": SECRET}, "position": {"line": "0", "character": SECRET}}),
        ("textDocument/codeLens", {"textDocument": SECRET}),
        ("textDocument/codeAction", {"textDocument": {"uri": SECRET}}),
        ("textDocument/codeAction", {"textDocument": {"uri": SECRET}, "range": 5, "context": SECRET}),
        ("workspace/executeCommand", {"arguments": [SECRET]}),
    ],
)
async def test_parameters_that_do_not_fit_are_refused_without_quoting_them(
    client: Client, method: str, params: Any, caplog: pytest.LogCaptureFixture
) -> None:
    answer = await client.ask(method, params)
    assert answer == {"error": {"code": -32602, "message": f"{method}: the parameters do not fit"}}
    assert client.sent.messages == [], "nothing pops up"
    assert SECRET not in caplog.text


async def test_diagnostics_of_other_servers_may_be_as_they_like(client: Client) -> None:
    client.send("textDocument/didOpen", _opened("client.chat.completions.create(m)"))
    for diagnostics in ([], [{"message": 5}], [None], "none", {"a": 1}, None):
        answer = await client.ask("textDocument/codeAction", _code_action(diagnostics))
        assert [action["command"] for action in answer["result"]] == ["ao.record"], diagnostics


async def test_kinds_of_actions_may_be_such_as_nobody_has_heard_of(client: Client) -> None:
    client.send("textDocument/didOpen", _opened("client.chat.completions.create(m)"))
    params = _code_action([])
    for only, count in ((["refactor.rewrite.ao"], 1), (["x.y"], 0), (["", "x.y"], 1), ([], 0)):
        params["context"] = {"diagnostics": [], "only": only}
        assert len((await client.ask("textDocument/codeAction", params))["result"]) == count, only


async def test_a_payload_may_look_like_a_message(new: Client) -> None:
    # A recorded MCP message does.
    inner = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"jsonrpc": "2.0", "type_name": "x"}}
    payload = {"type_name": "a", "from": [inner, {"jsonrpc": 5}], "a-b": inner}
    got: list[Any] = []

    async def echo(params: Any) -> Any:
        got.append(params)
        return params

    await new.begin(initializationOptions=payload)
    new.feature("x/echo", echo)
    reader = asyncio.StreamReader()
    reader.feed_data(encode({"jsonrpc": "2.0", "id": "e", "method": "x/echo", "params": payload}))
    read = await read_message(reader)
    assert read is not None
    new.protocol.receive(read[0])
    assert await new.answer("e") == {"result": payload}
    assert got == [payload]


async def test_arguments_of_commands_may_look_like_a_message(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    inner = {"jsonrpc": "2.0", "id": 1, "result": {"jsonrpc": "2.0"}}
    got: list[Any] = []

    async def execute(params: lsp.ExecuteCommandParams) -> Any:
        got.extend(params.arguments or ())
        return {"jsonrpc": inner}

    monkeypatch.setattr(client.editor, "execute", execute)
    answer = await client.ask("workspace/executeCommand", {"command": "ao.edit", "arguments": [inner, [inner]]})
    assert got == [inner, [inner]]
    assert answer == {"result": {"jsonrpc": inner}}


# -- what a handler does


async def test_handlers_may_be_functions_and_coroutine_functions(client: Client) -> None:
    async def later(params: Any) -> Any:
        await asyncio.sleep(0)
        return [params]

    def at_once(params: Any) -> Any:
        return [params]

    client.feature("x/later", later)
    client.feature("x/atOnce", at_once)
    assert await client.ask("x/later", {"a": 1}) == {"result": [{"a": 1}]}
    assert await client.ask("x/atOnce", {"a": 1}) == {"result": [{"a": 1}]}


async def test_one_request_does_not_wait_for_another(client: Client) -> None:
    go_on = asyncio.Event()

    async def wait(_: Any) -> None:
        await go_on.wait()

    def go(_: Any) -> None:
        go_on.set()

    client.feature("x/wait", wait)
    client.feature("x/go", go)
    client.send("x/wait", id="slow")
    assert await client.ask("x/go") == {"result": None}
    assert await client.answer("slow") == {"result": None}


async def test_a_handler_that_raises_is_named_and_nothing_that_it_knew(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(params: Any) -> None:
        raise ValueError(SECRET, params)

    client.feature("x/broken", broken)
    answer = await client.ask("x/broken", {"prompt": SECRET})
    assert set(answer["error"]) == {"code", "message"}, "no traceback in the data"
    assert answer["error"]["code"] == -32603
    assert "ValueError" in answer["error"]["message"]
    assert SECRET not in json.dumps(answer)
    assert "Traceback" not in json.dumps(answer)
    assert client.sent.messages == [], "nothing pops up"
    # Where to look for the cause.
    assert "x/broken failed" in caplog.text
    assert "in broken" in caplog.text
    assert "result" in await client.ask("ao/runs", {})


async def test_a_result_that_is_no_json_is_a_fault_and_an_answer(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    def give(_: Any) -> Any:
        return {"a": object()}

    client.feature("x/give", give)
    assert await client.refused("x/give") == -32603
    assert "x/give failed" in caplog.text


@pytest.mark.parametrize(
    ("code", "number"), [("bad_params", -32602), ("internal", -32603), ("not_found", -32803), ("refused", -32803)]
)
async def test_what_a_command_refuses_is_told_in_words_and_in_data(client: Client, code: str, number: int) -> None:
    def refuse(_: Any) -> None:
        raise CommandError(code, "it cannot be done", "do it otherwise")

    client.feature("x/refuse", refuse)
    assert (await client.ask("x/refuse"))["error"] == {
        "code": number,
        "message": "it cannot be done; do it otherwise",
        "data": {"code": code, "message": "it cannot be done", "hint": "do it otherwise"},
    }


async def test_a_database_that_fails_is_told_with_what_to_do(client: Client) -> None:
    def fail(_: Any) -> None:
        raise StoreError("unavailable", "the disk is full", "free some space")

    client.feature("x/fail", fail)
    data = {"code": "unavailable", "message": "the disk is full", "hint": "free some space"}
    told = {"code": -32803, "message": "the disk is full; free some space", "data": data}
    assert (await client.ask("x/fail"))["error"] == told


async def test_an_error_of_pygls_keeps_its_code(client: Client) -> None:
    def refuse(_: Any) -> None:
        raise JsonRpcInvalidParams("not like that")

    client.feature("x/refuse", refuse)
    assert (await client.ask("x/refuse"))["error"] == {"code": -32602, "message": "not like that"}


async def test_a_command_that_does_not_exist_is_refused_with_the_one_that_was_meant(client: Client) -> None:
    answer = await client.ask("workspace/executeCommand", {"command": "ao.grahp", "arguments": []})
    assert answer["error"]["data"]["code"] == "unknown_command"
    assert "ao.graph" in answer["error"]["message"]


# -- cancellation


async def test_a_request_that_is_cancelled_is_told_so_and_stops(client: Client) -> None:
    began, stopped = asyncio.Event(), asyncio.Event()

    async def wait(_: Any) -> None:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    client.feature("x/wait", wait)
    client.send("x/wait", id=7)
    await soon(began.wait())
    client.protocol.cancel(7)
    assert await client.answer(7) == {"error": {"code": -32800, "message": "cancelled"}}
    assert stopped.is_set()
    client.protocol.cancel(7)  # too late, and no fault
    client.protocol.cancel("7")
    assert "result" in await client.ask("ao/runs", {})


async def test_a_request_that_has_not_begun_is_cancelled_before_it_does(client: Client) -> None:
    ran: list[Any] = []

    def run(params: Any) -> None:
        ran.append(params)

    client.feature("x/run", run)
    client.send("x/run", id=7)
    client.protocol.cancel(7)
    assert (await client.answer(7))["error"]["code"] == -32800
    assert ran == []


async def test_only_so_many_requests_run_at_a_time(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "MOST_RUNNING", 2)
    go_on = [asyncio.Event(), asyncio.Event()]

    async def wait(number: int) -> None:
        await go_on[number].wait()

    client.feature("x/wait", wait)
    client.send("x/wait", 0, id=0)
    await soon(client.protocol.room())
    client.send("x/wait", 1, id=1)
    waiting = asyncio.create_task(client.protocol.room())
    await client.ask("ao/runs", {})
    assert not waiting.done()
    go_on[1].set()
    await soon(waiting)
    assert await client.answer(1) == {"result": None}
    go_on[0].set()
    await client.answer(0)


async def test_a_request_that_waits_for_room_can_be_cancelled(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "MOST_RUNNING", 1)
    go_on = asyncio.Event()
    ran: list[Any] = []

    async def wait(_: Any) -> None:
        await go_on.wait()

    def run(params: Any) -> None:
        ran.append(params)

    client.feature("x/wait", wait)
    client.feature("x/run", run)
    inbox = Inbox(client.protocol.answered, client.protocol.cancel)
    reader = asyncio.StreamReader()
    tasks = [asyncio.create_task(inbox.fill(reader)), asyncio.create_task(attend(client.editor, inbox))]
    for message in (
        {"id": "first", "method": "x/wait"},
        {"id": "second", "method": "x/run"},
        {"method": "$/cancelRequest", "params": {"id": "second"}},
    ):
        reader.feed_data(encode({"jsonrpc": "2.0", **message}))
        for _ in range(20):  # all is here: it comes as far as it can
            await asyncio.sleep(0)
    reader.feed_eof()
    await soon(tasks[0])
    go_on.set()
    assert await client.answer("first") == {"result": None}
    assert (await client.answer("second"))["error"]["code"] == -32800
    await soon(tasks[1])
    assert ran == []


# -- notifications


async def test_notifications_are_never_answered(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    def broken(_: Any) -> None:
        raise ValueError

    client.feature("x/broken", broken)
    for method in ("x/unheardOf", "$/unheardOf", "x/broken", "ao/runs", "textDocument/didSave"):
        client.send(method, {})
    await client.ask("ao/runs", {})
    assert client.sent.messages == []
    # What failed is in the log; what nobody knows is not even there.
    assert "x/broken failed" in caplog.text
    assert "unheardOf" not in caplog.text


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("textDocument/didOpen", {"textDocument": {"uri": SECRET, "text": SECRET}}),
        ("textDocument/didChange", {"textDocument": {"uri": SECRET, "version": "x"}, "contentChanges": SECRET}),
        ("textDocument/didClose", None),
        ("textDocument/didSave", [SECRET]),
    ],
)
async def test_a_notification_that_does_not_fit_is_logged_and_does_not_pop_up(
    client: Client, method: str, params: Any, caplog: pytest.LogCaptureFixture
) -> None:
    client.send(method, params)
    await client.ask("ao/runs", {})
    assert client.sent.messages == []
    assert f"{method} with parameters that do not fit" in caplog.text
    assert SECRET not in caplog.text


async def test_buffers_are_kept_in_the_order_of_what_is_said_of_them(client: Client) -> None:
    at = {"line": 0, "character": 0}
    client.send("textDocument/didOpen", _opened("c"))
    for version, text in enumerate("ba", 2):
        changes = [{"range": {"start": at, "end": at}, "text": text}]
        client.send("textDocument/didChange", {"textDocument": _document(version=version), "contentChanges": changes})
    await client.ask("ao/runs", {})
    assert client.editor.documents[URI].lines == ["abc"]
    client.send("textDocument/didClose", {"textDocument": _document()})
    client.send("textDocument/didClose", {"textDocument": _document()})
    await client.ask("ao/runs", {})
    assert client.editor.documents == {}


# -- requests of ours


async def test_what_the_client_answers_is_given_to_who_asked(client: Client) -> None:
    asking = [asyncio.create_task(client.protocol.ask("x/q", {"n": number})) for number in range(2)]
    first, second = [await client.sent.until(lambda m: m.get("method") == "x/q") for _ in range(2)]
    assert (first["jsonrpc"], first["params"], second["params"]) == ("2.0", {"n": 0}, {"n": 1})
    inner = {"jsonrpc": "2.0", "from": None}
    client.protocol.answered({"jsonrpc": "2.0", "id": second["id"], "result": inner})
    client.protocol.answered({"jsonrpc": "2.0", "id": first["id"], "result": None})
    assert await soon(asyncio.gather(*asking)) == [None, inner]


async def test_a_question_without_parameters_has_none(client: Client) -> None:
    asking = asyncio.create_task(client.protocol.ask("workspace/codeLens/refresh"))
    sent = await client.sent.until(lambda m: "method" in m)
    assert set(sent) == {"jsonrpc", "id", "method"}
    client.protocol.answered({"jsonrpc": "2.0", "id": sent["id"], "result": None})
    await soon(asking)


@pytest.mark.parametrize(
    ("error", "told"), [({"code": -32601, "message": "no such method"}, "no such method"), ("no", "no"), ({}, "None")]
)
async def test_a_client_that_answers_with_an_error_is_an_error(client: Client, error: Any, told: str) -> None:
    asking = asyncio.create_task(client.protocol.ask("x/q"))
    sent = await client.sent.until(lambda m: "method" in m)
    client.protocol.answered({"jsonrpc": "2.0", "id": sent["id"], "error": error})
    with pytest.raises(AnswerError, match=told):
        await soon(asking)


async def test_answers_that_nobody_waits_for_are_let_be(client: Client) -> None:
    asking = asyncio.create_task(client.protocol.ask("x/q"))
    sent = await client.sent.until(lambda m: "method" in m)
    asking.cancel()
    await asyncio.wait({asking})
    late = {"jsonrpc": "2.0", "id": sent["id"], "result": 1}
    for message in (late, late, {}, {"id": None, "error": {"code": -32700, "message": "what?"}}, {"id": [1]}):
        client.protocol.answered(message)
    assert "result" in await client.ask("ao/runs", {})


async def test_an_answer_that_comes_twice_counts_once(client: Client) -> None:
    asking = asyncio.create_task(client.protocol.ask("x/q"))
    sent = await client.sent.until(lambda m: "method" in m)
    client.protocol.answered({"jsonrpc": "2.0", "id": sent["id"], "result": 1})
    client.protocol.answered({"jsonrpc": "2.0", "id": sent["id"], "error": {"code": 1, "message": "no"}})
    assert await soon(asking) == 1


# -- the client leaves


async def test_when_the_client_leaves_nothing_that_it_wanted_goes_on(client: Client) -> None:
    began, stopped = asyncio.Event(), asyncio.Event()

    async def wait(_: Any) -> None:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    client.feature("x/wait", wait)
    client.send("x/wait", id=7)
    await soon(began.wait())
    client.protocol.close()
    await soon(stopped.wait())
    assert client.sent.messages == []
    assert client.protocol.over


async def test_when_the_client_leaves_what_it_was_asked_fails(client: Client) -> None:
    asking = [asyncio.create_task(client.protocol.ask("x/q")) for _ in range(2)]
    await client.sent.until(lambda m: "method" in m)
    client.protocol.close()
    for each in asking:
        with pytest.raises(AnswerError, match="the client has left"):
            await soon(each)
    with pytest.raises(AnswerError, match="the client has left"):
        await soon(client.protocol.ask("x/q"))
    client.protocol.tell("x/t", {})  # nobody hears it


async def test_when_one_client_leaves_the_others_stay(core: Core, client: Client) -> None:
    other = Client(core)
    await other.begin()
    other.send("exit")
    await other.editor.close()
    assert not client.protocol.over
    assert "result" in await client.ask("ao/runs", {})


async def test_what_was_said_is_not_logged(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    def echo(params: Any) -> Any:
        return params

    client.feature("x/echo", echo)
    client.send("textDocument/didOpen", _opened(SECRET))
    assert await client.ask("x/echo", {"a": SECRET}) == {"result": {"a": SECRET}}
    client.protocol.tell("x/t", {"a": SECRET})
    assert SECRET not in caplog.text


URI = "file:///project/agent.py"


def _document(**more: Any) -> dict[str, Any]:
    return {"uri": URI, **more}


def _opened(text: str) -> dict[str, Any]:
    return {"textDocument": _document(languageId="python", version=1, text=text)}


def _code_action(diagnostics: Any) -> dict[str, Any]:
    start = {"line": 0, "character": 0}
    return {
        "textDocument": _document(),
        "range": {"start": start, "end": start},
        "context": {"diagnostics": diagnostics, "triggerKind": 1},
    }


async def test_an_answer_that_is_too_long_is_refused_and_the_client_stays(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatch, "MOST_OUT", 2 << 20)
    client.feature("x/much", lambda _: ["x" * 1000] * 3000)
    answer = await client.ask("x/much")
    assert answer["error"]["code"] == -32803
    assert answer["error"]["message"] == "the answer would be 2 MB long; ask for a part of it"
    assert await client.ask("x/nothing") is not None


async def test_one_message_is_acted_on_at_a_turn(client: Client) -> None:
    # Whatever it is: also what is refused at once must not hold up the other clients.
    inbox, reader = Inbox(client.protocol.answered, client.protocol.cancel), asyncio.StreamReader()
    for number in range(100, 130):
        reader.feed_data(encode({"jsonrpc": "2.0", "id": number, "method": "x/unheardOf"}))
        reader.feed_data(b"Content-Length: 2\r\n\r\n[]")
        reader.feed_data(encode({"jsonrpc": "2.0", "id": -number, "method": "x/unheardOf"}))
        reader.feed_data(encode({"jsonrpc": "2.0", "method": "$/cancelRequest", "params": {"id": -number}}))
    reader.feed_eof()
    await soon(inbox.fill(reader))
    attending = asyncio.create_task(attend(client.editor, inbox))
    said = [len(client.sent.messages)]
    while not attending.done():
        await asyncio.sleep(0)
        said.append(len(client.sent.messages))
    await attending
    assert said[-1] - said[0] == 90
    assert max(after - before for before, after in pairwise(said)) == 1
