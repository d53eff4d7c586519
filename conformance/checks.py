"""A program, run under python and under `ao-record`, edited and rerun: what is seen of it from outside."""

from __future__ import annotations

import re
import sqlite3
import subprocess
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

from model_server import ModelServer

from ao_lsp import paths
from conformance.program import Program
from tests.daemons import LONG_S, ask
from tests.runner.recorded import AO, Graph, Programs, graph

EDIT = "Wombats of Tasmania sleep until noon."
"""The text that takes the place of an output: no program asks about it."""

Ended = tuple[str, str, int]
"""Standard output, standard error, exit code."""


class Checked:
    """Runs one program; each `check_…` raises AssertionError where it does not hold."""

    def __init__(self, program: Program, python: Path, programs: Programs, server: ModelServer) -> None:
        self.program = program
        self._python = str(python)
        self._programs = programs
        self._server = server
        self.file = programs.write(program.source)
        done = subprocess.run(
            [self._python, self.file.name], cwd=programs.folder, capture_output=True, timeout=20 * LONG_S
        )
        self._plain = _ended(done.stdout, done.stderr, done.returncode)
        assert self._plain[2] == 0, self._plain[1]
        self._recorded, self._requests = self._record()
        self._graph = graph()

    def _record(self, *options: str) -> tuple[Ended, list[dict[str, Any]]]:
        before = len(self._server.requests)
        process = self._programs.start(
            "--python", self._python, *self.program.says("options"), *options, self.file.name
        )
        out, err = process.communicate(timeout=20 * LONG_S)
        return _ended(out, err, process.returncode), self._server.requests[before:]

    def _rerun(self) -> tuple[Ended, list[dict[str, Any]], Graph]:
        """Rerun the recording, with its edits."""
        before = len(self._server.requests)
        done = subprocess.run(
            [AO, "rerun", self._graph["run"]["id"]],
            cwd=self._programs.folder,
            capture_output=True,
            timeout=20 * LONG_S,
        )
        # What `ao` itself says at the end.
        err = re.sub(rb"^ao: \d+ of \d+ calls live\b.*\n", b"", done.stderr, flags=re.MULTILINE)
        return _ended(done.stdout, err, done.returncode), self._server.requests[before:], graph()

    def _names(self, found: Graph) -> dict[str, str]:
        """The calls' names, by their ids."""
        waiting = self.program.names()
        files = {str(self.file), None} if waiting[None] else {str(self.file)}
        assert {node["file"] for node in found["nodes"]} <= files, "a call stands in another file"
        named = {}
        for node in found["nodes"]:
            assert waiting.get(node["line"]), f"a call too many at line {node['line']}: {node['endpoint']}"
            named[node["id"]] = waiting[node["line"]].pop(0)
        missing = [name for names in waiting.values() for name in names]
        assert not missing, f"calls that are missing: {missing}"
        return named

    def transports(self) -> str:
        """The seams that the calls were recorded at."""
        with closing(sqlite3.connect(f"file:{paths.database()}?mode=ro", uri=True)) as database:
            rows = database.execute("SELECT DISTINCT transport FROM calls ORDER BY transport").fetchall()
        return ", ".join(row[0] for row in rows)

    def check_as_python(self) -> None:
        """It prints what it prints under python, and ends alike."""
        assert self._recorded == self._plain

    def check_recorded(self) -> None:
        """Every call that the server saw is there once, at its line."""
        seen = Counter(_endpoint(request["path"]) for request in self._requests if _is_call(request))
        # Tool calls over MCP go to another server.
        calls = [node for node in self._graph["nodes"] if node["kind"] != "mcp"]
        assert Counter(_endpoint(node["endpoint"]) for node in calls) == seen
        self._names(self._graph)

    def check_read(self) -> None:
        """What the calls said is known: model, messages, output, usage, why it ended; or the error."""
        for node in self._graph["nodes"]:
            call = ask("ao.call", call=node["id"])
            request, output = call["request"]["body"], call["output"]
            what = f"call {node['number']} ({node['endpoint']})"
            assert node["model"], f"{what} has no model"
            if node["kind"] == "mcp":
                assert output["text"], f"{what} says nothing"
                continue
            assert any(message["text"] or message["tool_calls"] for message in call["messages"]), f"{what} asks nothing"
            if node["status"] == "error":
                assert call["error"], f"{what} has no error"
                continue
            assert node["status"] == "ok", f"{what} is {node['status']}"
            if node["kind"] == "embedding":
                continue
            assert output["text"] or output["tool_calls"], f"{what} says nothing"
            assert all(made["name"] and made["arguments"] for made in output["tool_calls"]), f"{what} calls nothing"
            assert output["finish_reason"], f"{what} has no finish reason"
            assert output["model"] or "/converse" in node["endpoint"], f"{what} has no model in its response"
            # OpenAI counts in streams only where it is asked to.
            silent = (
                node["streamed"]
                and node["endpoint"].endswith("/completions")
                and not (request.get("stream_options") or {}).get("include_usage")
            )
            if not silent:
                assert None not in (node["input_tokens"], node["output_tokens"]), f"{what} has no usage"

    def check_edges(self) -> None:
        """The tracked edges are those that its data flow has, also with the framework followed."""
        self._check_edges(self._graph, self.program.edges)
        follow = self.program.says("follow")
        if follow:
            ended, _ = self._record(f"--rewrite={':'.join(follow)}")
            assert ended == self._plain, "followed"
            self._check_edges(graph(), self.program.edges | self.program.followed)

    def _check_edges(self, found: Graph, expected: set[tuple[str, str]]) -> None:
        named = self._names(found)
        found_edges: dict[str, set[tuple[str, str]]] = {"tracked": set(), "matched": set()}
        for edge in found["edges"]:
            found_edges[edge["evidence"]].add((named[edge["source"]], named[edge["target"]]))
        tracked, matched = found_edges["tracked"], found_edges["matched"]
        missing, wrong = sorted(expected - tracked), sorted(tracked - expected)
        assert not missing, f"edges that are missing: {missing}; wrong: {wrong}"
        assert not wrong, f"edges that are wrong: {wrong}"
        assert matched == self.program.matched, "edges by text"

    def check_replayed(self) -> None:
        """An unchanged rerun asks nobody anything, and prints the same; streams stay streams."""
        ended, requests, found = self._rerun()
        assert not requests, [request["path"] for request in requests]
        assert ended == self._recorded
        origins = Counter(node["origin"] for node in found["nodes"])
        assert origins == {"replayed": len(self._graph["nodes"])}
        assert [node["streamed"] for node in found["nodes"]] == [node["streamed"] for node in self._graph["nodes"]]

    def check_edited(self) -> None:
        """An edited output reaches the program, and what depends on it goes live, nothing else."""
        named = self._names(self._graph)
        wanted = self.program.says("edit")
        assert wanted, "the program does not say which call to edit"
        for name in wanted:
            (call,) = (node for node in self._graph["nodes"] if named[node["id"]] == name)
            where = {"run": self._graph["run"]["id"], "call": call["id"]}
            ask("ao.edit", content=EDIT, **where)
            try:
                ended, requests, found = self._rerun()
            finally:
                ask("ao.unedit", **where)
            assert ended[2] == 0, ended[1]
            assert EDIT in ended[0], f"the edited output of {name} did not arrive: {ended[0]}"
            again = self._names(found)
            live = {again[node["id"]] for node in found["nodes"] if node["origin"] == "live"}
            assert live == self.program.downstream(name), f"after an edit of {name}"
            assert {again[node["id"]] for node in found["nodes"] if node["origin"] == "edited"} == {name}
            assert sum(map(_is_call, requests)) == sum(
                node["origin"] == "live" and node["kind"] != "mcp" for node in found["nodes"]
            )
            same = [node["streamed"] for node in found["nodes"]]
            assert same == [node["streamed"] for node in self._graph["nodes"]], f"after an edit of {name}"


def _ended(out: bytes, err: bytes, code: int) -> Ended:
    return out.decode(), err.decode(), code


def _endpoint(path: str) -> str:
    return re.sub("%3A", ":", path.partition("?")[0], flags=re.IGNORECASE).rstrip("/")


def _is_call(request: dict[str, Any]) -> bool:
    """Whether a request is one of a model: the server has other paths, too."""
    path = _endpoint(request["path"])
    return request["method"] == "POST" and not path.endswith("/count_tokens")
