"""A recorder is a guest: whatever happens to it or to its daemon, the program runs as it would, and what
can be kept of the run is kept."""

from __future__ import annotations

import ast
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from model_server import ModelServer

from tests.daemons import LONG_S, ask, daemons_of, gone, kill, start, until
from tests.runner.beside_python import notes
from tests.runner.recorded import RECORD, Programs, column, edges, graph

CHAIN = """
    import openai, sys
    client = openai.OpenAI()


    def ask(text):
        create = client.chat.completions.create
        return create(model="m", messages=[{"role": "user", "content": text}]).choices[0].message.content


    one = ask("one")
    print("between", flush=True)
    sys.stdin.readline()
    two = ask("two " + one)
    print(len(ask("three " + two)) > 0)
"""


def test_a_killed_daemon_costs_the_run_nothing(programs: Programs, model_server: ModelServer) -> None:
    daemon = start()
    file = programs.write(CHAIN)
    process = programs.start(file.name, env=model_server.env, stdin=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"between\n"
    kill(daemon)
    out, err = process.communicate(b"\n", timeout=LONG_S)
    assert (out, err, process.returncode) == (b"True\n", b"", 0)
    found = graph()
    assert found["run"]["status"] == "finished"
    assert column(found, "status") == ["ok"] * 3
    assert edges(found) == {(1, 2), (2, 3)}


def test_a_daemon_that_hangs_neither_stops_nor_delays_the_program(
    programs: Programs, model_server: ModelServer
) -> None:
    daemon = start()
    os.kill(daemon, signal.SIGSTOP)
    try:
        out, err = programs.record(CHAIN.replace("sys.stdin.readline()", "pass"), env=model_server.env)
    finally:
        os.kill(daemon, signal.SIGCONT)
    assert (out, err) == ("between\nTrue\n", "")
    assert column(graph(), "status") == ["ok"] * 3


@pytest.mark.parametrize(
    ("what", "env"),
    [
        ("no daemon can be started", {"AO_SERVER_PYTHON": "/bin/false"}),
        ("the server's python does not exist", {"AO_SERVER_PYTHON": "/nowhere/python"}),
        ("nothing can be written", {"AO_HOME": "/dev/null/ao"}),
    ],
)
def test_the_program_runs_where(
    what: str, env: dict[str, str], programs: Programs, model_server: ModelServer, home: str
) -> None:
    out, err = programs.record(CHAIN.replace("sys.stdin.readline()", "pass"), env={**model_server.env, **env})
    assert (out, err) == ("between\nTrue\n", ""), what
    if "AO_HOME" not in env:
        assert daemons_of(home) == []
        # The next daemon finds it all.
        assert edges(graph()) == {(1, 2), (2, 3)}


def test_a_runtime_folder_that_others_can_enter_is_not_used(programs: Programs, home: str) -> None:
    os.makedirs(Path(home, "run"))
    os.chmod(Path(home, "run"), 0o755)  # what the test is about
    assert programs.record("print('x')") == ("x\n", "")


def test_twenty_programs_at_once_start_one_daemon_and_are_all_there(programs: Programs, home: str) -> None:
    file = programs.write("print('hello')")
    processes = [programs.start("--name", f"run-{number}", file.name) for number in range(20)]
    for process in processes:
        assert process.communicate(timeout=LONG_S) == (b"hello\n", b"")
        assert process.returncode == 0
    names = {run["name"] for run in ask("ao.runs", limit=50)["runs"] if run["status"] == "finished"}
    assert names == {f"run-{number}" for number in range(20)}
    assert len(daemons_of(home)) == 1


def test_a_program_that_is_killed_is_recorded_as_far_as_it_came(programs: Programs, model_server: ModelServer) -> None:
    start()
    file = programs.write(CHAIN)
    process = programs.start(file.name, env=model_server.env, stdin=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"between\n"
    process.kill()
    process.communicate()
    found = until(lambda: (g := graph())["run"]["status"] == "killed" and g, "the run is not ended")
    assert column(found, "status") == ["ok"]


def test_a_signal_handler_and_a_finaliser_may_make_calls(programs: Programs, model_server: ModelServer) -> None:
    out, err = programs.record(
        """
        import os, signal, openai
        client = openai.OpenAI()

        def ask(*_):
            create = client.chat.completions.create
            print(len(create(model="m", messages=[{"role": "user", "content": "x"}]).choices), flush=True)

        class Last:
            __del__ = ask

        signal.signal(signal.SIGUSR1, ask)
        os.kill(os.getpid(), signal.SIGUSR1)
        Last()
        """,
        env=model_server.env,
    )
    assert (out, err) == ("1\n1\n", "")
    assert column(graph(), "status") == ["ok", "ok"]


def test_a_program_may_patch_builtins(programs: Programs, model_server: ModelServer) -> None:
    out, err = programs.record(
        """
        import builtins, openai
        from unittest import mock
        client = openai.OpenAI()
        with mock.patch("builtins.open"):
            reply = client.chat.completions.create(model="m", messages=[{"role": "user", "content": "x"}])
        text = reply.choices[0].message.content
        broken = lambda *x: 1 / 0
        with mock.patch.multiple(builtins, len=broken, id=broken, type=broken):
            text = "a" + text.strip()
        client.chat.completions.create(model="m", messages=[{"role": "user", "content": text}])
        """,
        env=model_server.env,
    )
    assert (out, err) == ("", "")
    assert edges(graph()) == {(1, 2)}


def test_many_threads_lose_no_event(programs: Programs, model_server: ModelServer) -> None:
    programs.record(
        """
        import openai
        from concurrent.futures import ThreadPoolExecutor
        client = openai.OpenAI()

        def ask(number):
            create = client.chat.completions.create
            create(model=f"m{number}", messages=[{"role": "user", "content": "x" * 100_000}])

        with ThreadPoolExecutor(16) as pool:
            list(pool.map(ask, range(64)))
        """,
        env=model_server.env,
    )
    found = graph()
    assert sorted(column(found, "model")) == sorted(f"m{number}" for number in range(64))
    assert set(column(found, "status")) == {"ok"}


def test_large_bodies_are_recorded_whole(programs: Programs, model_server: ModelServer) -> None:
    programs.record(
        """
        import openai
        create = openai.OpenAI().chat.completions.create
        create(model="m", messages=[{"role": "user", "content": "long " * 100_000}])
        """,
        env=model_server.env,
    )
    call = ask("ao.call", run="last", call="1")
    assert len(call["messages"][0]["text"]) == 500_000


def test_an_sdk_newer_than_we_know_runs_unrecorded_and_the_run_says_so(programs: Programs) -> None:
    programs.write(
        "class Client:\n    def post(self):\n        return 'posted'\nclass AsyncClient:\n    pass\n", "httpx.py"
    )
    assert programs.record("import httpx\nprint(httpx.Client().post())") == ("posted\n", "")


def test_a_module_that_cannot_be_rewritten_runs_as_it_is_and_the_log_says_so(programs: Programs, home: str) -> None:
    # Python compiles this; walking its tree takes more frames than there are.
    programs.write("x = 1\ny = " + " + ".join(["x"] * 700) + "\n", "deep.py")
    assert programs.record("import deep\nprint(deep.y)") == ("700\n", "")
    assert "not rewritten" in Path(home, "cache/logs/rewrite.log").read_text()


def test_rewritten_code_is_cached_by_its_source(programs: Programs, home: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    programs.write("x = 1", "helper.py")
    source = "import sys, helper\nprint(helper.x, 'ast' in sys.modules)"
    assert programs.record(source)[0] == "1 True\n"
    assert programs.record(source)[0] == "1 False\n"
    programs.write("x = 2", "helper.py")
    assert programs.record(source)[0] == "2 True\n"
    cached = list(Path(home, "cache/pyc").rglob("*.pyc"))
    assert len(cached) == 2
    assert not list(programs.folder.rglob("__pycache__/helper*"))
    for path in cached:
        path.write_bytes(b"garbage" * 10)
    assert programs.record(source)[0] == "2 True\n"


def test_the_rewritten_source_can_be_looked_at(programs: Programs) -> None:
    programs.record("a = 1\nprint(a + a)", env={"DEBUG_AST_REWRITES": "1"})
    shown = (programs.folder / "program.ao_rewritten.py").read_text()
    assert "__@ao.Add" in shown


def test_where_the_rewritten_source_cannot_be_written_the_program_is_rewritten_all_the_same(
    programs: Programs, home: str
) -> None:
    (programs.folder / "program.ao_rewritten.py").mkdir()
    for _ in range(2):
        assert programs.record("print(1)", env={"DEBUG_AST_REWRITES": "1"}) == ("1\n", "")
    assert "the rewritten source cannot be shown: IsADirectoryError" in Path(home, "cache/logs/rewrite.log").read_text()
    assert len(list(Path(home, "cache/pyc").rglob("*.pyc"))) == 1


def test_two_runs_at_once_do_not_mix(programs: Programs, model_server: ModelServer) -> None:
    file = programs.write(CHAIN)
    both = [
        programs.start("--name", name, file.name, env=model_server.env, stdin=subprocess.PIPE) for name in ("a", "b")
    ]
    for process in both:
        process.communicate(b"\n", timeout=LONG_S)
    for name in ("a", "b"):
        assert edges(graph(name)) == {(1, 2), (2, 3)}


# -- what is loaded

# Modules that a warm `ao-record hello.py` may load on top of what python itself loads.
ALLOWED = {
    "__future__", "_functools", "_json", "_socket", "_struct", "ao_lsp", "ao_lsp.connect", "ao_lsp.paths",
    "ao_lsp.protocol", "ao_lsp.pyproject", "ao_lsp.runner", "ao_lsp.runner.ancestry", "ao_lsp.runner.configured",
    "ao_lsp.runner.descriptors", "ao_lsp.runner.execs",
    "ao_lsp.runner.interpreter", "ao_lsp.runner.launch", "ao_lsp.runner.main", "ao_lsp.runner.options",
    "ao_lsp.runner.outbox", "ao_lsp.runner.recorder", "ao_lsp.runner.secrets", "ao_lsp.runner.transports",
    "ao_lsp.taint", "ao_lsp.taint.frames", "ao_lsp.taint.hiding", "ao_lsp.taint.hook", "ao_lsp.taint.kept",
    "ao_lsp.taint.kinds", "ao_lsp.taint.names", "ao_lsp.taint.pyc", "ao_lsp.taint.resting", "ao_lsp.taint.scope",
    "ao_lsp.taint.state", "_operator", "atexit", "fcntl", "gc",
}  # fmt: skip


def test_a_warm_start_loads_only_what_it_needs(programs: Programs) -> None:
    file = programs.write("import sys\nprint(sorted(sys.modules))")
    start()
    programs.record(file.read_text())  # fills the cache
    ours, _ = programs.record(file.read_text())
    plain = subprocess.run([sys.executable, file], capture_output=True, text=True, check=True).stdout
    assert set(ast.literal_eval(ours)) - set(ast.literal_eval(plain)) <= ALLOWED


def test_an_environment_without_our_packages_is_enough(
    programs: Programs, tmp_path_factory: pytest.TempPathFactory
) -> None:
    # What `uv tool install` amounts to: ao-record in one environment, the program's python in another.
    other = tmp_path_factory.mktemp("other") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", other], check=True)
    source = """
        import sys
        print(sys.prefix, [m for m in ("pygls", "pytest") if m in sys.modules])
        try:
            import pygls
        except ImportError:
            print("none")
    """
    out, err = programs.record(source, "--python", str(other / "bin" / "python"))
    assert (out, err) == (f"{other} []\nnone\n", "")
    assert graph()["run"]["status"] == "finished"
    out, _ = programs.record(source, env={"VIRTUAL_ENV": str(other)})
    assert out.startswith(str(other))


def test_a_wrong_command_line_is_explained() -> None:
    for arguments in ([], ["--nonsense", "x.py"], ["-m"], ["--name"]):
        done = subprocess.run([RECORD, *arguments], capture_output=True, text=True)
        assert done.returncode == 2
        assert done.stderr.startswith("ao-record: ")
        assert "usage:" in done.stderr
    done = subprocess.run([RECORD, "--python", "/nowhere/python", "x.py"], capture_output=True, text=True)
    assert done.returncode == 127
    assert done.stderr == "ao-record: cannot run /nowhere/python: No such file or directory\n"


def test_options_of_the_interpreter_are_the_interpreters(programs: Programs) -> None:
    source = "import sys, warnings\nprint(sys.flags.optimize, sys.flags.dev_mode, sys.warnoptions[-1])\nassert 0"
    out, err = programs.record(source, "-O", "-X", "dev", "-W", "error::UserWarning")
    assert (out, err) == ("1 True error::UserWarning\n", "")


def test_the_daemon_is_no_child_of_the_program(programs: Programs, home: str) -> None:
    out, _ = programs.record(
        """
        import os
        try:
            os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            print("none")
        """
    )
    assert out == "none\n"
    until(lambda: daemons_of(home), "no daemon was started")
    assert not gone(daemons_of(home)[0])


# -- Pythons that we do not know

PRETENDED = {
    "newer": ("version_info", "Version((3, 99, 0, 'final', 0))", "Python 3.99 is newer than this ao-record"),
    "without the GIL": ("abiflags", "'t'", "without the GIL is not known well enough"),
}


@pytest.mark.parametrize("what", PRETENDED)
def test_a_python_that_nobody_has_tried_has_its_calls_recorded_without_edges(
    what: str, programs: Programs, model_server: ModelServer, home: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    name, value, why = PRETENDED[what]
    site = tmp_path_factory.mktemp("site")
    # Of the tracking alone: what else asks for the version means the one that it is.
    (site / "sitecustomize.py").write_text(
        f"""
import sys
class Version(tuple):
    major, minor, micro = 3, 99, 0
class Pretending:
    def find_spec(self, name, path=None, target=None):
        if name == "ao_lsp.taint.frames":
            real.append((sys.{name}, setattr(sys, {name!r}, {value})))
        elif name == "ao_lsp.taint.names" and real:
            sys.{name} = real.pop()[0]
real = []
sys.meta_path.insert(0, Pretending())
"""
    )
    source = CHAIN.replace("sys.stdin.readline()", "pass") + "    1 / 0\n"
    out, err = programs.record(source, env={**model_server.env, "PYTHONPATH": str(site)}, code=1)
    assert out == "between\nTrue\n"
    assert err.splitlines()[-1] == "ZeroDivisionError: division by zero"
    assert "ao_lsp" not in err
    found = ask("ao.graph", run="last", evidence="tracked")
    assert column(found, "status") == ["ok"] * 3
    assert edges(found) == set()
    assert any(why in note for note in notes(home))
