"""Many calls, and large ones: all are recorded."""

from __future__ import annotations

import pytest
from model_server import ModelServer

from tests.runner.beside_python import POST, Beside
from tests.runner.recorded import Programs, column, graph

MANY = {
    "threads": """
    from concurrent.futures import ThreadPoolExecutor
    with ThreadPoolExecutor(200) as pool:
        print(len(set(pool.map(post, (f"question {number}" for number in range(200))))))
    """,
    "tasks": """
    import asyncio, aiohttp

    async def ask(session, number):
        body = {"model": "m", "messages": [{"role": "user", "content": f"question {number}"}]}
        async with session.post(url, json=body) as response:
            return (await response.json())["choices"][0]["message"]["content"]

    async def main():
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
            return await asyncio.gather(*(ask(session, number) for number in range(1000)))

    print(len(set(asyncio.run(main()))))
    """,
}


@pytest.mark.parametrize(
    ("kind", "calls", "env"),
    [("threads", 200, {}), ("threads", 200, {"AO_NO_DAEMON": "1"}), ("tasks", 1000, {})],
    ids=["200 threads", "200 threads, spooled", "1000 tasks"],
)
def test_calls_that_are_made_at_once_are_all_recorded(
    kind: str, calls: int, env: dict[str, str], programs: Programs, model_server: ModelServer
) -> None:
    Beside(programs, model_server.env).same(POST + MANY[kind], env=env, code=0)
    found = graph()
    assert column(found, "status") == ["ok"] * calls
    assert len({node["id"] for node in found["nodes"]}) == calls
