"""The cache of rewritten bytecode: nothing that is in it, or keeps it from being written, reaches the program."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ao_lsp.taint import frames

from .test_like_python import RECORD, interpreters, version

pytestmark = pytest.mark.skipif(not frames.HIDES, reason="on Python 3.10 nothing is rewritten")

PROGRAM = """
import sys
import helper
print(helper.f(1), "rewritten" if "ast" in sys.modules else "cached", __debug__, helper.f.__doc__)
"""
HELPER = """
def f(x):
    "doc"
    assert x != 2, "two"
    return x + 1
"""


class Cache:
    """A program of two files, and the folder in which what it is rewritten to is kept."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.home.mkdir()
        self.write(PROGRAM, "program.py")
        self.write(HELPER, "helper.py")

    def write(self, source: str, name: str) -> None:
        (self.folder / name).write_text(source)

    def files(self) -> list[Path]:
        return sorted(file for file in (self.home / "cache" / "pyc").rglob("*") if file.is_file())

    def start(self, *options: str, before: Callable[[], None] | None = None, **env: str) -> subprocess.Popen[str]:
        own = {"AO_HOME": str(self.home), "AO_SERVER_PYTHON": "/bin/false", **env}
        inherited = {
            name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))
        }
        return subprocess.Popen(
            [RECORD, *options, "program.py"],
            cwd=self.folder,
            env={**inherited, **own},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=before,
        )

    def run(self, *options: str, **more: Any) -> str:
        """What the program printed; it must have ended well, and said nothing else."""
        process = self.start(*options, **more)
        out, err = process.communicate(timeout=60)
        assert (process.returncode, err) == (0, "")
        return out.strip()


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path)


REWRITTEN = "2 rewritten True doc"
CACHED = "2 cached True doc"


def test_a_file_is_rewritten_when_its_contents_have_changed_and_only_then(cache: Cache) -> None:
    assert cache.run() == REWRITTEN
    assert cache.run() == CACHED
    for file in ("program.py", "helper.py"):
        os.utime(cache.folder / file, (1, 1))
    assert cache.run() == CACHED
    cache.write(HELPER.replace("x + 1", "x + 5"), "helper.py")
    assert cache.run() == REWRITTEN.replace("2", "6")
    assert cache.run() == CACHED.replace("2", "6")
    # Of equal length, and with the time of before: what counts is what stands in it.
    cache.write(HELPER.replace("x + 1", "x + 7"), "helper.py")
    os.utime(cache.folder / "helper.py", (1, 1))
    assert cache.run() == REWRITTEN.replace("2", "8")
    assert len(cache.files()) == 2


def test_python_is_told_not_to_write_bytecode_and_ours_is_kept_all_the_same(cache: Cache) -> None:
    assert cache.run(PYTHONDONTWRITEBYTECODE="1") == REWRITTEN
    assert cache.run(PYTHONDONTWRITEBYTECODE="1") == CACHED
    assert cache.run("-B") == CACHED
    assert not (cache.folder / "__pycache__").exists()


SPOILED: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "a part of the header": lambda data: data[:10],
    "the header alone": lambda data: data[:32],
    "truncated": lambda data: data[: len(data) // 2],
    "without its last byte": lambda data: data[:-1],
    "with more behind it": lambda data: data + b"more",
    "garbage": lambda data: bytes(range(256)) * (len(data) // 256 + 1),
    "zeros": lambda data: bytes(len(data)),
    "garbage behind the header": lambda data: data[:32] + b"\xe3" * (len(data) - 32),
    "no code behind the header": lambda data: data[:32] + b"N",
    "one bit of the code": lambda data: data[:100] + bytes((data[100] ^ 1,)) + data[101:],
    "of another version": lambda data: data[:24] + b"other\0\0\0" + data[32:],
    "python's own": lambda data: b"\xa7\r\r\n" + bytes(12) + data[32:],
}


@pytest.mark.parametrize("how", SPOILED)
def test_a_spoiled_file_is_survived_and_replaced(how: str, cache: Cache) -> None:
    cache.run()
    whole = [file.read_bytes() for file in cache.files()]
    for file, data in zip(cache.files(), whole, strict=True):
        file.write_bytes(SPOILED[how](data))
    assert cache.run() == REWRITTEN
    assert [file.read_bytes() for file in cache.files()] == whole
    assert cache.run() == CACHED


def test_what_stands_in_the_place_of_a_file_is_survived(cache: Cache) -> None:
    cache.run()
    for file in cache.files():
        file.unlink()
        file.mkdir()
        (file / "inside").touch()
    assert cache.run() == REWRITTEN
    assert cache.run() == REWRITTEN


def test_eight_programs_at_once_fill_a_cold_cache(cache: Cache) -> None:
    for number in range(20):
        cache.write(f"{HELPER}\nx = {number} + {number}\n" * 30, f"part{number}.py")
    imports = "".join(f"import part{number}\n" for number in range(20))
    cache.write(f"import sys\nsys.stdin.read()\n{imports}{PROGRAM}", "program.py")
    gate, open_gate = os.pipe()

    def wait() -> None:
        os.dup2(gate, 0)

    processes = [cache.start(before=wait) for _ in range(8)]
    os.close(gate)
    os.close(open_gate)  # now all of them go on
    for process in processes:
        out, err = process.communicate(timeout=120)
        assert (process.returncode, err) == (0, "")
        assert out.startswith("2 ")
    assert len(cache.files()) == 22
    assert {file.suffix for file in cache.files()} == {".pyc"}  # nothing half-written is left
    cache.write(cache_free(cache), "program.py")
    cache.run()
    assert cache.run() == CACHED


def cache_free(cache: Cache) -> str:
    return (cache.folder / "program.py").read_text().replace("sys.stdin.read()\n", "")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_costs_time_only(cache: Cache) -> None:
    (cache.home / "cache").mkdir()
    (cache.home / "cache").chmod(0o500)
    try:
        assert cache.run() == REWRITTEN
        assert cache.run() == REWRITTEN
    finally:
        (cache.home / "cache").chmod(0o700)


@pytest.mark.parametrize("place", ["/proc/self/nowhere", "/dev/null/ao", "home/file"])
def test_a_place_where_no_folder_can_be_made_costs_time_only(place: str, cache: Cache) -> None:
    (cache.home / "file").write_text("no folder")
    place = os.path.join(cache.folder, place)
    assert cache.run(AO_HOME=place) == REWRITTEN
    assert cache.run(AO_HOME=place) == REWRITTEN


def test_a_full_disk_costs_time_only_and_leaves_no_part_of_a_file(cache: Cache) -> None:
    # Python ignores SIGXFSZ: what goes beyond the limit fails, as on a full disk.
    cache.write(HELPER * 100, "helper.py")

    def full() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))

    assert cache.run(before=full) == REWRITTEN
    assert all(file.stat().st_size < 1000 for file in cache.files())
    assert cache.run(before=full) == REWRITTEN
    assert not [file for file in cache.files() if file.suffix != ".pyc"]
    assert cache.run() == REWRITTEN
    assert cache.run() == CACHED


def test_each_level_of_optimisation_has_its_own(cache: Cache) -> None:
    expected = {(): "True doc", ("-O",): "False doc", ("-OO",): "False None"}
    for state in ("rewritten", "cached", "cached"):
        for options, shown in expected.items():
            assert cache.run(*options) == f"2 {state} {shown}"
    assert len(cache.files()) == 6


def test_each_python_has_its_own(cache: Cache) -> None:
    pythons = [python for python in interpreters() if version(python) != "3.10"]
    for shown in (REWRITTEN, CACHED, CACHED):
        for python in pythons:
            assert cache.run("--python", python) == shown
    assert len(cache.files()) == 2 * len(pythons)


def test_the_same_file_by_another_name_says_that_name(cache: Cache) -> None:
    cache.write(HELPER + "\ndef file():\n    return f.__code__.co_filename\n", "helper.py")
    cache.write("import sys, helper\nprint(helper.file())\n", "program.py")
    (cache.folder / "link").symlink_to(cache.folder)
    assert cache.run() == str(cache.folder / "helper.py")
    cache.write(
        f"import sys\nsys.path[0] = {str(cache.folder / 'link')!r}\nimport helper\nprint(helper.file())\n", "program.py"
    )
    for _ in range(2):
        assert cache.run() == str(cache.folder / "link" / "helper.py")


def test_what_the_compiler_warns_about_is_said_as_often_as_python_says_it(cache: Cache) -> None:
    cache.write("import helper\nprint(1 is 1)\n", "program.py")
    cache.write("x = 1\ny = x is 1\n", "helper.py")

    def said(*command: str) -> list[tuple[str, str]]:
        process = (
            cache.start()
            if not command
            else subprocess.Popen(command, cwd=cache.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                  env={k: v for k, v in os.environ.items() if not k.startswith("PYTHON")})
        )  # fmt: skip
        return [process.communicate(timeout=60)]

    plain = [said(sys.executable, "program.py") for _ in range(3)]
    assert plain[0] != plain[1] == plain[2]  # of the module, which is compiled once, and of the script
    assert [said() for _ in range(3)] == plain
