"""What the daemon spends on what an editor asks for most: CPU time per hover, and per file's hints and lenses.

    python benchmarks/editor.py [REQUESTS]

Records `examples/research_agent.py` against the model server, opens it over a real `ao-lsp`, asks again and
again, and reads the daemon's CPU time from the kernel: parsing, answering and writing are all in it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
AGENT = ROOT / "examples/research_agent.py"


class Editor:
    """Speaks LSP with an `ao-lsp` process, one request after the other."""

    def __init__(self, env: dict[str, str]) -> None:
        self._process = subprocess.Popen([BIN / "ao-lsp"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env)
        self._last = 0

    def tell(self, method: str, params: Any) -> None:
        self._send({"method": method, "params": params})

    def ask(self, method: str, params: Any) -> Any:
        """The result of a request."""
        self._last += 1
        self._send({"id": self._last, "method": method, "params": params})
        while True:
            message = self._receive()
            if message.get("id") == self._last and "method" not in message:
                if "error" in message:
                    raise SystemExit(f"{method}: {message['error']}")
                return message["result"]

    def leave(self) -> None:
        self.ask("shutdown", None)
        self.tell("exit", None)
        self._process.wait()

    def _send(self, message: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self._process.stdin.flush()

    def _receive(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        length = 0
        while line := self._process.stdout.readline().strip():
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        message: dict[str, Any] = json.loads(self._process.stdout.read(length))
        return message


def cpu_s(pid: int) -> float:
    """User and system time of a process so far, seconds (proc(5))."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main(requests: int) -> None:
    """Measure, and print table rows for docs/performance.md."""
    with tempfile.TemporaryDirectory(prefix="ao-bench-", dir="/tmp") as folder:
        env = {**os.environ, "AO_HOME": folder}
        model = subprocess.Popen(
            [sys.executable, ROOT / "examples/model_server.py", "--port", "0"], stdout=subprocess.PIPE, text=True
        )
        try:
            assert model.stdout is not None
            url = model.stdout.readline().strip()
            subprocess.run(
                [BIN / "ao-record", AGENT, "night trains"],
                env={**env, "OPENAI_BASE_URL": f"{url}/v1", "OPENAI_API_KEY": "k"},
                stdout=subprocess.DEVNULL,
                check=True,
            )
            status = subprocess.run(
                [BIN / "ao-server", "status", "--json"], env=env, check=True, stdout=subprocess.PIPE
            )
            pid = json.loads(status.stdout)["pid"]
            _measured(Editor(env), pid, requests)
        finally:
            model.terminate()
            model.wait()
            subprocess.run([BIN / "ao-server", "stop"], env=env, stdout=subprocess.DEVNULL, check=True)


def _measured(editor: Editor, pid: int, requests: int) -> None:
    hint = {"dynamicRegistration": False}
    editor.ask(
        "initialize",
        {"processId": None, "rootUri": None, "capabilities": {"textDocument": {"inlayHint": hint, "codeLens": hint}}},
    )
    editor.tell("initialized", {})
    uri, text = AGENT.as_uri(), AGENT.read_text()
    document = {"uri": uri}
    editor.tell(
        "textDocument/didOpen", {"textDocument": {**document, "languageId": "python", "version": 1, "text": text}}
    )
    lines = text.splitlines()
    whole = {"start": {"line": 0, "character": 0}, "end": {"line": len(lines), "character": 0}}
    lenses = editor.ask("textDocument/codeLens", {"textDocument": document})
    line = lenses[0]["range"]["start"]["line"]
    at = {"line": line, "character": len(lines[line]) - len(lines[line].lstrip())}
    asked = {
        "hover on a call": ("textDocument/hover", {"textDocument": document, "position": at}),
        "inlay hints of the file": ("textDocument/inlayHint", {"textDocument": document, "range": whole}),
        "code lenses of the file": ("textDocument/codeLens", {"textDocument": document}),
    }
    version = sys.version.split()[0]
    for name, (method, params) in asked.items():
        assert editor.ask(method, params), f"{name}: nothing is shown"
        before = cpu_s(pid)
        for _ in range(requests):
            editor.ask(method, params)
        print(f"| {version} | {name} | {(cpu_s(pid) - before) / requests * 1000:.2f} ms | {requests} |")
    editor.leave()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
