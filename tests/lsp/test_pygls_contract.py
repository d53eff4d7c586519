"""What we hold pygls to. First its faults, for which `dispatch` and others stand in: when a test of these
fails, something of ours may go. Then what we use of it that it does not promise: when one of those fails,
something of ours is broken.

`FACTS` says which test holds which fault, and which ours does with the same."""

from __future__ import annotations

import asyncio
import gc
import inspect
import io
import json
import logging
import re
import threading
import weakref
from collections.abc import AsyncIterator, Callable
from concurrent.futures import InvalidStateError
from pathlib import Path
from typing import Any

import pytest
from cattrs import Converter
from lsprotocol import types as lsp
from pygls.exceptions import JsonRpcException, JsonRpcInternalError, JsonRpcInvalidParams
from pygls.io_ import StdinAsyncReader, run_async
from pygls.lsp.server import LanguageServer
from pygls.protocol import LanguageServerProtocol, default_converter, lsp_method
from pygls.workspace import TextDocument

from ao_lsp.server.core import open_core
from ao_lsp.server.lsp.buffers.documents import Document
from ao_lsp.server.lsp.connection.dispatch import Dispatch
from ao_lsp.server.lsp.connection.wire import encode
from ao_lsp.server.lsp.editor import Editor
from tests.daemons import LONG_S
from tests.lsp.in_process import Client, Sent, soon

SECRET = "the prompt that was recorded"


class Written:
    """A writer that keeps what it is given; `drained` counts how often it was asked to catch up."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.came = asyncio.Event()
        self.drained = 0

    def write(self, data: bytes) -> None:
        self.messages.append(json.loads(data))
        self.came.set()

    async def drain(self) -> None:
        self.drained += 1

    def close(self) -> None:
        pass

    def answers(self, name: Any) -> list[dict[str, Any]]:
        return [message for message in self.messages if "method" not in message and message["id"] == name]

    @property
    def popped_up(self) -> list[str]:
        return [
            message["params"]["message"] for message in self.messages if message.get("method") == "window/showMessage"
        ]


class Stock:
    """A server as pygls makes it, with a client that sends everything at once and leaves."""

    def __init__(self) -> None:
        self.server = LanguageServer("stock", "1")
        self.protocol: LanguageServerProtocol = self.server.protocol
        self.writer = Written()
        self.protocol.set_writer(self.writer, include_headers=False)

    async def run(self, *sent: dict[str, Any] | bytes) -> None:
        reader = asyncio.StreamReader()
        for each in sent:
            reader.feed_data(each if isinstance(each, bytes) else encode({"jsonrpc": "2.0", **each}))
        reader.feed_eof()
        handler = self.server.report_server_error
        await run_async(threading.Event(), reader, self.protocol, logging.getLogger("pygls"), handler)


@pytest.fixture
def stock() -> Stock:
    return Stock()


INITIALIZE: dict[str, Any] = {
    "id": "init", "method": "initialize", "params": {"processId": None, "rootUri": None, "capabilities": {}},
}  # fmt: skip


def request(name: Any, method: str, params: Any = None) -> dict[str, Any]:
    return {"id": name, "method": method, "params": params}


# -- faults of pygls that we work around


async def test_two_clients_of_a_server_share_one_writer(stock: Stock) -> None:
    # So each of ours has a server of its own.
    go_on = asyncio.Event()

    @stock.server.feature("x/wait")
    async def wait(_: Any) -> str:
        await go_on.wait()
        return "for the first client"

    await stock.run(request(1, "x/wait"))
    second = Written()
    stock.protocol.set_writer(second, include_headers=False)  # as `start_tcp` does for each that comes
    go_on.set()
    await soon(second.came.wait())
    assert (stock.writer.answers(1), len(second.answers(1))) == ([], 1)


async def test_the_exit_of_a_client_is_the_end_of_the_process(stock: Stock) -> None:
    with pytest.raises(SystemExit):
        await stock.run(INITIALIZE, {"method": "exit"})


async def test_a_payload_that_looks_like_a_message_is_taken_for_one(stock: Stock) -> None:
    got: list[Any] = []

    @stock.server.feature("x/echo")
    def echo(params: Any) -> None:
        got.append(params)

    await stock.run(request(1, "x/echo", {"recorded": {"jsonrpc": "2.0", "id": 5, "method": "tools/call"}}))
    assert got == []
    assert stock.writer.answers(1) == []


async def test_parameters_that_do_not_fit_are_not_answered_but_pop_up(stock: Stock) -> None:
    stock.server.feature("textDocument/hover")(lambda _: None)
    await stock.run(INITIALIZE, request(1, "textDocument/hover", {"textDocument": 5}))
    assert stock.writer.answers(1) == []
    assert len(stock.writer.popped_up) == 1


async def test_a_request_after_shutdown_is_not_answered(stock: Stock) -> None:
    stock.server.feature("x/ask")(lambda _: None)
    await stock.run(INITIALIZE, request(1, "shutdown"), request(2, "x/ask"))
    assert len(stock.writer.answers(1)) == 1
    assert stock.writer.answers(2) == []


async def test_a_request_before_initialize_is_answered_as_any_other(stock: Stock) -> None:
    stock.server.feature("x/ask")(lambda _: "an answer")
    await stock.run(request(1, "x/ask"))
    assert [answer["result"] for answer in stock.writer.answers(1)] == ["an answer"]


async def test_a_cancellation_is_not_seen_before_the_request_has_run(stock: Stock) -> None:
    ran: list[int] = []

    @stock.server.feature("x/run")
    def run(_: Any) -> None:
        ran.append(1)

    await stock.run(request(1, "x/run"), request(2, "x/run"), {"method": "$/cancelRequest", "params": {"id": 2}})
    assert len(ran) == 2
    assert "result" in stock.writer.answers(2)[0]


async def test_an_id_that_is_in_use_takes_the_place_of_the_request_that_has_it(stock: Stock) -> None:
    @stock.server.feature("x/wait")
    async def wait(_: Any) -> None:
        await asyncio.Event().wait()

    await stock.run(request(1, "x/wait"))
    first = stock.protocol._request_futures[1]
    await stock.run(request(1, "x/wait"))
    second = stock.protocol._request_futures[1]
    assert first is not second
    assert stock.writer.answers(1) == []
    for future in (first, second):
        future.cancel()
    await asyncio.sleep(0)


async def test_a_client_that_does_not_read_is_never_waited_for(stock: Stock) -> None:
    stock.server.feature("x/much")(lambda _: "x" * (1 << 20))
    await stock.run(*(request(number, "x/much") for number in range(20)))
    assert (len(stock.writer.messages), stock.writer.drained) == (20, 0)


def test_servers_that_are_gone_are_kept() -> None:
    protocol = LanguageServer("stock", "1").protocol
    gone = weakref.ref(protocol)
    protocol.get_message_type("textDocument/hover")
    del protocol
    gc.collect()
    assert gone() is not None
    LanguageServerProtocol.get_message_type.cache_clear()
    gc.collect()
    assert gone() is None


def test_clients_of_ours_that_are_gone_are_not_kept() -> None:
    protocol = _dispatch()
    gone = weakref.ref(protocol)
    assert protocol.get_message_type("textDocument/hover") is lsp.HoverRequest
    assert protocol.get_result_type("textDocument/hover") is lsp.HoverResponse
    assert (protocol.get_message_type("x/unheardOf"), protocol.get_result_type("x/unheardOf")) == (None, None)
    del protocol
    gc.collect()
    assert gone() is None


def test_every_server_makes_a_converter_of_its_own() -> None:
    made: list[Converter] = []

    def make() -> Converter:
        made.append(_converter())
        return made[-1]

    for _ in range(2):
        assert LanguageServer("x", "1", converter_factory=make).protocol._converter is made[-1]
    assert len(made) == 2


def test_parameters_without_a_type_lose_their_keys(stock: Stock) -> None:
    message = {"jsonrpc": "2.0", **request(1, "x/ask", {"from": 1, "a-b": 2, "type_name": "Kept", "plain": 3})}
    params = stock.protocol.structure_message(message).params
    assert not isinstance(params, dict)
    assert {"from", "a-b", "type_name"}.isdisjoint(params._fields)


async def test_a_command_whose_parameters_have_defaults_cannot_be_called_without_them(stock: Stock) -> None:
    @stock.server.command("x.do")
    def do(run: str, call: str = "last") -> None:
        raise AssertionError(run, call)

    await stock.run(INITIALIZE, request(1, "workspace/executeCommand", {"command": "x.do", "arguments": ["run1"]}))
    assert stock.writer.answers(1)[0]["error"]["code"] == -32602


async def test_an_answer_that_nobody_waits_for_any_more_is_a_fault(stock: Stock) -> None:
    stock.protocol.send_request("x/ask", msg_id="a").cancel()
    message = stock.protocol.structure_message({"jsonrpc": "2.0", "id": "a", "result": None})
    with pytest.raises(InvalidStateError):
        stock.protocol.handle_message(message)


async def test_an_error_tells_the_client_what_was_in_it(stock: Stock) -> None:
    @stock.server.feature("x/broken")
    def broken(_: Any) -> None:
        raise ValueError(SECRET)

    await stock.run(request(1, "x/broken"), {"method": "x/broken", "params": None})
    (answer,) = stock.writer.answers(1)
    assert SECRET in answer["error"]["message"]
    assert "in broken" in "".join(answer["error"]["data"]["traceback"])
    # Nobody asked for what a notification does, and still it pops up.
    assert [SECRET in text for text in stock.writer.popped_up] == [True]


async def test_whatever_is_sent_is_logged(stock: Stock, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="pygls")
    stock.server.feature("x/ask")(lambda _: SECRET)
    await stock.run(request(1, "x/ask"))
    assert SECRET in caplog.text


async def test_a_header_in_small_letters_is_not_read(stock: Stock) -> None:
    stock.server.feature("x/ask")(lambda _: None)
    framed = encode({"jsonrpc": "2.0", **request(1, "x/ask")})
    await stock.run(framed)
    assert len(stock.writer.answers(1)) == 1
    await stock.run(framed.replace(b"Content-Length", b"content-length"))
    assert len(stock.writer.answers(1)) == 1


async def test_what_one_client_has_sent_is_all_done_before_anybody_else_has_a_turn(stock: Stock) -> None:
    others: list[int] = []

    async def other() -> None:
        others.append(len(stock.writer.messages))

    stock.server.feature("x/ask")(lambda _: None)
    task = asyncio.create_task(other())
    await stock.run(*(request(number, "x/ask") for number in range(50)))
    await task
    assert others == [50]


def test_progress_that_has_ended_is_kept(stock: Stock) -> None:
    shown = stock.server.work_done_progress
    shown.begin("token", lsp.WorkDoneProgressBegin("a title"))
    shown.end("token", lsp.WorkDoneProgressEnd())
    assert "token" in shown.tokens


@pytest.mark.parametrize("character", "\f\v\x1c\x85\u2028")
def test_characters_that_end_no_line_in_lsp_end_one(character: str) -> None:
    text = f"a{character}b\nc"
    assert len(TextDocument("file:///a.py", text).lines) == 3
    assert len(Document.opened("file:///a.py", 1, text).lines) == 2


@pytest.mark.parametrize(
    "said",
    [
        {"capabilities": {"textDocument": {"hover": {"contentFormat": ["html-2030"]}}}},
        {"capabilities": {"workspace": {"workspaceEdit": {"failureHandling": "shrug"}}}},
        {"capabilities": {}, "trace": "loudly"},
    ],
)
def test_one_unknown_value_refuses_a_whole_introduction(stock: Stock, said: dict[str, Any]) -> None:
    message = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {**INITIALIZE["params"], **said}}
    with pytest.raises(JsonRpcInvalidParams):
        stock.protocol.structure_message(message)


def test_one_odd_diagnostic_of_another_server_refuses_a_code_action(stock: Stock) -> None:
    at = {"line": 0, "character": 0}
    where = {"textDocument": {"uri": "file:///a.py"}, "range": {"start": at, "end": at}}
    params = {**where, "context": {"diagnostics": [{"range": {"start": at, "end": at}, "message": None, "tags": [9]}]}}
    with pytest.raises(JsonRpcException):
        stock.protocol.structure_message({"jsonrpc": "2.0", **request(1, "textDocument/codeAction", params)})


async def test_a_handler_in_a_thread_is_answered_from_that_thread(stock: Stock) -> None:
    # A writer of asyncio's is for its loop's thread only. None of ours runs in one: what takes long is awaited.
    wrote: list[int] = []
    go_on = threading.Event()

    @stock.server.feature("x/slow")
    @stock.server.thread()
    def slow(_: Any) -> None:
        go_on.wait(LONG_S)

    real = stock.writer.write

    def write(data: bytes) -> None:
        wrote.append(threading.get_ident())
        loop.call_soon_threadsafe(real, data)

    loop = asyncio.get_running_loop()
    stock.writer.write = write  # type: ignore[method-assign]  # to see by whom it is called
    await stock.run(request(1, "x/slow"))
    go_on.set()
    await soon(stock.writer.came.wait())
    assert wrote != []
    assert threading.get_ident() not in wrote
    stock.server.shutdown()  # type: ignore[no-untyped-call]  # pygls'


async def test_what_ours_does_in_a_thread_is_answered_from_the_loop(client: Client) -> None:
    wrote: list[int] = []
    real = client.sent.write

    def write(framed: bytes) -> None:
        wrote.append(threading.get_ident())
        real(framed)

    async def slow(_: Any) -> int:
        return await asyncio.to_thread(threading.get_ident)

    client.sent.write = write  # type: ignore[method-assign]  # to see by whom it is called
    client.feature("x/slow", slow)
    await client.begin()
    answer = await client.ask("x/slow")
    assert answer["result"] != threading.get_ident()
    assert set(wrote) == {threading.get_ident()}


async def test_an_editor_whose_process_is_gone_is_served_on(stock: Stock) -> None:
    stock.server.feature("x/ask")(lambda _: None)
    params = {**INITIALIZE["params"], "processId": 2**22 + 1}  # there can be no such process
    await stock.run({**INITIALIZE, "params": params}, request(1, "x/ask"))
    assert len(stock.writer.answers(1)) == 1


async def test_standard_input_is_read_by_a_thread_of_those_that_handlers_run_in() -> None:
    read: list[int] = []

    class Input(io.BytesIO):
        def readline(self, size: int | None = -1, /) -> bytes:
            read.append(threading.get_ident())
            return super().readline(size)

    server = LanguageServer("stock", "1")
    assert await StdinAsyncReader(Input(b"a\n"), server.thread_pool).readline() == b"a\n"
    assert threading.get_ident() not in read
    server.shutdown()  # type: ignore[no-untyped-call]  # pygls'


FACTS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "clients of one server share a writer": (
        ("test_two_clients_of_a_server_share_one_writer",),
        ("test_dispatch.py::test_when_one_client_leaves_the_others_stay",),
    ),
    "exit ends the process": (
        ("test_the_exit_of_a_client_is_the_end_of_the_process",),
        ("test_dispatch.py::test_exit_ends_the_connection_in_every_state_and_nothing_else",),
    ),
    "a payload is taken for a message": (
        ("test_a_payload_that_looks_like_a_message_is_taken_for_one",),
        ("test_dispatch.py::test_a_payload_may_look_like_a_message",),
    ),
    "parameters that do not fit are not answered": (
        ("test_parameters_that_do_not_fit_are_not_answered_but_pop_up",),
        ("test_dispatch.py::test_parameters_that_do_not_fit_are_refused_without_quoting_them",),
    ),
    "requests after shutdown and before initialize": (
        ("test_a_request_after_shutdown_is_not_answered", "test_a_request_before_initialize_is_answered_as_any_other"),
        (
            "test_dispatch.py::test_nothing_is_done_after_shutdown",
            "test_dispatch.py::test_nothing_is_answered_before_initialize",
        ),
    ),
    "cancellations come too late": (
        ("test_a_cancellation_is_not_seen_before_the_request_has_run",),
        ("test_inbox.py::test_a_cancellation_overtakes_the_request_that_it_cancels",),
    ),
    "handlers in threads write from there": (
        ("test_a_handler_in_a_thread_is_answered_from_that_thread",),
        ("test_pygls_contract.py::test_what_ours_does_in_a_thread_is_answered_from_the_loop",),
    ),
    "nobody waits for a client that does not read": (
        ("test_a_client_that_does_not_read_is_never_waited_for",),
        ("test_wire.py::test_a_client_that_stays_behind_is_dropped",),
    ),
    "servers that are gone are kept": (
        ("test_servers_that_are_gone_are_kept",),
        ("test_pygls_contract.py::test_clients_of_ours_that_are_gone_are_not_kept",),
    ),
    "a converter for each server": (
        ("test_every_server_makes_a_converter_of_its_own",),
        ("test_pygls_contract.py::test_all_editors_share_one_converter",),
    ),
    "untyped parameters lose keys": (
        ("test_parameters_without_a_type_lose_their_keys",),
        ("test_pygls_contract.py::test_what_may_be_anything_is_handed_on_as_it_is",),
    ),
    "parameters of commands have no defaults": (
        ("test_a_command_whose_parameters_have_defaults_cannot_be_called_without_them",),
        ("test_dispatch.py::test_arguments_of_commands_may_look_like_a_message",),
    ),
    "late answers are a fault": (
        ("test_an_answer_that_nobody_waits_for_any_more_is_a_fault",),
        ("test_dispatch.py::test_answers_that_nobody_waits_for_are_let_be",),
    ),
    "errors and logs tell what was in it": (
        ("test_an_error_tells_the_client_what_was_in_it", "test_whatever_is_sent_is_logged"),
        (
            "test_dispatch.py::test_a_handler_that_raises_is_named_and_nothing_that_it_knew",
            "test_dispatch.py::test_what_was_said_is_not_logged",
        ),
    ),
    "headers have one spelling": (
        ("test_a_header_in_small_letters_is_not_read",),
        ("test_wire.py::test_a_header_is_read_however_it_is_written",),
    ),
    "nobody looks after the editor's process": (
        ("test_an_editor_whose_process_is_gone_is_served_on",),
        ("test_session.py::test_the_forwarder_ends_with_its_editor_even_if_somebody_else_holds_the_pipe",),
    ),
    "standard input is read by threads": (
        ("test_standard_input_is_read_by_a_thread_of_those_that_handlers_run_in",),
        ("test_no_daemon.py::test_the_server_runs_without_a_daemon_and_finds_what_was_recorded",),
    ),
    "a busy client lets nobody have a turn": (
        ("test_what_one_client_has_sent_is_all_done_before_anybody_else_has_a_turn",),
        (
            "test_inbox.py::test_others_have_their_turn_while_a_flood_is_read",
            "test_dispatch.py::test_one_message_is_acted_on_at_a_turn",
        ),
    ),
}
"""What pygls does, by which test that is seen, and which (`FILE::TEST`) shows that ours does better."""


def test_every_fact_has_its_tests() -> None:
    folder = Path(__file__).parent
    for theirs, ours in FACTS.values():
        for named in (*(f"{Path(__file__).name}::{test}" for test in theirs), *ours):
            file, _, test = named.partition("::")
            assert re.search(rf"def {test}\(", (folder / file).read_text("utf-8")), named


# -- what we use of pygls


def _converter() -> Converter:
    made: Converter = default_converter()  # type: ignore[no-untyped-call]  # pygls'
    return made


def _dispatch() -> Dispatch:
    """Our protocol on a server of pygls', for what needs no editor."""
    server = LanguageServer("ours", "1", protocol_cls=Dispatch, converter_factory=_converter)
    protocol = server.protocol
    assert isinstance(protocol, Dispatch)
    return protocol


@pytest.fixture
async def client(home: str) -> AsyncIterator[Client]:  # noqa: ARG001 - the core lives there
    core = await open_core()
    made = Client(core)
    yield made
    await made.editor.close()
    await core.close()


def test_a_server_makes_its_protocol_of_the_class_and_the_converter_that_it_is_given() -> None:
    converter = _converter()

    class Own(LanguageServerProtocol):
        pass

    server = LanguageServer(
        "name",
        "version",
        text_document_sync_kind=lsp.TextDocumentSyncKind.Incremental,
        protocol_cls=Own,
        converter_factory=lambda: converter,
    )
    protocol = server.protocol
    assert type(protocol) is Own
    assert protocol._converter is converter
    assert protocol._server is server
    assert (protocol.server_info.name, protocol.server_info.version) == ("name", "version")


def test_all_editors_share_one_converter(client: Client) -> None:
    assert client.protocol._converter is Editor(client.editor.core, None).protocol._converter


def test_a_protocol_is_neither_introduced_nor_shut_down_to_begin_with() -> None:
    for protocol in (Stock().protocol, _dispatch()):
        assert protocol._workspace is None
        assert protocol._shutdown is False


def test_initialize_is_a_generator_that_gives_what_is_offered(stock: Stock) -> None:
    stock.server.feature("textDocument/codeLens", lsp.CodeLensOptions())(lambda _: None)
    stock.server.command("x.do")(lambda _: None)
    params = lsp.InitializeParams(lsp.ClientCapabilities())
    steps = stock.protocol.lsp_initialize(params)
    assert inspect.isgenerator(steps)
    with pytest.raises(StopIteration) as ended:
        next(steps)
    result = ended.value.value
    assert isinstance(result, lsp.InitializeResult)
    assert result.capabilities.code_lens_provider == lsp.CodeLensOptions(resolve_provider=False)
    assert result.capabilities.execute_command_provider == lsp.ExecuteCommandOptions(commands=["x.do"])
    assert result.capabilities.definition_provider is None
    # These two are ours to fill in.
    result.capabilities.position_encoding = lsp.PositionEncodingKind.Utf8
    result.capabilities.experimental = {"ao": {}}
    assert stock.protocol._workspace is not None


def test_initialize_first_yields_the_handler_of_a_user(stock: Stock) -> None:
    def handler(_: Any) -> None:
        pass

    stock.server.feature("initialize")(handler)
    params = lsp.InitializeParams(lsp.ClientCapabilities())
    assert next(stock.protocol.lsp_initialize(params)) == (handler, (params,), None)


async def test_what_generators_of_pygls_yield_is_run(client: Client) -> None:
    ran: list[str] = []

    async def later(_: Any) -> None:
        await asyncio.sleep(0)
        ran.append("initialized")

    def at_once(params: Any) -> None:
        ran.append(params.value)

    del client.editor.protocol.fm.features["initialized"]  # ours, in place of which this one is
    client.feature("initialized", later)
    client.feature("$/setTrace", at_once)
    await client.begin()
    await client.ask("ao/runs", {})
    client.send("$/setTrace", {"value": "verbose"})
    await client.ask("ao/runs", {})
    assert ran == ["initialized", "verbose"]


def test_methods_that_are_marked_are_built_in_and_the_last_class_wins() -> None:
    class Own(LanguageServerProtocol):
        @lsp_method("x/own")
        def own(self, _: Any) -> None: ...

        @lsp_method("shutdown")
        def lsp_shutdown(self, *_: Any) -> None: ...  # type: ignore[override]  # pygls': a generator

        def lsp_exit(self, *_: Any) -> None: ...  # type: ignore[override]  # as above

    protocol = LanguageServer("x", "1", protocol_cls=Own).protocol
    built_in = protocol.fm.builtin_features
    assert built_in["x/own"] == protocol.own  # type: ignore[attr-defined]  # `Own`'s
    assert built_in["shutdown"] == protocol.lsp_shutdown
    # What is overridden without being marked again is in no table: that method would be unknown.
    assert "exit" not in built_in


def test_every_built_in_that_touches_documents_or_the_process_is_ours() -> None:
    built_in = _dispatch().fm.builtin_features
    theirs = {method for method, handler in built_in.items() if handler.__func__.__module__ != Dispatch.__module__}
    assert theirs == {
        "initialized", "$/setTrace", "workspace/didChangeWorkspaceFolders",
        "notebookDocument/didOpen", "notebookDocument/didChange", "notebookDocument/didClose",
    }  # fmt: skip


async def test_features_of_a_server_are_in_its_table(stock: Stock) -> None:
    async def with_server(ls: LanguageServer, params: Any) -> Any:
        return ls, params

    async def without(params: Any) -> Any:
        return params

    stock.server.feature("x/with")(with_server)
    stock.server.feature("x/without")(without)
    assert set(stock.protocol.fm.features) == {"x/with", "x/without"}
    # One whose first parameter is called `ls` is given the server.
    assert await stock.protocol.fm.features["x/with"](5) == (stock.server, 5)
    assert await stock.protocol.fm.features["x/without"](5) == 5


def test_the_converter_reads_and_writes_the_json_of_lsp() -> None:
    converter = _converter()
    plain = {"textDocument": {"uri": "file:///a.py"}, "position": {"line": 1, "character": 2}}
    params = converter.structure(plain, lsp.HoverParams)
    assert params == lsp.HoverParams(lsp.TextDocumentIdentifier("file:///a.py"), lsp.Position(1, 2))
    assert converter.unstructure(params) == plain
    assert converter.unstructure([lsp.Position(1, 2)]) == [{"line": 1, "character": 2}]
    assert converter.unstructure(lsp.MessageType.Error) == 1
    for same in (None, 5, "text", [1, {"a": None}]):
        assert converter.unstructure(same) == same
    odd: list[Any] = [None, [], "text", {"textDocument": 5}, {**plain, "position": {"line": -1, "character": 0}}]
    for each in odd:
        with pytest.raises(Exception):  # noqa: B017, PT011 - whatever it is, it is caught
            converter.structure(each, lsp.HoverParams)


def test_what_may_be_anything_is_handed_on_as_it_is() -> None:
    inner = {"from": 1, "jsonrpc": "2.0", "nested": [{"a-b": None}]}
    params = _converter().structure({"command": "ao.edit", "arguments": [inner]}, lsp.ExecuteCommandParams)
    assert list(params.arguments or ()) == [inner]


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("textDocument/hover", lsp.HoverParams),
        ("textDocument/didChange", lsp.DidChangeTextDocumentParams),
        ("initialize", lsp.InitializeParams),
        ("shutdown", None),
    ],
)
def test_the_third_of_the_types_of_a_method_is_that_of_its_parameters(method: str, params: Any) -> None:
    assert lsp.METHOD_TO_TYPES[method][2] is params


def test_our_own_methods_have_no_types() -> None:
    for method in ("ao/graph", "ao/runs", "ao/call", "$/ao/graphDidChange"):
        assert method not in lsp.METHOD_TO_TYPES


A_TEXT = lsp.LogMessageParams(lsp.MessageType.Log, "a text")
A_QUESTION = lsp.ShowMessageRequestParams(lsp.MessageType.Log, "a text")


@pytest.mark.parametrize(
    "send",
    [
        lambda server: server.protocol.notify("window/logMessage", A_TEXT),
        lambda server: server.window_log_message(A_TEXT),
        lambda server: server.protocol.send_request("window/showMessageRequest", A_QUESTION),
        lambda server: server.protocol._send_response(1, A_TEXT),
        lambda server: server.protocol._send_response(1, error=JsonRpcInternalError("a text").to_response_error()),
    ],
    ids=["notification", "helper", "request", "answer", "error"],
)
def test_whatever_pygls_sends_goes_our_way(send: Callable[[LanguageServer], Any]) -> None:
    protocol = _dispatch()
    protocol.out = sent = Sent()
    send(protocol._server)
    (message,) = sent.messages
    assert message["jsonrpc"] == "2.0"
    assert "a text" in json.dumps(message)


def test_an_error_of_pygls_has_a_code_and_a_message() -> None:
    error = JsonRpcInvalidParams("not like that")
    assert isinstance(error, JsonRpcException)
    assert (error.code, error.message) == (-32602, "not like that")
