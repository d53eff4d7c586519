"""Where in an edit the mistake is that it was refused for."""

from __future__ import annotations

import json
import re

_PLACE = re.compile(r'"([^"\s]+)"')
_STEP = re.compile(r"([^.\[\]]+)|\[(\d+)\]")
_SPACE = re.compile(r"\s*")


def mistake(content: str, reason: str) -> tuple[int, int] | None:
    """Line and column (from 0, in code points) of what `reason` is about: where `content` stops being JSON, or the
    first place that is named there (`"messages[2].role" must be …`), or what is around that; None where no place can
    be told."""
    if not content.lstrip().startswith(("{", "[")):
        return None
    try:
        json.loads(content)
    except json.JSONDecodeError as error:
        return error.lineno - 1, error.colno - 1
    except (ValueError, RecursionError):
        return None
    named = _PLACE.search(reason)
    if named is None:
        return None
    steps = [int(index) if index else name for name, index in _STEP.findall(named[1])]
    at = _offset(content, steps)
    before = content[:at]
    return before.count("\n"), at - (before.rfind("\n") + 1)


def _offset(text: str, steps: list[str | int]) -> int:
    """Where the value at the end of `steps` begins, or the last one on the way that is there. `text` is JSON."""
    at = _after_space(text, 0)
    for step in steps:
        found = _member(text, at, step)
        if found is None:
            break
        at = found
    return at


def _member(text: str, at: int, step: str | int) -> int | None:
    """Where a member of the object or list at `at` begins; None where it has none such."""
    kind = text[at]
    if kind not in "{[" or (kind == "{") != isinstance(step, str):
        return None
    decoder, number = json.JSONDecoder(), 0
    at = _after_space(text, at + 1)
    while text[at] not in "}]":
        name: str | int = number
        if kind == "{":
            name, at = decoder.raw_decode(text, at)
            at = _after_space(text, _after_space(text, at) + 1)  # behind the colon
        if name == step:
            return at
        _, at = decoder.raw_decode(text, at)
        at = _after_space(text, at)
        if text[at] == ",":
            at = _after_space(text, at + 1)
        number += 1
    return None


def _after_space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found is not None else at
