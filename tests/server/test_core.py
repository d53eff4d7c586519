"""What keeps a daemon's house in order, in this process."""

from __future__ import annotations

import asyncio
import fcntl
import os
from pathlib import Path

import pytest

from ao_lsp import paths
from ao_lsp.server.core import open_core

pytestmark = pytest.mark.usefixtures("home")


@pytest.mark.parametrize("rounds", range(6))
async def test_a_core_closes_though_something_happens_at_the_same_moment(rounds: int) -> None:
    # While a program writes to it, there is something to look after every second.
    spool = os.open(Path(paths.secure_dir(paths.spool_dir()), "run-stream.spool"), os.O_CREAT | os.O_WRONLY)
    fcntl.flock(spool, fcntl.LOCK_EX)
    core = await open_core()
    for _ in range(1000):  # until it has looked, and waits
        if core._woken._waiters:
            break
        await asyncio.sleep(0.01)
    core.look_soon()
    for _ in range(rounds):
        await asyncio.sleep(0)
    closing = asyncio.create_task(core.close())
    await asyncio.wait({closing}, timeout=10)
    in_time = closing.done()
    while not closing.done() and core._upkeep is not None:
        core._upkeep.cancel()
        await asyncio.wait({closing}, timeout=1)
    os.close(spool)
    assert in_time
