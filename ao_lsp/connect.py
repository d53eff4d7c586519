"""Reach the daemon, and start it where there is none. Shared by runner, command line and forwarder.

Liveness is a held `flock`, never a pid file. Starters serialise on a second lock, which the child
inherits and lets go when it is ready; so a starter need not wait, and twenty of them start one
daemon. Imports only what a warm `ao-record` can afford: `_socket` instead of `socket` (which would
drag in `selectors` and `enum`), no `subprocess`.
"""

from __future__ import annotations

import _socket
import os
import sys
import time

# Not as `os` has it: there it is the program's, or watched (runner/execs.py).
from posix import posix_spawn as _start

from ao_lsp import __version__, paths, protocol

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

READY_FD, START_LOCK_FD = 98, 99
"""Where a started daemon finds the readiness pipe and the start lock."""

REPLY_TIMEOUT_S = 5.0
VITAL_SIGN_S = 2.0
START_TIMEOUT_S = 30.0
LEAVE_S = 20.0
"""How long somebody may hold the daemon's lock without listening, and without being about to."""

_ENV_BYTES = protocol.MAX_LINE * 3 // 4  # the rest of the preamble has to fit, too

# What of the starter's environment a daemon may see: it outlives the starter and serves others, so
# nothing that belongs to one project or shell.
_KEPT = ("HOME", "PATH", "USER", "LOGNAME", "LANG", "TMPDIR", "TZ", "SYSTEMROOT")

# `-c` puts "" first on sys.path; it is taken off before anything of ours is imported, so that a
# `queue.py` in the user's folder cannot shadow the standard library.
_BOOT = "import sys; del sys.path[0]; from ao_lsp.server.daemon import main; main()"


class DaemonUnavailable(Exception):
    """No daemon could be reached or started; the message says why and what to do."""


_server_python: str | None = None


def use_server_python(python: str) -> None:
    """Say which interpreter has the server's packages, where it is not this one: `ao-record` hands
    over to the project's interpreter, and that one need not have them."""
    global _server_python
    _server_python = python


def server_python() -> str:
    """The interpreter that a daemon is started with; `AO_SERVER_PYTHON` overrides it."""
    return paths.variable("AO_SERVER_PYTHON") or _server_python or sys.executable


def preamble(role: str, **more: Any) -> bytes:
    """The first line of a connection. `role` is record, cli, lsp or web."""
    try:
        cwd = os.getcwd()
    except OSError:
        cwd = "/"
    return protocol.line(
        {
            "ao": protocol.WIRE,
            "role": role,
            "version": __version__,
            "pid": os.getpid(),
            "cwd": cwd,
            "python": sys.executable,
            **more,
        }
    )


def environment() -> dict[str, Any]:
    """The part of a preamble that tells the daemon our environment, for what it starts for us. Of one
    that does not fit into a preamble, the longest variables stay behind."""
    env = dict(os.environ)
    for name in sorted(env, key=lambda name: len(env[name]), reverse=True):
        if len(protocol.dumps(env)) <= _ENV_BYTES:
            break
        del env[name]
    return {"env": env}


def connect() -> _socket.socket | None:
    """A connected socket without a preamble yet; None where no daemon listens.

    Raises:
        paths.UnsafeDirectory: someone else could have put the socket there.
    """
    folder = paths.runtime_dir()
    if not os.path.isdir(folder):
        return None
    paths.secure_dir(folder)
    sock = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    try:
        sock.connect(paths.socket_path())
    except OSError:
        sock.close()
        return None
    return sock


def read_line(sock: _socket.socket, limit: int = 1 << 16) -> bytes:
    """The reply to a preamble, without what follows it; b"" where the peer hung up."""
    received = bytearray()
    while not received.endswith(b"\n"):
        # One byte at a time: whatever follows the line belongs to somebody else.
        piece = sock.recv(1)
        if not piece or len(received) > limit:
            return b""
        received += piece
    return bytes(received)


def vital_sign(timeout: float = VITAL_SIGN_S) -> bytes | None:
    """What the daemon says of itself, a line of JSON, also while it is busy with something else (docs/wire.md); b""
    from one that does not even say that: it is stuck. None where there is none that could."""
    try:
        if not os.path.isdir(paths.runtime_dir()):
            return None
        paths.secure_dir(paths.runtime_dir())
    except (OSError, paths.UnsafeDirectory):
        return None
    sock = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    said = b""
    try:
        sock.settimeout(timeout)
        try:
            sock.connect(paths.status_path())
        except TimeoutError:
            return b""
        except OSError:
            return None
        while not said.endswith(b"\n"):
            piece = sock.recv(1 << 16)
            if not piece:  # it left in the middle of it
                return None
            said += piece
    except OSError:
        return b""
    finally:
        sock.close()
    return said


def without_daemon() -> bool:
    """Whether the user wants no daemon to be started (`AO_NO_DAEMON=1`: CI, containers, debugging)."""
    return paths.variable("AO_NO_DAEMON") not in (None, "", "0")


def start_without_waiting() -> None:
    """Have a daemon started, unless someone is at it or `without_daemon`; return at once, whatever happens.

    For the runner: the program must not wait for us, and its events are spooled meanwhile.
    """
    if without_daemon():
        return
    try:
        paths.secure_dir(paths.runtime_dir())
        lock = _try_start_lock()
        if lock is None:
            return
        try:
            sock = connect()
            if sock is not None:
                sock.close()
                return
            if not is_locked(paths.lock_path()):
                _spawn(lock, None)
        finally:
            os.close(lock)
    except Exception:  # fail open: recording is worth less than the program
        return


def open_session(role: str, timeout: float = START_TIMEOUT_S, **more: Any) -> tuple[_socket.socket, dict[str, Any]]:
    """A connection after both preambles, and the daemon's reply; starts a daemon where none is.

    Raises:
        DaemonUnavailable: none could be started, or it refuses us.
    """
    deadline = time.monotonic() + timeout
    started, waiting_since = False, None
    while True:
        session = _try_session(role, more)
        if isinstance(session, tuple):
            return session
        if lock_holder() is None:
            waiting_since = None
        elif waiting_since is None:
            waiting_since = time.monotonic()
        elif time.monotonic() - waiting_since > LEAVE_S and not is_locked(paths.start_lock_path()):
            raise DaemonUnavailable(_held())
        if session == "RETIRING" and started:
            raise DaemonUnavailable(
                f"the daemon that {server_python()} starts is older than this client ({__version__}); "
                "install the same version of ao-lsp there"
            )
        started = _start_and_wait(deadline) or started
        if time.monotonic() > deadline:
            raise DaemonUnavailable(f"no answer from the daemon within {timeout:.0f} s; see {log_path()}")


def existing_session(role: str, **more: Any) -> tuple[_socket.socket, dict[str, Any]] | None:
    """Like `open_session`, but never starts a daemon, nor has an older one retire: None where there is
    none."""
    session = _try_session(role, {**more, "retire": False})
    return session if isinstance(session, tuple) else None


def _try_session(role: str, more: dict[str, Any]) -> tuple[_socket.socket, dict[str, Any]] | str | None:
    """A session; None where there is no daemon (any more); "RETIRING" from one that makes way."""
    try:
        sock = connect()
    except paths.UnsafeDirectory as error:
        raise DaemonUnavailable(str(error)) from None
    if sock is None:
        return None
    try:
        sock.settimeout(REPLY_TIMEOUT_S)
        sock.sendall(preamble(role, **more))
        answer = _reply(sock)
        sock.settimeout(None)
    except TimeoutError:
        sock.close()
        if lock_holder() is None:  # it is nobody of ours, and a daemon takes its place
            return None
        raise DaemonUnavailable(
            f"the daemon does not answer; see {log_path()}, or stop it with: ao-server stop"
        ) from None
    except OSError:
        sock.close()
        return None
    if not answer:  # it was about to leave: try again
        sock.close()
        return None
    try:
        reply = protocol.loads(answer)
    except protocol.ProtocolError:
        reply = None
    if not isinstance(reply, dict):  # nor is this
        sock.close()
        if lock_holder() is None:
            return None
        raise DaemonUnavailable(f"the daemon says nothing that makes sense; see {log_path()}")
    if reply.get("ok"):
        return sock, reply
    sock.close()
    if reply.get("code") == "RETIRING":
        return "RETIRING"
    raise DaemonUnavailable(f"the daemon refuses: {reply.get('message') or reply.get('code')}")


def _reply(sock: _socket.socket) -> bytes:
    """The line that comes back. A daemon that is busy with something else gets to it later, and is waited for.

    Raises:
        TimeoutError: nobody who is at work.
    """
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        try:
            return read_line(sock)
        except TimeoutError:
            if time.monotonic() > deadline or not vital_sign():
                raise


def lock_holder() -> int | None:
    """The process that is the daemon, or is about to be or to leave; 0 where it is not known which. None: nobody."""
    if not is_locked(paths.lock_path()):
        return None
    try:
        with open(paths.lock_path(), "rb") as lock:
            pid = int(protocol.loads(lock.read(4096))["pid"])
        held = os.stat(paths.lock_path())
    except (OSError, ValueError, KeyError, TypeError):
        return 0  # it has not written it yet
    folder = f"/proc/{pid}/fd"
    try:
        opened = os.listdir(folder)
    except OSError:
        # What stands there is of an earlier one, whose number is nobody's now or another user's; or there is no /proc.
        return 0 if os.path.isdir("/proc/self/fd") else pid
    for fd in opened:
        try:
            found = os.stat(f"{folder}/{fd}")
        except OSError:
            continue
        if (found.st_dev, found.st_ino) == (held.st_dev, held.st_ino):
            return pid
    return 0


def is_locked(path: str) -> bool:
    """Whether a process holds the lock file `path`. Looking takes it, shared, for a moment."""
    from fcntl import LOCK_NB, LOCK_SH, flock

    try:
        lock = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        flock(lock, LOCK_SH | LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(lock)
    return False


def _held() -> str:
    pid = lock_holder()
    who = f"process {pid}" if pid else "a process that is no daemon"
    what = "end it with: ao-server stop" if pid else "end it: `fuser` or `lsof` says which it is"
    return f"{who} holds {paths.lock_path()} and does not serve; see {log_path()}, or {what}"


def _try_start_lock() -> int | None:
    from fcntl import LOCK_EX, LOCK_NB, flock

    lock = os.open(paths.start_lock_path(), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        flock(lock, LOCK_EX | LOCK_NB)
    except OSError:
        os.close(lock)
        return None
    return lock


def _start_and_wait(deadline: float) -> bool:
    """Start a daemon, or wait for whoever does; whether we did. A new attempt to connect is due then."""
    try:
        paths.secure_dir(paths.runtime_dir())
        lock = _try_start_lock()
    except (OSError, paths.UnsafeDirectory) as error:
        raise DaemonUnavailable(str(error)) from None
    if lock is None:
        # Polling, because a blocking flock would ignore the deadline.
        time.sleep(0.02)
        return False
    try:
        sock = connect()
        if sock is not None and lock_holder() is not None:
            sock.close()
            return False
        if sock is not None:  # somebody listens who is no daemon
            sock.close()
        elif is_locked(paths.lock_path()):  # a daemon leaves, or somebody else holds it: not a thing to start one for
            time.sleep(0.02)
            return False
        ready, report = os.pipe()
        try:
            try:
                _spawn(lock, report)
            finally:
                os.close(report)
            said = _read_report(ready, deadline)
        finally:
            os.close(ready)
    finally:
        os.close(lock)
    if said.startswith("ERR"):
        raise DaemonUnavailable(said[3:].strip())
    if not said:
        raise DaemonUnavailable(f"the daemon did not start; see {log_path()}")
    if said.startswith("READY ") and sys.stderr is not None:  # something has happened to what the user has recorded
        print(f"ao: {said[6:]}", file=sys.stderr)
    if said == "BUSY":  # one holds the lock and is about to listen or to leave
        time.sleep(0.02)
        return False
    return True


def _read_report(fd: int, deadline: float) -> str:
    import select

    said = b""
    while True:
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([fd], [], [], left)[0]:
            raise DaemonUnavailable(f"the daemon did not become ready in time; see {log_path()}")
        piece = os.read(fd, 4096)
        said += piece
        if not piece:
            return said.decode("utf-8", "replace")


def _spawn(lock: int, report: int | None) -> None:
    """Start the daemon as nobody's child: a program that waits for its children must not meet it.

    The shell puts it in the background and ends; only the shell is our child, and is reaped here.
    """
    log = log_path()
    os.makedirs(os.path.dirname(log), 0o700, exist_ok=True)
    actions: list[Any] = [
        (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0),
        (os.POSIX_SPAWN_OPEN, 2, log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
        (os.POSIX_SPAWN_DUP2, lock, START_LOCK_FD),
    ]
    if report is not None:
        actions.append((os.POSIX_SPAWN_DUP2, report, READY_FD))
    else:
        # A descriptor of that number that the program passes to its children is not for the daemon.
        actions.append((os.POSIX_SPAWN_OPEN, READY_FD, "/dev/null", os.O_WRONLY, 0))
    arguments = ["sh", "-c", '"$@" &', "sh", server_python(), "-c", _BOOT]
    environment = {
        name: value for name, value in os.environ.items() if name in _KEPT or name.startswith(("XDG_", "LC_", "AO_"))
    }
    environment.update(paths.given())
    for name in [name for name, value in environment.items() if not value or name == "AO_PLAN"]:
        del environment[name]
    try:
        pid = _start("/bin/sh", arguments, environment, file_actions=actions, setsid=True)
    except NotImplementedError:  # a libc without POSIX_SPAWN_SETSID
        pid = _start("/bin/sh", arguments, environment, file_actions=actions, setpgroup=0)
    os.waitpid(pid, 0)


def log_path() -> str:
    """The daemon's log."""
    return os.path.join(paths.log_dir(), "server.log")
