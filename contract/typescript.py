"""Types for clients in TypeScript."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ao_lsp.server.lsp.connection.negotiation import REVISION, VERSION
from contract.shapes import Definition, Field
from contract.spelling import Spelling
from contract.surface import Operation, Surface

_TYPESCRIPT = Spelling(
    {"text": "string", "integer": "number", "any": "unknown"}, either=" | ", table="Record<string, {}>", named="{}"
)

_HEAD = f"""\
// What ao-lsp says to clients. Made by scripts/make-protocol from the types; docs/protocol.md explains it.

/** The version of the protocol that these types are of. */
export const VERSION = {VERSION};

/** Their revision: what has been added to the version. */
export const REVISION = {REVISION};
"""


def typescript(surface: Surface) -> str:
    found = surface.types.found
    named = [_interface(found[name], *surface.types.split(found[name])) for name in sorted(found)]
    requests = {name: one for name, one in surface.methods.items() if one.kind == "request"}
    notes = {name: one for name, one in surface.methods.items() if one.kind == "notification"}
    told = {name: one for name, one in notes.items() if one.to_client}
    heard = {name: one for name, one in notes.items() if not one.to_client}
    tables = [
        _table("Commands", "What `workspace/executeCommand` takes, and gives.", _of_editors(surface)),
        _table("Requests", "Our own requests.", requests),
        _table("Notifications", "What a client is told.", told),
        _table("ClientNotifications", "What a client may tell.", heard),
    ]
    return "\n".join([_HEAD, *named, *tables])


def _of_editors(surface: Surface) -> Mapping[str, Operation]:
    return {**surface.commands, **surface.editor_commands}


def _interface(one: Definition, bases: Sequence[str], added: Sequence[Field]) -> str:
    if not one.fields:
        return f"{_doc(one.doc, '')}export type {one.name} = Record<string, never>;\n"
    heads = f" extends {', '.join(bases)}" if bases else ""
    lines = [f"{_doc(one.doc, '')}export interface {one.name}{heads} {{"]
    for field in added:
        mark = "" if field.required else "?"
        lines.append(f"{_doc(field.doc, '  ')}  {field.name}{mark}: {_TYPESCRIPT.of(field.shape)};")
    return "\n".join([*lines, "}\n"])


def _table(name: str, doc: str, operations: Mapping[str, Operation]) -> str:
    lines = [f"/** {doc} */\nexport interface {name} {{"]
    for one in operations.values():
        result = "" if one.result is None else f"; result: {_TYPESCRIPT.of(one.result)}"
        lines.append(f'{_doc(one.summary, "  ")}  "{one.name}": {{ params: {one.params.name}{result} }};')
    return "\n".join([*lines, "}\n"])


def _doc(text: str, indent: str) -> str:
    return f"{indent}/** {' '.join(text.split())} */\n" if text else ""
