"""What is written to a stream can be read out of it: files, texts in memory, CSV, logs, pipes, databases.
Each case is a program; `tag("a", v)` is a value that came from call `a`; `x` and `y` are what counts."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., dict[str, Any]]

# Programs that leave closing their files to the interpreter are as good as any.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


FILES = {
    "a text file": (
        "with open('f', 'w') as f:\n    f.write(tag('a', 'some reply'))\nx = open('f').read()\nopen('g', 'w').write('c')\ny = open('g').read()",
        ("a", ""),
    ),
    "lines of a text file": (
        "with open('f', 'w') as f:\n    f.write('one\\n')\n    f.write(tag('a', 'two') + '\\n')\nlines = list(open('f'))\nx, y = lines[1], lines[0]",
        ("a", ""),
    ),
    "a loop over a file": (
        "with open('f', 'w') as f:\n    print('ü', tag('a', 'x'), file=f)\n    print('ü y', file=f)\nx, y = [line for line in open('f')]",
        ("a", ""),
    ),
    "readline and the rest": (
        "with open('f', 'w') as f:\n    f.writelines([tag('a', 'x\\n'), 'y\\n'])\nf = open('f')\nx = f.readline()\ny = f.read()\nf.close()",
        ("a", ""),
    ),
    "readlines": (
        "with open('f', 'w') as f:\n    f.writelines(t + '\\n' for t in ('y', tag('a', 'x')))\nwith open('f') as f:\n    y, x = f.readlines()",
        ("a", ""),
    ),
    "a binary file": (
        "with open('f', 'wb') as f:\n    f.write(b'1234')\n    f.write(tag('a', 'x').encode())\nwith open('f', 'rb') as f:\n    y = f.read(4)\n    x = f.read()",
        ("a", ""),
    ),
    "readinto": (
        "with open('f', 'wb') as f:\n    f.write(tag('a', b'xyz'))\nb = bytearray(2)\nwith open('f', 'rb') as f:\n    f.readinto(b)\nx, y = bytes(b), 'c'",
        ("a", ""),
    ),
    "seek in a file": (
        "with open('f', 'w+') as f:\n    f.write('constant ')\n    f.write(tag('a', 'reply'))\n    f.seek(0)\n    y = f.read(9)\n    f.seek(9)\n    x = f.read()",
        ("a", ""),
    ),
    "append": (
        "open('f', 'w').write('head\\n')\nwith open('f', 'a') as f:\n    f.write(tag('a', 'tail'))\nf = open('f')\ny = next(f)\nx = next(f)\nf.close()",
        ("a", ""),
    ),
    "a file that is written anew": (
        "open('f', 'w').write(tag('a', 'reply'))\nx = open('f').read()\nopen('f', 'w').write('other')\ny = open('f').read()",
        ("a", ""),
    ),
    "truncate": (
        "with open('f', 'w+') as f:\n    f.write('head' + tag('a', 'reply'))\n    x = str(f.tell()) and tag('a', 'z')\n    f.truncate(0)\ny = open('f').read()",
        ("a", ""),
    ),
    "a file that another process wrote anew": (
        "import subprocess, sys\nopen('f', 'w').write(tag('a', 'reply'))\nx = open('f').read()\nsubprocess.run([sys.executable, '-c', \"open('f','w').write('ylper')\"])\ny = open('f').read()",
        ("a", ""),
    ),
    "a file that is renamed": (
        "import os\nopen('f', 'w').write(tag('a', 'reply'))\nos.replace('f', 'g')\nx = open('g').read()\ny = 'c'",
        ("a", ""),
    ),
    "Path.write_text": (
        "import pathlib\np = pathlib.Path('f')\np.write_text(tag('a', 'reply'))\nx = p.read_text()\np.write_text('other')\ny = p.read_text()",
        ("a", ""),
    ),
    "Path.open": (
        "import pathlib\np = pathlib.Path('f')\nwith p.open('w') as f:\n    f.write(tag('a', 'reply'))\nx = p.read_bytes()\ny = p.name",
        ("a", ""),
    ),
    "a file is not made of its name": (
        "import pathlib\nopen('name', 'w').write('content')\ny = pathlib.Path(tag('a', 'name')).read_text() + open(tag('a', 'name')).read()\nx = tag('a', 'x')",
        ("a", ""),
    ),
    "NamedTemporaryFile": (
        "import tempfile\nwith tempfile.NamedTemporaryFile('w+') as f:\n    f.write('c' * 9)\n    f.write(tag('a', 'reply'))\n    f.seek(0)\n    y = f.read(9)\n    x = f.read()",
        ("a", ""),
    ),
    "json through a file": (
        "import json\nwith open('f', 'w') as f:\n    json.dump({'k': tag('a', 'v')}, f)\nx = json.load(open('f'))['k']\nopen('g', 'w').write('{}')\ny = json.load(open('g'))",
        ("a", ""),
    ),
    "pickle through a file": (
        "import pickle\nwith open('f', 'w+b') as f:\n    pickle.dump([tag('a', 'v')], f)\n    f.seek(0)\n    x = pickle.load(f)[0]\n    pickle.dump('w', f)\ny = 'c'",
        ("a", ""),
    ),
    "csv through a file": (
        "import csv\nwith open('f', 'w', newline='') as f:\n    w = csv.writer(f)\n    w.writerow(['p', 'q'])\n    w.writerow([1, tag('a', 'r')])\n    w.writerow([2, 's'])\nwith open('f', newline='') as f:\n    rows = list(csv.reader(f))\nx, y = rows[1][1], rows[2][1]",
        ("a", ""),
    ),
    "csv dictionaries": (
        "import csv, io\nb = io.StringIO()\nw = csv.DictWriter(b, ['p', 'q'])\nw.writeheader()\nw.writerow({'p': 1, 'q': tag('a', 'r')})\nw.writerow({'p': 2, 'q': 's'})\nb.seek(0)\nx, y = [row['q'] for row in csv.DictReader(b)]",
        ("a", ""),
    ),
    "a text in memory": (
        "import io\nb = io.StringIO()\nb.write('one\\n')\nb.write(tag('a', 'two\\n'))\nprint('three', file=b)\nx = b.getvalue()\nb.seek(0)\nl = b.readlines()\nassert origins(l[1]) == 'a' and origins(l[2]) == ''\ny = l[0]",
        ("a", ""),
    ),
    "bytes in memory": (
        "import io\nb = io.BytesIO(tag('a', b'reply'))\nb.seek(0, 2)\nb.write(b'more')\nb.seek(5)\ny = b.read()\nx = b.getvalue()",
        ("a", ""),
    ),
    "a text in memory that is emptied": (
        "import io\nb = io.StringIO(tag('a', 'reply'))\nx = b.getvalue()\nb.seek(0)\nb.truncate()\nb.write('c')\ny = b.getvalue()",
        ("a", ""),
    ),
    "a copy of a file object": (
        "import io, shutil\nb, c = io.BytesIO(), io.BytesIO()\nb.write(tag('a', b'reply'))\nb.seek(0)\nshutil.copyfileobj(b, c)\nx, y = c.getvalue(), b'c'",
        ("a", ""),
    ),
    "a log": (
        "import io, logging\nb = io.StringIO()\nlog = logging.getLogger('tests.streams')\nlog.propagate = False\nlog.setLevel('INFO')\nlog.handlers[:] = [logging.StreamHandler(b)]\nlog.info('c')\ny = b.getvalue()\nlog.debug('not shown %s', tag('b', 'z'))\nlog.warning('a reply: %s', tag('a', 'r'))\nx = b.getvalue()",
        ("a", ""),
    ),
    "an environment variable": (
        "import os\nos.environ['AO_TEST_X'] = tag('a', 'reply')\nos.environ['AO_TEST_Y'] = 'reply'\nx = os.environ['AO_TEST_X'] + os.getenv('AO_TEST_X')\ny = os.environ.get('AO_TEST_Y')\ndel os.environ['AO_TEST_X'], os.environ['AO_TEST_Y']",
        ("a", ""),
    ),
    "a database": (
        "import sqlite3\nd = sqlite3.connect(':memory:')\nd.execute('create table t (k text, v text)')\nd.execute('insert into t values (?, ?)', ('k', tag('a', 'some reply')))\nd.execute('insert into t values (?, ?)', ('l', 'other'))\nx = d.execute('select v from t where k = ?', ('k',)).fetchone()[0]\ny = [v for k, v in d.execute('select k, v from t') if k == 'l'][0]\nd.close()",
        ("a", ""),
    ),
    "database rows by name": (
        "import sqlite3\nd = sqlite3.connect(':memory:')\nd.row_factory = sqlite3.Row\nd.execute('create table t (k text, v text)')\nd.executemany('insert into t values (?, ?)', [('k', tag('a', 'some reply')), ('l', 'other')])\nx, y = [r['v'] for r in d.execute('select * from t').fetchall()]\nd.close()",
        ("a", ""),
    ),
    "the arguments of a process": (
        "import subprocess\nx = subprocess.run(['echo', tag('a', 'reply')], capture_output=True, text=True).stdout\ny = subprocess.run(['echo', 'reply'], capture_output=True, text=True).stdout",
        ("a", ""),
    ),
    "what a process is told": (
        "import subprocess\nwith subprocess.Popen(['cat'], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as p:\n    def say(t):\n        p.stdin.write(t + '\\n')\n        p.stdin.flush()\n        return p.stdout.readline()\n    x = say(tag('a', 'reply'))\n    y = say('reply')",
        ("a", ""),
    ),
    "communicate": (
        "import subprocess\np = subprocess.Popen(['cat'], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)\nx, _ = p.communicate(tag('a', 'reply'))\np = subprocess.Popen(['cat'], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)\ny, _ = p.communicate('reply')",
        ("a", ""),
    ),
    "a socket": (
        "import socket\np, q = socket.socketpair()\nimport threading\ndef echo():\n    while data := q.recv(100):\n        q.sendall(data)\nt = threading.Thread(target=echo)\nt.start()\np.sendall(tag('a', b'reply'))\nx = p.recv(100)\np.sendall(b'reply')\ny = p.recv(100)\np.close()\nt.join()\nq.close()",
        ("a", ""),
    ),
    "a compressor": (
        "import zlib\nc = zlib.compressobj()\nd = c.compress(tag('a', b'x' * 50)) + c.flush()\nx = zlib.decompress(d)\ny = zlib.decompress(zlib.compress(b'x' * 50))",
        ("a", ""),
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_what_was_written_is_found_again_and_nothing_else(name: str, run: Run) -> None:
    source, expected = FILES[name]
    found = run(source)
    assert (found["origins"](found["x"]), found["origins"](found["y"])) == expected


def test_a_file_that_is_watched_is_closed_when_python_closes_it(run: Run) -> None:
    descriptors = len(os.listdir("/proc/self/fd"))
    run("open('f', 'w').write(tag('a', 'reply'))\nx = open('f').read()\nfor line in open('f'):\n    pass")
    assert len(os.listdir("/proc/self/fd")) == descriptors


def test_nothing_is_flushed_that_python_would_not_flush(run: Run, folder: Path) -> None:
    found = run("f = open('f', 'w')\nf.write(tag('a', 'reply'))\nprint(tag('b', 'more'), file=f)")
    assert (folder / "f").read_text() == ""
    found["f"].close()
    assert (folder / "f").read_text() == "replymore\n"


def test_errors_of_a_stream_are_those_of_python(run: Run) -> None:
    for source in (
        "f = open('f', 'w')\nf.close()\nf.write(tag('a', 'x'))",
        "open('f', 'w').read()",
        "open('f', 'w').write(tag('a', b'x'))",
        "import io\nio.StringIO(tag('a', 'x')).seek(-1)",
        "open('f', 'w').writelines(3)",
    ):

        def untagged(_: str, value: Any) -> Any:
            return value

        with pytest.raises(Exception) as plain:  # noqa: PT011 - which, is what is compared
            exec(source, {"tag": untagged})
        with pytest.raises(type(plain.value)) as recorded:
            run(source)
        assert str(recorded.value) == str(plain.value)
