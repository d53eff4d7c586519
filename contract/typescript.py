"""Types for clients in TypeScript."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ao_lsp.server.lsp.connection.negotiation import REVISION, VERSION
from contract.shapes import Choice, Definition, Either, Field, Items, Named, Plain, Shape, Table
from contract.surface import Operation, Surface

_PLAIN = {"text": "string", "integer": "number", "any": "unknown"}

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
        lines.append(f"{_doc(field.doc, '  ')}  {field.name}{mark}: {of_shape(field.shape)};")
    return "\n".join([*lines, "}\n"])


def _table(name: str, doc: str, operations: Mapping[str, Operation]) -> str:
    lines = [f"/** {doc} */\nexport interface {name} {{"]
    for one in operations.values():
        result = "" if one.result is None else f"; result: {of_shape(one.result)}"
        lines.append(f'{_doc(one.summary, "  ")}  "{one.name}": {{ params: {one.params.name}{result} }};')
    return "\n".join([*lines, "}\n"])


def of_shape(shape: Shape) -> str:
    match shape:
        case Plain(name):
            return _PLAIN.get(name, name)
        case Choice(values):
            return " | ".join(f'"{value}"' for value in values)
        case Items(of):
            return f"({of_shape(of)})[]" if isinstance(of, Choice | Either) else f"{of_shape(of)}[]"
        case Table(of):
            return f"Record<string, {of_shape(of)}>"
        case Named(name):
            return name
        case Either(shapes):
            return " | ".join(_unique(map(of_shape, shapes)))


def _unique(texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(texts))


def _doc(text: str, indent: str) -> str:
    return f"{indent}/** {' '.join(text.split())} */\n" if text else ""
