"""Which origins a value has after the language, the standard library and the user's code are done
with it. Each case is a program; `tag("a", v)` is a value that came from call `a`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Run = Callable[..., dict[str, Any]]

CASES = {
    # -- texts
    "concatenation": ("x = 'say: ' + tag('a', 'hi') + '!'", "a"),
    "both operands": ("x = tag('a', 'hi') + tag('b', 'there')", "ab"),
    "adding in place": ("x = 'say: '\nx += tag('a', 'hi')", "a"),
    "a text that is added nothing keeps its object": ("x = tag('a', 'hi') + ''", "a"),
    "nothing plus a text": ("x = '' + tag('a', 'hi') + tag('b', '')", "a"),
    "repeating": ("x = tag('a', 'ab') * 2", "a"),
    "how often a constant is repeated": ("x = '=' * tag('a', 3)", ""),
    "an index": ("x = tag('a', 'hi')[0]", "a"),
    "a slice": ("x = tag('a', 'hello')[1:3]", "a"),
    "a slice of a constant": ("x = 'hello'[tag('a', 1):]", ""),
    "an f-string": ('x = f\'<{tag("a", "hi")!r:>9}>\'', "a"),
    "the width in an f-string": ("x = f'{1:{tag(\"a\", 5)}}'", "a"),
    "% with a tuple": ("x = '%s %d' % (tag('a', 'hi'), tag('b', 3))", "ab"),
    "% with a mapping uses what it names": ("x = '%(p)s' % {'p': tag('a', 'x'), 'q': tag('b', 'y')}", "a"),
    "% leaves %% alone": ("x = '100%% of %s' % tag('a', 'x')", "a"),
    "format uses what it names": ("x = '{1} {k}'.format(tag('a', 'x'), tag('b', 'y'), k=tag('c', 'z'))", "bc"),
    "format_map": ("x = '{k}'.format_map({'k': tag('a', 'x'), 'l': tag('b', 'y')})", "a"),
    "a template uses what it names": (
        "import string\nx = string.Template('$k').substitute({'k': 'c', 'l': tag('b', 'y')})",
        "",
    ),
    "splitting": ("x = tag('a', 'one two').split()[1]", "a"),
    "splitting a constant by a reply": ("x = 'a-b'.split(tag('a', '-'))", ""),
    "joining": ("x = '-'.join(['c', tag('a', 'x')])", "a"),
    "joining a generator": ("x = '-'.join(w.upper() for w in tag('a', 'one two').split())", "a"),
    "joining by a reply": ("x = tag('a', ', ').join(['p', 'q'])", "a"),
    "joining one by a reply": ("x = tag('a', ', ').join(['p'])", ""),
    "a method that changes nothing": ("x = tag('a', 'low').lower()", "a"),
    "replacing by a reply": ("x = 'hello NAME'.replace('NAME', tag('a', 'Bo'))", "a"),
    "characters of a text": ("x = [c for c in tag('a', 'hi')]", "a"),
    "characters by unpacking": ("p, q = tag('a', 'hi')\nx = q", "a"),
    "sorted characters": ("x = ''.join(sorted(set(tag('a', 'listen'))))", "a"),
    "encoding": ("x = tag('a', 'é').encode().decode('latin-1')", "a"),
    "a library function of a text": ("import textwrap\nx = textwrap.fill(tag('a', 'one two'), 4)", "a"),
    "a compiled function of a text": ("import unicodedata\nx = unicodedata.normalize('NFKD', tag('a', 'é'))", "a"),
    # -- numbers
    "a small number": ("x = int(tag('a', '4'))", "a"),
    "an equal small number elsewhere": ("y = int(tag('a', '4'))\nx = 2 + 2", ""),
    "arithmetic": ("x = (int(tag('a', '4')) + 1) / 2", "a"),
    "a sign": ("x = -tag('a', 4)", "a"),
    "the length of a text": ("x = len(tag('a', 'hello'))", "a"),
    "the length of a list": ("x = len([tag('a', 'hello')])", ""),
    "rounding and parts": ("x = divmod(round(tag('a', 7.4)), 2)[1]", "a"),
    "a sum": ("x = sum([tag('a', 1), 2, tag('b', 3)])", "ab"),
    "the largest is one of them": ("x = max([tag('a', 1), tag('b', 3)])", "b"),
    "decimals": ('from decimal import Decimal\nx = f\'{Decimal(tag("a", "2.5")) * 2:.3f}\'', "a"),
    "dates": ("from datetime import datetime\nx = datetime.fromisoformat(tag('a', '2030-05-11')).year + 1", "a"),
    "the larger of two texts": ("x = max(tag('a', 'pear'), tag('b', 'apple'))", "a"),
    "the first of some": ("x = min(['p', tag('a', 'b')])", "a"),
    "a sentinel": ("i = iter([tag('a', 'p'), 'q'])\nx = list(iter(lambda: next(i), 'q'))[0]", "a"),
    "an index selects": ("x = ['p', 'q'][tag('a', 1)]", ""),
    "a comparison": ('x = f\'{tag("a", "p") == "p"}\'', ""),
    # -- structures
    "an element of a list": ("l = ['p', tag('a', 'q')]\nx = l[0]", ""),
    "another element of a list": ("l = ['p', tag('a', 'q')]\nx = l[1]", "a"),
    "JSON": ("import json\nx = json.loads(tag('a', '{\"k\": [1, {\"l\": \"m\"}]}'))['k'][1]['l']", "a"),
    "a number in JSON": ("import json\nx = json.loads(tag('a', '[7]'))[0] + 1", "a"),
    "a key in JSON": ("import json\nx = list(json.loads(tag('a', '{\"k\": 1}')))[0]", "a"),
    "JSON of a constant": ("import json\ny = tag('a', '[\"k\"]')\nx = json.loads('[\"k\"]')[0]", ""),
    "JSON with a hook": (
        "import json\nx = json.loads(tag('a', '{\"K\": \"v\"}'), object_hook=lambda o: {k.lower(): v for k, v in o.items()})['k']",
        "a",
    ),
    "JSON written and read again": (
        "import json\nx = json.loads(json.dumps({'k': tag('a', 'p'), 'l': [tag('b', 2)], 'm': 'c'}, indent=1))['l'][0]",
        "b",
    ),
    "a constant in JSON written and read again": (
        "import json\nx = json.loads(json.dumps({'k': tag('a', 'p'), 'l': [tag('b', 2)], 'm': 'c'}))['m']",
        "",
    ),
    "the text of a list": ('x = f\'{[tag("a", "p"), "q"]}\'', "a"),
    "a copy": ("import copy\nx = copy.deepcopy({'p': ['c', tag('a', 'q')]})['p'][1]", "a"),
    "a copy's other part": ("import copy\nx = copy.deepcopy({'p': ['cc', tag('a', 'q')]})['p'][0]", ""),
    "a look-up selects": ("x = {'yes': 'chosen'}.get(tag('a', 'yes'))", ""),
    "a default": ("x = {}.get('k', tag('a', 'd'))", "a"),
    "a reply as a key": ("d = {tag('a', 'k'): 1}\nx = next(iter(d))", "a"),
    "iterating in pairs": ("x = [p for p, q in zip([tag('a', 'p')], [tag('b', 'q')])]", "a"),
    "counting along": ("x = [i for i, c in enumerate(tag('a', 'hi'))]", ""),
    "mapping": ("x = list(map(int, tag('a', '1 2').split()))[1]", "a"),
    "mapping a function of the user's": ("x = list(map(lambda t: t + '!', [tag('a', 'p')]))[0]", "a"),
    "reducing": ("from functools import reduce\nx = reduce(lambda p, q: p + q, [tag('a', 'p'), 'q'])", "a"),
    "regular expressions": ("import re\nx = re.search(r'(\\d+)', tag('a', 'no 12'))[1]", "a"),
    "substituting by a function": (
        "import re\nv = {'p': tag('a', 'P'), 'q': 'Q'}\nx = re.sub(r'\\w', lambda m: v[m[0]], 'q')",
        "",
    ),
    "substituting by a function that is given": (
        "import re\nv = {'p': tag('a', 'P'), 'q': 'Q'}\nx = re.sub(r'\\w', lambda m: v[m[0]], 'p')",
        "a",
    ),
    "a file in memory": ("import io\nf = io.StringIO()\nprint('p', tag('a', 'q'), file=f)\nx = f.getvalue()", "a"),
    # -- the user's own code
    "a function": ("def f(p, *, q='c'):\n    return p + q\nx = f(tag('a', 'p'))", "a"),
    "a function that returns a constant": ("def f(p):\n    return 'constant'\nx = f(tag('a', 'p'))", ""),
    "a closure": ("def f(p):\n    return lambda: p.upper()\nx = f(tag('a', 'p'))()", "a"),
    "a generator": ("def g():\n    yield 'c'\n    yield tag('a', 'p') + '!'\nx = list(g())[1]", "a"),
    "sending to a generator": (
        "def g():\n    q = yield\n    yield q + '!'\ni = g()\nnext(i)\nx = i.send(tag('a', 'p'))",
        "a",
    ),
    "an attribute": ("class C:\n    pass\no = C()\no.p = tag('a', 'p')\no.q = 'q'\nx = o.p + o.q", "a"),
    "adding to an attribute in place": ("class C:\n    p = 'c'\no = C()\no.p += tag('a', 'p')\nx = o.p", "a"),
    "adding to an item in place": ("d = {'k': 1}\nd['k'] += tag('a', 2)\nx = d['k']", "a"),
    "the object's own text": (
        "class C:\n    def __str__(self):\n        return 'C ' + tag('a', 'p')\nx = f'{C()}'",
        "a",
    ),
    "the object's own text by %": (
        "class C:\n    def __repr__(self):\n        return 'C ' + tag('a', 'p')\nx = '%r' % C()",
        "a",
    ),
    "the text of a data class": (
        "from dataclasses import dataclass\n@dataclass\nclass C:\n    p: str\n    q: int = 3\nx = repr(C(tag('a', 'p')))",
        "a",
    ),
    "the other field of a data class": (
        "from dataclasses import dataclass\n@dataclass\nclass C:\n    p: str\n    q: int = 3\nx = C(tag('a', 'p')).q",
        "",
    ),
    "an object without a text of its own": ("class C:\n    pass\no = C()\no.p = tag('a', 'p')\nx = str(o)", ""),
    "an operator of the user's": (
        "class C:\n    def __init__(self, p):\n        self.p = p\n    def __add__(self, o):\n        return C(self.p + o)\n"
        "x = (C('c') + tag('a', 'p')).p",
        "a",
    ),
    "a text of the user's with more methods": (
        "class T(str):\n    __slots__ = ()\n    def shout(self):\n        return self.upper()\nx = '<' + T(tag('a', 'p'))",
        "a",
    ),
    "its own methods": (
        "class T(str):\n    def shout(self):\n        return self.upper()\nx = T(tag('a', 'p')).shout()",
        "a",
    ),
    "its own operator": (
        "class T(str):\n    def __add__(self, o):\n        return 'c'\nx = T(tag('a', 'p')) + 'q'",
        "",
    ),
    "a decorator of a library": (
        "import functools\ndef d(f):\n    @functools.wraps(f)\n    def g(*a):\n        return f(*a)\n    return g\n"
        "@d\ndef f(p):\n    return p + '!'\nx = f(tag('a', 'p'))",
        "a",
    ),
    "a cached function": (
        "import functools\n@functools.cache\ndef f(p):\n    return p + '!'\nf(tag('a', 'p'))\nx = f('p')",
        "a",
    ),
    "a partial application": (
        "from functools import partial\nx = partial(lambda p, q: p + q, tag('a', 'p'))('q')",
        "a",
    ),
    "a conditional": ("x = tag('a', 'p') if 1 else tag('b', 'q')", "a"),
    "or": ("x = tag('a', '') or tag('b', 'q')", "b"),
    "a pattern": ("match {'k': [tag('a', 'p'), 'q']}:\n    case {'k': [x, *_]}:\n        pass", "a"),
    "an error that quotes": ("try:\n    int(tag('a', 'many'))\nexcept ValueError as e:\n    x = f'{e}'", "a"),
    "an error of the user's": (
        "try:\n    raise KeyError(tag('a', 'k'))\nexcept KeyError as e:\n    x = e.args[0]",
        "a",
    ),
    "an overwritten variable": ("x = tag('a', 'p')\nx = 'q'", ""),
}


@pytest.mark.parametrize("name", CASES)
def test_a_value_has_the_origins_that_flowed_into_it(name: str, run: Run) -> None:
    program, expected = CASES[name]
    namespace = run(program + "\n")
    assert namespace["origins"](namespace["x"]) == expected, namespace["x"]
