"""A real PostgreSQL server for tests: one for each process of tests, on a socket in a folder of its own."""

from __future__ import annotations

import asyncio
import atexit
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable
from functools import cache
from glob import glob
from itertools import count
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

_numbers = count(1)


def _binaries() -> str | None:
    """The folder of `postgres` and `initdb`."""
    folders = [*os.environ.get("PATH", "").split(":"), *sorted(glob("/usr/lib/postgresql/*/bin"), reverse=True)]
    folders.append(str(ROOT / ".cache" / "postgresql" / "bin"))  # of scripts/get-postgresql
    return next((folder for folder in folders if os.access(os.path.join(folder, "initdb"), os.X_OK)), None)


class Server:
    """A running server; databases are made from a template."""

    def __init__(self, binaries: str) -> None:
        self.folder = tempfile.mkdtemp(prefix="ao-pg-", dir="/tmp")
        self._binaries = binaries
        # It refuses to run as root.
        self._user = "nobody" if os.getuid() == 0 else None
        self.name = pwd.getpwuid(os.getuid()).pw_name if self._user is None else self._user
        if self._user:
            os.chmod(self.folder, 0o755)
            os.chown(self.folder, pwd.getpwnam(self._user).pw_uid, -1)
        data = os.path.join(self.folder, "data")
        self._run("initdb", "-D", data, "-A", "trust", "-U", self.name, "-N", "-E", "UTF8", "--locale=C.UTF-8")
        log = os.path.join(self.folder, "log")
        settings = ("fsync=off", "listen_addresses=", f"unix_socket_directories={self.folder}", "shared_buffers=16MB")
        options = [part for setting in settings for part in ("-c", setting)]
        with open(log, "wb") as file:
            self.process = subprocess.Popen(
                [os.path.join(binaries, "postgres"), "-D", data, *options],
                stdout=file,
                stderr=file,
                user=self._user,
                cwd="/",
            )
        atexit.register(self.stop)
        asyncio.run(self._ready(log))

    def _run(self, program: str, *arguments: str) -> None:
        command = [os.path.join(self._binaries, program), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, user=self._user, cwd="/", timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr

    async def _ready(self, log: str) -> None:
        """Wait until it answers, and make the template of all databases: our tables are in it."""
        import asyncpg

        from ao_lsp.server.store import postgres

        for _ in range(600):
            try:
                connection = await asyncpg.connect(self.address("postgres"))
                break
            except (OSError, asyncpg.PostgresError):
                assert self.process.poll() is None, Path(log).read_text()
                await asyncio.sleep(0.05)
        await connection.execute("CREATE DATABASE template_ao")
        await connection.close()
        await (await postgres.open_store(self.address("template_ao"))).close()

    def address(self, database: str) -> str:
        return f"postgresql://{self.name}@/{database}?host={self.folder}"

    async def database(self, template: str = "template_ao") -> str:
        """A new database, with our tables in it or (`template0`) empty."""
        import asyncpg

        name = f"ao{next(_numbers)}"
        connection = await asyncpg.connect(self.address("postgres"))
        await connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        await connection.close()
        return self.address(name)

    def stop(self) -> None:
        if self.process.poll() is None:
            # At once: nobody wants its files, and whoever runs tests side by side waits for no process of theirs.
            self.process.send_signal(signal.SIGQUIT)
            self.process.wait(30)
        shutil.rmtree(self.folder, ignore_errors=True)


@cache
def _server() -> Server | str:
    binaries = _binaries()
    if binaries is None:
        return "no PostgreSQL server is installed; scripts/get-postgresql .cache/postgresql gets one"
    return Server(binaries)


def server() -> Server:
    """The server of this process of tests; the test is skipped where there can be none."""
    pytest.importorskip("asyncpg")
    found = _in_a_thread(_server)
    if isinstance(found, str):
        pytest.skip(found)
    return found


def _in_a_thread(what: Callable[[], Server | str]) -> Server | str:
    """For callers that are in a loop already."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(what).result()
