"""Where the mistake in an edit is."""

from __future__ import annotations

import pytest

from ao_lsp.server.editor_files import as_meant
from ao_lsp.server.mistakes import mistake

REQUEST = """{
  "model": "m",
  "messages": [
    {"role": "user"},
    {"content": [1, {"a\\"": "}"}], "role": "usr"}
  ]
}"""


@pytest.mark.parametrize(
    ("content", "reason", "place"),
    [
        ('{\n  "a": [}\n}', "is not JSON", (1, 8)),
        (REQUEST, '"messages[1].role" must be "user", not "usr"', (4, 43)),
        (REQUEST, '"messages[1].tool_calls[0]" must be an object', (4, 4)),
        (REQUEST, '"messages" must not be empty', (2, 14)),
        (REQUEST, 'the request must have "tools"', (0, 0)),
        ('[{"role": 1}]', '"[0].role" must be a string', (0, 10)),
        ("a new text", "this cannot be", None),
        ('{"a": 1}', "no place is named", None),
    ],
)
def test_the_place_of_a_mistake_is_found(content: str, reason: str, place: tuple[int, int] | None) -> None:
    assert mistake(content, reason) == place


@pytest.mark.parametrize(
    ("saved", "known", "meant"),
    [
        ("as it was\n", ["as it was"], "as it was"),
        ("as it was", ["as it was\n\n"], "as it was\n\n"),
        ("two\r\nlines", ["two\nlines"], "two\nlines"),
        ("two\r\nlines", ["of\r\nthese"], "two\r\nlines"),
        ("\ufeffa text", ["a text"], "a text"),
        ("new\r\ntext", ["old text"], "new\ntext"),
        ("new text\n", ["old text"], "new text\n"),
    ],
)
def test_what_an_editor_did_by_itself_is_no_edit(saved: str, known: list[str], meant: str) -> None:
    assert as_meant(saved, known) == meant
