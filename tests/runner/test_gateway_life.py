"""A gateway that dies, is killed or hangs in mid-run: the program goes on, and so does the recording."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from model_server import ModelServer

from ao_lsp.runner.gateway.lasting import Lasting
from tests.daemons import LONG_S, ask, gone, kill, until
from tests.runner.beside_python import notes
from tests.runner.recorded import AO, Programs, column, graph
from tests.runner.test_gateway import program


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[1])


def gateway_of(home: str) -> tuple[int | None, int | None]:
    """The processes of the gateway under this AO_HOME: supervisor and worker; None for one that is not there."""
    found = {}
    for name in filter(str.isdecimal, os.listdir("/proc")):
        with suppress(OSError):
            line = Path("/proc", name, "cmdline").read_bytes()
            if line.startswith(b"sh\0") or b"ao_lsp.runner.gateway.supervise" not in line:
                continue
            if f"AO_HOME={home}".encode() in Path("/proc", name, "environ").read_bytes() and not gone(int(name)):
                found[int(name)] = _parent(int(name))
    workers = [pid for pid, parent in found.items() if parent in found]
    supervisors = [pid for pid in found if pid not in workers]
    return next(iter(supervisors), None), next(iter(workers), None)


def worker_of(home: str, but: int | None = None) -> int:
    """The worker, when there is one (which is not `but`)."""
    found: int = until(lambda: (pid := gateway_of(home)[1]) != but and pid, "there is no worker")
    return found


# Asks what it reads, line by line, and says what it is told.
CHAT = """
    for line in sys.stdin:
        print(content(post(body(line.strip()))), flush=True)
    """


class Chat:
    """A program that is going on, under a gateway."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process

    def ask(self, text: str) -> str:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(text.encode() + b"\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().decode().strip()

    def end(self) -> None:
        out, err = self.process.communicate(timeout=LONG_S)
        assert out == b""
        assert [line for line in err.splitlines() if not line.startswith(b"ao: ")] == []  # what a rerun says
        assert self.process.returncode == 0


@contextmanager
def chat(programs: Programs, env: dict[str, str], *options: str, rerun: str = "") -> Iterator[Chat]:
    file = programs.write(program(CHAT))
    if rerun:
        process = subprocess.Popen(
            [AO, "rerun", rerun, *options], cwd=programs.folder, env={**os.environ, **env},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
    else:
        process = programs.start("--gateway", *options, file.name, env=env, stdin=subprocess.PIPE)
    with process:
        try:
            yield Chat(process)
        finally:
            process.kill()


class Model(ThreadingHTTPServer):
    """Answers each question with a number of its own; the first `holds` of them not before they are dropped."""

    daemon_threads = True

    def __init__(self, holds: int = 0) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.holds = holds
        self.asked = 0
        self.held = threading.Semaphore(0)
        self.lock = threading.Lock()
        self.env = {"OPENAI_BASE_URL": f"http://127.0.0.1:{self.server_port}/v1", "OPENAI_API_KEY": "k"}
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02})

    def __enter__(self) -> Model:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()


class _Answers(BaseHTTPRequestHandler):
    server: Model

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        with self.server.lock:
            self.server.asked += 1
            number = self.server.asked
        if number <= self.server.holds:
            self.server.held.release()
            with suppress(OSError):
                self.rfile.read(1)
            return
        message = {"role": "assistant", "content": f"answer {number}"}
        answer = json.dumps(
            {"id": "c", "object": "chat.completion", "created": 1, "model": "m",
             "choices": [{"index": 0, "finish_reason": "stop", "message": message}]}
        ).encode()  # fmt: skip
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: Any) -> None:
        pass


# -- the worker


def test_a_worker_that_is_killed_twice_is_replaced_and_nothing_recorded_is_lost(programs: Programs, home: str) -> None:
    with Model() as model, chat(programs, model.env) as talk:
        assert talk.ask("one") == "answer 1"
        first = worker_of(home)
        kill(first)
        assert talk.ask("two") == "answer 2"
        second = worker_of(home, first)
        kill(second)
        assert talk.ask("three") == "answer 3"
        assert talk.ask("four") == "answer 4"
        talk.end()
    assert column(graph(), "status") == ["ok"] * 4
    said = "the gateway broke off (signal 9) in the middle of 0 calls, and goes on"
    assert notes(home) == [said, said]
    until(lambda: gateway_of(home) == (None, None), "the gateway goes on")


# A shell in between: what it starts is not recorded in its own process.
SDK = """
    import openai
    create = openai.OpenAI().chat.completions.create
    print(create(model="m", messages=[{"role": "user", "content": "one"}]).choices[0].message.content)
    """


@pytest.mark.parametrize("where", ["in a child that is not recorded", "in the program itself"])
def test_a_call_that_breaks_off_with_its_worker_is_made_again_by_the_sdk(
    where: str, programs: Programs, home: str
) -> None:
    programs.write(SDK, "sdk.py")
    file = programs.write(f"import os\nos._exit(os.waitstatus_to_exitcode(os.system('{sys.executable} sdk.py')))\n")
    with Model(holds=1) as model:
        name = "sdk.py" if where == "in the program itself" else file.name
        process = programs.start("--gateway", name, env=model.env)
        try:
            assert model.held.acquire(timeout=LONG_S)
            kill(worker_of(home))
            assert process.communicate(timeout=LONG_S) == (b"answer 2\n", b"")
        finally:
            process.kill()
        assert process.returncode == 0
    assert column(graph(), "status") == ["error", "ok"]
    there = [line is not None for line in column(graph(), "line")]
    assert there == ([True, True] if where == "in the program itself" else [False, False])
    if where == "in a child that is not recorded":
        error = ask("ao.call", run="last", call="1")["error"]
        assert (error["type"], error["message"]) == ("ConnectionError", "the gateway broke off (signal 9)")


def test_a_rerun_whose_worker_is_killed_serves_each_recording_once(programs: Programs, home: str) -> None:
    with Model() as model:
        with chat(programs, model.env, "--name", "first") as talk:
            answers = [talk.ask("the same") for _ in range(4)]
            talk.end()
        with chat(programs, model.env, "--strict", rerun="first") as talk:
            again = []
            worker = None
            for _ in range(4):
                again.append(talk.ask("the same"))
                worker = worker_of(home, worker)
                kill(worker)
            talk.end()
        assert model.asked == 4
    assert again == answers == [f"answer {number}" for number in range(1, 5)]
    assert column(graph(), "origin") == ["replayed"] * 4


def patched(programs: Programs, **constants: float) -> str:
    """An interpreter that runs a gateway whose supervisor has other constants."""
    python = programs.folder / "python"
    said = "".join(f"supervise.{name} = {value}; " for name, value in constants.items())
    change = f"import sys; sys.path.append(sys.argv[1]); from ao_lsp.runner.gateway import supervise; {said}"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} -I -c "{change}$3" "$4" "$5"\n')
    python.chmod(0o755)  # it has to look like an interpreter
    return str(python)


def test_a_worker_that_hangs_is_replaced(programs: Programs, home: str) -> None:
    quick = patched(programs, BEAT_S=0.05, HUNG_BEATS=10)
    with Model() as model, chat(programs, model.env, "--server-python", quick) as talk:
        assert talk.ask("one") == "answer 1"
        worker = worker_of(home)
        os.kill(worker, signal.SIGSTOP)
        assert talk.ask("two") == "answer 2"
        assert gone(worker)
        talk.end()
    assert column(graph(), "status") == ["ok"] * 2
    assert notes(home) == ["the gateway broke off (it hung) in the middle of 0 calls, and goes on"]


def test_a_hung_worker_ends_with_the_program(programs: Programs, model_server: ModelServer, home: str) -> None:
    quick = patched(programs, BEAT_S=0.05, LAST_S=0.1)
    with chat(programs, model_server.env, "--server-python", quick) as talk:
        assert talk.ask("one")
        os.kill(worker_of(home), signal.SIGSTOP)
        talk.end()
    until(lambda: gateway_of(home) == (None, None), "the gateway goes on")


def test_who_waits_for_the_user_does_not_hang() -> None:
    lasting = Lasting()
    lasting.beat()
    before = lasting.beats
    with lasting.asking():
        assert lasting.beats < 0
    assert lasting.beats == before >= 0


# -- the supervisor


def test_a_supervisor_that_is_killed_leaves_a_worker_that_goes_on(programs: Programs, home: str) -> None:
    with Model() as model, chat(programs, model.env) as talk:
        assert talk.ask("one") == "answer 1"
        supervisor = gateway_of(home)[0]
        assert supervisor is not None
        kill(supervisor)
        assert [talk.ask("two"), talk.ask("three")] == ["answer 2", "answer 3"]
        talk.end()
    assert column(graph(), "status") == ["ok"] * 3
    until(lambda: gateway_of(home) == (None, None), "the worker goes on")
