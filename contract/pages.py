"""The pages of docs/ that say what clients may rely on: prose from templates, tables from the types.

A line `{{directive argument…}}` of a template stands for what `_Page` makes of it. A block ```` ```json TYPE ```` is an
example of that type, which a test checks.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from ao_lsp.server.commands import ALIASES
from ao_lsp.server.lsp.connection.negotiation import HISTORY, REVISION, VERSION
from ao_lsp.server.results.errors import CODES
from contract.changes import added
from contract.schema import schema
from contract.shapes import Choice, Either, Items, Named, Plain, Shape, Table, closure
from contract.surface import Operation, Surface

TEMPLATES = Path(__file__).parent / "templates"

NOTE = "<!-- Made by scripts/make-protocol from contract/templates/{} and the types: edit those. -->\n"

_DIRECTIVE = re.compile(r"^\{\{(\w+)((?: [^\s{}]+)*)\}\}$", re.MULTILINE)

_EXAMPLE = re.compile(r"^```json (\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

_MANY = {"text": "texts", "integer": "whole numbers", "number": "numbers"}

_WORDS = {"integer": "a whole number", "number": "a number", "boolean": "true or false", "any": "anything"}


class PageError(Exception):
    """A template says what cannot be made."""


def pages(surface: Surface) -> dict[str, str]:
    """The text of each page, by its name in docs/."""
    first = {**surface.commands, **surface.daemon_commands}
    second = {**surface.methods, **surface.editor_commands}
    made: dict[str, str] = {}
    places: dict[str, str] = {}
    for name, operations, more in (
        ("commands.md", first, [surface.error]),
        ("protocol.md", second, [surface.client, surface.server, surface.options]),
    ):
        page = _Page(name, surface, operations, places)
        names = [*(one for each in operations.values() for one in each.types), *(one.name for one in more)]
        page.wanted = [one for one in closure(names, surface.types.found) if one not in places]
        places |= dict.fromkeys(page.wanted, name)
        made[name] = page.text()
    return made


def examples(name: str) -> Iterator[tuple[str, object]]:
    """The examples on a page: type and value.

    Raises:
        ValueError: one is no JSON.
    """
    for kind, text in _EXAMPLE.findall(_template(name)):
        yield kind, json.loads(text)


def words(shape: Shape, link: Callable[[str], str]) -> str:
    """A shape in words; `link` makes one of the name of a type."""
    match shape:
        case Plain(name):
            return _WORDS.get(name, name)
        case Choice(values):
            return " \\| ".join(values)
        case Items(of):
            return f"a list of {_MANY.get(of.name, words(of, link)) if isinstance(of, Plain) else words(of, link)}"
        case Table(of):
            return f"{words(of, link)} by name"
        case Named(name):
            return link(name)
        case Either(shapes):
            return " or ".join(dict.fromkeys(words(one, link) for one in shapes))


class _Page:
    """One page. `wanted` are the types that have to be on it, `places` says on which page each type is."""

    def __init__(
        self, name: str, surface: Surface, operations: Mapping[str, Operation], places: dict[str, str]
    ) -> None:
        self._name, self._surface, self._operations, self._places = name, surface, operations, places
        self.wanted: list[str] = []
        self._left: list[str] = []
        self._shown: set[str] = set()

    def text(self) -> str:
        """The whole page.

        Raises:
            PageError: something is missing on it, or named wrongly.
        """
        template = _template(self._name)
        placed = {one for kind, given in _DIRECTIVE.findall(template) if kind == "type" for one in given.split()}
        self._left = [one for one in self.wanted if one not in placed and not self._is_params(one)]
        if self._left and "{{types}}" not in template:
            raise PageError(f"contract/templates/{self._name}: no {{{{type {' '.join(self._left)}}}}}")
        made = _DIRECTIVE.sub(self._made, _EXAMPLE.sub(r"```json\n\2```", template))
        missing = [name for name in self._operations if name not in self._shown]
        if missing:
            raise PageError(f"contract/templates/{self._name} does not have {', '.join(missing)}")
        return NOTE.format(self._name) + made

    def _made(self, found: re.Match[str]) -> str:
        makers: dict[str, Callable[..., Iterable[str]]] = {
            "command": self._command,
            "type": self._types,
            "types": lambda: self._types(*self._left, level="###"),
            "methods": self._methods,
            "errors": lambda: _table(("code", "meaning"), ((f"`{code}`", said) for code, said in CODES.items())),
            "history": lambda: _table(
                ("revision", "of", "change"),
                (
                    (str(at), what, how)
                    for at, what, how in sorted(
                        (*HISTORY, *self._news(), *added(schema(self._surface))), key=lambda row: row[0]
                    )
                ),
            ),
            "version": lambda: [f"The version is {VERSION}, the revision {REVISION}."],
        }
        kind, given = found[1], found[2].split()
        try:
            return "\n".join(makers[kind](*given))
        except (KeyError, TypeError) as error:
            raise PageError(f"contract/templates/{self._name}: {found[0]}: {error}") from error

    def _news(self) -> Iterator[tuple[int, str, str]]:
        before = {new: old for old, new in ALIASES.items()}
        found = {one.name: one for one in self._surface.operations() if one.since > 1}
        for name, one in found.items():
            yield one.since, f"`{name}`", f"new name of `{before[name]}`" if name in before else "new"

    def _command(self, name: str) -> Iterator[str]:
        one = self._operations[name]
        self._shown.add(name)
        yield f"{one.summary}"
        yield ""
        yield from self._parameters(one.params.name)
        assert one.result is not None
        said = [f"Gives {words(one.result, self._link)}."]
        if one.errors:
            said.append(f"Errors of its own: {', '.join(f'`{code}`' for code in one.errors)}.")
        if one.since > 1:
            said.append(f"Since revision {one.since}.")
        yield " ".join(said)

    def _parameters(self, name: str) -> Iterator[str]:
        fields = self._surface.types.found[name].fields
        if fields:
            rows = (
                (
                    f"`{field.name}`",
                    words(field.shape, self._link),
                    f"`{json.dumps(field.default)}`" if field.has_default else "",
                    field.doc,
                )
                for field in fields
            )
            yield from _table(("parameter", "type", "default", ""), rows)
            yield ""

    def _methods(self) -> Iterator[str]:
        shown = [one for one in self._operations.values() if one.kind != "command"]
        self._shown |= {one.name for one in shown}
        rows = (
            (
                f"`{one.name}`",
                f"{one.kind} to the {'client' if one.to_client else 'server'}",
                str(one.since),
                self._link(one.params.name),
                "" if one.result is None else words(one.result, self._link),
                ", ".join(f"`{code}`" for code in one.errors),
                one.summary,
            )
            for one in shown
        )
        yield from _table(("method", "what", "since", "parameters", "result", "errors of its own", ""), rows)

    def _types(self, *names: str, level: str = "####") -> Iterator[str]:
        for index, name in enumerate(names):
            one = self._surface.types.found[name]
            if self._places.get(name) != self._name:
                raise PageError(f"contract/templates/{self._name}: the type {name} is not of this page")
            yield from [""] if index else []
            yield f"{level} {name}"
            yield ""
            yield " ".join(one.doc.split())
            if one.closed:
                yield ""
                yield from list(self._parameters(name))[:-1]
            elif one.fields:
                bases, added = self._surface.types.split(one)
                if bases:
                    yield ""
                    yield f"All of {' and '.join(map(self._link, bases))}" + (", and:" if added else ".")
                if not added:
                    continue
                yield ""
                rows = (
                    (
                        f"`{field.name}`" + ("" if field.required else " (may be missing)"),
                        words(field.shape, self._link),
                        field.doc,
                    )
                    for field in added
                )
                yield from _table(("field", "type", ""), rows)

    def _is_params(self, name: str) -> bool:
        """Whether it is the parameters of a command, which are below that."""
        commands = (self._surface.commands, self._surface.editor_commands, self._surface.daemon_commands)
        return any(one.params.name == name for table in commands for one in table.values())

    def _link(self, name: str) -> str:
        page = self._places.get(name, self._name)
        if self._is_params(name):
            table = {**self._surface.daemon_commands, **self._surface.editor_commands, **self._surface.commands}
            command = next(one.name for one in table.values() if one.params.name == name)
            return f"[those of `{command}`]({'' if page == self._name else page}#{_anchor(command)})"
        return f"[{name}]({'' if page == self._name else page}#{_anchor(name)})"


def _template(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8")


def _anchor(heading: str) -> str:
    """What GitHub makes of a heading."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    listed = list(heads)
    yield _row(listed)
    yield "|" + "---|" * len(listed)
    yield from map(_row, rows)


def _row(cells: Iterable[str]) -> str:
    return "|" + "|".join(f" {cell} " if cell else " " for cell in cells) + "|"
