"""The calls of children that run Python belong to the run: however they were started, and however they end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest
from model_server import ModelServer

from tests.daemons import LONG_S, ask, kill, start, until
from tests.runner.recorded import Programs, column, edges, graph

# The child of most tests: makes one call, in a module of the user's, with what it is told.
WORKER = """
    import sys
    import helper

    print(helper.ask(sys.argv[1] if len(sys.argv) > 1 else sys.stdin.read()), end="")
"""
HELPER = """
    import json
    import os
    import urllib.request


    def ask(text):
        body = json.dumps({"model": "gpt-5.4", "messages": [{"role": "user", "content": text}]}).encode()
        url = os.environ["OPENAI_BASE_URL"] + "/chat/completions"
        request = urllib.request.Request(url, body, {"content-type": "application/json"})
        with urllib.request.urlopen(request) as reply:
            return json.loads(reply.read())["choices"][0]["message"]["content"]


    def two(text):
        return ask("Now something else, and short: " + ask(text).upper())


    def send(pipe, text):
        pipe.send(ask(text))
        pipe.close()
"""


@pytest.fixture
def agents(programs: Programs) -> Programs:
    programs.write(WORKER, "worker.py")
    programs.write(HELPER, "helper.py")
    return programs


STARTED = {
    "subprocess.run": "subprocess.run([sys.executable, 'worker.py', 'x'], check=True, stdout=-3)",
    "a python on the path": "subprocess.run(['python3', 'worker.py', 'x'], check=True, stdout=-3)",
    "a module": "subprocess.run([sys.executable, '-m', 'worker', 'x'], check=True, stdout=-3)",
    "a command": "subprocess.run([sys.executable, '-c', 'import helper; helper.ask(str(1))'], check=True)",
    "isolated": "subprocess.run([sys.executable, '-I', os.path.abspath('alone.py')], check=True)",
    "no environment": "subprocess.run([sys.executable, 'worker.py', 'x'], env=MODEL, check=True, stdout=-3)",
    "a home elsewhere": "subprocess.run([sys.executable, 'worker.py', 'x'], check=True, stdout=-3,"
    " env={**MODEL, 'HOME': '/nowhere', 'AO_HOME': '/nowhere'})",
    "inherited descriptors": "subprocess.run([sys.executable, 'worker.py', 'x'], check=True, stdout=-3,"
    " close_fds=False)",
    "a script with a first line": "subprocess.run(['./tool', 'x'], check=True, stdout=-3)",
    "asyncio": "asyncio.run(waited())",
    "os.spawnv": "os.spawnv(os.P_WAIT, sys.executable, [sys.executable, 'worker.py', 'x'])",
    "posix_spawn": "os.waitpid(os.posix_spawn(sys.executable, [sys.executable, 'worker.py', 'x'], os.environ), 0)",
    "a grandchild": "subprocess.run([sys.executable, '-c', 'import subprocess, sys; '"
    ' \'subprocess.run([sys.executable, "worker.py", "x"], stdout=-3)\'], check=True)',
    "another python": "subprocess.run([OTHER, 'worker.py', 'x'], check=True, stdout=-3, env={**os.environ, **ENV})",
}


@pytest.mark.parametrize("how", STARTED)
def test_a_call_of_a_child_is_a_call_of_the_run(
    how: str, agents: Programs, model_server: ModelServer, tmp_path: Path
) -> None:
    (tmp_path / "alone.py").write_text(
        "import sys\nsys.path.insert(0, sys.argv[0][:-9])\nimport helper\nhelper.ask('x')\n"
    )
    (tmp_path / "tool").write_text(f"#!{sys.executable}\n" + (tmp_path / "worker.py").read_text())
    (tmp_path / "tool").chmod(0o755)  # what makes it a command
    other = tmp_path / "other"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", other], check=True) if how == "another python" else 0
    packages = next(path for path in sys.path if path.endswith("site-packages"))
    agents.record(
        f"""
        import asyncio, os, subprocess, sys
        MODEL = {{k: v for k, v in os.environ.items() if k.startswith("OPENAI_")}}
        OTHER, ENV = {str(other / "bin/python")!r}, {{"PYTHONPATH": {packages!r}}}

        async def waited():
            child = await asyncio.create_subprocess_exec(sys.executable, "worker.py", "x", stdout=-3)
            await child.wait()

        {STARTED[how]}
        """,
        env={**model_server.env, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
    )
    found = graph()
    assert column(found, "function") == ["ask"]
    assert column(found, "file") == [str(agents.folder / "helper.py")]
    assert column(found, "status") == ["ok"]
    assert found["run"]["status"] == "finished"
    assert ask("ao.runs")["total"] == 1


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_workers_of_multiprocessing_are_recorded_with_the_edges_of_their_own_calls(
    method: str, agents: Programs, model_server: ModelServer
) -> None:
    agents.record(
        f"""
        import multiprocessing, helper
        from concurrent.futures import ProcessPoolExecutor

        def here(text):
            return helper.two(text)

        if __name__ == "__main__":
            context = multiprocessing.get_context("{method}")
            with context.Pool(2) as pool:
                pool.map(here, ["one", "two"])
            with ProcessPoolExecutor(1, mp_context=context) as pool:
                pool.submit(here, "three").result()
            process = context.Process(target=here, args=("four",))
            process.start()
            process.join()
        """,
        env=model_server.env,
    )
    found = graph()
    assert column(found, "status") == ["ok"] * 8
    tracked = [edge for edge in found["edges"] if edge["evidence"] == "tracked"]
    assert len(tracked) == 4
    assert [edge for edge in found["edges"] if edge["evidence"] == "matched"] == []
    stacks = [ask("ao.call", run="last", call=str(number))["stack"] for number in range(1, 9)]
    assert {place["function"] for stack in stacks for place in stack} >= {"ask", "two", "here"}


def test_a_value_that_goes_through_the_main_module_of_a_spawned_child_is_tracked(
    agents: Programs, model_server: ModelServer
) -> None:
    agents.record(
        """
        import multiprocessing, helper

        def here(text):
            kept = {"first": helper.ask(text)}
            return helper.ask("Sum up: " + kept["first"][::-1])

        if __name__ == "__main__":
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                pool.map(here, ["one"])
        """,
        env=model_server.env,
    )
    (edge,) = graph()["edges"]
    assert edge["evidence"] == "tracked"
    assert {Path(step["file"]).name for step in edge["path"]} >= {"program.py"}


PASSED = {
    "argv": "subprocess.run([sys.executable, 'worker.py', FIRST], capture_output=True, text=True).stdout",
    "stdin": "subprocess.run([sys.executable, 'worker.py'], input=FIRST, capture_output=True, text=True).stdout",
    "check_output": "subprocess.check_output([sys.executable, 'worker.py', FIRST], text=True)",
    "Popen": "popen(FIRST).communicate(FIRST)[0]",
    "Popen, read": "read(popen(FIRST))",
    "Popen, written and read": "written(popen(), FIRST)",
    "a pipe": "piped(FIRST)",
    "a queue": "queued(FIRST)",
    "a pool": "pool.map(helper.ask, [FIRST])[0]",
    "an executor": "executor.submit(helper.ask, FIRST).result()",
    "a fork": "forked(FIRST)",
}


@pytest.mark.parametrize("how", PASSED)
def test_a_value_that_goes_into_a_child_and_comes_back_gets_its_edges_and_no_others(
    how: str, agents: Programs, model_server: ModelServer
) -> None:
    agents.record(
        f"""
        import multiprocessing, os, subprocess, sys, helper
        from concurrent.futures import ProcessPoolExecutor

        def piped(text):
            ours, theirs = context.Pipe()
            process = context.Process(target=helper.send, args=(theirs, text))
            process.start()
            answer = ours.recv()
            process.join()
            return answer

        def put(queue, text):
            queue.put(helper.ask(text))

        def queued(text):
            queue = context.Queue()
            process = context.Process(target=put, args=(queue, text))
            process.start()
            answer = queue.get()
            process.join()
            return answer

        def popen(*arguments):
            pipe = subprocess.PIPE
            return subprocess.Popen([sys.executable, "worker.py", *arguments], stdin=pipe, stdout=pipe, text=True)

        def read(process):
            process.stdin.close()
            with process, process.stdout:
                return process.stdout.read()

        def written(process, text):
            process.stdin.write(text)
            return read(process)

        def forked(text):
            theirs, ours = os.pipe()
            if os.fork() == 0:
                os.write(ours, helper.ask(text).encode())
                os._exit(0)
            os.close(ours)
            with open(theirs) as said:
                os.wait()
                return said.read()

        if __name__ == "__main__":
            context = multiprocessing.get_context("spawn")
            FIRST = "What do the sources say about this? " + helper.ask("How is a dry stone wall built?")
            with context.Pool(1) as pool, ProcessPoolExecutor(1, mp_context=context) as executor:
                second = {PASSED[how]}
            helper.ask("Name three sorts of apples for a cold garden.")
            helper.ask("Find a title for this: " + second)
        """,
        env=model_server.env,
    )
    found = graph()
    said = [ask("ao.call", run="last", call=str(number))["output"]["text"] for number in (1, 2, 3, 4)]
    assert len(set(said)) == 4
    assert edges(found) == {(1, 2), (2, 4)}


# What a child says, and the edges: the parent makes the first call and the last one.
SAYS = {
    "what it was given": ("print(given)\nprint(asked())", {(1, 2), (1, 3), (2, 3)}),
    "what it was given, and makes no call of it": ("print(given.upper())", {(1, 2)}),
    "something that it made of it, and a call of something else": ("print(given[::-1])\nother()", {(1, 3)}),
    "what came of two calls, one after the other": (
        "print(helper.ask('And in short: ' + asked()))",
        {(1, 2), (2, 3), (3, 4)},
    ),
}


@pytest.mark.parametrize("what", SAYS)
@pytest.mark.parametrize("how", ["run", "Popen"])
def test_what_a_child_says_comes_from_what_it_was_given_unless_its_calls_tell_more(
    what: str, how: str, agents: Programs, model_server: ModelServer
) -> None:
    says, expected = SAYS[what]
    child = """
        import sys, helper
        given = sys.argv[1]

        def asked():
            return helper.ask("Say something of " + given)

        def other():
            return helper.ask("Name three sorts of apples for a cold garden.")

        """
    agents.write(dedent(child) + says, "child.py")
    started = {
        "run": "subprocess.run(command, capture_output=True, text=True).stdout",
        "Popen": "subprocess.Popen(command, stdout=subprocess.PIPE, text=True).communicate()[0]",
    }
    agents.record(
        f"""
        import subprocess, sys, helper
        command = [sys.executable, "child.py", helper.ask("How is a dry stone wall built?")]
        said = {started[how]}
        helper.ask("Find a title for this: " + said)
        """,
        env=model_server.env,
    )
    assert edges(graph()) == expected


def test_the_way_of_a_value_leads_through_the_child_that_it_was_given_to(
    agents: Programs, model_server: ModelServer
) -> None:
    agents.write("import sys; print(sys.argv[1].upper())", "child.py")
    agents.record(
        """
        import subprocess, sys, helper
        first = helper.ask("How is a dry stone wall built?")
        argument = "x" + first
        said = subprocess.run([sys.executable, "child.py", argument], capture_output=True, text=True).stdout
        title = "Find a title for this: " + said
        helper.ask(title)
        """,
        env=model_server.env,
    )
    (edge,) = graph()["edges"]
    assert [step["line"] for step in edge["path"] if Path(step["file"]).name == "program.py"] == [4, 5, 6]


# -- how they end


def test_the_calls_of_children_that_are_killed_or_end_at_once_are_there(
    agents: Programs, model_server: ModelServer
) -> None:
    start()
    agents.record(
        """
        import os, signal, helper
        ends = (
            lambda: os._exit(3),
            lambda: os.kill(os.getpid(), signal.SIGKILL),
            lambda: os.execv("/bin/true", ["true"]),
        )
        for end in ends:
            pid = os.fork()
            if pid == 0:
                helper.ask("x")
                end()
            os.waitpid(pid, 0)
        """,
        env=model_server.env,
    )
    found = graph()
    assert column(found, "status") == ["ok"] * 3
    assert found["run"]["status"] == "finished"


def test_without_a_daemon_they_are_spooled_and_all_there_later(agents: Programs, model_server: ModelServer) -> None:
    agents.record(
        """
        import multiprocessing, os, subprocess, sys, helper
        if __name__ == "__main__":
            subprocess.run([sys.executable, "worker.py", "x"], check=True, stdout=-3)
            with multiprocessing.get_context("fork").Pool(2) as pool:
                pool.map(helper.ask, ["y"] * 4)
            pid = os.fork()
            if pid == 0:
                helper.ask("z")
                os._exit(0)
            os.waitpid(pid, 0)
        """,
        env={**model_server.env, "AO_SERVER_PYTHON": "/bin/false"},
    )
    assert column(graph(), "status") == ["ok"] * 6


def test_children_that_outlive_the_program_go_on_recording(agents: Programs, model_server: ModelServer) -> None:
    start()
    file = agents.write(
        """
        import os, helper
        if os.fork() == 0:
            os.read(0, 1)  # until the test says so
            helper.ask("late")
            os._exit(0)
        """
    )
    late, now = os.pipe()
    process = agents.start(file.name, env=model_server.env, stdin=late)
    try:
        assert process.wait(LONG_S) == 0
        assert (graph()["run"]["status"], graph()["nodes"]) == ("finished", [])
    finally:
        os.write(now, b"x")
        process.communicate()
        os.close(late)
        os.close(now)
    found = until(lambda: (g := graph())["nodes"] and g["nodes"][0]["status"] == "ok" and g, "the call is not there")
    assert found["run"]["status"] == "finished"


def test_a_run_whose_first_process_is_killed_ends_though_a_child_goes_on(
    agents: Programs, model_server: ModelServer
) -> None:
    start()
    file = agents.write(
        """
        import os, signal, helper
        helper.ask("first")
        if os.fork() == 0:
            os.read(0, 1)
            helper.ask("second")
            os._exit(0)
        os.kill(os.getpid(), signal.SIGKILL)
        """
    )
    late, now = os.pipe()
    process = agents.start(file.name, env=model_server.env, stdin=late)
    assert process.wait(LONG_S) == -signal.SIGKILL
    until(lambda: graph()["run"]["status"] == "killed", "the run is not ended")
    os.write(now, b"x")
    process.communicate()
    os.close(late)
    os.close(now)
    found = until(lambda: len((g := graph())["nodes"]) == 2 and g["nodes"][1]["status"] == "ok" and g, "no second call")
    assert found["run"]["status"] == "killed"


def test_a_program_that_becomes_another_one_is_the_same_run_to_its_end(
    agents: Programs, model_server: ModelServer
) -> None:
    agents.record(
        """
        import os, sys, helper
        helper.ask("before")
        os.execv(sys.executable, [sys.executable, "worker.py", "after"])
        """,
        env=model_server.env,
    )
    found = graph()
    assert column(found, "status") == ["ok", "ok"]
    assert (found["run"]["status"], found["run"]["exit_code"]) == ("finished", 0)


def test_a_killed_daemon_costs_children_nothing(agents: Programs, model_server: ModelServer) -> None:
    daemon = start()
    file = agents.write(
        """
        import os, sys, helper
        helper.ask("before")
        print("between", flush=True)
        sys.stdin.readline()
        for number in range(3):
            pid = os.fork()
            if pid == 0:
                helper.ask(str(number))
                os._exit(0)
            os.waitpid(pid, 0)
        """
    )
    process = agents.start(file.name, env=model_server.env, stdin=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"between\n"
    kill(daemon)
    assert process.communicate(b"\n", timeout=LONG_S) == (b"", b"")
    found = graph()
    assert column(found, "status") == ["ok"] * 4
    assert found["run"]["status"] == "finished"


def test_a_fork_in_the_middle_of_a_stream_leaves_the_call_to_its_parent(
    agents: Programs, model_server: ModelServer
) -> None:
    agents.record(
        """
        import gc, os, httpx
        body = {"model": "m", "messages": [{"role": "user", "content": "tell me"}], "stream": True}
        client = httpx.Client(trust_env=False)
        response = client.send(
            client.build_request("POST", os.environ["OPENAI_BASE_URL"] + "/chat/completions", json=body), stream=True
        )
        pieces = response.iter_raw(10)
        next(pieces)
        pid = os.fork()
        if pid == 0:
            del response, pieces
            gc.collect()
            raise SystemExit(0)
        os.waitpid(pid, 0)
        for piece in pieces:
            pass
        """,
        env=model_server.env,
    )
    call = ask("ao.call", run="last", call="1")
    assert call["complete"] is True
    assert call["call"]["status"] == "ok"


def test_threads_that_record_while_others_fork_block_nobody(agents: Programs, model_server: ModelServer) -> None:
    agents.record(
        """
        import os, threading
        from helper import ask
        ask("first")
        threads = [threading.Thread(target=lambda: [ask("thread") for _ in range(10)]) for _ in range(4)]
        for thread in threads:
            thread.start()
        children = []
        for _ in range(8):
            pid = os.fork()
            if pid == 0:
                ask("child")
                os._exit(0)
            children.append(pid)
        print([os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children])
        for thread in threads:
            thread.join()
        """,
        "-W",
        "ignore",
        env=model_server.env,
    )
    found = graph()
    assert column(found, "status") == ["ok"] * 49


# -- what is left alone


def test_ao_record_in_a_recorded_program_makes_a_run_of_its_own(agents: Programs, model_server: ModelServer) -> None:
    record = Path(sys.executable).with_name("ao-record")
    agents.record(
        "import subprocess; "
        f"subprocess.run([{str(record)!r}, '--name', 'inner', 'worker.py', 'x'], check=True, stdout=-3)",
        "--name",
        "outer",
        env=model_server.env,
    )
    assert len(graph("inner")["nodes"]) == 1
    assert graph("outer")["nodes"] == []


def test_a_python_that_cannot_run_our_code_runs_as_it_would(agents: Programs, tmp_path: Path) -> None:
    fake = tmp_path / "python3.9"
    fake.write_text('#!/bin/sh\necho "$@"\n')
    fake.chmod(0o755)  # it has to look like an interpreter
    (tmp_path / "python3.11").symlink_to(fake)
    out, _ = agents.record(
        "import subprocess; print([subprocess.check_output([p, 'x.py']) for p in ('./python3.9', './python3.11')])"
    )
    assert out == "[b'x.py\\n', b'x.py\\n']\n"
