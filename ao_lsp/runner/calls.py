"""One recorded call, from its request to the end of its response."""

from __future__ import annotations

import _thread
import os
import sys
import time

from ao_lsp.runner import ancestry, endpoints, places, secrets
from ao_lsp.runner.keys import request_hash
from ao_lsp.runner.replay import site_key
from ao_lsp.taint import escrow, lineage, reach, replies
from ao_lsp.taint.kept import keep
from ao_lsp.taint.origins import call_and_children, union

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Protocol

    from ao_lsp.runner.across import Across
    from ao_lsp.runner.gateway import Gateway
    from ao_lsp.runner.groups import Where
    from ao_lsp.runner.order import Order, Turn
    from ao_lsp.runner.places import Place
    from ao_lsp.runner.replay import Entry, Plan
    from ao_lsp.taint.origins import Origins

    class Recorder(Protocol):
        """Whoever records calls: the recorder of a program, or a gateway."""

        plan: Plan | None

        @property
        def tracks(self) -> bool: ...
        @property
        def stream(self) -> str: ...
        def post(self, event: dict[str, Any], **parts: bytes) -> None: ...
        def begins(self, recorded: str | None, call: str, at: float) -> None: ...
        def refusal(self, request_hash: str, site: Place | None, url: str) -> str: ...
        def where(self) -> Where | None: ...
        def note(self, message: str) -> None: ...


keep(__name__)


class Call:
    """What the transports report to. Its methods never raise; a call is over once, whatever is
    reported later.

    `entry` is the recording to serve or to send in place of what the program sends, or None.
    `refused`: why the call must not be made, where the policy forbids one that has no recording; "" where
    it may be.
    """

    def __init__(
        self,
        recorder: Recorder,
        transport: str,
        method: str,
        url: str,
        kind: str,
        gateway: Gateway | None = None,
    ) -> None:
        self.id = os.urandom(6).hex()
        self.transport = transport
        self.entry: Entry | None = None
        self.refused = ""
        self._recorder = recorder
        self._gateway = gateway  # that it goes through; `url` is where it arrives
        self._method = method
        self._url = url
        self._kind = kind
        self._started = time.time()
        self._clock = time.perf_counter()
        self._first_byte: float | None = None
        self._status: int | None = None
        self._headers: list[list[str]] = []
        self._chunks: list[list[float]] = []
        self._pieces: list[bytes] = []
        self._escrow = escrow.current()
        self._over = _thread.allocate_lock()
        self._turn: Turn | None = None
        self._order: Order | None = None
        self._across: Across | None = None
        self._subrun: str | None = None
        self._recorded = True
        self._replayable = False
        self._made_of: list[dict[str, Any]] = []
        """Of a function: the calls inside of it that what it returned came from."""
        self._stream = recorder.stream

    def start(self, headers: list[tuple[str, str]], body: bytes, given: Any = None) -> None:
        """The request is known: decide what happens to it, and say that it has begun. `given` is what the
        request was made of, where that is at hand: its origins are inputs, whoever handed it on."""
        host, path, query = _split(self._url)
        hashed = request_hash(self._method, host, path, query, body)
        inputs = escrow.inputs_of_call()
        if given is not None and self._recorder.tracks:
            inputs = union(inputs, reach.reach((given,)))
        self.begin(self._endpoint(path), hashed, headers, body, inputs)

    def begin(self, endpoint: str, hashed: str, headers: list[tuple[str, str]], body: bytes, inputs: Origins) -> None:
        """The same, by what a replay matches it by, and what went into it."""
        stack = places.stack()
        site = stack[0] if stack else None
        strand = ancestry.of_call(lineage.of_call())
        plan, where = self._recorder.plan, self._recorder.where()
        if where is not None:
            self._subrun, self._recorded = where.subrun, where.recorded
        entry = None
        if plan is not None:
            entry = plan.match(hashed, site_key(site), strand, stack, where.path if where is not None else ())
            if entry is None:
                self.refused = self.refusal(hashed, site)
            elif self.serves(entry):
                self.entry = entry
                if entry.turn is not None and plan.order is not None:
                    self._turn, self._order = entry.turn, plan.order
                    self._order.began(self._turn)
                if plan.across is not None and plan.across.begins(entry):
                    self._across = plan.across
            if entry is not None and not self._recorded:
                self.id = entry.call  # so that what comes of it is known to come from there
            elif not self._recorded and not self.refused and self._kind != "tool":
                place = f"{site['file']}:{site['line']}" if site else "an unknown place"
                self._recorder.note(f"outside of the subrun, the call at {place} had no recording and was made")
        self._recorder.begins(entry.call if entry else None, self.id, self._started)
        action = self.entry.action if self.entry else "live"
        sent = self.entry.request if self.entry and action == "input" else body
        if self._gateway is not None and not self.refused and action in ("live", "input"):
            self._gateway.expect(hashed if sent is body else hash_of(self._method, self._url, sent))
        if not self._recorded:
            return  # it is outside of the subrun that is rerun alone
        self._post(
            {
                "type": "call.start",
                "at": self._started,
                "call": self.id,
                "kind": self._kind,
                "transport": self.transport,
                "method": self._method,
                "url": secrets.clean_url(self._url),
                "endpoint": endpoint,
                "headers": secrets.clean_headers(headers),
                "request_hash": hashed,
                "site": site,
                "stack": stack,
                "lineage": strand,
                "thread": _thread_name(),
                "task": _task_name(),
                "inputs": edges(inputs, site),
                "origin": {"replay": "replayed", "edited": "edited"}.get(action, "live"),
                "source_call": self.entry.call if self.entry else None,
                "input_edited": action == "input",
            },
            request=sent,
        )

    def serves(self, entry: Entry) -> bool:
        """Whether what is recorded has a part in this call."""
        return entry.action != "live"

    def refusal(self, hashed: str, site: places.Place | None) -> str:
        """Why a call that has no recording must not be made; "" where it may be."""
        return self._recorder.refusal(hashed, site, self._url)

    def _post(self, event: dict[str, Any], **parts: bytes) -> None:
        if self._recorded:
            if self._subrun is not None:
                event["subrun"] = self._subrun
            self._recorder.post(event, **parts)

    # -- whose turn it is, where calls are replayed side by side

    @property
    def turn(self) -> tuple[Order, Turn] | None:
        """What it waits for before it receives anything more; None where it need not wait."""
        if self._turn is None or self._order is None or self._turn.received >= len(self._turn.times):
            return None
        return self._order, self._turn

    def wait(self) -> None:
        """Wait for this call's turn, in a thread. Its whole response counts as received then, unless that is
        a stream."""
        try:
            turn = self.turn
            if turn is not None:
                turn[0].wait(turn[1])
                self.take()
            while (seconds := self.others_s()) > 0:
                lock = _thread.allocate_lock()  # the program may have replaced `time.sleep`
                lock.acquire()
                lock.acquire(timeout=seconds)
        except Exception as error:
            self._recorder.note(f"a call is answered out of its turn: {error!r}")

    def others_s(self) -> float:
        """For how many seconds it waits for other processes before it asks again; 0 where it need not."""
        if self._across is None or self.entry is None or self._chunks:
            return 0.0
        return self._across.wait_s(self.entry)

    def take(self) -> None:
        """It is this call's turn."""
        if self._turn is not None and self._order is not None and len(self._turn.times) == 1:
            self._order.advance(self._turn)

    def _endpoint(self, path: str) -> str:
        """The path of a request; of another call something that is not taken for one."""
        if self._kind == "http":
            return f"{self._method} {path}"
        return path if self._url.startswith("http") else path[1:]

    # -- the response

    def answered(self, status: int, headers: list[tuple[str, str]]) -> None:
        """The head of the response is there. From now on what the program gets is this call's."""
        self._status = status
        self._headers = secrets.clean_headers(headers)
        if status < 400:
            if self._recorder.tracks:
                encodings = [value for name, value in self._headers if name.lower() == "content-encoding"]
                replies.remember(self.id, replies.Reply(self._pieces, "".join(encodings)))
            escrow.produced(self.id, self._escrow)
            # `http.client` sends in one call of the user's, and gets the response in another.
            here = escrow.ACTIVE_TAINT.get()
            if here is not self._escrow:
                escrow.produced(self.id, here)

    def received(self, chunk: bytes) -> None:
        """A piece of the response's body has arrived."""
        now = time.perf_counter() - self._clock
        if self._first_byte is None:
            self._first_byte = now
        self._pieces.append(chunk)
        if self._turn is not None and self._order is not None and self._turn.received < len(self._turn.times) - 1:
            self._order.advance(self._turn)
        self._chunks.append([len(chunk), round(now, 6)])

    def finished(self, complete: bool = True) -> None:
        """The response has ended; `complete` is False where the program stopped reading it."""
        failed = self._status is None or self._status >= 400
        self._end("error" if failed else "ok", None, complete)

    def failed(self, error: BaseException) -> None:
        """No response, or none to its end."""
        name = type(error).__name__
        cancelled = name in ("CancelledError", "Cancelled", "GeneratorExit", "KeyboardInterrupt")
        said = {"type": name, "message": secrets.message_of(error)}
        self._end("cancelled" if cancelled else "error", said, False)

    @property
    def is_over(self) -> bool:
        """Whether its end has been reported."""
        return self._over.locked()

    def _end(self, status: str, error: dict[str, Any] | None, complete: bool) -> None:
        if not self._over.acquire(blocking=False):
            return
        if self._stream != self._recorder.stream:  # a forked child throws away what its parent goes on with
            return
        if self._turn is not None and self._order is not None:
            self._order.end(self._turn)
        if self._across is not None and self.entry is not None:
            self._across.ends(self.entry)
        self._post(
            {
                "type": "call.end",
                "call": self.id,
                "status": status,
                "http_status": self._status,
                "headers": self._headers,
                "error": error,
                "first_byte": self._first_byte,
                "ended": round(time.perf_counter() - self._clock, 6),
                "chunks": self._chunks,
                "complete": complete,
                **({"replayable": True} if self._replayable else {}),
                **({"inputs": self._made_of} if self._made_of else {}),
            },
            response=b"".join(self._pieces),
        )


def edges(inputs: Origins, site: places.Place | None) -> list[dict[str, Any]]:
    """The calls that something came from, and the way that it took to `site`."""
    found: dict[str, dict[str, Any]] = {}
    for source in sorted(inputs):
        call, children = call_and_children(source)
        if call not in found:  # sorted: what came through no child is first
            found[call] = {"call": call, "evidence": "tracked", "path": places.way(inputs, source, site)}
            if children:
                found[call]["through"] = children
        elif children and "through" in found[call]:
            found[call]["through"] += children
    return list(found.values())


def kind_of(method: str, url: str) -> str | None:
    """Which kind of call a request is; None where it is none."""
    _, path, query = _split(url)
    if path.rstrip("/") == "/messages" and query.startswith("session_id="):
        return None  # how MCP sends to servers that answer by events
    return endpoints.kind_of(method, path)


def hash_of(method: str, url: str, body: bytes) -> str:
    """The key of a request (keys.py)."""
    return request_hash(method, *_split(url), body)


def _split(url: str) -> tuple[str, str, str]:
    """Host (without port), path and query of a URL."""
    rest = url.partition("://")[2] or url
    address, _, query = rest.partition("#")[0].partition("?")
    authority, slash, path = address.partition("/")
    host = authority.rpartition("@")[2]
    host = host[: host.find("]") + 1] if host.startswith("[") else host.partition(":")[0]
    return host, slash + path or "/", query


def _thread_name() -> str | None:
    threading = sys.modules.get("threading")
    # Not `current_thread()`: that would register a thread which the program does not know of.
    thread = threading._active.get(_thread.get_ident()) if threading is not None else None
    return thread.name if thread is not None else None


def _task_name() -> str | None:
    asyncio = sys.modules.get("asyncio")
    if asyncio is None or asyncio._get_running_loop() is None:
        return None
    task = asyncio.current_task()
    return task.get_name() if task is not None else None
