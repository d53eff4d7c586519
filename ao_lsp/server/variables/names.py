"""Where the names of a source get their values, and which of these places a use of a name has it from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from ao_lsp.server.variables.syntax import (
    COMPREHENSIONS,
    FUNCTIONS,
    LOOPS,
    Node,
    block_of,
    scope_of,
    statement_of,
    without_parentheses,
)

Kind = Literal["value", "each", "entered", "changed", "parameter", "other"]


@dataclass(frozen=True, eq=False, slots=True)
class Definition:
    """A place where a name gets a value: that of `source`, `each` of what that gives, what is `entered` with it, what
    it is `changed` to (`+=`), or, of a `parameter`, what the function `source` is called with. `path` is where in the
    value the name stands, where that is taken apart; `at` is the statement or
    clause, `scope` what the name is local to.
    """

    name: Node
    kind: Kind
    source: Node | None
    path: tuple[int, ...]
    at: Node
    scope: Node

    @property
    def counts_from(self) -> tuple[int, int]:
        """From here on the name has the value."""
        if self.kind in ("each", "entered") and self.source is not None:
            return self.source.span.end
        return self.scope.span.start if self.kind == "parameter" else self.at.span.end


@dataclass(slots=True)
class Names:
    """The definitions of a source, by scope and name, in its order."""

    root: Node
    definitions: dict[tuple[int, str], list[Definition]] = field(default_factory=dict)
    foreign: set[tuple[int, str]] = field(default_factory=set)
    """Names of scopes that are another's, as `global` and `nonlocal` say."""
    functions: dict[str, list[Node]] = field(default_factory=dict)

    def of(self, scope: Node, name: str) -> list[Definition]:
        return self.definitions.get((id(scope), name), [])

    def all(self) -> Iterator[Definition]:
        for some in self.definitions.values():
            yield from some

    def reaching(self, use: Node) -> Definition | None:
        """The one definition that a name has its value from, wherever the program came from to here; None where there
        is none, or several may be it."""
        name = use.text
        below = use
        for outer in use.ancestors():
            if outer.kind in COMPREHENSIONS:
                found = self.of(outer, name)
                if found and not _is_first_iterable(outer, below):
                    return found[0] if len(found) == 1 else None
            below = outer
        scope = scope_of(use)
        first = True
        while True:
            if (id(scope), name) in self.foreign:
                return None
            found = self.of(scope, name) if first or scope.kind != "class_definition" else []
            if found:
                if not first:
                    return found[0] if len(found) == 1 else None
                return _last(found, use)
            if scope.parent is None:
                return None
            scope, first = scope_of(scope), False


def names_in(root: Node) -> Names:
    """The definitions of a source."""
    names = Names(root)
    for node in root.walk():
        for definition in _defined(node):
            names.definitions.setdefault((id(definition.scope), definition.name.text), []).append(definition)
        if node.kind in ("global_statement", "nonlocal_statement"):
            names.foreign.update((id(scope_of(node)), child.text) for child in node.children)
        elif node.kind == "function_definition" and (named := node.field("name")) is not None:
            names.functions.setdefault(named.text, []).append(node)
    for some in names.definitions.values():
        some.sort(key=lambda definition: definition.name.span)
    return names


def follows(definition: Definition, use: Node) -> bool:
    """Whether a value that a name was given is used here each time, before the name is given another."""
    if definition.scope is not scope_of(use) and definition.scope.kind not in COMPREHENSIONS:
        return False
    at = _lifted(definition)
    below = use
    for outer in use.ancestors():
        if below is at:
            return True
        if outer is definition.scope and outer.kind != "module":
            return definition.kind == "parameter" or outer.kind in COMPREHENSIONS
        if outer.kind in ("block", "module"):
            first = outer.children.index(at) if at in outer.children else 0
            if any(_leaves(statement) for statement in outer.children[first : outer.children.index(below)]):
                return False
            if at in outer.children:
                return True
        elif not _evaluates(outer, below) and not (definition.kind == "each" and outer is definition.at):
            return False
        below = outer
    return False


def _evaluates(outer: Node, part: Node) -> bool:
    """Whether a part of a node is evaluated wherever the node is."""
    if outer.kind == "conditional_expression":
        return len(outer.children) == 3 and outer.children[1] is part
    if outer.kind == "boolean_operator":
        return outer.children[0] is part
    if outer.kind in COMPREHENSIONS:
        return all(child.kind != "if_clause" for child in outer.children)
    if outer.kind in (*FUNCTIONS, "class_definition"):
        return False
    if outer.kind in _BRANCHING:
        # The test of an `if`, and what a loop goes over, are evaluated all the same.
        return part.kind not in ("block", "elif_clause", "else_clause", "case_clause", "except_clause")
    return True


_BRANCHING = frozenset(
    {"if_statement", "elif_clause", "else_clause", "except_clause", "match_statement", "case_clause", *LOOPS}
)


def _leaves(statement: Node) -> bool:
    """Whether a statement may be the last one that is executed of its block."""
    return any(
        node.kind in ("return_statement", "raise_statement", "break_statement", "continue_statement")
        for node in statement.walk(into_functions=False)
    )


def _lifted(definition: Definition) -> Node:
    """The statement of a definition, or the `with` around it, whose block is always executed."""
    at = statement_of(definition.at)
    while at.parent is not None and at.parent.kind == "block" and at.parent.parent is not None:
        if at.parent.parent.kind != "with_statement":
            break
        at = at.parent.parent
    return at


def _last(found: list[Definition], use: Node) -> Definition | None:
    before = [
        one
        for one in found
        if one.counts_from <= use.span.start and not (one.kind == "changed" and _within(use, one.at))
    ]
    if not before:
        return None
    last = max(before, key=lambda one: one.counts_from)
    if len(found) == 1:
        return last
    if last.kind == "parameter":
        covers = True
    elif last.kind == "each":
        covers = _within(use, last.at)
    else:
        statement = _lifted(last)
        covers = any(_within(use, other) for other in block_of(statement))
    if not covers:
        return None
    for loop in [outer for outer in use.ancestors() if outer.kind in LOOPS and not _within(last.name, outer)]:
        if any(one is not last and _within(one.name, loop) for one in found):
            return None  # in the next turn it may be another's
    return last


def _within(node: Node, outer: Node) -> bool:
    return outer.span.start <= node.span.start and node.span.end <= outer.span.end


def _is_first_iterable(comprehension: Node, below: Node) -> bool:
    clauses = [part for part in comprehension.children if part.kind == "for_in_clause"]
    return bool(clauses) and below is clauses[0]


def _defined(node: Node) -> Iterator[Definition]:
    if node.kind == "assignment":
        yield from _assigned(node)
    elif node.kind == "augmented_assignment":
        yield from _targets(node.field("left"), "changed", node, node)
    elif node.kind == "named_expression":
        yield from _targets(node.field("name"), "value", node.field("value"), node)
    elif node.kind in ("for_statement", "for_in_clause"):
        yield from _targets(node.field("left"), "each", node.field("right"), node)
    elif node.kind == "as_pattern" and node.children:
        entered = node.parent is not None and node.parent.kind == "with_item"
        yield from _targets(node.children[-1], "entered" if entered else "other", node.children[0], node)
    elif node.kind in ("parameters", "lambda_parameters") and node.parent is not None:
        for parameter in node.children:
            yield from _parameter(parameter, node.parent)
    elif node.kind in ("function_definition", "class_definition"):
        yield from _targets(node.field("name"), "other", node, node)
    elif node.kind in ("import_statement", "import_from_statement"):
        yield from _imported(node)
    elif node.kind in ("delete_statement", "case_pattern"):
        for part in node.walk():
            if part.kind == "identifier":
                yield Definition(part, "other", None, (), node, scope_of(node))


def _assigned(node: Node) -> Iterator[Definition]:
    value = node.field("right")
    while value is not None and value.kind == "assignment":  # a = b = value
        value = value.field("right")
    if value is not None:
        yield from _targets(node.field("left"), "value", value, node)


def _targets(
    target: Node | None, kind: Kind, source: Node | None, at: Node, path: tuple[int, ...] = ()
) -> Iterator[Definition]:
    if target is None:
        return
    target = without_parentheses(target)
    if target.kind == "identifier":
        in_comprehension = at.kind == "for_in_clause" and at.parent is not None
        yield Definition(target, kind, source, path, at, at.parent if in_comprehension and at.parent else scope_of(at))
    elif target.kind == "as_pattern_target":
        for child in target.children:
            yield from _targets(child, kind, source, at, path)
    elif target.kind in ("pattern_list", "tuple_pattern", "list_pattern", "tuple", "list"):
        starred = any(child.kind == "list_splat_pattern" for child in target.children)
        for index, child in enumerate(target.children):
            # Behind a star nobody knows which element it is.
            yield from _targets(child, "other" if starred else kind, source, at, (*path, index))
    elif target.kind in ("list_splat_pattern", "list_splat"):
        for child in target.children:
            yield from _targets(child, "other", source, at, path)


def _parameter(node: Node, function: Node) -> Iterator[Definition]:
    if node.kind == "identifier":
        yield Definition(node, "parameter", function, (), node, function)
        return
    named = node.field("name") or (node.children[0] if node.children else None)
    if named is None:
        return
    if named.kind == "identifier" and node.kind in ("default_parameter", "typed_default_parameter", "typed_parameter"):
        yield Definition(named, "parameter", function, (), node, function)
    else:
        yield from (
            Definition(part, "other", None, (), node, function) for part in node.walk() if part.kind == "identifier"
        )


def _imported(node: Node) -> Iterator[Definition]:
    for part in node.children:
        if part.kind == "aliased_import":
            part = part.field("alias") or part
        elif node.kind == "import_from_statement" and part is node.field("module_name"):
            continue
        first = next((one for one in part.walk() if one.kind == "identifier"), None)
        if first is not None:
            yield Definition(first, "other", None, (), node, scope_of(node))
