"""What files hold, carried from one run to the next."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ao_lsp.taint import remembered, streams

Run = Callable[..., dict[str, Any]]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    forget()
    yield tmp_path
    forget()


def forget() -> None:
    streams._files.clear()
    remembered._pieces.clear()


def next_run() -> None:
    """As if the program ended here, and another run of its session began."""
    saved = json.loads(json.dumps(streams.dump()))
    forget()
    remembered.restore(saved)


WRITE = """
with open("f", "w") as f:
    f.write("constant\\n")
    f.write(tag("a", "reply") + "\\n")
"""
READ = """
with open("f") as f:
    lines = f.readlines()
x = "".join(origins(line) or "." for line in lines)
"""


def test_a_later_run_knows_which_part_of_a_file_came_from_which_call(run: Run) -> None:
    run(WRITE)
    next_run()
    assert run(READ)["x"] == ".a"


def test_a_run_that_does_not_touch_a_file_hands_on_what_it_knows_of_it(run: Run) -> None:
    run(WRITE)
    next_run()
    next_run()
    assert run(READ)["x"] == ".a"


def test_what_is_no_longer_in_the_file_is_forgotten(run: Run, folder: Path) -> None:
    run(WRITE)
    next_run()
    (folder / "f").write_text("constant\nother\n")
    assert run(READ)["x"] == ".."
    next_run()
    assert streams.dump() == []


def test_a_file_that_a_later_run_writes_anew_has_the_later_calls(run: Run) -> None:
    run(WRITE)
    next_run()
    run(WRITE.replace('"a"', '"b"'))
    assert run(READ)["x"] == ".b"


def test_what_makes_no_sense_is_refused() -> None:
    for saved in ([1], [[1, 2]], [[1, 2, [[0, 1]]]], [["x", 2, []]]):
        with pytest.raises((TypeError, ValueError)):
            remembered.restore(saved)
