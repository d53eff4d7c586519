"""Buffers: where a line ends, what an edit does, and columns in the units of each editor."""

from __future__ import annotations

import random
import re

import pytest
from lsprotocol import types as lsp

from ao_lsp.server.lsp.buffers import documents
from ao_lsp.server.lsp.buffers.documents import Document
from ao_lsp.server.lsp.buffers.units import Units
from ao_lsp.server.lsp.buffers.uris import file_of, uri_of
from ao_lsp.server.lsp.connection.client import ENCODINGS

UTF_16 = Units("utf-16")
URI = "file:///project/agent.py"

Change = lsp.TextDocumentContentChangeEvent


def document(text: str) -> Document:
    return Document.opened(URI, 1, text)


def whole(text: str) -> Change:
    return lsp.TextDocumentContentChangeWholeDocument(text)


def edit(start: tuple[int, int], end: tuple[int, int], text: str = "") -> Change:
    return lsp.TextDocumentContentChangePartial(lsp.Range(lsp.Position(*start), lsp.Position(*end)), text)


def edited(text: str, *changes: Change, units: Units = UTF_16) -> list[str]:
    """The lines after these changes in one notification."""
    return document(text).changed(2, changes, units).lines


# -- columns


@pytest.mark.parametrize(
    ("encoding", "characters"),
    # Of each character of the line, where it begins in these units; then the end of the line.
    [("utf-8", [0, 1, 3, 6, 10, 11]), ("utf-16", [0, 1, 2, 3, 5, 6]), ("utf-32", [0, 1, 2, 3, 4, 5])],
)
def test_columns_are_counted_in_the_units_that_were_agreed_on(encoding: str, characters: list[int]) -> None:
    line, units = "aé€😀b", Units(encoding)
    for column, character in enumerate(characters):
        assert units.from_column(line, column) == character
        assert units.to_column(line, character) == column


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("line", ["", "abc", "é😀"])
def test_a_position_past_the_end_of_a_line_is_its_end(encoding: str, line: str) -> None:
    units = Units(encoding)
    end = units.from_column(line, len(line))
    assert units.to_column(line, end + 5) == len(line)
    assert units.from_column(line, len(line) + 5) == end


@pytest.mark.parametrize(
    ("encoding", "within"), [("utf-8", [2, 3, 4]), ("utf-16", [2])], ids=["bytes", "half a surrogate pair"]
)
def test_the_middle_of_a_character_is_its_beginning(encoding: str, within: list[int]) -> None:
    assert [Units(encoding).to_column("a😀b", character) for character in within] == [1] * len(within)


@pytest.mark.parametrize(("encoding", "width"), [("utf-8", 3), ("utf-16", 1), ("utf-32", 1)])
def test_half_a_surrogate_pair_is_a_character_like_others(encoding: str, width: int) -> None:
    # JSON can say it, so a buffer can have it.
    line, units = "é\ud83dx\ude00y", Units(encoding)
    for column in range(len(line) + 1):
        assert units.to_column(line, units.from_column(line, column)) == column
    assert units.from_column(line, 2) - units.from_column(line, 1) == width


def test_an_extent_is_told_in_the_units_of_the_editor() -> None:
    found = document("x\né😀 = call()\n").range((1, 1), (1, 4), UTF_16)
    assert found == lsp.Range(lsp.Position(1, 1), lsp.Position(1, 5))
    beyond = document("x").range((0, 1), (7, 3), UTF_16)
    assert beyond == lsp.Range(lsp.Position(0, 1), lsp.Position(7, 0))


# -- lines


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", [""]),
        ("a", ["a"]),
        ("a\n", ["a", ""]),
        ("a\r\nb\rc\nd", ["a", "b", "c", "d"]),
        ("\n\r", ["", "", ""]),
        ("\r\n\r\n", ["", "", ""]),
        ("\r\r\n\n", ["", "", "", ""]),
    ],
)
def test_a_line_ends_with_any_of_the_three_line_ends(text: str, lines: list[str]) -> None:
    assert document(text).lines == lines


@pytest.mark.parametrize("character", "\f\v\x1c\x1d\x1e\x85\u2028\u2029")
def test_what_python_calls_a_line_end_and_lsp_does_not_is_a_character(character: str) -> None:
    assert document(f"a{character}b\nc").lines == [f"a{character}b", "c"]
    # An edit behind it is on the line that the editor means.
    assert edited(f"a{character}b\nc", edit((1, 0), (1, 1), "new")) == [f"a{character}b", "new"]


def test_a_line_that_is_not_there_is_empty() -> None:
    assert [document("a\nb").line(number) for number in (-1, 0, 1, 2)] == ["", "a", "b", ""]


# -- edits


@pytest.mark.parametrize(
    ("change", "lines"),
    [
        (edit((0, 1), (0, 1), "-"), ["a-b", "cd", "ef"]),
        (edit((0, 0), (0, 1)), ["b", "cd", "ef"]),
        (edit((1, 1), (1, 1), "\n"), ["ab", "c", "d", "ef"]),
        (edit((1, 0), (1, 0), "x\ny\n"), ["ab", "x", "y", "cd", "ef"]),
        (edit((0, 2), (1, 0)), ["abcd", "ef"]),
        (edit((0, 1), (2, 1), "-"), ["a-f"]),
        (edit((1, 0), (2, 0)), ["ab", "ef"]),
        (edit((0, 0), (2, 2)), [""]),
        (edit((2, 2), (2, 2), "\n"), ["ab", "cd", "ef", ""]),
    ],
    ids=[
        "insert", "delete", "split a line", "insert lines", "join two lines", "join three lines", "delete a line",
        "delete everything", "begin a last line",
    ],
)  # fmt: skip
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_an_edit_changes_what_it_says(change: Change, lines: list[str], end: str) -> None:
    assert edited(end.join(["ab", "cd", "ef"]), change) == lines


def test_an_edit_is_in_the_units_of_the_editor() -> None:
    for units, character in ((Units("utf-8"), 6), (UTF_16, 3), (Units("utf-32"), 2)):
        assert edited("é😀x", edit((0, character), (0, character + 1), "y"), units=units) == ["é😀y"]


@pytest.mark.parametrize(
    ("change", "lines"),
    [
        (edit((0, 9), (0, 9), "!"), ["ab!", "cd"]),
        (edit((0, 1), (0, 9)), ["a", "cd"]),
        (edit((1, 1), (7, 3)), ["ab", "c"]),
        (edit((9, 9), (9, 9), "!"), ["ab", "cd!"]),
        (edit((2, 0), (2, 0), "\nef"), ["ab", "cd", "ef"]),
    ],
)
def test_an_edit_past_the_end_is_at_the_end(change: Change, lines: list[str]) -> None:
    # Some editors delete to the end of a line, or of the file, by a very large number.
    assert edited("ab\ncd", change) == lines


def test_a_range_that_is_given_backwards_is_the_same_range() -> None:
    assert edited("ab\ncd", edit((1, 1), (0, 1), "-")) == ["a-d"]
    assert edited("abc", edit((0, 2), (0, 1), "-")) == ["a-c"]


def test_line_ends_that_meet_are_one() -> None:
    after_cr = document("a\rb").changed(2, [edit((1, 0), (1, 0), "\n")], UTF_16)
    assert after_cr.lines == ["a", "b"]
    # It is the two characters together that end the line now: deleting what is between finds both.
    assert after_cr.changed(3, [edit((0, 1), (1, 0))], UTF_16).lines == ["ab"]
    assert edited("a\nb", edit((0, 1), (0, 1), "\r")) == ["a", "b"]
    assert edited("a\rx\nb", edit((1, 0), (1, 1))) == ["a", "b"]


def test_a_line_end_that_is_parted_becomes_two() -> None:
    parted = document("a\r\nb").changed(2, [edit((0, 1), (1, 0), "\r"), edit((1, 0), (1, 0), "-\n")], UTF_16)
    assert parted.lines == ["a", "-", "b"]


def test_several_changes_are_made_one_after_the_other() -> None:
    # The second one counts in what the first one has made.
    changes = edit((0, 0), (0, 0), "x\n"), edit((1, 0), (1, 1), "y"), edit((0, 1), (1, 0))
    assert edited("ab\ncd", *changes) == ["xyb", "cd"]


def test_a_change_of_the_whole_text_replaces_it() -> None:
    assert edited("ab\ncd", whole("new\r\ntext\n")) == ["new", "text", ""]
    assert edited("ab\ncd", edit((0, 0), (0, 2)), whole(""), edit((0, 0), (0, 0), "z")) == ["z"]


def test_a_change_leaves_the_document_before_it_as_it_was() -> None:
    before = document("ab\ncd")
    after = before.changed(7, [edit((0, 0), (1, 0))], UTF_16)
    assert (before.version, before.lines) == (1, ["ab", "cd"])
    assert (after.version, after.uri, after.lines) == (7, URI, ["cd"])


def test_a_buffer_that_is_too_large_is_empty_until_its_whole_text_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "MOST", 10)
    large = document("x" * 11)
    assert large.lines == [""]
    after = large.changed(2, [edit((0, 0), (0, 1), "y")], UTF_16)
    assert after.lines == [""], "a part of what is not known"
    again = after.changed(3, [edit((0, 0), (0, 0), "y"), whole("a\nb"), edit((1, 0), (1, 0), "c")], UTF_16)
    assert again.lines == ["a", "cb"]


@pytest.mark.parametrize("text", ["y" * 11, "123456789"], ids=["at once", "little by little"])
def test_a_buffer_may_become_too_large(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(documents, "MOST", 10)
    grown = document("a\n").changed(2, [edit((0, 0), (0, 0), text)], UTF_16)
    assert grown.lines == [""]
    assert grown.changed(3, [edit((0, 0), (1, 0))], UTF_16).lines == [""]
    assert grown.changed(3, [whole("b")], UTF_16).lines == ["b"]


def test_no_changes_are_no_changes() -> None:
    assert edited("ab\ncd") == ["ab", "cd"]


# -- any edits at all, against a plain string

_PIECES = ["", "a", "bc", "\n", "\r\n", "\r", "\n\n", "é", "€", "😀", "\f", "\u2028", "\ud83d", "x\ny", "\t", "\r\r\n"]
_BYTES = {"utf-8": 1, "utf-16": 2, "utf-32": 4}


def position(text: str, offset: int, encoding: str) -> lsp.Position:
    """Where an offset of a string is, for an editor."""
    ends = list(re.finditer(r"\r\n|\r|\n", text[:offset]))
    line = text[ends[-1].end() if ends else 0 : offset]
    codec = encoding if encoding == "utf-8" else f"{encoding}-le"
    return lsp.Position(len(ends), len(line.encode(codec, "surrogatepass")) // _BYTES[encoding])


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_any_edits_do_to_a_document_what_they_do_to_a_string(encoding: str) -> None:
    rng, units = random.Random(f"edits in {encoding}"), Units(encoding)
    for _ in range(300):
        text = "".join(rng.choices(_PIECES, k=12))
        changed = document(text)
        for version in range(2, 12):
            changes: list[Change] = []
            for _ in range(rng.randint(1, 3)):
                # Between the two characters of a line end there is no position.
                offsets = [at for at in range(len(text) + 1) if text[at - 1 : at + 1] != "\r\n"]
                start, end = sorted(rng.choices(offsets, k=2))
                piece = "".join(rng.choices(_PIECES, k=rng.randint(0, 2)))
                extent = lsp.Range(position(text, start, encoding), position(text, end, encoding))
                changes.append(lsp.TextDocumentContentChangePartial(extent, piece))
                text = text[:start] + piece + text[end:]
            changed = changed.changed(version, changes, units)
            assert changed.lines == re.split(r"\r\n|\r|\n", text), changes


# -- the calls in a document


def test_calls_that_a_broken_syntax_hides_are_where_they_were() -> None:
    before = document("client.chat.completions.create(a)\n")
    assert len(before.sites) == 1
    typing = before.changed(2, [edit((0, 0), (0, 0), "\nx = \n"), edit((2, 31), (2, 33))], UTF_16)
    assert [(site.line, site.column) for site in typing.sites] == [(2, 0)]


def test_calls_are_remembered_through_versions_that_nobody_looked_at() -> None:
    before = document("client.chat.completions.create(a)\n")
    assert len(before.sites) == 1
    first = before.changed(2, [edit((0, 31), (0, 33))], UTF_16)
    second = first.changed(3, [edit((0, 0), (0, 0), "\n")], UTF_16)
    assert [site.line for site in second.sites] == [1]
    assert [site.line for site in second.changed(4, [edit((0, 0), (0, 0), "\n")], UTF_16).sites] == [2]


# -- files


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("file:///a/b.py", "/a/b.py"),
        ("file://localhost/a/b.py", "/a/b.py"),
        ("file:///a%20b/%C3%A9%23.py", "/a b/é#.py"),
        ("file:///a/%F0%9F%98%80.py", "/a/😀.py"),
        ("file:///a//b/../c.py", "/a/c.py"),
        ("file:///a/b%25.py", "/a/b%.py"),
        ("file:///a/b%FF.py", "/a/b\udcff.py"),
        ("file://elsewhere/a.py", None),
        ("file://", None),
        ("untitled:Untitled-1", None),
        ("vscode-notebook-cell:/a/b.ipynb#X1", None),
        ("git:/a/b.py?%7B%7D", None),
        ("/a/b.py", None),
        ("file://[", None),
        ("", None),
    ],
)
def test_a_file_uri_names_a_path_and_others_none(uri: str, path: str | None) -> None:
    assert file_of(uri) == path
    assert Document.opened(uri, 1, "").path == path


@pytest.mark.parametrize("path", ["/a/b.py", "/a b/é#%?.py", "/a/b\udcff.py", "/a/😀.py"])
def test_a_path_is_the_same_after_its_way_through_a_uri(path: str) -> None:
    assert file_of(uri_of(path)) == path
