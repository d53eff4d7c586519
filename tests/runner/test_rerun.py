"""Reruns as users start, stop and chain them: real programs against a model server on loopback."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from model_server import ModelServer

from tests.daemons import LONG_S, ask, gone, log, until
from tests.runner.recorded import AO, RECORD, Programs, column, graph
from tests.runner.test_replay import edit

CHAIN = """
    import openai, sys

    client = openai.OpenAI(max_retries=0)


    def ask(text):
        reply = client.chat.completions.create(model="m", messages=[{"role": "user", "content": text}])
        return reply.choices[0].message.content.splitlines()[0]


    first = ask("first")
    aside = ask("aside")
    second = ask("second: " + first)
    third = ask("third: " + second)
    for text in (first, aside, second, third):
        print(text)
"""

# The second call waits until a file is there: how a test says when.
WAITING = """
    import openai, os, time

    client = openai.OpenAI(max_retries=0)


    def ask(text):
        reply = client.chat.completions.create(model="m", messages=[{"role": "user", "content": text}])
        return reply.choices[0].message.content.splitlines()[0]


    print(ask("one"), flush=True)
    while not os.path.exists("go"):
        time.sleep(0.01)
    print(ask("two"), flush=True)
"""


def asked(server: ModelServer, since: int = 0) -> list[str]:
    """What the model was asked."""
    return [request["request"]["messages"][0]["content"] for request in server.requests[since:]]


def rerun(*arguments: str, env: dict[str, str], **more: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [AO, "rerun", *arguments],
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=2 * LONG_S,
        check=False,
        **more,
    )


def background(run: str, env: dict[str, str], **params: Any) -> dict[str, Any]:
    """`ao.rerun` from this environment, as an editor has it done."""
    from ao_lsp import connect
    from ao_lsp.cli.client import Client

    client = Client(connect.open_session("cli", env={**os.environ, **env}))
    try:
        return client.request("ao.rerun", {"run": run, **params})
    finally:
        client.close()


# -- chains


def test_an_edit_of_a_rerun_and_a_rerun_of_that_keep_what_was_edited_before(
    programs: Programs, model_server: ModelServer
) -> None:
    programs.record(CHAIN, "--name", "first", env=model_server.env)
    one = graph()["run"]["id"]
    edit(one, 1, "output", "go west")
    programs.rerun(one, env=model_server.env)
    two = graph()
    assert column(two, "origin") == ["edited", "replayed", "live", "live"]
    # A call that was live in the rerun is edited there; the edited one before it is now what was recorded.
    edit(two["run"]["id"], 3, "output", "take the ferry")
    since = len(model_server.requests)
    out = programs.rerun(two["run"]["id"], "--from", "4", env=model_server.env).splitlines()
    three = graph()
    assert column(three, "origin") == ["replayed", "replayed", "edited", "live"]
    assert (out[0], out[2]) == ("go west", "take the ferry")
    assert asked(model_server, since) == ["third: take the ferry"]
    assert [three["run"]["parent_run"], two["run"]["parent_run"]] == [two["run"]["id"], one]
    assert three["run"]["fork_call"] == two["nodes"][3]["id"]
    # An unchanged rerun of the last one asks nobody.
    assert programs.rerun("last", env=model_server.env).splitlines() == out
    assert len(model_server.requests) == since + 1
    # What was served edited before is edited again, where it was replayed.
    edit("last", 1, "output", "go east")
    assert programs.rerun("last", env=model_server.env).splitlines()[0] == "go east"
    assert column(graph(), "origin") == ["edited", "replayed", "live", "live"]


def test_of_equal_calls_the_one_that_is_edited_gets_the_edit(programs: Programs, model_server: ModelServer) -> None:
    source = CHAIN[: CHAIN.index("    first =")] + "    for _ in range(3):\n        print(ask('the same'))\n"
    out = programs.record(source, env=model_server.env)[0].splitlines()
    run = graph()["run"]["id"]
    for number in (1, 2, 3):
        edit(run, number, "output", f"edited {number}")
        expected = [f"edited {number}" if n == number else line for n, line in enumerate(out, 1)]
        assert programs.rerun(run, env=model_server.env).splitlines() == expected
        ask("ao.unedit", run=run, call=str(number))
    assert len(model_server.requests) == 3


def test_an_edited_input_of_a_replayed_call_is_sent_and_its_answer_is_what_a_rerun_of_the_rerun_replays(
    programs: Programs, model_server: ModelServer
) -> None:
    programs.record(CHAIN, env=model_server.env)
    programs.rerun("last", env=model_server.env)
    edit("last", 2, "input", "another aside")
    since = len(model_server.requests)
    out = programs.rerun("last", env=model_server.env)
    assert asked(model_server, since) == ["another aside"]
    assert column(graph(), "origin") == ["replayed", "live", "replayed", "replayed"]
    assert programs.rerun("last", env=model_server.env) == out
    assert len(model_server.requests) == since + 1


def test_after_unedit_a_rerun_has_the_edit_before_and_then_the_recording(
    programs: Programs, model_server: ModelServer
) -> None:
    out, _ = programs.record(CHAIN, "--name", "first", env=model_server.env)
    run = graph()["run"]["id"]
    for text in ("good", "better"):
        edit(run, 4, "output", text)
    for expected in ("better\n", "good\n", out.splitlines(keepends=True)[-1]):
        assert programs.rerun(run, env=model_server.env).endswith(expected)
        if expected != out.splitlines(keepends=True)[-1]:
            ask("ao.unedit", run=run, call="4")


def test_two_edits_in_a_chain_are_both_served_though_the_first_changes_what_the_second_is_asked(
    programs: Programs, model_server: ModelServer
) -> None:
    programs.record(CHAIN, "--name", "first", env=model_server.env)
    edit("first", 1, "output", "go west")
    edit("first", 4, "output", "the end")
    since = len(model_server.requests)
    out = programs.rerun("first", env=model_server.env).splitlines()
    assert (out[0], out[3]) == ("go west", "the end")
    assert column(graph(), "origin") == ["edited", "replayed", "live", "edited"]
    assert asked(model_server, since) == ["second: go west"]


def test_an_edit_that_no_call_came_for_is_told_of(programs: Programs, model_server: ModelServer) -> None:
    programs.record(CHAIN, "--name", "first", env=model_server.env)
    edit("first", 4, "output", "the end")
    programs.write(CHAIN.replace('third = ask("third: "', "pass\n    third = ask('at last: '"))
    programs.rerun("first", env=model_server.env)
    assert column(graph(), "origin") == ["replayed", "replayed", "replayed", "live"]
    told = ask("ao.graph", format="text")["text"]
    assert "! the edited output of call 4 was not used: no call of this run was like it\n" in told


# -- several at once, and of runs that did not end


def test_two_reruns_of_one_run_at_the_same_time_do_not_meet(programs: Programs, model_server: ModelServer) -> None:
    out, _ = programs.record(CHAIN, "--name", "first", env=model_server.env)
    run = graph()["run"]["id"]
    since = len(model_server.requests)
    env = {**os.environ, **model_server.env}
    both = [subprocess.Popen([AO, "rerun", run], env=env, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert [process.communicate(timeout=2 * LONG_S)[0] for process in both] == [out, out]
    assert len(model_server.requests) == since
    runs = ask("ao.runs")["runs"]
    assert [found["parent_run"] for found in runs[:2]] == [run, run]
    assert runs[0]["id"] != runs[1]["id"]


def test_a_run_that_is_still_going_on_can_be_rerun(programs: Programs, model_server: ModelServer) -> None:
    file = programs.write(WAITING)
    first = programs.start(file.name, env=model_server.env)
    until(lambda: ask("ao.runs")["total"] and column(graph(), "status") == ["ok"], "the first call has not ended")
    run = graph()["run"]["id"]
    assert ask("ao.plan", run=run, dry_run=True)["notes"] == [
        f"run {run} is still going on: 1 of its calls is recorded and can replay, whatever comes after runs live"
    ]
    started = background(run, model_server.env)
    until(lambda: ask("ao.runs")["total"] == 2 and column(graph(), "status") == ["ok"], "the rerun has not begun")
    assert column(graph(started["run"]), "origin") == ["replayed"]
    (programs.folder / "go").touch()
    assert first.wait(timeout=LONG_S) == 0
    until(lambda: graph(started["run"])["run"]["status"] == "finished", "the rerun has not ended")
    assert column(graph(started["run"]), "origin") == ["replayed", "live"]
    assert column(graph(run), "origin") == ["live", "live"], "the run that went on was disturbed"
    first.communicate()


def test_of_a_killed_run_what_it_had_done_replays_and_the_rest_runs_live(
    programs: Programs, model_server: ModelServer
) -> None:
    file = programs.write(WAITING)
    first = programs.start(file.name, env=model_server.env)
    until(lambda: ask("ao.runs")["total"] and column(graph(), "status") == ["ok"], "the first call has not ended")
    first.kill()
    first.communicate()
    status = until(lambda: (now := graph()["run"]["status"]) != "running" and now, log())
    assert status == "killed", log()
    (programs.folder / "go").touch()
    done = rerun("last", env=model_server.env)
    assert done.returncode == 0
    assert "did not come to its end (killed): 1 of its calls is recorded" in done.stderr
    assert column(graph(), "origin") == ["replayed", "live"]


def test_of_a_run_that_crashed_the_calls_replay_and_a_repaired_program_goes_on_live(
    programs: Programs, model_server: ModelServer
) -> None:
    crashing = CHAIN.replace('third = ask("third: "', "1 / 0\n    third = ask('third: '")
    programs.record(crashing, env=model_server.env, code=1)
    since = len(model_server.requests)
    programs.write(CHAIN)
    done = rerun("last", env=model_server.env)
    assert done.returncode == 0
    assert "ao: the code has changed since: program.py; calls are found by" in done.stderr
    assert column(graph(), "origin") == ["replayed", "replayed", "replayed", "live"]
    assert len(model_server.requests) == since + 1


def test_after_a_change_of_the_code_calls_are_found_by_what_they_ask(
    programs: Programs, model_server: ModelServer
) -> None:
    programs.record(CHAIN, "--name", "first", env=model_server.env)
    assert ask("ao.plan", run="first", dry_run=True)["notes"] == []
    edit("first", 2, "output", "an aside of mine")
    # Another line above, another name of the function, a call more in front.
    changed = CHAIN.replace("def ask(", "# a comment\n\n    def question(").replace("ask(", "question(")
    changed = changed.replace('first = question("first")', 'print(question("new"))\n    first = question("first")')
    programs.write(changed)
    since = len(model_server.requests)
    out = programs.rerun("first", env=model_server.env).splitlines()
    assert asked(model_server, since) == ["new"]
    assert column(graph(), "origin") == ["live", "replayed", "edited", "replayed", "replayed"]
    assert out[2] == "an aside of mine"


# -- stopping


SLEEPING = "import subprocess, sys, time\nprint(subprocess.Popen(['sleep', '60']).pid, flush=True)\ntime.sleep(60)\n"


def stop(run: str) -> None:
    done = subprocess.run([AO, "stop", run], capture_output=True, text=True, timeout=LONG_S, check=False)
    assert (done.returncode, done.stdout) == (0, f"stopped run {run}\n"), done.stderr


def test_a_rerun_in_a_terminal_is_stopped_with_what_it_started(programs: Programs) -> None:
    programs.record("print('short')")
    file = programs.write(SLEEPING)
    process = subprocess.Popen([AO, "rerun", "last"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout is not None
    child = int(process.stdout.readline())
    run = until(lambda: (found := graph()["run"])["status"] == "running" and found["id"], "the rerun is not known")
    stop(run)
    assert process.wait(timeout=LONG_S) == -signal.SIGTERM
    until(lambda: gone(child), "what the program started goes on")
    process.stdout.close()
    assert until(lambda: (now := graph(run)["run"]["status"]) != "running" and now, log()) == "killed", log()
    assert file.exists()


def test_a_job_of_a_shell_is_stopped_as_a_whole(programs: Programs) -> None:
    file = programs.write(SLEEPING)
    process = programs.start(file.name, start_new_session=True)
    assert process.stdout is not None
    child = int(process.stdout.readline())
    run = until(lambda: ask("ao.runs")["total"] and graph()["run"]["id"], "the run is not known")
    stop(run)
    until(lambda: gone(child), "what the program started goes on")
    process.communicate(timeout=LONG_S)


def test_what_has_ended_cannot_be_stopped(programs: Programs) -> None:
    programs.record("print('short')")
    done = subprocess.run([AO, "stop"], capture_output=True, text=True, timeout=LONG_S, check=False)
    assert done.returncode == 1
    assert "has ended" in done.stderr


# -- where it runs


def test_ctrl_c_at_a_rerun_in_a_terminal_is_the_programs(programs: Programs) -> None:
    programs.record("print('short')")
    programs.write(
        "import sys, time\ntry:\n    print('ready', sys.stdin.isatty(), flush=True)\n    time.sleep(60)\n"
        "except KeyboardInterrupt:\n    print('caught', input(), flush=True)\n    sys.exit(7)\n"
    )
    terminal, theirs = pty.openpty()
    # A fork of ours, which has threads, is what python 3.12 and newer warn of.
    take = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
    process = subprocess.Popen(
        [sys.executable, "-c", take, AO, "rerun", "last"],
        stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
    )  # fmt: skip
    os.close(theirs)

    def read_to(word: bytes) -> None:
        said = b""
        while word not in said:
            said += os.read(terminal, 1000)

    try:
        read_to(b"ready True")
        os.write(terminal, b"\x03")
        os.write(terminal, b"typed\n")
        read_to(b"caught typed")
        assert process.wait(timeout=LONG_S) == 7
    finally:
        os.close(terminal)


def test_secrets_are_those_of_now_and_the_rest_of_the_environment_that_of_then(programs: Programs) -> None:
    source = "import os\nprint(os.environ.get('OPENAI_API_KEY'), os.environ.get('MY_BASE_URL'), os.getcwd())\n"
    programs.record(source, env={"OPENAI_API_KEY": "sk-of-then-0123456789", "MY_BASE_URL": "http://then/v1"})
    now = {"OPENAI_API_KEY": "sk-of-now", "MY_BASE_URL": "http://now/v1"}
    assert programs.rerun("last", env=now) == f"sk-of-now http://then/v1 {programs.folder}\n"
    found = background("last", now, wait=True)
    assert Path(found["log"]).read_text() == f"sk-of-now http://then/v1 {programs.folder}\n"
    assert found["exit_code"] == 0


def test_what_is_gone_is_named_with_what_to_do(programs: Programs) -> None:
    folder = programs.folder / "project"
    folder.mkdir()
    python = folder / "python"
    python.symlink_to(sys.executable)
    (folder / "program.py").write_text("print('hello')")
    subprocess.run([RECORD, "--python", str(python), "program.py"], cwd=folder, check=True, timeout=LONG_S)

    def failed(hint: str) -> str:
        done = rerun("last", env={})
        assert (done.returncode, done.stdout) == (1, "")
        assert hint in done.stderr
        return done.stderr

    python.unlink()
    assert f"ao: the program cannot be started with {python}\n" in failed("ao rerun --python PATH")
    assert rerun("last", "--python", sys.executable, env={}).stdout == "hello\n"
    first = ask("ao.runs")["runs"][-1]["id"]
    (folder / "program.py").rename(programs.folder / "moved.py")
    assert f"ao: the program {folder}/program.py is gone\n" in failed("put it back")
    folder.rename(programs.folder / "elsewhere")
    assert f"ao: the program cannot be started in {folder}\n" in failed("make it again")
    done = subprocess.run(
        [AO, "exec", "ao.rerun", f'{{"run": "{first}"}}'], capture_output=True, timeout=LONG_S, check=False
    )
    assert b"its folder is gone" in done.stderr


def test_of_calls_in_a_loop_the_edited_one_is_known_by_its_turn_though_all_are_asked_otherwise(
    programs: Programs, model_server: ModelServer
) -> None:
    source = CHAIN.replace('third = ask("third: " + second)', 'for turn in "abc": third = ask(turn + first)')
    programs.record(source, "--name", "first", env=model_server.env)
    edit("first", 1, "output", "go west")
    edit("first", 5, "output", "the middle one")
    programs.rerun("first", env=model_server.env)
    found = graph()
    assert column(found, "origin") == ["edited", "replayed", "live", "live", "edited", "live"]
    assert found["nodes"][4]["model"] == "m"
