"""The server that is fuzzed: real sessions over a real core on a socket of this process."""

from __future__ import annotations

import asyncio
import logging
import os
import tempfile
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ao_lsp import protocol
from ao_lsp.server.core import Core, open_core
from ao_lsp.server.gauge import Gauge
from ao_lsp.server.ingest import Stream
from ao_lsp.server.lsp.session import serve
from tests.lsp.conftest import AGENT, plan_site, search_site
from tests.lsp.fuzz.client import Unexpected, connection, session
from tests.lsp.fuzz.messages import Author, Scene
from tests.recorder import Recorder

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Served:
    """A core with a recorded run; whoever connects to `path` is an editor."""

    core: Core
    path: str
    scene: Scene
    faults: list[str]
    """What was logged as an error."""
    sessions: set[asyncio.Task[None]]


@dataclass(slots=True)
class Outcome:
    messages: int = 0
    sessions: int = 0
    answered: Counter[str] = field(default_factory=Counter)


class Faults(logging.Handler):
    """Keeps what is logged as an error, and nothing else of what is logged."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.logged: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.logged.append(logging.Formatter().format(record))


@asynccontextmanager
async def served() -> AsyncIterator[Served]:
    """A server until the end of the block, on the database of AO_HOME."""
    core = await open_core(lasting=False)
    with tempfile.TemporaryDirectory(prefix="ao-fuzz-", dir="/tmp") as folder:
        path = os.path.join(folder, "socket")
        faults = Faults()
        server = Served(core, path, await _scene(core, Path(folder)), faults.logged, set())

        async def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            server.sessions.add(task)
            try:
                await serve(core, reader, writer, {}, Gauge())
            except Exception:
                log.exception("a session raised")
            finally:
                writer.close()
                server.sessions.discard(task)

        listening = await asyncio.start_unix_server(begin, path)
        ours = logging.getLogger("ao_lsp")
        before = ours.level
        ours.setLevel(logging.ERROR)  # each message that does not fit is a warning
        logging.getLogger().addHandler(faults)
        try:
            yield server
        finally:
            logging.getLogger().removeHandler(faults)
            ours.setLevel(before)
            listening.close()
            await listening.wait_closed()
            await core.close()


async def _scene(core: Core, folder: Path) -> Scene:
    agent = folder / "agent.py"
    agent.write_text(AGENT, "utf-8")
    recorder = Recorder("run1")
    recorder.start(argv=[str(agent)], target={"kind": "script", "value": str(agent)}, cwd=str(folder))
    recorder.call("c1", site=plan_site(agent), stack=[plan_site(agent)])
    for call in ("c2", "c3"):
        recorder.call(call, ("c1",), site=search_site(agent), stack=[search_site(agent)])
    recorder.end()
    await core.ingest.take(Stream(recorder.run, recorder.stream, None), protocol.Frames(), b"".join(recorder.sent))
    odd = "é = '😀'\r\n" + AGENT.replace("\n", "\r\n", 3) + "\x0c\u2028"
    files = (
        (agent.as_uri(), AGENT), ((folder / "other é.py").as_uri(), odd), ("untitled:1", "x"),
        (f"{folder.as_uri()}/%ff%2e.py", ""), ("file://elsewhere/x.py", AGENT), ("file:///x.py?y#z", "client"),
    )  # fmt: skip
    return Scene(files, "run1", ("c1", "c2", "1", "9"))


async def fuzz(server: Served, seed: int, messages: int, per_session: int = 2000) -> Outcome:
    """Sessions one after the other, until there were so many messages. Beside them a client that behaves is served.

    Raises:
        Unexpected: the server did what it should not.
    """
    author, outcome = Author(seed, server.scene), Outcome()
    uri, text = server.scene.files[0]
    where = {"textDocument": {"uri": uri}, "position": {"line": 8, "character": 20}}
    async with connection(server.path, Author(seed, server.scene)) as other:
        await other.begin()
        item = {"uri": uri, "languageId": "python", "version": 1, "text": text}
        other.tell("textDocument/didOpen", {"textDocument": item})
        while outcome.messages < messages:
            async with connection(server.path, author) as hostile:
                many = min(per_session, messages - outcome.messages)
                outcome.messages += await session(hostile, author, many)
                outcome.answered += hostile.answered
            outcome.sessions += 1
            shown = await other.ask("textDocument/hover", where)
            if "plan" not in str(shown.get("result")):
                raise Unexpected(f"another client was shown {shown}", [])
            if server.faults:
                raise Unexpected("\n".join(["it logged errors", *server.faults]), [])
    while server.sessions:
        await asyncio.wait(server.sessions)
    return outcome
