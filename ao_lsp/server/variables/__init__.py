"""Which names of a source have values that came from calls, in one run. Pure.

`names.py` knows where names get their values, `evidence.py` what the run shows, `modules.py` which function of which
file a call calls, `tracing.py` how a value got from there to here. All of it is about the sources as the run read them;
where that is in a buffer, the editor's side knows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ao_lsp.server.values import Span
from ao_lsp.server.variables.evidence import Recorded
from ao_lsp.server.variables.modules import Modules, Others, seen_files
from ao_lsp.server.variables.names import Definition
from ao_lsp.server.variables.syntax import COMPREHENSIONS, Node, scope_of, without_parentheses
from ao_lsp.server.variables.tracing import Hop, Tracings, Value, is_conditional

__all__ = ["Hop", "Others", "Recorded", "Variable", "Variables", "seen_files", "trace"]


@dataclass(frozen=True, slots=True)
class Variable:
    """A name at `span`, in `function`, whose values came from `calls` (ids), each by its way: lines `(file, line)`,
    from the call on. `given` is the expression that gives the name its value; of a use, and of a parameter, the name.

    `repeats`: it is given what a call in the same statement answered, which that call says itself.
    """

    name: str
    span: Span
    function: str
    given: Span
    calls: frozenset[str]
    ways: dict[str, tuple[Hop, ...]]
    repeats: bool = False


@dataclass(frozen=True, slots=True)
class Variables:
    """The names of one source whose values came from calls: where they are given these, in order, and where they are
    used. `functions` are those (by their bare names) in which the run was seen to do something."""

    defined: tuple[Variable, ...]
    used: tuple[Variable, ...]
    functions: frozenset[str]


class _Reader:
    """Looks at every name of a source."""

    def __init__(self, lines: Sequence[str], file: str, recorded: Recorded, others: Others | None) -> None:
        modules = Modules(lines, file, recorded, others)
        self._root, self._evidence = modules.first.root, modules.first.evidence
        self._tracing = Tracings(modules).of(modules.first)

    def read(self) -> Variables:
        found = map(self._defined, self._tracing.names.all())
        defined = sorted((one for one in found if one is not None), key=lambda one: one.span)
        given = {definition.name.span for definition in self._tracing.names.all()}
        uses = (node for node in self._root.walk() if node.kind == "identifier" and node.span not in given)
        used = [one for one in map(self._used, uses) if one is not None]
        return Variables(tuple(defined), tuple(used), frozenset(self._evidence.functions))

    def _used(self, node: Node) -> Variable | None:
        if not _is_read(node) or is_conditional(node) or not self._evidence.executed(node):
            return None
        value = self._tracing.used(node)
        return None if value is None or not value.sets else _variable(node, node, value)

    def _defined(self, definition: Definition) -> Variable | None:
        if definition.kind == "other":
            return None
        value = self._tracing.defined(definition)
        if value is None or not value.sets or not self._happened(definition):
            return None
        given = definition.source if definition.kind in ("value", "each", "entered") else None
        return _variable(definition.name, given or definition.name, value, self._repeats(definition, value))

    def _happened(self, definition: Definition) -> bool:
        """Whether the name was given its value, for certain."""
        if definition.kind in ("parameter", "changed"):
            return True
        source = definition.source
        if source is not None and self._evidence.made_in(without_parentheses(source)) is not None:
            return True
        if definition.scope.kind not in COMPREHENSIONS and is_conditional(definition.name):
            return False
        return self._evidence.executed(definition.name)

    def _repeats(self, definition: Definition, value: Value) -> bool:
        here = self._evidence.calls_within(definition.at)
        return bool(here) and value.calls <= here


def trace(lines: Sequence[str], file: str, recorded: Recorded, others: Others | None = None) -> Variables:
    """The names of the source of `file`, which has these lines, in the run that `recorded` is of. What functions of
    `others` do with values counts, too."""
    return _Reader(lines, file, recorded, others).read()


def _variable(node: Node, given: Node, value: Value, repeats: bool = False) -> Variable:
    scope = scope_of(node)
    named = scope.field("name")
    function = named.text if named is not None else "<module>"
    return Variable(node.text, node.span, function, given.span, value.calls, dict(value.ways), repeats)


def _is_read(node: Node) -> bool:
    """Whether an identifier is a name that is read, not one of an attribute, a keyword or something defined."""
    outer = node.parent
    if outer is None:
        return False
    if outer.kind == "attribute":
        return outer.children[0] is node
    if outer.kind == "keyword_argument":
        return outer.children[0] is not node
    return outer.kind not in ("dotted_name", "aliased_import", "parameters", "function_definition", "class_definition")
