"""The user's files of one run, and which function of which of them a call in one of them calls. Pure.

Only files in which the run was seen are looked at, and the `__init__.py` of their packages. Whom an import names is
read from the sources; where the stacks of calls show that something else was called there, it is not believed.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeGuard

from ao_lsp.server.model import Call, Edge
from ao_lsp.server.values import Made, Span
from ao_lsp.server.variables.evidence import Evidence, Recorded, bare
from ao_lsp.server.variables.names import Definition, Names, names_in
from ao_lsp.server.variables.syntax import Node, block_of, parsed, scope_of, without_parentheses

_MOST_STEPS = 12
"""From import to import, or from name to name, until a function is found."""

_MOST_FILES = 60
"""That are read for one."""


@dataclass(frozen=True, eq=False, slots=True)
class Others:
    """The `files` in which a run was seen: the expressions recorded in one, and how to read its lines as the run read
    it; None where nobody knows them."""

    files: frozenset[str]
    made: Callable[[str], Mapping[Span, Made]]
    read: Callable[[str], Sequence[str] | None]


@dataclass(eq=False, slots=True)
class Module:
    """A file with its names, and what the run shows of it. `set_attributes`: where it sets those of a name; `rebound`:
    those of them that it sets in what it imported."""

    file: str
    root: Node
    names: Names
    evidence: Evidence
    set_attributes: dict[str, list[Node]] = field(default_factory=dict)
    rebound: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        for node in self.root.walk():
            if node.kind == "attribute" and _is_target(node):
                self.set_attributes.setdefault(node.children[-1].text, []).append(node)
                if self._is_imported(node.children[0]):
                    self.rebound.add(node.children[-1].text)

    def _is_imported(self, owner: Node) -> bool:
        owner = _first(owner)
        found = self.names.reaching(owner) if owner.kind == "identifier" else None
        return found is not None and _is_import(found)

    def only(self, name: str, scope: Node) -> Definition | None:
        """The one definition of a name in a module or class; None where there are others, or it is not always so."""
        found = self.names.of(scope, name)
        if len(found) != 1 or any(named == name for _, named in self.names.foreign):
            return None
        return found[0] if found[0].scope is scope else None


@dataclass(frozen=True, eq=False, slots=True)
class Found:
    """What a name of a module stands for."""

    module: Module
    definition: Definition

    def function(self) -> Node | None:
        return _plain(self.definition.source, "function_definition")


@dataclass(frozen=True, eq=False, slots=True)
class Class:
    """The class of an object. `exact`: it is none of its subclasses."""

    module: Module
    node: Node
    exact: bool


@dataclass(frozen=True, eq=False, slots=True)
class Callee:
    """The function that a call calls."""

    module: Module
    function: Node


class Modules:
    """The modules of a run, read when they are asked for."""

    def __init__(self, lines: Sequence[str], file: str, recorded: Recorded, others: Others | None) -> None:
        self._recorded, self._others = recorded, others
        self.first = _module(lines, file, recorded)
        self._by_file: dict[str, Module | None] = dict.fromkeys({file, *recorded.names}, self.first)
        seen = others.files - recorded.names if others is not None else frozenset()
        self._seen = seen | {file}
        packages = {posixpath.join(folder, "__init__.py") for name in seen for folder in _folders(name)}
        self._packages = frozenset(packages)
        self._started_in = {posixpath.dirname(call.stack[-1].file) for call in recorded.calls if call.stack}
        self._callees: dict[int, Callee | None] = {}

    def of(self, file: str) -> Module | None:
        """A file in which the run was seen, or that of a package; None where it is not known what was in it."""
        if file not in self._by_file:
            self._by_file[file] = None
            if self._others is not None and file in self._seen | self._packages and len(self._by_file) < _MOST_FILES:
                lines = self._others.read(file)
                if lines is not None:
                    said = replace(self._recorded, names=frozenset((file,)), made=self._others.made(file))
                    self._by_file[file] = _module(lines, file, said)
        return self._by_file[file]

    # -- calls

    def callee(self, module: Module, call: Node) -> Callee | None:
        """The function that a call calls, where that is another file's, or a method of an object whose class is
        known."""
        if id(call) not in self._callees:
            self._callees[id(call)] = None  # while it is being found out
            self._callees[id(call)] = self._callee(module, call)
        return self._callees[id(call)]

    def _callee(self, module: Module, call: Node) -> Callee | None:
        function = call.field("function")
        if function is None:
            return None
        sure = True
        found = self._named(module, function, 0)
        if found is not None:
            called = found.function()
            callee = Callee(found.module, called) if called is not None else None
        elif function.kind == "attribute":
            owner = self._class_of(module, function.children[0], 0)
            callee = self._method(owner, function.children[-1].text, 0) if owner is not None else None
            sure = owner is not None and owner.exact
        else:
            return None
        if callee is None or not self.agrees(module, call, callee, sure):
            return None
        named = _name(callee.function)
        for one in (module, callee.module):
            if named in (one.rebound if found is not None else one.set_attributes):
                return None
        return callee

    def agrees(self, module: Module, call: Node, callee: Callee, sure: bool) -> bool:
        """Whether the stacks of calls show this function, and no other, as called there; where they show none, it is
        what was `sure` before."""
        seen = [one for span in module.evidence.spans(call) for one in module.evidence.entered.get(span, ())]
        if not seen:
            return sure
        names, span = callee.module.evidence.names, callee.function.span
        name = _name(callee.function)
        return all(
            file in names and bare(f) == name and span.line < line <= span.end_line + 1 for file, f, line in seen
        )

    # -- what names stand for

    def imported(self, module: Module, definition: Definition) -> Found | None:
        """What an import gives a name."""
        return self._imported(module, definition, 0) if _is_import(definition) else None

    def _named(self, module: Module, node: Node, steps: int) -> Found | None:
        """What an imported name, or one of an imported module, stands for."""
        node = without_parentheses(node)
        if node.kind == "identifier":
            found = module.names.reaching(node)
            if found is None and all(name != node.text for _, name in module.names.definitions):
                return self._starred(module, node.text, steps)
            return self._imported(module, found, steps) if found is not None and _is_import(found) else None
        if node.kind != "attribute":
            return None
        path = self._path(module, node.children[0], steps)
        return self._member(path, node.children[-1].text, steps + 1) if path is not None else None

    def _path(self, module: Module, node: Node, steps: int) -> str | None:
        """The path of the module, without an ending, that an expression stands for."""
        if node.kind == "attribute":
            outer = self._path(module, node.children[0], steps)
            inner = f"{outer}/{node.children[-1].text}" if outer is not None else ""
            return inner if inner and self._is_module(inner) else None
        if node.kind != "identifier":
            return None
        definition = module.names.reaching(node)
        if definition is None or not _is_import(definition):
            return None
        base, member = self._asked(module, definition)
        if base is None or member is None:
            return base
        if self._member(base, member, steps + 1) is not None:
            return None  # a thing of the package, not a module of it
        return f"{base}/{member}" if self._is_module(f"{base}/{member}") else None

    def _imported(self, module: Module, definition: Definition, steps: int) -> Found | None:
        base, member = self._asked(module, definition)
        return self._member(base, member, steps + 1) if base is not None and member is not None else None

    def _asked(self, module: Module, definition: Definition) -> tuple[str | None, str | None]:
        """The path of the module that an import names, and what of it."""
        at, name = definition.at, definition.name
        part = next((one for one in at.children if name in one.walk()), None)
        if part is None:
            return None, None
        alias = part.kind == "aliased_import"
        wanted = (part.field("name") or part).text if alias else part.text
        if at.kind == "import_from_statement":
            source = at.field("module_name")
            return (self._find(module, source.text), wanted) if source is not None else (None, None)
        if not alias and "." in wanted:
            whole = self._find(module, wanted)
            return (None if whole is None else whole[: -len(wanted)] + wanted.split(".")[0]), None
        return self._find(module, wanted), None

    def _member(self, path: str, name: str, steps: int) -> Found | None:
        """What a name of a module stands for, where it was not imported from yet another."""
        module = self._at(path)
        if module is None or steps > _MOST_STEPS:
            return None
        if module.names.of(module.root, name):
            definition = module.only(name, module.root)
            if definition is None:
                return None
            return self._imported(module, definition, steps) if _is_import(definition) else Found(module, definition)
        return self._starred(module, name, steps)

    def _starred(self, module: Module, name: str, steps: int) -> Found | None:
        """What a name that a module does not define stands for, where it imports all of one other."""
        stars = [one for one in module.root.children if one.kind == "import_from_statement" and _is_star(one)]
        if len(stars) != 1 or (source := stars[0].field("module_name")) is None:
            return None
        base = self._find(module, source.text)
        return self._member(base, name, steps + 1) if base is not None else None

    # -- modules

    def _at(self, path: str) -> Module | None:
        """The module of a path without an ending."""
        return self.of(f"{path}.py") or self.of(f"{path}/__init__.py")

    def _is_module(self, path: str) -> bool:
        return f"{path}.py" in self._seen or any(name.startswith(f"{path}/") for name in self._seen)

    def _find(self, module: Module, name: str) -> str | None:
        """The path of the module that an import in another names."""
        dots = len(name) - len(name.lstrip("."))
        inner = name[dots:].replace(".", "/")
        if dots:
            base = posixpath.dirname(module.file)
            for _ in range(dots - 1):
                base = posixpath.dirname(base)
            return f"{base}/{inner}" if inner else base
        folder = posixpath.dirname(module.file)
        roots = dict.fromkeys((*self._started_in, folder, *_folders(module.file)))
        found = [f"{root.rstrip('/')}/{inner}" for root in roots if self._is_module(f"{root.rstrip('/')}/{inner}")]
        if not found and "/" in inner:  # below a folder like `src`
            ends = f"/{inner}.py", f"/{inner}/__init__.py"
            found = [name[: -len(end)] + f"/{inner}" for name in self._seen for end in ends if name.endswith(end)]
        return found[0] if len(found) == 1 else None

    # -- objects

    def _class(self, module: Module, node: Node, steps: int) -> Class | None:
        """The class that an expression names."""
        if node.kind == "identifier" and steps < _MOST_STEPS:
            found = module.names.reaching(node)
            if found is not None and found.kind == "other" and _is_class(found.source):
                return _known(module, found.source) if module.only(node.text, found.scope) is found else None
        there = self._named(module, node, steps)
        if there is None or not _is_class(there.definition.source):
            return None
        return _known(there.module, there.definition.source)

    def _class_of(self, module: Module, node: Node, steps: int) -> Class | None:
        """The class of the object that an expression gives."""
        node = without_parentheses(node)
        if steps > _MOST_STEPS:
            return None
        if node.kind == "call":
            function = node.field("function")
            return self._class(module, function, steps + 1) if function is not None else None
        if node.kind == "attribute":
            return self._attribute(self._class_of(module, node.children[0], steps + 1), node.children[-1].text, steps)
        if node.kind != "identifier":
            return None
        definition = module.names.reaching(node)
        if definition is None:
            return None
        if definition.kind == "parameter":
            return self._parameter(module, definition, steps)
        found = self._imported(module, definition, steps + 1) if _is_import(definition) else Found(module, definition)
        if found is None or found.definition.kind != "value" or found.definition.path:
            return None
        source = found.definition.source
        return self._class_of(found.module, source, steps + 1) if source is not None else None

    def _parameter(self, module: Module, definition: Definition, steps: int) -> Class | None:
        """The class of `self`, or the one that a parameter is annotated with."""
        function = definition.scope
        around = scope_of(function)
        if around.kind == "class_definition" and function.kind == "function_definition":
            parameters = function.field("parameters")
            if parameters is not None and parameters.children and parameters.children[0] is definition.at:
                return Class(module, around, False) if _plain(function, "function_definition") else None
        annotated = definition.at.field("type")
        if annotated is None or len(annotated.children) != 1:
            return None
        found = self._class(module, annotated.children[0], steps + 1)
        return Class(found.module, found.node, False) if found is not None else None

    def _attribute(self, owner: Class | None, name: str, steps: int) -> Class | None:
        """The class of what an object has in an attribute that is set in one place of its class."""
        if owner is None:
            return None
        body = owner.node.field("body")
        set_in = owner.module.set_attributes.get(name, [])
        if body is None or len(set_in) != 1 or set_in[0].children[0].kind != "identifier":
            return None
        target = set_in[0]
        given = owner.module.names.reaching(target.children[0])
        if given is None or given.kind != "parameter" or scope_of(given.scope) is not owner.node:
            return None
        assigned = target.parent
        value = assigned.field("right") if assigned is not None and assigned.kind == "assignment" else None
        if value is None or value.kind == "assignment" or self._parameter(owner.module, given, steps) is None:
            return None
        found = self._class_of(owner.module, value, steps + 1)
        # A subclass may set another.
        return found if found is None or owner.exact else Class(found.module, found.node, False)

    def _method(self, owner: Class, name: str, steps: int) -> Callee | None:
        """The method of a class, or of the one that it is derived from."""
        body = owner.node.field("body")
        if body is None or steps > _MOST_STEPS:
            return None
        if owner.module.names.of(owner.node, name):
            definition = owner.module.only(name, owner.node)
            function = _plain(definition.source, "function_definition") if definition is not None else None
            # One under a condition may be another's.
            return Callee(owner.module, function) if function is not None and function in block_of(function) else None
        bases = owner.node.field("superclasses")
        if bases is None or len(bases.children) != 1:
            return None
        base = self._class(owner.module, bases.children[0], steps + 1)
        return self._method(base, name, steps + 1) if base is not None else None


def seen_files(calls: Iterable[Call], edges: Iterable[Edge]) -> frozenset[str]:
    """The files in which a run was seen: in the stacks of its calls, and on the ways from one to the next."""
    sites = {site for call in calls for site in (*call.stack, *((call.site,) if call.site is not None else ()))}
    return frozenset((*(site.file for site in sites), *(file for edge in edges for file, _ in edge.path)))


def _module(lines: Sequence[str], file: str, recorded: Recorded) -> Module:
    root = parsed(lines)
    return Module(file, root, names_in(root), Evidence(root, recorded))


def _known(module: Module, node: Node) -> Class:
    # What a decorator makes of a class may be another.
    return Class(module, node, _plain(node, "class_definition") is not None)


def _plain(node: Node | None, kind: str) -> Node | None:
    """A definition that nothing decorates."""
    if node is None or node.kind != kind or (node.parent is not None and node.parent.kind == "decorated_definition"):
        return None
    return node


def _is_class(node: Node | None) -> TypeGuard[Node]:
    return node is not None and node.kind == "class_definition"


def _is_import(definition: Definition) -> bool:
    return definition.at.kind in ("import_statement", "import_from_statement")


def _is_star(node: Node) -> bool:
    return any(part.kind == "wildcard_import" for part in node.children)


def _is_target(node: Node) -> bool:
    """Whether something is assigned to an attribute."""
    at = node
    while at.parent is not None and at.parent.kind in ("pattern_list", "tuple_pattern", "list_pattern"):
        at = at.parent
    outer = at.parent
    if outer is None:
        return False
    if outer.kind in ("assignment", "augmented_assignment"):
        return outer.field("left") is at
    return outer.kind == "delete_statement" or (outer.kind == "for_statement" and outer.field("left") is at)


def _first(node: Node) -> Node:
    while node.kind in ("attribute", "subscript") and node.children:
        node = node.children[0]
    return node


def _name(function: Node) -> str:
    named = function.field("name")
    return named.text if named is not None else ""


def _folders(file: str) -> list[str]:
    """The folders that a file is in, innermost first."""
    found, at = [], posixpath.dirname(file)
    while at and at not in found:
        found.append(at)
        at = posixpath.dirname(at)
    return found
