"""Random expressions.

A program is typed loosely (numbers where numbers are wanted, with a slip now and then), so that most of
it runs, and ends by itself: loops and recursion are bounded, texts and numbers stay small. Everything it
does is told to `e(number, value)`, which hands the value through, and to `err(number, error)`. It may use what
`generated_library.py` gives it: `lib`, whose code is not rewritten, and `tag`, which marks a value.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .tape import Tape

KINDS = ("int", "str", "list", "dict", "bool", "obj")


class Expressions:
    """Writes expressions; `tape` decides."""

    def __init__(self, tape: Tape) -> None:
        self.tape = tape
        self.lines: list[str] = []
        self.indent = 0
        self.count = 0
        self.names: dict[str, list[str]] = {
            "int": ["i0", "i1", "i2"], "str": ["s0", "s1", "s2"], "list": ["l0", "l1"], "dict": ["d0", "d1"],
            "bool": ["b0", "b1"], "obj": ["o0", "o1"],
        }  # fmt: skip
        self.functions: list[str] = []
        self.in_function = self.in_async = self.in_generator = self.in_loop = False
        self.nested = False  # in a lambda or comprehension, where not every expression may stand

    # -- the means

    def number(self) -> int:
        self.count += 1
        return self.count

    def line(self, text: str) -> None:
        self.lines.append("    " * self.indent + text)

    def pick(self, *choices: str) -> str:
        return self.tape.choice(choices)

    def chance(self, percent: int) -> bool:
        return self.tape.below(100) >= 100 - percent  # shrinks towards no

    @contextmanager
    def block(self, head: str) -> Iterator[None]:
        self.line(head)
        self.indent += 1
        yield
        self.indent -= 1

    @contextmanager
    def scope(self, *, is_async: bool = False, is_generator: bool = False) -> Iterator[None]:
        kept = self.names, self.in_function, self.in_async, self.in_generator, self.in_loop
        self.names = {kind: list(names) for kind, names in self.names.items()}
        self.in_function, self.in_async, self.in_generator, self.in_loop = True, is_async, is_generator, False
        yield
        self.names, self.in_function, self.in_async, self.in_generator, self.in_loop = kept

    def new(self, kind: str) -> str:
        """A name to be bound to a value of this kind: mostly one of the scope's own."""
        if self.in_function or self.chance(70):
            name = f"{kind[0]}{self.number()}"
            self.names[kind].append(name)
            return name
        return self.tape.choice(self.names[kind])

    # -- expressions

    def expr(self, kind: str, depth: int = 3) -> str:
        if self.chance(2):
            kind = self.tape.choice(KINDS)
        if depth <= 0 or self.chance(15):
            return self.tape.choice(self.names[kind]) if self.chance(60) else self.literal(kind)
        text = self.common(kind, depth - 1) if self.chance(30) else getattr(self, "_" + kind)(depth - 1)
        return f"e({self.number()}, {text})" if self.chance(35) else str(text)

    def within(self, kind: str, depth: int) -> str:
        """An expression inside a comprehension."""
        outer, self.nested = self.nested, True
        text = self.expr(kind, depth)
        self.nested = outer
        return text

    def literal(self, kind: str) -> str:
        choices = {
            "int": lambda: self.pick("0", "1", "-1", "7", "256", "257", "10**20", "0x1f", "True"),
            "str": lambda: self.pick("'x'", "''", "'a b'", "'%s!'", "r'\\d'", "'l1\\nl2'", "'é' 'ü'"),
            "list": lambda: self.pick("[]", "[1, 2, 3]", "['a', 'b']", "[[1], [2]]"),
            "dict": lambda: self.pick("{}", "{'a': 1}", "{1: 'one', 2: 'two'}"),
            "bool": lambda: self.pick("True", "False"),
            "obj": lambda: self.pick("Obj()", "Sub()", "Obj.make()"),
        }
        return choices[kind]()

    def common(self, kind: str, d: int) -> str:
        """What an expression of any kind may be."""
        x = self.expr
        choices: list[Callable[[], str]] = [
            lambda: f"({x(kind, d)} if {x('bool', d)} else {x(kind, d)})",
            lambda: f"({x('bool', d)} and {x(kind, d)} or {x(kind, d)})",
            lambda: f"[{x(kind, d)}, {x('int', d)}][0]",
            lambda: f"{{'k': {x(kind, d)}}}['k']",
            lambda: f"(lambda {self.pick('v', 'v, *w', 'v, w=1')}: v)({x(kind, d)})",
            lambda: f"lib.same({x(kind, d)})",
            lambda: f"lib.call(lambda v: v, {x(kind, d)})",
            lambda: f"tag({x(kind, d)})",
            lambda: f"Obj({x(kind, d)}).n",
            lambda: f"lib.Box({x(kind, d)}).value",
            lambda: f"getattr(lib.Box({x(kind, d)}), 'value')",
            lambda: f"next(iter({self.pick('', 'lib.Many')}([{x(kind, d)}])))",
            lambda: f"functools.partial(lib.same, {x(kind, d)})()",
            lambda: f"(lambda *, k, **m: k)(**{{'k': {x(kind, d)}, 'm': 1}})",
            lambda: f"(lambda *a: a[-1])(*[1, 2], {x(kind, d)})",
            lambda: f"{{**{x('dict', d)}, 'z': {x(kind, d)}}}.get('z')",
            lambda: f"copy.copy({x(kind, d)})",
        ]
        if self.functions:
            choices.append(lambda: f"{self.tape.choice(self.functions)}({x(kind, d)}, {x('int', d)})")
        if self.in_function and not self.nested:
            choices.append(lambda: f"(w{self.number()} := {x(kind, d)})")
        if self.in_async and not self.nested:
            choices += [lambda: f"(await lib.later({x(kind, d)}))", lambda: f"(await lib.Pause({x(kind, d)}))"]
        if self.in_generator and not self.in_async and not self.nested:
            choices += [lambda: f"((yield {x('int', d)}) or {x(kind, d)})"]
        return self.tape.choice(choices)()

    def _int(self, d: int) -> str:
        x = self.expr
        options: list[Callable[[], str]] = [
            lambda: f"({x('int', d)} {self.pick('+', '-', '&', '|', '^', '//', '%')} {x('int', d)})",
            lambda: f"({x('int', d)} * {x('int', d)} % 9973)",
            lambda: f"({x('int', d)} {self.pick('<<', '>>', '**')} ({x('int', d)} & 3)) % 1009",
            lambda: f"{self.pick('-', '+', '~')}{self.atom('int', d)}",
            lambda: f"len({x(self.pick('list', 'str', 'dict'), d)})",
            lambda: f"sum({self.comprehension('int', d, '()')[1:-1]})",
            lambda: f"{self.atom('obj', d)}.{self.pick('n', 'own', 'parts[0]', 'double(2)', 'missing')}",
            lambda: f"{self.atom('obj', d)}[{x('int', d)}]",
            lambda: f"{self.atom('obj', d)}({x('int', d)}, k={x('str', d)})",
            lambda: f"int({self.pick(repr('12'), 'str(' + x('int', d) + ')')})",
            lambda: f"{self.pick('max', 'min')}({x('int', d)}, {x('int', d)})",
            lambda: f"abs({x('int', d)})",
            lambda: f"[{x('int', d)}, {x('int', d)}][{x('bool', d)}]",
            lambda: f"functools.reduce(lambda a, b: a + b, {x('list', d)}, 0)",
            lambda: f"ord({self.atom('str', d)}[0])",
            lambda: f"len(rec({x('int', d)} & 7))",
        ]  # fmt: skip
        return self.tape.choice(options)()

    def atom(self, kind: str, d: int) -> str:
        return f"({self.expr(kind, d)})"

    def _str(self, d: int) -> str:
        x = self.expr
        options: list[Callable[[], str]] = [
            lambda: f"({x('str', d)} + {x('str', d)})[:30]",
            lambda: f"({x('str', d)} * ({x('int', d)} & 3))[:30]",
            lambda: self.fstring(d),
            lambda: f"({self.pick(repr('%s-%s'), repr('%r|%5s'), repr('%s %%d'))} % ({x('int', d)}, {x('str', d)}))",
            lambda: f"('%(a)s' % {{'a': {x(self.pick(*KINDS), d)}}})",
            lambda: f"'{{0}}:{{k!r:>4}}'.format({x('int', d)}, k={x('str', d)})",
            lambda: f"{self.pick(repr(', '), repr(''))}.join([{x('str', d)}, {x('str', d)}])",
            lambda: f"{self.atom('str', d)}.{self.pick('upper()', 'strip()', 'title()', 'casefold()')}",
            lambda: f"{self.atom('str', d)}.replace({x('str', d)}, {x('str', d)})[:40]",
            lambda: f"{self.atom('str', d)}[{self.pick('0', '1:', ':2', '::-1', '-1:')}]",
            lambda: f"{self.pick('str', 'repr', 'ascii')}({x(self.pick('int', 'str', 'bool'), d)})",
            lambda: f"re.sub('[a-m]', {self.pick(repr('_'), 'lambda m: m[0].upper()')}, {x('str', d)})",
            lambda: f"json.dumps({x('list', d)}, default=str)[:40]",
            lambda: f"(Text({x('str', d)}) + {x('str', d)})",
            lambda: f"chr(97 + ({x('int', d)} & 15))",
            lambda: f"bytes({x('str', d)}, 'utf-8').decode()",
        ]  # fmt: skip
        return self.tape.choice(options)()

    def fstring(self, d: int) -> str:
        pieces = []
        for _ in range(1 + self.tape.below(3)):
            inner = self.expr(self.tape.choice(KINDS), d)
            if any(character in inner for character in "\\\"{}':!#=\n"):
                inner = self.tape.choice(self.names[self.pick("int", "str")])  # 3.11 takes no quotes in there
            suffix = self.pick("", "", "!r", "!s", "!a", ":>9", "!r:^{i1}", "=", "!s:.{i0 & 3}")
            pieces.append(self.pick("", "a ", "{{") + "{" + inner + suffix + "}")
        return 'f"' + "".join(pieces) + '"'

    def comprehension(self, kind: str, d: int, brackets: str = "[]") -> str:
        name = f"c{self.number()}"
        outer, self.nested = self.nested, True
        source = self.pick(f"range({self.expr('int', d)} & 3)", self.expr("list", d), "lib.numbers(2)", "o0")
        self.names["int"].append(name)  # a slip where the list holds something else
        body = self.expr(kind, d)
        condition = f" if {self.expr('bool', d)}" if self.chance(30) else ""
        if self.chance(20):
            inner = f"c{self.number()}"
            condition += f" for {inner} in {self.pick('(1, 2)', '[' + name + ']', 's1')}"
        self.names["int"].remove(name)
        self.nested = outer
        return f"{brackets[0]}{body} for {name} in {source}{condition}{brackets[1]}"

    def _list(self, d: int) -> str:
        x = self.expr
        options: list[Callable[[], str]] = [
            lambda: f"[{x('int', d)}, *{x('list', d)}, {x('str', d)}]",
            lambda: self.comprehension(self.pick("int", "str", "list"), d),
            lambda: f"({x('list', d)} + {x('list', d)})[:9]",
            lambda: f"{self.atom('list', d)}[{self.pick(':', '::-1', '1:', ':1')}]",
            lambda: f"sorted({x('list', d)}, key={self.pick('str', 'lambda v: repr(v)', 'repr')})",
            lambda: f"list({self.pick('map', 'filter')}({self.pick('str', 'lambda v: v', 'lib.same')}, {x('list', d)}))",
            lambda: f"{self.atom('str', d)}.split()",
            lambda: f"list({self.atom('dict', d)}{self.pick('', '.values()', '.items()', '.keys()')})",
            lambda: f"[*zip({x('list', d)}, {x('str', d)})]",
            lambda: f"list(enumerate({x('list', d)}))",
            lambda: f"lib.words({x('str', d)})",
            lambda: f"[v for v in lib.numbers({self.within('int', d)} & 3)]",
            lambda: f"list({x('obj', d)})",
            lambda: f"[*lib.Many({x('list', d)}), *reversed({x('list', d)})]",
            lambda: f"list(iter(lib.Many({x('list', d)})))",
            lambda: f"re.findall('\\\\w', {x('str', d)})[:5]",
            lambda: f"{self.atom('obj', d)}.parts",
            lambda: f"list(itertools.chain({x('list', d)}, ({x('int', d)},)))[:9]",
            lambda: f"json.loads(json.dumps({x('list', d)}, default=str))",
        ]  # fmt: skip
        return self.tape.choice(options)()

    def _dict(self, d: int) -> str:
        x = self.expr
        options: list[Callable[[], str]] = [
            lambda: f"{{{x('str', d)}: {x('int', d)}, **{x('dict', d)}}}",
            lambda: f"({x('dict', d)} | {x('dict', d)})",
            lambda: f"{{str(k): {self.within('int', d)} for k in {self.within('list', d)}}}",
            lambda: f"dict(lib.Headers({x('list', d)}))",
            lambda: f"{{**lib.Headers({x('list', d)})}}",
            lambda: f"dict(a={x('int', d)}, b={x('list', d)})",
            lambda: f"dict(zip({x('str', d)}, {x('list', d)}))",
            lambda: f"{{k: v for k, v in ({self.within('dict', d)}).items() if {self.within('bool', d)}}}",
        ]  # fmt: skip
        return self.tape.choice(options)()

    def _bool(self, d: int) -> str:
        x = self.expr
        options: list[Callable[[], str]] = [
            lambda: f"({x('int', d)} {self.pick('<', '<=', '==', '!=', '>')} {x('int', d)})",
            lambda: f"({x('int', d)} < {x('int', d)} <= {x('int', d)} != {x('int', d)})",
            lambda: f"bool({x('obj', d)} < {x('obj', d)})",
            lambda: f"({x('obj', d)} == {x('obj', d)})",
            lambda: f"({x('int', d)} {self.pick('in', 'not in')} {x(self.pick('list', 'obj', 'dict'), d)})",
            lambda: f"({x('str', d)} in {x('str', d)})",
            lambda: f"(not {x(self.tape.choice(KINDS), d)})",
            lambda: f"isinstance({x(self.tape.choice(KINDS), d)}, {self.pick('int', 'str', '(list, dict)', 'Obj')})",
            lambda: f"({x(self.tape.choice(KINDS), d)} is None)",
            lambda: f"{self.pick('any', 'all')}({x('list', d)})",
            lambda: f"{self.atom('str', d)}.startswith({x('str', d)})",
        ]  # fmt: skip
        return self.tape.choice(options)()

    def _obj(self, d: int) -> str:
        x = self.expr
        options: list[Callable[[], str]] = [
            lambda: f"{self.pick('Obj', 'Sub', 'Obj.make', 'Sub.make')}({x('int', d)})",
            lambda: f"({x('obj', d)} + {x('obj', d)})",
            lambda: f"({x('int', d)} + {x('obj', d)})",
            lambda: f"{self.atom('obj', d)}.add({x('int', d)}, *{x('list', d)}, key={x('int', d)} & 7)",
            lambda: f"{self.atom('obj', d)}.add()",
        ]  # fmt: skip
        return self.tape.choice(options)()
