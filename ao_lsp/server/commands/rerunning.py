"""`ao.plan`, `ao.rerun`, `ao.stop`: running a recorded program again."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal, cast

from ao_lsp import paths
from ao_lsp.server import command, processes, refs, rerun, restart, stopping, subruns, views
from ao_lsp.server.changes import Subscription
from ao_lsp.server.command import Caller, Command, Progress
from ao_lsp.server.commands.opening import ChosenParams
from ao_lsp.server.commands.versions import reading, version_of
from ao_lsp.server.configuration import configuration
from ao_lsp.server.core import Core
from ao_lsp.server.estimate import estimate
from ao_lsp.server.model import Edit, EditField, Graph, Run
from ao_lsp.server.params import CommandError, param
from ao_lsp.server.plan import PlanEntry, Policy, counts, outside, plan
from ao_lsp.server.plan_file import PlanHead, write_plan
from ao_lsp.server.processes import Process
from ao_lsp.server.results.rerunning import (
    EndedRerunJson,
    ForecastJson,
    PlanCountsJson,
    PlanJson,
    RerunJson,
    StoppedJson,
)
from ao_lsp.server.workspace import program_folder

if TYPE_CHECKING:
    from ao_lsp.server.versions.repository import Repository
    from ao_lsp.server.versions.scratch import Scratch

_FROM = "rerun from this call: it and everything that depends on it go live"
_PYTHON = "the interpreter to use in place of the recorded one"
_AT_VERSION = "run the code that the run had, in a scratch folder, not the code of now"

_STOP_S = 5.0
"""How long a program may take over SIGTERM."""


@dataclass(frozen=True, slots=True)
class PlanParams:
    run: str = param(command.RUN, "last")
    from_: str | int | None = param(_FROM, None)
    policy: Literal["live", "strict", "ask"] | None = param(command.POLICY, None)
    dry_run: bool = param("only say what would happen", False)
    python: str | None = param(_PYTHON, None)
    at_version: bool = param(_AT_VERSION, False)


@dataclass(frozen=True, slots=True)
class RerunParams:
    run: str = param(command.RUN, "last")
    from_: str | int | None = param(_FROM, None)
    policy: Literal["live", "strict"] | None = param(command.POLICY, None)
    wait: bool = param("answer when the program has ended, with progress until then; cancelled, it is stopped", False)
    python: str | None = param(_PYTHON, None)
    at_version: bool = param(_AT_VERSION, False)


@dataclass(frozen=True, slots=True)
class RerunFromParams(ChosenParams):
    policy: Literal["live", "strict"] | None = param(command.POLICY, None)


@dataclass(frozen=True, slots=True)
class StopParams:
    run: str = param(command.RUN, "last")


@dataclass(frozen=True, slots=True)
class _Planned:
    """A plan that has not been written yet. Of a subrun, `around` is the run that it was recorded in, and `outside`
    what happens to the calls there that are not its own."""

    graph: Graph
    fork: str | None
    entries: tuple[PlanEntry, ...]
    around: Graph | None
    outside: tuple[PlanEntry, ...]
    edits: dict[tuple[str, EditField], Edit]
    python: str
    version: str | None

    def as_json(self, problems: Sequence[str]) -> ForecastJson:
        return {
            "parent_run": self.graph.run.id,
            "fork_call": self.fork,
            "notes": [*restart.notes(self.graph, self.version is not None), *problems],
            "counts": cast("PlanCountsJson", asdict(counts(self.entries))),
            "estimate": views.estimate_json(estimate(self.entries)),
            "calls": [
                {
                    "call": entry.call.id,
                    "number": entry.call.number,
                    "action": entry.action,
                    "affected": entry.affected,
                    "model": entry.call.model,
                    "function": entry.call.site.function if entry.call.site else None,
                    "line": entry.call.site.line if entry.call.site else None,
                }
                for entry in self.entries
            ],
        }


async def _planned(core: Core, params: PlanParams | RerunParams) -> _Planned:
    graph = await refs.find_graph(core, params.run)
    fork = refs.find_call(graph, params.from_).id if params.from_ is not None else None
    version = version_of(graph.run) if params.at_version else None
    edits = await core.store.edits(graph.run.id)
    entries = plan(graph, edits, fork)
    around = await _around(core, graph.run)
    others: tuple[PlanEntry, ...] = ()
    if around is not None:
        subrun = await _recorded_subrun(core, graph.run)
        every = await core.store.edits(around.run.id)
        others = outside(around, subruns.of(around, subrun.id), every)
        edits = [*every, *edits]
    by_field = {(edit.call, edit.field): edit for edit in edits}
    return _Planned(graph, fork, entries, around, others, by_field, params.python or graph.run.python, version)


async def _recorded_subrun(core: Core, run: Run) -> Run:
    """The subrun that `run` is, or is a rerun of a rerun of."""
    while run.subrun_of is None and run.path and run.parent_run is not None:
        before = await core.store.run(run.parent_run)
        if before is None:
            break
        run = before
    return run


async def _around(core: Core, run: Run) -> Graph | None:
    """The whole run that a subrun, or its rerun, was recorded in; None where `run` is a whole one.

    Raises:
        CommandError: it has been deleted.
    """
    if not run.path:
        return None
    root = (await _recorded_subrun(core, run)).root
    around = await core.store.graph(root) if root is not None else None
    if around is None:
        raise CommandError(
            "conflict",
            f"the run in which {run.name} was recorded has been deleted: what is outside of it cannot be replayed",
            "record the program again",
        )
    return around


@dataclass(frozen=True, slots=True)
class _Ready:
    """A rerun that can be started: its id, the path of its plan, and the recorded run as it has to be started now."""

    run: str
    plan: str
    start: Run
    obstacle: CommandError | None


async def _ready(core: Core, planned: _Planned, policy: Policy) -> _Ready:
    run, graph, around = secrets.token_hex(6), planned.graph, planned.around
    old = await _on_old_code(run, graph.run, planned.version) if planned.version is not None else None
    start = graph.run if old is None else await asyncio.to_thread(old.moved, graph.run)
    every = [graph.run, *graph.subruns, *([] if around is None else around.subruns)]
    by_id = {one.id: one for one in every}
    forked = next((call.run for call in graph.calls if call.id == planned.fork), None)
    within = set()
    while forked is not None and forked in by_id:
        within.add(forked)
        forked = by_id[forked].subrun_of
    ways = {one.id: one.path for one in every}
    moved = None if old is None else (old.top, old.place)
    parent, subruns_of = graph.run, graph.subruns
    head = PlanHead(run, parent, planned.fork, policy, subruns_of, frozenset(within), ways, planned.version, moved)
    entries = (*planned.outside, *planned.entries)
    path = await write_plan(paths.plan_dir(), head, entries, planned.edits, core.store)
    return _Ready(run, path, start, await asyncio.to_thread(restart.obstacle, start, planned.python))


async def _on_old_code(run: str, parent: Run, version: str) -> Scratch:
    """The folder in which the rerun `run` finds the code that `parent` had. It goes when the rerun has ended."""
    from ao_lsp.server.versions import scratch

    root = parent.version_root or parent.cwd

    def made(repository: Repository) -> Scratch:
        try:
            return scratch.make(repository, run, parent, version, root)
        except OSError as error:
            message = f"the old code cannot be written to {paths.scratch_dir()}: {error.strerror}"
            raise CommandError("unavailable", message) from None

    return await reading(made)


async def _settled(caller: Caller, run: Run, policy: Policy | None) -> tuple[Policy, tuple[str, ...]]:
    """The policy that counts, and what is wrong in the places where one could be set."""
    configured = await configuration(caller, program_folder(run.target, run.cwd))
    return policy or configured.get("on_miss", "live"), configured.problems


async def _plan(core: Core, caller: Caller, params: PlanParams) -> ForecastJson | PlanJson:
    planned = await _planned(core, params)
    policy, problems = await _settled(caller, planned.graph.run, params.policy)
    said = await asyncio.to_thread(planned.as_json, problems)
    if params.dry_run:
        return said
    ready = await _ready(core, planned, policy)
    return {
        **said,
        "run": ready.run,
        "plan": ready.plan,
        "argv": rerun.command(ready.start, planned.python),
        "cwd": ready.start.cwd,
        "python": planned.python,
        "env": rerun.restored(ready.start, ready.plan),
        "obstacle": None if ready.obstacle is None else {"message": str(ready.obstacle), "hint": ready.obstacle.hint},
    }


async def _rerun(core: Core, caller: Caller, params: RerunParams) -> RerunJson | EndedRerunJson:
    planned = await _planned(core, params)
    parent = planned.graph.run
    if planned.version is None and (obstacle := restart.obstacle(parent, planned.python)) is not None:
        raise obstacle
    policy, problems = await _settled(caller, parent, params.policy)
    # In the background nobody can be asked: what would be is not made.
    ready = await _ready(core, planned, "strict" if policy == "ask" else policy)
    start = ready.start
    env = {**(os.environ if caller.env is None else caller.env), **rerun.restored(start, ready.plan)}
    with core.changes.subscribe() as changes:
        try:
            if ready.obstacle is not None:
                raise ready.obstacle
            started = core.reruns.start(ready.run, rerun.command(start, planned.python), start.cwd, env)
        except (OSError, CommandError) as error:
            with suppress(OSError):
                os.unlink(ready.plan)
            await core.versions.over(ready.run)
            if isinstance(error, CommandError):
                raise
            message = f"the program cannot be started in {start.cwd}: {error.strerror}"
            raise CommandError("conflict", message) from None
        said = await asyncio.to_thread(planned.as_json, problems)
        answer: RerunJson = {
            **said,
            "run": ready.run,
            "pid": started.process.pid,
            "log": started.log,
        }
        if not params.wait:
            return answer
        try:
            await follow(started, changes, len(planned.entries), caller.progress)
        except asyncio.CancelledError:
            if not core.leaving:  # a program outlives a daemon, but not whoever waits for it
                core.reruns.stop_soon(started.run)
            raise
    return {**answer, "exit_code": started.process.returncode}


async def _rerun_from(core: Core, caller: Caller, params: RerunFromParams) -> RerunJson | EndedRerunJson:
    return await _rerun(core, caller, RerunParams(params.run, params.call, params.policy))


async def follow(started: rerun.Rerun, changes: Subscription, expected: int, progress: Progress) -> None:
    """Report progress until the program has ended. `changes` have to be from before its start."""
    done, ended = 0, asyncio.create_task(started.ended.wait())
    while not ended.done():
        progress(done, max(expected, done), f"{done} of about {expected} calls")
        heard = asyncio.create_task(changes.next())
        await asyncio.wait({ended, heard}, return_when=asyncio.FIRST_COMPLETED)
        if heard.done():
            done += sum(change.run == started.run and change.kind == "call.ended" for change in heard.result())
        heard.cancel()


async def _stop(core: Core, _: Caller, params: StopParams) -> StoppedJson:
    # A rerun that was started a moment ago may not have said a word yet.
    if await core.reruns.stop(params.run):
        return {"run": params.run, "subrun": None}
    named = await core.store.run(await refs.find_run(core.store, params.run))
    if named is None:
        raise CommandError("not_found", f"run {params.run} has just been deleted")
    # A subrun has no process of its own.
    run = named.root or named.id
    subrun = None if run == named.id else named.id
    if await core.reruns.stop(run):
        return {"run": run, "subrun": subrun}
    program = await _program(core, run)
    if program is None or program.pid == os.getpid() or not await stopping.stop(program, _STOP_S):
        whose = f"run {run}" if subrun is None else f"run {run}, in which {named.name} was,"
        raise CommandError("conflict", f"{whose} has ended, or its program cannot be reached from here")
    core.look_soon()
    return {"run": run, "subrun": subrun}


async def _program(core: Core, run: str) -> Process | None:
    """The process of a run that is going on, as far as it is known."""
    program = dict(await core.store.running()).get(run)
    if program is None and core.spool.is_written(run):
        # It has not been connected yet: it began before there was a daemon, and had nothing to say since.
        found = await core.store.run(run)
        program = processes.process(found.pid) if found is not None and found.pid else None
    return program


PLAN = Command("what a rerun would do with each call; writes the plan of one", PlanParams, _plan, errors=("conflict",))
RERUN = Command("rerun a program in the background", RerunParams, _rerun, errors=("conflict",))
RERUN_FROM = Command(
    "rerun from a call, in the background, with progress", RerunFromParams, _rerun_from, errors=("conflict",)
)
STOP = Command("end the program of a run and what it started", StopParams, _stop, errors=("conflict",))
