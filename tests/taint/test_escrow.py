"""The escrow around a call into library code: what a recorded call inside counts as its inputs, and what
its output is put onto. The library is one that nothing in here knows; `ask` pretends to be the seam of a
transport: it notes what went into the call, says that it is answered, and gives its text."""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ao_lsp.taint import escrow
from ao_lsp.taint.frames import HIDES

from .conftest import imported

pytestmark = pytest.mark.skipif(not HIDES, reason="values are not tracked on Python 3.10")

LIBRARY = '''
    import asyncio, concurrent.futures, contextvars, dataclasses, json, queue, threading
    from concurrent.futures import ThreadPoolExecutor


    def twice(text):
        return ask("1", text) + ask("2", "again")


    _tools = {"k": "some tool"}


    def select(name):
        return _tools[name]


    class Client:
        def ask(self, name, text):
            self.last = ask(name, text)
            return self.last


    @dataclasses.dataclass
    class Agent:
        schema: dict

        def run(self, name, text):
            return Result(ask(name, text), self, [self.schema])


    @dataclasses.dataclass
    class Result:
        text: str
        agent: Agent
        schemas: list


    _texts = {}


    def parse(text):
        """Keeps the texts that it has made."""
        found = json.loads(text)
        return {name: _texts.setdefault(value, value) for name, value in found.items()} | {"unit": UNIT}


    UNIT = "degrees"


    class Text(str):
        __slots__ = ()


    def apply(function, *args):
        return function(*args)


    def fails(text):
        ask("1", text)
        raise RuntimeError("after " + text)


    def in_context(text):
        return contextvars.copy_context().run(ask, "1", text)


    def in_pool(*texts):
        with ThreadPoolExecutor(1) as pool:
            done = [pool.submit(ask, str(number), text) for number, text in enumerate(texts, 1)]
            return [each.result() for each in done]


    def in_pool_with_context(*texts):
        with ThreadPoolExecutor(1) as pool:
            done = [pool.submit(contextvars.copy_context().run, ask, str(n), text) for n, text in enumerate(texts, 1)]
            return [each.result() for each in done]


    def in_thread(text):
        found = []
        thread = threading.Thread(target=lambda: found.append(ask("1", text)))
        thread.start()
        thread.join()
        return found[0]


    class Background:
        """Serves others for as long as it lives."""

        def __init__(self, *_):
            self.work = queue.Queue()
            self.thread = threading.Thread(target=self.run, daemon=True)
            self.thread.start()

        def run(self):
            while (job := self.work.get()) is not None:
                job[1].put(ask(*job[0]))

        def serve(self, name, text):
            answer = queue.Queue()
            self.work.put(((name, text), answer))
            return answer.get()

        def close(self):
            self.work.put(None)
            self.thread.join()


    async def aask(name, text):
        await asyncio.sleep(0)
        answer = ask(name, text)
        await asyncio.sleep(0)
        return answer


    class Request:
        """To be awaited or entered; takes no weak reference."""

        __slots__ = ("_coro",)

        def __init__(self, coroutine):
            self._coro = coroutine

        def __await__(self):
            return self._coro.__await__()

        async def __aenter__(self):
            return await self._coro

        async def __aexit__(self, *_):
            pass


    def requested(name, text):
        return Request(aask(name, text))


    async def side_by_side(*texts):
        return await asyncio.gather(*[aask(str(number), text) for number, text in enumerate(texts, 1)])


    async def one_after_another(*texts):
        """Tasks of one library call, of which each ends before the next one asks, without telling it."""
        gates = [asyncio.Event() for _ in texts]
        gates[0].set()

        async def run(number, text):
            await gates[number].wait()
            answer = await aask(str(number + 1), text)
            for gate in gates[number + 1 : number + 2]:
                gate.set()
            return answer

        return await asyncio.gather(*[run(number, text) for number, text in enumerate(texts)])


    async def then(*texts):
        await side_by_side(*texts)
        return await aask("9", "of all")


    async def in_group(*texts):
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(aask(str(number), text)) for number, text in enumerate(texts, 1)]
        return [task.result() for task in tasks]


    async def in_executor(text):
        return await asyncio.get_running_loop().run_in_executor(None, ask, "1", text)


    async def to_thread(text):
        return await asyncio.to_thread(ask, "1", text)


    async def never(text):
        await aask("1", text)
        await asyncio.Event().wait()


    def stream(*texts):
        for number, text in enumerate(texts, 1):
            yield ask(str(number), text)


    def pieces(text):
        yield from ask("1", text).split()


    async def astream(*texts):
        for number, text in enumerate(texts, 1):
            yield await aask(str(number), text)


    class Handle:
        """Begins at once, is read later."""

        def __init__(self, text):
            self.task = asyncio.get_running_loop().create_task(aask("1", text))

        async def words(self):
            for word in (await self.task).split():
                yield word

        async def text(self):
            return await self.task

        def __await__(self):
            return self.task.__await__()


    def start(pool, text):
        return pool.submit(ask, "1", text)
'''

Run = Callable[..., dict[str, Any]]


@pytest.fixture
def lib(inputs: dict[str, str]) -> Iterator[types.ModuleType]:
    """The library, as `import lib` in a program."""

    def ask(name: str, text: str) -> str:  # noqa: ARG001  # as a real one has it
        inputs[name] = "".join(sorted(escrow.inputs_of_call()))
        escrow.produced(name, escrow.current())
        return f"answer {name}"

    with imported(LIBRARY, ask) as module:
        yield module


CASES = {
    # -- one call after another
    "an output takes the place of the inputs": ("x = lib.apply(lib.ask, '1', tag('a', 'p'))", {"1": "a"}, "1"),
    "a library call's calls follow each other": ("x = lib.twice(tag('a', 'p'))", {"1": "a", "2": "1a"}, "12"),
    "a library call of no recorded call": ("x = lib.apply(str.upper, tag('a', 'p'))", {}, "a"),
    "the next library call knows nothing of it": (
        "lib.twice(tag('a', 'p'))\nx = lib.apply(lib.ask, '3', 'q')",
        {"1": "a", "2": "1a", "3": ""},
        "3",
    ),
    "an error ends it": (
        "try:\n    lib.fails(tag('a', 'p'))\nexcept RuntimeError as e:\n    y = str(e)\nx = lib.ask('2', 'q')",
        {"1": "a", "2": ""},
        "2",
    ),
    "an error carries what was produced before it": (
        "try:\n    lib.fails(tag('a', 'p'))\nexcept RuntimeError as e:\n    x = str(e)",
        {"1": "a"},
        "1",
    ),
    # -- what a library selects or keeps
    "a registry": ("x = lib.select(tag('a', 'k'))", {}, ""),
    "a client absorbs nothing": (
        "c = lib.Client()\nc.ask('1', tag('a', 'p'))\nx = c.ask('2', 'q')",
        {"1": "a", "2": ""},
        "2",
    ),
    "a result that holds the agent": (
        "x = lib.Agent({'type': 'object'}).run('1', tag('a', 'p')).text",
        {"1": "a"},
        "1",
    ),
    "an agent whose results hold it": (
        "g = lib.Agent({'type': 'object'})\nr = g.run('1', tag('a', 'p'))\nx = g.run('2', 'q').text",
        {"1": "a", "2": ""},
        "2",
    ),
    "a parser that keeps its texts": ("x = lib.parse(tag('a', '{\"city\": \"Lisbon\"}'))['city']", {}, "a"),
    "a parser's defaults": ("x = lib.parse(tag('a', '{\"city\": \"in degrees\"}'))['unit']", {}, ""),
    "a text with more methods": ("x = 'in ' + lib.apply(lib.Text, lib.ask('1', ''))", {"1": ""}, "1"),
    # -- nested
    "a callback's own calls have their own inputs": (
        "x = lib.apply(lambda: lib.ask('1', tag('b', 'q')))",
        {"1": "b"},
        "1",
    ),
    "a callback's calls do not see what the library was given": (
        "x = lib.apply(lambda p: lib.ask('1', 'q'), tag('a', 'p'))",
        {"1": ""},
        "1",
    ),
    "a callback that is given a value by identity": (
        "x = lib.apply(lambda p: lib.ask('1', p), tag('a', 'p'))",
        {"1": "a"},
        "1",
    ),
    "a library's library": ("x = lib.apply(lib.apply, lib.apply, lib.ask, '1', tag('a', 'p'))", {"1": "a"}, "1"),
    "another context": ("x = lib.in_context(tag('a', 'p'))", {"1": "a"}, "1"),
    "the user's own context": (
        "import contextvars\nx = contextvars.copy_context().run(lib.ask, '1', tag('a', 'p'))",
        {"1": "a"},
        "1",
    ),
    # -- threads that the library starts
    "a pool": ("x = lib.in_pool(tag('a', 'p'))[0]", {"1": "a"}, "1"),
    "work of a pool side by side": ("x = lib.in_pool(tag('a', 'p'), 'q')", {"1": "a", "2": "a"}, "12"),
    "a pool with contexts": ("x = lib.in_pool_with_context(tag('a', 'p'), 'q')", {"1": "a", "2": "a"}, "12"),
    "a thread": ("x = lib.in_thread(tag('a', 'p'))", {"1": "a"}, "1"),
    "a thread that serves others": (
        "b = lib.Background(tag('a', 'p'))\nb.serve('1', tag('b', 'q'))\nx = b.serve('2', 'r')\nb.close()",
        {"1": "", "2": ""},
        "",
    ),
    # -- threads that the user starts
    "library code in the user's pool": (
        "from concurrent.futures import ThreadPoolExecutor\nwith ThreadPoolExecutor(1) as pool:\n"
        "    x = pool.submit(lib.ask, '1', tag('a', 'p')).result()\n    y = pool.submit(lib.ask, '2', 'q').result()",
        {"1": "a", "2": ""},
        "1",
    ),
    "library code mapped in the user's pool": (
        "from concurrent.futures import ThreadPoolExecutor\nwith ThreadPoolExecutor(1) as pool:\n"
        "    x = list(pool.map(lib.ask, ['1', '2'], ['p', tag('a', 'q')]))[0]",
        {"1": "", "2": "a"},
        "1",
    ),
    "the user's code in the user's pool": (
        "from concurrent.futures import ThreadPoolExecutor\nf = lambda name, text: lib.ask(name, text) + '!'\n"
        "with ThreadPoolExecutor(1) as pool:\n"
        "    y = pool.submit(f, '1', tag('a', 'p'))\n    x = pool.submit(f, '2', 'q').result()",
        {"1": "a", "2": ""},
        "2",
    ),
    "a library's future": (
        "from concurrent.futures import ThreadPoolExecutor\nwith ThreadPoolExecutor(1) as pool:\n"
        "    x = lib.start(pool, tag('a', 'p')).result()",
        {"1": "a"},
        "1",
    ),
    "a thread of the user's": (
        "import threading\nl = []\n"
        "t = threading.Thread(target=lambda p: l.append(lib.ask('1', p)), args=(tag('a', 'p'),))\n"
        "t.start()\nt.join()\nx = l[0]",
        {"1": "a"},
        "1",
    ),
    # -- generators
    "a library's generator": ("x = list(lib.stream(tag('a', 'p'), 'q'))", {"1": "a", "2": "1a"}, "12"),
    "a first piece of a generator": ("for x in lib.stream(tag('a', 'p'), 'q'):\n    break", {"1": "a"}, "1"),
    "a call between the steps of a generator": (
        "g = lib.stream(tag('a', 'p'), 'q')\nnext(g)\nlib.ask('3', 'r')\nx = next(g)",
        {"1": "a", "2": "1a", "3": ""},
        "12",
    ),
    "a step of a generator": ("x = lib.stream(tag('a', 'p')).__next__()", {"1": "a"}, "1"),
    "two generators in turn": (
        "for x, y in zip(lib.pieces(tag('a', 'p')), lib.pieces(tag('b', 'q'))):\n    pass",
        {"1": "b"},
        "1",
    ),
}

ASYNC_CASES = {
    "a coroutine": ("x = await lib.aask('1', tag('a', 'p'))", {"1": "a"}, "1"),
    "what is awaited without a weak reference": ("r = lib.requested('1', tag('a', 'p'))\nx = await r", {"1": "a"}, "1"),
    "what is entered without a weak reference": (
        "async with lib.requested('1', tag('a', 'p')) as x:\n    pass",
        {"1": "a"},
        "1",
    ),
    "the next coroutine": (
        "await lib.aask('1', tag('a', 'p'))\nx = await lib.aask('2', 'q')",
        {"1": "a", "2": ""},
        "2",
    ),
    "the user's tasks": (
        "x, y = await asyncio.gather(lib.aask('1', tag('a', 'p')), lib.aask('2', 'q'))",
        {"1": "a", "2": ""},
        "1",
    ),
    "a group of the user's": (
        "async with asyncio.TaskGroup() as group:\n    y = group.create_task(lib.aask('1', tag('a', 'p')))\n"
        "    t = group.create_task(lib.aask('2', 'q'))\nx = t.result()",
        {"1": "a", "2": ""},
        "2",
    ),
    "a limit of time": ("x = await asyncio.wait_for(lib.aask('1', tag('a', 'p')), 60)", {"1": "a"}, "1"),
    "a shield": ("x = await asyncio.shield(lib.aask('1', tag('a', 'p')))", {"1": "a"}, "1"),
    "as they come": (
        "x = [await each for each in asyncio.as_completed([lib.aask('1', tag('a', 'p'))])]",
        {"1": "a"},
        "1",
    ),
    "the library's tasks": ("x = await lib.side_by_side('p', tag('a', 'q'))", {"1": "a", "2": "a"}, "12"),
    "the library's tasks, one ended before another asks": (
        "x = await lib.one_after_another('p', tag('a', 'q'), 'r')",
        {"1": "a", "2": "a", "3": "a"},
        "123",
    ),
    "after the library's tasks": (
        "x = await lib.then('p', tag('a', 'q'))",
        {"1": "a", "2": "a", "9": "12a"},
        "129",
    ),
    "a group of the library's": ("x = await lib.in_group(tag('a', 'p'), 'q')", {"1": "a", "2": "a"}, "12"),
    "an executor of the library's": ("x = await lib.in_executor(tag('a', 'p'))", {"1": "a"}, "1"),
    "a thread of the library's": ("x = await lib.to_thread(tag('a', 'p'))", {"1": "a"}, "1"),
    "an executor of the user's": (
        "x = await asyncio.get_running_loop().run_in_executor(None, lib.ask, '1', tag('a', 'p'))",
        {"1": "a"},
        "1",
    ),
    "library code in a thread of the user's": (
        "x = await asyncio.to_thread(lib.ask, '1', tag('a', 'p'))",
        {"1": "a"},
        "1",
    ),
    "cancellation": (
        "t = asyncio.create_task(lib.never(tag('a', 'p')))\nwhile '1' not in inputs:\n    await asyncio.sleep(0)\n"
        "t.cancel()\ntry:\n    await t\nexcept asyncio.CancelledError:\n    x = await lib.aask('2', 'q')",
        {"1": "a", "2": ""},
        "2",
    ),
    "a limit of time that is over": (
        "t = asyncio.ensure_future(lib.never(tag('a', 'p')))\nwhile '1' not in inputs:\n    await asyncio.sleep(0)\n"
        "try:\n    await asyncio.wait_for(t, 0)\nexcept asyncio.TimeoutError:\n    x = await lib.aask('2', 'q')",
        {"1": "a", "2": ""},
        "2",
    ),
    "an asynchronous generator": (
        "x = [piece async for piece in lib.astream(tag('a', 'p'), 'q')]",
        {"1": "a", "2": "1a"},
        "12",
    ),
    "an asynchronous generator by hand": (
        "g = aiter(lib.astream(tag('a', 'p')))\nx = await anext(g)",
        {"1": "a"},
        "1",
    ),
    "a step of an asynchronous generator": (
        "g = lib.astream(tag('a', 'p'))\nx = await g.__anext__()",
        {"1": "a"},
        "1",
    ),
    "a call between the steps of an asynchronous generator": (
        "g = lib.astream(tag('a', 'p'), 'q')\nasync for y in g:\n    await lib.aask('3', 'r')\n    break\n"
        "async for x in g:\n    pass",
        {"1": "a", "3": "", "2": "1a"},
        "12",
    ),
    "two tasks with generators in turn": (
        "async def run(name, text):\n    async for piece in lib.astream(text):\n        await asyncio.sleep(0)\n"
        "        return await lib.aask(name, piece)\n"
        "y, x = await asyncio.gather(run('3', tag('a', 'p')), run('4', tag('b', 'q')))",
        {"1": "b", "3": "1", "4": "1"},
        "4",
    ),
    "a handle that is filled later": ("x = [w async for w in lib.Handle(tag('a', 'p')).words()]", {"1": "a"}, "1"),
    "a handle without origins that is filled later": (
        "h = lib.Handle('p')\nx = [w async for w in h.words()]",
        {"1": ""},
        "1",
    ),
    "a handle that is asked": ("x = await lib.Handle(tag('a', 'p')).text()", {"1": "a"}, "1"),
    "a handle that is awaited": ("x = await lib.Handle(tag('a', 'p'))", {"1": "a"}, "1"),
    "two handles": (
        "h, i = lib.Handle(tag('a', 'p')), lib.apply(str.upper, tag('b', 'q'))\nawait h\nx = i",
        {"1": "a"},
        "b",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_calls_and_results_have_the_origins_that_flowed_into_them(
    name: str, run: Run, lib: types.ModuleType, inputs: dict[str, str]
) -> None:
    program, went_in, came_out = CASES[name]
    namespace = run(program + "\n", lib=lib)
    assert inputs == went_in
    assert namespace["origins"](namespace["x"]) == came_out, namespace["x"]


@pytest.mark.parametrize("name", ASYNC_CASES)
def test_calls_and_results_of_asynchronous_code(
    name: str, run: Run, lib: types.ModuleType, inputs: dict[str, str]
) -> None:
    program, went_in, came_out = ASYNC_CASES[name]
    body = "".join(f"    {line}\n" for line in program.splitlines())
    source = f"import asyncio\nasync def main():\n{body}    return x\nx = asyncio.run(main())\n"
    namespace = run(source, lib=lib, inputs=inputs)
    assert inputs == went_in
    assert namespace["origins"](namespace["x"]) == came_out, namespace["x"]


def test_what_the_whole_program_shares_is_not_tagged(run: Run, lib: types.ModuleType) -> None:
    """Sentinels, classes and functions in what a library returns belong to everybody."""
    lib.__dict__["reply"] = lambda: types.SimpleNamespace(text=lib.ask("1", ""), no=None, yes=True, kind=int, rest=...)
    namespace = run("r = lib.reply()\nx = [r.no, r.yes, r.kind, r.rest]\ny = r.text\n", lib=lib)
    assert namespace["origins"](namespace["x"]) == ""
    assert namespace["origins"](namespace["y"]) == "1"
