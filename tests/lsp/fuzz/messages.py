"""Messages of editors, and what becomes of them in hostile hands."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]

_HALF = "\ud83d"

_DEEP: Any = []
for _ in range(60):
    _DEEP = [_DEEP]

_ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**31 - 1, 2**31, 2**32, 2**53 + 1, 10**40, 0.5, -0.0, 1e300, "", " ", "x", "\0", "é",
    "😀", _HALF, f"a{_HALF}b", "\u2028", "\ufeff", "a\r\nb", "../..", "%", "x" * 300, [], [None], [[]], {}, {"": None},
    {"jsonrpc": "2.0", "id": 1, "method": "exit"}, _DEEP, list(range(50)), "file:///", "last",
)  # fmt: skip
"""What may stand anywhere."""

_RAW = (
    b"", b" ", b"{", b"}", b"[]", b"[[", b"null", b"NaN", b'{"a": NaN}', b'{"jsonrpc": "2.0", "id": Infinity}',
    b"\xff\xfe", b"\x00" * 20, b'"text"', b"{} {}", b'{"a": 1,}', b"'", b"[" * 3000, b'{"a":' * 3000, b"9" * 6000,
    b'[{"jsonrpc": "2.0", "id": 1, "method": "shutdown"}]', b'{"jsonrpc": "2.0", "method": "x", "id": 1e5}',
    '{"jsonrpc": "2.0", "id": 7, "method": "\u2028"}'.encode(), '{"id": 1}'.encode("utf-16"), b"\xef\xbb\xbf{}",
    b'{"jsonrpc": "2.0", "id": "\xed\xa0\x80", "method": "x"}',
)  # fmt: skip
"""Bodies that are no message, or hardly one."""

_METHODS = (
    "",
    "x",
    "$/x",
    "$/cancelRequest",
    "rpc.discover",
    "textDocument/definition",
    "ao/nothing",
    "é",
    "\0",
    "x" * 500,
)


@dataclass(frozen=True, slots=True)
class Scene:
    """What there is to ask about: files as (URI, text), a run with its calls."""

    files: tuple[tuple[str, str], ...]
    run: str
    calls: tuple[str, ...]


class Author:
    """Writes the messages of one seed."""

    def __init__(self, seed: int, scene: Scene) -> None:
        self.random = random.Random(seed)
        self._scene = scene
        self._last_id = 0
        # How often each is said. What reads from the store costs milliseconds: less often.
        said: tuple[tuple[int, Callable[[], tuple[str, Any]]], ...] = (
            (30, self._hover), (20, self._ranged), (6, self._lens), (6, self._action), (10, self._open),
            (20, self._change), (3, self._close), (3, self._save), (1, self._panel), (1, self._command),
            (2, self._other), (3, self._hierarchy),
        )  # fmt: skip
        self._says = [make for _, make in said]
        self._weights = [weight for weight, _ in said]

    def fresh_id(self) -> int | str:
        self._last_id += 1
        return self._last_id if self.random.random() < 0.7 else f"id-{self._last_id}"

    def sound(self) -> Json:
        """A message that an editor could send."""
        (make,) = self.random.choices(self._says, self._weights)
        method, params = make()
        message: Json = {"jsonrpc": "2.0", "method": method, "params": params}
        if not method.startswith(_TOLD_BY):
            message["id"] = self.fresh_id()
        return message

    def body(self) -> bytes:
        """Of a message, sound or not."""
        chance = self.random.random()
        if chance < 0.03:
            return self.random.choice(_RAW)
        if chance < 0.04:
            return self.random.randbytes(self.random.randrange(200))
        message = self.sound()
        if chance < 0.35:
            return encoded(message)
        for _ in range(self.random.choice((1, 1, 1, 2, 4))):
            message = self._mutated(message)
        body = encoded(message)
        return self._damaged(body) if chance > 0.93 else body

    def header(self, body: bytes) -> bytes:
        """One that is read, in one of its forms."""
        name = self.random.choice((b"Content-Length", b"content-length", b"CONTENT-LENGTH"))
        more = self.random.choice((b"", b"Content-Type: application/vscode-jsonrpc; charset=utf-8\r\n", b"X: y\r\n"))
        space = self.random.choice((b" ", b"", b"  "))
        return b"%b%b:%b%d\r\n\r\n" % (more, name, space, len(body))

    def answer(self, name: Any) -> Json:
        """What the client says to a request of the server's."""
        chance = self.random.random()
        if chance < 0.3:
            return {"jsonrpc": "2.0", "id": name, "error": self.random.choice(({"code": 1, "message": "no"}, *_ODD))}
        wanted: tuple[Any, ...] = (None, {"success": True}, {"title": "Not now"}, [None], [{"hints": False}], [{}])
        return {"jsonrpc": "2.0", "id": name, "result": self.random.choice(wanted + _ODD)}

    # -- what is said

    def _file(self) -> tuple[str, str]:
        return self.random.choice(self._scene.files)

    def _at(self, text: str) -> Json:
        line = self.random.randrange(text.count("\n") + 1)
        return {"line": line, "character": self.random.randrange(40)}

    def _within(self, text: str) -> Json:
        return {"start": self._at(text), "end": self._at(text)}  # also the wrong way round

    def _hover(self) -> tuple[str, Any]:
        uri, text = self._file()
        return "textDocument/hover", {"textDocument": {"uri": uri}, "position": self._at(text)}

    def _ranged(self) -> tuple[str, Any]:
        uri, text = self._file()
        return "textDocument/inlayHint", {"textDocument": {"uri": uri}, "range": self._within(text)}

    def _lens(self) -> tuple[str, Any]:
        asked = ("textDocument/codeLens", "textDocument/documentSymbol", "textDocument/diagnostic")
        return self.random.choice(asked), {"textDocument": {"uri": self._file()[0]}}

    def _hierarchy(self) -> tuple[str, Any]:
        uri, text = self._file()
        if self.random.random() < 0.5:
            where = {"textDocument": {"uri": uri}, "position": self._at(text)}
            return "textDocument/prepareCallHierarchy", where
        extent = self._within(text)
        data = self.random.choice(({"run": self._scene.run, "call": "c1"}, None, "c1", {}))
        item = {"name": "plan", "kind": 12, "uri": uri, "range": extent, "selectionRange": extent, "data": data}
        return self.random.choice(("callHierarchy/incomingCalls", "callHierarchy/outgoingCalls")), {"item": item}

    def _action(self) -> tuple[str, Any]:
        uri, text = self._file()
        found = [{"range": self._within(text), "message": "m", "severity": 9, "tags": [7]}]
        context = {
            "diagnostics": self.random.choice(([], found)),
            "only": self.random.choice((["refactor"], ["x"], [])),
        }
        return "textDocument/codeAction", {
            "textDocument": {"uri": uri},
            "range": self._within(text),
            "context": context,
        }

    def _open(self) -> tuple[str, Any]:
        uri, text = self._file()
        item = {"uri": uri, "languageId": "python", "version": 1, "text": text}
        return "textDocument/didOpen", {"textDocument": item}

    def _change(self) -> tuple[str, Any]:
        uri, text = self._file()
        changes: list[Json] = [
            {"range": self._within(text), "text": self.random.choice(("", "x", "\n", "client.create(", '"""', "é😀"))}
            for _ in range(self.random.choice((1, 1, 3)))
        ]
        if self.random.random() < 0.2:  # so that buffers do not wear away
            changes.append({"text": text})
        document = {"uri": uri, "version": self.random.randrange(100)}
        return "textDocument/didChange", {"textDocument": document, "contentChanges": changes}

    def _close(self) -> tuple[str, Any]:
        return "textDocument/didClose", {"textDocument": {"uri": self._file()[0]}}

    def _save(self) -> tuple[str, Any]:
        return "textDocument/didSave", {"textDocument": {"uri": self._file()[0]}}

    def _call(self) -> Json:
        return {"run": self.random.choice((self._scene.run, "last")), "call": self.random.choice(self._scene.calls)}

    def _panel(self) -> tuple[str, Any]:
        asked: tuple[tuple[str, Any], ...] = (
            ("ao/graph", {"run": self._scene.run}), ("ao/runs", {"limit": 2}), ("ao/call", self._call()),
            ("ao/events", {"run": self._scene.run, "after": 0}), ("ao/content", {"uri": "ao:///runs/run1/graph"}),
        )  # fmt: skip
        return self.random.choice(asked)

    def _command(self) -> tuple[str, Any]:
        # Not those that start programs or delete.
        named: tuple[tuple[str, Any], ...] = (
            ("ao.runs", {}), ("ao.graph", {"run": "last", "format": "text"}),
            ("ao.call", {**self._call(), "open": True}), ("ao.why", self._call()),
            ("ao.edit", {**self._call(), "content": "c"}), ("ao.unedit", self._call()),
            ("ao.plan", {"run": "last"}), ("ao.editOutput", self._call()), ("ao.editInput", self._call()),
            ("ao.howToRecord", {"file": "/x.py"}), ("ao.nothing", {}),
        )  # fmt: skip
        name, argument = self.random.choice(named)
        arguments: Any = self.random.choice(([argument], [argument], [argument], [argument, argument], [], None))
        return "workspace/executeCommand", {"command": name, "arguments": arguments}

    def _other(self) -> tuple[str, Any]:
        said: tuple[tuple[str, Any], ...] = (
            ("$/setTrace", {"value": "off"}), ("window/workDoneProgress/cancel", {"token": "t"}),
            ("workspace/didChangeConfiguration", {"settings": {"ao": {"hints": True}}}),
            ("workspace/didChangeWorkspaceFolders", {"event": {"added": [], "removed": []}}),
            ("textDocument/definition", None), ("initialize", {"capabilities": {}}), ("ao/nothing", {}),
        )  # fmt: skip
        return self.random.choice(said)

    # -- what becomes of it

    def _mutated(self, message: Json) -> Json:
        message = copy.deepcopy(message)
        chance = self.random.random()
        if chance < 0.08:
            message["method"] = self.random.choice(_METHODS)
        elif chance < 0.12:
            message["params"] = self.random.choice(([message.get("params")], [], None, 5, "x"))
        elif chance < 0.15:
            message["id"] = self.random.choice(_ODD)
        elif chance < 0.17:
            message["jsonrpc"] = self.random.choice(_ODD)
        else:
            self._mutate(message.get("params"))
        return message

    def _mutate(self, value: Any) -> None:
        """Change something somewhere in it."""
        while isinstance(value, dict | list) and value:
            key: Any = self.random.choice(list(value)) if isinstance(value, dict) else self.random.randrange(len(value))
            inner = value[key]
            if isinstance(inner, dict | list) and inner and self.random.random() < 0.7:
                value = inner
                continue
            chance = self.random.random()
            if chance < 0.15 and isinstance(value, dict):
                del value[key]
            elif chance < 0.25 and isinstance(value, dict):
                value[self.random.choice(("unheardOf", "jsonrpc", "_1", key.upper()))] = inner
            elif chance < 0.3 and isinstance(inner, str):
                value[key] = inner + self.random.choice(("\0", _HALF, "/", "?x#y", "%zz", "\n"))
            elif chance < 0.35 and isinstance(inner, int):
                value[key] = inner + self.random.choice((-1, 10**6, 2**31))
            else:
                value[key] = self.random.choice(_ODD)
            return

    def _damaged(self, body: bytes) -> bytes:
        """Bytes changed, lost, or doubled."""
        made = bytearray(body)
        at = self.random.randrange(len(made))
        chance = self.random.random()
        if chance < 0.4:
            made[at] = self.random.randrange(256)
        elif chance < 0.6:
            del made[at:]
        elif chance < 0.8:
            del made[at]
        else:
            made[at:at] = made[at : at + 10]
        return bytes(made)


_TOLD_BY = ("textDocument/did", "workspace/did", "window/", "$/")


def encoded(message: Any) -> bytes:
    """As JSON; what has no UTF-8 form is escaped."""
    return json.dumps(message).encode()
