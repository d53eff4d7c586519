"""The functions of a source, and what of it cannot be used: read from its syntax tree, whole or broken."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from ast_grep_py import SgNode

from ao_lsp.server.parsing import parsed
from ao_lsp.server.sources import keep

Position = tuple[int, int]
"""Line and column, both from 0; columns in code points."""

# Between a call and what is done with its value these only pick something out of it.
_PICKING = {"await", "attribute", "subscript", "parenthesized_expression"}

# A function that has one of these may read any of its names.
_READS_ALL = re.compile(r"\b(locals|vars|eval|exec|globals|global|nonlocal)\b")


@dataclass(frozen=True, slots=True)
class Function:
    """A function or, of kind `module`, the source itself: its extent (the end exclusive), its name and where that
    stands, and its `text` without name, comments, indentation and blank lines."""

    name: str
    start: Position
    end: Position
    name_start: Position
    name_end: Position
    text: str


class Syntax:
    """One source. What is asked of it is worked out when it is."""

    def __init__(self, lines: Sequence[str]) -> None:
        self._root = parsed("\n".join(lines))

    @cached_property
    def functions(self) -> tuple[Function, ...]:
        """In order; one within another comes after it."""
        return tuple(map(_function, self._root.find_all(kind="function_definition")))

    def around(self, line: int) -> Function | None:
        """The innermost function that a line (from 0) is in; None at the top of the module."""
        inside = [one for one in self.functions if one.start[0] <= line <= one.end[0]]
        return inside[-1] if inside else None

    @cached_property
    def constants(self) -> Mapping[str, str]:
        """What is assigned to names at the top of the module: the texts of all of it."""
        found: dict[str, str] = {}
        for statement in self._root.children():
            if statement.kind() != "expression_statement":
                continue
            for node in statement.children():
                name = node.field("left") if node.kind() in ("assignment", "augmented_assignment") else None
                if name is not None and name.kind() == "identifier":
                    found[name.text()] = found.get(name.text(), "") + "\n" + _plain(node)
        return found

    @cached_property
    def discarded(self) -> frozenset[tuple[Position, Position]]:
        """The extents of calls whose value nothing can use: it is not kept, or under a name that is never read."""
        found = {_extent(call) for call in self._statements()}
        for function in self._root.find_all(kind="function_definition"):
            found.update(_extent(call) for call in _never_read(function))
        return frozenset(found)

    def _statements(self) -> Iterator[SgNode]:
        for statement in self._root.find_all(kind="expression_statement"):
            for node in statement.children():
                call = _picked_from(node)
                if call is not None:
                    yield call


def syntax_of(lines: Sequence[str]) -> Syntax:
    """The syntax of a source. Asked again with the same list, it gives the same one."""
    known = _known.get(id(lines))
    if known is None or known[0] is not lines:
        known = lines, Syntax(lines)
        keep(_known, id(lines), known)
    return known[1]


def read(texts: Iterable[Sequence[str]]) -> None:
    """Work out what there is to ask of the syntax of some sources, in a thread: of 5,000 lines it takes 60 ms."""
    for lines in texts:
        known = syntax_of(lines)
        known.functions, known.constants, known.discarded  # noqa: B018 - they are kept


_known: dict[int, tuple[Sequence[str], Syntax]] = {}


def _function(node: SgNode) -> Function:
    name, extent = node.field("name"), node.range()
    where = name.range() if name is not None else extent
    return Function(
        name.text() if name is not None else "?",
        (extent.start.line, extent.start.column),
        (extent.end.line, extent.end.column),
        (where.start.line, where.start.column),
        (where.end.line, where.end.column),
        _plain(node, name),
    )


def _plain(node: SgNode, without: SgNode | None = None) -> str:
    """The text of a node as it matters to what it does."""
    start, text = node.range().start.index, node.text()
    cuts = [(one.range().start.index - start, one.range().end.index - start) for one in node.find_all(kind="comment")]
    if without is not None:
        cuts.append((without.range().start.index - start, without.range().end.index - start))
    for begin, end in sorted(cuts, reverse=True):
        text = text[:begin] + text[end:]
    lines = (line.strip() for line in text.split("\n"))
    return "\n".join(line for line in lines if line)


def _extent(node: SgNode) -> tuple[Position, Position]:
    extent = node.range()
    return (extent.start.line, extent.start.column), (extent.end.line, extent.end.column)


def _picked_from(node: SgNode) -> SgNode | None:
    """The call that an expression only picks something out of, or is."""
    while node.kind() in _PICKING:
        inner = node.field("object") or node.field("value")
        if inner is None:  # `await x`, `(x)`: what is no sign
            inner = next((child for child in node.children() if child.is_named()), None)
        if inner is None:
            return None
        node = inner
    return node if node.kind() == "call" else None


def _never_read(function: SgNode) -> Iterator[SgNode]:
    """The calls in a function whose values are given names that it never reads."""
    if _READS_ALL.search(function.text()):
        return
    found: list[tuple[str, SgNode]] = []
    for node in function.find_all(kind="assignment"):
        left, right = node.field("left"), node.field("right")
        if left is None or right is None or left.kind() != "identifier" or _is_nested(node, function):
            continue
        call = _picked_from(right)
        # Who names something so does not mean to read it.
        if call is not None and not left.text().startswith("_"):
            found.append((left.text(), call))
    if not found:
        return
    read = {node.text() for node in function.find_all(kind="identifier") if not _is_target(node)}
    yield from (call for name, call in found if name not in read)


def _is_nested(node: SgNode, function: SgNode) -> bool:
    """Whether an assignment is of another scope within `function`, which is looked at by itself."""
    for outer in node.ancestors():
        if outer.kind() in ("function_definition", "class_definition", "lambda"):
            return outer.range().start.index != function.range().start.index
    return True


def _is_target(node: SgNode) -> bool:
    """Whether a name is only assigned to."""
    outer = node.parent()
    if outer is None or outer.kind() != "assignment":
        return False
    left = outer.field("left")
    return left is not None and left.range().start.index == node.range().start.index
