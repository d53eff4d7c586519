"""The definitions of a source, line by line, and the pieces in which it is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from ao_lsp.server import parsing
from ao_lsp.server.lsp.buffers.callsites import Finder, find
from ao_lsp.server.lsp.buffers.outline import functions, pieces

ROOT = Path(__file__).resolve().parents[2]

TEXT = '''\
import os


@decorated
def plan(topic):
    """Not a definition:

def text():
    """
    def inner():
        return 1
    return inner


class Agent:
    name = "x"

    @property
    async def ask(self):
        return (
  1
)

    class Part:
        def go(self): pass

x = 1
'''
SOURCE = TEXT.split("\n")
NAMES = {
    4: "", 5: "plan", 8: "plan", 10: "plan.<locals>.inner", 12: "plan", 15: "Agent", 16: "Agent", 19: "Agent.ask",
    22: "Agent.ask", 24: "Agent.Part", 25: "Agent.Part.go", 27: "",
}  # fmt: skip


def test_each_line_is_in_a_function() -> None:
    found = functions(SOURCE)
    assert len(found) == len(SOURCE)
    assert {line: found[line - 1] for line in NAMES} == NAMES


def test_a_source_is_cut_where_functions_begin_that_are_in_no_other() -> None:
    assert [(piece.first + 1, piece.around) for piece in pieces(SOURCE)] == [
        (1, ""), (4, ""), (15, ""), (18, "Agent"), (24, "Agent"), (25, "Agent.Part"), (27, ""),
    ]  # fmt: skip


def test_quotes_that_somebody_has_just_typed_do_not_make_code_of_texts() -> None:
    source = [*SOURCE[:6], *SOURCE[8:]]
    typed = [*source[:1], 'x = """', *source[1:]]
    assert functions(typed)[2:] == functions(source)[1:]
    assert len(pieces(typed)) == len(pieces(source))


@pytest.mark.parametrize(
    "lines",
    [
        [],
        [""],
        ["x"],
        ["    x"],
        ["\tdef f():", "\t\tpass"],
        ["def"],
        ["class :"],
        ["@"],
        ['"""'],
        ["\f", "\fdef f(): 1"],
    ],
)
def test_each_line_is_in_one_piece_whatever_it_is(lines: list[str]) -> None:
    assert [line for piece in pieces(lines) for line in range(piece.first, piece.end)] == list(range(len(lines)))
    assert len(functions(lines)) == len(lines)


def test_statements_are_cut_before_they_are_too_many() -> None:
    lines = [f"x{number} = [\n{number},\n]" for number in range(200)]
    flat = "\n".join(lines).split("\n")
    found = pieces(flat)
    assert len(found) > 2
    assert all(flat[piece.first].startswith("x") for piece in found)


def test_piece_by_piece_the_same_calls_are_found_as_in_the_whole() -> None:
    from ao_lsp.server.lsp.buffers import callsites  # of which a private function reads a text as one piece

    seen = 0
    for file in [*sorted((ROOT / "examples").rglob("*.py")), *sorted((ROOT / "conformance").rglob("*.py"))]:
        text = file.read_text("utf-8")
        imports = callsites._Imports.of(callsites._IMPORT.findall(text))
        whole = callsites._find(text, imports)
        assert list(find(text.split("\n"))) == whole, file
        seen += len(whole)
    assert seen > 50


def test_what_has_not_changed_is_not_parsed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    from ao_lsp.server.lsp.buffers import callsites

    parsed: list[str] = []
    parse = parsing.parsed

    def counted(text: str) -> object:
        parsed.append(text)
        return parse(text)

    monkeypatch.setattr(callsites, "parsed", counted)
    one, two = (
        ["def one():", "    client.chat.completions.create()"],
        ["def two():", "    client.chat.completions.create()"],
    )
    finder = Finder()
    assert [site.line for site in finder.find([*one, *two])] == [1, 3]
    parsed.clear()
    assert [site.line for site in finder.find([*one[:1], "    x = 1", *one[1:], *two])] == [2, 4]
    assert len(parsed) == 1
    # What is imported decides what is a call.
    assert [site.line for site in finder.find(["import litellm", "def f():", "    litellm.completion()", *one])] == [
        2,
        4,
    ]
    assert [site.line for site in finder.find(["import os", "def f():", "    litellm.completion()", *one])] == [4]
