"""Events on their way in: committed before they are acknowledged, once each, whatever happens.

Everything here goes through a real daemon: what it has is asked as the command line asks it.
"""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import textwrap
from contextlib import closing
from typing import Any

import pytest

from ao_lsp import connect, paths, protocol
from ao_lsp.server import ingest, liveness, processes
from ao_lsp.server.core import open_core
from ao_lsp.server.gauge import Gauge
from ao_lsp.server.ingest import Stream
from tests.daemons import ask, dial, gone, kill, log, read_line, start, until
from tests.recorder import Recorder, chat_response, record_run

pytestmark = pytest.mark.usefixtures("home")


def graph(run: str = "run1") -> dict[str, Any]:
    return ask("ao.graph", run=run)


def node_ids(run: str = "run1") -> list[str]:
    return [node["id"] for node in graph(run)["nodes"]]


def changes() -> list[int]:
    """The numbers of the changes that are on disk."""
    with closing(sqlite3.connect(paths.database())) as db:
        return [seq for (seq,) in db.execute("SELECT seq FROM changes ORDER BY seq")]


def in_a_process(program: str, *arguments: str) -> subprocess.Popen[str]:
    """A runner in a process of its own, with `recorder` ready; what it prints can be read."""
    head = "import os, signal, sys\nfrom tests.recorder import Recorder\nrecorder = Recorder(*sys.argv[1:])\n"
    return subprocess.Popen(
        [sys.executable, "-c", head + textwrap.dedent(program), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def some_process() -> subprocess.Popen[bytes]:
    return subprocess.Popen(["sleep", "60"])


def test_a_run_is_there_with_its_calls_edges_and_outcome() -> None:
    start()
    record_run("run1", calls=3)
    found = graph()
    assert found["run"]["status"] == "finished"
    assert found["run"]["exit_code"] == 0
    assert [(node["id"], node["number"], node["status"]) for node in found["nodes"]] == [
        ("c1", 1, "ok"),
        ("c2", 2, "ok"),
        ("c3", 3, "ok"),
    ]
    assert [(edge["source"], edge["target"]) for edge in found["edges"]] == [("c1", "c2"), ("c2", "c3")]


def test_what_is_acknowledged_survives_kill_9() -> None:
    pid = start()
    runner = Recorder().connect()
    runner.start()
    runner.call("c1")
    runner.wait()
    kill(pid)
    assert node_ids() == ["c1"]


def test_events_sent_again_after_a_lost_acknowledgement_are_neither_lost_nor_doubled() -> None:
    pid = start()
    runner = Recorder().connect()
    runner.start()
    runner.call("c1")
    runner.call_start("c2", ("c1",))
    # Committed, but for all that the runner knows the daemon died before it was.
    until(lambda: ask("ao.runs")["runs"] and node_ids() == ["c1", "c2"], "it was not committed")
    kill(pid)
    start()
    runner.connect()
    runner.resend(*runner.sent)
    runner.call_end("c2")
    runner.call("c3", ("c2",))
    runner.end()
    runner.wait()
    found = graph()
    assert [(node["id"], node["status"]) for node in found["nodes"]] == [("c1", "ok"), ("c2", "ok"), ("c3", "ok")]
    assert len(found["edges"]) == 2
    assert found["run"]["status"] == "finished"
    assert changes() == list(range(1, runner.seq + 1))


def test_a_duplicate_event_changes_nothing_and_is_acknowledged_again() -> None:
    start()
    runner = Recorder().connect()
    runner.start()
    started = runner.call_start("c1")
    runner.call_end("c1")
    runner.wait()
    runner.resend(started)
    runner.acknowledged = 0
    runner.wait(2)
    assert graph()["nodes"][0]["status"] == "ok"
    assert changes() == [1, 2, 3]


def test_events_of_a_forked_child_that_come_before_the_start_of_the_run_wait_for_it() -> None:
    start()
    child = Recorder("run1", "child").connect()
    child.event("process.start", pid=1, parent_stream="s1")
    child.call("in-child")
    child.wait()
    assert ask("ao.runs")["runs"] == []
    root = Recorder("run1", "s1").connect()
    root.start()
    root.end()
    root.wait()
    assert node_ids() == ["in-child"]


def test_calls_are_numbered_in_order_of_start_whichever_stream_they_come_by() -> None:
    start()
    root, child = Recorder("run1", "s1").connect(), Recorder("run1", "child").connect()
    root.start(at=1000.0)
    root.call_start("third", at=1003.0)
    root.wait()
    child.event("process.start", pid=1, parent_stream="s1", at=1000.5)
    child.call_start("first", at=1001.0)
    child.call_start("second", at=1002.0)
    child.wait()
    assert node_ids() == ["first", "second", "third"]


def test_the_end_of_a_call_may_be_found_before_its_start() -> None:
    start()
    live, late = Recorder("run1", "s1"), Recorder("run1", "s1")
    late.start()
    late.call_start("c1")
    live.seq = late.seq
    live.connect()
    live.call_end("c1")
    live.wait()
    live.close()
    assert "2 events are missing" in log()
    late.spool()
    until(lambda: ask("ao.runs")["runs"], "the spool file was not taken in")
    (node,) = graph()["nodes"]
    assert (node["status"], node["output_tokens"], node["model"]) == ("ok", None, "gpt-5")


def test_what_is_malformed_is_logged_and_left_out_and_holds_nothing_up() -> None:
    start()
    runner = Recorder().connect()
    runner.start()
    runner.send_bytes(protocol.frame({"type": "call.start", "at": 1.0}))
    runner.send_bytes(b"\0\0\0\2\0\0\0\0no")
    runner.event("call.start", call=7)
    runner.event("call.start", {"request": b"{}"}, call="no-time", at="yesterday")
    runner.event("call.end", call="c0", status="splendid")
    runner.event("something.new", whatever=[1, 2])
    runner.event("call.start", call="wrong-parts", parts=[["request", 99]])
    runner.event("call.start", {"request": b"\xff"}, call="hardly", inputs=7, headers={"a": 1}, site="x", stack=[1])
    runner.call("huge", first_byte=None, at=1e308, thread="\ud800", task="\0")
    runner.call("c1")
    runner.end()
    runner.wait()
    assert {"hardly", "c1"} <= set(node_ids())
    assert graph()["run"]["status"] == "finished"
    assert "event 2 is ignored" in log()
    assert "Traceback" not in log()


def test_an_event_that_the_database_refuses_does_not_take_others_with_it() -> None:
    start()
    runner = Recorder().connect()
    runner.start()
    # Legal JSON that decodes to what has no UTF-8; no runner of ours sends it.
    runner.seq += 1
    head = b'{"type": "call.start", "seq": 2, "at": 5.0, "call": "bad", "endpoint": "\\ud800"}'
    good = runner.seq + 1
    frames = len(head).to_bytes(4, "big") + bytes(4) + head
    runner.seq = good
    frames += protocol.frame({"type": "run.note", "seq": good, "at": 6.0, "level": "info", "message": "fine"})
    runner.send_bytes(frames)
    runner.call("c1")
    runner.end()
    runner.wait()
    assert node_ids() == ["c1"]
    assert "event 2 is left out" in log()


def test_bytes_that_are_no_frames_end_the_connection_and_keep_what_came_before() -> None:
    start()
    runner = Recorder().connect()
    runner.start()
    runner.call("c1")
    runner.send_bytes(b"\xff" * 64)
    assert runner.hung_up()
    assert node_ids() == ["c1"]


def test_a_big_body_comes_through_whole() -> None:
    start()
    text = "what a long story " * 200_000
    runner = Recorder().connect()
    runner.start()
    runner.call("c1", response=chat_response(text))
    runner.end()
    runner.wait()
    assert ask("ao.call", run="run1", call=1)["output"]["text"] == text


def test_secrets_that_a_runner_lets_through_do_not_reach_the_disk() -> None:
    daemon = start()
    record_run("run1", calls=1)
    names = [name for name, _ in ask("ao.call", run="run1", call=1)["request"]["headers"]]
    assert names == ["content-type"]
    ask("daemon.stop")
    until(lambda: gone(daemon), "the daemon goes on")
    for path in (paths.database(), paths.database() + "-wal"):
        if os.path.exists(path):
            with open(path, "rb") as file:
                assert b"Bearer secret" not in file.read()


def test_no_prompt_and_no_reply_is_in_the_log() -> None:
    start()
    runner = Recorder().connect()
    runner.start()
    runner.call("c1", request=b'{"model": "m", "messages": "xyzzy"', response=b"xyzzy {")
    runner.event("call.start", {"request": b"xyzzy"}, call=None, at="xyzzy")
    runner.end()
    runner.wait()
    ask("ao.call", run="run1", call=1)
    assert "xyzzy" not in log()


# -- programs that end


def test_a_program_that_is_killed_while_connected_is_killed() -> None:
    start()
    process = in_a_process(
        """
        recorder.connect(); recorder.start(); recorder.call_start("c1"); recorder.wait()
        os.kill(os.getpid(), signal.SIGKILL)
        """
    )
    process.communicate(timeout=30)
    found = graph()
    assert found["run"]["status"] == "killed"
    assert found["nodes"][0]["status"] == "cancelled"


def test_a_program_that_is_killed_while_it_writes_to_a_spool_file_is_killed() -> None:
    start()
    process = in_a_process(
        """
        recorder.start(); recorder.call_start("c1")
        recorder.spool(held=True)
        print("ok", flush=True); input()
        """
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ok\n"
    assert graph()["run"]["status"] == "running"
    process.kill()
    process.communicate(timeout=30)
    assert graph()["run"]["status"] == "killed"


def test_a_program_that_never_reached_a_daemon_still_runs_for_the_next_one() -> None:
    pid = start()
    process = in_a_process(
        """
        recorder.start(); recorder.call_start("c1")
        recorder.spool(held=True)
        print("ok", flush=True); input()
        """
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ok\n"
    assert graph()["run"]["status"] == "running"
    kill(pid)
    assert [graph()["run"]["status"] for _ in range(2)] == ["running", "running"]
    process.kill()
    process.communicate(timeout=30)
    assert graph()["run"]["status"] == "killed"


def test_a_process_that_was_gone_when_it_was_looked_for_is_not_alive_though_nobody_has_waited_for_it() -> None:
    program = some_process()
    program.kill()
    until(lambda: not processes.process(program.pid).started, "it is still there")
    assert not processes.process(program.pid).alive()  # a zombie
    assert not processes.Process(os.getpid(), None).alive()  # its number is another's by now
    program.wait()


async def test_a_program_that_hangs_up_and_lives_on_still_runs_and_is_lost_when_it_is_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(liveness, "_DYING_S", 0.0)
    core = await open_core()
    program = some_process()
    stream = Stream("run1", "s1", processes.process(program.pid))
    runner = Recorder()
    core.connected(stream)
    await core.ingest.take(stream, protocol.Frames(), runner.start())
    core.disconnected(stream)
    await core.look()
    statuses = [summary.run.status for summary in await core.store.summaries(["run1"])]
    program.kill()
    program.wait()
    await core.look()
    statuses += [summary.run.status for summary in await core.store.summaries(["run1"])]
    await core.close()
    assert statuses == ["running", "lost"]


def test_a_program_that_dies_while_no_daemon_runs_is_lost() -> None:
    pid = start()
    process = in_a_process("recorder.connect(); recorder.start(); recorder.wait(); print('ok', flush=True); input()")
    assert process.stdout is not None
    assert process.stdout.readline() == "ok\n"
    kill(pid)
    process.kill()
    process.communicate(timeout=30)
    assert graph()["run"]["status"] == "lost"


def test_a_program_that_lives_on_when_the_daemon_is_replaced_still_runs() -> None:
    pid = start()
    runner = Recorder().connect()
    runner.start()
    runner.wait()
    kill(pid)
    assert graph()["run"]["status"] == "running"
    runner.connect()
    runner.end()
    runner.wait()
    assert graph()["run"]["status"] == "finished"


def test_a_process_that_got_the_number_of_a_dead_program_does_not_keep_its_run_alive() -> None:
    pid = start()
    process = in_a_process(
        "recorder.connect(); recorder.start(); recorder.wait(); os.kill(os.getpid(), signal.SIGKILL)"
    )
    process.communicate(timeout=30)
    kill(pid)
    # As if the number were in use again: the number of this test, and another start.
    with closing(sqlite3.connect(paths.database())) as db, db:
        db.execute("UPDATE runs SET status = 'running'")
        db.execute("UPDATE streams SET pid = ?", (os.getpid(),))
    assert graph()["run"]["status"] == "lost"


def test_the_end_of_a_child_is_not_the_end_of_the_run() -> None:
    start()
    root = Recorder("run1", "s1").connect()
    root.start()
    root.wait()
    child = in_a_process(
        """
        recorder.connect(); recorder.event("process.start", pid=1, parent_stream="s1"); recorder.wait()
        os.kill(os.getpid(), signal.SIGKILL)
        """,
        "run1",
        "child",
    )
    child.communicate(timeout=30)
    assert graph()["run"]["status"] == "running"
    root.end()
    root.wait()
    assert graph()["run"]["status"] == "finished"


def test_a_late_word_of_the_program_itself_wins_over_what_the_daemon_assumed() -> None:
    start()
    process = in_a_process(
        "recorder.connect(); recorder.start(); recorder.wait(); os.kill(os.getpid(), signal.SIGKILL)"
    )
    process.communicate(timeout=30)
    assert graph()["run"]["status"] == "killed"
    late = Recorder("run1", "s1")
    late.seq = 1
    late.end("failed", 3)
    late.spool()
    until(lambda: graph()["run"]["status"] == "failed", "the spool file was not taken in")
    assert graph()["run"]["exit_code"] == 3


def test_who_asks_right_after_the_program_ended_sees_all_of_it() -> None:
    pid = start()
    # So that the daemon finds all at once: a program that came, spoke and went, and who asks for it.
    os.kill(pid, signal.SIGSTOP)
    process = in_a_process(
        """
        recorder.start()
        for n in range(30): recorder.call(f"c{n}")
        recorder.end()
        recorder.connect().resend(*recorder.sent)  # and leaves without having read an acknowledgement
        """
    )
    process.communicate(timeout=30)
    sock = dial()
    request = {"id": 1, "method": "ao.graph", "params": {"run": "run1"}}
    sock.sendall(connect.preamble("cli") + protocol.frame(request))
    os.kill(pid, signal.SIGCONT)
    assert read_line(sock)["ok"] is True
    frames = protocol.Frames()
    while not (answers := list(frames)):
        frames.feed(sock.recv(1 << 16))
    found = protocol.loads(answers[0][0])["result"]
    assert (len(found["nodes"]), found["run"]["status"]) == (30, "finished")


async def test_what_a_program_that_is_gone_had_sent_is_read_to_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest, "_READ", 1000)
    core = await open_core()
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    runner = Recorder()
    runner.start()
    for number in range(20):
        runner.call(f"c{number}")
    runner.end()
    theirs.sendall(b"".join(runner.sent))
    theirs.close()  # so that no acknowledgement can be delivered
    await core.ingest.serve(ours, Stream("run1", "s1", None), Gauge())
    ours.close()
    (summary,) = await core.store.summaries(["run1"])
    await core.close()
    assert (summary.calls, summary.run.status) == (20, "finished")


def test_a_child_that_inherited_the_connection_does_not_keep_others_waiting_for_ever() -> None:
    start()
    process = in_a_process(
        """
        recorder.connect(); recorder.start(); recorder.wait()
        child = os.fork()
        if child == 0:
            os.close(0); os.close(1)
            signal.pause()
        print(child, flush=True)
        os._exit(0)
        """
    )
    child = int(process.communicate(timeout=30)[0])
    try:
        # The first question waits, but not for ever; the second one knows.
        assert [graph()["run"]["id"] for _ in range(2)] == ["run1", "run1"]
        assert [client["role"] for client in ask("daemon.status")["clients"]].count("record") == 1
    finally:
        os.kill(child, signal.SIGKILL)
    until(lambda: graph()["run"]["status"] == "killed", "its end was not noticed")


# -- spool files


def test_spooled_events_are_taken_in_when_a_daemon_starts() -> None:
    runner = Recorder()
    runner.start()
    runner.call("c1")
    runner.end()
    path = runner.spool()
    found = graph()
    assert (found["run"]["status"], len(found["nodes"])) == ("finished", 1)
    assert not os.path.exists(path)


def test_a_spool_file_is_read_while_its_runner_lives_and_taken_away_afterwards() -> None:
    start()
    process = in_a_process(
        """
        import os
        recorder.start(); recorder.call("c1")
        path = recorder.spool(held=True)
        print(path, flush=True); input()
        done = len(recorder.sent)
        recorder.call("c2"); recorder.end()
        with open(path, "ab") as file:
            for framed in recorder.sent[done:]:
                file.write(framed)
        print("more", flush=True); input()
        """
    )
    assert process.stdin is not None
    assert process.stdout is not None
    path = process.stdout.readline().strip()
    assert node_ids() == ["c1"]
    process.stdin.write("\n")
    process.stdin.flush()
    assert process.stdout.readline() == "more\n"
    until(lambda: node_ids() == ["c1", "c2"], "what was added is not read")
    assert os.path.exists(path)
    process.communicate("\n", timeout=30)
    until(lambda: not os.path.exists(path), "the file of a program that has ended stays")
    found = graph()
    assert (found["run"]["status"], len(found["nodes"])) == ("finished", 2)


def test_a_spool_file_that_is_taken_back_in_part_is_read_when_its_runner_has_ended() -> None:
    start()
    process = in_a_process(
        """
        import os
        recorder.start(); recorder.call("c1")
        path = recorder.spool(b"a frame that the disk", held=True)
        print(path, flush=True); input()
        os.truncate(path, os.path.getsize(path) - len(b"a frame that the disk"))
        print("less", flush=True); input()
        recorder.sent.clear(); recorder.call("c2"); recorder.end()
        with open(path, "ab") as file:
            file.write(b"".join(recorder.sent))
        """
    )
    assert process.stdin is not None
    assert process.stdout is not None
    path = process.stdout.readline().strip()
    assert node_ids() == ["c1"]
    process.stdin.write("\n")
    process.stdin.flush()
    assert process.stdout.readline() == "less\n"
    assert node_ids() == ["c1"]
    process.communicate("\n", timeout=30)
    until(lambda: not os.path.exists(path), "the file of a program that has ended stays")
    assert node_ids() == ["c1", "c2"]


def test_a_spool_file_that_is_found_while_nobody_asks_is_taken_in() -> None:
    start()
    first = Recorder("run1", "s1")
    first.start()
    first.end()
    path = first.spool()
    watcher = Recorder("run2").connect()
    until(lambda: not os.path.exists(path), "nobody looked, though a client came")
    watcher.close()


def test_a_spool_file_that_breaks_off_gives_what_it_holds() -> None:
    runner = Recorder()
    runner.start()
    runner.call("c1")
    runner.spool(more=runner.sent[-1][:20])
    assert [(node["id"], node["status"]) for node in graph()["nodes"]] == [("c1", "ok")]
    assert graph()["run"]["status"] == "lost"


def test_a_damaged_spool_file_is_put_aside_and_not_tried_again() -> None:
    runner = Recorder()
    runner.start()
    runner.call("c1")
    path = runner.spool(more=b"\xff" * 50)
    assert node_ids() == ["c1"]
    assert graph()["run"]["status"] == "lost"
    assert os.path.exists(path + ".damaged")
    assert not os.path.exists(path)


def test_a_spool_file_that_has_just_been_made_is_not_taken_away_from_its_runner() -> None:
    path = Recorder().spool()
    os.truncate(path, 0)
    assert ask("ao.runs")["runs"] == []
    assert os.path.exists(path)


def test_events_that_were_spooled_and_then_sent_count_once() -> None:
    start()
    runner = Recorder().connect()
    runner.start()
    runner.call("c1")
    runner.end()
    runner.wait()
    runner.close()
    path = runner.spool()
    found = graph()
    assert (found["run"]["status"], len(found["nodes"])) == ("finished", 1)
    assert not os.path.exists(path)


# -- a database that cannot


def test_a_full_disk_loses_nothing_that_was_acknowledged_and_does_not_end_the_daemon() -> None:
    # A daemon that may not write files beyond 600 kB: what a full disk looks like from inside.
    limited = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, 600_000))\n"
    begin = "from ao_lsp import connect; print(connect.open_session('cli')[1]['pid'])"
    subprocess.run([sys.executable, "-c", limited + begin], timeout=60, check=True, stdout=subprocess.DEVNULL)
    runner = Recorder().connect()
    runner.start()
    runner.call("small")
    runner.wait()
    runner.call("big", response=chat_response(os.urandom(600_000).hex()))
    assert runner.hung_up(), "it acknowledged what it cannot have written"
    assert [node["id"] for node in graph()["nodes"] if node["status"] == "ok"] == ["small"]
    assert "the database" in log()
    assert "Traceback" not in log()
