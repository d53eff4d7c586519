"""JSON in pieces says what JSON at once says, and lets others have their turn."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from ao_lsp.server.lsp.connection import large

TEXT = 'a "quoted" \\ text / of\tmany é 😀 \u2028 \x7f letters\r\n'


@pytest.fixture(params=["small pieces", "all at once"], autouse=True)
def size(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything is large, or nothing."""
    if request.param == "small pieces":
        for name, value in (("_AT_ONCE", 8), ("_SLICE", 3), ("_VALUES", 2), ("_BATCH", 2)):
            monkeypatch.setattr(large, name, value)


@pytest.mark.parametrize("ascii_only", [True, False])
@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        5,
        -1.5e30,
        "",
        TEXT * 3,
        [],
        {},
        [[]],
        [{}, []],
        [1, "a", None] * 5,
        {"a": {"b": [TEXT, {"c": 1}]}},
        {TEXT: TEXT, "": [[[[1, [2, TEXT]]]]]},
        {"x": 1, "y": [{"z": TEXT}] * 7},
        "\ud83d",
        "a\ude00\ud83db",
        ["\x00\x1f"],
    ],
)
async def test_what_is_read_is_what_json_reads(value: Any, ascii_only: bool) -> None:
    try:
        body = json.dumps(value, ensure_ascii=ascii_only, indent=1).encode()
    except UnicodeEncodeError:
        return  # it cannot be said without escapes
    assert await large.loads(body) == json.loads(body)
    assert await large.loads(*(body[at : at + 3] for at in range(0, len(body), 3))) == json.loads(body)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'"',
        b'"abc',
        b'"a\\',
        b'"a\\x"',
        b'"a\\u12"',
        b'"a\\u12g4"',
        b'"a\nb"',
        b'"\xff"',
        b'["a" "b"]',
        b"NaN",
        b'{"a": Infinity}',
        b"{} {}",
        b"{'a': 1}",
        b'{"a" 1}',
        b"[1,]",
        b"\xef\xbb\xbf{}",
        b'{"a": "\xed\xa0\x80"}',
        b"9" * 5000,
    ],
)
async def test_what_is_no_json_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - of whichever kind
        await large.loads(body)


async def test_what_is_too_deep_is_refused() -> None:
    for body in (b"[" * 100_000, b'{"a":' * 100_000):
        with pytest.raises(RecursionError):
            await large.loads(body)


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        TEXT * 3,
        [],
        {},
        [[], {}],
        [1, "a", None] * 5,
        {"a": {"b": [TEXT, {"c": 1}]}},
        {TEXT: TEXT, "": [[[1]]]},
        {"x": 1, "y": [{"z": TEXT}] * 7},
        (1, (2, TEXT * 2)),
        {1: "a", None: "b", False: ["c"] * 9},
        [[TEXT] * 3] * 3,
    ],
)
async def test_what_is_written_is_what_json_writes(value: Any) -> None:
    wanted = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    assert await large.dumped(value) == wanted
    assert large.dumps(value) == wanted


async def test_half_a_surrogate_pair_is_written_as_a_question_mark() -> None:
    assert await large.dumped({"a": ["x\ud83dy" * 3]}) == b'{"a":["x?yx?yx?y"]}'


@pytest.mark.parametrize("value", [object(), {"a": [b"", 1, 2, 3]}, {(1,): 2, 3: 4, 5: 6}])
async def test_what_has_no_json_is_an_error(value: Any) -> None:
    with pytest.raises(TypeError):
        await large.dumped(value)


async def test_what_is_much_is_read_and_written_in_another_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()  # in the real sizes
    threads: set[int] = set()

    def watched(real: Any) -> Any:
        def watching(*given: Any) -> Any:
            threads.add(threading.get_ident())
            return real(*given)

        return watching

    monkeypatch.setattr(large, "_string", watched(large._string))
    few, many = [{"a": "b"}] * 10, [{"a": "b" * 100}] * 5000
    assert await large.loads(json.dumps(few).encode()) == few
    assert threads == set()
    assert await large.loads(json.dumps(many).encode()) == many
    assert threads != set()
    assert threading.get_ident() not in threads

    written: list[int] = []
    real = large._pieces

    def pieces(value: Any) -> Iterator[bytes]:
        for piece in real(value):
            written.append(threading.get_ident())
            yield piece

    monkeypatch.setattr(large, "_pieces", pieces)
    assert json.loads(await large.dumped(many)) == many
    assert len(set(written)) == 2, "it begins at once, and goes on beside the loop"
    assert max(len(piece) for piece in real(many)) < 1 << 16
