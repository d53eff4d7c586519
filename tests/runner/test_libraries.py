"""Programs on a library that is not the user's code, as agent frameworks are: who asked for a call that the
library makes in a task or thread of its own, and which edges there are. The library is unknown to us."""

from __future__ import annotations

import os
import re
from pathlib import Path
from textwrap import dedent

import pytest
from model_server import ModelServer

from tests.runner.recorded import Programs, column, edges, graph

LIBRARY = '''
    """An agent library."""
    import asyncio, contextvars, json, os, threading
    from concurrent.futures import ThreadPoolExecutor

    import httpx

    URL = os.environ["OPENAI_BASE_URL"] + "/chat/completions"


    def complete(text):
        body = {"model": "m", "messages": [{"role": "user", "content": text}]}
        return httpx.post(URL, json=body).json()["choices"][0]["message"]["content"]


    async def acomplete(text):
        async with httpx.AsyncClient() as client:
            body = {"model": "m", "messages": [{"role": "user", "content": text}]}
            return (await client.post(URL, json=body)).json()["choices"][0]["message"]["content"]


    async def in_task(text):
        return await asyncio.create_task(acomplete(text))


    def in_pool(text):
        context = contextvars.copy_context()
        with ThreadPoolExecutor() as pool:
            return pool.submit(context.run, complete, text).result()


    class Stream:
        """Begins at once, is read later."""

        def __init__(self, text):
            self._task = asyncio.get_running_loop().create_task(acomplete(text))

        async def words(self):
            for word in (await self._task).split():
                yield word
'''


@pytest.fixture
def env(programs: Programs, model_server: ModelServer) -> dict[str, str]:
    folder = programs.folder / "site-packages"
    folder.mkdir()
    Path(folder, "agentlib.py").write_text(dedent(LIBRARY))
    return {**model_server.env, "PYTHONPATH": os.fspath(folder)}


PROGRAM = """
    import asyncio, agentlib

    one = agentlib.in_pool("one")


    async def main():
        two = await agentlib.in_task("two " + one)
        stream = agentlib.Stream("three " + two)
        async for word in stream.words():
            pass
        return await asyncio.gather(agentlib.acomplete("four " + word), asyncio.wait_for(agentlib.in_task("five"), 60))


    print(len(asyncio.run(main())))
"""


@pytest.mark.parametrize("options", [[], ["--rewrite", "agentlib"]])
def test_a_call_is_at_the_line_that_asked_for_it_wherever_the_library_makes_it(
    options: list[str], programs: Programs, env: dict[str, str]
) -> None:
    assert programs.record(PROGRAM, *options, env=env) == ("2\n", "")
    found = graph()
    lines = (programs.folder / "program.py").read_text().splitlines()
    assert set(column(found, "file")) == {str(programs.folder / "program.py")}
    asked = [re.search(r'"(\w+)', lines[number - 1]) for number in column(found, "line")]
    assert [match and match[1] for match in asked] == [
        "one",
        "two",
        "three",
        "four",
        "four",
    ]  # the last two stand on one line
    assert edges(found) == {(1, 2), (2, 3), (3, 4)}
