"""Tool calls over MCP: recorded, followed, replayed, edited, refused, whatever carries them."""

from __future__ import annotations

import json
import subprocess
import sys
from textwrap import dedent

import pytest
from model_server import ModelServer

from tests.daemons import LONG_S, ask
from tests.runner.recorded import AO, Programs, column, edges, graph

# A server; how often its tools were called stands in a file, so that a replay can be told from a call.
SERVER = """
import logging, sys
from mcp.server.mcpserver import MCPServer
from pydantic import BaseModel

logging.disable(logging.CRITICAL)
server = MCPServer("weather")


class Weather(BaseModel):
    city: str
    degrees: float | None = None


def called():
    with open("called", "a") as file:
        file.write("x")


@server.tool()
def weather(city: str) -> str:
    called()
    return "Sunny in " + city


@server.tool()
def details(city: str) -> Weather:
    called()
    return Weather(city=city)


@server.tool()
def broken(city: str) -> str:
    called()
    raise ValueError("no such city")


@server.tool()
async def slow(city: str) -> str:
    import asyncio
    print("slow", file=open("slow", "w"))
    await asyncio.sleep(1000)
    return ""


if __name__ == "__main__":
    server.run("stdio")
"""

START = """
import asyncio, json, os, sys
from contextlib import asynccontextmanager
from mcp import Client, ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client


"""

# Each defines `connected()`, which gives something that has `call_tool`.
TRANSPORTS = {
    "in memory": """
        def connected():
            from weather import server
            return Client(server)
        """,
    "stdio": """
        @asynccontextmanager
        async def connected():
            parameters = StdioServerParameters(command=sys.executable, args=["weather.py"])
            async with stdio_client(parameters) as (read, write), ClientSession(read, write) as session:
                await session.initialize()
                yield session
        """,
    "http": """
        @asynccontextmanager
        async def connected():
            import uvicorn
            from weather import server
            running = uvicorn.Server(uvicorn.Config(server.streamable_http_app(), port=0, log_level="critical"))
            serving = asyncio.create_task(running.serve())
            while not running.started:
                await asyncio.sleep(0.01)
            port = running.servers[0].sockets[0].getsockname()[1]
            async with Client(f"http://127.0.0.1:{port}/mcp") as client:
                yield client
            running.should_exit = True
            await serving
        """,
}

AGENT = """
    first = await client.call_tool("weather", {"city": "Rome"})
    print(first.content[0].text)
    second = await client.call_tool("weather", {"city": first.content[0].text.split()[-1] + "!"})
    print(second.content[0].text, second.structured_content)
    found = await asyncio.gather(*(client.call_tool("weather", {"city": f"city {n}"}) for n in range(3)))
    print([result.content[0].text for result in found])
    """


def program(main: str = AGENT, transport: str = "in memory") -> str:
    lines = "".join(f"        {line}\n" for line in dedent(main).strip().splitlines())
    opened = "\n\nasync def main():\n    async with connected() as client:\n"
    return START + dedent(TRANSPORTS[transport]) + opened + lines + "\n\nasyncio.run(main())\n"


@pytest.fixture(autouse=True)
def server(programs: Programs) -> None:
    programs.write(SERVER, "weather.py")


def calls_of(programs: Programs) -> int:
    """How often a tool has run."""
    file = programs.folder / "called"
    return len(file.read_text()) if file.exists() else 0


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_tool_call_is_a_call_and_is_replayed_without_calling_the_tool(transport: str, programs: Programs) -> None:
    source = program(transport=transport)
    options = ["--http"] if transport == "http" else []  # what carries a tool call is no call of its own
    plain = subprocess.run(
        [sys.executable, programs.write(source)], cwd=programs.folder, capture_output=True, timeout=LONG_S, check=True
    )
    made = calls_of(programs)
    out, _ = programs.record(source, "--name", "first", *options)
    assert out.encode() == plain.stdout
    assert calls_of(programs) == 2 * made
    found = graph()
    assert column(found, "kind") == ["mcp"] * 5
    assert column(found, "model") == ["weather"] * 5
    assert column(found, "status") == ["ok"] * 5
    assert edges(found) == {(1, 2)}
    lines = source.splitlines()
    assert all("call_tool" in lines[line - 1] for line in column(found, "line"))
    assert programs.rerun("first") == out
    assert calls_of(programs) == 2 * made
    assert column(graph(), "origin") == ["replayed"] * 5


def test_arguments_come_from_a_reply_and_a_result_goes_into_a_prompt(
    programs: Programs, model_server: ModelServer
) -> None:
    programs.record(
        program(
            """
            import openai
            create = openai.AsyncOpenAI().chat.completions.create
            messages = [{"role": "user", "content": "Where?"}]
            reply = (await create(model="m", messages=messages)).choices[0].message.content
            result = await client.call_tool("details", {"city": reply})
            for text in (result.content[0].text, "It is " + result.structured_content["city"], "nothing of that"):
                await create(model="m", messages=[{"role": "user", "content": text}])
            """,
            "stdio",  # in memory, what a tool passes on is the very object that it was given
        ),
        env=model_server.env,
    )
    found = graph()
    assert column(found, "kind") == ["llm", "mcp", "llm", "llm", "llm"]
    assert edges(found) == {(1, 2), (2, 3), (2, 4)}
    assert {edge["evidence"] for edge in found["edges"]} == {"tracked"}


def test_what_a_call_asks_and_says_can_be_read(programs: Programs) -> None:
    programs.record(program('await client.call_tool("details", {"city": "Zürich", "messages": "x"})'))
    call = ask("ao.call", run="last", call="1")
    assert (call["call"]["provider"], call["call"]["endpoint"]) == ("mcp", "tools/call/details")
    assert call["request"]["body"] == {"city": "Zürich", "messages": "x"}
    assert json.loads(call["messages"][0]["text"]) == call["request"]["body"]
    assert call["response"]["body"]["structuredContent"] == {"city": "Zürich", "degrees": None}
    assert json.loads(call["output"]["text"]) == {"city": "Zürich", "degrees": None}


def test_a_failure_is_a_call_and_fails_again_when_it_is_replayed(programs: Programs) -> None:
    source = program(
        """
        from mcp import MCPError
        result = await client.call_tool("broken", {"city": "x"})
        print(result.is_error, result.content[0].text)
        session = getattr(client, "session", client)
        session._stamp = lambda data, options: data["params"].update(name=7)
        try:
            await session.call_tool("weather", {"city": "x"})
        except MCPError as error:
            print(repr(error), error.code, error.data)
        """
    )
    out, _ = programs.record(source, "--name", "first")
    assert "True Error executing tool broken" in out
    assert "MCPError" in out
    made = calls_of(programs)
    found = graph()
    assert column(found, "status") == ["ok", "error"]
    assert ask("ao.call", run="last", call="1")["output"]["finish_reason"] == "error"
    assert programs.rerun("first") == out
    assert column(graph(), "origin") == ["replayed"] * 2
    assert calls_of(programs) == made


def test_a_cancelled_call_is_cancelled_and_one_that_takes_too_long_an_error(programs: Programs) -> None:
    out, _ = programs.record(
        program(
            """
            task = asyncio.create_task(client.call_tool("slow", {"city": "x"}))
            while not os.path.exists("slow"):
                await asyncio.sleep(0.01)
            task.cancel()
            try:
                await task
            except asyncio.CancelledError:
                print("cancelled")
            try:
                await client.call_tool("slow", {"city": "x"}, read_timeout_seconds=0.05)
            except Exception as error:
                print(type(error).__name__)
            """
        )
    )
    assert out == "cancelled\nMCPError\n"
    found = graph()
    assert column(found, "status") == ["cancelled", "error"]
    # Neither has an answer that could be replayed.
    plan = ask("ao.plan", run="last", dry_run=True)
    assert [call["action"] for call in plan["calls"]] == ["live", "live"]


def edit(call: int, field: str, content: str) -> str:
    done = subprocess.run(
        [AO, "edit", "first", str(call), f"--{field}", "-"], input=content.encode(), capture_output=True, timeout=LONG_S
    )
    return done.stderr.decode() if done.returncode else ""


def test_an_edited_result_is_what_the_program_gets(programs: Programs) -> None:
    programs.record(program(), "--name", "first")
    assert edit(1, "output", "Rain in Bath") == ""
    whole = {"content": [{"type": "text", "text": "Fog"}], "structuredContent": {"result": "Fog"}, "isError": False}
    assert edit(5, "output", json.dumps(whole)) == ""
    out = programs.rerun("first").splitlines()
    assert out[:2] == ["Rain in Bath", "Sunny in Bath! {'result': 'Sunny in Bath!'}"]
    assert "Fog" in out[2]
    assert column(graph(), "origin") == ["edited", "live", "replayed", "replayed", "edited"]


def test_an_edited_argument_is_what_the_server_gets(programs: Programs) -> None:
    programs.record(program(), "--name", "first")
    assert edit(1, "input", '{"city": "Oslo"}') == ""
    assert programs.rerun("first").splitlines()[0] == "Sunny in Oslo"
    assert "whole request" in edit(1, "input", "Oslo")


def test_an_edit_that_the_program_would_choke_on_is_refused(programs: Programs) -> None:
    programs.record(program('await client.call_tool("details", {"city": "x"})'), "--name", "first")
    assert "structuredContent" in edit(1, "output", "a text in place of a record")
    assert edit(1, "output", '{"city": "y", "degrees": 3.5}') == ""
    assert 'content[0].type" must be a string' in edit(1, "output", '{"content": [{"text": "x"}]}')
    assert '"structuredContent" must be' in edit(1, "output", '{"content": [], "structuredContent": "x"}')


def test_a_call_without_a_recording_is_refused_when_it_must_not_be_made(programs: Programs) -> None:
    source = program(
        """
        try:
            print((await client.call_tool("weather", {"city": os.environ["CITY"]})).content[0].text)
        except Exception as error:
            print("no recording" in str(error))
        """
    )
    programs.record(source, "--name", "first", env={"CITY": "Rome"})
    made = calls_of(programs)
    assert programs.rerun("first", "--strict", env={"CITY": "Oslo"}) == "True\n"
    assert calls_of(programs) == made
