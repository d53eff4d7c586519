"""`ao.why`: where the input of a call came from."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from ao_lsp.server import command, refs, why
from ao_lsp.server.command import Caller, Command
from ao_lsp.server.core import Core
from ao_lsp.server.params import CommandError, param
from ao_lsp.server.results.calls import WhyJson


@dataclass(frozen=True, slots=True)
class WhyParams:
    call: str | int = param(command.CALL)
    run: str = param(command.RUN, "last")
    start: int | None = param("only what is in this part of the input: its first character, from 0", None)
    end: int | None = param("the character behind the last one of the part", None)


async def _why(core: Core, _: Caller, params: WhyParams) -> WhyJson:
    graph = await refs.find_graph(core, params.run)
    call = refs.find_call(graph, params.call)
    wanted = {call.id, *(edge.source for edge in graph.edges if edge.target == call.id)}
    exchanges = {one.id: await core.store.exchange(one.run, one.id) for one in graph.calls if one.id in wanted}
    try:
        return await asyncio.to_thread(why.answer, graph, call, exchanges, (params.start, params.end))
    except why.PartError as error:
        raise CommandError("bad_params", str(error)) from None


WHY = Command("where the input of a call came from, line by line", WhyParams, _why)
