"""What decides whether a graph can be believed: cases in which a value is near an origin that it does not
have, and some that are easily lost. Each case is a program; `tag("a", v)` came from call `a`."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

import pytest

from ao_lsp.taint.origins import origin
from ao_lsp.taint.state import TAINT
from ao_lsp.taint.table import mark

Run = Callable[..., dict[str, Any]]

CASES = {
    # -- receivers that absorb, and those that do not
    "a hash absorbs": (
        "import hashlib\nh = hashlib.sha256(b'c')\nh.update(tag('a', b'p'))\nx = h.hexdigest()",
        "a",
    ),
    "a bytearray absorbs": ("b = bytearray(b'c')\nb.extend(tag('a', b'pq'))\nx = b.decode()", "a"),
    "a logger does not": (
        "import logging\nlog = logging.getLogger('t')\nlog.debug(tag('a', 'p'))\nx = log.name + str(log.level)",
        "",
    ),
    "an executor does not": (
        "from concurrent.futures import ThreadPoolExecutor\nwith ThreadPoolExecutor(1) as pool:\n"
        "    pool.submit(str.upper, tag('a', 'p')).result()\n    x = pool.submit(str.upper, 'qq').result()",
        "",
    ),
    "a lock, an event and a condition do not": (
        "import threading\ne = threading.Event()\ne.wait(tag('a', 0.0))\nx = str(e.is_set())",
        "",
    ),
    # -- what a reply selects
    "a tool that a reply names": ("tools = {'up': str.upper}\nx = tools[tag('a', 'up')]('qq')", ""),
    "a tool of the user's that a reply names": (
        "def up(p):\n    return p + '!'\nx = {'up': up}[tag('a', 'up')]('qq')",
        "",
    ),
    "a tool by getattr": ("import string\nx = getattr(string, tag('a', 'digits'))", ""),
    "a shared text by get": ("d = {'k': 'some text'}\nx = d.get(tag('a', 'k'), 'none')", ""),
    "an element by a number": ("l = ['some text', 'other']\nx = l[tag('a', 1)]", ""),
    "a member of an enumeration": (
        "import enum\nclass E(enum.Enum):\n    P = 'pp'\n    Q = 'qq'\nx = E[tag('a', 'P')].value",
        "",
    ),
    "control": ("x = 'yes' if tag('a', 'p') == 'p' else 'no'", ""),
    "a loop as long as a reply says": ("x = ''\nfor _ in range(tag('a', 3)):\n    x += 'c'", ""),
    # -- callbacks
    "a key of sorting": ("x = sorted(['bb', tag('a', 'aa'), 'cc'], key=lambda p: p[0])[2]", ""),
    "a key of grouping": (
        "import itertools\nx = [k for k, _ in itertools.groupby([tag('a', 'p1'), 'q1'], key=lambda p: p[0])][0]",
        "a",
    ),
    "a callback of a default": (
        "from collections import defaultdict\nd = defaultdict(lambda: tag('a', 'p'))\nx = d['k']",
        "a",
    ),
    "a callback when something is over": (
        "from concurrent.futures import ThreadPoolExecutor\nl = []\nwith ThreadPoolExecutor(1) as pool:\n"
        "    f = pool.submit(lambda p: p + '!', tag('a', 'p'))\n"
        "    f.add_done_callback(lambda f: l.append(f.result()))\n"
        "x = l[0]",
        "a",
    ),
    "a callback of an event loop": (
        "import asyncio\nasync def main():\n    done = asyncio.get_running_loop().create_future()\n"
        "    asyncio.get_running_loop().call_soon(done.set_result, tag('a', 'p'))\n    return await done\n"
        "x = asyncio.run(main())",
        "a",
    ),
    "exit handlers of a stack": (
        "import contextlib\nl = []\nwith contextlib.ExitStack() as stack:\n"
        "    stack.callback(lambda p: l.append(p + '!'), tag('a', 'p'))\nx = l[0]",
        "a",
    ),
    # -- threads, tasks, queues
    "a priority queue": (
        "import queue\nq = queue.PriorityQueue()\nq.put((2, 'cc'))\nq.put((1, tag('a', 'p')))\nx = q.get()[1]",
        "a",
    ),
    "the other one of a priority queue": (
        "import queue\nq = queue.PriorityQueue()\nq.put((2, 'cc'))\nq.put((1, tag('a', 'p')))\nq.get()\nx = q.get()[1]",
        "",
    ),
    "a value that a thread keeps to itself": (
        "import threading\nl = threading.local()\nl.p = tag('a', 'p')\n"
        "def other():\n    l.p = 'cc'\nt = threading.Thread(target=other)\nt.start()\nt.join()\nx = l.p",
        "a",
    ),
    "a context variable in a task": (
        "import asyncio, contextvars\nv = contextvars.ContextVar('v', default='cc')\n"
        "async def sets():\n    v.set(tag('a', 'p'))\n"
        "async def main():\n    await asyncio.create_task(sets())\n    return v.get()\nx = asyncio.run(main())",
        "",
    ),
    # -- errors
    "an error of a library": (
        "import json\ntry:\n    json.loads(tag('a', '{p'))\nexcept ValueError as e:\n    x = e.doc",
        "a",
    ),
    "a chain of errors": (
        "try:\n    try:\n        int(tag('a', 'p'))\n    except ValueError as e:\n        raise KeyError('c') from e\n"
        "except KeyError as e:\n    x = f'{e.__cause__}'",
        "a",
    ),
    "the outer one of a chain of errors": (
        "try:\n    try:\n        int(tag('a', 'p'))\n    except ValueError as e:\n        raise KeyError('cc') from e\n"
        "except KeyError as e:\n    x = e.args[0]",
        "",
    ),
    "a note on an error": (
        "import sys\ntry:\n    raise ValueError('c')\nexcept ValueError as e:\n"
        "    e.note = tag('a', 'p')\n    x = e.note",
        "a",
    ),
    "a traceback": (
        "import traceback\ntry:\n    raise ValueError(tag('a', 'p'))\nexcept ValueError as e:\n"
        "    x = ''.join(traceback.format_exception_only(e))",
        "a",
    ),
    # -- lazy objects
    "a match's other text": ("import re\nm = re.search('(p)', tag('a', 'p q'))\nx = m.string", "a"),
    "a reader of lines": ("import io\nx = [line for line in io.StringIO(tag('a', 'p\\nq'))][1]", "a"),
    "a date": ("import datetime\nx = datetime.date.fromisoformat(tag('a', '2030-05-11')).isoformat()", "a"),
    "a path's parent": ("import pathlib\nx = pathlib.PurePosixPath(tag('a', '/p/q')).parent.name", "a"),
    # -- elements
    "a nested element": ("d = {'k': [{'l': tag('a', 'p')}, {'l': 'cc'}]}\nx = d['k'][1]['l']", ""),
    "a slice without it": ("l = ['cc', tag('a', 'p'), 'dd']\nx = ' '.join(l[::2])", ""),
    "an element that was taken out": ("l = ['cc', tag('a', 'p')]\nl.remove('p')\nx = ' '.join(l)", ""),
    "an element that was written over": ("d = {'k': tag('a', 'p')}\nd.update(k='cc')\nx = d['k']", ""),
    "keys and not values": ("d = {'kk': tag('a', 'p')}\nx = ' '.join(d)", ""),
    # -- what the interpreter shares
    "another small number": ("y = int(tag('a', '7'))\nx = 3 + 4", ""),
    "another small number from a text": ("y = int(tag('a', '7'))\nx = int('7')", ""),
    "a small number in a set": ("s = {int(tag('a', '7'))}\nx = [7 in s, 7][1]", ""),
    "another character": ("y = tag('a', 'p')[0]\nx = 'pq'[0]", ""),
    "another byte": ("y = tag('a', b'p')[0:1]\nx = b'pq'[0:1]", ""),
    "another name": ("y = tag('a', 'some_name')\nx = 'some_name'", ""),
    "nothing": ("y = tag('a', 'p').strip('p')\nx = ''", ""),
    "a boolean": ("y = tag('a', 'p').isalpha()\nx = str(True)", ""),
    # -- equal values
    "equal texts of two calls": ("y, x = tag('a', 'same text'), tag('b', 'same text')", "b"),
    "equal texts of two calls in a list": ("l = [tag('a', 'same text'), tag('b', 'same text')]\nx = l[1] + '!'", "b"),
    "equal keys of two calls": (
        "d = {}\nd[tag('a', 'kk')] = 1\nd[tag('b', 'kk')] = 2\nx = list(d)[0]",
        "a",
    ),
    "equal texts in a set": ("s = {tag('a', 'kk')}\ns.add(tag('b', 'kk'))\nx = next(iter(s))", "a"),
    "an equal constant": ("y = tag('a', 'same text')\nx = 'same ' + 'text'", ""),
}


@pytest.mark.parametrize("name", CASES)
def test_a_value_has_the_origins_that_flowed_into_it_and_no_others(name: str, run: Run) -> None:
    program, expected = CASES[name]
    namespace = run(program + "\n")
    assert namespace["origins"](namespace["x"]) == expected, namespace["x"]


def test_an_address_that_is_used_again_inherits_nothing(run: Run) -> None:
    """Objects of one size, made and dropped: the allocator gives the same addresses again and again."""
    namespace = run(
        """
        class Note:
            def __init__(self, text):
                self.text = text

        wrong = []
        for number in range(3000):
            tagged = Note(tag("a", "reply " + str(number)))
            kept = f"<{tagged.text}>", [tagged.text], {tagged.text: tagged}
            del tagged, kept
            plain = Note("constant " + str(number))
            made = f"<{plain.text}>", [plain.text], {plain.text: plain}
            if origins([plain, made]):
                wrong.append(number)
        """
    )
    assert namespace["wrong"] == []


def test_a_dead_object_leaves_no_entry() -> None:
    before = len(TAINT)

    class Reply:
        pass

    from ao_lsp.taint.table import SOURCE, watch

    reply = Reply()
    watch(reply, origin("a"), SOURCE)
    key = id(reply)
    assert key in TAINT
    del reply
    gc.collect()
    assert key not in TAINT
    assert len(TAINT) == before
    assert mark(None, origin("a")) is None
