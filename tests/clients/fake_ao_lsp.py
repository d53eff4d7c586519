"""A language server that stands in for ao-lsp in tests of editor clients. Standard library only.

    python fake_ao_lsp.py LOG     LSP on stdio; LOG gets one JSON line a message that it received

It shows a lens and a hint at every line with "create(" in it. Both say which revision of the run
they show. Notifications of a test steer it:

    $/fake/change     makes a new revision: it asks for refreshes and sends `$/ao/graphDidChange`, as
                      ao-lsp does while a program runs
    $/fake/hold       from here on, lenses and hints are looked up when they are asked for, but not sent
    $/fake/release    they are sent now, as they were looked up
    $/fake/progress   its parameters are the value of a `$/progress`
    $/fake/status     its parameters are those of an `$/ao/status`
    $/fake/skip       from here on, the graph begins a call later
    $/fake/die        it ends, with code 3
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from typing import Any, TextIO

Json = dict[str, Any]

CAPABILITIES = {
    "positionEncoding": "utf-16",
    "textDocumentSync": {"openClose": True, "change": 1, "save": True},
    "codeLensProvider": {},
    "inlayHintProvider": {},
    "hoverProvider": True,
    "executeCommandProvider": {"commands": ["ao.graph", "ao.rerun", "ao.plan", "ao.rerunFrom", "ao.record"]},
}


class _Refusal(str):
    """The message of an error, in the place of a result."""


class Server:
    """Answers one client until it says `exit`."""

    def __init__(self, log: TextIO) -> None:
        self._log = log
        self._texts: dict[str, list[str]] = {}
        self._revision = 1
        self._asked = 0
        self._skipped = 0
        self._recorded: dict[str, str | None] = {"second": "first", "first": None}
        self._holding = False
        self._held: list[Json] = []
        self._answers: dict[str, Callable[[Json], Any]] = {
            "initialize": lambda _: {"capabilities": CAPABILITIES, "serverInfo": {"name": "fake"}},
            "textDocument/codeLens": self._lenses,
            "textDocument/inlayHint": self._hints,
            "textDocument/hover": lambda _: {"contents": {"kind": "markdown", "value": "A call of `gpt-5.4`."}},
            "workspace/executeCommand": self._execute,
            "ao/graph": self._graph,
            "ao/locate": self._locate,
            "ao/runs": self._runs,
            "ao/content": lambda params: {**params, "language": "markdown", "text": f"revision {self._revision}\n"},
        }

    def serve(self) -> None:
        """Read messages until the end of input or `exit`."""
        while (message := _read()) is not None:
            self._log.write(json.dumps(message) + "\n")
            self._log.flush()
            method = message.get("method")
            if method == "exit":
                return
            if "id" in message and method is not None:
                self._answer(message["id"], method, message.get("params") or {})
            elif method is not None:
                self._notified(method, message.get("params") or {})

    def _answer(self, name: int, method: str, params: Json) -> None:
        result = self._answers[method](params) if method in self._answers else None
        answer: Json = {"id": name, "result": result}
        if isinstance(result, _Refusal):
            answer = {"id": name, "error": {"code": -32803, "message": str(result)}}
        if self._holding and method in ("textDocument/codeLens", "textDocument/inlayHint"):
            self._held.append(answer)
        else:
            _write(answer)

    def _notified(self, method: str, params: Json) -> None:
        document = params.get("textDocument", {})
        if method == "textDocument/didOpen":
            self._texts[document["uri"]] = document["text"].splitlines()
        elif method == "textDocument/didChange":
            self._texts[document["uri"]] = params["contentChanges"][-1]["text"].splitlines()
        elif method == "$/fake/change":
            self._revision += 1
            self._ask("workspace/inlayHint/refresh")
            self._ask("workspace/codeLens/refresh")
            _write({"method": "$/ao/graphDidChange", "params": {"run": "run1", "revision": self._revision}})
            _write({"method": "$/ao/contentDidChange", "params": {"uri": "ao:///run/run1/log.md"}})
        elif method == "$/fake/progress":
            _write({"method": "$/progress", "params": {"token": "work", "value": params}})
        elif method == "$/fake/status":
            _write({"method": "$/ao/status", "params": params})
        elif method == "$/fake/skip":
            self._skipped += 1
        elif method == "$/fake/die":
            sys.exit(3)
        elif method == "$/fake/hold":
            self._holding = True
        elif method == "$/fake/release":
            self._holding = False
            while self._held:
                _write(self._held.pop(0))

    def _ask(self, method: str) -> None:
        self._asked += 1
        _write({"id": self._asked, "method": method})

    def _calls(self, params: Json) -> list[int]:
        lines = self._texts.get(params["textDocument"]["uri"], [])
        return [number for number, line in enumerate(lines) if "create(" in line]

    def _lenses(self, params: Json) -> list[Json]:
        return [
            {
                "range": {"start": {"line": line, "character": 0}, "end": {"line": line, "character": 1}},
                "command": {"title": f"{title} {self._revision}", "command": command, "arguments": [{"run": "last"}]},
            }
            for line in self._calls(params)
            for title, command in (("rerun", "ao.rerun"), ("graph", "ao.graph"))
        ]

    def _hints(self, params: Json) -> list[Json]:
        # Behind the name that is assigned to, as for `reply = client.create(...)`.
        return [
            {"position": {"line": line, "character": 5}, "label": f"output {self._revision}", "paddingLeft": True}
            for line in self._calls(params)
        ]

    def _graph(self, params: Json) -> Any:
        if params.get("run") == "unknown":
            return _Refusal("no such run: unknown")
        run = "run1" if params.get("run") in (None, "last") else params["run"]
        calls = [("plan", 2), ("search", 4)]
        lines = [f"\x1b[1m{run} (revision {self._revision})\x1b[0m", ""]
        rows = []
        for number, (function, line) in enumerate(calls[self._skipped :], 1 + self._skipped):
            rows.append({"row": len(lines), "node": _node(run, number, function, line)})
            lines.append(f"{number}  \x1b[32m●\x1b[0m  {function}")
        details = {"id": run, "name": "agent.py", "status": "running", "parent_run": None}
        return {"run": run, "text": "\n".join(lines) + "\n", "rows": rows, "details": details, "subruns": []}

    def _runs(self, params: Json) -> Json:
        wanted = re.compile(params.get("name") or "")
        runs = [_run(name, parent) for name, parent in self._recorded.items() if wanted.search(name)]
        return {"runs": runs, "total": len(runs)}

    def _locate(self, params: Json) -> Json:
        (uri, lines) = next(iter(self._texts.items()))
        at = [number for number, line in enumerate(lines, 1) if "create(" in line]
        line = at[int(params["call"].removeprefix("c")) - 1]
        return {"uri": uri, "line": line, "end_line": line, "moved": False, "found": True}

    def _execute(self, params: Json) -> Any:
        given = (params.get("arguments") or [{}])[0]
        if given.get("run") == "unknown":
            return _Refusal("no such run: unknown")
        if params["command"] == "ao.plan":
            return {"estimate": {"summary": "1 of 2 calls live"}}
        if params["command"] == "ao.rerunFrom":
            return {"run": "run2"}
        if params["command"] == "ao.rm":
            for run in given["runs"]:
                del self._recorded[run]
            return {"deleted": given["runs"], "freed_bytes": 0}
        if params["command"] == "ao.export":
            return {"run": given["run"], "format": given["format"], "text": "<html>"}
        if params["command"] == "ao.output":
            return self._output(given)
        if params["command"] == "ao.record":
            return {"command": f"printf 'in %s' {given['file']}; exit", "cwd": "/"}
        return {}

    def _output(self, given: Json) -> Json:
        printed = "one\n\x1b[31mtwo\x1b[0m\r\n10%\r100%\n"
        at = given.get("from", 0)
        end = min(len(printed), at + 4)
        return {"run": given["run"], "text": printed[at:end], "next": end, "ended": end == len(printed)}


def _run(name: str, parent: str | None) -> Json:
    counted = {"calls": 2, "failed_calls": 0, "edits": 0, "input_tokens": 1200, "output_tokens": 9, "cost_usd": 0.5}
    return {
        **counted,
        "id": name,
        "name": name,
        "status": "finished",
        "exit_code": 0,
        "started": "2026-01-02T03:04:05.000Z",
        "duration_s": 75.0,
        "parent_run": parent,
        "subrun_of": None,
    }


def _node(run: str, number: int, function: str, line: int) -> Json:
    return {"id": f"c{number}", "run": run, "number": number, "kind": "llm", "function": function, "line": line}


def _read() -> Json | None:
    """The next message, or None at the end of input."""
    length = 0
    while (line := sys.stdin.buffer.readline()) != b"\r\n":
        if not line:
            return None
        name, _, value = line.decode().partition(":")
        if name.lower() == "content-length":
            length = int(value)
    message: Json = json.loads(sys.stdin.buffer.read(length))
    return message


def _write(message: Json) -> None:
    body = json.dumps({"jsonrpc": "2.0", **message}).encode()
    sys.stdout.buffer.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    with open(sys.argv[1], "a", encoding="utf-8") as log:
        Server(log).serve()
