"""Replayed calls are answered in the order in which they were: what comes first, the program works on first.

The model server of these tests decides who is answered when: a prompt says at which point of its group (`group:point`)
its answer comes, or each piece of its stream, and the program says when it has seen one (`seen`). So the order is
the same in every recording, and none in which the calls are made.
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise

import pytest

from tests.daemons import LONG_S
from tests.runner.recorded import Programs, column, graph


class Conductor(ThreadingHTTPServer):
    """The model server."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.seen: Counter[str] = Counter()
        self.calls = 0
        self.together: dict[str, int] = {}
        """How many of a group ask before the first is answered: processes take their time to start."""
        self.asked: Counter[str] = Counter()
        self.moved = threading.Condition()

    @property
    def env(self) -> dict[str, str]:
        url = f"http://127.0.0.1:{self.server_address[1]}"
        return {"SERVER": url, "OPENAI_BASE_URL": f"{url}/v1", "OPENAI_API_KEY": "none"}

    def wait(self, group: str, point: int) -> None:
        with self.moved:
            self.asked[group] += 1
            self.moved.notify_all()
            assert self.moved.wait_for(
                lambda: self.seen[group] >= point and self.asked[group] >= self.together.get(group, 0), LONG_S
            )

    def saw(self, group: str) -> None:
        with self.moved:
            self.seen[group] += 1
            self.moved.notify_all()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Conductor

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self.server.saw(self.path[1:])
        self._send(b"{}")

    def do_POST(self) -> None:
        with self.server.moved:
            self.server.calls += 1
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        group, _, points = body["messages"][0]["content"].partition(":")
        if body.get("stream"):
            self._stream(group, [int(point) for point in points.split(",")])
            return
        self.server.wait(group, int(points))
        message = {
            "role": "assistant",
            "content": f"answer {self.server.calls}" if group == "same" else f"{group}:{points}",
        }
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        about = {"id": "1", "object": "chat.completion", "created": 1, "model": "m"}
        self._send(json.dumps({**about, "choices": [choice]}).encode())

    def _send(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _stream(self, group: str, points: list[int]) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for point in points:
            self.server.wait(group, point)
            delta = {"index": 0, "delta": {"content": f"{group}:{point}"}, "finish_reason": None}
            about = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
            self._piece(b"data: " + json.dumps({**about, "choices": [delta]}).encode() + b"\n\n")
        self._piece(b"data: [DONE]\n\n")
        self._piece(b"")

    def _piece(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))
        self.wfile.flush()


@pytest.fixture
def conductor() -> Iterator[Conductor]:
    with Conductor() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


START = """
    import os, queue, threading, urllib.request
    import openai

    POINTS = [int(point) for point in os.environ.get("POINTS", "4,0,3,1,2").split(",")]

    def body(text, **more):
        return {"model": "m", "messages": [{"role": "user", "content": text}], **more}

    def seen(answer):
        print(answer, flush=True)
        urllib.request.urlopen(os.environ["SERVER"] + "/" + answer.partition(":")[0]).close()
"""
THREADS = """
    from concurrent.futures import ThreadPoolExecutor, as_completed
    import requests

    client = openai.OpenAI()

    def ask(text):
        return client.chat.completions.create(**body(text)).choices[0].message.content

    def post(text):
        response = requests.post(os.environ["OPENAI_BASE_URL"] + "/chat/completions", json=body(text))
        return response.json()["choices"][0]["message"]["content"]

    with ThreadPoolExecutor(5) as pool:
        for group, work in (("pool", ask), ("requests", post)):
            for future in as_completed([pool.submit(work, f"{group}:{point}") for point in POINTS]):
                seen(future.result())
    answers = queue.Queue()
    threads = [threading.Thread(target=lambda p=p: answers.put(ask(f"queue:{p}"))) for p in POINTS]
    for thread in threads:
        thread.start()
    for thread in threads:
        seen(answers.get())
    for thread in threads:
        thread.join()
"""
TASKS = """
    import asyncio
    import aiohttp, anyio

    async def main():
        async with openai.AsyncOpenAI() as client, aiohttp.ClientSession() as session:
            async def ask(text):
                return (await client.chat.completions.create(**body(text))).choices[0].message.content

            async def told(text):
                seen(await ask(text))

            async def post(text):
                url = os.environ["OPENAI_BASE_URL"] + "/chat/completions"
                async with session.post(url, json=body(text)) as response:
                    seen((await response.json())["choices"][0]["message"]["content"])

            for first in asyncio.as_completed([ask(f"as_completed:{point}") for point in POINTS]):
                seen(await first)
            await asyncio.gather(*(told(f"gather:{point}") for point in POINTS))
            await asyncio.gather(*(post(f"aiohttp:{point}") for point in POINTS))
            async with anyio.create_task_group() as group:
                for point in POINTS:
                    group.start_soon(told, f"anyio:{point}")
            # In the same moment, and the same question: by whom each answer was got.
            print(await asyncio.gather(*(ask("equal:0") for _ in range(3))))

    asyncio.run(main())
"""
STREAMS = """
    import asyncio

    def follow(name):
        with openai.OpenAI() as client:
            for piece in client.chat.completions.create(**body(name, stream=True)):
                seen(piece.choices[0].delta.content)

    threads = [threading.Thread(target=follow, args=(f"thread:{points}",)) for points in ("0,3,4", "1,2,5")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    async def main():
        async with openai.AsyncOpenAI() as client:
            async def stream(points):
                async for piece in await client.chat.completions.create(**body(f"task:{points}", stream=True)):
                    seen(piece.choices[0].delta.content)

            await asyncio.gather(stream("2,3,7"), stream("0,4,5"), stream("1,6,8"))

    asyncio.run(main())
"""


@pytest.mark.parametrize("source", [THREADS, TASKS, STREAMS], ids=["threads", "tasks", "streams"])
def test_what_ran_side_by_side_comes_in_the_order_in_which_it_came(
    source: str, programs: Programs, conductor: Conductor
) -> None:
    out, err = programs.record(START + source, env=conductor.env)
    assert err == ""
    made = conductor.calls
    points = [int(line.partition(":")[2]) for line in out.splitlines() if ":" in line and "[" not in line]
    assert points
    assert all(after in (before + 1, 0) for before, after in pairwise(points))
    assert programs.rerun("last", "--strict", env=conductor.env) == out
    assert conductor.calls == made
    assert set(column(graph(), "origin")) == {"replayed"}


def test_in_a_program_that_makes_fewer_calls_by_now_the_others_do_not_wait_for_ever(
    programs: Programs, conductor: Conductor
) -> None:
    programs.record(START + THREADS, "--name", "first", env=conductor.env)
    env = {**conductor.env, "POINTS": "4,2"}
    said = programs.rerun("first", "--strict", env=env).splitlines()
    assert said == [f"{group}:{point}" for group in ("pool", "requests", "queue") for point in (2, 4)]


DRAINED = """
    import asyncio, httpx2

    again = os.path.exists("again")

    async def pieces(client, points):
        url = os.environ["OPENAI_BASE_URL"] + "/chat/completions"
        async with client.stream("POST", url, json=body(f"task:{points}", stream=True)) as response:
            async for piece in response.aiter_raw():
                yield piece

    async def main():
        done, other = asyncio.Event(), asyncio.Event()
        async with httpx2.AsyncClient() as client:
            async def drained():
                stream = pieces(client, "0")
                while b"[DONE]" not in await anext(stream):
                    pass
                done.set()
                if not again:
                    await other.wait()
                try:
                    await asyncio.wait_for(anext(stream, None), 0.05 if again else 30)
                except asyncio.TimeoutError:
                    print("late")
                drained_by_now.set()

            async def late():
                stream = pieces(client, "0,1")
                await anext(stream)
                await done.wait()
                if again:
                    await drained_by_now.wait()
                seen("task:0")
                async for piece in stream:
                    other.set()

            drained_by_now = asyncio.Event()
            await asyncio.gather(drained(), late())

    asyncio.run(main())
"""


def test_a_stream_that_has_given_all_is_whole_though_its_end_was_not_waited_for(
    programs: Programs, conductor: Conductor
) -> None:
    out, _ = programs.record(START + DRAINED, env=conductor.env)
    assert out == "task:0\n"
    (programs.folder / "again").touch()
    # The other stream has the next piece, and asks for it only then.
    assert programs.rerun("last", "--strict", env=conductor.env) == "late\ntask:0\n"
    assert column(graph(), "status") == ["ok", "ok"]


EQUAL = """
    import asyncio
    from concurrent.futures import ThreadPoolExecutor

    ORDER = [int(number) for number in os.environ["ORDER"].split(",")]
    client = openai.OpenAI()
    done = [threading.Event() for _ in ORDER]

    def ask(number):
        before = ORDER.index(number)
        if before:
            done[ORDER[before - 1]].wait()
        answer = client.chat.completions.create(**body("same:0")).choices[0].message.content
        done[number].set()
        return answer

    with ThreadPoolExecutor(4) as pool:
        print(list(pool.map(ask, range(4))))

    async def main():
        answered = [asyncio.Event() for _ in ORDER]
        async with openai.AsyncOpenAI() as client:
            async def aask(number):
                before = ORDER.index(number)
                if before:
                    await answered[ORDER[before - 1]].wait()
                answer = (await client.chat.completions.create(**body("same:0"))).choices[0].message.content
                answered[number].set()
                return answer

            print(await asyncio.gather(*map(aask, range(4))))

    asyncio.run(main())
"""


def test_equal_questions_of_different_threads_and_tasks_do_not_swap_their_answers(
    programs: Programs, conductor: Conductor
) -> None:
    out, _ = programs.record(START + EQUAL, env={**conductor.env, "ORDER": "2,0,3,1"})
    assert out.splitlines()[0] == "['answer 2', 'answer 4', 'answer 1', 'answer 3']"
    made = conductor.calls
    for order in ("2,0,3,1", "0,1,2,3", "3,2,1,0"):
        assert programs.rerun("last", "--strict", env={**conductor.env, "ORDER": order}) == out
    assert conductor.calls == made


PROCESSES = """
    from concurrent.futures import ProcessPoolExecutor
    import asyncio, json, multiprocessing
    from urllib.request import Request

    METHOD = os.environ["METHOD"]

    def ask(text):
        url = os.environ["OPENAI_BASE_URL"] + "/chat/completions"
        request = Request(url, json.dumps(body(text)).encode(), {"content-type": "application/json"})
        with urllib.request.urlopen(request) as response:
            return json.load(response)["choices"][0]["message"]["content"]

    def in_loop(text):
        async def told():
            url = os.environ["OPENAI_BASE_URL"] + "/chat/completions"
            async with httpx.AsyncClient(trust_env=False) as client:
                response = await client.post(url, json=body(text), timeout=None)
            return response.json()["choices"][0]["message"]["content"]
        import httpx
        return asyncio.run(told())

    def work(text, answers):
        answers.put(ask(text))

    if __name__ == "__main__":
        context = multiprocessing.get_context(METHOD)
        with ProcessPoolExecutor(5, mp_context=context) as pool:
            for group, function in (("pool", ask), ("loop", in_loop)):
                done = queue.Queue()
                for point in POINTS:
                    pool.submit(function, f"{group}:{point}").add_done_callback(done.put)
                for _ in POINTS:
                    seen(done.get().result())
        answers = context.Queue()
        processes = [context.Process(target=work, args=(f"queue:{point}", answers)) for point in POINTS]
        for process in processes:
            process.start()
        for process in processes:
            seen(answers.get())
        for process in processes:
            process.join()
        # Between the program itself and its children.
        with ProcessPoolExecutor(2, mp_context=context) as pool:
            done = queue.Queue()
            for point in (1, 3):
                pool.submit(ask, f"both:{point}").add_done_callback(lambda future: done.put(future.result()))
            threads = [threading.Thread(target=lambda p=p: done.put(ask(f"both:{p}"))) for p in (2, 0)]
            for thread in threads:
                thread.start()
            for _ in range(4):
                seen(done.get())
"""


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_processes_are_answered_in_the_order_in_which_they_were(
    method: str, programs: Programs, conductor: Conductor
) -> None:
    env = {**conductor.env, "METHOD": method}
    # Each spawned child loads the program again: without an SDK.
    source = START.replace("import openai", "") + PROCESSES
    conductor.together = {"pool": 5, "loop": 5, "queue": 5, "both": 4}
    out, _ = programs.record(source, env=env)
    assert out.split() == [f"{group}:{n}" for group in ("pool", "loop", "queue") for n in range(5)] + [
        f"both:{n}" for n in range(4)
    ]
    calls = conductor.calls
    for _ in range(2):
        assert programs.rerun("last", env=env) == out
    assert conductor.calls == calls
