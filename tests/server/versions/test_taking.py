"""Every run shows the version of its code: real programs under `ao-record`, a real daemon."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest

from ao_lsp import paths
from ao_lsp.server import graph, processes, versions
from ao_lsp.server.core import open_core
from ao_lsp.server.store import Arrival
from ao_lsp.server.store.sqlite import open_store
from tests.daemons import LONG_S, ask, log, start, until
from tests.recorder import Recorder
from tests.server.versions.conftest import Code

T = TypeVar("T")

RECORD = str(Path(sys.executable).with_name("ao-record"))


def record(code: Code, *arguments: str, **env: str) -> dict[str, Any]:
    """Record a program of the project; its run, once it has a version."""
    known = {run["id"] for run in ask("ao.runs", limit=1000)["runs"]}
    subprocess.run([RECORD, *arguments], cwd=code.root, env={**os.environ, **env}, check=True, timeout=60)

    def versioned() -> dict[str, Any] | None:
        found = [run for run in ask("ao.runs", limit=1000)["runs"] if run["id"] not in known]
        return found[0] if found and found[0]["version"] else None

    found: dict[str, Any] = until(versioned, "the run got no version")
    return found


async def soon(ask_for: Callable[[], Awaitable[T]], is_so: Callable[[T], bool]) -> bool:
    """Wait until what `ask_for` gives `is_so`; whether that came in time."""
    deadline = time.monotonic() + LONG_S
    while not is_so(await ask_for()):
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(0.01)
    return True


def git_log() -> str:
    path = Path(paths.log_dir(), "git.log")
    return path.read_text() if path.exists() else ""


def test_a_run_has_the_version_of_its_project_and_says_so_everywhere(code: Code) -> None:
    start()
    code.write("prompts/system.txt", "Be kind.")
    code.write("agent/app.py", "print('hi')")
    run = record(code, "agent/app.py")
    assert run["version_exact"]
    assert run["version_note"] is None
    files = code.files(run["version"])
    assert set(files) == {"agent/app.py", "prompts/system.txt", "pyproject.toml"}
    assert ask("ao.graph")["run"]["version"] == run["version"]
    text = ask("ao.graph", format="text")["text"]
    assert text.splitlines()[0].endswith(f" · code {run['version'][:10]}")
    ao = [sys.executable, "-m", "ao_lsp.cli.ao", "runs"]
    shown = subprocess.run(ao, capture_output=True, text=True, check=True, timeout=60).stdout
    assert shown.splitlines()[1].split()[-1] == run["version"][:10]
    assert f"version {run['version'][:10]} of {code.root} committed: 3 files, 3 of them read" in git_log()
    # The same code, the same version; other code, another one.
    assert record(code, "-m", "agent.app")["version"] == run["version"]
    assert "is the same as the last one" in git_log()
    code.write("prompts/system.txt", "Be brief.")
    assert record(code, "agent/app.py")["version"] != run["version"]


def test_of_a_program_that_writes_its_own_files_it_is_said_that_the_version_is_not_exact(code: Code) -> None:
    start()
    code.write("app.py", "open('out.txt', 'w').write('x')")
    code.write("out.txt", "x")
    os.utime(code.root / "app.py", (1, 1))
    recorder = Recorder().connect()
    recorder.start(cwd=str(code.root), target={"kind": "script", "value": "app.py"}, at=time.time() - 1)
    recorder.end()
    recorder.wait()
    recorder.close()
    run = until(lambda: ask("ao.graph")["run"]["version"] and ask("ao.graph")["run"], "no version")
    assert run["version_exact"] is False
    assert "out.txt" in run["version_note"]
    assert ask("ao.graph", format="text")["text"].splitlines()[0].endswith(f"code {run['version'][:10]}~")


def test_a_run_that_was_spooled_gets_its_version_when_a_daemon_takes_it_in(code: Code) -> None:
    code.write("app.py", "print('hi')")
    subprocess.run([RECORD, "app.py"], cwd=code.root, env={**os.environ, "AO_NO_DAEMON": "1"}, check=True, timeout=60)
    code.write("app.py", "print('later')")
    start()
    run = until(lambda: ask("ao.runs")["runs"] and ask("ao.runs")["runs"][0]["version"], "no version")
    assert code.files(run)["app.py"] == b"print('later')"
    assert ask("ao.graph")["run"]["version_note"] == "written after the run began: app.py"


async def test_a_run_that_the_last_daemon_had_no_time_for_gets_its_version_from_the_next(code: Code) -> None:
    code.write("app.py", "x = 1")
    store = await open_store(paths.database())
    target = {"kind": "script", "value": "app.py"}
    event = {"type": "run.start", "at": time.time(), "argv": ["app.py"], "target": target, "cwd": str(code.root)}
    await store.record([Arrival("run1", "s1", 1, processes.process(os.getpid()), graph.read(event, {}, "run1"))])
    await store.close()
    core = await open_core()
    assert await soon(lambda: core.store.run("run1"), lambda run: run is not None and run.version is not None)
    await core.close()


async def test_the_run_of_another_daemon_that_shares_the_database_is_left_to_that(code: Code) -> None:
    code.write("app.py", "x = 1")
    core = await open_core()
    target = {"kind": "script", "value": "app.py"}
    event = {"type": "run.start", "at": time.time(), "argv": ["app.py"], "target": target, "cwd": str(code.root)}
    for run in ("theirs", "ours"):
        arrival = Arrival(run, "s1", 1, None, graph.read(event, {}, run))
        recorded = await core.store.record([arrival])
        core.changes.publish(recorded.changes)
        if run == "ours":
            core.ingest.own.publish(recorded.changes)
    # Whatever has begun when a daemon leaves gets its version first.
    await core.close()
    core = await open_core()
    found = {run: await core.store.run(run) for run in ("theirs", "ours")}
    await core.close()
    assert {run: each is not None and each.version is not None for run, each in found.items()} == {
        "theirs": False,
        "ours": True,
    }


def test_a_subrun_shows_the_version_of_its_program(code: Code) -> None:
    start()
    code.write("app.py", "import ao_lsp\nwith ao_lsp.launch('sample'):\n    pass\n")
    run = record(code, "app.py")
    by_name = {each["name"]: each["version"] for each in ask("ao.runs")["runs"]}
    assert by_name == {"app.py": run["version"], "sample": run["version"]}


def test_who_wants_no_versions_has_none(code: Code) -> None:
    start()
    code.write("app.py", "x = 1")
    env = {**os.environ, "AO_VERSIONS": "0"}
    subprocess.run([RECORD, "app.py"], cwd=code.root, env=env, check=True, timeout=60)
    code.write("app.py", "x = 2")
    run = record(code, "app.py")
    assert [each["version"] for each in ask("ao.runs")["runs"]] == [run["version"], None]
    assert code.commits() == 1


def test_a_project_that_wants_no_versions_has_none(code: Code) -> None:
    start()
    code.write("app.py", "x = 1")
    code.write("pyproject.toml", "[tool.ao]\nversions = false\n")
    subprocess.run([RECORD, "app.py"], cwd=code.root, check=True, timeout=60)
    # A program's own environment comes first; what is no value does not count.
    run = record(code, "app.py", AO_VERSIONS="1")
    subprocess.run([RECORD, "app.py"], cwd=code.root, env={**os.environ, "AO_VERSIONS": "so"}, check=True, timeout=60)
    code.write("pyproject.toml", "")
    last = record(code, "app.py")
    assert [each["version"] for each in ask("ao.runs")["runs"]] == [last["version"], None, run["version"], None]


def test_where_versions_cannot_be_kept_the_run_is_recorded_without_one_and_the_log_says_why(code: Code) -> None:
    cache = Path(paths.cache_dir())
    cache.mkdir()
    Path(paths.git_dir()).write_text("in the way")
    start()
    code.write("app.py", "x = 1")
    subprocess.run([RECORD, "app.py"], cwd=code.root, check=True, timeout=60)
    until(lambda: "has no version: " in git_log(), "the log says nothing")
    (run,) = ask("ao.runs")["runs"]
    assert (run["status"], run["version"], run["version_exact"]) == ("finished", None, None)
    assert "Traceback" not in git_log() + log()


def test_clear_drops_the_versions_too(code: Code) -> None:
    start()
    code.write("app.py", "x = 1")
    version = record(code, "app.py")["version"]
    until(lambda: ask("ao.runs")["runs"][0]["status"] == "finished", "it runs on")
    assert ask("daemon.clear")["freed_bytes"] > 0
    assert code.commits() == 0
    assert not list(Path(paths.git_dir()).glob("objects/??/*"))
    assert record(code, "app.py")["version"] == version


async def test_old_versions_are_looked_for_once_a_day_while_nothing_runs(
    code: Code, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def said() -> str:
        return caplog.text

    caplog.set_level("INFO")
    monkeypatch.setenv("AO_VERSIONS_KEEP_DAYS", "0")
    monkeypatch.setattr(versions, "_TIDY_AFTER_S", 0.0)
    code.take()
    core = await open_core()
    assert await soon(said, lambda text: "forgot 1 versions, 0 stay" in text)
    await core.close()
    assert code.commits() == 0
    assert not versions._is_due()
