"""From which calls the value of an expression came, in one run: nothing but what the run shows for certain.

Where a value was made is recorded (values.py). What is handed on as it is leaves no trace, and is followed here through
the sources: names, displays, conditions, parts of replies, functions of the user's files and their arguments. Wherever
there are two ways and nothing says which one the program took, nothing is known.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from ao_lsp.server.variables.modules import Callee, Module, Modules
from ao_lsp.server.variables.names import Definition, follows
from ao_lsp.server.variables.syntax import (
    COMPREHENSIONS,
    LOOPS,
    Node,
    call_at,
    scope_of,
    statement_of,
    without_parentheses,
)

Hop = tuple[str, int]

_DEPTH = 40

_MANY = 20
"""Sets of calls, that are looked up by call."""

_MOST_CALLERS = 50
"""Of one function in other files, that are looked at."""

# What gives its argument, or a collection of what is in it.
_THROUGH = frozenset({"list", "tuple", "set", "sorted", "reversed", "iter", "str", "dict"})
_AWAITS = frozenset({"run", "gather", "wait_for", "create_task", "ensure_future", "shield", "run_until_complete"})

# Methods of texts and containers that give a part of them, or themselves.
_PARTS = frozenset(
    {"strip", "lstrip", "rstrip", "lower", "upper", "title", "split", "rsplit", "splitlines", "partition", "rpartition",
     "replace", "removeprefix", "removesuffix", "get", "values", "items", "group", "groups", "copy", "read", "json"}
)  # fmt: skip

_HOLDING = frozenset({"list", "tuple", "set", "dictionary"})

_CONSTANTS = frozenset(
    {"string", "concatenated_string", "integer", "float", "true", "false", "none", "comparison_operator",
     "not_operator", "binary_operator", "unary_operator", "lambda", "ellipsis"}
)  # fmt: skip
"""What is made anew, or has no origins: of a call only where that is recorded."""


@dataclass(frozen=True, eq=False, slots=True)
class Value:
    """What is known of the values of an expression. Of each of `sets` there was a value that came from just these
    calls; none: none came from a call. `solid`: so did whatever is read out of it. `ways`: the lines from a call on.
    """

    sets: tuple[frozenset[str], ...] = ()
    solid: bool = False
    ways: Mapping[str, tuple[Hop, ...]] = field(default_factory=dict)

    @property
    def calls(self) -> frozenset[str]:
        return frozenset().union(*self.sets)

    @property
    def has_parts(self) -> bool:
        """Whether it is known where what is read out of it came from: of several calls, anything might be any's."""
        return self.solid and all(len(calls) == 1 for calls in self.sets)

    def through(self, hop: Hop) -> Value:
        """The same, having gone through a line."""
        ways = {call: way if way[-1:] == (hop,) else (*way, hop) for call, way in self.ways.items()}
        return Value(self.sets, self.solid, ways)

    def loose(self) -> Value:
        return Value(self.sets, False, self.ways)


NOTHING = Value()


@dataclass(frozen=True, eq=False, slots=True)
class Entered:
    """A function that is being called: from `call`, which stands in what was called by `outer`."""

    function: Node
    call: Node
    outer: Entered | None
    caller: Tracing
    """Of the source that the call is in."""


class Tracings:
    """Of the sources of a run."""

    def __init__(self, modules: Modules) -> None:
        self.modules = modules
        self.busy: set[tuple[int, Entered | None]] = set()
        """The expressions that are being looked at."""
        self._of: dict[Module, Tracing] = {}

    def of(self, module: Module) -> Tracing:
        if module not in self._of:
            self._of[module] = Tracing(module, self)
        return self._of[module]


class Tracing:
    """Follows the values of one source in one run."""

    def __init__(self, module: Module, all_of: Tracings) -> None:
        self._file, self.names, self.evidence = module.file, module.names, module.evidence
        self._module, self._all = module, all_of
        self._known: dict[tuple[int, Entered | None], Value | None] = {}
        self._busy = all_of.busy
        self._callers: dict[str, list[Node]] | None = None
        self._mentions: dict[str, int] = {}
        self._entered: dict[tuple[int, int, Entered | None], Entered] = {}
        self._changed: set[tuple[int, str]] | None = None
        self._replies: dict[int, tuple[list[frozenset[str]], dict[str, tuple[Hop, ...]]]] = {}
        self._by_call: dict[int, tuple[dict[str, list[frozenset[str]]], bool]] = {}

    # -- names

    def defined(self, definition: Definition, inside: Entered | None = None) -> Value | None:
        """What a definition gives its name; None where nobody knows."""
        source = definition.source
        value: Value | None = None
        if definition.kind == "parameter":
            value = self._argument(definition, inside)
        elif definition.kind == "changed" and source is not None:
            value = self._made(source, inside)
        elif source is not None and definition.kind == "value":
            value = self._taken_apart(source, definition.path, inside)
        elif source is not None and definition.kind == "each":
            value = self._each(definition, source, inside)
        elif source is not None and definition.kind == "entered" and not definition.path:
            value = self._entered_with(definition, source, inside)
        elif definition.kind == "other" and (found := self._all.modules.imported(self._module, definition)) is not None:
            value = self._all.of(found.module).defined(found.definition)
            return value if value is not None and len(value.sets) < 2 else None
        if value is None or not value.sets:
            return value
        return value.through((self._file, definition.name.span.line + 1))

    def used(self, use: Node, inside: Entered | None = None) -> Value | None:
        """What a name has where it is used."""
        definition = self.names.reaching(use)
        if definition is None:
            return None
        within = inside
        if definition.scope is not scope_of(use) and definition.scope.kind not in COMPREHENSIONS:
            within = None  # of a function around this one, or the module
        value = self.defined(definition, within)
        if value is None or len(value.sets) < 2 or follows(definition, use):
            return value
        return None

    def _entered_with(self, definition: Definition, source: Node, inside: Entered | None) -> Value | None:
        statement = next((one for one in definition.at.ancestors() if one.kind == "with_statement"), None)
        if statement is not None and sum(part.kind == "with_item" for part in statement.walk()) == 1:
            made = self._made(statement, inside)
            if made is not None:
                return made
        return self.value(source, inside)

    def _taken_apart(self, source: Node, path: tuple[int, ...], inside: Entered | None) -> Value | None:
        source = without_parentheses(source)
        if path and source.kind in ("tuple", "list", "expression_list"):
            if path[0] >= len(source.children) or any(part.kind == "list_splat" for part in source.children):
                return None
            return self._taken_apart(source.children[path[0]], path[1:], inside)
        value = self.value(source, inside)
        if path and value is not None and value.sets:
            return value if value.has_parts else None
        return value

    def _each(self, definition: Definition, source: Node, inside: Entered | None) -> Value | None:
        """What the variable of a loop has, in all turns."""
        path, at = definition.path, definition.at
        loop = at if at.kind == "for_statement" else at.parent
        made = None if path or loop is None else self._made(loop, inside)
        if made is not None and (loop is None or loop.kind == "for_statement" or _clauses(loop) == 1):
            return made
        source = without_parentheses(source)
        function = source.field("function") if source.kind == "call" else None
        called = function.text if function is not None else ""
        arguments = _positional(source)
        if called == "enumerate" and path[:1] == (1,) and len(arguments) >= 1:
            return self._elements(arguments[0], path[1:], loop, inside)
        if called == "enumerate":
            return NOTHING if path[:1] == (0,) else None
        if called == "zip" and path and path[0] < len(arguments):
            return self._elements(arguments[path[0]], path[1:], loop, inside)
        return self._elements(source, path, loop, inside)

    def _elements(self, source: Node, path: tuple[int, ...], loop: Node | None, inside: Entered | None) -> Value | None:
        value = self.value(source, inside)
        if value is None or not value.sets:
            return value
        if value.solid and not value.has_parts:
            return None
        if not value.solid and (path or self._is_changed(source)):
            return None
        if len(value.sets) > 1 and loop is not None and loop.kind == "for_statement" and _breaks(loop):
            return None
        if len(value.sets) > 1 and source.kind in ("attribute", "subscript"):
            return None  # in some of the replies there may be none
        return value

    # -- expressions

    def value(self, node: Node, inside: Entered | None = None) -> Value | None:
        """What an expression gives; None where nobody knows."""
        key = id(node), inside
        if key in self._known:
            return self._known[key]
        if key in self._busy or len(self._busy) > _DEPTH:
            return None  # it depends on itself
        self._busy.add(key)
        try:
            found = self._value(without_parentheses(node), inside)
        finally:
            self._busy.discard(key)
        if not self._busy:  # else it may be missing what is being found out
            self._known[key] = found
        return found

    def _value(self, node: Node, inside: Entered | None) -> Value | None:
        called = self._reply(node, inside)
        if called is not None:
            return called
        if node.kind not in COMPREHENSIONS:
            made = self._made(node, inside)
            if made is not None:
                return made
        if node.kind in _CONSTANTS:
            return NOTHING
        if node.kind == "identifier":
            return self.used(node, inside)
        if node.kind in ("await", "named_expression"):
            value = node.field("value") or (node.children[-1] if node.children else None)
            return None if value is None else self.value(value, inside)
        if node.kind == "conditional_expression" and len(node.children) == 3:
            return self._one_of((node.children[0], node.children[2]), inside)
        if node.kind == "boolean_operator":
            return self._one_of(node.children, inside)
        if node.kind in ("list", "tuple", "set", "expression_list", "dictionary", "pair", "list_splat"):
            return self._all_of(node.children, inside)
        if node.kind in COMPREHENSIONS:
            return self._all_of(node.children[:1], inside)
        if node.kind == "attribute":
            return self._part(node.field("object"), inside)
        if node.kind == "subscript":
            return self._part(node.field("value"), inside)
        if node.kind == "call":
            return self._called(node, inside)
        return None

    def _reply(self, node: Node, inside: Entered | None) -> Value | None:
        """What came out of a recorded call is that call's."""
        if node.kind not in ("call", "await"):
            return None
        if id(node) not in self._replies:
            calls = self.evidence.calls_at(node)
            way = (self.hop_at(node),)
            sets = [frozenset((call.id,)) for call in calls if call.status == "ok"]
            self._replies[id(node)] = sets, {call.id: way for call in calls}
        return self._seen(*self._replies[id(node)], inside, solid=True)

    def _made(self, node: Node, inside: Entered | None) -> Value | None:
        """What was recorded of an expression; None where nothing was."""
        made = self.evidence.made_in(node)
        if made is None:
            return None
        found = self._seen(made.sets, made.ways, inside, self._is_solid(node, inside))
        if found is None or len(found.sets) < 2 or node.kind != "call" or self._is_reply(node):
            return found
        # JSON that was made of several may have come apart again.
        return found if self._one_each_time(node) else found.loose()

    def _one_each_time(self, node: Node) -> bool:
        """Whether the function around makes one call each time, of which this may be the reply."""
        function = scope_of(node)
        if function.kind != "function_definition":
            return False
        sites = [one for one in function.walk(into_functions=False) if self.evidence.calls_at(one)]
        return len(sites) == 1 and all(
            outer.kind not in (*LOOPS, *COMPREHENSIONS) for outer in sites[0].ancestors() if _is_in(outer, function)
        )

    def _seen(
        self, sets: list[frozenset[str]], ways: Mapping[str, tuple[Hop, ...]], inside: Entered | None, solid: bool
    ) -> Value | None:
        """Of what was recorded, that which belongs to the call of the function."""
        if inside is not None and len(sets) > _MANY:
            kept = tuple(calls for calls in self._possible(sets, inside) if self._belongs(calls, inside))
        else:
            kept = tuple(calls for calls in sets if inside is None or self._belongs(calls, inside))
        if not kept:
            return None
        named = frozenset().union(*kept)
        return Value(kept, solid, {call: ways[call] for call in named if call in ways})

    def _possible(self, sets: list[frozenset[str]], inside: Entered) -> Iterable[frozenset[str]]:
        """Of many, those that may belong to a call of a function: what only its other calls made does not."""
        if id(sets) not in self._by_call:
            index: dict[str, list[frozenset[str]]] = {}
            for calls in sets:
                for call in calls:
                    index.setdefault(call, []).append(calls)
            named = inside.function.field("name")
            made = self.evidence.inside.get(named.text if named is not None else "", set())
            self._by_call[id(sets)] = index, index.keys() <= made
        index, only_made = self._by_call[id(sets)]
        if not only_made or self._is_only_way(inside):
            return sets
        during = inside.caller.evidence.calls_during(inside.call)
        return dict.fromkeys(calls for call in sorted(during & index.keys()) for calls in index[call])

    def _is_solid(self, node: Node, inside: Entered | None) -> bool:
        """Whether all that is read out of a value has the origins of the whole: it is a text, or was made of nothing
        else."""
        if node.kind in ("string", "concatenated_string", "binary_operator", "for_statement"):
            return True
        if node.kind in ("attribute", "subscript"):
            owner = self._part(node.children[0], inside)
            return owner is not None and owner.solid
        if node.kind == "await":
            return self._is_solid(without_parentheses(node.children[-1]), inside)
        if node.kind != "call":
            return False
        if self._is_reply(node):
            return True
        function = node.field("function")
        if function is None or function.kind != "attribute":
            return False
        if function.children[-1].text in ("load", "loads", "join", "dumps"):
            return True
        owner = self.value(function.children[0], inside)
        return owner is not None and bool(owner.sets) and owner.solid

    def _is_reply(self, node: Node) -> bool:
        return bool(self.evidence.calls_at(node) or (node.parent is not None and self.evidence.calls_at(node.parent)))

    def _one_of(self, nodes: Iterable[Node], inside: Entered | None) -> Value | None:
        nodes = list(nodes)
        values = [self.value(node, inside) for node in nodes]
        some = [value for value in values if value is None or value.sets]
        if not some:
            return NOTHING
        first = some[0]
        if first is None or any(value is None or set(value.sets) != set(first.sets) for value in some):
            return None
        if len(first.sets) > 1 and (len(some) != 1 or any(node.kind in _HOLDING for node in nodes)):
            return None  # each time it may have been another of these: a reply need not have a list of tools to call
        return Value(first.sets, all(value is not None and value.solid for value in some), first.ways)

    def _all_of(self, nodes: Iterable[Node], inside: Entered | None) -> Value | None:
        """What holds several values; those of which nothing is known are passed over."""
        sets: dict[frozenset[str], None] = {}
        ways: dict[str, tuple[Hop, ...]] = {}
        for node in nodes:
            value = self.value(node, inside)
            if value is not None:
                sets.update(dict.fromkeys(value.sets))
                ways = {**value.ways, **ways}
        return Value(tuple(sets), False, ways)

    def _part(self, owner: Node | None, inside: Entered | None) -> Value | None:
        """What is read out of something."""
        if owner is None:
            return None
        value = self.value(owner, inside)
        if value is None or not value.sets:
            return value if value is None else None
        if not value.has_parts or self._is_changed(owner):
            return None
        return value

    # -- calls

    def _called(self, node: Node, inside: Entered | None) -> Value | None:
        function = node.field("function")
        if function is None:
            return None
        entered = self._enters(node, function, inside)
        if entered is not None:
            return self._all.of(entered[0]).returned(entered[1])
        arguments = _positional(node)
        if function.kind == "identifier":
            if function.text in _THROUGH and len(arguments) == 1 and not self.names.of(scope_of(node), function.text):
                value = self.value(arguments[0], inside)
                return value if function.text == "str" or value is None else value.loose() if not value.solid else value
            return None
        if function.kind != "attribute":
            return None
        method = function.children[-1].text
        if method in _AWAITS and arguments:
            given = arguments if method == "gather" else arguments[:1]
            return self._all_of(given, inside) if method == "gather" else self.value(given[0], inside)
        if method in _PARTS:
            value = self._part(function.field("object"), inside)
            # In some of several there may be none.
            return None if method == "get" and value is not None and len(value.sets) > 1 else value
        return None

    def _enters(self, call: Node, function: Node, inside: Entered | None) -> tuple[Module, Entered] | None:
        """The function that a call calls, if it is certain which one, and its module."""
        module, callee = self._module, self._callee(call, function)
        if callee is None:
            found = self._all.modules.callee(self._module, call)
            if found is None:
                return None
            module, callee = found.module, found.function
        key = id(callee), id(call), inside
        if key not in self._entered:
            self._entered[key] = Entered(callee, call, inside, self)
        return module, self._entered[key]

    def _callee(self, call: Node, function: Node) -> Node | None:
        if function.kind == "identifier":
            definition = self.names.reaching(function)
            callee = definition.source if definition is not None and definition.kind == "other" else None
        elif function.kind == "attribute" and _is_self(function.field("object"), call):
            named = self.names.functions.get(function.children[-1].text, [])
            callee = named[0] if len(named) == 1 and scope_of(named[0]) is scope_of(scope_of(call)) else None
            if callee is not None and not self._all.modules.agrees(
                self._module, call, Callee(self._module, callee), True
            ):
                return None
        else:
            return None
        if callee is None or callee.kind != "function_definition":
            return None
        decorated = callee.parent is not None and callee.parent.kind == "decorated_definition"
        return None if decorated else callee

    def returned(self, entered: Entered) -> Value | None:
        """What a function of this source gives to whom calls it."""
        body = entered.function.field("body")
        if body is None:
            return None
        found = [node for node in body.walk(into_functions=False) if node.kind in ("return_statement", "yield")]
        if any(node.kind == "yield" for node in found):
            found = [node for node in found if node.kind == "yield"]
        given = [node.children[0] for node in found if node.children]
        values = [(node, self.value(node, entered)) for node in given]
        some = [(node, value) for node, value in values if value is None or value.sets]
        if not some:
            return NOTHING
        hop = entered.caller.hop_at(entered.call)
        if len(found) == 1 and _is_always_reached(found[0], body):
            value = some[0][1]
            return None if value is None else value.through(hop)
        # Of several, those that give what was called for in there.
        during = entered.caller.evidence.calls_during(entered.call)
        sure = [value for node, value in some if value is not None and self._is_seen(node, entered)]
        sets = dict.fromkeys(calls for value in sure for calls in value.sets if calls <= during)
        if not sets:
            return None
        named = frozenset().union(*sets)
        ways = {call: way for value in reversed(sure) for call, way in value.ways.items() if call in named}
        return Value(tuple(sets), all(value.solid for value in sure), ways).through(hop)

    def _is_seen(self, node: Node, entered: Entered) -> bool:
        node = without_parentheses(node)
        return self._reply(node, entered) is not None or self._made(node, entered) is not None

    def _argument(self, parameter: Definition, inside: Entered | None) -> Value | None:
        function = parameter.scope
        if function.kind != "function_definition":
            return None
        if inside is not None:
            if inside.function is not function:
                return None
            return inside.caller.given(parameter, inside.call, inside.outer)
        sets: dict[frozenset[str], None] = {}
        ways: dict[str, tuple[Hop, ...]] = {}
        calls = [(self, call) for call in self.calls_of(function)]
        for tracing, call in (*calls, *self._called_from_elsewhere(function)):
            seen = tracing.evidence.calls_during(call)
            if seen or (tracing.evidence.executed(call) and not is_conditional(call)):
                value = tracing.given(parameter, call, None)
                if value is not None:
                    sets.update(dict.fromkeys(value.sets))
                    ways = {**value.through(tracing.hop_at(call)).ways, **ways}
        return Value(tuple(sets), False, ways) if sets else None

    def _called_from_elsewhere(self, function: Node) -> Iterator[tuple[Tracing, Node]]:
        """Where other files were seen to call a function of this one."""
        named = function.field("name")
        callers = self.evidence.callers.get(named.text if named is not None else "", set())
        for file, span in sorted(callers)[:_MOST_CALLERS]:
            module = self._all.modules.of(file)
            call = call_at(module.root, span) if module is not None else None
            if module is not None and call is not None:
                found = self._all.modules.callee(module, call)
                if found is not None and found.function is function:
                    yield self._all.of(module), call

    def hop_at(self, node: Node) -> Hop:
        return self._file, node.span.line + 1

    def given(self, parameter: Definition, call: Node, outer: Entered | None) -> Value | None:
        """The argument of a call, which is in this source, for a parameter."""
        arguments = call.field("arguments")
        if arguments is None or arguments.kind != "argument_list":
            return None
        name = parameter.name.text
        if any(part.kind in ("list_splat", "dictionary_splat") for part in arguments.children):
            return None
        for part in arguments.children:
            if part.kind == "keyword_argument" and part.children[0].text == name:
                return self.value(part.children[-1], outer)
        listed = parameter.at.parent.children if parameter.at.parent is not None else []
        positions = [part for part in listed if part.kind not in ("keyword_separator", "positional_separator")]
        index = positions.index(parameter.at)
        if scope_of(parameter.scope).kind == "class_definition":
            index -= 1  # `self` is not among the arguments
        given = _positional(call)
        return self.value(given[index], outer) if 0 <= index < len(given) else NOTHING

    def calls_of(self, function: Node) -> list[Node]:
        """Where the file calls one of its functions."""
        if self._callers is None:
            self._callers = {}
            for node in self.names.root.walk():
                called = node.field("function") if node.kind == "call" else None
                if called is not None and called.kind in ("identifier", "attribute"):
                    self._callers.setdefault((called.children or [called])[-1].text, []).append(node)
                if node.kind == "identifier":
                    self._mentions[node.text] = self._mentions.get(node.text, 0) + 1
        named = function.field("name")
        some = self._callers.get(named.text, []) if named is not None else []
        return [call for call in some if (inner := call.field("function")) and self._callee(call, inner) is function]

    def _belongs(self, calls: frozenset[str], inside: Entered) -> bool:
        """Whether a value of these calls was made in this very call of the function."""
        during = inside.caller.evidence.calls_during(inside.call)
        named = inside.function.field("name")
        made = self.evidence.inside.get(named.text if named is not None else "", set())
        given: frozenset[str] | None = None
        for call in calls:
            if call in during:
                continue
            if call in made:  # by this call of the function, or by another
                if not self._is_only_way(inside):
                    return False
                continue
            if given is None:
                given = self._all_given(inside)
            if call not in given:
                return False
        return inside.outer is None or inside.caller._belongs(calls, inside.outer)

    def _all_given(self, inside: Entered) -> frozenset[str]:
        """The calls that the arguments came from."""
        arguments = inside.call.field("arguments")
        found: frozenset[str] = frozenset()
        for part in arguments.children if arguments is not None else ():
            given = part.children[-1] if part.kind == "keyword_argument" else part
            value = inside.caller.value(given, inside.outer)
            found |= value.calls if value is not None else frozenset()
        return found

    def _is_only_way(self, inside: Entered) -> bool:
        """Whether the function is called in one place only."""
        named = inside.function.field("name")
        name = named.text if named is not None else ""
        if name in self.evidence.from_elsewhere or inside.caller is not self:
            return False
        return len(self.calls_of(inside.function)) == 1 and self._mentions.get(name, 0) == 2

    def _is_changed(self, owner: Node) -> bool:
        """Whether something in what a name stands for is replaced or taken out, somewhere in its function."""
        owner = without_parentheses(owner)
        while owner.kind in ("attribute", "subscript") and owner.children:
            owner = owner.children[0]
        if owner.kind != "identifier":
            return False
        if self._changed is None:
            self._changed = set(_changes(self.names.root))
        return (id(scope_of(owner)), owner.text) in self._changed


_TAKING = frozenset({"clear", "pop", "popitem", "remove", "update", "setdefault", "sort", "reverse"})


def _changes(root: Node) -> Iterator[tuple[int, str]]:
    for node in root.walk():
        target: Node | None = None
        if node.kind in ("assignment", "augmented_assignment"):
            target = node.field("left")
        elif node.kind == "delete_statement" and node.children:
            target = node.children[0]
        elif node.kind == "call":
            function = node.field("function")
            if function is not None and function.kind == "attribute" and function.children[-1].text in _TAKING:
                target = function
        if target is None or target.kind not in ("attribute", "subscript"):
            continue
        while target.kind in ("attribute", "subscript") and target.children:
            target = target.children[0]
        if target.kind == "identifier":
            yield id(scope_of(target)), target.text


def _positional(call: Node) -> list[Node]:
    arguments = call.field("arguments") if call.kind == "call" else None
    if arguments is None:
        return []
    if arguments.kind == "generator_expression":
        return [arguments]
    return [part for part in arguments.children if part.kind not in ("keyword_argument", "dictionary_splat")]


def _is_self(owner: Node | None, call: Node) -> bool:
    """Whether `owner` is the object whose method a call stands in."""
    function = scope_of(call)
    parameters = function.field("parameters") if function.kind == "function_definition" else None
    if owner is None or parameters is None or not parameters.children:
        return False
    return scope_of(function).kind == "class_definition" and owner.text == parameters.children[0].text


def is_conditional(node: Node) -> bool:
    """Whether an expression need not be evaluated where its statement is."""
    below = node
    for outer in node.ancestors():
        if outer.kind in ("conditional_expression", "boolean_operator", "lambda", *COMPREHENSIONS):
            return True
        if outer.kind in ("block", "module"):
            return False
        if outer.kind in ("if_statement", "elif_clause", *LOOPS) and below.kind == "block":
            return False
        below = outer
    return False


def _is_in(node: Node, outer: Node) -> bool:
    return any(one is outer for one in node.ancestors())


def _is_always_reached(statement: Node, body: Node) -> bool:
    """Whether nothing but an error leaves a function before a `return` or `yield`."""
    at = statement_of(statement)
    while at.parent is not body:
        outer = at.parent.parent if at.parent is not None else None
        if outer is None or outer.kind not in ("with_statement", "try_statement"):
            return False
        at = outer
    return True


def _clauses(comprehension: Node) -> int:
    return sum(part.kind == "for_in_clause" for part in comprehension.children)


def _breaks(loop: Node) -> bool:
    return any(
        node.kind in ("break_statement", "return_statement", "raise_statement")
        for node in loop.walk(into_functions=False)
    )
