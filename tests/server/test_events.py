"""Changes for whoever follows them: from any number on, each once, whatever becomes of the connection or the daemon."""

from __future__ import annotations

import asyncio
import json
import random
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ao_lsp import connect, protocol
from ao_lsp.cli.client import Client, CommandError, HungUpError
from ao_lsp.cli.events import stream
from ao_lsp.server import answers, changes, events
from ao_lsp.server.connections import Connections
from ao_lsp.server.core import Core, open_core
from ao_lsp.server.graph import RunEnded
from ao_lsp.server.model import Change
from tests.daemons import LONG_S, ask, dial, kill, log, own_home, patched_python, read_line, start, until
from tests.recorder import Recorder, record_run

pytestmark = pytest.mark.usefixtures("home")

RUN1 = ["run.started", "call.started", "call.ended", "call.started", "call.ended", "run.ended"]


def subscribed() -> Client:
    """A connection on which `events` are to be read."""
    return Client(connect.open_session("cli"))


def told(run: str | None = None, after: int = 0) -> list[dict[str, Any]]:
    """Every message of what there is now."""
    return list(stream({"run": run} if run else {}, after, False))


def test_what_was_committed_can_be_read_from_any_number_on() -> None:
    start()
    record_run("run1", 2)
    (whole,) = told("run1")
    assert [change["kind"] for change in whole["changes"]] == RUN1
    assert [change["seq"] for change in whole["changes"]] == [1, 2, 3, 4, 5, 6]
    assert (whole["session"], whole["seq"]) == ("session-run1", 6)
    assert [change["seq"] for change in told("run1", 4)[0]["changes"]] == [5, 6]
    assert told("run1", 6) == []


def test_only_the_run_that_was_asked_for_and_the_whole_session_where_it_is_asked_for() -> None:
    start()
    record_run("run1", 1, session="s")
    record_run("run2", 1, session="s")
    (message,) = told("run2")
    assert {change["run"] for change in message["changes"]} == {"run2"}
    assert (message["changes"][0]["seq"], message["seq"]) == (5, 8)
    (message,) = stream({"session": "s"}, 0, False)
    assert [change["seq"] for change in message["changes"]] == list(range(1, 9))


def test_what_cannot_be_subscribed_to_is_said() -> None:
    start()
    record_run("run1", 1)
    for whose, after, code in (
        ({"run": "nope"}, 0, "not_found"),
        ({"session": "nope"}, 0, "not_found"),
        ({"run": "run1", "session": "session-run1"}, 0, "bad_params"),
        ({"run": "run1"}, -1, "bad_params"),
        ({}, 3, "bad_params"),
        ({"runs": "run1"}, 0, "bad_params"),
    ):
        with pytest.raises(CommandError) as said:
            list(stream(whose, after, False))
        assert said.value.code == code


def test_a_number_that_is_too_old_or_of_another_database_gets_a_snapshot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forgetful = "from ao_lsp.server.store import writing; writing._CHANGES_KEPT = 4"
    monkeypatch.setenv("AO_SERVER_PYTHON", patched_python(tmp_path / "python", forgetful))
    start()
    record_run("run1", 6)
    for after in (0, 99):
        (message,) = told("run1", after)
        assert message["seq"] == 14
        assert message["snapshot"] == {
            "runs": [
                {
                    "id": "run1",
                    "subrun_of": None,
                    "status": "finished",
                    "calls": [{"id": f"c{number}", "status": "ok"} for number in range(1, 7)],
                }
            ]
        }
    assert [change["seq"] for change in told("run1", 12)[0]["changes"]] == [13, 14]


def test_the_command_prints_one_change_a_line_and_goes_on_with_the_next_daemon() -> None:
    pid = start()
    record_run("run1", 1)
    process = subprocess.Popen(
        [sys.executable, "-m", "ao_lsp.cli.ao", "events", "run1", "--follow", "--json"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert [json.loads(process.stdout.readline())["seq"] for _ in range(4)] == [1, 2, 3, 4]
    kill(pid)
    ask("ao.edit", run="run1", call=1, content="edited")
    line = json.loads(process.stdout.readline())
    assert (line["seq"], line["kind"], line["call"]) == (5, "edit.stored", "c1")
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=LONG_S)[1] == ""
    assert process.returncode == 130


def test_all_sessions_at_once_from_now_on() -> None:
    start()
    record_run("before", 1)
    messages: list[dict[str, Any]] = []
    connection = subscribed()
    waiting = threading.Thread(target=lambda: messages.append(next(connection.events({}))), daemon=True)
    waiting.start()
    until(lambda: any(c["doing"] == "events.subscribe" for c in ask("daemon.status")["clients"]), "not subscribed")
    record_run("run1", 1)
    waiting.join(LONG_S)
    connection.close()
    assert {change["run"] for change in messages[0]["changes"]} == {"run1"}


# -- in this process


@pytest.fixture
async def core(home: str) -> AsyncIterator[Core]:  # noqa: ARG001 - the core lives there
    opened = await open_core()
    yield opened
    await opened.close()


async def begun(core: Core, run: str) -> Recorder:
    """A run that has begun, committed."""
    recorder = Recorder(run)
    recorder.start()
    recorder.spool()
    await core.look()
    return recorder


async def test_a_subscriber_that_is_behind_reads_on_from_the_database(
    core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    await begun(core, "run1")
    before = len(core.changes)
    monkeypatch.setattr(changes, "_PENDING", 3)
    following = events.follow(core, events.Range("session-run1"), 0)
    seqs = [change["seq"] for change in (await anext(following))["changes"]]
    for number in range(10):
        recorder = Recorder(f"more{number}")
        recorder.start(session="session-run1")
        recorder.spool()
    await core.look()
    session = await core.store.session("session-run1")
    assert session is not None
    assert session.last_change > 10
    while seqs[-1] < session.last_change:
        seqs += [change["seq"] for change in (await anext(following))["changes"]]
    assert seqs == list(range(1, session.last_change + 1))
    await following.aclose()
    assert len(core.changes) == before


def test_the_queue_of_a_subscriber_is_bounded_and_it_is_told_that_it_missed_something() -> None:
    told = changes.Changes()
    with told.subscribe() as all_of_it, told.subscribe("s") as subscription:
        told.publish(Change("other", seq, 0.0, "run.note", "r") for seq in range(1, changes._PENDING + 2))
        assert (all_of_it.taken(), all_of_it.missed(), all_of_it.missed()) == ([], True, False)
        assert (subscription.taken(), subscription.missed()) == ([], False)
        told.publish([Change("s", 1, 0.0, "run.note", "r")])
        assert [change.seq for change in subscription.taken()] == [1]


async def test_what_another_process_commits_is_heard_of(core: Core) -> None:
    await begun(core, "run1")
    following = events.follow(core, events.Range("session-run1"), 2)
    waiting = asyncio.ensure_future(anext(following))
    other = await open_core()
    try:
        recorder = Recorder("run2")
        recorder.start(session="session-run1")
        recorder.spool()
        await other.look()
        found = await asyncio.wait_for(waiting, LONG_S)
    finally:
        await other.close()
    assert found["changes"][0]["run"] == "run2"
    await following.aclose()


async def test_own_commits_are_not_taken_for_others(core: Core) -> None:
    await core.store.others_wrote()
    await begun(core, "run1")
    await core.store.conclude(RunEnded("run1", 1.0, "lost"))
    assert not await core.store.others_wrote()


@pytest.fixture
async def clients(core: Core) -> AsyncIterator[Connections]:
    made = Connections(core, {}, "daemon-id", lambda: None, lambda: None)
    yield made
    await made.close()


@pytest.mark.parametrize("method", ["ao.graph", "events.subscribe"])
async def test_a_client_that_stops_reading_is_dropped(
    method: str, core: Core, clients: Connections, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    recorder = Recorder("run1")
    recorder.start()
    for number in range(3000):
        recorder.call_start(f"c{number}")
    recorder.spool()
    await core.look()
    monkeypatch.setattr(answers, "DEAF_S", 0.05)
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    clients._begin(theirs)
    with ours:
        params = {"run": "run1"}
        ours.sendall(connect.preamble("cli") + protocol.frame({"id": 1, "method": method, "params": params}))
        (client,) = clients
        assert client.task is not None
        await asyncio.wait({client.task})
    assert "does not read what it is sent" in caplog.text


async def test_a_client_that_reads_slowly_is_not_dropped(
    core: Core, clients: Connections, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = Recorder("run1")
    recorder.start()
    for number in range(3000):
        recorder.call_start(f"c{number}")
    recorder.spool()
    await core.look()
    monkeypatch.setattr(answers, "DEAF_S", 0.2)
    ours, theirs = socket.socketpair()
    for sock in (ours, theirs):
        sock.setblocking(False)
    clients._begin(theirs)
    with ours:
        ours.sendall(connect.preamble("cli") + protocol.frame({"id": 1, "method": "ao.graph", "params": {}}))
        loop, frames, seen = asyncio.get_running_loop(), protocol.Frames(), b""
        while b"\n" not in seen:
            seen += await loop.sock_recv(ours, 10)
        frames.feed(seen.partition(b"\n")[2])
        answer = None
        while answer is None:
            await asyncio.sleep(0.005)
            data = await loop.sock_recv(ours, 1 << 15)
            assert data, "dropped"
            frames.feed(data)
            answer = next(iter(frames), None)
    assert len(json.loads(answer[0])["result"]["nodes"]) == 3000


# -- whatever becomes of client and daemon


class Follower:
    """Rebuilds how a session stands from what it is told, over any number of connections."""

    def __init__(self, session: str) -> None:
        self.session, self.seq = session, 0
        self.runs: dict[str, dict[str, str]] = {}
        self.ended: dict[str, bool] = {}
        self.edited: set[tuple[str, str]] = set()
        self.numbers: list[int] = []
        self.snapshots = 0

    def hear(self, message: dict[str, Any]) -> None:
        if "snapshot" in message:
            self.snapshots += 1
            self.numbers = list(range(1, message["seq"] + 1))
            runs = message["snapshot"]["runs"]
            self.ended = {run["id"]: run["status"] != "running" for run in runs}
            self.runs = {run["id"]: {call["id"]: _state(call["status"]) for call in run["calls"]} for run in runs}
        for change in message.get("changes", ()):
            self.numbers.append(change["seq"])
            self._apply(change["kind"], change["run"], change["call"])
        self.seq = message["seq"]

    def _apply(self, kind: str, run: str, call: str | None) -> None:
        if kind == "run.started":
            self.runs[run], self.ended[run] = {}, False
        elif kind == "run.ended":
            self.ended[run] = True
        elif kind == "run.deleted":
            del self.runs[run], self.ended[run]
        elif kind in ("call.started", "call.ended"):
            assert call is not None
            self.runs[run][call] = "running" if kind == "call.started" else "ended"

    def listen(self, pieces: int | None) -> None:
        """Connect, and hear so many messages (None: all there are), and leave without a word."""
        client = Client(connect.open_session("cli"))
        try:
            params = {"session": self.session, "after": self.seq, "follow": pieces is not None}
            for number, message in enumerate(client.events(params), 1):
                self.hear(message)
                if number == pieces:
                    break
        except HungUpError:
            pass
        finally:
            client.close()


def _state(status: str) -> str:
    return "running" if status == "running" else "ended"


def stored(session: str) -> tuple[dict[str, dict[str, str]], dict[str, bool]]:
    runs, ended = {}, {}
    for run in ask("ao.runs", limit=1000)["runs"]:
        if run["session"] == session:
            ended[run["id"]] = run["status"] != "running"
            nodes = ask("ao.graph", run=run["id"], evidence="tracked")["nodes"]
            runs[run["id"]] = {node["id"]: _state(node["status"]) for node in nodes}
    return runs, ended


STEPS = st.lists(
    st.sampled_from(["calls", "calls", "calls", "listen", "listen", "new run", "delete", "kill", "cut", "burst"]),
    min_size=6,
    max_size=14,
)


@pytest.fixture(scope="module")
def forgetful(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A server that keeps few changes, so that who is away for long gets a snapshot."""
    code = "from ao_lsp.server.store import writing; writing._CHANGES_KEPT = 15"
    return patched_python(tmp_path_factory.mktemp("python"), code)


@settings(
    max_examples=8, deadline=None, database=None, derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
@given(steps=STEPS, seed=st.integers(0, 1 << 16))
def test_over_any_disconnects_nothing_is_lost_and_nothing_doubled(steps: list[str], seed: int, forgetful: str) -> None:
    chance = random.Random(seed)
    with pytest.MonkeyPatch.context() as patch, own_home(patch):
        patch.setenv("AO_SERVER_PYTHON", forgetful)
        pid = start()
        session, number, calls = "s", 0, 0
        recorder = _new_run(number)
        follower, patient = Follower(session), Follower(session)
        patient.listen(None)
        for step in steps:
            if step in ("calls", "burst"):
                for _ in range(40 if step == "burst" else chance.randint(1, 4)):
                    calls += 1
                    recorder.call(f"c{calls}")
                recorder.wait()
            elif step == "listen":
                behind = ask("ao.runs")["total"] and told_of(session, follower.seq)
                follower.listen(min(chance.randint(1, 2), behind) or None)
            elif step == "new run":
                recorder.end()
                recorder.wait()
                number += 1
                recorder = _new_run(number)
            elif step == "delete" and number:
                runs = [run["id"] for run in ask("ao.runs", limit=100)["runs"] if run["id"] != f"run{number}"]
                if runs:
                    ask("ao.rm", runs=[chance.choice(runs)])
            elif step == "kill":
                kill(pid)
                pid = start()
                _again(recorder)
            elif step == "cut":  # in the middle of its answer
                sock = dial()
                asked = {"id": 1, "method": "events.subscribe", "params": {"session": session}}
                sock.sendall(connect.preamble("cli") + protocol.frame(asked))
                read_line(sock)
                sock.close()
            patient.listen(None)
        for each in (follower, patient):
            each.listen(None)
            assert each.numbers == list(range(1, each.seq + 1)), "lost or doubled"
            assert (each.runs, each.ended) == stored(session)
        assert patient.snapshots == 0 or "burst" in steps
        assert "Traceback" not in log()
        recorder.close()


def told_of(session: str, after: int) -> int:
    """How many messages there are to be heard, at least."""
    return len(list(stream({"session": session}, after, False)))


def _new_run(number: int) -> Recorder:
    recorder = Recorder(f"run{number}").connect()
    recorder.start(session="s")
    recorder.wait()
    return recorder


def _again(recorder: Recorder) -> None:
    """As a runner does it with the next daemon: what was not acknowledged is sent again, and here all of it."""
    recorder.close()
    recorder.connect()
    recorder.resend(*recorder.sent)
    recorder.acknowledged = 0
    recorder.wait()
