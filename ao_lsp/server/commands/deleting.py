"""`ao.rm`: deleting runs."""

from __future__ import annotations

from dataclasses import dataclass

from ao_lsp.server import refs
from ao_lsp.server.command import Caller, Command
from ao_lsp.server.core import Core
from ao_lsp.server.params import CommandError, param
from ao_lsp.server.results.runs import DeletedJson


@dataclass(frozen=True, slots=True)
class RmParams:
    runs: list[str] = param("which runs: their ids, the beginnings of them, names, or `last`")  # noqa: RUF009 - a field


async def _rm(core: Core, _: Caller, params: RmParams) -> DeletedJson:
    if not params.runs:
        raise CommandError("bad_params", "no run is named", "ao runs lists them")
    wanted = list(dict.fromkeys([await refs.find_run(core.store, run) for run in params.runs]))
    running = {run for run, _ in await core.store.running()}
    for run in wanted:
        found = await core.store.run(run)
        whole = (found.root if found else None) or run  # what it goes on saying would have no run any more
        if whole in running or core.reruns.running(whole) is not None:
            raise CommandError(
                "conflict",
                f"run {run} is still running; nothing was deleted",
                f'stop it first: Ctrl-C in its terminal, or ao exec ao.stop \'{{"run": "{run}"}}\'',
            )
    before = await core.store.size()
    await core.delete_runs(wanted)
    return {"deleted": wanted, "freed_bytes": max(0, before - await core.store.size())}


RM = Command("delete runs with all that belongs to them, and give the space back", RmParams, _rm, errors=("conflict",))
