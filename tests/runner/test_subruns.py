"""Subruns: what a program groups with `ao_lsp.launch` is a run of its own, which can be rerun alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from textwrap import dedent
from typing import Any

import pytest
from model_server import ModelServer

from tests.daemons import LONG_S, ask, log, until
from tests.runner.recorded import AO, Programs, column, edges, graph

# Over the standard library's own client: an SDK takes ten times as long to import as all of this to run.
HEAD = dedent("""
    import asyncio, json, os, sys, threading, urllib.request
    from concurrent.futures import ThreadPoolExecutor
    import ao_lsp


    def ask(text, model="m"):
        body = json.dumps({"model": model, "messages": [{"role": "user", "content": text}]}).encode()
        url = os.environ["OPENAI_BASE_URL"] + "/chat/completions"
        request = urllib.request.Request(url, body, {"content-type": "application/json"})
        with urllib.request.urlopen(request) as response:
            return json.load(response)["choices"][0]["message"]["content"]
""")

SAMPLES = HEAD + dedent("""

    plan = ask("plan")
    answers = []
    for number in range(3):
        with ao_lsp.launch(f"sample {number}"):
            draft = ask(f"draft {number}: {plan}")
            answers.append(ask("revise: " + draft))
            ao_lsp.log(result=number)
    print(len(ask("sum up: " + " ".join(answers))) > 0)
""")


def runs(**params: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = ask("ao.runs", **params)["runs"]
    return found


def subruns_of(found: dict[str, Any]) -> dict[str, str]:
    """Each subrun of a graph, and what is around it, by name."""
    names = {found["run"]["id"]: "", **{run["id"]: run["name"] for run in found["subruns"]}}
    return {run["name"]: names[run["subrun_of"]] for run in found["subruns"]}


def where(found: dict[str, Any], number: str = "model") -> dict[str, str | None]:
    """By one field of the calls, the subrun of each."""
    return {node[number]: node["subrun"] for node in found["nodes"]}


def test_each_launch_is_a_run_of_its_own_within_the_one_around_it(
    programs: Programs, model_server: ModelServer
) -> None:
    programs.record(SAMPLES, "--name", "all", env=model_server.env)
    whole, *subruns = runs()
    assert whole["name"] == "all"
    assert [run["name"] for run in subruns] == ["sample 0", "sample 1", "sample 2"]
    assert {run["subrun_of"] for run in subruns} == {whole["id"]}
    assert {run["session"] for run in subruns} == {whole["session"]}
    assert [(run["status"], run["result"], run["calls"], run["parent_run"]) for run in subruns] == [
        ("finished", number, 2, None) for number in range(3)
    ]
    assert (whole["calls"], whole["result"]) == (8, None)
    found = graph("all")
    # The arrows lead in and out of the subruns.
    assert edges(found) == {(1, 2), (2, 3), (1, 4), (4, 5), (1, 6), (6, 7), (3, 8), (5, 8), (7, 8)}
    assert column(found, "subrun") == [None, *(f"sample {n}" for n in (0, 0, 1, 1, 2, 2)), None]
    one = graph("sample 1")
    assert edges(one) == {(1, 2)}
    assert [(edge["run"], edge["number"]) for edge in one["outside"]] == [(whole["id"], 1)]


def test_a_call_belongs_to_the_innermost_launch_in_tasks_threads_and_pools(
    programs: Programs, model_server: ModelServer
) -> None:
    programs.record(
        HEAD
        + dedent("""
        pool = ThreadPoolExecutor(1)
        pool.submit(ask, "x", "before").result()
        with ao_lsp.launch("outer"):
            ask("x", "outer")
            with ao_lsp.launch("inner"):
                ask("x", "inner")
                # Its thread was started outside.
                pool.submit(ask, "x", "pooled").result()
                late = threading.Event()
                def work():
                    late.wait()
                    ask("x", "thread")
                thread = threading.Thread(target=work)
                thread.start()
            ask("x", "outer again")
        late.set()
        thread.join()
        pool.submit(ask, "x", "after").result()
        with ao_lsp.launch("starting"):
            pool = ThreadPoolExecutor(1)
            pool.submit(ask, "x", "starting").result()
        # Its thread was started inside.
        pool.submit(ask, "x", "none").result()

        async def one(name):
            async with ao_lsp.launch(name):
                await asyncio.sleep(0)
                child = asyncio.create_task(asyncio.to_thread(ask, "x", f"{name} child"))
                await asyncio.sleep(0)
            await child
            await asyncio.get_running_loop().run_in_executor(None, ask, "x", f"{name} outside")

        async def main():
            await asyncio.gather(one("a"), one("b"))

        asyncio.run(main())
        """),
        env=model_server.env,
    )
    found = graph()
    assert where(found) == {
        "before": None,
        "outer": "outer",
        "inner": "outer / inner",
        "pooled": "outer / inner",
        "thread": "outer / inner",
        "outer again": "outer",
        "after": None,
        "starting": "starting",
        "none": None,
        "a child": "a",
        "b child": "b",
        "a outside": None,
        "b outside": None,
    }
    assert subruns_of(found) == {"outer": "", "inner": "outer", "starting": "", "a": "", "b": ""}


def test_an_error_that_leaves_the_block_marks_the_subrun_and_passes_on(
    programs: Programs, model_server: ModelServer
) -> None:
    source = """
        import asyncio, ao_lsp, traceback
        try:
            with ao_lsp.launch("caught outside"):
                raise ValueError("no")
        except ValueError as error:
            print(error.__traceback__.tb_next, error.__context__)

        @ao_lsp.launch("decorated")
        def fails():
            {}["nothing"]

        @ao_lsp.launch("async")
        async def waits():
            await asyncio.sleep(0)
            return 7

        try:
            fails()
        except KeyError:
            traceback.print_exc()
        print(asyncio.run(waits()), waits.__name__, asyncio.iscoroutinefunction(waits))
        with ao_lsp.launch("to the end"):
            raise RuntimeError("the last")
        """
    file = programs.write(source, "program.py")
    plain = subprocess.run([sys.executable, file.name], cwd=programs.folder, capture_output=True, text=True)
    assert programs.record(source, code=1, env=model_server.env) == (plain.stdout, plain.stderr)
    whole, *subruns = runs()
    assert [(run["name"], run["status"], run["error"] and run["error"]["type"]) for run in subruns] == [
        ("caught outside", "failed", "ValueError"),
        ("decorated", "failed", "KeyError"),
        ("async", "finished", None),
        ("to the end", "failed", "RuntimeError"),
    ]
    assert whole["status"] == "failed"
    assert subruns[0]["error"]["line"] == 5


def test_a_subrun_is_rerun_alone_and_what_is_outside_costs_nothing(
    programs: Programs, model_server: ModelServer
) -> None:
    out, _ = programs.record(SAMPLES, "--name", "all", env=model_server.env)
    before, asked = graph("sample 1"), len(model_server.requests)
    assert programs.rerun("sample 1", env=model_server.env) == out
    assert len(model_server.requests) == asked
    again = graph()
    assert again["run"]["name"] == "sample 1"
    assert (again["run"]["parent_run"], again["run"]["subrun_of"]) == (before["run"]["id"], None)
    assert (again["run"]["status"], again["run"]["result"]) == ("finished", 1)
    assert column(again, "origin") == ["replayed", "replayed"]
    assert edges(again) == {(1, 2)}
    # It still comes from the plan of the run that it was recorded in.
    assert [(edge["run"], edge["number"]) for edge in again["outside"]] == [(graph("all")["run"]["id"], 1)]


def test_from_a_call_of_a_subrun_only_what_depends_on_it_there_goes_live(
    programs: Programs, model_server: ModelServer
) -> None:
    programs.record(SAMPLES, "--name", "all", env=model_server.env)
    recorded, asked = graph("sample 1"), len(model_server.requests)
    programs.rerun("sample 1", "--from", "2", env=model_server.env)
    found = graph()
    assert column(found, "origin") == ["replayed", "live"]
    assert found["run"]["fork_call"] == recorded["nodes"][1]["id"]
    # The sum at the end had the same answer: it was served, too, and is not recorded.
    assert len(model_server.requests) == asked + 1
    # A rerun of that rerun is one of the subrun again.
    programs.rerun("last", env=model_server.env)
    assert len(model_server.requests) == asked + 1
    assert (graph()["run"]["parent_run"], column(graph(), "origin")) == (found["run"]["id"], ["replayed", "replayed"])


def test_an_edit_in_a_subrun_is_found_by_either_name_and_used_by_either_rerun(
    programs: Programs, model_server: ModelServer
) -> None:
    programs.record(SAMPLES, "--name", "all", env=model_server.env)
    # The fourth call of the whole is the first of the second sample.
    edited = ["edit", "all", "4", "--output", "-"]
    subprocess.run([AO, *edited], input=b"a better draft", check=True, timeout=LONG_S)
    programs.rerun("sample 1", env=model_server.env)
    assert column(graph(), "origin") == ["edited", "live"]
    programs.rerun("all", env=model_server.env)
    assert column(graph(), "origin") == [*["replayed"] * 3, "edited", "live", "replayed", "replayed", "live"]
    assert [run["edits"] for run in runs(limit=9) if run["name"] in ("all", "sample 1")][-2:] == [1, 1]


def test_a_rerun_of_the_whole_has_subruns_that_are_reruns_of_the_recorded_ones(
    programs: Programs, model_server: ModelServer
) -> None:
    programs.record(SAMPLES, "--name", "all", env=model_server.env)
    recorded, asked = runs(), len(model_server.requests)
    fork = graph("all")["nodes"][3]
    programs.rerun("all", "--from", "4", env=model_server.env)
    again = runs()[:4]
    assert [run["parent_run"] for run in again] == [run["id"] for run in recorded]
    assert [run["fork_call"] for run in again] == [fork["id"], None, fork["id"], None]
    assert len(model_server.requests) == asked + 3


def test_equal_requests_of_different_subruns_get_their_own_answers(programs: Programs) -> None:
    source = HEAD + dedent("""
        names = ["a", "b", "c"]
        if os.path.exists("again"):
            names.reverse()
        for name in names:
            with ao_lsp.launch(name):
                print(name, ask("the same"))
        """)
    with numbered_server() as env:
        out, _ = programs.record(source, env=env)
    (programs.folder / "again").touch()
    # What a sample was answered is its own, whenever its turn comes.
    assert sorted(programs.rerun("last", env=env).splitlines()) == sorted(out.splitlines())
    assert programs.rerun("b", env=env).splitlines() == list(reversed(out.splitlines()))


def numbered_server() -> Any:
    """A model that answers each request with the next number."""
    import json
    import threading
    from contextlib import contextmanager
    from http.server import BaseHTTPRequestHandler, HTTPServer

    count = iter(range(1000))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            message = {"role": "assistant", "content": f"answer {next(count)}"}
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            body = {"id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
            data = json.dumps(body).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    @contextmanager
    def serving() -> Any:
        with HTTPServer(("127.0.0.1", 0), Handler) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            try:
                yield {"OPENAI_BASE_URL": f"http://127.0.0.1:{server.server_port}/v1", "OPENAI_API_KEY": "x"}
            finally:
                server.shutdown()

    return serving()


def test_a_subrun_that_the_program_no_longer_comes_to_is_told(programs: Programs, model_server: ModelServer) -> None:
    programs.record(SAMPLES, env=model_server.env)
    programs.write(SAMPLES.replace("range(3)", "range(1)"))
    programs.rerun("sample 2", env=model_server.env)
    text = ask("ao.graph", run="last", format="text")["text"]
    assert "did not come through the subrun 'sample 2'" in text
    assert "outside of the subrun, the call at" in text


def test_marks_are_bounded_json_or_repr_and_of_the_innermost_run(programs: Programs, model_server: ModelServer) -> None:
    programs.record(
        """
        import ao_lsp
        with ao_lsp.launch("part"):
            ao_lsp.log(result=0.5, note="first")
            ao_lsp.log(result={"score": (1, 2)}, note="second")
        ao_lsp.log(result={1, })
        with ao_lsp.launch("odd"):
            class Odd:
                def __repr__(self): raise ValueError
            ao_lsp.log(result=Odd())
            ao_lsp.log(result="x" * 200_000, note="\\ud800" + "y" * 200_000)
            ao_lsp.log(result=float("nan"))
        """,
        env=model_server.env,
    )
    whole, part, odd = runs()
    assert (part["result"], part["notes"]) == ({"score": [1, 2]}, ["first", "second"])
    assert (whole["result"], whole["notes"]) == ("{1}", [])
    assert odd["result"] == "nan"
    assert len(odd["notes"]) == 1
    assert len(odd["notes"][0]) == (64 << 10) + 1
    listed = subprocess.run([AO, "runs"], capture_output=True, text=True, check=True, timeout=LONG_S).stdout
    assert 'result {"score": [1, 2]}, second' in listed
    assert 'result: {"score": [1, 2]}\nnote: first\nnote: second' in ask("ao.graph", run="part", format="text")["text"]


@pytest.mark.parametrize("option", [[], ["--no-taint"]], ids=["tracked", "untracked"])
def test_what_is_open_when_the_program_ends_ends_with_it(
    option: list[str], programs: Programs, model_server: ModelServer
) -> None:
    source = """
        import ao_lsp, os
        ao_lsp.launch("never left").__enter__()
        with ao_lsp.launch("exits"):
            raise SystemExit(0)
        """
    programs.record(source, *option, env=model_server.env)
    assert [(run["name"], run["status"]) for run in runs()] == [
        ("program.py", "finished"),
        ("never left", "killed"),
        ("exits", "finished"),
    ]
    programs.record(source.replace("raise SystemExit(0)", "os._exit(3)"), code=3)
    until(lambda: runs()[0]["status"] == "killed", "the run is not ended")
    assert {run["status"] for run in runs()[:3]} == {"killed"}


def test_threads_that_enter_the_first_subruns_at_the_same_moment_are_all_recorded(programs: Programs) -> None:
    programs.record(
        """
        import ao_lsp, sys, threading

        barrier = threading.Barrier(8)
        sys.setswitchinterval(1e-6)

        def work(number):
            barrier.wait()
            with ao_lsp.launch(f"sample {number}"):
                barrier.wait()

        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        """
    )
    whole, *subruns = runs()
    assert sorted(run["name"] for run in subruns) == [f"sample {number}" for number in range(8)]
    assert {run["status"] for run in (whole, *subruns)} == {"finished"}


# Between its two calls the second sample waits until a file is there: how a test says when.
WAITING = HEAD + dedent("""
    import time

    plan = ask("plan")
    for number in range(2):
        with ao_lsp.launch(f"sample {number}"):
            draft = ask(f"draft {number}: {plan}")
            while number and not os.path.exists("go"):
                time.sleep(0.01)
            print(ask("revise: " + draft) != "", flush=True)
""")


def rerun(*arguments: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [AO, "rerun", *arguments], env={**os.environ, **env}, capture_output=True, text=True, timeout=2 * LONG_S
    )


def test_a_subrun_is_rerun_while_it_goes_on_and_again_when_its_program_was_stopped(
    programs: Programs, model_server: ModelServer
) -> None:
    first = programs.start(programs.write(WAITING).name, env=model_server.env)
    until(lambda: ask("ao.runs")["total"] and column(graph(), "status") == ["ok"] * 4, "it has not come so far")
    subrun = graph("sample 1")["run"]
    assert subrun["status"] == "running"
    (programs.folder / "go").touch()
    os.kill(first.pid, signal.SIGSTOP)  # it goes on, and does not get further
    asked = len(model_server.requests)
    done = rerun(subrun["id"], env=model_server.env)
    assert done.returncode == 0, done.stderr
    again = graph()
    assert (again["run"]["parent_run"], column(again, "origin")) == (subrun["id"], ["replayed", "live"])
    assert len(model_server.requests) == asked + 1
    assert column(graph(subrun["id"]), "status") == ["ok"]

    os.kill(first.pid, signal.SIGCONT)
    stopped = subprocess.run([AO, "stop", subrun["id"]], capture_output=True, text=True, timeout=LONG_S)
    whole = graph("program.py")["run"]["id"]
    first.communicate(timeout=LONG_S)
    if stopped.returncode:  # it was faster
        assert "has ended, or its program cannot be reached" in stopped.stderr
    else:
        assert stopped.stdout == f"stopped run {whole}, the program of subrun {subrun['id']}\n"


def test_stopping_a_subrun_stops_its_program_and_what_it_had_done_replays(
    programs: Programs, model_server: ModelServer
) -> None:
    first = programs.start(programs.write(WAITING).name, env=model_server.env)
    until(lambda: ask("ao.runs")["total"] and column(graph(), "status") == ["ok"] * 4, "it has not come so far")
    whole, subrun = graph()["run"]["id"], graph("sample 1")["run"]["id"]
    stopped = subprocess.run([AO, "stop", "sample 1"], capture_output=True, text=True, timeout=LONG_S)
    assert (stopped.stdout, stopped.stderr) == (f"stopped run {whole}, the program of subrun {subrun}\n", "")
    assert first.wait(timeout=LONG_S) == -signal.SIGTERM
    first.communicate()
    until(lambda: runs()[0]["status"] != "running", log())
    assert [run["status"] for run in runs()] == ["killed", "finished", "killed"]
    (programs.folder / "go").touch()
    done = rerun("sample 1", env=model_server.env)
    assert "did not come to its end (killed): 1 of its calls is recorded" in done.stderr
    assert column(graph(), "origin") == ["replayed", "live"]


def test_a_subrun_that_crashed_is_rerun_with_repaired_code(programs: Programs, model_server: ModelServer) -> None:
    crashing = SAMPLES.replace("    ao_lsp.log(result=number)", "    1 / (1 - number)")
    programs.record(crashing, "--name", "all", env=model_server.env, code=1)
    assert [(run["name"], run["status"]) for run in runs()][1:] == [("sample 0", "finished"), ("sample 1", "failed")]
    # The repair moves the lines, and asks once more.
    programs.write(SAMPLES.replace("plan = ask", "# repaired\nplan = ask").replace("number)", "ask(draft))"))
    asked = len(model_server.requests)
    done = rerun("sample 1", env=model_server.env)
    assert done.returncode == 0, done.stderr
    assert "the code has changed since: program.py" in done.stderr
    assert column(graph(), "origin") == ["replayed", "replayed", "live"]
    assert graph()["run"]["status"] == "finished"
    # Outside of it, what had not been recorded was asked: its own third call, and all of the third sample and the sum.
    assert len(model_server.requests) > asked
