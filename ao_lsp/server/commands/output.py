"""`ao.output`: what a rerun in the background prints."""

from __future__ import annotations

import asyncio
import codecs
from dataclasses import dataclass

from ao_lsp.server import command, refs
from ao_lsp.server.command import Caller, Command
from ao_lsp.server.core import Core
from ao_lsp.server.params import CommandError, param
from ao_lsp.server.results.rerunning import PrintedJson


@dataclass(frozen=True, slots=True)
class OutputParams:
    run: str = param(command.RUN, "last")
    from_: int = param("from this byte on: 0, or `next` of the last answer", 0)
    limit: int = param("at most so many bytes", 1 << 20)


async def _output(core: Core, _: Caller, params: OutputParams) -> PrintedJson:
    if params.from_ < 0 or params.limit < _LONGEST:
        raise CommandError("bad_params", f"from must be at least 0, and limit at least {_LONGEST}")
    run, going_on = await _found(core, params.run)
    path = core.reruns.log_of(run)
    if path is None:
        raise CommandError(
            "conflict",
            f"nothing of what run {run} printed was kept",
            "only reruns in the background keep it (those of an editor, or of ao.rerun), and the newest of these",
        )
    # After the question whether it goes on: what it prints last is in the file when it does not.
    try:
        data = await asyncio.to_thread(_read, path, params.from_, params.limit + 1)
    except OSError as error:
        raise CommandError("unavailable", f"{path}: {error.strerror}") from None
    more = len(data) > params.limit
    text, taken = _decoded(data[: params.limit], whole=not (more or going_on))
    return {"run": run, "text": text, "next": params.from_ + taken, "ended": not (more or going_on)}


async def _found(core: Core, wanted: str) -> tuple[str, bool]:
    """The id of the run whose output is meant, and whether its program goes on."""
    # A rerun that was started a moment ago, or that failed before its program began, has not said a word.
    if core.reruns.running(wanted) is not None:
        return wanted, True
    run = await core.store.run(wanted)
    if run is None and core.reruns.log_of(wanted) is not None:
        return wanted, False
    run = run or await core.store.run(await refs.find_run(core.store, wanted))
    if run is None:
        raise CommandError("not_found", f"run {wanted} has just been deleted")
    whole = run.root or run.id  # subruns print where the run around them does
    if core.reruns.running(whole) is not None:
        return whole, True
    root = await core.store.run(whole)
    return whole, root is not None and root.status == "running"


def _read(path: str, start: int, size: int) -> bytes:
    with open(path, "rb") as file:
        file.seek(start)
        return file.read(size)


_LONGEST = 4
"""The bytes of the longest character in UTF-8: with fewer, an answer might have no way on."""


def _decoded(data: bytes, whole: bool) -> tuple[str, int]:
    """The text, and of how many bytes it is: the beginning of a character waits for its end, unless there is none.
    What is no UTF-8 is U+FFFD."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    text = decoder.decode(data, final=whole)
    return text, len(data) - len(decoder.getstate()[0])


OUTPUT = Command("what a rerun in the background prints, from any byte on", OutputParams, _output, errors=("conflict",))
