"""Requests to the daemon, and how a command line ends."""

from __future__ import annotations

import _socket
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, NoReturn

from ao_lsp import protocol
from ao_lsp.cli import terminal
from ao_lsp.connect import DaemonUnavailable, log_path, open_session, vital_sign, without_daemon

if TYPE_CHECKING:
    import socket


class CommandError(Exception):
    """A command cannot do what it was asked: what the user is told, and what a script reads."""

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.code, self.hint = code, hint


_PATIENCE_S = 5.0
"""After so long without a word it is looked whether the daemon still is at it."""


class HungUpError(CommandError):
    """The daemon left in the middle of an answer."""


class Client:
    """A connection to the daemon; `reply` is what it said of itself."""

    def __init__(self, session: tuple[_socket.socket | socket.socket, dict[str, Any]]) -> None:
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
            CommandError: the daemon says that it cannot be done.
            HungUpError: it hangs up.
        """
        for kind, said in self._answers(method, params):
            if kind == "result":
                result: dict[str, Any] = said
                return result
            if kind == "progress" and progress is not None:
                progress(said)
        raise AssertionError("unreachable: _answers ends with a result or raises")

    def events(self, params: Any) -> Iterator[dict[str, Any]]:
        """The messages of `events.subscribe`, until the daemon says that there are no more.

        Raises:
            CommandError: the daemon says that it cannot be done.
            HungUpError: it hangs up.
        """
        for kind, said in self._answers("events.subscribe", params):
            if kind == "events":
                yield said

    def _answers(self, method: str, params: Any) -> Iterator[tuple[str, Any]]:
        """What comes for a request, the result last: what it is, and what is in it."""
        try:
            self._socket.sendall(protocol.frame({"id": 1, "method": method, "params": params}))
            while True:
                for head, _ in self._frames:
                    answer = protocol.loads(head)
                    if "error" in answer:
                        error = answer["error"]
                        raise CommandError(error["code"], error["message"], error.get("hint") or "")
                    for kind in ("progress", "events", "result"):
                        if kind in answer:
                            yield kind, answer[kind]
                    if "result" in answer:
                        return
                data = self._receive()
                if not data:
                    break
                self._frames.feed(data)
        except ConnectionError:
            pass
        raise HungUpError("unavailable", "the daemon hung up in the middle of an answer", f"see {log_path()}")

    def _receive(self) -> bytes:
        """What comes next. An answer may take long; a daemon that does not even say that it is busy is not waited for.

        Raises:
            CommandError: it is stuck.
        """
        self._socket.settimeout(_PATIENCE_S)
        while True:
            try:
                return self._socket.recv(1 << 18)
            except TimeoutError:
                if self.reply and vital_sign() == b"":
                    hint = f"see {log_path()}; ao-server restart gets rid of it"
                    raise CommandError("unavailable", "the daemon does not answer: it is stuck", hint) from None

    def close(self) -> None:
        self._socket.close()


_closed_at_the_end = ExitStack()


def connected(**more: Any) -> Client:
    """A connection to the daemon, which is started where there is none; with `AO_NO_DAEMON`, to a server in this
    process. `more` goes into the preamble.

    Raises:
        DaemonUnavailable: it cannot be had.
    """
    if not without_daemon():
        return Client(open_session("cli", **more))
    from ao_lsp.cli import local

    # Once for a process: what it does it does in turn.
    return Client((_closed_at_the_end.enter_context(local.serving()), {}))


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
    finally:
        _closed_at_the_end.close()
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
