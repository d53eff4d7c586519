"""Random statements, and whole programs."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from .expressions import KINDS, Expressions
from .prelude import PRELUDE

if TYPE_CHECKING:
    from .tape import Tape

_AUGMENTED = ("+=", "-=", "|=", "&=", "^=", "//=", "%=", ">>=")


class Statements(Expressions):
    """Writes statements, at most so many."""

    def __init__(self, tape: Tape, statements: int) -> None:
        super().__init__(tape)
        self.left = statements

    def body(self, head: str, most: int = 3) -> None:
        with self.block(head):
            for _ in range(1 + self.tape.below(most)):
                self.statement()

    def statement(self) -> None:
        self.left -= 1
        simple = [
            self.assign, self.assign, self.unpack, self.augment, self.augment, self.augment_item, self.expression,
            self.expression, self.mutate, self.delete, self.annotated, self.leave,
        ]  # fmt: skip
        compound = [
            self.if_, self.for_, self.while_, self.try_, self.try_, self.with_, self.match_, self.function,
            self.generator, self.coroutine, self.class_,
        ]  # fmt: skip
        if self.in_async:
            compound += [self.async_for, self.async_with]
        if self.left > 0 and self.indent < 5 and self.chance(45):
            self.tape.choice(compound)()
        else:
            self.tape.choice(simple)()

    # -- simple statements

    def assign(self) -> None:
        kind = self.tape.choice(KINDS)
        value = self.expr(kind)
        self.line(
            self.pick("", "", f"{self.atom('obj', 1)}.n = ", f"{self.atom('list', 1)}[0] = ")
            + f"{self.new(kind)} = {value}"
        )

    def annotated(self) -> None:
        value = self.expr("int")
        self.line(f"{self.new('int')}: {self.pick('int', repr('no such name'), 'list[int]')} = {value}")

    def unpack(self) -> None:
        values = [self.expr(kind, 2) for kind in ("int", "str", "list")]
        a, b, c = (self.new(kind) for kind in ("int", "str", "list"))
        self.line(
            self.pick(
                f"{a}, {b}, {c} = {', '.join(values)}",
                f"{a}, ({b}, *{c}) = {values[0]}, lib.same([{values[1]}, {values[0]}])",
                f"({a}, *{c}), {b} = lib.numbers(3), {values[1]}",
                f"[{a}, {b}, {c}] = lib.same(({', '.join(values)}))",
                f"{b}, *{c} = {values[1]}; {a} = 0",
                f"{b}, *{c} = lib.Many({values[2]}); {a} = 0",
                f"{a}, {b}, {c} = ({', '.join(values[:2])}, {values[2]}) if {self.expr('bool', 1)} else (1, 's', [])",
            )
        )

    def augment(self) -> None:
        kind = self.pick("int", "str", "list", "obj", "dict")
        operator = {"str": "+=", "list": "+=", "obj": "+=", "dict": "|="}.get(kind) or self.pick(*_AUGMENTED)
        # The names of an outer scope cannot be augmented without a declaration: some do, and fail alike.
        value = self.expr(kind)
        if operator == "+=" and kind != "obj":
            value = f"({value})[:5]"  # what doubles in a loop would not stay small
        self.line(f"{self.tape.choice(self.names[kind])} {operator} {value}")

    def augment_item(self) -> None:
        operator = self.pick("+=", "-=", "%=", "|=")
        target = self.pick(
            f"{self.atom('list', 2)}[e({self.number()}, 0)]",
            f"{self.atom('dict', 1)}[{self.expr('str', 1)}]",
            f"{self.atom('obj', 2)}.{self.pick('n', 'own', 'nothing')}",
            f"{self.atom('obj', 1)}[{self.expr('int', 1)}]",
            f"{self.atom('list', 1)}[:1]",
            f"d0[{self.expr('str', 1)}, 1]",
        )
        kind = self.pick("int", "int", "list", "str")
        value = self.expr(kind, 2) if kind == "int" else f"({self.expr(kind, 2)})[:5]"
        self.line(f"{target} {operator} {value}")

    def expression(self) -> None:
        self.line(self.expr(self.tape.choice(KINDS)))

    def mutate(self) -> None:
        x = self.expr
        self.line(
            self.pick(
                f"{self.atom('list', 2)}.{self.pick('remove', 'extend', 'count')}({self.atom('list', 2)}[:5])",
                f"{self.atom('list', 2)}.append({x(self.pick('int', 'list'), 2)})",
                f"{self.atom('list', 1)}[{self.pick('0', ':1', '-1')}] = {x(self.pick('int', 'list'), 2)}",
                f"{self.atom('dict', 1)}[{x('str', 2)}] = {x('int', 2)}",
                f"{self.atom('dict', 2)}.{self.pick('setdefault', 'pop', 'get')}({x('str', 1)}, {x('list', 1)})",
                f"{self.atom('obj', 2)}.{self.pick('n', 'own', 'other')} = {x('int', 2)}",
                f"{self.atom('list', 1)}.sort(key=lambda v: e({self.number()}, repr(v)))",
            )
        )

    def delete(self) -> None:
        self.line(
            "del " + self.pick(f"{self.atom('list', 1)}[0]", f"{self.atom('dict', 1)}['a']", f"{self.atom('obj', 1)}.n")
        )

    def leave(self) -> None:
        choices = [
            f"assert {self.expr('bool', 2)}, {self.expr('str', 2)}",
            f"raise {self.pick('ValueError', 'KeyError')}({self.expr('str', 2)})",
            f"raise TypeError({self.expr('int', 1)}) from KeyError({self.expr('str', 1)})",
            "pass",
        ]
        choices += ["pass"] * 3
        if self.in_loop:
            choices += ["break", "continue"]
        if self.in_function and not (self.in_async and self.in_generator):
            choices += [f"return {self.expr(self.tape.choice(KINDS), 2)}"] * 2
        if self.in_generator:
            choices += [f"yield {self.expr(self.tape.choice(KINDS), 2)}"] * 2
            if not self.in_async:
                choices += [f"yield from {self.pick(self.expr('list', 2), 'lib.numbers(2)', self.expr('obj', 1))}"]
        self.line(self.pick(*choices))

    # -- compound statements

    def if_(self) -> None:
        self.body(f"if {self.expr('bool')}:")
        if self.chance(40):
            self.body(f"elif {self.expr(self.tape.choice(KINDS), 2)}:")
        if self.chance(40):
            self.body("else:")

    def _loop(self, head: str) -> None:
        outer, self.in_loop = self.in_loop, True
        self.body(head)
        self.in_loop = outer
        if self.chance(20):
            self.body("else:")

    def for_(self) -> None:
        target = self.new("int")
        source = self.pick(
            "range(3)", f"{self.atom('list', 2)}[:4]", "lib.numbers(3)", f"{self.expr('obj', 1)}", "iter(lib.Many(l0))",
            f"zip({self.expr('str', 1)}[:3], lib.numbers(9))", f"{self.expr('str', 2)}[:3]", "d0.items()", "(1, 'b')",
        )  # fmt: skip
        if self.chance(15):
            target = f"{target}, *{self.new('list')}"
        self._loop(f"for {target} in {source}:")

    def while_(self) -> None:
        name = f"n{self.number()}"
        self.line(f"{name} = 3")
        self._loop(f"while ({name} := {name} - 1) >= 0 and {self.expr('bool', 2)}:")

    def try_(self) -> None:
        number = self.number()
        self.body("try:")
        star = "*" if sys.version_info >= (3, 11) and self.chance(10) else ""
        caught = self.pick("Exception", "(TypeError, ValueError)", "AttributeError", "LookupError")
        outer = self.in_function, self.in_loop, self.in_generator
        if star:  # nothing may leave such a block
            self.in_function = self.in_loop = self.in_generator = False
        with self.block(f"except{star} {caught} as error:"):
            self.line(f"err({number}, error)")
            if self.chance(15):
                self.line(self.pick("raise", "raise ValueError(str(error))", "raise KeyError('k') from error"))
            if self.chance(30):
                self.statement()
        self.in_function, self.in_loop, self.in_generator = outer
        if self.chance(25):
            self.body("else:")
        if self.chance(25):
            # Newer versions warn about a `return` in here.
            outer = self.in_function, self.in_loop, self.in_generator
            self.in_function = self.in_loop = self.in_generator = False
            self.body("finally:")
            self.in_function, self.in_loop, self.in_generator = outer

    def with_(self) -> None:
        first = self.pick(f"{self.expr('obj', 2)} as {self.new('obj')}", f"lib.context({self.expr('int', 1)})", "o0")
        more = self.pick("", f", lib.context({self.expr('str', 2)}) as {self.new('str')}")
        self.body(f"with {first}{more}:")

    def match_(self) -> None:
        with self.block(f"match {self.expr(self.tape.choice(KINDS), 2)}:"):
            for _ in range(1 + self.tape.below(3)):
                name = f"m{self.number()}"
                self.body(
                    "case "
                    + self.pick(
                        "0 | -1", f"int() as {name}", f"str({name})", f"[{name}, *_]", f"{{'a': {name}, **rest}}",
                        f"Obj(n={name})", f"[{name}, [*_]]", "Obj.kind", "True | None", f"(1 | 2) as {name}",
                    )
                    + self.pick("", f" if {self.expr('bool', 2)}")
                    + ":",
                    2,
                )  # fmt: skip
            if self.chance(50):
                self.body("case _:", 1)

    def _define(self, head: str, first: str | None = None) -> None:
        """A function of two arguments of this name, which is called with anything."""
        with self.block(head):
            self.names["int"] += ["a", "b"]
            if first:
                self.line(first)
            for _ in range(1 + self.tape.below(4)):
                self.statement()

    def function(self) -> None:
        name = f"f{self.number()}"
        if self.chance(25):
            self.line(self.pick("@counted", "@lib.plain", f"@e({self.number()}, lambda f: f)"))
        with self.scope():
            self._define(f"def {name}(a, b={self.expr('int', 1)}{self.pick('', ', *args', ', *, k=1', ', **more')}):")
        self.functions.append(name)
        self.line(f"{self.new('int')} = {name}({self.expr(self.tape.choice(KINDS), 2)})")

    def generator(self) -> None:
        name = f"g{self.number()}"
        with self.scope(is_generator=True):
            self._define(f"def {name}(a, b):", f"yield {self.expr('int', 1)}")
        made = f"{name}({self.expr('int', 1)}, {self.expr('str', 1)})"
        self.line(
            self.pick(
                f"{self.new('list')} = list({made})",
                f"lib.exhaust({made})",
                f"lib.throw({made})",
                f"e({self.number()}, [v for v in {made}])",
                f"*{self.new('list')}, = {made}",
            )
        )

    def coroutine(self) -> None:
        name = f"a{self.number()}"
        generating = self.chance(30)
        with self.scope(is_async=True, is_generator=generating):
            first = f"yield {self.expr('int', 1)}" if generating else f"await lib.later({self.expr('int', 1)})"
            self._define(f"async def {name}(a, b):", first)
        made = f"{name}({self.expr('int', 1)}, {self.expr('str', 1)})"
        if generating:
            self.line(f"e({self.number()}, lib.drive(lib.collect({made})))")
        else:
            self.line(f"{self.new('int')} = lib.drive({made})")

    def async_for(self) -> None:
        self._loop(f"async for {self.new('int')} in lib.ticks({self.expr('int', 1)}):")

    def async_with(self) -> None:
        self.body(f"async with lib.Async({self.expr('int', 1)}) as {self.new('int')}:")

    def class_(self) -> None:
        name = f"C{self.number()}"
        base = self.pick("Obj", "Sub", "Plain")
        with self.scope(), self.block(f"class {name}({base}):"):
            self.in_function = False  # no `return`; assignments go to the class
            self.line(f"x = {self.expr('int', 2)}")
            self.line(f"x += {self.expr('int', 2)}")
            self.line(f"y = {self.comprehension('int', 1)}")
            self.line("__z = 1")
            self.in_function = True
            self._define(
                "def add(self, a=1, b=2):", self.pick("self.__z = a", "super().__init__(a)", "__class__.x += 1")
            )
            if self.chance(50):
                self.line("@property")
                with self.block("def own(self):"):
                    self.line(f"return {self.expr('int', 2)}")
        self.line(f"o{self.number()} = {name}()")
        self.names["obj"].append(f"o{self.count}")
        self.line(f"e({self.number()}, (o{self.count - 1}.add({self.expr('int', 1)}), {name}.x))")


def program(tape: Tape, statements: int = 30) -> str:
    """A whole program of about so many statements."""
    writer = Statements(tape, statements)
    while writer.left > 0:
        number = writer.number()
        with writer.block("try:"):
            writer.statement()
        with writer.block("except Exception as error:"):
            writer.line(f"err({number}, error)")
    writer.line('e("end", {name: value for name, value in list(globals().items()) if name[1:].isdigit()})')
    return PRELUDE + "\n".join(writer.lines) + "\n"
