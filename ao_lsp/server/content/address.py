"""The addresses of texts: `ao:///run/3f9c2ab1d0/call/c1/plan-1.prompt.md`.

The last part is what an editor shows as the name, and its ending says the language. Ids come from runners
and may be anything: in an address they are quoted.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, TypeAlias
from urllib.parse import quote, unquote, urlsplit

from ao_lsp.server.model import Call
from ao_lsp.server.render import labels

SCHEME = "ao"

Part: TypeAlias = Literal["graph", "log", "diff", "call", "prompt", "output", "request", "response", "code"]

GRAPH_ENDINGS = {"text": "txt", "mermaid": "mmd", "dot": "dot", "svg": "svg"}
"""Of the formats of `ao.graph`."""

_LANGUAGES = {
    "md": "markdown", "json": "json", "diff": "diff", "py": "python", "mmd": "mermaid", "dot": "dot", "svg": "xml",
    "toml": "toml", "yaml": "yaml", "yml": "yaml",
}  # fmt: skip

_OF_CALL = re.compile(r".*\.(prompt|output|request|response)\.(?:md|json)")


@dataclass(frozen=True, slots=True)
class Address:
    """Which text: `part` of `run`, and of its `call` or beside the run `other` where it is of such. Of code, `run`
    may be a version, and `name` is the path of a file in the project; else it is one word with an ending."""

    part: Part
    run: str
    name: str
    call: str | None = None
    other: str | None = None

    @property
    def segments(self) -> tuple[str, ...]:
        """The parts of the path, not quoted."""
        if self.part == "code":
            return ("code", self.run, *self.name.split("/"))
        if self.part == "diff":
            return ("run", self.run, "from", self.other or "", self.name)
        of_call = ("call", self.call) if self.call is not None else ()
        return ("run", self.run, *of_call, self.name)

    @property
    def uri(self) -> str:
        return f"{SCHEME}:///" + "/".join(quote(one, safe="", errors="surrogateescape") for one in self.segments)

    @property
    def language(self) -> str:
        """As LSP names languages."""
        return _LANGUAGES.get(self.name.rpartition(".")[2], "plaintext")

    @property
    def runs(self) -> tuple[str, ...]:
        """The runs that it tells of."""
        return (self.run,) if self.other is None else (self.run, self.other)


def graph(run: str, form: str = "text", *, tracked: bool = False, subruns: bool = False) -> Address:
    """A drawing of a run, in a format of `ao.graph`."""
    said = ["graph", *(["tracked"] if tracked else []), *(["subruns"] if subruns else []), GRAPH_ENDINGS[form]]
    return Address("graph", run, ".".join(said))


def log(run: str) -> Address:
    """What a rerun in the background printed."""
    return Address("log", run, "log.txt")


def diff(a: str, b: str) -> Address:
    """What changed from run `a` to run `b`."""
    return Address("diff", b, f"{_word(a)[:12]}-{_word(b)[:12]}.diff", other=a)


def of_call(call: Call, part: Part, ending: str = "md") -> Address:
    """A call, whole (`part` "call") or a part of it."""
    name = f"{_word(labels.function(call))}-{call.number}"
    return Address(part, call.run, f"{name}.{ending}" if part == "call" else f"{name}.{part}.{ending}", call=call.id)


def code(version: str, file: str) -> Address:
    """A file as it was in a version or run."""
    return Address("code", version, file)


def parsed(uri: str) -> Address | None:
    """The address that a URI says; None where it is none of ours."""
    found = urlsplit(uri)
    if found.scheme != SCHEME or found.query or found.fragment or not found.path.startswith("/"):
        return None
    match [unquote(one, errors="surrogateescape") for one in found.path[1:].split("/")]:
        case ["code", run, *names] if names and all(names):
            return Address("code", run, "/".join(names))
        case ["run", run, "from", other, name] if name.endswith(".diff"):
            return Address("diff", run, name, other=other)
        case ["run", run, "call", call, name]:
            said = _OF_CALL.fullmatch(name)
            parts: dict[str, Part] = {one: one for one in ("prompt", "output", "request", "response")}
            return Address(parts[said[1]] if said else "call", run, name, call=call)
        case ["run", run, "log.txt"]:
            return log(run)
        case ["run", run, name] if re.fullmatch(r"graph(\.tracked)?(\.subruns)?\.(txt|mmd|dot|svg)", name):
            return Address("graph", run, name)
    return None


def _word(text: str) -> str:
    return re.sub(r"[^\w-]+", "_", text).strip("_")[:40] or "call"
