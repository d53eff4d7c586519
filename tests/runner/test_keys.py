"""What makes two requests the same request."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ao_lsp.runner.keys import request_hash


def of(path: str, **body: Any) -> str:
    return request_hash("POST", "localhost", path, "beta=true", json.dumps(body).encode())


@pytest.mark.parametrize("path", ["/v1/messages", "/anthropic/v1/messages"])
def test_anthropics_metadata_only_says_who_asks(path: str) -> None:
    assert of(path, model="m", metadata={"user_id": "a"}) == of(path, metadata={"user_id": "b"}, model="m")
    assert of(path, model="m", metadata={"user_id": "a"}) == of(path, model="m")
    assert of(path, model="m") != of(path, model="n")
    assert of(path, messages=[{"metadata": 1}]) != of(path, messages=[{"metadata": 2}])


def test_other_metadata_is_a_part_of_the_request() -> None:
    path = "/v1/chat/completions"
    assert of(path, metadata={"topic": "a"}) != of(path, metadata={"topic": "b"})
