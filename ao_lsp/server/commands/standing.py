"""`ao.status`: at a glance, whether all is well and what goes on."""

from __future__ import annotations

from dataclasses import dataclass

from ao_lsp.server.command import Caller, Command
from ao_lsp.server.core import Core
from ao_lsp.server.results.standing import Health, RunningJson, StandingJson
from ao_lsp.server.store import StoreError

_MOST_NAMED = 20


@dataclass(frozen=True, slots=True)
class StatusParams:
    pass


async def _status(core: Core, _: Caller, __: StatusParams) -> StandingJson:
    return await status(core)


async def status(core: Core) -> StandingJson:
    """What `ao.status` gives; a database that fails is among it."""
    trouble, running = core.standing.trouble, list[RunningJson]()
    try:
        going_on = [run for run, _ in await core.store.running()]
        found = [await core.store.run(run) for run in going_on[:_MOST_NAMED]]
        running = [
            {"run": run.id, "name": run.name, "background": core.reruns.running(run.id) is not None}
            for run in found
            if run is not None
        ]
    except StoreError as error:
        trouble, going_on = error, []
    compiling = core.watcher.waiting()
    health: Health
    if trouble is not None:
        health, message = "error", f"{trouble}; {trouble.hint}" if trouble.hint else str(trouble)
    elif core.store.damage is not None:
        health, message = "warning", core.store.damage
    else:
        health, message = "ok", _doing(running, len(going_on), compiling)
    return {
        "health": health,
        "quiescent": not going_on and not compiling,
        "message": message,
        "running": running,
        "compiling": compiling,
    }


def _doing(running: list[RunningJson], count: int, compiling: int) -> str:
    said = []
    if count == 1 and running:
        said.append(f"{running[0]['name']} is running")
    elif count:
        said.append(f"{count} programs are running")
    if compiling:
        said.append(f"{compiling} file{'' if compiling == 1 else 's'} to be made ready")
    return ", ".join(said)


STATUS = Command("whether all is well, which programs run, and what is compiled", StatusParams, _status, since=2)
