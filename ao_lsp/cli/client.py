"""Requests to the daemon, and how a command line ends."""

from __future__ import annotations

import _socket
import json
import os
import sys
from collections.abc import Callable
from typing import Any, NoReturn

from ao_lsp import protocol
from ao_lsp.cli import terminal
from ao_lsp.connect import DaemonUnavailable


class CommandError(Exception):
    """A command cannot do what it was asked: what the user is told, and what a script reads."""

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.code, self.hint = code, hint


class Client:
    """A connection to the daemon; `reply` is what it said of itself."""

    def __init__(self, session: tuple[_socket.socket, dict[str, Any]]) -> None:
        self._socket, self.reply = session
        self._frames = protocol.Frames()

    def request(
        self,
        method: str,
        params: Any = None,
        progress: Callable[[dict[str, Any]], None] | None = None,
    ) -> dict[str, Any]:
        """The result of a method. `progress` gets `{"done", "total", "message"}`.

        Raises:
            CommandError: the daemon says that it cannot be done, or hangs up.
        """
        try:
            self._socket.sendall(protocol.frame({"id": 1, "method": method, "params": params}))
            while True:
                for head, _ in self._frames:
                    answer = protocol.loads(head)
                    if "progress" in answer:
                        if progress is not None:
                            progress(answer["progress"])
                        continue
                    if "error" in answer:
                        error = answer["error"]
                        raise CommandError(error["code"], error["message"], error.get("hint") or "")
                    result: dict[str, Any] = answer["result"]
                    return result
                data = self._socket.recv(1 << 18)
                if not data:
                    break
                self._frames.feed(data)
        except ConnectionError:
            pass
        raise CommandError("unavailable", "the daemon hung up in the middle of an answer", "see ao-server logs")

    def close(self) -> None:
        self._socket.close()


def run(program: str, as_json: bool, command: Callable[[], int | None]) -> NoReturn:
    """Run a command and end the process: 0, what it returned, or 1 with the reason."""
    try:
        code = command() or 0
        sys.stdout.flush()
    except (CommandError, DaemonUnavailable) as error:
        code = 1
        _report(program, as_json, error)
    except KeyboardInterrupt:
        code = 130
    except BrokenPipeError:
        # Who read our output has seen enough. The interpreter would complain when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        code = 141
    raise SystemExit(code)


def _report(program: str, as_json: bool, error: CommandError | DaemonUnavailable) -> None:
    code, hint = (error.code, error.hint) if isinstance(error, CommandError) else ("unavailable", "")
    if as_json:
        print_json({"error": {"code": code, "message": str(error), "hint": hint}})
        return
    print(f"{program}: {terminal.printable(str(error))}", file=sys.stderr)
    if hint:
        print(f"  {terminal.painted(terminal.printable(hint), '2', sys.stderr)}", file=sys.stderr)


def confirm(question: str) -> None:
    """Ask on the terminal whether something is to be deleted.

    Raises:
        CommandError: it is not.
    """
    print(f"{terminal.printable(question)} [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise CommandError("conflict", "nothing was deleted")


def print_json(value: Any) -> None:
    """One JSON document on stdout."""
    text = json.dumps(value, indent=2, ensure_ascii=False) + "\n"
    sys.stdout.buffer.write(text.encode("utf-8", "replace"))
    sys.stdout.buffer.flush()
