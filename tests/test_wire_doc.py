"""docs/wire.md says what travels: held to what a real `ao-record` spools and a real daemon plans."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from model_server import ModelServer

from ao_lsp import connect, paths, protocol
from ao_lsp.server import graph, model
from ao_lsp.server.plan import Action
from tests.daemons import ask, own_home

PAGE = (Path(__file__).parents[1] / "docs" / "wire.md").read_text(encoding="utf-8")
RECORD = str(Path(sys.executable).with_name("ao-record"))

# One call, a child process that makes another one, and a note for the lack of a daemon's own.
PROGRAM = """
import openai, os
ask = lambda: openai.OpenAI().chat.completions.create(model="m", messages=[{"role": "user", "content": "x"}])
ask()
if os.fork() == 0:
    ask()
    os._exit(0)
os.wait()
"""


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The test's own AO_HOME; daemons under it end with the test."""
    with own_home(monkeypatch) as path:
        yield path


def rows(section: str) -> dict[str, str]:
    """The rows of the table in a section, by what stands in their first cell."""
    found = re.search(rf"^## {re.escape(section)}.*?(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert found is not None
    return {line.split("`")[1]: line for line in found[0].splitlines() if line.startswith("| `")}


def frames(data: bytes) -> list[tuple[dict[str, Any], dict[str, bytes]]]:
    cut = protocol.Frames()
    cut.feed(data)
    found = []
    for head, payload in cut:
        header = protocol.loads(head)
        found.append((header, protocol.parts_of(header, payload)))
    assert len(cut) == 0
    return found


def spooled(folder: Path, server: ModelServer) -> list[tuple[dict[str, Any], dict[str, bytes]]]:
    """The events of the program above, recorded where there is no daemon."""
    program = folder / "program.py"
    program.write_text(PROGRAM)
    env = {**os.environ, **server.env, "AO_NO_DAEMON": "1"}
    subprocess.run([RECORD, program], env=env, check=True, timeout=60)
    events = []
    for file in Path(paths.spool_dir()).iterdir():
        line, _, rest = file.read_bytes().partition(b"\n")
        assert protocol.loads(line)["role"] == "record"
        events += frames(rest)
    return events


def test_the_page_has_the_event_types_that_exist_and_no_others() -> None:
    assert list(rows("Events (role `record`")) == list(graph._READERS)


def test_every_field_of_a_real_event_is_on_the_page(home: str, tmp_path: Path, model_server: ModelServer) -> None:
    assert home
    described = rows("Events (role `record`")
    seen = set()
    for event, parts in spooled(tmp_path, model_server):
        seen.add(event["type"])
        row = described[event["type"]]
        for field in {*event, *parts} - {"type", "seq", "at", "parts"}:
            assert re.search(rf"\b{field}\b", row), f"{event['type']} has {field}, the page does not"
        for site in [event.get("site"), *event.get("stack", ())]:
            assert all(f'"{name}"' in PAGE for name in site or ())
    assert seen == {"run.start", "process.start", "draws", "values", "call.start", "call.end", "run.end"}


def test_every_field_of_a_preamble_and_of_its_answer_is_on_the_page(home: str) -> None:
    assert home
    described = PAGE[PAGE.index("## Preamble") : PAGE.index("## Frames")]
    said = protocol.loads(connect.preamble("cli", **connect.environment()))
    sock, reply = connect.open_session("cli")
    sock.close()
    for field in {*said, *reply}:
        assert re.search(rf'[`"]{field}[`"]', described), field


def test_every_field_of_a_real_plan_is_on_the_page(home: str, tmp_path: Path, model_server: ModelServer) -> None:
    assert home
    spooled(tmp_path, model_server)
    ask("ao.edit", run="last", call=1, content="edited")
    plan = ask("ao.plan", run="last")["plan"]
    described = PAGE[PAGE.index("## Replay plans") : PAGE.index("## Requests")]
    (head, _), *entries = frames(Path(plan).read_bytes())
    assert len(entries) == 2
    for field in {*head, *(name for entry, parts in entries for name in {*entry, *parts})} - {"parts"}:
        assert re.search(rf'[`"]{field}[`"]', described), field


def test_every_action_of_a_plan_is_on_the_page() -> None:
    row = rows("Replay plans")["action"]
    for action in Action.__args__:  # type: ignore[attr-defined]  # a Literal
        assert f"`{action}`" in row


def test_every_kind_of_change_is_on_the_page() -> None:
    described = PAGE[PAGE.index("### Changes") : PAGE.index("## Vital signs")]
    kinds = set(re.findall(r"\b(?:run|subrun|call|edges|edit)\.[a-z]+", model.Change.__doc__ or ""))
    assert {"run.started", "call.ended", "edit.removed"} <= kinds
    assert kinds == set(re.findall(r"`((?:run|subrun|call|edges|edit)\.[a-z]+)`", described))
