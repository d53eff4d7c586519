"""The daemon: one per user. Started by `ao_lsp.connect`, never by hand.

Its life: cut loose from whoever started it; take the lock, or say BUSY; open the store; publish the
socket; say READY. Then serve until told to stop, until nobody has needed it for a while, or until a
newer version takes over. It leaves in an order that lets no client fall between two daemons: first
the socket goes, then those who had connected are still served, then the lock.

What this module imports at its top has to be enough to report why the rest cannot be imported.
"""

from __future__ import annotations

import asyncio
import logging
import os
import resource
import signal
import stat
import sys
import time
import uuid
from contextlib import suppress

from ao_lsp import __version__, paths
from ao_lsp.connect import READY_FD, START_LOCK_FD
from ao_lsp.server import logs
from ao_lsp.server.presence import DaemonBusyError, Presence

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ao_lsp.server.connections import Connections
    from ao_lsp.server.core import Core
    from ao_lsp.server.vitals import Vitals

log = logging.getLogger(__name__)

IDLE_S = 600.0

_SWITCH_S = 0.001
"""How long a thread that works beside the event loop may hold it up, each time that the loop has something to do: a
client's request has it go round several times. Python's own number is five times as much."""


class _Report:
    """Tells whoever started us how it went, and lets the next starter try."""

    def __init__(self) -> None:
        # Whoever starts a daemon without waiting gives no pipe; a descriptor of that number that
        # is anything else is none of ours.
        try:
            self._pipe = stat.S_ISFIFO(os.fstat(READY_FD).st_mode)
        except OSError:
            self._pipe = False
        self._open = True

    def say(self, word: str) -> None:
        """READY (and what the user is to know), BUSY, or ERR and the reason. Only the first time counts."""
        if not self._open:
            return
        self._open = False
        if self._pipe:
            with suppress(OSError):
                os.write(READY_FD, word.encode("utf-8", "replace"))
        for fd in (READY_FD, START_LOCK_FD):
            with suppress(OSError):
                os.close(fd)


def main() -> None:
    """Be the daemon. Returns when it is no longer needed."""
    _cut_loose()
    report, presence = _Report(), Presence()
    try:
        presence.lock()
        logs.begin()
        sys.setswitchinterval(_SWITCH_S)
        asyncio.run(_serve(presence, report))
    except DaemonBusyError:
        report.say("BUSY")
    except Exception as error:
        log.exception("the daemon failed")
        presence.unlock()
        report.say(f"ERR {_reason(error)}")
        raise SystemExit(1) from None
    finally:
        presence.withdraw()


def _cut_loose() -> None:
    """Keep nothing of the process that started us but the two descriptors meant for us."""
    # A shell starts background commands with these ignored; programs that we start would inherit it.
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    # Nor are limits that a program has set for itself meant for us.
    for limit in (
        resource.RLIMIT_AS,
        resource.RLIMIT_CPU,
        resource.RLIMIT_DATA,
        resource.RLIMIT_FSIZE,
        resource.RLIMIT_NOFILE,
    ):
        hard = resource.getrlimit(limit)[1]
        with suppress(OSError, ValueError):  # macOS has no "unlimited" number of descriptors
            resource.setrlimit(limit, (hard, hard))
    os.chdir("/")
    os.umask(0o077)
    os.closerange(3, READY_FD)
    os.closerange(START_LOCK_FD + 1, os.sysconf("SC_OPEN_MAX"))
    for fd in (READY_FD, START_LOCK_FD):
        with suppress(OSError):
            os.set_inheritable(fd, False)


def _reason(error: Exception) -> str:
    hint = getattr(error, "hint", "")
    text = str(error) or type(error).__name__
    if isinstance(error, ImportError):
        text = f"{sys.executable} lacks a package of the server: {error}"
    return f"{text} ({hint})" if hint else text


async def _serve(presence: Presence, report: _Report) -> None:
    from ao_lsp.server.core import open_core

    daemon = Daemon(presence)
    core = await open_core(daemon.stir, daemon.is_responsible)
    try:
        await daemon.serve(core, report)
    finally:
        await core.close()


class Daemon:
    """The daemon's life after it has a store."""

    def __init__(self, presence: Presence) -> None:
        self._presence = presence
        self._id, self._started = uuid.uuid4().hex, time.time()
        self._stirred = asyncio.Event()
        self._stopping = self._retiring = False
        self._idle_s = _idle_s()
        self._connections: Connections
        self._vitals: Vitals

    def stir(self) -> None:
        """Something happened that may decide whether we are still needed."""
        self._stirred.set()

    def is_responsible(self) -> bool:
        """Whether there is no newer daemon."""
        return not self._retiring

    async def serve(self, core: Core, report: _Report) -> None:
        """Publish, report READY, and serve until no longer needed."""
        from ao_lsp.server.connections import Connections
        from ao_lsp.server.control import Control
        from ao_lsp.server.vitals import Vitals

        control = Control(
            self._id, self._started, self._idle_s, lambda: self._retiring, lambda: self._connections, self.stop
        )
        self._connections = Connections(core, control.commands(), self._id, self.stir, self._retire)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(number, self.stop)
        self._vitals = Vitals(lambda: control.facts(core))
        self._vitals.begin()
        self._publish()
        report.say(f"READY {core.store.news}" if core.store.news else "READY")
        log.info("daemon %s of version %s serves %s", self._id, __version__, paths.socket_path())
        await self._until_unneeded(core)
        self._withdraw()
        self._vitals.end()
        core.leaving = True
        await self._connections.close()
        log.info("daemon %s leaves", self._id)

    def stop(self) -> None:
        """Leave now. The socket goes at once, so that who comes next finds no dying daemon."""
        self._withdraw()
        self._stopping = True
        self.stir()

    def _retire(self) -> None:
        """Make room for a newer daemon: no new clients, no lock; leave when the present ones have."""
        if not self._retiring:
            log.info("a newer client came: daemon %s retires", self._id)
            self._retiring = True
            self._withdraw()
            self._vitals.withdraw()
            self._presence.unlock()
            self.stir()

    async def _until_unneeded(self, core: Core) -> None:
        idle_since: float | None = None
        while True:
            self._stirred.clear()
            if self._stopping:
                return
            left: float | None = None
            if len(self._connections) or len(core.reruns):
                idle_since = None
            elif self._retiring:  # what else there is to look after, the new daemon looks after
                return
            elif core.busy:
                idle_since = None
            elif self._idle_s > 0:
                idle_since = idle_since or time.monotonic()
                left = idle_since + self._idle_s - time.monotonic()
                if left <= 0:
                    if self._unneeded():
                        return
                    continue
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._stirred.wait(), left)

    def _unneeded(self) -> bool:
        """Whether nobody came in the last moment. Unpublished first: who connects after this check
        finds no socket, and starts a new daemon when the lock is free."""
        self._presence.withdraw()
        listener = self._presence.listener
        if listener is not None:
            self._connections.accept_all(listener)
        if not len(self._connections):
            return True
        self._withdraw()
        self._publish()
        return False

    def _publish(self) -> None:
        listener = self._presence.publish()
        asyncio.get_running_loop().add_reader(listener, self._connections.accept_all, listener)

    def _withdraw(self) -> None:
        """No new clients; those who have connected already are accepted."""
        self._presence.withdraw()
        listener = self._presence.listener
        if listener is not None:
            self._connections.accept_all(listener)
            asyncio.get_running_loop().remove_reader(listener)
            self._presence.stop_listening()


def _idle_s() -> float:
    """Seconds without anybody before the daemon leaves; 0: never."""
    from ao_lsp.server.configuration import of_daemon

    return float(of_daemon("idle_s", IDLE_S))
