"""Template strings (`t"…"`) have the values that were written into them, with what they came from. As in
test_flow.py, `tag("a", v)` is a value that came from call `a`; the library is one that nothing in here knows."""

from __future__ import annotations

import ast
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ao_lsp.taint import names, reach, rewrite

from .conftest import imported

pytestmark = pytest.mark.skipif(sys.version_info < (3, 14), reason="template strings are of Python 3.14")

Run = Callable[..., dict[str, Any]]

LIBRARY = """
    def said(template):
        return "".join(part if isinstance(part, str) else f"<{part.value}>" for part in template)

    def first(interpolation):
        return interpolation.value + "!"
"""

RENDER = """
from string.templatelib import Interpolation, Template, convert
def render(template):
    made = []
    for part in template:
        match part:
            case str():
                made.append(part)
            case Interpolation(value, _, conversion, spec):
                made.append(format(convert(value, conversion), spec))
    return ''.join(made)
p, q, w = tag('a', 'p' * 9), tag('b', 'q' * 9), tag('c', '20')
"""

CASES = {
    "a value": ("x = t'<{p}>'.interpolations[0].value", "a"),
    "one of the values": ("x = t'<{p}{q}>'.values[1]", "b"),
    "a text of the template": ("x = t'<{p}>'.strings[0]", ""),
    "the source of a value": ("x = t'<{p}>'.interpolations[0].expression", ""),
    "a computed value": ("x = t'<{p.upper() + q}>'.values[0]", "ab"),
    "a computed width": ("x = t'<{1:>{w}}>'.interpolations[0].format_spec", "c"),
    "rendered": ("x = render(t'<{p}>')", "a"),
    "rendered with a width": ("x = render(t'<{p!r:>{w}}>')", "ac"),
    "rendered one by one": ("x = [render(t'<{v}>') for v in (p, q)][1]", "b"),
    "two templates together": ("x = (t'<{p}>' + t'{q}>').values[1]", "b"),
    "a template in a template": ("x = t'<{t\"{p}\"}>'.values[0].values[0]", "a"),
    "what says its own source": ("x = t'<{p=}>'.values[0]", "a"),
    "iterating": ("x = [part.value for part in t'<{p}{q}>' if not isinstance(part, str)][0]", "a"),
    "a pattern": ("match t'<{p}>'.interpolations[0]:\n    case Interpolation(x, _, _, _):\n        pass", "a"),
    "made by hand": ("x = Template('<', Interpolation(p, 'p')).values[0]", "a"),
    "given to a library": ("x = lib.said(t'<{p}>')", "a"),
    "given to a library, of two": ("x = lib.said(t'<{p}{q}>')", "ab"),
    "a part given to a library": ("x = lib.first(t'<{p}{q}>'.interpolations[1])", "b"),
    "given to a library in a list": ("x = lib.said([*t'<{p}>'])", "a"),
}


@pytest.fixture
def lib() -> Iterator[types.ModuleType]:
    with imported(LIBRARY, print) as module:
        yield module


@pytest.mark.parametrize("name", CASES)
def test_what_is_written_into_a_template_keeps_its_origins(name: str, run: Run, lib: types.ModuleType) -> None:
    program, expected = CASES[name]
    namespace = run(f"{RENDER}{program}\n", lib=lib)
    assert namespace["origins"](namespace["x"]) == expected, namespace["x"]


def test_a_template_is_what_it_is_without_tracking(run: Run) -> None:
    source = "w = '>9'\ntemplate = t'a{w!r:{w}}b{len(w) + 1}{{}}{w=}{w:x}'\n"
    plain: dict[str, Any] = {}
    exec(source, plain)  # the program as it stands

    def seen(template: Any) -> list[Any]:
        parts = [(p.value, p.expression, p.conversion, p.format_spec) for p in template.interpolations]
        return [template.strings, parts]

    assert seen(run(source)["template"]) == seen(plain["template"])


def test_a_template_that_goes_out_has_what_was_written_into_it(run: Run) -> None:
    template = run('template = t\'{tag("a", "p")}{1:{tag("b", ">9")}}\'\n')["template"]
    assert set(reach.reach([template])) == {"a", "b"}


def test_a_rewritten_template_helps_what_is_evaluated_in_it_and_keeps_its_source() -> None:
    tree = rewrite.rewrite(b"t'a{f(b.c)!r:>{w}}{d}'", "program.py")
    statement: Any = tree.body[0]
    _, first, second = statement.value.values
    assert (first.str, first.conversion, second.str) == ("f(b.c)", ord("r"), "d")
    assert ast.unparse(first.value).count(names.HELPER) == 4  # a function called, an attribute read, each with its test
    assert names.HELPER + "text" in ast.unparse(first.format_spec)
    assert ast.unparse(second.value) == "d"
    assert ast.unparse(tree)  # DEBUG_AST_REWRITES
