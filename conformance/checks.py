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
from conformance.reading import Answers, compare, endpoint
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

    def _rerun(self, *options: str) -> tuple[Ended, list[dict[str, Any]], Graph]:
        """Rerun the recording, with its edits."""
        before = len(self._server.requests)
        done = subprocess.run(
            [AO, "rerun", self._graph["run"]["id"], *options],
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
        return ", ".join(sorted(set(self._column("transport").values())))

    def _column(self, name: str) -> dict[str, str]:
        """What no command tells of the calls of all runs, by their ids."""
        with closing(sqlite3.connect(f"file:{paths.database()}?mode=ro", uri=True)) as database:
            return dict(database.execute(f"SELECT id, {name} FROM calls"))

    def check_as_python(self) -> None:
        """It prints what it prints under python, and ends alike."""
        assert self._recorded == self._plain

    def check_recorded(self) -> None:
        """Every call that the server saw is there once, at its line."""
        seen = Counter(endpoint(request["path"]) for request in self._requests if _is_call(request))
        # Tool calls over MCP go to another server.
        calls = [node for node in self._graph["nodes"] if node["kind"] != "mcp"]
        assert Counter(endpoint(node["endpoint"]) for node in calls) == seen
        self._check_kinds()

    def _check_kinds(self) -> None:
        """It has what a program of the matrix has to have, see `program.py`."""
        nodes, named = self._graph["nodes"], self._names(self._graph)
        made = {named[node["id"]]: node for node in nodes}
        has = {
            "streamed": any(node["streamed"] for node in nodes),
            "failing": any(node["status"] == "error" for node in nodes if node["kind"] != "mcp"),
            "concurrent": bool(self.program.says("concurrent")),
        }
        missing = {kind for kind, found in has.items() if not found}
        assert missing == set(self.program.cannot), f"no such call, or there is one by now: {missing}"
        # The gateway does not see who asks: its calls stand in no file.
        beside = [made[name]["id"] for name in self.program.says("concurrent") if made[name]["file"]]
        strands = self._column("lineage")
        assert len({strands[call] for call in beside}) == len(beside), "calls that are not made side by side"
        asked = [ask("ao.call", call=made[name]["id"])["messages"] for name in self.program.says("equal")]
        assert len(asked) == 3, "no three equal calls"
        assert asked[0] == asked[1] == asked[2], "calls that are not equal"

    def check_read(self) -> None:
        """What is known of the calls is what the server said, and of errors, the message."""
        answers = Answers([request for request in self._requests if _is_call(request)])
        for node in self._graph["nodes"]:
            call = ask("ao.call", call=node["id"])
            if node["kind"] != "mcp":
                compare(node, call, answers.take(node["endpoint"], call["request"]["body"]))
            elif node["status"] == "ok":
                # Another server's word: the program prints it.
                assert call["output"]["text"] in self._plain[0], f"{node['endpoint']} says {call['output']['text']}"
            else:
                assert call["error"], f"{node['endpoint']} has no error"

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
        for options in ((), ("--strict",)):
            ended, requests, found = self._rerun(*options)
            assert not requests, [request["path"] for request in requests]
            assert ended == self._recorded, f"rerun {options}"
            assert [node["origin"] for node in found["nodes"]] == ["replayed"] * len(self._graph["nodes"])
            # Calls side by side begin in any order.
            assert _seen(found) == _seen(self._graph), f"rerun {options}"

    def check_edited(self) -> None:
        """An edited output reaches the program, and what depends on it goes live, nothing else."""
        named = self._names(self._graph)
        wanted = self.program.says("edit")
        assert wanted, "the program does not say which call to edit"
        equal = set(self.program.says("equal"))
        for name in wanted:
            # The first time, beside it, one of three equal calls.
            edited = [name, *(self.program.says("equal")[1:2] if name == wanted[0] else ())]
            ended, requests, found = self._rerun_edited(edited, named)
            assert ended[2] == 0, ended[1]
            assert EDIT in ended[0], f"the edited output of {name} did not arrive: {ended[0]}"
            again = self._names(found)
            live = {again[node["id"]] for node in found["nodes"] if node["origin"] == "live"}
            assert live == self.program.downstream(name), f"after an edit of {name}"
            changed = [again[node["id"]] for node in found["nodes"] if node["origin"] == "edited"]
            assert len(changed) == len(edited), f"edited: {changed}, not {edited}"
            # Equal calls side by side begin in any order.
            assert set(changed) - equal == {name} - equal, f"edited: {changed}, not {edited}"
            assert sum(map(_is_call, requests)) == sum(
                node["origin"] == "live" and node["kind"] != "mcp" for node in found["nodes"]
            )
            same = [node["streamed"] for node in found["nodes"]]
            assert same == [node["streamed"] for node in self._graph["nodes"]], f"after an edit of {name}"
            if len(edited) > 1:
                self._check_one_of_equal(ended[0])

    def _rerun_edited(self, names: list[str], named: dict[str, str]) -> tuple[Ended, list[dict[str, Any]], Graph]:
        """Rerun the recording with an edit of the output of each of these calls; take the edits back."""
        calls = [call for call, name in named.items() if name in names]
        for call in calls:
            ask("ao.edit", content=EDIT, run=self._graph["run"]["id"], call=call)
        try:
            return self._rerun()
        finally:
            for call in calls:
                ask("ao.unedit", run=self._graph["run"]["id"], call=call)

    def _check_one_of_equal(self, out: str) -> None:
        """Of three equal calls one was edited: the program has received the edit once, and the others twice."""
        before, after = (
            Counter(line for line in text.splitlines() if line.startswith("same ")) for text in (self._recorded[0], out)
        )
        (line,) = before
        assert before == {line: 3}, before
        assert after == {line: 2, f"same {EDIT}": 1}, after


def _seen(found: Graph) -> Counter[tuple[Any, ...]]:
    """What there is of calls, in no order: where they stand, how they came and ended, and of errors, the message."""
    calls = [(node, ask("ao.call", run=node["run"], call=node["id"])["error"]) for node in found["nodes"]]
    names = ("line", "endpoint", "kind", "model", "streamed", "status", "output_tokens")
    return Counter((*(node[name] for name in names), error and error["message"]) for node, error in calls)


def _ended(out: bytes, err: bytes, code: int) -> Ended:
    return out.decode(), err.decode(), code


def _is_call(request: dict[str, Any]) -> bool:
    """Whether a request is one of a model: the server has other paths, too."""
    path = endpoint(request["path"])
    return request["method"] == "POST" and not path.endswith("/count_tokens")
