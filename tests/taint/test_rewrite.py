"""What the rewriter makes of each construct: the source before, and after.

In the expected sources `T` stands for the test that something is tagged, `L` for the test that
recorded calls are possible, and helpers have their bare names.
"""

from __future__ import annotations

import ast
import re
import sys
import textwrap

import pytest

from ao_lsp.taint import hook, names, rewrite


class _AsElsewhere(ast.NodeTransformer):
    """What is generated for Python 3.12 (`_guarded_call` says why), as it is for the others."""

    def visit_IfExp(self, node: ast.IfExp) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.test, ast.UnaryOp) and isinstance(node.orelse, ast.IfExp):
            return ast.IfExp(node.test.operand, node.orelse.body, node.body)
        return node


def rewritten(source: str) -> str:
    tree = rewrite.rewrite(textwrap.dedent(source).encode(), "program.py")
    text = ast.unparse(_AsElsewhere().visit(tree) if sys.version_info[:2] == (3, 12) else tree)
    text = text.replace(names.TAINTED, "T").replace(names.WATCHED, "L").replace(names.INSIDE_LIBRARY, "I")
    return re.sub(re.escape(names.HELPER) + r"([\w.]+)", lambda match: match[1].replace(".", "_"), text)


CASES = {
    "an operator on names is tested first": ("a + b", "Add(a, b) if T else a + b"),
    "an operator on anything else is always helped": ("a * f(b)", "Mult(a, (callee(f)(b) if L else f(b)))"),
    "constants stay for the compiler to fold": ("x = 2 ** 10 + 1", "x = 2 ** 10 + 1"),
    "a minus sign": ("-a", "USub(a) if T else -a"),
    "a negative number is no operation": ("x = -1", "x = -1"),
    "not is a boolean test": ("not a", "not a"),
    "comparisons, identity and boolean tests": (
        "a < b <= c, a is b, a in b, a and b or c",
        "(a < b <= c, a is b, a in b, (a and b) or c)",
    ),
    "adding in place": ("x += y", "x += in_place_Add(x, y) if T else y"),
    "adding what a call returns": ("x += f()", "x += in_place_Add(x, callee(f)() if L else f())"),
    "adding a sum": ("x += -a * b", "x += in_place_Add(x, Mult(USub(a), b)) if L else -a * b"),
    "operators in operators": ("a * -b + 2 * c", "Add(Mult(a, USub(b)), Mult(2, c)) if L else a * -b + 2 * c"),
    "operators around a call": ("a * b + f()", "Add(Mult(a, b) if T else a * b, callee(f)() if L else f())"),
    "formatting in place": ("x %= y", "x = in_place_Mod(x, y)"),
    "in place on an attribute": ("o.x += y", "(target(o) if L else o).x += y"),
    "in place on an item": ("d[k] += y", "(target(d) if L else d)[k] += y"),
    "in place in a class body": ("class C:\n    x = 1\n    x += 1", "class C:\n    x = 1\n    x += 1"),
    "what may not be the same in every run is helped from the start": (
        "from uuid import uuid4 as u\ntime.time(), d.now(z), u(), f()",
        "from uuid import uuid4 as u\n(drawn(time.time)(), drawn(d.now)(z), drawn(u)(), callee(f)() if L else f())",
    ),
    "an attribute": ("o.x", "(attribute(o) if T else o).x"),
    "an attribute of what a call returns": ("f().x", "attribute(callee(f)() if L else f()).x"),
    "an attribute of a module": ("import m\nm.x", "import m\nm.x"),
    "an attribute of the method's own object": (
        "class C:\n    def m(self):\n        y = self.x",
        "class C:\n\n    def m(self):\n        y = self.x",
    ),
    "a function that library code may call": (
        "def f(a, b=1, *, unused=2, **more):\n    'text'\n    use(a, b, more)",
        "def f(a, b=1, *, unused=2, **more):\n    'text'\n    if I and called_back():\n        a = handed(a)\n"
        "        b = handed(b)\n        more = handed(more)\n"
        "    if L:\n        callee(use)(a, b, more)\n    else:\n        use(a, b, more)",
    ),
    "what it gives back": (
        "def f():\n    return x",
        "def f():\n    if I:\n        return given_back(x)\n    else:\n        return x",
    ),
    "what it gives back, of a call": (
        "def f():\n    return g()",
        "def f():\n    if I:\n        return given_back(callee(g)())\n    else:\n"
        "        return callee(g)() if L else g()",
    ),
    "what it gives back, with code of its own": (
        "def f():\n    return [i for i in x]",
        "def f():\n    return given_back([i for i in (iterate(x) if L else x)])",
    ),
    "nothing, and constants, that it gives back": (
        "def f():\n    return -1, 2\n    return",
        "def f():\n    return (-1, 2)\n    return",
    ),
    "what a generator returns": ("def f():\n    yield\n    return x", "def f():\n    yield\n    return x"),
    "a method that library code may call": (
        "class C:\n    def f(self, a):\n        self.x = a\n    def __eq__(self, a):\n        return a",
        "class C:\n    global called_back, handed, I\n\n    def f(self, a):\n        if I and called_back():\n"
        "            a = handed(a)\n        self.x = a\n\n    def __eq__(self, a):\n        return a",
    ),
    "a lambda that library code may call": (
        "lambda a: a",
        "lambda a: a if not (I and called_back() and handed_lambda((a := handed(a)))) else None",
    ),
    "a lambda where nothing may be assigned": (
        "[1 for i in map(lambda a: a, x)]",
        "[1 for i in iterate((callee(map) if L else map)(lambda a: a, x))]",
    ),
    "setting and deleting an attribute": ("o.x = y\ndel o.x", "o.x = y\ndel o.x"),
    "an item": ("d[k]", "(item(d) if T else d)[k]"),
    "a slice": ("s[1:n]", "(item(s) if T else s)[1:n]"),
    "setting and deleting an item": ("d[k] = y\ndel d[k]", "d[k] = y\ndel d[k]"),
    "a call with plain arguments": ("f(a, 1, k=b)", "callee(f)(a, 1, k=b) if L else f(a, 1, k=b)"),
    "a call with other arguments": ("f(a[0])", "(callee(f) if L else f)((item(a) if T else a)[0])"),
    "a method call": ("o.m(a)", "callee(o.m)(a) if L else o.m(a)"),
    "a method of what a call returns": ("f().m()", "callee((callee(f)() if L else f()).m)()"),
    "unpacked arguments": (
        "f(*a, **b)",
        "(callee(f) if L else f)(*(spread(a) if L else a), **b)",
    ),
    "functions that look at their caller's frame": (
        "super().m(), locals(), eval('1'), type(a)",
        "(callee(super().m)(), locals(), eval('1'), type(a))",
    ),
    "printing to the standard output": ("print(a, sep='')", "print(a, sep='')"),
    "printing to somewhere": ("print(a, file=o)", "callee(print)(a, file=o) if L else print(a, file=o)"),
    "an f-string of names": (
        "f'{a!r:>9} b {c}'",
        "text(formatted(a, 114, '>9'), ' b ', formatted(c)) if T else f'{a!r:>9} b {c}'",
    ),
    "a percent that the compiler writes as an f-string": (
        "'%s: %-5r%%' % (a, f())",
        "text(formatted(a, 115), ': ', formatted(callee(f)() if L else f(), 114, '5'), '%')",
    ),
    "a percent that it leaves": ("'%d %s' % (a, b)", "Mod('%d %s', (a, b))"),
    "an f-string of one name": ("f'{a}'", "formatted(a) if T else f'{a}'"),
    "an f-string with a computed width": (
        "f'{a:{w}}'",
        "formatted(a, -1, formatted(w) if T else f'{w}')",
    ),
    "an f-string of anything else": ("f'x{f()}'", "text('x', formatted(callee(f)() if L else f()))"),
    "an f-string without values": ("f'x'", "f'x'"),
    "a loop": ("for x in y:\n    pass", "for x in iterate(y) if L else y:\n    pass"),
    "a comprehension": ("[x for x in f()]", "[x for x in iterate(callee(f)() if L else f())]"),
    "unpacking": ("a, *b = c", "(a, *b) = spread(c) if L else c"),
    "swapping": ("a, b = b, a", "(a, b) = (b, a)"),
    "a plain assignment": ("a = b = c", "a = b = c"),
    "in a class body, whose namespace may answer every name": (
        "class C:\n    'doc'\n    x = a + b",
        "class C:\n    'doc'\n    global Add, T\n    x = Add(a, b) if T else a + b",
    ),
    "yield from": ("def g():\n    yield from x", "def g():\n    yield from iterate(x) if L else x"),
    "await": ("async def g():\n    await x", "async def g():\n    await (awaited(x) if L else x)"),
    "asynchronous loops and contexts": (
        "async def g():\n    async for x in y:\n        pass\n    async with x as y:\n        pass",
        "async def g():\n    async for x in iterate_async(y) if L else y:\n        pass\n"
        "    async with entered_async(x) if L else x as y:\n        pass",
    ),
    "with": ("with x as y:\n    pass", "with entered(x) if L else x as y:\n    pass"),
    "decorators, bases and annotations": (
        "@d(1)\nclass C(b(), m=f(2)):\n    x: t[0] = 1\n\n@d.e\ndef g(x: f()) -> t[0]:\n    pass",
        "@d(1)\nclass C(b(), m=f(2)):\n    x: t[0] = 1\n\n@d.e\ndef g(x: f()) -> t[0]:\n    pass",
    ),
    "default values": ("def g(x=a + b):\n    pass", "def g(x=Add(a, b) if T else a + b):\n    pass"),
    "patterns": (
        "match x:\n    case A.b | -1 | 1 + 2j if a + b:\n        pass",
        "match x:\n    case A.b | -1 | 1 + 2j if (Add(a, b) if T else a + b):\n        pass",
    ),
    "a call as a statement": ("f(a)\n", "if L:\n    callee(f)(a)\nelse:\n    f(a)"),
    "a docstring stays the first statement": ("'doc'\nfrom __future__ import annotations", None),
}


@pytest.mark.parametrize("name", CASES)
def test_a_construct_is_rewritten_so(name: str) -> None:
    before, after = CASES[name]
    expected = before if after is None else after
    if "\n" not in before and isinstance(ast.parse(before).body[0], ast.Expr):
        before, expected = f"r = {before}", f"r = {expected}"
    assert rewritten(before) == ast.unparse(ast.parse(expected))


def test_the_cache_is_keyed_by_the_version_of_the_rewriter() -> None:
    assert hook.VERSION == rewrite.VERSION


@pytest.mark.parametrize(
    "source",
    [
        "x = (first_operand +\n     second_operand)",
        "value = (client\n         .chat\n         .create(a,\n                 b))",
        "text = f'{one} and {two!r}'",
        "result = table[key][other]",
        "total += amount",
    ],
)
def test_every_instruction_of_the_operation_keeps_its_position(source: str) -> None:
    # What a traceback points at is the position of the instruction that raises: positions that the
    # plain code has must all be there in the rewritten code.
    def positions(code: object) -> set[object]:
        return {place for place in code.co_positions() if place[0] and place[1] is not None}  # type: ignore[attr-defined]

    plain = compile(source, "p", "exec")
    ours = compile(rewrite.rewrite(source.encode(), "p"), "p", "exec")
    if not hasattr(plain, "co_positions"):
        pytest.skip("Python 3.10 has no columns")
    assert positions(plain) <= positions(ours)
