"""`ao` as it is typed: what it prints, for people and for scripts, and how it ends."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import sqlite3
import struct
import subprocess
import sys
import termios
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from ao_lsp import paths
from tests.daemons import ask, daemons_of, start
from tests.recorder import SITE, Recorder, chat_request, chat_response, record_run

pytestmark = pytest.mark.usefixtures("home")


def ao(*arguments: str, code: int = 0, stdin: str | None = None, **env: str) -> subprocess.CompletedProcess[str]:
    result = subprocess.run(
        [sys.executable, "-m", "ao_lsp.cli.ao", *arguments],
        env={**os.environ, "COLUMNS": "200", **env},
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == code, result.stderr or result.stdout
    assert "Traceback" not in result.stderr
    return result


def ao_json(*arguments: str, code: int = 0, stdin: str | None = None) -> dict[str, Any]:
    result = ao(*arguments, "--json", code=code, stdin=stdin)
    assert result.stderr == ""
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def in_a_terminal(*arguments: str, **env: str) -> str:
    """What `ao` prints on a terminal of 100 columns."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-m", "ao_lsp.cli.ao", *arguments],
        env={**os.environ, "TERM": "xterm", **env},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    said = b""
    while True:
        select.select([ours], [], [], 30)
        try:
            piece = os.read(ours, 4096)
        except OSError:  # the other end is closed
            piece = b""
        if not piece:
            break
        said += piece
    os.close(ours)
    assert process.wait(timeout=30) == 0
    return said.decode()


def test_runs_are_a_table_with_the_newest_first() -> None:
    start()
    record_run("run1", at=1.7e9)
    record_run("run2", name="better agent")
    lines = ao("runs").stdout.splitlines()
    assert re.split(r"  +", lines[0]) == ["RUN", "NAME", "STATUS", "CALLS", "TOKENS", "COST", "TIME", "STARTED", "CODE"]
    assert re.split(r"  +", lines[1])[:5] == ["run2", "better agent", "finished", "3", "21→9"]
    assert re.split(r"  +", lines[1])[5] == "$0.00012"
    assert lines[2].startswith("run1  agent.py")
    assert ao("runs", "--limit", "1").stdout.splitlines()[-1] == "and 1 more: --limit"
    assert [run["id"] for run in ao_json("runs", "--name", "better")["runs"]] == ["run2"]


def test_runs_are_found_by_what_they_say_with_the_calls_that_do() -> None:
    start()
    record_run("run1", calls=3)
    recorder = Recorder("run2").connect()
    recorder.start()
    recorder.call_start("d1", request=chat_request("is it\x1b[2J red?"))
    recorder.call_end("d1", chat_response("It is RED."))
    recorder.end()
    recorder.wait()
    recorder.close()
    lines = ao("runs", "--grep", "output of c").stdout.splitlines()
    assert lines[1].startswith("run1  agent.py  finished  3 ")
    assert lines[2:] == [f"  {number} output  output of c{number}" for number in (1, 2, 3)]
    lines = ao("runs", "--grep", "red").stdout.splitlines()
    assert [line.split()[0] for line in lines[1:]] == ["run2", "1", "1"]
    assert "\x1b" not in "".join(lines), "what a program wrote cannot command the terminal"
    assert [run["id"] for run in ao_json("runs", "--grep", "RED?")["runs"]] == ["run2"]
    assert ao("runs", "--grep", "nowhere").stderr == "no runs\n"


def test_without_runs_nothing_is_printed_on_stdout() -> None:
    start()
    assert (ao("runs").stdout, ao("runs").stderr) == ("", "no runs\n")
    assert ao_json("runs") == {"runs": [], "total": 0}


def test_a_graph_is_drawn_or_given_as_json() -> None:
    start()
    record_run("run1")
    assert "2  ╰▶●  work  agent.py:12" in ao("graph").stdout
    assert list(ao_json("graph", "run1")) == ["run", "subruns", "nodes", "edges", "outside"]
    assert json.loads(ao("graph", "--format", "json").stdout) == ao_json("graph")
    assert ao("graph", "--format", "svg").stdout.startswith("<svg")


def test_colours_are_for_terminals_only() -> None:
    start()
    record_run("run1")
    assert "\x1b[" not in ao("graph").stdout
    assert "\x1b[" in in_a_terminal("graph")
    assert "\x1b[" in in_a_terminal("runs")
    assert "\x1b[" not in in_a_terminal("graph", NO_COLOR="1")
    assert "\x1b[" not in in_a_terminal("runs", TERM="dumb")


def test_a_call_is_shown_with_its_messages_and_output() -> None:
    start()
    record_run("run1")
    shown = ao("call", "run1", "2").stdout
    assert "call 2 of run run1  live" in shown
    assert "work · /project/agent.py:12 · gpt-5 · openai · 7→3 tokens · <$0.0001 · 0.25 s" in shown
    assert "  from 1\n" in shown
    assert "  to 3\n" in shown
    assert "── user" in shown
    assert "output of c2" in shown


def why_run(tmp_path: Path) -> str:
    """A run in which the plan went to another call, over two lines; the program."""
    file = tmp_path / "agent.py"
    file.write_text("def plan():\n    return ask('a plan')\n\ndef act(plan):\n    ask('Do: ' + plan)\n")
    start()
    runner = Recorder("run1").connect()
    runner.start()
    runner.call("c1", response=chat_response("Survey the harbour wall \x1b[2J first"), site={**SITE, "file": str(file)})
    path = [{"file": str(file), "line": 2}, {"file": str(file), "line": 5}, {"file": "/gone.py", "line": 7}]
    source = {"call": "c1", "evidence": "tracked", "path": path}
    runner.call_start("c2", [source], chat_request("Do: Survey the harbour wall \x1b[2J first. Yes?"))
    runner.call_end("c2")
    runner.end()
    runner.wait()
    return str(file)


def test_why_shows_each_source_the_lines_on_its_way_and_where_it_stands(tmp_path: Path) -> None:
    file = why_run(tmp_path)
    assert ao("why", "run1", "2").stdout.splitlines() == [
        "call 2 of run run1  work · /project/agent.py:12 · gpt-5",
        "",
        f"1  work · {file}:12 · gpt-5",
        f"   {file}:2  plan  return ask('a plan')",
        f"   {file}:5  act   ask('Do: ' + plan)",
        "   /gone.py:7",
        "   at 4:38  “Survey the harbour wall \N{REPLACEMENT CHARACTER}[2J first”",
    ]
    assert ao("why", "run1", "1").stdout.splitlines()[1:] == ["", "no call's output is in its input"]


def test_why_can_be_asked_of_a_part_of_the_input(tmp_path: Path) -> None:
    why_run(tmp_path)
    said = ao("why", "run1", "2", "4:10").stdout.splitlines()
    assert said[1] == "  in characters 4:10 of its input: “Survey”"
    assert said[3].startswith("1  work")
    assert ao("why", "run1", "2", "39:").stdout.splitlines()[1:] == [
        "  in characters 39:44 of its input: “Yes?”",
        "",
        "no call's output is there",
    ]
    assert [source["number"] for source in ao_json("why", "run1", "2", ":9")["sources"]] == [1]
    assert ao_json("why", "run1", "2", "40:")["sources"] == []
    assert "there is no part 5:99 in an input of 44 characters" in ao("why", "run1", "2", "5:99", code=1).stderr


def test_why_fits_the_terminal_and_says_what_was_only_matched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "agent.py"
    file.write_text(f"text = 1  # {'long ' * 100}\n")
    start()
    runner = Recorder("run1").connect()
    runner.start()
    text = "Survey the harbour wall first, then replace every cracked bollard before the herring fleet is back."
    runner.call("c1", response=chat_response(text), at=1000.0)
    runner.call("c2", response=chat_response("9"), at=1001.0)
    path = [{"file": str(file), "line": 1}]
    runner.call_start("c3", [{"call": "c2", "evidence": "tracked", "path": path}], chat_request(text), at=1002.0)
    runner.call_end("c3")
    runner.end()
    runner.wait()
    lines = in_a_terminal("why", "run1", "3", NO_COLOR="1").splitlines()
    assert "~1  work · /project/agent.py:12 · gpt-5" in lines
    assert "   matched by its text: how it got there is not known" in lines
    (hop,) = [line for line in lines if line.startswith("   agent.py:1")]
    assert hop.endswith("long long…")
    assert max(map(len, lines)) <= 100
    assert "\x1b[" in in_a_terminal("why", "run1", "3")


def test_the_bodies_of_a_call_can_be_had_alone_and_byte_for_byte() -> None:
    start()
    record_run("run1")
    assert json.loads(ao("call", "run1", "2", "--request").stdout)["messages"][0]["content"] == "c2"
    assert json.loads(ao("call", "run1", "2", "--response").stdout)["object"] == "chat.completion"
    assert ao("call", "run1", "2", "--raw").stdout == chat_response("output of c2").decode()
    assert ao("call", "run1", "2", "--raw", "--request").stdout.startswith('{"model": "gpt-5"')


def test_what_a_model_wrote_cannot_command_the_terminal() -> None:
    start()
    for run in ("run1", "run2"):
        runner = Recorder(run).connect()
        runner.start(name="\x1b[2Jname")
        runner.call("c1", response=chat_response("\x1b]0;owned\x07 \u202e text\n\tstays" + run))
        runner.end()
        runner.wait()
    for arguments in (("call", "run1", "1"), ("runs",), ("graph",), ("diff", "run1", "run2")):
        assert not re.search("[\x1b\x07\u202e]", ao(*arguments).stdout), arguments
    assert "text\n\tstays" in ao("call", "run1", "1").stdout


def test_an_edit_comes_from_a_file_or_from_stdin_without_its_last_line_end(tmp_path: Path) -> None:
    start()
    record_run("run1")
    file = tmp_path / "new.txt"
    file.write_text("from a file\nof two lines\n")
    assert ao("edit", "run1", "1", "--output", str(file)).stdout.startswith("stored the edited output of call 1")
    assert ask("ao.call", run="run1", call=1)["edits"][0]["content"] == "from a file\nof two lines"
    assert ao_json("edit", "run1", "1", "--output", "-", stdin="from stdin\n")["number"] == 1
    assert ask("ao.call", run="run1", call=1)["edits"][0]["content"] == "from stdin"
    said = "took back the edited output of call 1"
    assert ao("unedit", "run1", "1").stdout == f"{said}; the output edited before counts again\n"
    assert ask("ao.call", run="run1", call=1)["edits"][0]["content"] == "from a file\nof two lines"
    ao("edit", "run1", "1", "--output", str(file), "--json")
    assert ao("unedit", "run1", "1", "--all").stdout == f"{said}\n"


def test_a_whole_response_goes_round_by_way_of_an_editor() -> None:
    start()
    record_run("run1")
    whole = ao("call", "run1", "1", "--response").stdout.replace("output of c1", "another output")
    ao("edit", "run1", "1", "--output", "-", stdin=whole)
    request = ao("call", "run1", "1", "--request").stdout.replace('"c1"', '"another prompt"')
    ao("edit", "run1", "1", "--input", "-", stdin=request)
    fields = [edit["field"] for edit in ask("ao.call", run="run1", call=1)["edits"]]
    assert fields == ["output", "input"]
    assert ao("unedit", "run1", "1", "--input").stdout == "took back the edited input of call 1\n"


def test_an_edit_that_cannot_be_is_refused_with_reason_and_hint(tmp_path: Path) -> None:
    start()
    record_run("run1")
    said = ao("edit", "run1", "1", "--output", "-", stdin='{"object": "chat.completion"}', code=1)
    assert (said.stdout, said.stderr) == (
        "",
        'ao: "choices" must be a list of objects\n  the whole output as it is: ao call run1 1 --response\n',
    )
    missing = ao("edit", "run1", "1", "--output", str(tmp_path / "none"), code=1)
    assert "No such file" in missing.stderr
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe")
    assert "not UTF-8" in ao("edit", "run1", "1", "--output", str(binary), code=1).stderr


def test_a_dry_run_says_what_a_rerun_will_cost() -> None:
    start()
    record_run("run1")
    assert ao("rerun", "run1", "--from", "2", "--dry-run").stdout.splitlines() == [
        "2 of 3 calls live, about 20 tokens, <$0.0001; 1 replayed",
        "",
        "1  replayed  work  gpt-5",
        "2  live      work  gpt-5",
        "3  live      work  gpt-5",
    ]
    ao("edit", "run1", "1", "--output", "-", stdin="new")
    said = ao("rerun", "run1", "--dry-run").stdout.splitlines()
    assert (
        said[0] == "0 of 3 calls live (up to 2 if their input changes, about 20 tokens, <$0.0001); 1 edited, 2 replayed"
    )
    assert ao_json("rerun", "run1", "--dry-run")["counts"]["edited"] == 1


def test_a_rerun_becomes_the_program_in_this_terminal(tmp_path: Path) -> None:
    start()
    (tmp_path / "agent.py").write_text("import os, sys\nprint('again', input(), os.getpid())\nsys.exit(7)\n")
    record_run("run1", calls=1, cwd=str(tmp_path), python=sys.executable)
    process = subprocess.Popen(
        [sys.executable, "-m", "ao_lsp.cli.ao", "rerun", "run1"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    out, err = process.communicate("typed\n", timeout=60)
    assert (process.returncode, out) == (7, f"again typed {process.pid}\n")
    assert re.fullmatch(r"ao: 0 of 1 call live; 1 replayed; this is run [0-9a-f]{12}\n", err)
    run = err.split()[-1]
    found = ao_json("graph", run)["run"]
    assert (found["status"], found["exit_code"], found["parent_run"]) == ("failed", 7, "run1")
    assert os.listdir(paths.plan_dir()) == []


def test_a_rerun_with_json_runs_behind_and_answers_at_its_end(tmp_path: Path) -> None:
    start()
    (tmp_path / "agent.py").write_text("import os\nprint('output', os.environ['FROM_ME'])\n")
    record_run("run1", calls=1, cwd=str(tmp_path), python=sys.executable)
    result = ao("rerun", "run1", "--json", FROM_ME="mine")
    found = json.loads(result.stdout)
    assert found["exit_code"] == 0
    assert Path(found["log"]).read_text() == "output mine\n"
    assert ao_json("rerun", "run1", "--ask", code=1)["error"]["code"] == "bad_params"


def test_the_output_of_a_rerun_in_the_background_is_followed_until_it_ends(tmp_path: Path) -> None:
    start()
    os.mkfifo(tmp_path / "go on")
    (tmp_path / "agent.py").write_text("print('\\33[1mone\\33[0m', flush=True)\nopen('go on').read()\nprint('zwölf')\n")
    record_run("run1", calls=1, cwd=str(tmp_path), python=sys.executable)
    run = json.loads(ao("exec", "ao.rerun", '{"run": "run1"}').stdout)["run"]
    follower = subprocess.Popen(
        [sys.executable, "-m", "ao_lsp.cli.ao", "output", run, "--follow"], stdout=subprocess.PIPE
    )
    with follower:
        assert follower.stdout is not None
        assert follower.stdout.readline() == b"\33[1mone\33[0m\n"
        assert ao("output", run).stdout == "\33[1mone\33[0m\n"  # so far
        (tmp_path / "go on").write_text("")
        assert follower.stdout.read().decode() == "zwölf\n"
        assert follower.wait(timeout=60) == 0
    found = ao_json("output", run, "--follow")
    assert (found["run"], found["text"], found["ended"]) == (run, "\33[1mone\33[0m\nzwölf\n", True)


def test_a_long_output_is_shown_whole() -> None:
    start()
    record_run("run1")
    folder = Path(paths.log_dir(), "runs")
    folder.mkdir(parents=True)
    text = "größer\n" * 400_000
    (folder / "run1.log").write_text(text)
    assert ao("output", "run1").stdout == text


def test_a_run_in_a_terminal_has_no_output_to_show() -> None:
    start()
    record_run("run1")
    assert ao("output", "run1", code=1).stderr.startswith("ao: nothing of what run run1 printed was kept\n")
    assert ao_json("output", "last", "--follow", code=1)["error"]["code"] == "conflict"


def test_a_rerun_whose_folder_is_gone_is_an_error() -> None:
    start()
    record_run("run1", cwd="/no/such/folder")
    assert "cannot be started in /no/such/folder" in ao("rerun", "run1", code=1).stderr
    assert os.listdir(paths.plan_dir()) == []


def test_a_diff_shows_what_went_and_what_came() -> None:
    start()
    record_run("run1", calls=2)
    runner = Recorder("run2").connect()
    runner.start()
    runner.call("d1", origin="replayed", source_call="c1", response=chat_response("output of c1"))
    runner.call("d2", source_call="c2", response=chat_response("something else"))
    runner.end()
    runner.wait()
    first, totals, *lines = ao("diff", "run1").stdout.splitlines()
    assert first == "agent.py run1 → agent.py run2: 1 same, 1 changed"
    assert totals.startswith("  finished · 14→6 tokens · <$0.0001 · ")
    assert lines == [
        "=   1→1  work · gpt-5 · replayed · input changed",
        "         user",
        "           -c1",
        "           +d1",
        "~   2→2  work · gpt-5 · live · input changed",
        "         user",
        "           -c2",
        "           +d2",
        "         output",
        "           -output of c2",
        "           +something else",
    ]
    assert ao_json("diff", "run1", "run2")["counts"]["changed"] == 1


def test_of_a_long_line_the_diff_shows_where_it_changed() -> None:
    start()
    for run, end in (("run1", "old end"), ("run2", "new end")):
        runner = Recorder(run).connect()
        runner.start()
        runner.call("c1", request=chat_request("word " * 100 + end), request_hash=run)
        runner.end()
        runner.wait()
        runner.close()
    shown = ao("diff", "run1", "run2").stdout
    assert re.search(r"-….*word old end\n +\+….*word new end\n", shown)


def test_runs_that_are_the_same_are_one_line() -> None:
    start()
    record_run("run1")
    record_run("run2")
    assert ao("diff", "run1", "run2").stdout == "agent.py run1 and agent.py run2 are identical: 3 calls\n"
    assert ao_json("diff", "run1", "run2")["identical"] is True


def test_many_calls_in_a_row_that_are_the_same_are_one_line() -> None:
    start()
    record_run("run1", calls=30)
    record_run("run2", calls=31)
    lines = ao("diff", "run1", "run2").stdout.splitlines()
    assert lines[2:] == ["=  1–30  30 calls, all the same", "+    31  work · gpt-5 · live"]


def test_any_command_can_be_executed_as_an_editor_would() -> None:
    start()
    record_run("run1")
    assert json.loads(ao("exec", "ao.graph", '{"run": "run1"}').stdout)["run"]["id"] == "run1"
    assert json.loads(ao("exec", "ao.runs").stdout)["total"] == 1
    assert json.loads(ao("exec", "ao.graph", "-", stdin='{"run": "run1"}').stdout)["run"]["id"] == "run1"
    assert "not JSON" in ao("exec", "ao.graph", "{", code=1).stderr
    assert "did you mean ao.graph?" in ao("exec", "ao.grahp", code=1).stderr


def test_errors_are_for_people_on_stderr_and_for_scripts_on_stdout() -> None:
    start()
    record_run("run1")
    said = ao("graph", "zzz", code=1)
    assert (said.stdout, said.stderr) == (
        "",
        "ao: there is no run zzz\n  ao runs lists them; the newest is run1\n",
    )
    assert ao_json("graph", "zzz", code=1) == {
        "error": {
            "code": "not_found",
            "message": "there is no run zzz",
            "hint": "ao runs lists them; the newest is run1",
        }
    }


@pytest.mark.parametrize(
    "arguments",
    [(), ("nonsense",), ("call", "run1"), ("graph", "--format", "png"), ("runs", "--limit", "many"),
     ("edit", "r", "1", "--output", "a", "--input", "b"), ("rerun", "r", "--strict", "--ask"),
     ("why", "r", "1", "3"), ("why", "r", "1", "a:b")],
)  # fmt: skip
def test_a_wrong_command_line_ends_with_2_and_asks_no_daemon(home: str, arguments: tuple[str, ...]) -> None:
    assert ao(*arguments, code=2).stderr.startswith("usage: ao")
    assert daemons_of(home) == []


def test_a_daemon_that_cannot_start_is_an_error_with_the_reason() -> None:
    os.makedirs(paths.data_dir())
    with closing(sqlite3.connect(paths.database())) as made:
        made.execute("PRAGMA user_version = 1000")
    assert "was made by a newer ao-lsp" in ao("runs", code=1).stderr
    assert "was made by a newer ao-lsp" in ao_json("runs", code=1)["error"]["message"]


def test_a_reader_that_has_seen_enough_ends_it_quietly() -> None:
    start()
    record_run("run1", calls=200)
    process = subprocess.Popen(
        f"{sys.executable} -m ao_lsp.cli.ao graph --json | head -c 10",
        shell=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    out, err = process.communicate(timeout=60)
    assert (len(out), err) == (10, "")


def test_a_cold_command_imports_nothing_of_the_server() -> None:
    program = (
        "import sys; from ao_lsp.cli import ao, server; ao._parser(); server._parser();"
        "print([name for name in sys.modules if name.startswith('ao_lsp.server') or name in"
        " ('asyncio', 'aiosqlite', 'subprocess', 'pygls', 'logging', 'typing_extensions')])"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert said.stdout == "[]\n"


def test_runs_are_deleted_without_a_question_where_nobody_could_answer() -> None:
    start()
    record_run("run1")
    record_run("run2")
    record_run("run3")
    assert re.fullmatch(r"deleted 2 runs: run1, run2; [\d.]+ k?B freed\n", ao("rm", "run1", "run2", stdin="").stdout)
    assert "there is no run run1" in ao("rm", "run1", code=1, stdin="").stderr
    assert ao_json("rm", "last", stdin="")["deleted"] == ["run3"]


def test_on_a_terminal_runs_are_deleted_after_a_yes() -> None:
    start()
    record_run("run1")
    for answer, options, code, left in (("n\n", (), 1, 1), ("", ("--yes",), 0, 0)):
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            [sys.executable, "-m", "ao_lsp.cli.ao", "rm", "run1", *options],
            stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        os.write(ours, answer.encode())
        _, asked = process.communicate(timeout=60)
        os.close(ours)
        os.close(theirs)
        assert process.returncode == code
        assert asked.startswith("Delete run1? [y/N] ") == (not options)
        assert len(ask("ao.runs")["runs"]) == left


def test_a_run_is_exported_to_stdout_or_into_a_file(tmp_path: Path) -> None:
    start()
    record_run("run1")
    assert json.loads(ao("export").stdout)["run"]["id"] == "run1"
    file = tmp_path / "run.html"
    assert re.fullmatch(
        r"wrote [\d.]+ kB to .*run.html\n", ao("export", "run1", "--format", "html", "-o", str(file)).stderr
    )
    assert file.read_text("utf-8").startswith("<!doctype html>")
    assert ao_json("export", "run1", "-o", str(file))["bytes"] == file.stat().st_size
    assert "No such file" in ao("export", "run1", "-o", str(tmp_path / "no" / "file"), code=1).stderr
