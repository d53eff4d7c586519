"""The syntax tree of a source, as far as it says where names get their values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ast_grep_py import SgNode

from ao_lsp.server import parsing
from ao_lsp.server.values import Span

FUNCTIONS = frozenset({"function_definition", "lambda"})
COMPREHENSIONS = frozenset(
    {"list_comprehension", "set_comprehension", "dictionary_comprehension", "generator_expression"}
)
LOOPS = frozenset({"for_statement", "while_statement"})
_SCOPES = FUNCTIONS | {"class_definition", "module"}
_BLOCKS = frozenset({"block", "module"})


class Node:
    """A named node. `children` are named nodes, too, without comments."""

    __slots__ = ("_sg", "children", "kind", "parent", "span")

    def __init__(self, sg: SgNode, parent: Node | None) -> None:
        self._sg, self.kind, self.parent = sg, sg.kind(), parent
        extent = sg.range()
        self.span = Span(extent.start.line, extent.start.column, extent.end.line, extent.end.column)
        self.children: list[Node] = []

    @property
    def text(self) -> str:
        return self._sg.text()

    def field(self, name: str) -> Node | None:
        """The child of that name in the grammar."""
        found = self._sg.field(name)
        if found is None:
            return None
        extent = found.range()
        span = Span(extent.start.line, extent.start.column, extent.end.line, extent.end.column)
        return next((child for child in self.children if child.span == span), None)

    def has(self, word: str) -> bool:
        """Whether a word of the grammar (`async`) is among its parts."""
        return any(part.kind() == word for part in self._sg.children())

    def ancestors(self) -> Iterator[Node]:
        node = self.parent
        while node is not None:
            yield node
            node = node.parent

    def walk(self, into_functions: bool = True) -> Iterator[Node]:
        """This node and what is below it, in the order of the source."""
        waiting = [self]
        while waiting:
            node = waiting.pop()
            yield node
            if into_functions or node is self or node.kind not in FUNCTIONS:
                waiting.extend(reversed(node.children))


def parsed(lines: Sequence[str]) -> Node:
    """The tree of a source."""
    root = Node(parsing.parsed("\n".join(lines)), None)
    waiting = [root]
    while waiting:
        node = waiting.pop()
        node.children = [
            Node(sg, node)
            for sg in node._sg.children()
            if sg.is_named() and sg.kind() not in ("comment", "string_start", "string_content", "string_end")
        ]
        waiting.extend(node.children)
    return root


def scope_of(node: Node) -> Node:
    """The function, class or module that a node stands in."""
    return next((outer for outer in node.ancestors() if outer.kind in _SCOPES), node)


def statement_of(node: Node) -> Node:
    """The statement that a node is, or is part of."""
    at = node
    while at.parent is not None and at.parent.kind not in _BLOCKS:
        at = at.parent
    return at


def block_of(statement: Node) -> list[Node]:
    """The statements of the block that a statement is one of."""
    return statement.parent.children if statement.parent is not None else [statement]


def without_parentheses(node: Node) -> Node:
    while node.kind == "parenthesized_expression" and len(node.children) == 1:
        node = node.children[0]
    return node


def call_at(root: Node, span: Span) -> Node | None:
    """The call that has just this extent; None where none has."""
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if node.kind == "call" and node.span == span:
            return node
        waiting.extend(
            child for child in node.children if child.span.start <= span.start and span.end <= child.span.end
        )
    return None
