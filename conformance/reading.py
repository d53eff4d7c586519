"""What was read of a program's calls, held to what the model server said: the server keeps both apart from any API's
shape (`fake_model.api.said`)."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote

Json = dict[str, Any]

_TOKENS = ("input_tokens", "cached_tokens", "output_tokens", "reasoning_tokens")


class Answers:
    """What the server answered, by what it was asked."""

    def __init__(self, requests: Sequence[Json]) -> None:
        self._said: defaultdict[tuple[str, str], list[Json]] = defaultdict(list)
        for request in requests:
            self._said[_key(request["path"], request["request"])].append(request["said"])

    def take(self, path: str, asked: object) -> Json:
        """The answer to a request; each is given once.

        Raises:
            AssertionError: the server had no such request, or not so often.
        """
        found = self._said[_key(path, asked)]
        assert found, f"the server was not asked this at {path}: {asked}"
        return found.pop(0)


def endpoint(path: str) -> str:
    """The path of a URL in one form, without its query."""
    return re.sub("%3A", ":", path.partition("?")[0], flags=re.IGNORECASE).rstrip("/")


def compare(node: Json, call: Json, said: Json) -> None:
    """Hold what `ao.graph` (`node`) and `ao.call` tell of a call to what the server said.

    Raises:
        AssertionError: they differ.
    """
    what = f"call {node['number']} ({node['endpoint']})"
    asked = call["request"]["body"]
    in_path = re.search(r"/models?/([^/]+?)(?::\w+|/converse(?:-stream)?)?$", unquote(node["endpoint"]))
    assert node["model"] == (asked.get("model") or (in_path and in_path[1])), f"{what} has the wrong model"
    assert any(message["text"] or message["tool_calls"] for message in call["messages"]), f"{what} asks nothing"
    if "error" in said:
        told = call["error"] and call["error"]["message"]
        assert (node["status"], told) == ("error", said["error"]), f"{what}: {call['error']}, not {said}"
        return
    assert node["status"] == "ok", f"{what} is {node['status']}"
    output = call["output"]
    read = {
        "model": output["model"],
        "text": output["text"] or "",
        "reasoning": output["reasoning"] or "",
        "tool_calls": [
            {"name": made["name"], "arguments": json.loads(made["arguments"])} for made in output["tool_calls"]
        ],
        "finish_reason": output["finish_reason"],
        **{name: output["usage"][name] for name in _TOKENS},
    }
    wrong = {name: (read[name], value) for name, value in said.items() if read[name] != value}
    assert not wrong, f"{what}, as read and as said: {wrong}"
    kept = {name: node[name] for name in _TOKENS}
    assert kept == {name: read[name] for name in _TOKENS}, f"{what} is otherwise in the graph: {kept}"


def _key(path: str, asked: object) -> tuple[str, str]:
    return endpoint(path), json.dumps(asked, sort_keys=True)
