"""What a buffer's diagnostics say: calls that failed, crashes, outputs that reached nothing, and recordings of other
code. Of each program only its last run counts: an old failure is no news."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from lsprotocol.types import DiagnosticSeverity as Severity

from ao_lsp.server.lsp.buffers.syntax import Syntax, syntax_of
from ao_lsp.server.lsp.buffers.tokens import Position
from ao_lsp.server.lsp.recorded import words
from ao_lsp.server.lsp.recorded.attached import Attached
from ao_lsp.server.lsp.recorded.places import Place
from ao_lsp.server.lsp.recorded.recordings import Record, program
from ao_lsp.server.model import Call, Run, Site
from ao_lsp.server.render import labels
from ao_lsp.server.views import status_of

FAILED, CRASH, UNUSED, STALE = "failed-call", "crash", "unused-output", "stale-recording"
KINDS = (FAILED, CRASH, UNUSED, STALE)

_MESSAGE = 300
"""Characters of an error that are shown."""
_MOST_RELATED = 8

# What a call leaves behind at the provider: a conversation, a cached prompt. Its output need not be used for that.
_LEAVES_SOMETHING = re.compile(r"\b(conversation|background|cache_control|store)\b")


@dataclass(frozen=True, slots=True)
class Related:
    """Something elsewhere that a finding is about: a line (from 0) of a file."""

    file: str
    line: int
    text: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One diagnostic, in code points."""

    kind: str
    severity: Severity
    start: Position
    end: Position
    message: str
    related: tuple[Related, ...] = ()


@dataclass(frozen=True, slots=True)
class Crash:
    """A run, or subrun, that an error has ended, with its calls where they have been read."""

    run: Run
    calls: Sequence[Call]


def findings(attached: Attached, last: Sequence[Run], crashes: Iterable[Crash], kinds: Iterable[str]) -> list[Finding]:
    """What there is to say of a buffer, in its order. `last` are the last runs of all programs that have ended;
    `kinds` are those of KINDS that the user wants."""
    wanted = set(kinds)
    found: list[Finding] = []
    same: dict[int, bool] = {}
    crashed: set[int] = set()
    if CRASH in wanted:
        found += _crashes(attached, crashes)
        crashed = {one.start[0] for one in found}
    for place in attached.places:
        if place.record is None or not place.calls:
            continue
        changed = _changed(attached, place, same) if wanted & {STALE, UNUSED} else None
        told = crashed.intersection(range(place.extent.line, place.extent.end_line + 1))
        if FAILED in wanted and not told and not _superseded(place.record.run, last):
            found += _failed(attached, place, place.record.run)
        if UNUSED in wanted and changed == "" and _is_unused(attached, place, place.record):
            said = f"nothing uses the output of {_which(place.calls)}"
            found.append(Finding(UNUSED, Severity.Hint, *_head(attached, place), said))
        if STALE in wanted and changed:
            said = f"{changed} has changed since {_which(place.calls)} was recorded"
            found.append(Finding(STALE, Severity.Hint, *_head(attached, place), said))
    return sorted(found, key=lambda one: (one.start, one.severity))


def _head(attached: Attached, place: Place) -> tuple[Position, Position]:
    """Of a call over several lines only the first is underlined."""
    extent = place.extent
    if extent.line == extent.end_line:
        return extent.start, extent.end
    return extent.start, (extent.line, len(attached.document.line(extent.line).rstrip()))


def _which(calls: Sequence[Call]) -> str:
    if len(calls) == 1:
        return words.call_name(calls[0])
    return f"{words.counted(len(calls), 'call')} ({labels.function(calls[-1])})"


# -- calls that failed


def _superseded(run: Run, last: Iterable[Run]) -> bool:
    """Whether the same program has been run again since, and has ended."""
    return any(program(one) == program(run) and one.started > run.started for one in last)


def _failed(attached: Attached, place: Place, run: Run) -> Iterator[Finding]:
    failed = [call for call in place.calls if status_of(call, run) == "error"]
    if not failed:
        return
    answered = [call for call in place.calls if call.status == "ok"]
    again = {call.id: _asked_again(call, answered) for call in failed}
    for mended, group in groupby(
        sorted(failed, key=lambda one: again[one.id] is not None), lambda one: again[one.id] is not None
    ):
        calls = list(group)
        call = calls[-1]
        more = f"; so did {len(calls) - 1} more of the {len(place.calls)} calls here" if len(calls) > 1 else ""
        said = f"{words.call_name(call)} failed: {_error(call)}"
        if (answer := again[call.id]) is not None:
            said += f" – asked again, it was answered (call {answer.number})"
        severity = Severity.Warning if mended else Severity.Error
        yield Finding(FAILED, severity, *_head(attached, place), said + more)


def _asked_again(call: Call, answered: Iterable[Call]) -> Call | None:
    """The later call that got an answer to the same request."""
    return next((one for one in answered if one.number > call.number and one.request_hash == call.request_hash), None)


def _error(call: Call) -> str:
    return words.shortened(
        f"{call.error.type}: {call.error.message}" if call.error else "it was not answered", _MESSAGE
    )


# -- crashes


def _crashes(attached: Attached, crashes: Iterable[Crash]) -> Iterator[Finding]:
    seen: set[tuple[object, ...]] = set()
    for crash in crashes:
        error = crash.run.error
        if error is None or error.file is None or error.line is None or error.file not in attached.names:
            continue
        # An error that ends a subrun and then the run around it is one error.
        key = (crash.run.root or crash.run.id, error.type, error.message, error.file, error.line)
        line = _line_now(attached, crash.run, error.file, error.line - 1, unedited=True)
        if key in seen or line is None:
            continue
        seen.add(key)
        text = attached.document.line(line)
        start, end = len(text) - len(text.lstrip()), len(text.rstrip())
        name = labels.clean(crash.run.name)
        said = f"{name} failed here: {words.shortened(f'{error.type}: {error.message}'.rstrip(': '), _MESSAGE)}"
        yield Finding(CRASH, Severity.Error, (line, start), (line, end), said, _related(attached, crash))


def _related(attached: Attached, crash: Crash) -> tuple[Related, ...]:
    """The calls whose outputs the error was about, or else the last one before it; and how the program came there."""
    error = crash.run.error
    assert error is not None  # noqa: S101 - it is a crash
    involved = [call for call in crash.calls if call.id in error.calls]
    found = [(call, "over the output of {}") for call in involved] or [
        (call, "the last call before it: {}") for call in crash.calls[-1:]
    ]
    related = []
    for call, how in found:
        if call.site is not None:
            said = f": {words.shortened(call.preview, 60)}" if call.preview and call.status == "ok" else ""
            related.append(_at(attached, crash.run, call.site, how.format(words.call_name(call)) + said))
    related += [
        _at(attached, crash.run, frame, f"called by {labels.clean(frame.function)}") for frame in error.frames[1:]
    ]
    return tuple(related[:_MOST_RELATED])


def _at(attached: Attached, run: Run, site: Site, text: str) -> Related:
    line = None
    if site.file in attached.names:
        line = _line_now(attached, run, site.file, site.line - 1)
    return Related(site.file, site.line - 1 if line is None else line, text)


def _line_now(attached: Attached, run: Run, file: str, line: int, unedited: bool = False) -> int | None:
    """Where a line (from 0) of the source that the run had is in the buffer; None where it is gone, or nobody can tell.
    `unedited`: only where it says what it said."""
    trail = attached.follower.trail(file, run)
    source = attached.follower.source(file, run)
    if trail is None or source is None or not 0 <= line < len(source):
        return None
    now = trail.line(line)
    if now is not None and unedited and source[line].strip() != attached.document.line(now).strip():
        return None
    return now


# -- recordings of other code, and outputs that nothing used


def _changed(attached: Attached, place: Place, same: dict[int, bool]) -> str | None:
    """What of the code that a call was made by is not as it was; "" where all is, None where nobody knows. `same` keeps
    which sources (by id) the buffer says."""
    record, spot = place.record, place.spot
    if record is None or spot is None:
        return None
    source = attached.follower.source(spot.file, record.run)
    if source is None:
        return None
    lines = attached.document.lines
    if id(source) not in same:
        same[id(source)] = source == lines
    if same[id(source)]:
        return ""
    old, new = syntax_of(source), syntax_of(lines)
    was, now = old.around(spot.line - 1), new.around(place.extent.line)
    if was is None or now is None:
        if was is not now:
            return "the code around this call"
        # Of a module's own code, only the call itself: the rest is everything.
        before = "\n".join(source[spot.line - 1 : spot.end_line or spot.line])
        after = "\n".join(lines[place.extent.line : place.extent.end_line + 1])
        said = "" if before.split() == after.split() else "this call"
        return said or _constants(old, new, after)
    return f"`{now.name}`" if was.text != now.text else _constants(old, new, now.text)


def _constants(old: Syntax, new: Syntax, text: str) -> str:
    """The first constant of the module that `text` names, and that is not what it was."""
    for name, value in old.constants.items():
        if new.constants.get(name) != value and re.search(rf"\b{re.escape(name)}\b", text):
            return f"`{name}`"
    return ""


def _is_unused(attached: Attached, place: Place, record: Record) -> bool:
    """Whether nothing can have used what the calls of a place gave: the run went through, no output went into another
    call, and the code has no way to it. What is only not known to be used is not told."""
    run, extent = record.run, place.extent
    if run.status != "finished" or any(call.status != "ok" or call.site != place.spot for call in place.calls):
        return False
    if not any(site.start == extent.start and site.head_line == extent.head_line for site in attached.document.sites):
        return False  # of other functions nobody knows what else they do
    ours = {call.id for call in place.calls}
    if any(edge.source in ours for edge in record.graph.edges):
        return False
    if (extent.start, extent.end) not in syntax_of(attached.document.lines).discarded:
        return False
    asked = "\n".join(attached.document.line(number) for number in range(extent.line, extent.end_line + 1))
    return not _LEAVES_SOMETHING.search(asked)
