"""Where a source asks a model: found in its syntax tree, also where it does not parse as a whole."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from keyword import iskeyword
from typing import Any

from ast_grep_py import SgNode

from ao_lsp.server.lsp.buffers.outline import Piece, pieces
from ao_lsp.server.parsing import parsed

# What a call of a model looks like, and the packages of which one has to be imported for it to be one:
# other people have a `messages.create`, too. A dotted name stands for that attribute of anything.
_METHODS: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    (("chat.completions.create", "chat.completions.parse", "chat.completions.stream"), ()),
    (
        ("responses.create", "responses.parse", "responses.stream", "completions.create", "embeddings.create"),
        ("openai", "groq", "together", "langfuse"),
    ),
    (("messages.create", "messages.parse", "messages.stream"), ("anthropic",)),
    (
        ("generate_content", "generate_content_stream", "generate_content_async", "models.embed_content"),
        ("google", "vertexai"),
    ),
    (("chat.complete", "chat.complete_async", "chat.stream", "chat.stream_async"), ("mistralai",)),
    (("chat", "generate", "embed", "embeddings"), ("ollama",)),
    (("converse", "converse_stream"), ("boto3", "botocore", "aioboto3", "aiobotocore")),
)

# The same for functions: called by their name, or as attributes of their package.
_FUNCTIONS = (
    (("completion", "acompletion", "embedding", "aembedding", "responses", "aresponses"), "litellm"),
    (("chat", "generate", "embed", "embeddings"), "ollama"),
)

# A request made by hand, to a URL that ends like those of models. The table of what is recorded is
# ao_lsp/runner/endpoints.py.
_REQUESTS = r"(^|\.)(post|stream|request|urlopen|Request)$"
_ENDPOINTS = (
    r"(/(chat/completions|completions|responses|embeddings|messages|api/chat|api/generate|api/embed|converse"
    r"|converse-stream)/?|:(generateContent|streamGenerateContent|embedContent|batchEmbedContents))(\?[^'\"]*)?['\"]*$"
)

# Package and names of `from … import …` (names in parentheses may be on lines of their own), or what
# `import` imports.
_IMPORT = re.compile(
    r"(?:^|;)[ \t]*(?:from[ \t]+([\w.]+)[ \t]+import\b[ \t]*(\((?:#.*|[^)])*|[^\n;#]*)|import[ \t]+([^\n;#]+))",
    re.MULTILINE,
)

_MADE_BY_HAND = re.compile(r"\b(?:post|stream|request|urlopen|Request)\b")

# Without one of these there is no such request.
_TRACES = re.compile(
    r"completions|responses|embeddings|messages|api/chat|api/generate|api/embed|converse"
    r"|:(?:generate|streamGenerate|embed|batchEmbed)Content"
)


# A line end after which a name goes on with no name before it: no expression has that.
_TWO_STATEMENTS = re.compile(r"[^\s.,(\[{\\][ \t]*\n[ \t]*[A-Za-z_]")
_DOTTED = re.compile(r"[\w.]+\s*$")


@dataclass(frozen=True, slots=True)
class CallSite:
    """A call expression. Lines from 0, columns from 0 in code points, the end is exclusive.

    `head_line` and `head_column` are where its arguments begin, at the parenthesis; `callee` is the name before
    that, `function` the qualified name of the function that it is in.
    """

    line: int
    column: int
    end_line: int
    end_column: int
    head_line: int
    head_column: int
    callee: str
    function: str

    @property
    def start(self) -> tuple[int, int]:
        return self.line, self.column

    def moved(self, lines: int, around: str = "") -> CallSite:
        """The same so many lines further down, in the class `around`."""
        function = self.function
        if around:
            function = around if function == "<module>" else f"{around}.{function}"
        return replace(
            self,
            line=self.line + lines,
            end_line=self.end_line + lines,
            head_line=self.head_line + lines,
            function=function,
        )


class Finder:
    """Finds the calls of models in a buffer, state after state: what has not changed since is not parsed again."""

    def __init__(self) -> None:
        self._read: dict[str, _Read] = {}

    def find(self, lines: Sequence[str]) -> tuple[CallSite, ...]:
        """The calls in a state of the buffer, in its order."""
        parts = [(piece, "\n".join(lines[piece.first : piece.end])) for piece in pieces(lines)]
        known = self._read
        self._read = {text: known.get(text) or _Read(_IMPORT.findall(text)) for _, text in parts}
        imports = _Imports.of(one for _, text in parts for one in self._read[text].imports)
        found: list[CallSite] = []
        for piece, text in parts:
            found += (site.moved(piece.first, piece.around) for site in self._read[text].sites(text, imports))
        return tuple(found)


def find(lines: Sequence[str]) -> tuple[CallSite, ...]:
    """The calls of models in a source, in its order."""
    return Finder().find(lines)


@dataclass(slots=True)
class _Read:
    """A piece of a source: what it imports, and its calls, as long as the whole source imports the same."""

    imports: list[tuple[str, str, str]]
    _by: _Imports | None = None
    _sites: tuple[CallSite, ...] = ()

    def sites(self, text: str, imports: _Imports) -> tuple[CallSite, ...]:
        if self._by != imports:
            self._sites, self._by = tuple(_find(text, imports)), imports
        return self._sites


def _find(text: str, imports: _Imports) -> list[CallSite]:
    """The calls in a text. Rules cost more than parsing: only those are applied of which all names are in it."""
    rules = [*_method_rules(imports.packages, text), *_function_rules(imports.functions, text)]
    if _MADE_BY_HAND.search(text) and _TRACES.search(text):
        rules.append(_REQUEST_RULE)
    if not rules:
        return []
    found = parsed(text).find_all(config={"rule": {"any": rules}})
    return sorted(map(_site, found), key=lambda site: (site.line, site.column))


def still_there(
    found: tuple[CallSite, ...], lines: Sequence[str], old: tuple[CallSite, ...], where: Mapping[int, int]
) -> tuple[CallSite, ...]:
    """`found`, and those of the `old` calls that are only hidden, because somebody is typing. `where` says where
    the lines of the old ones are now."""
    if len(found) >= len(old):
        return found
    broken = _Broken(lines)
    kept = list(found)
    taken = {(site.head_line, site.callee) for site in found}
    for site in old:
        head = where.get(site.head_line)
        named = re.search(rf"\b{site.callee}\s*\(", lines[head]) if head is not None else None
        if head is None or (head, site.callee) in taken or named is None or not broken.around(head):
            continue
        moved = site.moved(head - site.head_line)
        if moved.line < 0:  # what it begins with is gone
            continue
        end = (moved.end_line, moved.end_column) if moved.end_line < len(lines) else (head, len(lines[head]))
        if moved.end_line == head:  # what follows the parenthesis is what is being typed
            end = (head, len(lines[head].rstrip()))
        kept.append(replace(moved, end_line=end[0], end_column=end[1], head_column=named.end() - 1))
    return tuple(sorted(kept, key=lambda site: (site.line, site.column)))


class _Broken:
    """Whether the syntax of a source is broken, piece by piece."""

    def __init__(self, lines: Sequence[str]) -> None:
        self._lines, self._pieces = lines, pieces(lines)
        self._known: dict[Piece, bool] = {}

    def around(self, line: int) -> bool:
        """Whether it is where this line is."""
        at = bisect_right([piece.first for piece in self._pieces], line) - 1
        return any(self._is_broken(piece) for piece in self._pieces[max(0, at - 1) : at + 1])

    def _is_broken(self, piece: Piece) -> bool:
        if piece not in self._known:
            root = parsed("\n".join(self._lines[piece.first : piece.end]))
            self._known[piece] = root.find(kind="ERROR") is not None
        return self._known[piece]


def _method_rules(imported: Collection[str], text: str) -> Iterator[dict[str, Any]]:
    for names, packages in _METHODS:
        if packages and not any(package in imported for package in packages):
            continue
        for name in names:
            head, _, method = name.rpartition(".")
            if not all(part in text for part in name.split(".")):
                continue
            yield {"pattern": f"$CLIENT.{name}($$$ARGUMENTS)"}
            for raw in ("with_raw_response", "with_streaming_response"):
                if head and raw in text:
                    yield {"pattern": f"$CLIENT.{head}.{raw}.{method}($$$ARGUMENTS)"}


def _function_rules(functions: Iterable[tuple[str, str]], text: str) -> Iterator[dict[str, Any]]:
    for name, alias in functions:
        if alias in text and (not name or name in text):
            yield {"pattern": f"{alias}.{name}($$$ARGUMENTS)" if name else f"{alias}($$$ARGUMENTS)"}


_REQUEST_RULE = {
    "kind": "call",
    "all": [
        {"has": {"field": "function", "regex": _REQUESTS}},
        {"has": {"field": "arguments", "has": {"regex": _ENDPOINTS}}},
    ],
}


@dataclass(frozen=True, slots=True)
class _Imports:
    """What a source imports, wherever in it, as far as that decides what is a call of a model.

    `packages` are top-level names; `functions` are to be called: `("", name here)`, or `(name, package here)`.
    """

    packages: tuple[str, ...]
    functions: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, found: Iterable[tuple[str, str, str]]) -> _Imports:
        """From what `_IMPORT` finds: of `from … import …` package and names, else what `import` imports."""
        imported = list(found)
        modules: list[str] = []
        for source, _, plain in imported:
            modules += [source] if source else [part.split()[0] for part in plain.split(",") if part.strip()]
        packages = {module.split(".")[0] for module in modules}
        functions: list[tuple[str, str]] = []
        for names, package in _FUNCTIONS:
            if package not in packages:
                continue
            functions += [(name, package) for name in names]
            for called, here in _imported_names(imported, package):
                if called == package:
                    functions += [(name, here) for name in names]
                elif called in names:
                    functions.append(("", here))
        known = {package for _, wanted in _METHODS for package in wanted} & packages
        return cls(tuple(sorted(known)), tuple(sorted(set(functions))))


def _imported_names(imported: Iterable[tuple[str, str, str]], package: str) -> Iterator[tuple[str, str]]:
    """`(name, what it is called here)` of a package, where it has an alias, and of each name that is
    imported from it."""
    for source, names, plain in imported:
        if source not in ("", package):
            continue
        for name, alias in re.findall(r"([\w.]+)(?:[ \t]+as[ \t]+(\w+))?", names or plain):
            here = alias or name
            # Somebody who types `as index` comes by `as in`, which would be no pattern.
            if here.isidentifier() and not iskeyword(here) and (source or name == package):
                yield name, here


def _site(node: SgNode) -> CallSite:
    extent, function, arguments = node.range(), node.field("function"), node.field("arguments")
    assert function is not None  # noqa: S101 - every rule matches calls only
    assert arguments is not None  # noqa: S101 - as above
    head, start = arguments.range().start, extent.start
    line, column = start.line, start.column
    called = function.text()
    if _TWO_STATEMENTS.search(called):
        # What is broken before it made one expression of it all.
        called = called.rpartition("\n")[2]
        named = _DOTTED.search(called)
        line, column = head.line, head.column - len(named[0] if named else "")
    return CallSite(
        line=line,
        column=column,
        end_line=extent.end.line,
        end_column=extent.end.column,
        head_line=head.line,
        head_column=head.column,
        callee=re.split(r"[^\w]+", called)[-1],
        function=_function(node),
    )


def _function(node: SgNode) -> str:
    """The qualified name of the function around a node, as Python would have it."""
    name = ""
    for outer in node.ancestors():
        if outer.kind() not in ("function_definition", "class_definition"):
            continue
        named = outer.field("name")
        own = named.text() if named else "?"
        joint = ".<locals>." if outer.kind() == "function_definition" else "."
        name = own + (joint + name if name else "")
    return name or "<module>"
