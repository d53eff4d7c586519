"""A process of the user's interpreter that compiles files, one after the other (ao_lsp/taint/warm.py).

The server never imports the rewriter: bytecode is of one Python, and that is the user's. The process has nothing of
the user's environment on its path and runs none of their code: no `site`, no `.pth` files, no variables for python.
"""

from __future__ import annotations

import asyncio
import json
import os
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import ao_lsp
from ao_lsp import paths

FILE_TIMEOUT_S = 30.0
"""A file that takes longer has hung the process."""

_BEGIN_TIMEOUT_S = 60.0
_END_TIMEOUT_S = 1.0

# Last on the path, and only until it has been imported: the folder may be a `site-packages`, whose backports must not
# take the place of the standard library's modules.
_BOOT = (
    "import sys; sys.path.append(sys.argv[1]); import ao_lsp; del sys.path[-1]; "
    "from ao_lsp.taint.warm import serve; serve(int(sys.argv[2]))"
)

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(ao_lsp.__file__)))

# Where the cache is; and what an interpreter may need to start at all.
_KEPT = ("HOME", "PATH", "TMPDIR", "LANG", "LC_ALL", "LC_CTYPE", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")


@dataclass(frozen=True, slots=True)
class Interpreter:
    """Whose bytecode is wanted: that of the executable `python`, at the optimisation level (0, 1 or 2) of a program."""

    python: str
    optimize: int = 0

    def __str__(self) -> str:
        return self.python + (" -" + "O" * self.optimize if self.optimize else "")


class WorkerError(Exception):
    """A worker cannot be started, has died or hangs; the message says which."""


class Worker:
    """One process. Made by `begin`; `close` it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def begin(cls, interpreter: Interpreter, nice: int) -> Worker:
        """Start a process.

        Raises:
            WorkerError: it cannot be started, or is none that rewrites.
        """
        flags = ["-I", "-S", "-B", "-W", "ignore", "-X", "utf8", *["-O"] * interpreter.optimize]
        try:
            process = await asyncio.create_subprocess_exec(
                interpreter.python,
                *flags,
                "-c",
                _BOOT,
                _PACKAGE,
                str(nice),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,  # what it says may quote the source
                cwd="/",  # no folder of the user's is held
                env=_environment(),
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            raise WorkerError(f"cannot be started: {getattr(error, 'strerror', None) or error}") from None
        worker = cls(process)
        try:
            said = await worker._next(_BEGIN_TIMEOUT_S)
        except BaseException:
            await worker.close()
            raise
        if said.get("rewrites") is not True:
            await worker.close()
            raise WorkerError(f"rewrites nothing: {said.get('tag')}")
        return worker

    @property
    def pid(self) -> int:
        return self._process.pid

    async def ask(self, request: dict[str, Any], timeout_s: float = FILE_TIMEOUT_S) -> dict[str, Any]:
        """The answer to a request.

        Raises:
            WorkerError: it has died over it, or does not answer. Close it.
        """
        assert self._process.stdin is not None  # noqa: S101 - it was asked for
        try:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            await self._process.stdin.drain()
        except ConnectionError:
            pass  # it has died, and that is what is read
        return await self._next(timeout_s)

    async def _next(self, timeout_s: float) -> dict[str, Any]:
        assert self._process.stdout is not None  # noqa: S101 - as above
        # Not `wait_for`: before Python 3.12 it can forget that it is cancelled.
        reading = asyncio.ensure_future(self._process.stdout.readline())
        try:
            await asyncio.wait({reading}, timeout=timeout_s)
            if not reading.done():
                raise WorkerError(f"hung for {timeout_s:.0f} s")
            line = reading.result()
        except ValueError:  # a line without an end
            line = b""
        finally:
            reading.cancel()
        if not line.endswith(b"\n"):
            code = await self._ended()  # if it has not only closed its output
            raise WorkerError(f"died of signal {-code}" if code < 0 else f"ended with code {code}")
        try:
            said = json.loads(line)
        except ValueError:
            said = None
        if not isinstance(said, dict):
            raise WorkerError("does not speak as a worker does")
        return said

    async def close(self) -> None:
        """End the process: by the end of its input, else by force."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        await self._ended()

    async def _ended(self) -> int:
        """Wait for the end of the process, for a moment; then by force. Its exit code. Not by force at once: of a
        process that is ending, asyncio does not learn the code if it is told to send a signal to it."""
        ending = asyncio.ensure_future(self._process.wait())
        try:
            await asyncio.wait({ending}, timeout=_END_TIMEOUT_S)
        finally:
            if not ending.done():
                with suppress(ProcessLookupError):
                    self._process.kill()
        return await ending


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name in _KEPT or name.startswith("XDG_")}
    home = paths.variable("AO_HOME")
    return {**kept, "AO_HOME": home} if home else kept
