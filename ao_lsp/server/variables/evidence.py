"""What a run tells of a source: which expressions gave values of calls, which calls were made where, and what of the
code was executed for certain."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ao_lsp.server.model import Call, Site
from ao_lsp.server.values import Made, Span
from ao_lsp.server.variables.syntax import FUNCTIONS, Node, block_of, statement_of


@dataclass(frozen=True, eq=False, slots=True)
class Recorded:
    """Of one run and one file, by all `names` that the file goes by. `complete`: the program ended by itself."""

    names: frozenset[str]
    made: Mapping[Span, Made]
    calls: tuple[Call, ...]
    complete: bool


def span_of(site: Site) -> Span | None:
    """The expression that a call was made in; None where only its line is known."""
    if site.column is None or site.end_column is None or site.end_line is None:
        return None
    return Span(site.line - 1, site.column, site.end_line - 1, site.end_column)


class Evidence:
    """`Recorded`, laid over the source's tree."""

    def __init__(self, root: Node, recorded: Recorded) -> None:
        self.names = recorded.names
        self.made = recorded.made
        self.sites: dict[Span, list[Call]] = {}
        """The calls that were made right in an expression."""
        self.frames: dict[Span, set[str]] = {}
        """The calls that were made while an expression was being evaluated."""
        self.inside: dict[str, set[str]] = {}
        """By the bare name of a function of the file: the calls that it, or what it called, made."""
        self.from_elsewhere: set[str] = set()
        """The functions that another file's code was seen to call."""
        self.callers: dict[str, set[tuple[str, Span]]] = {}
        """By the bare name of such a function: the expressions that called it, `(file, extent)`."""
        self.entered: dict[Span, set[tuple[str, str, int]]] = {}
        """The functions that an expression called, each `(file, function, line)`, from 1, of something in it."""
        for call in recorded.calls:
            self._add(call, recorded.names)
        self._sites_on: dict[int, list[Span]] = {}
        for span in self.sites:
            self._sites_on.setdefault(span.line, []).append(span)
        self._complete = recorded.complete
        self.functions = {*self.inside, *(bare(made.function) for made in self.made.values())}
        """Those in which something was seen to happen."""
        self._executed = _executed(root, {*self.made, *self.frames})

    def _add(self, call: Call, names: frozenset[str]) -> None:
        if call.site is not None and call.site.file in names and (span := span_of(call.site)) is not None:
            self.sites.setdefault(span, []).append(call)
        stack = call.stack or ((call.site,) if call.site is not None else ())
        for site, caller in zip(stack, [*stack[1:], None], strict=True):
            at = span_of(caller) if caller is not None else None
            if caller is not None and at is not None and caller.file in names:
                self.entered.setdefault(at, set()).add((site.file, site.function, site.line))
            if site.file not in names:
                continue
            function = bare(site.function)
            self.inside.setdefault(function, set()).add(call.id)
            if caller is not None and caller.file not in names:
                self.from_elsewhere.add(function)
                if at is not None:
                    self.callers.setdefault(function, set()).add((caller.file, at))
            if (span := span_of(site)) is not None:
                self.frames.setdefault(span, set()).add(call.id)

    def spans(self, node: Node) -> Iterable[Span]:
        """Under which extents the interpreter knows an expression. A call of a method that stands on a line of its own
        begins, to it, with the method's name; what is awaited is known by the `await`."""
        yield node.span
        if node.kind == "call":
            function = node.field("function")
            if function is not None and function.kind == "attribute" and function.span.end_line != node.span.line:
                name = function.children[-1].span
                yield Span(name.line, name.column, node.span.end_line, node.span.end_column)

    def made_in(self, node: Node) -> Made | None:
        for span in self.spans(node):
            if span in self.made:
                return self.made[span]
        return None

    def calls_at(self, node: Node) -> list[Call]:
        for span in self.spans(node):
            if span in self.sites:
                return self.sites[span]
        return []

    def calls_within(self, node: Node) -> set[str]:
        """The calls that were made right in a statement or clause, in what it consists of."""
        if node.kind in ("for_statement", "parameters"):
            return set()
        start, end = node.span.start, node.span.end
        return {
            call.id
            for line in range(start[0], end[0] + 1)
            for span in self._sites_on.get(line, ())
            if start <= span.start and span.end <= end
            for call in self.sites[span]
        }

    def calls_during(self, node: Node) -> set[str]:
        """The calls that were made while `node` was evaluated, also where a task did it that was awaited there."""
        found: set[str] = set()
        at: Node | None = node
        while at is not None and at.kind in ("call", "await", "argument_list"):
            for span in self.spans(at):
                found |= self.frames.get(span, set())
            at = at.parent
        return found

    def executed(self, node: Node) -> bool:
        """Whether the statement of `node` was executed, for certain."""
        statement = statement_of(node)
        while True:
            if self._is_executed(statement):
                return True
            block = statement.parent
            outer = block.parent if block is not None and block.kind == "block" else None
            if outer is None or outer.kind != "with_statement":
                return False
            statement = outer

    def _is_executed(self, statement: Node) -> bool:
        if id(statement) in self._executed:
            return True
        block = block_of(statement)
        index = block.index(statement)
        if any(id(later) in self._executed for later in block[index:]):
            return True
        before = [number for number, other in enumerate(block[:index]) if id(other) in self._executed]
        if not before or not self._complete or any(outer.kind == "try_statement" for outer in statement.ancestors()):
            return False
        return not any(may_leave(other) for other in block[before[-1] : index])


def bare(function: str) -> str:
    """The last name in a qualified one; of a lambda or comprehension, that of what is around it."""
    named = [part for part in function.split(".") if part and not part.startswith("<")]
    return named[-1] if named else "<module>"


def may_leave(statement: Node) -> bool:
    """Whether a block may be left in the middle of a statement, but for an error."""
    return any(
        node.kind in ("return_statement", "raise_statement", "break_statement", "continue_statement", "try_statement")
        for node in statement.walk(into_functions=False)
    )


def _executed(root: Node, spans: Iterable[Span]) -> set[int]:
    """The statements in which something was seen to happen: those around it, up to the function."""
    found: set[int] = set()
    for span in spans:
        node = _innermost(root, span)
        if node.kind == "module" or any(outer.kind == "lambda" for outer in (node, *node.ancestors())):
            continue
        # A `for` and a `with` are known by the whole statement, on some Pythons: what is in it need not have happened.
        at: Node | None = node
        while at is not None and at.kind != "function_definition":
            if at.parent is not None and at.parent.kind in ("block", "module"):
                found.add(id(at))
            at = at.parent
        _enter(node, span, found)
    return found


def _enter(node: Node, span: Span, found: set[int]) -> None:
    """A loop that took a value went through its block, as far as that always goes on. The taking is known by the whole
    loop, or, from Python 3.13 on, by what it goes over, in which there was a value in any case."""
    outer = node.parent
    if outer is not None and outer.kind == "for_statement" and outer.field("right") is node:
        node = outer
    elif node.kind != "for_statement" or node.span != span:
        return
    body = node.field("body")
    for statement in body.children if body is not None else ():
        found.add(id(statement))
        if may_leave(statement):
            break


def _innermost(root: Node, span: Span) -> Node:
    """The smallest node that a part of the source is in."""
    at = root
    while True:
        index = bisect_right(at.children, span.start, key=lambda one: one.span.start) - 1
        inner = at.children[index] if index >= 0 and span.end <= at.children[index].span.end else None
        if inner is None or (inner.kind in FUNCTIONS and inner.span == span):
            return at
        at = inner
