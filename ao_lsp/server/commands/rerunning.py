"""`ao.plan`, `ao.rerun`, `ao.stop`: running a recorded program again."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Literal

from ao_lsp import paths
from ao_lsp.server import command, processes, refs, rerun, restart, stopping, subruns, views
from ao_lsp.server.changes import Subscription
from ao_lsp.server.command import Caller, Command, Progress
from ao_lsp.server.configuration import configuration
from ao_lsp.server.core import Core
from ao_lsp.server.estimate import estimate
from ao_lsp.server.model import Edit, EditField, Graph, Run
from ao_lsp.server.params import CommandError, param
from ao_lsp.server.plan import PlanEntry, Policy, counts, outside, plan
from ao_lsp.server.plan_file import PlanHead, write_plan
from ao_lsp.server.processes import Process
from ao_lsp.server.views import Json
from ao_lsp.server.workspace import program_folder

_FROM = "rerun from this call: it and everything that depends on it go live"
_PYTHON = "the interpreter to use in place of the recorded one"

_STOP_S = 5.0
"""How long a program may take over SIGTERM."""


@dataclass(frozen=True, slots=True)
class PlanParams:
    run: str = param(command.RUN, "last")
    from_: str | int | None = param(_FROM, None)
    policy: Literal["live", "strict", "ask"] | None = param(command.POLICY, None)
    dry_run: bool = param("only say what would happen", False)
    python: str | None = param(_PYTHON, None)


@dataclass(frozen=True, slots=True)
class RerunParams:
    run: str = param(command.RUN, "last")
    from_: str | int | None = param(_FROM, None)
    policy: Literal["live", "strict"] | None = param(command.POLICY, None)
    wait: bool = param("answer when the program has ended, with progress until then", False)
    python: str | None = param(_PYTHON, None)


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

    def as_json(self, problems: Sequence[str]) -> Json:
        return {
            "parent_run": self.graph.run.id,
            "fork_call": self.fork,
            "notes": [*restart.notes(self.graph), *problems],
            "counts": asdict(counts(self.entries)),
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


async def _planned(core: Core, run: str, from_: str | int | None, python: str | None) -> _Planned:
    graph = await refs.find_graph(core, run)
    fork = refs.find_call(graph, from_).id if from_ is not None else None
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
    return _Planned(graph, fork, entries, around, others, by_field, python or graph.run.python)


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


async def _written(core: Core, planned: _Planned, policy: Policy) -> tuple[str, str]:
    """The id that the rerun will have, and the path of its plan."""
    run, graph, around = secrets.token_hex(6), planned.graph, planned.around
    every = [graph.run, *graph.subruns, *([] if around is None else around.subruns)]
    by_id = {one.id: one for one in every}
    forked = next((call.run for call in graph.calls if call.id == planned.fork), None)
    within = set()
    while forked is not None and forked in by_id:
        within.add(forked)
        forked = by_id[forked].subrun_of
    ways = {one.id: one.path for one in every}
    head = PlanHead(run, graph.run, planned.fork, policy, graph.subruns, frozenset(within), ways)
    entries = (*planned.outside, *planned.entries)
    return run, await write_plan(paths.plan_dir(), head, entries, planned.edits, core.store)


async def _settled(caller: Caller, run: Run, policy: Policy | None) -> tuple[Policy, tuple[str, ...]]:
    """The policy that counts, and what is wrong in the places where one could be set."""
    configured = await configuration(caller, program_folder(run.target, run.cwd))
    return policy or configured.get("on_miss", "live"), configured.problems


async def _plan(core: Core, caller: Caller, params: PlanParams) -> Json:
    planned = await _planned(core, params.run, params.from_, params.python)
    parent = planned.graph.run
    policy, problems = await _settled(caller, parent, params.policy)
    said = await asyncio.to_thread(planned.as_json, problems)
    if params.dry_run:
        return said
    run, path = await _written(core, planned, policy)
    obstacle = restart.obstacle(parent, planned.python)
    return {
        **said,
        "run": run,
        "plan": path,
        "argv": rerun.command(parent, planned.python),
        "cwd": parent.cwd,
        "python": planned.python,
        "env": rerun.restored(parent, path),
        "obstacle": obstacle and {"message": str(obstacle), "hint": obstacle.hint},
    }


async def _rerun(core: Core, caller: Caller, params: RerunParams) -> Json:
    planned = await _planned(core, params.run, params.from_, params.python)
    parent = planned.graph.run
    obstacle = restart.obstacle(parent, planned.python)
    if obstacle is not None:
        raise obstacle
    policy, problems = await _settled(caller, parent, params.policy)
    # In the background nobody can be asked: what would be is not made.
    run, path = await _written(core, planned, "strict" if policy == "ask" else policy)
    env = {**(os.environ if caller.env is None else caller.env), **rerun.restored(parent, path)}
    with core.changes.subscribe() as changes:
        try:
            started = core.reruns.start(run, rerun.command(parent, planned.python), parent.cwd, env)
        except OSError as error:
            with suppress(OSError):
                os.unlink(path)
            raise CommandError("conflict", f"the program cannot be started in {parent.cwd}: {error.strerror}") from None
        answer = {
            **await asyncio.to_thread(planned.as_json, problems),
            "run": run,
            "pid": started.process.pid,
            "log": started.log,
        }
        if not params.wait:
            return answer
        await follow(started, changes, len(planned.entries), caller.progress)
    return {**answer, "exit_code": started.process.returncode}


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


async def _stop(core: Core, _: Caller, params: StopParams) -> Json:
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


PLAN = Command("what a rerun would do with each call; writes the plan of one", PlanParams, _plan)
RERUN = Command("rerun a program in the background", RerunParams, _rerun)
STOP = Command("end the program of a run and what it started", StopParams, _stop)
