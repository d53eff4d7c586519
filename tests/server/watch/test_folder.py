"""A watched folder in this process: what it hands on, by events and without."""

from __future__ import annotations

import asyncio
import ctypes
import errno
import os
import sys
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from ao_lsp.server.watch import folder as folders
from ao_lsp.server.watch import inotify, polling, threads
from ao_lsp.server.watch.compiling import Wanted
from ao_lsp.server.watch.folder import Folder
from ao_lsp.server.watch.folders import _file_events
from ao_lsp.server.watch.inotify import Events, Inotify, Listener
from ao_lsp.server.watch.looking import Eyes, Look
from ao_lsp.server.watch.observer import Observed
from ao_lsp.server.watch.polling import Pace
from tests.server.watch.compiled import soon

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="inotify is Linux's")


class Handed:
    """What a folder has handed on."""

    def __init__(self) -> None:
        self.files: dict[str, Wanted] = {}
        self.batches: list[tuple[list[str], bool]] = []
        self.gone: list[str] = []

    def __call__(self, folder: Folder, files: Sequence[Wanted], saved: bool) -> None:
        names = [os.path.relpath(file.path, folder.root) for file in files]
        self.batches.append((names, saved))
        self.files.update(zip(names, files, strict=True))
        self.gone += [name for name, file in zip(names, files, strict=True) if file.state is None]

    async def has(self, name: str, size: int | None) -> None:
        """Wait until a file was handed on last with so many bytes (None: as gone)."""

        def holds() -> bool:
            file = self.files.get(name)
            return file is not None and (file.state[1] if file.state is not None else None) == size

        await soon(holds, f"{name} was not handed on with {size} bytes: {self.files}")


@asynccontextmanager
async def watched(root: Path, events: Events | None, *names: str) -> AsyncIterator[tuple[Folder, Handed]]:
    handed = Handed()
    folder = Folder(str(root), names, events, handed)
    folder.begin()
    try:
        await soon(lambda: handed.batches, "the first look")
        yield folder, handed
    finally:
        await folder.close()
        if events is not None:
            events.close()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(polling, "SHORTEST_S", 0.05)
    for name in ("a.py", "b.py"):
        (tmp_path / name).write_text("x\n")
        os.utime(tmp_path / name, (1000, 1000 + (name == "b.py")))
    (tmp_path / "readme.txt").write_text("x\n")
    return tmp_path


@pytest.mark.parametrize("events", [Inotify, Observed, None], ids=["inotify", "watchdog's observer", "polling"])
async def test_new_changed_and_deleted_files_are_handed_on(events: Callable[[], Events] | None, project: Path) -> None:
    async with watched(project, events() if events is not None else None) as (folder, handed):
        assert handed.batches == [(["b.py", "a.py"], False)], "the last written first"
        assert folder.polls == (events is None)
        (project / "a.py").write_text("x = 1\n")
        await handed.has("a.py", 6)
        (project / "package").mkdir()
        (project / "package/c.py").write_text("x = 12\n")
        await handed.has("package/c.py", 7)
        (project / "package/c.py").rename(project / "d.py")
        await handed.has("d.py", 7)
        await handed.has("package/c.py", None)
        (project / "b.py").unlink()
        await handed.has("b.py", None)
        assert all(saved for _, saved in handed.batches[1:])


async def test_what_an_editor_says_that_it_saved_does_not_wait_for_the_next_look(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Pace, "pause", lambda *_: 9999.0)
    async with watched(project, None) as (folder, handed):
        (project / "a.py").write_text("x = 1\n")
        folder.touched(str(project / "a.py"))
        await handed.has("a.py", 6)


class Scarce(Inotify):
    """With few watches, as where `max_user_watches` is small."""

    def watch(self, listener: Listener, folder: str) -> None:
        if len(self) >= 2:
            raise OSError(errno.ENOSPC, "no more folders can be watched")
        super().watch(listener, folder)


async def test_where_no_more_can_be_watched_it_is_polled_and_said(
    project: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "ao_lsp.server.watch")
    for name in ("one", "two", "three"):
        (project / name).mkdir()
        (project / name / "module.py").write_text("x\n")
    events = Scarce()
    async with watched(project, events) as (folder, handed):
        assert folder.polls
        assert len(events) == 0, "what is polled takes no watches from others"
        assert caplog.text.count("no more folders can be watched") == 1
        (project / "three/module.py").write_text("x = 1\n")
        await handed.has("three/module.py", 6)


async def test_where_there_are_no_more_instances_everything_is_polled_and_said(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def none_left() -> int:
        ctypes.set_errno(errno.EMFILE)
        return -1

    monkeypatch.setattr(inotify, "inotify_init", none_left)
    assert _file_events() is None
    assert "everything is polled: no more inotify instances (fs.inotify.max_user_instances)" in caplog.text


async def test_lost_events_are_made_up_for(project: Path, caplog: pytest.LogCaptureFixture) -> None:
    most = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    if most > 50_000:
        pytest.skip(f"{most} events fit into the queue of this kernel")
    async with watched(project, Inotify()) as (_, handed):
        # The loop stands still meanwhile.
        for number in range(most // 2 + 100):
            path = project / ("a.txt" if number else "b.txt")
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT))
            os.close(os.open(project / "b.txt", os.O_WRONLY))
        (project / "a.py").write_text("x = 1\n")
        await handed.has("a.py", 6)
        assert "events were lost" in caplog.text


async def test_a_link_has_the_names_of_its_file_and_the_root_its_own(project: Path, tmp_path: Path) -> None:
    (project / "link.py").symlink_to("a.py")
    async with watched(project, Inotify(), "/other") as (_, handed):
        (project / "a.py").write_text("x = 1\n")
        await handed.has("a.py", 6)
        assert set(handed.files["a.py"].names) == {str(tmp_path / "link.py"), "/other/a.py", "/other/link.py"}


async def test_a_moved_folder_is_watched_by_its_new_path_only(project: Path) -> None:
    (project / "package/inner").mkdir(parents=True)
    (project / "package/inner/c.py").write_text("x\n")
    events = Inotify()
    async with watched(project, events) as (_, handed):
        (project / "package").rename(project / "parcel")
        await handed.has("parcel/inner/c.py", 2)
        await handed.has("package/inner/c.py", None)
        before = len(handed.batches)
        (project / "parcel/inner/c.py").write_text("x = 1\n")
        await handed.has("parcel/inner/c.py", 6)
        (project / "a.py").write_text("x = 1\n")
        await handed.has("a.py", 6)
        assert all("package/inner/c.py" not in names for names, _ in handed.batches[before:])
        assert len(events) == 3


async def test_a_folder_around_the_root_that_is_moved_is_noticed(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "_CHECK_S", 0.05)
    root = project / "around/root"
    root.mkdir(parents=True)
    (root / "c.py").write_text("x\n")
    async with watched(root, Inotify()) as (_, handed):
        (project / "around").rename(project / "elsewhere")
        root.mkdir(parents=True)
        (root / "d.py").write_text("x\n")
        await handed.has("d.py", 2)
        (root / "d.py").write_text("x = 1\n")
        await handed.has("d.py", 6)


async def test_many_files_at_once_are_handed_on_once_each_and_behind_what_is_saved(project: Path) -> None:
    async with watched(project, Inotify()) as (_, handed):
        for number in range(500):
            (project / f"m{number}.py").write_text("x = 1\n")  # the loop stands still: all at once
        await handed.has("m0.py", 6)
        assert "m499.py" in handed.batches[1][0], "what was written last goes first"
        storm = [batch for batch in handed.batches[1:] if len(batch[0]) > folders.MOST_SAVED]
        assert sum(len(names) for names, _ in handed.batches[1:]) == 500
        assert storm
        assert not any(saved for _, saved in storm)


async def test_a_folder_whose_server_does_not_answer_keeps_nobody(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, answered = threading.Event(), threading.Event()
    look = Eyes.look

    def hanging(self: Eyes, enter: Any) -> Look:
        asked.set()
        answered.wait()
        return look(self, enter)

    monkeypatch.setattr(Eyes, "look", hanging)
    events = Inotify()
    folder = Folder(str(project), (), events, Handed())
    folder.begin()
    await soon(asked.is_set, "the first look")
    await asyncio.wait_for(folder.close(), 30)
    answered.set()
    await soon(lambda: not [t for t in threading.enumerate() if t.name == "ao-watch"], "the thread goes on")
    assert len(events) == 0, "a folder that is closed is not watched"
    events.close()


async def test_a_file_that_comes_during_a_look_is_not_taken_for_gone(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    look, looked, go = Eyes.look, threading.Event(), threading.Event()

    def slow(self: Eyes, enter: Any) -> Look:
        found = look(self, enter)
        looked.set()
        go.wait()
        return found

    monkeypatch.setattr(Eyes, "look", slow)
    go.set()
    async with watched(project, Inotify()) as (folder, handed):
        looked.clear()
        go.clear()
        folder.look_soon()
        await soon(looked.is_set, "a look")
        (project / "late.py").write_text("x = 1\n")
        await handed.has("late.py", 6)
        looked.clear()
        go.set()
        folder.look_soon()
        await soon(looked.is_set, "another look")
        (project / "b.py").unlink()
        await handed.has("b.py", None)
        assert handed.gone == ["b.py"]
        assert folder.files == 2


async def test_no_more_than_some_are_compiled_of_a_folder_that_is_new(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "MOST_AT_FIRST", 1)
    async with watched(project, None) as (folder, handed):
        assert handed.batches == [(["b.py"], False)]
        assert folder.files == 2
        folder.hand_on_everything()
        await soon(lambda: len(handed.batches) == 2, "everything is handed on again")


async def test_a_folder_that_cannot_be_read_is_said_and_the_rest_is_watched(
    project: Path, caplog: pytest.LogCaptureFixture
) -> None:
    if os.geteuid() == 0:
        pytest.skip("root can read everything")
    (project / "locked").mkdir(mode=0)
    try:
        async with watched(project, Inotify()) as (_, handed):
            assert "some cannot be read" in caplog.text
            (project / "a.py").write_text("x = 1\n")
            await handed.has("a.py", 6)
    finally:
        (project / "locked").chmod(0o700)


async def test_a_file_is_handed_on_when_it_has_been_written(project: Path) -> None:
    async with watched(project, Inotify()) as (_, handed):
        with (project / "slow.py").open("w") as slow:
            slow.write("half = (")
            slow.flush()
            (project / "a.py").write_text("x = 1\n")
            await handed.has("a.py", 6)
            assert "slow.py" not in handed.files
            slow.write("2)\n")
        await handed.has("slow.py", 11)


async def test_a_program_counts_whatever_its_name_and_so_do_the_files_beside_it(project: Path) -> None:
    (project / ".gitignore").write_text("scratch/\n")
    for name in ("tool", "beside.py", "notes"):
        (project / "scratch").mkdir(exist_ok=True)
        (project / "scratch" / name).write_text("x\n")
    async with watched(project, Inotify()) as (folder, handed):
        assert set(handed.files) == {"a.py", "b.py"}
        folder.add_program(str(project / "scratch/tool"))
        await handed.has("scratch/tool", 2)
        await handed.has("scratch/beside.py", 2)
        for name in ("tool", "beside.py", "notes"):
            (project / "scratch" / name).write_text("x = 1\n")
        await handed.has("scratch/tool", 6)
        await handed.has("scratch/beside.py", 6)
        assert "scratch/notes" not in handed.files


async def test_looks_take_turns_and_one_that_hangs_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "_PATIENCE_S", 0.1)
    turns, begun, over = threads.Turns(1), list[int](), threading.Event()

    def hanging(number: int) -> int:
        begun.append(number)
        over.wait()
        return number

    first = asyncio.ensure_future(turns.in_thread(lambda: hanging(1)))
    await soon(lambda: len(begun) == 1, "the first has its turn")
    second = asyncio.ensure_future(turns.in_thread(lambda: hanging(2)))
    await soon(lambda: len(begun) == 2, "the second has lost its patience")
    over.set()
    assert (await first, await second) == (1, 2)
    cancelled = asyncio.ensure_future(turns.in_thread(lambda: 3))
    await asyncio.sleep(0)
    cancelled.cancel()
    assert await turns.in_thread(lambda: 4) == 4
