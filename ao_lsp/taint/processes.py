"""Child processes and sockets: what comes back is the answer to what was said (streams.py)."""

from __future__ import annotations

from _thread import get_ident
from posix import fstat

from ao_lsp.taint import streams
from ao_lsp.taint.adopt import adopt, blame
from ao_lsp.taint.frames import unseen
from ao_lsp.taint.kept import keep
from ao_lsp.taint.origins import NOTHING, through, union
from ao_lsp.taint.reach import reach
from ao_lsp.taint.state import STARTED, TAINT
from ao_lsp.taint.table import SOURCE, watch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

keep(__name__)


@unseen
def popen(function: Any, /, *args: Any, **kwargs: Any) -> Any:
    """`subprocess.Popen`: all that a child says is made of what it was started with."""
    STARTED.pop(get_ident(), None)
    made = function(*args, **kwargs)
    origins = reach([*args, *kwargs.values()]) if TAINT else NOTHING
    handles = [handle for handle in (made.stdin, made.stdout, made.stderr) if handle is not None]
    streams.pair(handles, origins, STARTED.pop(get_ident(), ""))
    return made


@unseen
def run(function: Any, /, *args: Any, **kwargs: Any) -> Any:
    """`subprocess.run` and `check_output`: the same in one."""
    STARTED.pop(get_ident(), None)
    try:
        result = [function(*args, **kwargs)]
    except BaseException as error:
        origins = reach([*args, *kwargs.values()]) if TAINT else NOTHING
        blame(error, through(origins, STARTED.pop(get_ident(), "")))
        raise
    origins = reach([*args, *kwargs.values()]) if TAINT else NOTHING
    return adopt(result.pop(), through(origins, STARTED.pop(get_ident(), "")), False, (args, kwargs))


@unseen
def communicate(function: Any, /, *args: Any, **kwargs: Any) -> Any:
    """`Popen.communicate`."""
    process = function.__self__
    origins = reach([*args, *kwargs.values()]) if TAINT else NOTHING
    for handle in (process.stdin, process.stdout, process.stderr):
        exchange = streams.exchange_with(handle)
        if exchange is not None:
            origins = union(through(origins, exchange.child), exchange.answer())
    return adopt(function(*args, **kwargs), origins, True)


def _exchange(method: Any) -> streams.Exchange | None:
    try:
        found = fstat(method.__self__.fileno())
    except Exception:
        return None
    return streams.exchange_of((found.st_dev, found.st_ino), method.__self__)


@unseen
def send(method: Any, /, *args: Any, **kwargs: Any) -> Any:
    """`socket.send`, `sendall`, `sendto`, `sendmsg`."""
    exchange = _exchange(method) if TAINT else None
    if exchange is not None:
        exchange.tell(reach(args))
    return method(*args, **kwargs)


@unseen
def receive(method: Any, /, *args: Any, **kwargs: Any) -> Any:
    """`socket.recv` and its like."""
    exchange = _exchange(method) if TAINT else None
    result = [method(*args, **kwargs)]
    if exchange is None or not result[0]:
        return result.pop()
    origins = exchange.answer()
    if origins and type(result[0]) is int and type(args[0]) is bytearray:
        watch(args[0], origins, SOURCE)
    return adopt(result.pop(), origins, True)


SOCKET_METHODS = {
    **dict.fromkeys(("send", "sendall", "sendto", "sendmsg"), send),
    **dict.fromkeys(("recv", "recvfrom", "recvmsg", "recv_into", "recvfrom_into"), receive),
}
