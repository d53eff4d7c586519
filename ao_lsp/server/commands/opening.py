"""`ao.content`, `ao.openPrompt` and what else can be read: recorded things as texts (`server/content`)."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Literal, cast

from ao_lsp.server import command, editor_files, providers, refs
from ao_lsp.server.command import Caller, Command
from ao_lsp.server.commands import comparing, output, reading, versions
from ao_lsp.server.content import address as addresses
from ao_lsp.server.content import texts
from ao_lsp.server.content.address import Address
from ao_lsp.server.core import Core
from ao_lsp.server.model import Call
from ao_lsp.server.params import CommandError, param
from ao_lsp.server.results.calls import RawCallJson, WholeCallJson
from ao_lsp.server.results.opening import (
    ContentJson,
    OpenedCallJson,
    OpenedDrawingJson,
    OpenedGraphJson,
    OpenedJson,
    OpenedRawCallJson,
)
from ao_lsp.server.results.runs import DrawingJson, GraphJson
from ao_lsp.server.views import Json

_LOG_BYTES = 1 << 20
"""Of a log, so much of its end is shown: editors are slow with more."""

_OPEN = "show it in the editor, too; elsewhere: write it to a read-only file"

_AMONG = "several calls by their ids: an editor asks its user which of them is meant"

_HERE = "any call that was made at the same place is meant: an editor asks its user which"


@dataclass(frozen=True, slots=True)
class Content:
    """A text to read. `live`: it may change yet, `gone`: what it told of is not there any more."""

    address: Address
    text: str
    live: bool = False
    gone: bool = False

    def as_json(self) -> ContentJson:
        return {
            "uri": self.address.uri,
            "language": self.address.language,
            "text": self.text,
            "live": self.live,
            "gone": self.gone,
        }


@dataclass(frozen=True, slots=True)
class GraphParams(reading.GraphParams):
    open: bool = param(_OPEN, False)


@dataclass(frozen=True, slots=True)
class CallParams(reading.CallParams):
    open: bool = param(_OPEN, False)


@dataclass(frozen=True, slots=True)
class ContentParams:
    uri: str = param("the address of a text: `ao:///…`")


@dataclass(frozen=True, slots=True)
class ChosenParams:
    call: str | int = param(command.CALL)
    run: str = param(command.RUN, "last")
    among: list[str] | None = param(_AMONG, None)  # noqa: RUF009 - a field, as the others
    here: bool = param(_HERE, False)


@dataclass(frozen=True, slots=True)
class OpenPartParams(ChosenParams):
    format: Literal["text", "json"] = param("text: what was said; json: the whole request or response", "text")


@dataclass(frozen=True, slots=True)
class OpenLogParams:
    run: str = param(command.RUN, "last")


@dataclass(frozen=True, slots=True)
class OpenDiffParams:
    a: str | None = param("the run to compare with; null: the one that `b` is a rerun of", None)
    b: str = param(command.RUN, "last")


@dataclass(frozen=True, slots=True)
class OpenCodeParams(versions.ShowParams):
    file: str = param("which file, as it is called in the project, or its path")
    line: int | None = param("the line to show, from 1", None)


async def content(core: Core, caller: Caller, address: Address) -> Content:
    """The text under an address. Of what is not there any more, it says so.

    Raises:
        CommandError: it cannot be read.
        StoreError: the database fails.
    """
    try:
        return await _content(core, caller, address)
    except CommandError as error:
        if error.code not in ("not_found", "conflict"):
            raise
        return Content(address, f"This is not there any more: {error}.\n", gone=True)


async def _content(core: Core, caller: Caller, address: Address) -> Content:
    run = address.run
    if address.part == "log":
        return await _log(core, caller, address)
    if address.part == "code":
        found = await versions.SHOW.run(core, caller, {"version": run, "file": address.name})
        return Content(address, found["text"] if found["text"] is not None else f"[{found['bytes']} bytes, no text]\n")
    for one in address.runs:  # by ids: a name would be another run by and by
        if await core.store.run(one) is None:
            raise CommandError("not_found", f"run {one} was deleted, or never was")
    if address.part == "graph":
        ending = address.name.rpartition(".")[2]
        form = next(form for form, one in addresses.GRAPH_ENDINGS.items() if one == ending)
        evidence = "tracked" if ".tracked." in address.name else "all"
        asked = {"run": run, "format": form, "evidence": evidence, "subruns": ".subruns." in address.name}
        drawn = await reading.GRAPH.run(core, caller, asked)
        return Content(address, drawn["text"], live=await _going_on(core, run))
    if address.part == "diff":
        compared = await comparing.DIFF.run(core, caller, {"a": address.other, "b": run})
        text = await asyncio.to_thread(texts.diff, compared)
        return Content(address, text, live=any([await _going_on(core, one) for one in address.runs]))
    said = await reading.CALL.run(core, caller, {"run": run, "call": address.call})
    named = await core.store.run(run)
    text = await asyncio.to_thread(_of_call, address, said, named.name if named else run)
    return Content(address, text, live=said["call"]["status"] == "running")


def _of_call(address: Address, said: Json, run_name: str) -> str:
    if address.part == "call":
        return texts.call(said, run_name)
    if address.part == "prompt":
        return texts.prompt(said)
    if address.part == "output":
        return texts.output_of(said) + "\n"
    whole = said[address.part]
    return texts.body(whole["body"]) if whole is not None else texts.output_of(said) + "\n"


async def _log(core: Core, caller: Caller, address: Address) -> Content:
    path = core.reruns.log_of(address.run)
    size = await asyncio.to_thread(editor_files.size, path) if path is not None else 0
    first = max(0, size - _LOG_BYTES)
    found = await output.OUTPUT.run(core, caller, {"run": address.run, "from": first, "limit": 2 * _LOG_BYTES})
    text = await asyncio.to_thread(texts.log, found["text"], first, found["ended"])
    return Content(address, text, live=not found["ended"])


async def _going_on(core: Core, run: str) -> bool:
    found = await core.store.run(run)
    return found is not None and found.status == "running"


async def file_with(found: Content) -> str:
    """The read-only file that has a text, for who cannot open its address.

    Raises:
        CommandError: it cannot be written.
    """
    try:
        return await asyncio.to_thread(editor_files.write_view, found.address.segments, found.text)
    except OSError as error:
        message = f"{found.address.name} cannot be written: {error.strerror}"
        raise CommandError("unavailable", message, "free some disk space") from None


# -- which text is meant


async def of_part(core: Core, params: OpenPartParams, part: Literal["prompt", "output"]) -> Address:
    """The prompt or output of a call.

    Raises:
        CommandError: there is no such call.
    """
    graph = await refs.find_graph(core, params.run)
    call = refs.find_call(graph, params.call)
    if params.format == "json":
        return addresses.of_call(call, "request" if part == "prompt" else "response", "json")
    if part == "prompt":
        return addresses.of_call(call, part)
    return addresses.of_call(call, part, await _ending(core, call))


async def _ending(core: Core, call: Call) -> str:
    """Of the file with an output: an output that is JSON has the ending of JSON."""
    exchange = await core.store.exchange(call.run, call.id)
    if exchange is None or exchange.response is None:
        return "md"
    headers, body = exchange.response_headers, exchange.response
    said = await asyncio.to_thread(providers.read_response, call.endpoint, headers, body)
    return "json" if not said.tool_calls and editor_files.is_json(said.text or "") else "md"


async def of_log(core: Core, params: OpenLogParams) -> Address:
    """What a rerun printed.

    Raises:
        CommandError: nothing of it was kept.
    """
    found = await output.OUTPUT.run(core, Caller(), {"run": params.run, "limit": 4})
    return addresses.log(found["run"])


async def of_diff(core: Core, params: OpenDiffParams) -> Address:
    """What changed between two runs.

    Raises:
        CommandError: there are no such runs, or `b` is no rerun.
    """
    b = await refs.find_run(core.store, params.b)
    a = params.a
    if a is None:
        run = await core.store.run(b)
        a = run.parent_run if run is not None else None
        if a is None:
            raise CommandError("bad_params", f"run {b} is no rerun: say with which run to compare it", "ao runs")
    return addresses.diff(await refs.find_run(core.store, a), b)


async def of_code(core: Core, caller: Caller, params: OpenCodeParams) -> Address:
    """A file as it was.

    Raises:
        CommandError: there is no such version or file.
    """
    found = await versions.SHOW.run(core, caller, {"version": params.version, "file": params.file})
    return addresses.code(found["run"] or found["version"], found["file"])


# -- outside of an editor: a file


async def written(core: Core, caller: Caller, address: Address) -> OpenedJson:
    """Where a text can be read: its address, and a read-only file with it.

    Raises:
        CommandError: it cannot be read or written.
    """
    found = await content(core, caller, address)
    return {"uri": address.uri, "language": address.language, "path": await file_with(found)}


def graph_of(result: Json, params: GraphParams) -> Address:
    """The drawing of a graph that was asked for; what was asked for as JSON is drawn as text."""
    form = "text" if params.format == "json" else params.format
    run = result["run"] if params.format != "json" else result["run"]["id"]
    return addresses.graph(run, form, tracked=params.evidence == "tracked", subruns=params.subruns)


async def call_of(core: Core, result: Json) -> Address:
    """The whole call that was asked for.

    Raises:
        CommandError: it has been deleted meanwhile.
    """
    graph = await refs.find_graph(core, result["call"]["run"])
    return addresses.of_call(refs.find_call(graph, result["call"]["id"]), "call")


async def _graph(
    core: Core, caller: Caller, params: GraphParams
) -> GraphJson | DrawingJson | OpenedGraphJson | OpenedDrawingJson:
    result = cast("Json", await reading.GRAPH.handler(core, caller, params))
    if params.open:
        result |= await written(core, caller, graph_of(result, params))
    return cast("GraphJson | DrawingJson | OpenedGraphJson | OpenedDrawingJson", result)


async def _call(
    core: Core, caller: Caller, params: CallParams
) -> WholeCallJson | RawCallJson | OpenedCallJson | OpenedRawCallJson:
    result = cast("Json", await reading.CALL.handler(core, caller, params))
    if params.open:
        result |= await written(core, caller, await call_of(core, result))
    return cast("WholeCallJson | RawCallJson | OpenedCallJson | OpenedRawCallJson", result)


async def _get(core: Core, caller: Caller, params: ContentParams) -> ContentJson:
    return (await content(core, caller, address_of(params.uri))).as_json()


def address_of(uri: str) -> Address:
    """The address that a client names.

    Raises:
        CommandError: it is none.
    """
    found = addresses.parsed(uri)
    if found is None:
        raise CommandError("bad_params", f"{uri} is the address of no text", "ao.openPrompt and the like give them")
    return found


async def _open_prompt(core: Core, caller: Caller, params: OpenPartParams) -> OpenedJson:
    return await written(core, caller, await of_part(core, params, "prompt"))


async def _open_output(core: Core, caller: Caller, params: OpenPartParams) -> OpenedJson:
    return await written(core, caller, await of_part(core, params, "output"))


async def _open_log(core: Core, caller: Caller, params: OpenLogParams) -> OpenedJson:
    return await written(core, caller, await of_log(core, params))


async def _open_diff(core: Core, caller: Caller, params: OpenDiffParams) -> OpenedJson:
    return await written(core, caller, await of_diff(core, params))


async def _open_code(core: Core, caller: Caller, params: OpenCodeParams) -> OpenedJson:
    return await written(core, caller, await of_code(core, caller, params))


GRAPH = Command(reading.GRAPH.summary, GraphParams, _graph)
CALL = Command(reading.CALL.summary, CallParams, _call)
CONTENT = Command("a text to read, by its address", ContentParams, _get, since=2, errors=("conflict",))
OPEN_PROMPT = Command("open what a call was asked, to read", OpenPartParams, _open_prompt, since=2)
OPEN_OUTPUT = Command("open what a call answered, to read", OpenPartParams, _open_output, since=2)
OPEN_LOG = Command(
    "open what a rerun in the background prints, to read", OpenLogParams, _open_log, since=2, errors=("conflict",)
)
OPEN_DIFF = Command("open what changed between two runs, to read", OpenDiffParams, _open_diff, since=2)
OPEN_CODE = Command(
    "open a file as it was in a run, to read", OpenCodeParams, _open_code, since=2, errors=("conflict",)
)
