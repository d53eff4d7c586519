"""Subruns, tools and marks: what a program says about itself (`ao_lsp.launch`, `tool`, `log`).

A group is a part of the run that the program has named. Which one is the innermost is a context variable
(`strands.ALONG`): tasks inherit it, and threads and pools are given it (taint/strands.py).

A rerun of one subrun runs the whole program, with a plan that says which group is meant. What happens outside of
that is served from its recordings and not recorded again; what happens inside is the new run.
"""

from __future__ import annotations

import _thread
import os
import time

from ao_lsp.runner import ancestry, pools
from ao_lsp.taint import lineage, strands
from ao_lsp.taint.kept import keep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ao_lsp import Launch
    from ao_lsp.runner.recorder import Recorder

    Path = tuple[tuple[str, str, int], ...]

keep(__name__)

_NO_GROUP = "-"
_MAX_ARGUMENT = 16 << 10
"""Characters of one that we add to a command line: with a longer one than the system takes no child would start."""

MAX_TEXT = 64 << 10
"""Characters of a result, or of a note."""
MAX_MARKS = 1000
"""Of one group, so that a loop that marks each of its turns cannot fill the disk."""


class Group:
    """One subrun. `path` is the way to it from the outermost run: name, lineage, and its number among those that
    have both."""

    __slots__ = ("id", "launch", "outer", "over", "path", "process", "recorded", "token")

    def __init__(self, launch: Launch | None, outer: Group | None, path: Path, known_as: str | None = None) -> None:
        self.id = known_as or os.urandom(6).hex()
        self.launch = launch
        self.outer = outer
        self.path = path
        self.process = os.getpid() if known_as is None else 0
        """What entered it; 0: another one, which told this one so (pools.py)."""
        self.over = False
        self.recorded = False
        """As a run of its own: not what is outside of the subrun that is rerun, nor that itself."""
        self.token: Any = None


class Where:
    """Where in its run a call is: the id of its subrun (None: the run itself), the path, and whether calls there are
    recorded."""

    __slots__ = ("path", "recorded", "subrun")

    def __init__(self, subrun: str | None, path: Path, recorded: bool) -> None:
        self.subrun = subrun
        self.path = path
        self.recorded = recorded


class Groups:
    """The subruns of this process. Nothing here raises into the program."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        header = recorder.plan.header if recorder.plan is not None else {}
        self.wanted: Path | None = path_of(header.get("path")) or None
        """The path of the subrun that is rerun alone."""
        self._before = {path_of(entry.get("path")): entry for entry in header.get("subruns") or ()}
        self._numbers: dict[Any, int] = {}
        self._open: list[Group] = []
        self._inherited: dict[str, Group] = {}
        """Those that other processes have entered, by what they say of them."""
        self._counting = _thread.allocate_lock()
        self._marks = 0
        self.outcome: dict[str, Any] | None = None
        """How the subrun that is rerun ended."""
        self._begun = False

    # -- groups

    def enter(self, launch: Launch) -> None:
        """The program enters a group."""
        self.entered(launch)

    def entered(self, launch: Launch) -> Group | None:
        """The same; the group, or None where that fails."""
        try:
            self._begin()
            return self._enter(launch)
        except Exception as error:
            self.note(f"a subrun was not recorded: {error!r}")
            return None

    def _begin(self) -> None:
        if not self._begun:
            self._begun = True
            strands.along[0] = self.current
            pools.install(self)

    def _enter(self, launch: Launch) -> Group:
        outer = self.current()
        above = () if outer is None else outer.path
        name, strand = text_of(launch.name), ancestry.of_call(lineage.of_call())
        with self._counting:
            number = self._numbers[above, name, strand] = self._numbers.get((above, name, strand), 0) + 1
        group = Group(launch, outer, (*above, (name, strand, number)))
        group.recorded = self.wanted is None or (self._is_inside(group.path) and group.path != self.wanted)
        group.token = strands.ALONG.set(group)
        self._open.append(group)
        if group.recorded:
            self._recorder.post(self._start(group))
        return group

    def _start(self, group: Group) -> dict[str, Any]:
        before = self._before.get(group.path, {})
        return {
            **self._recorder.description(),
            "type": "subrun.start",
            "subrun": group.id,
            "subrun_of": None if group.outer is None else self.where(group.outer).subrun,
            "name": group.path[-1][0],
            "path": group.path,
            "parent_run": before.get("run"),
            "fork_call": before.get("fork_call"),
        }

    def leave(self, launch: Launch, error: BaseException | None) -> None:
        """The program leaves a group; with `error` where that ends it."""
        self.left(self._opened(launch), error)

    def left(self, group: Group | None, error: BaseException | None) -> None:
        """The same, of a group that is known."""
        if group is None:
            return
        try:
            try:
                strands.ALONG.reset(group.token)
            except ValueError:  # left in another context than it was entered in
                if strands.ALONG.get() is group:
                    strands.ALONG.set(group.outer)
            self._end(group, error)
        except Exception as fault:
            self.note(f"the end of a subrun was not recorded: {fault!r}")

    def _opened(self, launch: Launch) -> Group | None:
        group: Group | None = strands.ALONG.get()
        if group is not None and group.launch is launch and not group.over:
            return group
        for group in reversed(self._open):
            if group.launch is launch:
                return group
        return None

    def _end(self, group: Group, error: BaseException | None) -> None:
        group.over = True
        self._open.remove(group)
        if group.process != os.getpid():
            return  # the parent of this process is still in there
        from ao_lsp.runner import crash

        failed = error is not None and not (isinstance(error, SystemExit) and not error.code)
        failed = failed and not isinstance(error, GeneratorExit)
        outcome = {"status": "failed" if failed else "finished"}
        described = crash.described(error) if failed and error is not None else None
        if group.recorded:
            self._recorder.post(
                {"type": "subrun.end", "subrun": group.id, "at": time.time(), **outcome, "error": described}
            )
        elif group.path == self.wanted:
            self.outcome = {**outcome, "error": described}

    # -- where things are

    def current(self) -> Group | None:
        """The innermost group around what happens now."""
        group: Group | None = strands.ALONG.get()
        if not self._recorder.is_child or (group is not None and group.process == os.getpid()):
            return group
        # What was started may have inherited the group of something else: a pool's worker, of whoever needed it first.
        said = ancestry.subrun()
        if said is not None and said != ("" if group is None else pools.described(group)):
            group = self._of(said)
            strands.ALONG.set(group)
        return group

    def _of(self, said: str) -> Group | None:
        if not said:
            return None
        self._begin()
        known = self._inherited.get(said)
        if known is None:
            number, path = pools.read(said)
            known = self._inherited[said] = Group(None, None, path_of(path), number)
        return known

    def inherit(self, said: str) -> None:
        """This process was started in that group, or in none (`_NO_GROUP`) by a program that has some."""
        try:
            self._begin()
            if said != _NO_GROUP:
                strands.ALONG.set(self._of(said))
        except Exception as error:
            self.note(f"the subrun of a child is not known: {error!r}")

    def handed_down(self) -> str:
        """What a child that is about to be started has to know of the group around it; "" where there is none."""
        group = self.current()
        return "" if group is None else pools.described(group)

    def options(self) -> list[str]:
        """The same, as arguments of its command line."""
        said = self.handed_down() or _NO_GROUP
        return ["--subrun", said if len(said) < _MAX_ARGUMENT else _NO_GROUP]

    def where(self, group: Group | None = None) -> Where:
        """Where what happens in `group` belongs (None: what happens now)."""
        group = group or self.current()
        path = () if group is None else group.path
        if self.wanted is None:
            return Where(None if group is None else group.id, path, True)
        if not self._is_inside(path) or group is None:
            return Where(None, path, False)
        return Where(None if path == self.wanted else group.id, path, True)

    def _is_inside(self, path: Path) -> bool:
        return self.wanted is not None and path[: len(self.wanted)] == self.wanted

    # -- marks

    def log(self, result: object, note: object) -> None:
        """Mark the innermost run."""
        try:
            where = self.where()
            self._marks += 1
            if not where.recorded or self._marks > MAX_MARKS or (result is ... and note is None):
                return
            event: dict[str, Any] = {"type": "run.mark", "subrun": where.subrun}
            if result is not ...:
                event["result"] = _plain(result)
            if note is not None:
                event["note"] = text_of(note)
            self._recorder.post(event)
        except Exception as error:
            self.note(f"a mark was not recorded: {error!r}")

    def note(self, message: str) -> None:
        """Something that could not be recorded."""
        self._recorder.note(message)

    def forked(self) -> None:
        """In a forked child, whose parent's other threads are gone."""
        self._counting = _thread.allocate_lock()

    # -- functions

    def tool(self, function: Any, name: str | None, replay: bool) -> Any:
        """A function each call of which is recorded; `function` itself where that is not possible."""
        from ao_lsp.runner import functions

        try:
            return functions.tool(self._recorder, function, name, replay)
        except Exception as error:
            self.note(f"a tool is not recorded: {error!r}")
            return function

    def launched(self, launch: Launch, function: Any) -> Any:
        """A function each call of which is a subrun; `function` itself where that is not possible."""
        from ao_lsp.runner import functions

        try:
            return functions.launched(self, launch, function)
        except Exception as error:
            self.note(f"a subrun is not recorded: {error!r}")
            return function


def path_of(given: Any) -> Path:
    """A path as it was read from a plan."""
    return tuple((name, strand, number) for name, strand, number in given or ())


def text_of(value: object) -> str:
    """A text that can be written down, of bounded length."""
    text = value if isinstance(value, str) else repr(value)
    text = "".join((text,)) if len(text) <= MAX_TEXT else text[:MAX_TEXT] + "…"
    return text.encode("utf-8", "replace").decode("utf-8")


def _plain(value: object) -> Any:
    """`value` as JSON has it; its repr where it is none, or too long."""
    import json

    try:
        text = json.dumps(value, allow_nan=False, default=repr)
        if len(text) <= MAX_TEXT:
            return json.loads(text)
    except (TypeError, ValueError, RecursionError):
        pass
    return text_of(value)
