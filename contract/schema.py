"""The JSON Schema (2020-12) of everything, with a table of the methods and commands."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ao_lsp.server.commands import ALIASES
from ao_lsp.server.lsp.connection.negotiation import REVISION, VERSION
from ao_lsp.server.results.errors import CODES, GENERAL
from contract.shapes import Choice, Definition, Either, Field, Items, Named, Plain, Shape, Table
from contract.surface import Operation, Surface

_PLAIN = {"text": "string"}


def schema(surface: Surface) -> dict[str, Any]:
    """The document. Its own keywords (`methods`, `commands`, …) are none of JSON Schema's, which ignores them."""
    found = surface.types.found
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://github.com/ao-lsp/ao-lsp/blob/main/docs/protocol.schema.json",
        "title": "What ao-lsp says to clients",
        "$comment": "Made by scripts/make-protocol from the types; docs/protocol.md explains it.",
        "version": VERSION,
        "revision": REVISION,
        "capabilities": {
            "client": of_shape(surface.client),
            "server": of_shape(surface.server),
            "initializationOptions": of_shape(surface.options),
        },
        "settings": of_shape(surface.settings),
        "errors": {"data": of_shape(surface.error), "codes": dict(CODES), "general": list(GENERAL)},
        "methods": _listed(surface.methods.values()),
        "commands": _listed(surface.commands.values()),
        "editorCommands": _listed(surface.editor_commands.values()),
        "aliases": dict(ALIASES),
        "daemonCommands": _listed(surface.daemon_commands.values()),
        "$defs": {name: of_definition(found[name]) for name in sorted(found)},
    }


def _listed(operations: Iterable[Operation]) -> dict[str, Any]:
    return {
        one.name: {
            "kind": one.kind,
            "direction": "toClient" if one.to_client else "toServer",
            "since": one.since,
            "summary": one.summary,
            "params": of_shape(one.params),
            **({} if one.result is None else {"result": of_shape(one.result), "errors": list(one.errors)}),
        }
        for one in operations
    }


def of_definition(one: Definition) -> dict[str, Any]:
    said: dict[str, Any] = {"type": "object", "description": one.doc}
    if not one.fields:
        return {**said, "maxProperties": 0}
    said["properties"] = {field.name: _of_field(field) for field in one.fields}
    required = [field.name for field in one.fields if field.required]
    if required:
        said["required"] = required
    if one.closed:
        said["additionalProperties"] = False
    return said


def _of_field(field: Field) -> dict[str, Any]:
    said = of_shape(field.shape)
    if field.doc:
        said = {**said, "description": field.doc}
    return {**said, "default": field.default} if field.has_default else said


def of_shape(shape: Shape) -> dict[str, Any]:
    match shape:
        case Plain("any"):
            return {}
        case Plain(name):
            return {"type": _PLAIN.get(name, name)}
        case Choice(values):
            return {"enum": list(values)}
        case Items(of):
            return {"type": "array", "items": of_shape(of)}
        case Table(of):
            return {"type": "object", "additionalProperties": of_shape(of)}
        case Named(name):
            return {"$ref": f"#/$defs/{name}"}
        case Either(shapes):
            simple = [one for one in shapes if isinstance(one, Plain) and one.name != "any"]
            if len(simple) == len(shapes):
                return {"type": [_PLAIN.get(one.name, one.name) for one in simple]}
            return {"anyOf": [of_shape(one) for one in shapes]}
