"""Old versions go, and give their space back; whatever is killed or damaged, it goes on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

from ao_lsp.server.versions import history, packing, snapshot, upkeep, work
from ao_lsp.server.versions.repository import BusyError, GoneError, Repository
from ao_lsp.server.versions.snapshot import Program
from tests.server.versions.conftest import Code, Git

YEAR_S = 365 * 24 * 3600.0


def noise(number: int) -> str:
    """Text that does not get smaller by packing."""
    return "".join(f"{zlib.crc32(b'%d %d' % (number, line)):08x}\n" for line in range(2000))


def tidy(*named: str, keep_s: float = 0.0) -> upkeep.Tidied:
    with Repository() as repository:
        return upkeep.tidy(repository, set(named), keep_s)


def test_versions_that_no_run_names_go_when_they_are_old_and_the_folder_shrinks(code: Code) -> None:
    versions = []
    for number in range(12):
        code.write("app.py", noise(number))
        versions.append(code.take().version)
    assert tidy(keep_s=YEAR_S).dropped == 0
    done = tidy(versions[3], versions[7])
    assert (done.dropped, done.kept) == (10, 2)
    assert done.bytes < done.bytes_before / 3
    assert code.files(versions[3])["app.py"].decode() == noise(3)
    with Repository() as repository:
        left = [each.id for each in history.newest(repository)]
    assert left == [versions[7], versions[3]]
    with pytest.raises(GoneError):
        code.files(versions[5])
    assert tidy().kept == 0


def test_what_went_can_come_again(code: Code) -> None:
    code.write("app.py", noise(1))
    before = code.take()
    tidy()
    again = code.take()
    assert (again.version, again.is_new) == (before.version, True)
    assert code.files(again.version)["app.py"].decode() == noise(1)


def test_many_objects_are_packed_and_those_of_a_pack_that_nobody_names_go(
    code: Code, git: Git, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packing, "_LOOSE", 10)
    monkeypatch.setattr(packing, "_PACK_OBJECTS", 8)
    versions = []
    for number in range(8):
        code.write("app.py", noise(number))
        code.write(f"lib/{number}.py", f"{number}")
        versions.append(code.take().version)
    tidy(*versions)
    folder = Path(os.environ["AO_HOME"], "cache", "git")
    assert len(list(folder.glob("objects/pack/*.pack"))) == 6
    assert not list(folder.glob("objects/??/*"))
    for number, version in enumerate(versions):
        assert code.files(version)["app.py"].decode() == noise(number)
    # The same state is not written once more.
    assert not code.take().is_new
    assert not list(folder.glob("objects/??/*"))
    done = tidy(versions[0])
    assert done.bytes < done.bytes_before / 2
    assert code.files(versions[0])["app.py"].decode() == noise(0)
    git(f"--git-dir={folder}", "fsck", "--strict")


KILLED = """
import os, sys
from ao_lsp.server.versions import history, packing, snapshot, upkeep
from ao_lsp.server.versions.repository import Repository
packing._LOOSE = 3
root, first = sys.argv[1:]
program = snapshot.Program(root, root)

def write(name, text):
    with open(os.path.join(root, name), "w") as file:
        file.write(text)

def contents(version):
    with Repository() as repository:
        return repository.blob(history.files_in(repository, version)[b"app.py"].blob)

def work(left):
    def step(event, arguments):
        # Every change of the disk is a place to die at.
        if event in ("os.rename", "os.remove", "os.mkdir") or event == "open" and (arguments[2] or 0) & os.O_CREAT:
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), 9)
    with Repository() as repository:
        sys.addaudithook(step)
        snapshot.take(repository, program)
        upkeep.tidy(repository, {first}, 0.0)

killed = 0
while True:
    for name in ("app.py", "more.py"):
        write(name, f"{killed}")
    pid = os.fork()
    if pid == 0:
        work([1 + killed])
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    # What was there is there, and what is new can be kept.
    assert contents(first) == b"first"
    with Repository() as repository:
        taken = snapshot.take(repository, program)
    assert contents(taken.version) == str(killed).encode()
    if status != 9:
        break
    killed += 1
assert status == 0
print(killed)
"""


def test_whoever_is_killed_at_any_moment_leaves_a_repository_that_can_be_used(code: Code, git: Git) -> None:
    code.write("app.py", "first")
    arguments = [sys.executable, "-c", KILLED, str(code.root), code.take().version]
    assert int(subprocess.check_output(arguments, timeout=60)) > 20
    git(f"--git-dir={os.environ['AO_HOME']}/cache/git", "fsck", "--strict")


def test_a_damaged_repository_is_set_aside_and_begun_anew(code: Code, caplog: pytest.LogCaptureFixture) -> None:
    code.write("app.py", "a")
    version = code.take().version
    folder = Path(os.environ["AO_HOME"], "cache", "git")
    for path in folder.glob("objects/??/*"):
        path.write_bytes(b"nonsense")
    code.write("app.py", "b")
    taken = work.take("run1", Program(str(code.root), str(code.root)), 0.0)
    assert taken is not None
    assert code.files(taken.version)["app.py"] == b"b"
    assert "versions begin anew" in caplog.text
    assert (folder.parent / "git.damaged" / "HEAD").exists()
    with pytest.raises(GoneError):
        code.files(version)


def test_an_object_that_a_power_cut_left_empty_is_written_again(code: Code) -> None:
    code.write("app.py", "a")
    version = code.take().version
    code.write("app.py", "b")
    code.take()
    folder = Path(os.environ["AO_HOME"], "cache", "git")
    name = "2e65efe2a145dda7ee51d1741299f848e5bf752e"  # of the text "a"
    (folder / "objects" / name[:2] / name[2:]).write_bytes(b"")
    code.write("app.py", "a")
    assert code.take().version == version
    assert code.files(version)["app.py"] == b"a"


def test_a_run_has_no_version_where_the_folder_cannot_be_used(code: Code, caplog: pytest.LogCaptureFixture) -> None:
    cache = Path(os.environ["AO_HOME"], "cache")
    cache.mkdir()
    (cache / "git").write_text("a file")
    assert work.take("run1", Program(str(code.root), str(code.root)), 0.0) is None
    assert "run run1 has no version" in caplog.text


HOLDS = """
import sys
from ao_lsp.server.versions.repository import Repository
with Repository():
    print("held", flush=True)
    sys.stdin.read()
"""


def test_two_processes_take_turns(code: Code, monkeypatch: pytest.MonkeyPatch) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLDS], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdin is not None
        assert other.stdout.readline() == b"held\n"
        monkeypatch.setattr("ao_lsp.server.versions.repository._LOCK_S", 0.05)
        with pytest.raises(BusyError):
            code.take()
        other.stdin.close()
        assert other.wait(30) == 0
    assert code.take().is_new


TAKES = """
import sys
from pathlib import Path
from ao_lsp.server.versions import snapshot
from ao_lsp.server.versions.repository import Repository
root = sys.argv[1]
for number in range(20):
    Path(root, "app.py").write_text(f"{number}")
    with Repository() as repository:
        snapshot.take(repository, snapshot.Program(root, root))
"""


def test_two_daemons_at_once_do_no_harm(code: Code, tmp_path: Path, git: Git) -> None:
    second = Code(tmp_path / "second")
    roots = [code.root, code.root, second.root]
    processes = [subprocess.Popen([sys.executable, "-c", TAKES, str(root)]) for root in roots]
    assert [process.wait(60) for process in processes] == [0, 0, 0]
    git(f"--git-dir={os.environ['AO_HOME']}/cache/git", "fsck", "--strict")
    assert second.commits() == 20
    assert code.commits() >= 20


def test_upkeep_is_a_process_that_says_what_it_did(code: Code) -> None:
    code.write("app.py", noise(1))
    kept = code.take().version
    code.write("app.py", noise(2))
    code.take()
    command = [sys.executable, "-m", "ao_lsp.server.versions.upkeep"]
    wishes = json.dumps({"named": [kept], "keep_s": 0})
    done = subprocess.run(command, input=wishes, capture_output=True, text=True, check=True, timeout=60)
    said = json.loads(done.stdout)
    assert (said["dropped"], said["kept"]) == (1, 1)
    assert said["bytes"] < said["bytes_before"]


def test_the_index_of_a_forgotten_project_goes_too(code: Code) -> None:
    code.take()
    name = snapshot.name_of(str(code.root))
    with Repository() as repository:
        assert os.path.exists(repository.index(name))
    tidy()
    with Repository() as repository:
        assert not os.path.exists(repository.index(name))
        assert repository.projects() == []
