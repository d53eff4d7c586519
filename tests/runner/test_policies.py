"""What a rerun does with a call that it has no recording of: `--live`, `--strict`, `--ask`."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys

import pytest
from model_server import ModelServer

from tests.daemons import LONG_S
from tests.runner.recorded import AO, RECORD, Programs, column, graph
from tests.runner.test_gateway import program as gateway_program
from tests.runner.test_transports import program

OPENAI = """
    import openai, os
    try:
        create = openai.OpenAI(max_retries=1).chat.completions.create
        create(model="m", messages=[{"role": "user", "content": os.environ["WHAT"]}])
        print("made")
    except openai.APIConnectionError as error:
        print(error.__cause__)
"""
OPENAI_ASYNC = """
    import asyncio, openai, os

    async def main():
        async with openai.AsyncOpenAI(max_retries=0) as client:
            await client.responses.create(model="m", input=os.environ["WHAT"])

    try:
        asyncio.run(main())
        print("made")
    except openai.APIConnectionError as error:
        print(error.__cause__)
"""
ANTHROPIC = """
    import anthropic, os
    try:
        with anthropic.Anthropic(max_retries=0).messages.stream(
            model="m", max_tokens=9, messages=[{"role": "user", "content": os.environ["WHAT"]}]
        ) as stream:
            list(stream)
        print("made")
    except anthropic.APIConnectionError as error:
        print(error.__cause__)
"""
BARE = """
    import os
    try:
        post({"model": "m", "messages": [{"role": "user", "content": os.environ["WHAT"]}]})
        print("made")
    except Exception as error:
        print(type(error).__name__, error)
"""
# By client, the class of the error that a program gets where nobody listens.
ERRORS = {
    "requests": "ConnectionError",
    "urllib3": "MaxRetryError",
    "urllib.request": "URLError",
    "http.client": "ConnectionError",
    "aiohttp": "ClientConnectionError",
}
PROGRAMS = {
    "openai": OPENAI,
    "openai, async": OPENAI_ASYNC,
    "anthropic": ANTHROPIC,
    **{name: program(name, BARE) for name in ERRORS},
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_strict_fails_the_call_as_one_without_a_connection_and_says_where_and_what_to_do_and_live_makes_it(
    name: str, programs: Programs, model_server: ModelServer
) -> None:
    env = {**model_server.env, "WHAT": "one"}
    assert programs.record(PROGRAMS[name], "--name", "first", env=env) == ("made\n", "")
    env["WHAT"] = "another"
    made = len(model_server.requests)
    said = programs.rerun("first", "--strict", env=env)
    assert said.startswith(ERRORS.get(name, "ao-record"))
    assert re.search(r"ao-record --strict: there is no recording of the call at .*program\.py:\d+ to http", said)
    assert "--live or --ask" in said
    assert len(model_server.requests) == made
    assert set(column(graph(), "status")) == {"error"}
    assert programs.rerun("first", "--live", env=env) == "made\n"
    assert len(model_server.requests) == made + 1


def test_ask_asks_nobody_where_there_is_no_terminal(programs: Programs, model_server: ModelServer) -> None:
    env = {**model_server.env, "WHAT": "one"}
    programs.record(OPENAI, "--name", "first", env=env)
    made = len(model_server.requests)
    process = subprocess.Popen(
        [AO, "rerun", "first", "--ask"],
        cwd=programs.folder, env={**os.environ, **env, "WHAT": "another"}, stdout=subprocess.PIPE,
        start_new_session=True,
    )  # fmt: skip
    out, _ = process.communicate(timeout=2 * LONG_S)
    assert b"no terminal to ask on" in out
    assert len(model_server.requests) == made


def on_a_terminal(programs: Programs, env: dict[str, str], answer: bytes, *command: str) -> tuple[str, int]:
    """Run a command on a terminal of its own, and answer whatever it asks; what stood there, and how often it asked."""
    terminal, theirs = pty.openpty()
    take = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
    process = subprocess.Popen(
        [sys.executable, "-c", take, *command],
        cwd=programs.folder, env={**os.environ, **env}, stdin=theirs, stdout=theirs, stderr=theirs,
        start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    said, asked = b"", 0
    while True:
        try:
            piece = os.read(terminal, 1 << 16)
        except OSError:  # how Linux tells that nobody has the terminal open any more
            break
        if not piece:
            break
        said += piece
        if said.count(b"[y/N] ") > asked:
            asked += 1
            os.write(terminal, answer)
    os.close(terminal)
    process.wait(LONG_S)
    return said.decode(), asked


@pytest.mark.parametrize(("answer", "made"), [(b"y\n", 1), (b"n\n", 0), (b"\n", 0)])
def test_ask_asks_on_the_terminal_once_and_does_as_told(
    answer: bytes, made: int, programs: Programs, model_server: ModelServer
) -> None:
    env = {**model_server.env, "WHAT": "one"}
    programs.record(OPENAI, "--name", "first", env=env)
    before = len(model_server.requests)
    said, asked = on_a_terminal(programs, {**env, "WHAT": "another"}, answer, AO, "rerun", "first", "--ask")
    assert re.search(r"no recording of the call at .*program\.py:\d+ to http.*Make it\? \[y/N\]", said)
    assert asked == 1  # the SDK has tried twice
    assert ("made\r\n" in said) is bool(made)
    assert ("declined" in said) is not made
    assert len(model_server.requests) == before + made


# What the gateway records: of a client with a socket of its own.
SOCKET = gateway_program('print("made" if "choices" in (said := json.loads(post(body(os.environ["WHAT"])))) else said)')
THROUGH_GATEWAY = {
    "--live": (b"", "made", 1),
    "--strict": (b"", "ao-record --strict: there is no recording", 0),
    "--ask, yes": (b"y\n", "made", 1),
    "--ask, no": (b"n\n", "it was declined", 0),
}


@pytest.mark.parametrize("policy", THROUGH_GATEWAY)
def test_the_gateway_does_with_a_call_without_a_recording_as_it_is_told(
    policy: str, programs: Programs, model_server: ModelServer
) -> None:
    answer, says, made = THROUGH_GATEWAY[policy]
    env = {**model_server.env, "WHAT": "one"}
    programs.record(SOCKET, "--gateway", "--name", "first", env=env)
    before = len(model_server.requests)
    again = {**env, "WHAT": "another"}
    said, asked = on_a_terminal(programs, again, answer, AO, "rerun", "first", policy.partition(",")[0])
    assert asked == bool(answer)
    assert says in said
    assert len(model_server.requests) == before + made
    assert column(graph(), "status") == ["ok" if made else "error"]
    assert column(graph(), "origin") == ["live"]


def test_the_gateway_asks_nobody_where_there_is_no_terminal(programs: Programs, model_server: ModelServer) -> None:
    programs.record(SOCKET, "--gateway", "--name", "first", env={**model_server.env, "WHAT": "one"})
    made = len(model_server.requests)
    process = subprocess.Popen(
        [AO, "rerun", "first", "--ask"],
        cwd=programs.folder, env={**os.environ, **model_server.env, "WHAT": "another"}, stdout=subprocess.PIPE,
        start_new_session=True,
    )  # fmt: skip
    assert b"no terminal to ask on" in process.communicate(timeout=2 * LONG_S)[0]
    assert len(model_server.requests) == made


def test_ao_record_obeys_a_policy_of_its_own_over_that_of_the_plan(
    programs: Programs, model_server: ModelServer
) -> None:
    from tests.daemons import ask

    env = {**model_server.env, "WHAT": "one"}
    programs.record(OPENAI, "--name", "first", env=env)
    plan = ask("ao.plan", run="first", policy="live")["plan"]
    done = subprocess.run(
        [RECORD, "--strict", "program.py"],
        cwd=programs.folder, env={**os.environ, **env, "WHAT": "another", "AO_PLAN": plan}, capture_output=True,
    )  # fmt: skip
    assert b"ao-record --strict" in done.stdout


def test_a_rerun_in_the_background_refuses_to_ask(programs: Programs, model_server: ModelServer) -> None:
    programs.record(OPENAI, "--name", "first", env={**model_server.env, "WHAT": "one"})
    done = subprocess.run([AO, "rerun", "first", "--ask", "--json"], capture_output=True, text=True)
    assert done.returncode == 1
    assert "--ask needs a terminal" in done.stdout
