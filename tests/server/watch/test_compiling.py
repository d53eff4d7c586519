"""Compiling ahead of time, with real interpreters."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ao_lsp.server.watch import worker
from ao_lsp.server.watch.compiling import Compiling, Wanted
from ao_lsp.server.watch.worker import Interpreter
from tests.daemons import gone, until
from tests.server.watch.compiled import PYTHONS, current, rewrites, soon

pytestmark = [
    pytest.mark.usefixtures("home"),
    pytest.mark.skipif(sys.version_info < (3, 11), reason="on Python 3.10 nothing is rewritten"),
]

# An interpreter that dies of some files.
MORTAL = f"""#!{sys.executable}
import json, os, sys
print(json.dumps({{"tag": "mortal", "rewrites": True}}), flush=True)
for line in sys.stdin:
    file = json.loads(line)["file"]
    with open(os.path.join(os.path.dirname(__file__), "asked"), "a") as asked:
        asked.write(os.path.basename(file) + "\\n")
    if "killer" in file:
        os.kill(os.getpid(), 9)
    print(json.dumps({{"file": file, "done": "made", "why": "", "ms": 1}}), flush=True)
"""


@pytest.fixture
async def compiling() -> AsyncIterator[Compiling]:
    made = Compiling()
    yield made
    await made.close()


def wanted(file: Path, *names: Path, show: bool = False) -> Wanted:
    found = file.stat()
    return Wanted(str(file), (found.st_mtime_ns, found.st_size, found.st_ino), tuple(map(str, names)), show)


async def finished(compiling: Compiling) -> None:
    await soon(lambda: not compiling.waiting, "files still wait")


@pytest.mark.parametrize("python", PYTHONS)
async def test_a_file_is_compiled_for_the_interpreter_that_is_asked_for(
    python: str, compiling: Compiling, tmp_path: Path
) -> None:
    file = tmp_path / "module.py"
    file.write_text("x = 1\n")
    if not rewrites(python):
        pytest.skip("on Python 3.10 nothing is rewritten")
    assert current(file, python=python) == [False]
    compiling.add(Interpreter(python), [wanted(file)], saved=True)
    await finished(compiling)
    assert current(file, python=python) == [True]
    file.write_text("x = 2\n")
    assert current(file, python=python) == [False]


async def test_each_optimisation_level_has_bytecode_of_its_own(compiling: Compiling, tmp_path: Path, home: str) -> None:
    file = tmp_path / "module.py"
    file.write_text("assert x\n")
    for level in range(3):
        compiling.add(Interpreter(sys.executable, level), [wanted(file)], saved=True)
    await finished(compiling)
    folders = sorted(path.name for path in Path(home, "cache/pyc").iterdir())
    assert [name.split("-")[3] for name in folders] == ["o0", "o1", "o2"]


async def test_other_names_of_a_file_are_filled_too(compiling: Compiling, tmp_path: Path) -> None:
    file, link = tmp_path / "module.py", tmp_path / "link.py"
    file.write_text("x = 1\n")
    link.symlink_to(file)
    compiling.add(Interpreter(sys.executable), [wanted(file, link)], saved=True)
    await finished(compiling)
    assert current(file, link) == [True, True]


async def test_the_bytecode_of_a_file_that_is_gone_is_removed(compiling: Compiling, tmp_path: Path, home: str) -> None:
    file = tmp_path / "module.py"
    file.write_text("x = 1\n")
    for one in (wanted(file), Wanted(str(file), None)):
        compiling.add(Interpreter(sys.executable), [one], saved=True)
        await finished(compiling)
    assert not list(Path(home, "cache/pyc").rglob("*.pyc"))


async def test_what_cannot_be_compiled_is_said_once_without_a_word_of_the_source(
    compiling: Compiling, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "ao_lsp.server.watch")
    broken, binary, bad_encoding, deep, large = (
        tmp_path / f"{name}.py" for name in ("broken", "binary", "encoding", "deep", "large")
    )
    broken.write_text("def secret_name(secret_name, secret_name): pass\n")
    binary.write_bytes(b"\0secret")
    bad_encoding.write_bytes(b"x = '\xff secret'\n")
    deep.write_text("secret = " + "(" * 500 + ")" * 500)
    large.write_bytes(b"#" * (1 << 20) + b"\n")
    files = [broken, binary, bad_encoding, deep, large]
    for _ in range(2):
        compiling.add(Interpreter(sys.executable), [wanted(file) for file in files], saved=True)
        await finished(compiling)
    said = [record.getMessage() for record in caplog.records if "not compiled" in record.getMessage()]
    assert [Path(line.split(": ")[1]).name for line in said] == [file.name for file in files]
    assert "SyntaxError" in said[0]
    assert "(line 1)" in said[0]
    assert "1048577 bytes" in said[4]
    assert "secret" not in caplog.text


async def test_a_pipe_does_not_hang_the_worker(compiling: Compiling, tmp_path: Path) -> None:
    pipe, file = tmp_path / "pipe.py", tmp_path / "module.py"
    os.mkfifo(pipe)
    file.write_text("x = 1\n")
    compiling.add(Interpreter(sys.executable), [wanted(pipe), wanted(file)], saved=True)
    await finished(compiling)
    assert current(file) == [True]


async def test_a_file_that_kills_its_worker_twice_is_left_out_until_it_changes(
    compiling: Compiling, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    python = tmp_path / "python"
    python.write_text(MORTAL)
    python.chmod(0o755)
    killer, other = tmp_path / "killer.py", tmp_path / "other.py"
    for file in (killer, other):
        file.write_text("x = 1\n")
    for _ in range(2):
        compiling.add(Interpreter(str(python)), [wanted(killer), wanted(other)], saved=True)
        await finished(compiling)
    asked = (tmp_path / "asked").read_text().split()
    assert asked == ["killer.py", "killer.py", "other.py", "other.py"]
    assert "died of signal 9, 2 times: left out until it changes" in caplog.text
    killer.write_text("x = 1000\n")
    compiling.add(Interpreter(str(python)), [wanted(killer)], saved=True)
    await finished(compiling)
    assert (tmp_path / "asked").read_text().split().count("killer.py") == 4


async def test_a_file_that_hangs_its_worker_does_not_keep_the_next_one(
    compiling: Compiling, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    python = tmp_path / "python"
    python.write_text(MORTAL.replace("os.kill(os.getpid(), 9)", "sys.stdin.close(); import time; time.sleep(999)"))
    python.chmod(0o755)
    monkeypatch.setattr(worker, "FILE_TIMEOUT_S", 0.3)
    killer, other = tmp_path / "killer.py", tmp_path / "other.py"
    for file in (killer, other):
        file.write_text("x = 1\n")
    compiling.add(Interpreter(str(python)), [wanted(killer), wanted(other)], saved=True)
    await finished(compiling)
    assert "hung for 0 s, 2 times" in caplog.text
    assert "other.py" in (tmp_path / "asked").read_text()


@pytest.mark.parametrize("python", ["/nowhere/python", "/bin/false", "/bin/true", "/bin/cat"])
async def test_an_interpreter_that_cannot_be_used_is_said_once(
    python: str, compiling: Compiling, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "module.py"
    file.write_text("x = 1\n")
    for _ in range(2):
        compiling.add(Interpreter(python), [wanted(file)], saved=True)
        await finished(compiling)
    assert caplog.text.count(f"{python} cannot be used") == 1


async def test_the_worker_runs_nothing_of_the_users_and_ends_with_the_daemon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    marker = tmp_path / "ran"
    for name in ("sitecustomize.py", "usercustomize.py", "json.py", "re.py", "module.py"):
        (tmp_path / name).write_text(f"open({str(marker)!r}, 'w')\n")
    # An environment of the user's, whose packages may run code as python starts.
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    python, packages = tmp_path / "venv/bin/python", tmp_path / "venv/lib" / version / "site-packages"
    python.parent.mkdir(parents=True)
    packages.mkdir(parents=True)
    base = os.path.realpath(sys.executable)
    python.symlink_to(base)
    (tmp_path / "venv/pyvenv.cfg").write_text(f"home = {os.path.dirname(base)}\n")
    (packages / "some.pth").write_text(f"import builtins; open({str(marker)!r}, 'w')\n")
    await (await asyncio.create_subprocess_exec(python, "-c", "pass")).wait()
    assert marker.exists()
    marker.unlink()
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("PYTHONSTARTUP", str(tmp_path / "module.py"))
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.chdir(tmp_path)
    made = Compiling()
    made.add(Interpreter(str(python)), [wanted(tmp_path / "module.py")], saved=True)
    await finished(made)
    [pid] = made.processes()
    assert os.readlink(f"/proc/{pid}/cwd") == "/"
    await made.close()
    assert gone(pid)
    assert not marker.exists()
    assert not list(tmp_path.rglob("__pycache__"))
    assert current(tmp_path / "module.py") == [True]


async def test_a_worker_ends_when_its_daemon_is_killed(tmp_path: Path) -> None:
    (tmp_path / "module.py").write_text("x = 1\n")
    program = (
        "import asyncio, sys\n"
        "from tests.server.watch.test_compiling import *\n"
        "async def main():\n"
        "    made = Compiling()\n"
        "    made.add(Interpreter(sys.executable), [wanted(Path(sys.argv[1]))], saved=True)\n"
        "    await finished(made)\n"
        "    print(*made.processes(), flush=True)\n"
        "    await asyncio.sleep(999)\n"
        "asyncio.run(main())\n"
    )
    daemon = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, str(tmp_path / "module.py"), stdout=asyncio.subprocess.PIPE
    )
    assert daemon.stdout is not None
    worker_pid = int(await daemon.stdout.readline())
    daemon.kill()
    await daemon.wait()
    until(lambda: gone(worker_pid), "the worker outlives its daemon")


async def test_a_saved_file_does_not_wait_for_others_nor_behind_them(compiling: Compiling, tmp_path: Path) -> None:
    python, go = tmp_path / "python", tmp_path / "go"
    waits = f"import time\n        while not os.path.exists({str(go)!r}): time.sleep(0.01)"
    python.write_text(MORTAL.replace("os.kill(os.getpid(), 9)", waits).replace('"killer"', '"slow"'))
    python.chmod(0o755)
    files = {name: tmp_path / f"{name}.py" for name in ("slow", "old", "new", "saved")}
    for file in files.values():
        file.write_text("x = 1\n")
    asked = tmp_path / "asked"
    mortal = Interpreter(str(python))
    compiling.add(mortal, [wanted(files["slow"]), wanted(files["old"])], saved=False)
    await soon(lambda: asked.exists() and asked.read_text().split() == ["slow.py"], "the first has its turn")
    compiling.add(mortal, [wanted(files["new"])], saved=False)
    compiling.add(mortal, [wanted(files["saved"])], saved=False)
    compiling.add(mortal, [wanted(files["saved"])], saved=True)
    await soon(lambda: asked.read_text().split() == ["slow.py", "saved.py"], "what was saved waits")
    go.touch()
    await finished(compiling)
    assert asked.read_text().split() == ["slow.py", "saved.py", "new.py", "old.py"]


async def test_a_file_that_comes_while_a_worker_is_ended_is_compiled(
    compiling: Compiling, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = tmp_path / "first.py", tmp_path / "second.py"
    for file in (first, second):
        file.write_text("x = 1\n")
    python, close = Interpreter(sys.executable), worker.Worker.close

    async def close_slowly(self: worker.Worker) -> None:
        if not current(second)[0] and not compiling.waiting:
            compiling.add(python, [wanted(second)], saved=True)
        await close(self)

    monkeypatch.setattr("ao_lsp.server.watch.compiling._SAVED_IDLE_S", 0.0)
    monkeypatch.setattr(worker.Worker, "close", close_slowly)
    compiling.add(python, [wanted(first)], saved=True)
    await soon(lambda: current(second) == [True], "a file is forgotten")


async def test_the_rewritten_source_is_shown_where_it_is_wanted_and_only_there(
    compiling: Compiling, tmp_path: Path
) -> None:
    shown, other = tmp_path / "shown.py", tmp_path / "other.py"
    for file in (shown, other):
        file.write_text("a = b + c\n")
    compiling.add(Interpreter(sys.executable), [wanted(shown, show=True), wanted(other)], saved=True)
    await finished(compiling)
    assert "__@ao.Add" in (tmp_path / "shown.ao_rewritten.py").read_text()
    assert not (tmp_path / "other.ao_rewritten.py").exists()
    assert current(shown, other) == [True, True]
