"""Reruns of programs whose calls are made by several processes: one plan for all of them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent, indent

import pytest
from model_server import ModelServer

from ao_lsp.runner.claims import Claims, remove
from tests.daemons import LONG_S, ask
from tests.runner.recorded import Programs, column, graph
from tests.runner.test_processes import agents
from tests.runner.test_replay import edit

__all__ = ["agents"]  # a fixture

ALL = """
    import multiprocessing, os, subprocess, sys, helper
    from concurrent.futures import ProcessPoolExecutor

    if __name__ == "__main__":
        for method in ("fork", "spawn", "forkserver"):
            context = multiprocessing.get_context(method)
            with context.Pool(2) as pool:
                print(pool.map(helper.ask, [f"{method} {n}" for n in (1, 2, 2)]))
            with ProcessPoolExecutor(2, mp_context=context) as pool:
                print(list(pool.map(helper.ask, [f"{method} {n}" for n in (3, 4, 4)])))
            ours, theirs = context.Pipe()
            process = context.Process(target=helper.send, args=(theirs, method))
            process.start()
            print(ours.recv())
            process.join()
        for text in ("one", "two", "two"):
            print(subprocess.run([sys.executable, "worker.py", text], check=True, capture_output=True).stdout)
        sys.stdout.flush()
        for number in range(2):
            pid = os.fork()
            if pid == 0:
                print(helper.ask(f"fork {number}"), flush=True)
                os._exit(0)
            os.waitpid(pid, 0)
        os.execv(sys.executable, [sys.executable, "worker.py", "in the end"])
"""


def test_an_unchanged_rerun_of_calls_in_children_asks_no_model_and_leaves_no_plan(
    agents: Programs, model_server: ModelServer, home: str
) -> None:
    out, _ = agents.record(ALL, "--name", "first", env=model_server.env)
    before, asked = graph("first"), len(model_server.requests)
    assert len(before["nodes"]) == 27
    assert agents.rerun("first", env=model_server.env) == out
    assert len(model_server.requests) == asked
    after = graph()
    assert column(after, "origin") == ["replayed"] * 27
    assert after["run"]["status"] == "finished"
    assert os.listdir(Path(home, "data/plans")) == []


# A model that answers the same question differently each time.
COUNTING = """
    import itertools, json, threading
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

    class Handler(BaseHTTPRequestHandler):
        numbers = itertools.count(1)

        def do_POST(self):
            self.rfile.read(int(self.headers["content-length"]))
            answer = f"answer {next(self.numbers)}"
            body = json.dumps({"choices": [{"message": {"content": answer}}]}).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *a):
            pass

    def serve():
        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}/v1"
"""


@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.parametrize("pool", ["Pool", "ProcessPoolExecutor"])
def test_equal_calls_of_a_pools_workers_get_the_answers_that_they_got(method: str, pool: str, agents: Programs) -> None:
    agents.write(COUNTING, "counting.py")
    source = f"""
        import multiprocessing, os, helper
        from concurrent.futures import ProcessPoolExecutor

        if __name__ == "__main__":
            import counting
            os.environ["OPENAI_BASE_URL"] = counting.serve()
            context = multiprocessing.get_context("{method}")
            made = context.Pool(3) if "{pool}" == "Pool" else ProcessPoolExecutor(3, mp_context=context)
            with made as pool:
                print(list(pool.map(helper.ask, ["the same"] * 12)))
            print(next(counting.Handler.numbers))
    """
    out, _ = agents.record(source, "-W", "ignore")
    assert sorted(out.splitlines()[0].strip("[]").split(", ")) == sorted(f"'answer {n}'" for n in range(1, 13))
    again = agents.rerun("last")
    assert again.splitlines() == [out.splitlines()[0], "1"]


def test_an_edit_of_a_childs_output_reaches_what_depends_on_it_and_nothing_else(
    agents: Programs, model_server: ModelServer
) -> None:
    source = """
        import multiprocessing, helper
        if __name__ == "__main__":
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                for text in pool.map(helper.ask, ["What do the sources say?", "What else is there?"], 1):
                    print(helper.ask("Sum up: " + text))
    """
    agents.record(source, "--name", "first", env=model_server.env)
    edit("first", 1, "output", "That the wall stands.")
    asked = len(model_server.requests)
    agents.rerun("first", env=model_server.env)
    assert column(graph(), "origin") == ["edited", "replayed", "live", "replayed"]
    sent = [request["request"]["messages"][0]["content"] for request in model_server.requests[asked:]]
    assert sent == ["Sum up: That the wall stands."]


FROM = {
    "a pool's worker": """
        import multiprocessing
        with multiprocessing.get_context("METHOD").Pool(2) as pool:
            first, second = pool.map(helper.ask, ["What do the sources say?", "What else is there?"], 1)
        """,
    "an executor's worker": """
        import multiprocessing
        from concurrent.futures import ProcessPoolExecutor
        with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("METHOD")) as pool:
            first, second = pool.map(helper.ask, ["What do the sources say?", "What else is there?"])
        """,
    "a child": """
        import subprocess, sys
        first, second = (
            subprocess.run([sys.executable, "worker.py", text], check=True, capture_output=True, text=True).stdout
            for text in ("What do the sources say?", "What else is there?")
        )
        """,
    "a fork": """
        import os
        def forked(text):
            theirs, ours = os.pipe()
            if os.fork() == 0:
                os.write(ours, helper.ask(text).encode())
                os._exit(0)
            os.close(ours)
            with open(theirs) as said:
                os.wait()
                return said.read()
        first, second = map(forked, ["What do the sources say?", "What else is there?"])
        """,
}


@pytest.mark.parametrize(
    ("who", "method"),
    [(who, method) for who in FROM for method in (("fork", "spawn") if "METHOD" in FROM[who] else ("",))],
)
def test_a_rerun_from_a_call_of_a_childs_makes_that_and_what_depends_on_it(
    who: str, method: str, agents: Programs, model_server: ModelServer
) -> None:
    body = dedent(FROM[who].replace("METHOD", method))
    body += 'for text in (first, second):\n    helper.ask("Sum up: " + text)\n'
    source = "import helper\nif __name__ == '__main__':\n" + indent(body, "    ")
    agents.record(source, "--name", "first", env=model_server.env)
    calls = [ask("ao.call", run="first", call=str(number)) for number in range(1, 5)]
    (wanted,) = (call for call in calls if call["messages"][0]["text"] == "What else is there?")
    asked = len(model_server.requests)
    agents.rerun("first", "--from", wanted["call"]["id"], env=model_server.env)
    sent = [request["request"]["messages"][0]["content"] for request in model_server.requests[asked:]]
    assert sent == ["What else is there?", "Sum up: " + wanted["output"]["text"]]
    assert sorted(column(graph(), "origin")) == ["live", "live", "replayed", "replayed"]


def test_an_edit_of_a_child_that_was_used_is_not_said_to_be_unused(agents: Programs, model_server: ModelServer) -> None:
    agents.record(
        "import subprocess, sys; print(subprocess.run([sys.executable, 'worker.py', 'x'], capture_output=True).stdout)",
        env=model_server.env,
    )
    edit("last", 1, "output", "edited")
    assert agents.rerun("last", env=model_server.env) == "b'edited'\n"
    assert column(graph(), "origin") == ["edited"]


def test_a_child_may_not_make_a_call_without_a_recording_where_the_user_wants_none(
    agents: Programs, model_server: ModelServer
) -> None:
    source = """
        import pathlib, subprocess, sys
        text = pathlib.Path("question.txt").read_text()
        done = subprocess.run([sys.executable, "worker.py", text], capture_output=True, text=True)
        print(done.returncode, "no recording" in done.stderr)
    """
    (agents.folder / "question.txt").write_text("one")
    assert agents.record(source, env=model_server.env)[0] == "0 False\n"
    (agents.folder / "question.txt").write_text("two")
    asked = len(model_server.requests)
    assert agents.rerun("last", "--strict", env=model_server.env) == "1 True\n"
    assert len(model_server.requests) == asked


# -- chance

# Which worker takes which piece of work depends on who is slow.
CHANCE = """
    import multiprocessing, os, random, sys, time, uuid, helper
    from concurrent.futures import ProcessPoolExecutor

    def work(number):
        if number % int(os.environ["SLOW"]) == 0:
            time.sleep(0.1)
        drawn = [random.random() for _ in range(2)], random.sample(range(1000), 3), random.Random().random()
        helper.ask(f"{number} {drawn} {uuid.uuid4()} {time.time()}")
        return drawn[0], helper.ask(f"and {uuid.uuid4()} {random.getrandbits(64)}")

    def say(number):
        print(work(number), flush=True)

    if __name__ == "__main__":
        context = multiprocessing.get_context(sys.argv[1])
        with context.Pool(3) as pool:
            found = pool.map(work, range(7), chunksize=1) + pool.map(work, range(2), chunksize=1)
        for _ in range(2 if sys.argv[1] != "forkserver" else 1):
            with ProcessPoolExecutor(3, mp_context=context) as pool:
                found += pool.map(work, range(7))
        print(found)
        numbers = [number for drawn, _ in found for number in drawn]
        print(len(numbers) - len(set(numbers)))  # of workers that draw the same
        processes = [context.Process(target=say, args=(number,)) for number in range(2)]
        for process in processes:
            process.start()
            process.join()
"""


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_what_workers_draw_by_chance_comes_back_whichever_of_them_does_the_work(
    method: str, agents: Programs, model_server: ModelServer
) -> None:
    file = agents.write(CHANCE)
    process = agents.start("-W", "ignore", file.name, method, env={**model_server.env, "SLOW": "2"})
    out, err = (said.decode() for said in process.communicate(timeout=2 * LONG_S))
    assert (process.returncode, err) == (0, "")
    assert out.splitlines()[1] == "0"
    asked = len(model_server.requests)
    assert agents.rerun("last", "--strict", env={**model_server.env, "SLOW": "3"}) == out
    assert len(model_server.requests) == asked
    assert set(column(graph(), "origin")) == {"replayed"}


# -- claims

TAKE = """
import sys
from ao_lsp.runner.claims import Claims
claims = Claims(sys.argv[1])
sys.stdin.read()
print(*[number for number in range(300) if claims.take(number)])
"""


def test_an_entry_is_taken_once_whoever_asks_at_the_same_time(tmp_path: Path) -> None:
    plan = str(tmp_path / "x.plan")
    processes = [
        subprocess.Popen([sys.executable, "-c", TAKE, plan], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for _ in range(4)
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.close()
        process.stdin = None
    taken = [int(number) for process in processes for number in process.communicate()[0].split()]
    assert sorted(taken) == list(range(300))
    assert Claims(plan).taken() == set(range(300))
    remove(plan)
    assert os.listdir(tmp_path) == []


def test_where_nothing_can_be_written_each_process_has_all_entries_once(tmp_path: Path) -> None:
    claims = Claims(str(tmp_path / "nowhere" / "x.plan"))
    assert [claims.take(3), claims.take(3), claims.take(4)] == [True, False, True]
