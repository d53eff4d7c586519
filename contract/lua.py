"""Types for clients in Lua, as LuaCATS annotations. Neovim's JSON has nil for the null of a field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from contract.shapes import Definition, Field, Plain, options
from contract.spelling import Spelling
from contract.surface import Operation, Surface

_LUA = Spelling({"text": "string", "null": "nil"}, either="|", table="table<string, {}>", named="ao.{}")

_HEAD = """\
---@meta
--- What ao-lsp says to clients. Made by scripts/make-protocol from the types; docs/protocol.md explains it.
"""


def lua(surface: Surface) -> str:
    found = surface.types.found
    methods = surface.methods.items()
    tables = [
        _table("ao.Command", {**surface.commands, **surface.editor_commands}),
        _table("ao.Request", {name: one for name, one in methods if not one.to_client}),
        _table("ao.Notification", {name: one for name, one in methods if one.to_client}),
    ]
    return "\n".join(
        [_HEAD, *(_class(found[name], *surface.types.split(found[name])) for name in sorted(found)), *tables]
    )


def _class(one: Definition, bases: Sequence[str], added: Sequence[Field]) -> str:
    heads = f": {', '.join(f'ao.{name}' for name in bases)}" if bases else ""
    lines = [*(f"--- {line}" for line in one.doc.splitlines()), f"---@class ao.{one.name}{heads}"]
    for field in added:
        shapes = [shape for shape in options(field.shape) if shape != Plain("null")]
        mark = "" if field.required and len(shapes) == len(options(field.shape)) else "?"
        kind = _LUA.any_of(shapes)
        lines.append(f"---@field {field.name}{mark} {kind} {field.doc}".rstrip())
    return "\n".join([*lines, ""])


def _table(name: str, operations: Mapping[str, Operation]) -> str:
    lines = [f"---@alias {name}"]
    for one in operations.values():
        takes = f"takes ao.{one.params.name}"
        gives = "" if one.result is None else f", gives {_LUA.of(one.result)}"
        lines.append(f'---| "{one.name}" # {one.summary}: {takes}{gives}')
    return "\n".join([*lines, ""])
