"""The benchmarks in small: what they measure has to be right, how long it takes is not looked at here."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"

pytestmark = pytest.mark.skipif(sys.version_info < (3, 11), reason="on Python 3.10 nothing is rewritten")


def rows(script: str, *arguments: str) -> list[list[str]]:
    """The table that a benchmark prints."""
    argv = [sys.executable, str(BENCHMARKS / script), *arguments]
    done = subprocess.run(argv, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in done.stdout.splitlines()]


def test_every_workload_gives_the_same_rewritten_and_knows_where_its_result_came_from() -> None:
    measured = {row[1] for row in rows("taint.py", "--quick")}
    assert measured >= {file.stem for file in BENCHMARKS.glob("workloads/*.py")}


def test_loops_that_draw_by_chance_are_timed_in_three_states() -> None:
    measured = rows("chance.py", "--rounds=1", "--calls=1000")
    assert [row[1] for row in measured] == ["`random.random()`", "`time.time()`", "`uuid.uuid4()`"]
    assert all(len(row) == 5 for row in measured)


def test_clients_of_each_kind_are_weighed_on_a_daemon_of_the_benchmark_s_own() -> None:
    measured = dict(rows_of_two("daemon.py", "--clients=3", "--starters=3", "--starts=1"))
    assert [name for name in measured if name.startswith("each idle")] == [
        f"each idle {kind}" for kind in ("command line", "editor", "program", "subscriber")
    ]
    assert measured["3 at once, all served"].endswith(" s")


def rows_of_two(script: str, *arguments: str) -> list[tuple[str, str]]:
    return [(name, value) for name, value in rows(script, *arguments)]


def test_saves_are_timed_alone_and_amid_many_files() -> None:
    measured = rows("watch.py", "--saves=2", "--files=60")
    assert [row[1] for row in measured] == ["a save, of 2", "a save amid 60 files"]
    assert all(row[2].endswith(" ms") for row in measured)


def test_tainted_strings_that_are_gone_leave_nothing_and_live_ones_cost_200_bytes_at_most() -> None:
    gone, live = rows("memory.py", "--strings=30000", "--megabytes=1")
    assert gone[2] == "0 entries left"
    assert int(live[3].removesuffix(" bytes each")) <= 200


def test_the_store_is_measured_with_what_was_recorded_and_found() -> None:
    measured = rows("store.py", "--runs=3", "--calls=4", "--rounds=2")
    assert [row[0] for row in measured] == ["SQLite"] * 14
    assert all(row[2].endswith(" ms") for row in measured)


def test_the_texts_of_long_runs_are_made_and_timed() -> None:
    measured = rows("texts.py", "12")
    assert [row[0] for row in measured] == ["graph", "diff of two runs", "a call, whole", "its prompt"]
    assert int(measured[1][2]) > int(measured[3][2]) > 0
