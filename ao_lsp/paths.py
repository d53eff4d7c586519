"""Where sockets, the database, caches and logs live. Imports the standard library only.

`AO_HOME` moves everything below one folder (tests, CI, containers). Without it the XDG base
directories decide. Nothing here creates a folder but `secure_dir`.
"""

from __future__ import annotations

import os
import stat

from ao_lsp.protocol import WIRE

# sun_path holds 108 bytes on Linux and 104 on macOS, one of them the final NUL; a socket is first
# bound under a longer, private name (".<pid>"), so some room is kept.
_SUN_PATH_ROOM = 90


_given: dict[str, str] = {}


def give(name: str, value: str) -> None:
    """Have a variable count as `value` ("": as not set), whatever the environment says: that of a child is its
    program's, and the run that the child belongs to lies where its parent's does."""
    _given[name] = value


def given() -> dict[str, str]:
    """What has been given so."""
    return dict(_given)


def variable(name: str) -> str | None:
    """A variable that decides where things are, or how a daemon is started; None where it is not set."""
    return (_given[name] or None) if name in _given else os.environ.get(name)


def move(scratch: str, place: str) -> None:
    """From now on, and in children, the folder `scratch` stands for `place`: a rerun on old code (docs/versions.md)."""
    give("AO_MOVED", f"{len(scratch)}:{scratch}{place}")


def moved() -> tuple[str, str] | None:
    """What was said so; None in any other run."""
    said = _given.get("AO_MOVED")
    if not said:
        return None
    length, _, both = said.partition(":")
    return both[: int(length)], both[int(length) :]


def as_recorded(file: str) -> str:
    """The name under which `file` is recorded: its own, but in a rerun on old code."""
    found = moved()
    if found is None or not file.startswith(found[0]):
        return file
    return found[1] + file[len(found[0]) :]


class UnsafeDirectory(Exception):
    """A folder that others could write to, or that is not ours, where only we may write."""


def _home() -> str | None:
    home = variable("AO_HOME")
    if not home or home.startswith(os.sep):
        return home or None
    return os.path.abspath(home)


def _base(name: str, xdg: str, default: str) -> str:
    home = _home()
    if home:
        return os.path.join(home, name)
    base = variable(xdg) or ""
    if not base.startswith(os.sep):  # as the XDG specification wants it
        base = os.path.join(_given.get("HOME") or os.path.expanduser("~"), default)
    if not base.startswith(os.sep):  # a user without a home: some containers have none
        return os.path.join(f"/tmp/ao-{os.getuid()}", name)
    return os.path.join(base, "ao")


def runtime_dir() -> str:
    """Sockets and locks: `$XDG_RUNTIME_DIR/ao`, else `/tmp/ao-<uid>`."""
    home = _home()
    if home:
        folder = os.path.join(home, "run")
        if len(os.fsencode(folder)) + len("/p1.status.4194304") <= _SUN_PATH_ROOM:
            return folder
        # A path too long for a socket gets a short twin that depends on nothing but AO_HOME.
        from zlib import crc32

        return f"/tmp/ao-{os.getuid()}-{crc32(os.fsencode(home)):08x}"
    xdg = variable("XDG_RUNTIME_DIR")
    return os.path.join(xdg, "ao") if xdg and xdg.startswith(os.sep) else f"/tmp/ao-{os.getuid()}"


def cache_dir() -> str:
    """What can be made again: rewritten bytecode and logs."""
    return _base("cache", "XDG_CACHE_HOME", ".cache")


def data_dir() -> str:
    """What must not be lost: the database, spooled events, replay plans."""
    return _base("data", "XDG_DATA_HOME", os.path.join(".local", "share"))


def socket_path() -> str:
    """The daemon's socket. One daemon per user and wire version."""
    return os.path.join(runtime_dir(), f"p{WIRE}.sock")


def status_path() -> str:
    """Where the daemon tells how it is, also while it is busy with something else."""
    return os.path.join(runtime_dir(), f"p{WIRE}.status")


def lock_path() -> str:
    """Held (flock) by the daemon for life. Never unlinked."""
    return os.path.join(runtime_dir(), f"p{WIRE}.lock")


def start_lock_path() -> str:
    """Held (flock) by whoever starts a daemon until it is ready."""
    return os.path.join(runtime_dir(), f"p{WIRE}.start")


def pyc_dir() -> str:
    """Rewritten bytecode."""
    return os.path.join(cache_dir(), "pyc")


def git_dir() -> str:
    """The versions of the user's code: a repository in git's format that is nobody else's (docs/versions.md)."""
    return os.path.join(cache_dir(), "git")


def scratch_dir() -> str:
    """Old code of programs that run on it: a folder a rerun, gone when that has ended."""
    return os.path.join(cache_dir(), "scratch")


def log_dir() -> str:
    """`server.log`, `rewrite.log`, `git.log` and what they were before they were rotated; the output of reruns."""
    return os.path.join(cache_dir(), "logs")


def spool_dir() -> str:
    """Events of runs that found no daemon, one file a stream (see docs/wire.md)."""
    return os.path.join(data_dir(), "spool")


def plan_dir() -> str:
    """Replay plans, one file a rerun, and what has been used of each; the runner that uses one removes both."""
    return os.path.join(data_dir(), "plans")


def session_dir() -> str:
    """What later runs of a session have to know of the files that earlier ones wrote."""
    return os.path.join(data_dir(), "sessions")


def session_file(session: str) -> str:
    return os.path.join(session_dir(), f"{session}.json")


def edit_dir() -> str:
    """The files in which an editor's user edits an output; saving one stores the edit."""
    return os.path.join(data_dir(), "edits")


def view_dir() -> str:
    """The read-only files in which an editor shows a graph or a whole call."""
    return os.path.join(cache_dir(), "views")


def database() -> str:
    """The SQLite database of runs, calls and edits."""
    return os.path.join(data_dir(), "ao.db")


def secure_dir(path: str) -> str:
    """Make `path` (and its parents) a folder that only we can enter, and return it.

    Raises:
        UnsafeDirectory: it is a link, not a folder, someone else's, or open to others.
        OSError: it cannot be made.
    """
    parent = os.path.dirname(path)
    if not os.path.isdir(parent):
        os.makedirs(parent, 0o700, exist_ok=True)
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        pass
    found = os.lstat(path)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise UnsafeDirectory(
            f"{path} must be a folder of yours that nobody else can enter "
            f"(chmod 700 {path}), or set AO_HOME to another place"
        )
    return path
