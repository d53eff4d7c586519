"""What programs do to themselves, and to the ground that a recorder stands on: they behave as under python, and
their calls are recorded where that is possible."""

from __future__ import annotations

import signal
from contextlib import suppress
from functools import partial

import pytest
from model_server import ModelServer

from ao_lsp.cli.client import CommandError
from tests.daemons import LONG_S, start, until
from tests.runner.beside_python import ASK, POST, Beside
from tests.runner.recorded import Graph, Programs, column, graph

PROGRAMS = {
    "closes all descriptors": """
        one = post("one")
        os.closerange(3, 1100)
        two = post("two " + one)
        with open("/dev/null") as next_file:
            print(two, next_file.fileno())
        """,
    "closes all descriptors before its first call": """
        os.closerange(3, 1100)
        print(post("two " + post("one")))
        """,
    "takes the recorder's descriptor for a file of its own": """
        one = post("one")
        os.closerange(3, 1100)
        with open("own.txt", "w+") as own:
            own.write("mine\\n")
            own.flush()
            print(post("two " + one))
            own.seek(0)
            print(own.read())
        """,
    "takes the recorder's descriptor for a socket of its own": """
        import socket
        one = post("one")
        os.closerange(3, 1100)
        near, far = socket.socketpair()
        for number in range(6, 1020):
            os.dup2(near.fileno(), number)
        os.close(6), os.close(7), os.close(8)
        print(post("two " + one))
        far.setblocking(False)
        try:
            print(far.recv(10))
        except BlockingIOError:
            print("nothing came")
        """,
    "has hardly any descriptors": """
        import resource
        one = post("one")
        resource.setrlimit(resource.RLIMIT_NOFILE, (5, 5))
        print(post("two " + one))
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, 5))
        try:
            post("three")
        except OSError as error:
            print(error)
        """,
    "ends by _exit": """
        print(post("two " + post("one")), flush=True)
        os._exit(7)
        """,
    "is killed": """
        import signal
        print(post("two " + post("one")), flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
        """,
    "is terminated": """
        import signal
        print(post("two " + post("one")), flush=True)
        os.kill(os.getpid(), signal.SIGTERM)
        """,
    "crashes": """
        print(post("two " + post("one")), flush=True)
        raise RuntimeError("no more")
        """,
    "changes and deletes its directory": """
        import tempfile
        one = post("one")
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
        two = post("two " + one)
        os.chdir("/")
        print(two)
        """,
    "is nobody, at home nowhere": """
        one = post("one")
        os.environ["HOME"] = "/nowhere"
        os.umask(0o777)
        if os.getuid() == 0:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
        two = post("two " + one)
        print(two)
        """,
    "replaces its outputs": """
        import io
        sys.stdout, sys.stderr = io.StringIO(), None
        two = post("two " + post("one"))
        text = sys.stdout.getvalue()
        sys.stdout = sys.__stdout__
        print(two, repr(text))
        """,
    "closes its outputs": """
        two = post("two " + post("one"))
        print(two, flush=True)
        for fd in (0, 1, 2):
            os.close(fd)
        """,
    "is interrupted all the time": """
        import signal
        ticks = 0
        def tick(*_):
            global ticks
            ticks += 1
        signal.signal(signal.SIGALRM, tick)
        signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
        text = post("one")
        for number in range(20):
            text = post(str(number) + text[:20])
        signal.setitimer(signal.ITIMER_REAL, 0)
        print(text, ticks > 20)
        """,
    "raises from a signal handler": """
        import signal
        class Tick(Exception): pass
        def tick(*_):
            raise Tick
        signal.signal(signal.SIGALRM, tick)
        # From 3.13 on python tells of what the signal met half made, now and then, also without us.
        sys.unraisablehook = lambda _: None
        caught = 0
        for number in range(50):
            try:
                signal.setitimer(signal.ITIMER_REAL, 0.0001 * number)
                post("one")
            except Tick:
                caught += 1
            except OSError:
                caught += 1
            finally:
                while True:
                    try:
                        signal.setitimer(signal.ITIMER_REAL, 0)
                        break
                    except Tick:
                        pass
        print(caught > 2, post("last"))
        """,
    "patches what everybody calls": """
        import socket, time
        one = post("one")
        def broken(*_, **__):
            raise RuntimeError("patched")
        kept = {}
        for module, names in (
            (time, ("time", "monotonic", "perf_counter", "time_ns", "sleep")),
            (os, ("write", "open", "fstat", "getpid", "urandom", "close", "lseek", "stat", "lstat", "mkdir", "rename")),
        ):
            for name in names:
                kept[module, name] = getattr(module, name)
                setattr(module, name, broken)
        original = socket.socket.sendall
        sent = []
        def sendall(self, data, *more):
            sent.append(len(data))
            return original(self, data, *more)
        socket.socket.sendall = sendall
        from http.client import HTTPConnection
        host = url.split("/")[2]
        connection = HTTPConnection(host)
        body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "two " + one}]})
        connection.request("POST", "/v1/chat/completions", body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        text = response.read()
        connection.close()
        for (module, name), function in kept.items():
            setattr(module, name, function)
        print(text, len(sent))
        """,
    "has a clock that stands still": """
        import time
        time.time = time.monotonic = time.perf_counter = lambda: 0.0
        print(post("two " + post("one")))
        """,
    "forks with threads": """
        import threading, warnings
        warnings.simplefilter("ignore")
        go = threading.Event()
        waiting = [threading.Thread(target=go.wait) for _ in range(4)]
        for thread in waiting:
            thread.start()
        one = post("one")
        child = os.fork()
        if child == 0:
            print(post("two " + one), flush=True)
            os._exit(5)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        go.set()
        print(post("three " + one))
        """,
    "forks and lets both go on": """
        one = post("one")
        sys.stdout.flush()
        child = os.fork()
        two = post(("two " if child else "three ") + one)
        if child:
            os.waitpid(child, 0)
        print(two)
        """,
    "clears its environment": """
        one = post("one")
        os.environ.clear()
        print(post("two " + one), dict(os.environ))
        """,
    "forgets modules": """
        one = post("one")
        for name in [name for name in sys.modules if name.startswith(("ao_lsp", "http", "urllib", "json"))]:
            del sys.modules[name]
        print(post("two " + one))
        from urllib.request import Request, urlopen
        print(post("three " + one))
        """,
    "collects at every turn": """
        import gc
        gc.set_threshold(1)
        print(post("two " + post("one")))
        """,
    "has no room to recurse": """
        one = post("one")
        def deep(levels):
            return post("two " + one) if levels == 0 else deep(levels - 1)
        failed = done = 0
        for levels in range(850, 1000, 3):
            try:
                deep(levels)
                done += 1
            except RecursionError:
                failed += 1
        print(failed > 10, done > 10)
        """,
    "has little memory": """
        import resource
        one = post("one")
        size = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (size + (64 << 20), size + (64 << 20)))
        try:
            post("x" * (40 << 20))
        except MemoryError:
            print("MemoryError")
        print(len(post("two " + one)) > 0)
        """,
}

EVERY_CALL = {
    "changes and deletes its directory": 2,
    "clears its environment": 2,
    "closes all descriptors": 2,
    "closes all descriptors before its first call": 2,
    "closes its outputs": 2,
    "collects at every turn": 2,
    "crashes": 2,
    "ends by _exit": 2,
    "forks and lets both go on": 3,
    "forks with threads": 3,
    "has a clock that stands still": 2,
    "is interrupted all the time": 21,
    "is killed": 2,
    "is nobody, at home nowhere": 2,
    "is terminated": 2,
    "replaces its outputs": 2,
    "takes the recorder's descriptor for a file of its own": 2,
    "takes the recorder's descriptor for a socket of its own": 2,
}
"""How many calls there have to be in the recording; of the others, what could be recorded is."""


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_that(name: str, programs: Programs, model_server: ModelServer) -> None:
    start()
    source = "\n".join(["    " + line[8:] for line in PROGRAMS[name].splitlines()])
    Beside(programs, model_server.env).same(POST + source)
    if name in EVERY_CALL:
        found = until(_ended, "the run does not end")
        assert column(found, "status") == ["ok"] * EVERY_CALL[name]


def _ended(run: str = "last") -> Graph | None:
    """The graph of a run once it has ended."""
    found = graph(run)
    return None if found["run"]["status"] == "running" else found


def _has_two_calls(run: str) -> bool:
    with suppress(CommandError):  # it has not begun yet
        return len(graph(run)["nodes"]) == 2
    return False


def test_a_program_that_is_terminated_in_the_middle_of_a_call(programs: Programs, model_server: ModelServer) -> None:
    start()
    for number, name in ((signal.SIGTERM, "terminated"), (signal.SIGKILL, "killed"), (signal.SIGINT, "interrupted")):
        file = programs.write(
            POST
            + """
    import signal
    signal.signal(signal.SIGINT, signal.default_int_handler)
    first = post("one")
    body = json.dumps({"model": "fail-hang", "messages": [{"role": "user", "content": "two " + first}]}).encode()
    try:
        urlopen(Request(url, body, {"Content-Type": "application/json"}))
    finally:
        print("cleaned up", flush=True)
    """
        )
        process = programs.start("--name", name, file.name, env=model_server.env)
        until(partial(_has_two_calls, name), "the second call is not there")
        process.send_signal(number)
        out, err = process.communicate(timeout=LONG_S)
        assert process.returncode == -number
        assert (out, b"KeyboardInterrupt" in err) == (b"cleaned up\n" if number == signal.SIGINT else b"", number == 2)
        found = until(partial(_ended, name), "the run does not end")
        assert column(found, "status")[0] == "ok"


def test_a_child_that_gives_up_its_rights_leaves_the_rest_alone(programs: Programs, model_server: ModelServer) -> None:
    Beside(programs, model_server.env).same(
        POST
        + ASK
        + """
    one = ask("one")
    child = os.fork()
    if child == 0:
        if os.getuid() == 0:
            os.setgid(65534)
            os.setuid(65534)
        os.umask(0)
        post("two " + one)
        os._exit(0)
    os.waitpid(child, 0)
    print(ask("three " + one))
    """
    )
    assert len(graph()["nodes"]) >= 2
