"""Where a source asks a model: found in its syntax tree, also where it does not parse as a whole."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from keyword import iskeyword
from typing import Any

from ast_grep_py import SgNode, SgRoot

from ao_lsp.server.lsp.follow import line_map

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

# Without one of these there is nothing to parse for.
_TRACES = re.compile(
    r"completions|responses|embeddings|messages|generate_content|embed_content|chat\s*\.|litellm|api/chat|api/generate"
    r"|ollama|api/embed|converse|generateContent|GenerateContent|embedContent|batchEmbedContents"
)


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

    def moved(self, lines: int) -> CallSite:
        return replace(self, line=self.line + lines, end_line=self.end_line + lines, head_line=self.head_line + lines)


def find(lines: Sequence[str]) -> tuple[CallSite, ...]:
    """The calls of models in a source, in its order."""
    text = "\n".join(lines)
    if not _TRACES.search(text):
        return ()
    root = _parsed(text)
    imported = _imported_packages(text)
    rules = [*_method_rules(imported), *_function_rules(imported, text), _REQUEST_RULE]
    found = root.find_all(config={"rule": {"any": rules}})
    return tuple(sorted(map(_site, found), key=lambda site: (site.line, site.column)))


def still_there(
    found: tuple[CallSite, ...], lines: Sequence[str], old_lines: Sequence[str], old: tuple[CallSite, ...]
) -> tuple[CallSite, ...]:
    """`found`, and those of the `old` calls that are only hidden, because somebody is typing."""
    if len(found) >= len(old) or _parsed("\n".join(lines)).find(kind="ERROR") is None:
        return found
    where = line_map(old_lines, lines)
    kept = list(found)
    taken = {site.head_line for site in found}
    for site in old:
        head = where.get(site.head_line)
        named = re.search(rf"\b{site.callee}\s*\(", lines[head]) if head is not None else None
        if head is None or head in taken or named is None:
            continue
        moved = site.moved(head - site.head_line)
        if moved.line < 0:  # what it begins with is gone
            continue
        end = (moved.end_line, moved.end_column) if moved.end_line < len(lines) else (head, len(lines[head]))
        if moved.end_line == head:  # what follows the parenthesis is what is being typed
            end = (head, len(lines[head].rstrip()))
        kept.append(replace(moved, end_line=end[0], end_column=end[1], head_column=named.end() - 1))
    return tuple(sorted(kept, key=lambda site: (site.line, site.column)))


def _parsed(text: str) -> SgNode:
    # It refuses half surrogate pairs; with one character for another, all columns stay.
    return SgRoot(text.encode("utf-8", "replace").decode("utf-8"), "python").root()


def _method_rules(imported: set[str]) -> Iterator[dict[str, Any]]:
    for names, packages in _METHODS:
        if packages and not imported.intersection(packages):
            continue
        for name in names:
            yield {"pattern": f"$CLIENT.{name}($$$ARGUMENTS)"}
            head, _, method = name.rpartition(".")
            for raw in ("with_raw_response", "with_streaming_response"):
                if head:
                    yield {"pattern": f"$CLIENT.{head}.{raw}.{method}($$$ARGUMENTS)"}


def _function_rules(imported: set[str], text: str) -> Iterator[dict[str, Any]]:
    for names, package in _FUNCTIONS:
        if package not in imported:
            continue
        for called, alias in [(package, package), *_imported_names(text, package)]:
            if called == package:
                for name in names:
                    yield {"pattern": f"{alias}.{name}($$$ARGUMENTS)"}
            elif called in names:
                yield {"pattern": f"{alias}($$$ARGUMENTS)"}


_REQUEST_RULE = {
    "kind": "call",
    "all": [
        {"has": {"field": "function", "regex": _REQUESTS}},
        {"has": {"field": "arguments", "has": {"regex": _ENDPOINTS}}},
    ],
}


def _imported_packages(text: str) -> set[str]:
    """The top-level packages that a source imports, wherever in it."""
    modules: list[str] = []
    for source, _, plain in _IMPORT.findall(text):
        modules += [source] if source else [part.split()[0] for part in plain.split(",") if part.strip()]
    return {module.split(".")[0] for module in modules}


def _imported_names(text: str, package: str) -> Iterator[tuple[str, str]]:
    """`(name, what it is called here)` of a package, where it has an alias, and of each name that is
    imported from it."""
    for source, names, plain in _IMPORT.findall(text):
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
    head = arguments.range().start
    return CallSite(
        line=extent.start.line,
        column=extent.start.column,
        end_line=extent.end.line,
        end_column=extent.end.column,
        head_line=head.line,
        head_column=head.column,
        callee=re.split(r"[^\w]+", function.text())[-1],
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
