"""What the watcher decides without asking anybody: which folders are polled, how often, for which interpreter, and
what of the cache goes."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from ao_lsp.server.model import Run
from ao_lsp.server.watch.cleaning import UNUSED_S, Entry, clean, superfluous
from ao_lsp.server.watch.mounts import mounts, polled_kind
from ao_lsp.server.watch.polling import LONGEST_S, SHORTEST_S, Pace
from ao_lsp.server.watch.targets import Recorded, interpreter_of, optimisation, recorded
from ao_lsp.server.watch.worker import Interpreter

TABLE = rb"""22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
40 27 0:40 / /mnt/share rw - nfs4 server:/x rw
41 27 0:41 / /mnt/with\040space rw - cifs //server/x rw
42 40 0:42 / /mnt/share/local rw - xfs /dev/vdb rw
43 27 0:43 / /workspace rw - virtiofs share rw
44 27 0:44 / /sshfs rw - fuse.sshfs host: rw
45 27 0:45 / /usb rw - fuseblk /dev/sdb1 rw
46 27 0:46 / /mnt/c rw - 9p C: rw
47 27 0:47 / /twice rw - nfs server:/x rw
48 47 0:48 / /twice rw - tmpfs tmpfs rw
nonsense
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/home/u/project", None),
        ("/mnt/share/project", "nfs4"),
        ("/mnt/share", "nfs4"),
        ("/mnt/shared", None),
        ("/mnt/with space/project", "cifs"),
        ("/mnt/share/local/project", None),
        ("/workspace/project", "virtiofs"),
        ("/sshfs/project", "fuse.sshfs"),
        ("/usb/project", None),
        ("/mnt/c/Users/u", "9p"),
        ("/twice/project", None),
    ],
)
def test_network_and_container_file_systems_are_polled(path: str, kind: str | None) -> None:
    assert polled_kind(path, TABLE) == kind


def test_a_container_is_polled_for_what_changes_below_it() -> None:
    assert polled_kind("/app", b"1 0 0:1 / / rw - overlay overlay rw,lowerdir=/x\n") == "overlay"


def test_this_machine_has_a_table_of_mounts_or_none() -> None:
    assert polled_kind("/", mounts()) in (None, "overlay", "fuse.fuse-overlayfs", "9p", "virtiofs")
    assert polled_kind("/anywhere", b"") is None


def test_looking_takes_a_small_share_of_the_time_and_less_where_nothing_happens() -> None:
    pace = Pace()
    assert pace.pause(0.001) == SHORTEST_S
    assert pace.pause(0.1) == pytest.approx(5.0)
    assert pace.pause(10.0) == LONGEST_S
    for _ in range(1000):
        slowest = pace.pause(0.001)
    assert SHORTEST_S < slowest <= LONGEST_S
    pace.stirred()
    assert pace.pause(0.001) == SHORTEST_S


RUN = Run(
    id="r", session="s", name="n", argv=("app.py",), target=("script", "app.py"), options=(), cwd="/nowhere/app",
    python=sys.executable, python_version="3.11", env=(), pid=None, parent_run=None, fork_call=None, started=0.0,
)  # fmt: skip


def test_a_run_says_its_project_script_and_interpreter() -> None:
    assert recorded(RUN) == Recorded("/nowhere/app", "/nowhere/app/app.py", Interpreter(sys.executable, 0))
    module = replace(RUN, target=("module", "app"), options=("-OO", "--http"))
    assert recorded(module) == Recorded("/nowhere/app", None, Interpreter(sys.executable, 2))
    assert recorded(replace(RUN, options=("--no-taint",))) is None


def test_folders_that_a_run_counted_as_its_own_belong_to_it(tmp_path: Path) -> None:
    (tmp_path / "libs").mkdir()
    (tmp_path / "file.py").touch()
    run = replace(RUN, cwd=str(tmp_path), options=("--rewrite", f"libs:jinja2:{tmp_path}/libs:file.py", "--http"))
    found = recorded(run)
    assert found is not None
    assert found.others == (str(tmp_path / "libs"), str(tmp_path / "libs"))


@pytest.mark.parametrize(
    ("options", "level"),
    [((), 0), (("-O",), 1), (("-OO",), 2), (("-O", "-O", "-O"), 2), (("-bO",), 1), (("-W", "-O"), 0), (("-WOnce",), 0),
     (("--rewrite", "-O"), 0), (("-X", "Opt", "-O"), 1)],
)  # fmt: skip
def test_the_optimisation_level_is_that_of_the_options(options: tuple[str, ...], level: int) -> None:
    assert optimisation(options) == level


def test_the_newest_run_of_a_project_decides_and_one_that_is_gone_does_not(tmp_path: Path) -> None:
    root = str(tmp_path)
    here, inner = Interpreter(sys.executable, 1), Interpreter(sys.executable, 2)
    gone = Interpreter("/nowhere/python")
    elsewhere = Recorded("/elsewhere", None, Interpreter(sys.executable))
    runs = [elsewhere, Recorded(root, None, gone), Recorded(root + "/inner", None, inner), Recorded(root, None, here)]
    assert interpreter_of(root, runs, {}) == inner
    assert interpreter_of(root, runs[:2], {}) == Interpreter(sys.executable)


def test_an_active_environment_counts_by_the_interpreter_that_it_is_made_of(tmp_path: Path) -> None:
    (tmp_path / "venv/bin").mkdir(parents=True)
    (tmp_path / "venv/bin/python").symlink_to(sys.executable)
    found = interpreter_of(str(tmp_path / "project"), [], {"VIRTUAL_ENV": str(tmp_path / "venv")})
    assert found == Interpreter(os.path.realpath(sys.executable))


def test_what_is_set_for_the_project_and_its_environment_above_count(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".venv/bin").mkdir(parents=True)
    base = os.path.realpath(sys.executable)
    (tmp_path / ".venv/bin/python").symlink_to(base)
    inner = tmp_path / "inner"
    inner.mkdir()
    assert interpreter_of(str(inner), [], {}) == Interpreter(base)
    (inner / "pyproject.toml").write_text(f'[tool.ao]\npython = "{sys.executable}"\n')
    (tmp_path / ".venv/bin/python").unlink()
    assert interpreter_of(str(inner), [], {}) == Interpreter(base)
    assert interpreter_of(str(inner), [], {"AO_PYTHON": "/nowhere/python"}) == Interpreter(sys.executable)


@pytest.mark.parametrize("target", ["/bin/rm", "inside/python"])
def test_a_link_to_anything_else_is_no_interpreter(target: str, tmp_path: Path) -> None:
    (tmp_path / ".venv/bin/inside").mkdir(parents=True)
    inside = tmp_path / ".venv/bin/inside/python"
    inside.write_text("#!/bin/sh\n")
    inside.chmod(0o755)
    (tmp_path / ".venv/bin/python").symlink_to(target)
    assert interpreter_of(str(tmp_path), [], {}) == Interpreter(sys.executable)


def test_of_the_cache_goes_what_was_not_used_for_a_month_and_what_is_too_much() -> None:
    now = 1e9
    old, new, newer = (Entry(f"{name}.pyc", now - age, 10) for name, age in (("o", UNUSED_S + 1), ("n", 9), ("m", 5)))
    unfinished, writing = Entry("x.pyc.123", now - 4000, 10), Entry("y.pyc.124", now - 1, 10)
    assert superfluous([old, new, unfinished, writing], now) == [unfinished, old]
    assert superfluous([new, newer, writing], now, most_bytes=25) == [new]


def test_cleaning_deletes_files_of_the_cache_and_nothing_where_there_is_none(tmp_path: Path) -> None:
    (tmp_path / "tag/ab").mkdir(parents=True)
    old, new = tmp_path / "tag/ab/old.pyc", tmp_path / "tag/ab/new.pyc"
    for file in (old, new):
        file.write_bytes(b"x" * 10)
    os.utime(old, (1000, 1000))
    assert clean(str(tmp_path)) == (1, 10)
    assert new.exists()
    assert not old.exists()
    assert clean(str(tmp_path / "nowhere")) == (0, 0)
