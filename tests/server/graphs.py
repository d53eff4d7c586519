"""Graphs made by hand, for the tests of pure functions."""

from __future__ import annotations

from typing import Any

from ao_lsp.server.model import Call, Edge, Edit, EditField, Graph, Run, Site
from tests.recorder import CHAT


def call(number: int, function: str = "work", line: int = 10, **fields: Any) -> Call:
    """Call `c<number>`, answered by a model, made live."""
    made: dict[str, Any] = {
        "run": "run1",
        "id": f"c{number}",
        "number": number,
        "kind": "llm",
        "transport": "httpx",
        "method": "POST",
        "url": f"https://api.openai.com{CHAT}",
        "endpoint": CHAT,
        "request_hash": f"h{number}",
        "site": Site("/project/agent.py", line, function),
        "stack": (),
        "lineage": "MainThread/",
        "thread": "MainThread",
        "task": None,
        "origin": "live",
        "source_call": None,
        "input_edited": False,
        "started": 1000.0 + number,
        "provider": "openai",
        "model": "gpt-5",
        "status": "ok",
        "http_status": 200,
        "response_hash": f"r{number}".encode(),
        "duration": 0.5,
        "complete": True,
        "input_tokens": 100,
        "output_tokens": 20,
    }
    return Call(**{**made, **fields})


def graph(calls: list[Call], *edges: tuple[int, int] | tuple[int, int, str], **fields: Any) -> Graph:
    """A finished run with these calls, and edges by their numbers."""
    made: dict[str, Any] = {
        "id": "run1",
        "session": "session1",
        "name": "agent.py",
        "argv": ("agent.py",),
        "target": ("script", "agent.py"),
        "options": (),
        "cwd": "/project",
        "python": "/usr/bin/python3",
        "python_version": "3.11.7",
        "env": (),
        "pid": 1,
        "parent_run": None,
        "fork_call": None,
        "started": 1000.0,
        "ended": 1010.0,
        "status": "finished",
        "exit_code": 0,
    }
    ids = {each.number: each.id for each in calls}
    linked = tuple(
        Edge(ids[edge[0]], ids[edge[1]], "matched" if edge[2:] == ("matched",) else "tracked") for edge in edges
    )
    return Graph(Run(**{**made, **fields}), tuple(calls), linked)


def edit(number: int, field: EditField = "output") -> Edit:
    return Edit("run1", f"c{number}", field, 1.0, "new", b"new")
