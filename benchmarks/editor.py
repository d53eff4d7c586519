"""What the language server's clients cost the daemon: the numbers of docs/performance.md, "Editor".

    python benchmarks/editor.py [asked] [memory] [streaming] [fairness]    (all of them)

- asked: CPU time of the daemon per request: a hover, hints and lenses of `examples/research_agent.py`, a thousand hints
- memory: what an idle editor adds, with VS Code's capabilities and a file of 500 lines open; 20 of them, and 200; and
  what as many more add when these have left
- streaming: 20 editors have the file of a program open that makes 2,000 streamed calls (`ao-record`, a model server)
- fairness: how long a hover takes while another client sends 10,000 requests at once, one buffer of 30 MB, or asks for
  graphs of 2,000 calls

Times of the loop's turns are of the processor: the machine may have other work.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from graph import Run
from lsp_clients import ROOT, Editor, connected, most_in_a_second

sys.path.append(str(ROOT / "examples"))

from model_server import ModelServer

BIN = Path(sys.executable).parent
AGENT = ROOT / "examples/research_agent.py"
VERSION = sys.version.split()[0]

CALLS = 2000
STREAMED = f"""
import json, os, urllib.request
URL = os.environ["OPENAI_BASE_URL"] + "/chat/completions"

def ask(number):
    body = {{"model": "m", "stream": True, "messages": [{{"role": "user", "content": f"question {{number}}"}}]}}
    request = urllib.request.Request(URL, json.dumps(body).encode(), {{"Content-Type": "application/json"}})
    with urllib.request.urlopen(request) as response:
        return response.read()

for number in range({CALLS}):
    ask(number)
"""


class Daemon:
    """A watched daemon in a home of its own, until the end of the block."""

    def __enter__(self) -> Daemon:
        self._home = tempfile.TemporaryDirectory(prefix="ao-", dir="/tmp", ignore_cleanup_errors=True)
        self.folder = Path(self._home.name)
        os.environ["AO_HOME"] = str(self.folder / "home")
        os.makedirs(os.environ["AO_HOME"])
        self._report = self.folder / "turns.json"
        watched = [sys.executable, str(ROOT / "benchmarks/watched_daemon.py"), str(self._report)]
        self._process = subprocess.Popen(watched)
        self.pid = self._process.pid
        from ao_lsp import connect

        while (session := connect.existing_session("cli")) is None:
            assert self._process.poll() is None
            time.sleep(0.05)
        session[0].close()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(ProcessLookupError):
            self._process.terminate()
        self._process.wait()
        self._home.cleanup()

    def cpu(self) -> float:
        """Seconds of the processor so far (proc(5))."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self) -> int:
        """Resident bytes."""
        fields = Path(f"/proc/{self.pid}/statm").read_text().split()
        return int(fields[1]) * os.sysconf("SC_PAGE_SIZE")

    async def turns(self) -> Any:
        """What the turns of its loop took since this was asked last."""
        self._report.unlink(missing_ok=True)
        os.kill(self.pid, signal.SIGUSR1)
        while not self._report.exists():
            await asyncio.sleep(0.01)
        return json.loads(self._report.read_text())


def row(*cells: object) -> None:
    print(f"| {' | '.join(map(str, (VERSION, *cells)))} |", flush=True)


async def asked() -> None:
    with Daemon() as daemon, ModelServer() as model:
        env = {**os.environ, "OPENAI_BASE_URL": f"{model.url}/v1", "OPENAI_API_KEY": "k"}
        subprocess.run([BIN / "ao-record", AGENT, "night trains"], env=env, stdout=subprocess.DEVNULL, check=True)
        editor = await connected()
        await editor.begin(ROOT)
        editor.open(AGENT)
        first = (await editor.lenses())[0]["range"]["start"]
        await _costs(daemon, "hover on a call", lambda: editor.hover(first["line"], first["character"]), 2000)
        await _costs(daemon, "inlay hints of the file", editor.hints, 1000)
        await _costs(daemon, "code lenses of the file", editor.lenses, 1000)
        file = daemon.folder / "long.py"
        line = 'client.chat.completions.create(model="m", messages=[])\n'
        file.write_text("import openai\n\nclient = openai.OpenAI()\n" + line * 1000)
        run = Run("long")
        for number in range(1000):
            site = {"file": str(file), "line": number + 4, "end_line": number + 4, "column": 0, "end_column": 54}
            run.call(f"question {number}", f"answer {number} and more", {**site, "function": "<module>"})
        run.end()
        run.wait()
        editor.open(file)
        assert len(await editor.hints()) == 1000
        lines = iter(range(3, 1003))
        await _costs(daemon, "first hover on each of 1,000 calls", lambda: editor.hover(next(lines), 30), 999)
        await _costs(daemon, "1,000 inlay hints", editor.hints, 50)
        await _costs(daemon, "1,000 inlay hints of a buffer that was edited", lambda: _edited(editor), 20)
        await editor.leave()


async def _edited(editor: Editor) -> Any:
    assert editor.shown is not None
    at = {"line": 0, "character": 0}
    change = {"range": {"start": at, "end": at}, "text": "#"}
    document = {"uri": editor.shown[0], "version": 2}
    editor.tell("textDocument/didChange", {"textDocument": document, "contentChanges": [change]})
    return await editor.hints()


async def _costs(daemon: Daemon, name: str, ask: Callable[[], Awaitable[Any]], times: int) -> None:
    assert await ask(), f"{name}: nothing is shown"
    await daemon.turns()
    before = daemon.cpu()
    for _ in range(times):
        await ask()
    cost = (daemon.cpu() - before) / times
    longest = (await daemon.turns())["longest"][0][0]
    row(name, f"{cost * 1000:.2f} ms", f"{longest * 1000:.1f} ms", times)


async def memory() -> None:
    with Daemon() as daemon:
        file = daemon.folder / "agent.py"
        file.write_text("".join(f"def f{number}(x):\n    return x + {number}\n" for number in range(250)))
        first = [await _idle(file) for _ in range(2)]
        for many in (20, 200):
            added = []
            for _ in range(2):
                before = daemon.memory()
                editors = [await _idle(file) for _ in range(many)]
                added.append(f"{(daemon.memory() - before) / many / 1024:.0f} kB")
                for editor in editors:
                    await editor.leave()
                while await _clients() > len(first) + 1:
                    await asyncio.sleep(0.05)
                await asyncio.sleep(2)  # garbage is collected a moment later
            row(f"{many} editors", *added)
        for editor in first:
            await editor.leave()


async def _clients() -> int:
    from ao_lsp import connect
    from ao_lsp.cli.client import Client

    client = Client(await asyncio.to_thread(connect.open_session, "cli"))
    found = len(client.request("daemon.status")["clients"])
    client.close()
    return found


async def _idle(file: Path) -> Editor:
    editor = await connected()
    await editor.begin(file.parent)
    editor.open(file)
    await editor.lenses()
    await editor.hints()
    return editor


async def streaming(many: int = 20) -> None:
    with Daemon() as daemon, ModelServer() as model:
        program = daemon.folder / "program.py"
        program.write_text(STREAMED)
        editors = [await _idle(program) for _ in range(many)]
        await daemon.turns()
        before, began = daemon.cpu(), time.monotonic()
        env = {**os.environ, "OPENAI_BASE_URL": f"{model.url}/v1"}
        process = await asyncio.create_subprocess_exec(BIN / "ao-record", program, env=env)
        assert await process.wait() == 0
        took = time.monotonic() - began
        cost = daemon.cpu() - before
        turns = await daemon.turns()
        name, length = turns["longest"][0][2], turns["longest"][0][0]
        told = [max(map(most_in_a_second, editor.refreshed.values()), default=0) for editor in editors]
        row(
            f"{CALLS} streamed calls, {many} editors", f"{took:.1f} s", f"{cost:.1f} s", f"{turns['spent']:.1f} s",
            f"{length * 1000:.0f} ms (`{name}`)", turns["over"], max(told),
        )  # fmt: skip
        for spent, clock, who in turns["longest"]:
            print(f"    {spent * 1000:.1f} ms of CPU, {clock * 1000:.1f} ms: {who}", file=sys.stderr)
        assert max(told) <= 4
        while "→" not in str(shown := await editors[0].hints()):  # it has been told to refresh, or will be
            assert shown
            print(time.monotonic() - began, shown)
            await asyncio.sleep(0.1)
        for editor in editors:
            await editor.leave()


async def fairness() -> None:
    with Daemon() as daemon:
        file = daemon.folder / "agent.py"
        file.write_text('import openai\n\nclient = openai.OpenAI()\nclient.chat.completions.create(model="m")\n')
        run = Run("many")
        site = {"file": str(file), "line": 4, "end_line": 4, "column": 0, "end_column": 41, "function": "<module>"}
        for number in range(CALLS):
            run.call(f"question {number}", f"answer {number}", site)
        run.end()
        run.wait()
        patient = await _idle(file)
        await patient.hover(3, 0)
        for name, kind in (
            ("nothing", "nothing"), ("10,000 requests at once", "pipelined"), ("a buffer of 30 MB", "opened"),
            (f"20 graphs of {CALLS} calls at once", "graphs"),
        ):  # fmt: skip
            await daemon.turns()
            arguments = (sys.executable, __file__, f"--{kind}", str(file))
            other = await asyncio.create_subprocess_exec(*arguments, stdout=asyncio.subprocess.PIPE)
            assert other.stdout is not None
            await other.stdout.readline()  # it is about to begin
            ended, times = asyncio.create_task(other.wait()), list[float]()
            while not ended.done() or len(times) < 50:
                began = time.monotonic()
                await patient.hover(3, 0)
                times.append(time.monotonic() - began)
                await asyncio.sleep(0.002)
            turns = await daemon.turns()
            spent, _, whose = turns["longest"][0]
            row(
                name, f"{statistics.median(times) * 1000:.1f} ms",
                f"{sorted(times)[int(len(times) * 0.99)] * 1000:.0f} ms", f"{max(times) * 1000:.0f} ms",
                f"{spent * 1000:.0f} ms (`{whose}`)", f"{turns['collecting'] * 1000:.0f} ms", len(times),
            )  # fmt: skip
        await patient.leave()


async def busy(kind: str, file: Path) -> None:
    """Another client, that wants much at once."""
    editor = await _idle(file)
    text = "x = 'some text that is long'\n" * (1 << 20)
    item = {"uri": "file:///large.py", "languageId": "python", "version": 1, "text": text}
    print("begins", flush=True)
    if kind == "pipelined":
        await asyncio.gather(*(editor.hints() for _ in range(10_000)))
    elif kind == "opened":
        editor.tell("textDocument/didOpen", {"textDocument": item})
        await editor.ask("textDocument/codeLens", {"textDocument": {"uri": item["uri"]}})
    elif kind == "graphs":
        await asyncio.gather(*(editor.ask("ao/graph", {"run": "many"}) for _ in range(20)))
    await editor.leave()


PARTS = {"asked": asked, "memory": memory, "streaming": streaming, "fairness": fairness}


def main() -> None:
    if sys.argv[1:2] and sys.argv[1].startswith("--"):
        asyncio.run(busy(sys.argv[1][2:], Path(sys.argv[2])))
        return
    for name in sys.argv[1:] or PARTS:
        print(f"{name}:", flush=True)
        asyncio.run(PARTS[name]())


if __name__ == "__main__":
    main()
