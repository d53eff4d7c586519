"""`ao.plan`, `ao.rerun`, `ao.stop`: running a recorded program again."""

from __future__ import annotations

import asyncio
import os
import secrets
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Literal

from ao_lsp import paths
from ao_lsp.server import command, refs, rerun, views
from ao_lsp.server.changes import Subscription
from ao_lsp.server.command import Caller, Command, Progress
from ao_lsp.server.core import Core
from ao_lsp.server.estimate import estimate
from ao_lsp.server.model import Edit, EditField, Graph
from ao_lsp.server.params import CommandError, param
from ao_lsp.server.plan import PlanEntry, Policy, counts, plan
from ao_lsp.server.plan_file import PlanHead, write_plan
from ao_lsp.server.views import Json

_FROM = "rerun from this call: it and everything that depends on it go live"


@dataclass(frozen=True, slots=True)
class PlanParams:
    run: str = param(command.RUN, "last")
    from_: str | int | None = param(_FROM, None)
    policy: Literal["live", "strict", "ask"] = param("what to do with a call that has no recording", "live")
    dry_run: bool = param("only say what would happen", False)


@dataclass(frozen=True, slots=True)
class RerunParams:
    run: str = param(command.RUN, "last")
    from_: str | int | None = param(_FROM, None)
    policy: Literal["live", "strict"] = param("what to do with a call that has no recording", "live")
    wait: bool = param("answer when the program has ended, with progress until then", False)


@dataclass(frozen=True, slots=True)
class StopParams:
    run: str = param("which rerun: its id, the beginning of it, a name, or `last`", "last")


@dataclass(frozen=True, slots=True)
class _Planned:
    """A plan that has not been written yet."""

    graph: Graph
    fork: str | None
    entries: tuple[PlanEntry, ...]
    edits: dict[tuple[str, EditField], Edit]

    def as_json(self) -> Json:
        return {
            "parent_run": self.graph.run.id,
            "fork_call": self.fork,
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


async def _planned(core: Core, run: str, from_: str | int | None) -> _Planned:
    graph = await refs.find_graph(core, run)
    fork = refs.find_call(graph, from_).id if from_ is not None else None
    edits = await core.store.edits(graph.run.id)
    return _Planned(graph, fork, plan(graph, edits, fork), {(edit.call, edit.field): edit for edit in edits})


async def _written(core: Core, planned: _Planned, policy: Policy) -> tuple[str, str]:
    """The id that the rerun will have, and the path of its plan."""
    run = secrets.token_hex(6)
    head = PlanHead(run, planned.graph.run, planned.fork, policy)
    return run, await write_plan(paths.plan_dir(), head, planned.entries, planned.edits, core.store)


async def _plan(core: Core, _: Caller, params: PlanParams) -> Json:
    planned = await _planned(core, params.run, params.from_)
    if params.dry_run:
        return planned.as_json()
    run, path = await _written(core, planned, params.policy)
    parent = planned.graph.run
    return {
        **planned.as_json(),
        "run": run,
        "plan": path,
        "argv": rerun.command(parent),
        "cwd": parent.cwd,
        "python": parent.python,
        "env": rerun.restored(parent, path),
    }


async def _rerun(core: Core, caller: Caller, params: RerunParams) -> Json:
    planned = await _planned(core, params.run, params.from_)
    run, path = await _written(core, planned, params.policy)
    parent = planned.graph.run
    env = {**(os.environ if caller.env is None else caller.env), **rerun.restored(parent, path)}
    with core.changes.subscribe() as changes:
        try:
            started = core.reruns.start(run, rerun.command(parent), parent.cwd, env)
        except OSError as error:
            with suppress(OSError):
                os.unlink(path)
            raise CommandError("conflict", f"the program cannot be started in {parent.cwd}: {error.strerror}") from None
        answer = {**planned.as_json(), "run": run, "pid": started.process.pid, "log": started.log}
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
    if await core.reruns.stop(params.run):
        return {"run": params.run}
    run = await refs.find_run(core.store, params.run)
    if not await core.reruns.stop(run):
        message = f"run {run} was not started in the background, or has ended"
        raise CommandError("conflict", message, "a run in a terminal is stopped there: Ctrl-C")
    return {"run": run}


PLAN = Command("what a rerun would do with each call; writes the plan of one", PlanParams, _plan)
RERUN = Command("rerun a program in the background", RerunParams, _rerun)
STOP = Command("end a background rerun and what it started", StopParams, _stop)
