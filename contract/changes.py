"""What each revision added: earlier schemas are kept in revisions/, and compared with what comes after them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

REVISIONS = Path(__file__).parent / "revisions"

_TABLES = ("methods", "commands", "editorCommands", "daemonCommands")


def earlier() -> dict[int, Any]:
    """The schemas of earlier revisions, by these, in order."""
    found = {int(path.stem): path for path in REVISIONS.glob("*.json")}
    return {at: json.loads(found[at].read_text(encoding="utf-8")) for at in sorted(found)}


def added(now: Any) -> Iterator[tuple[int, str, str]]:
    """Revision, method or command, and what came to it; `now` is the schema of the last revision."""
    steps = [*earlier().items(), (now["revision"], now)]
    for (_, old), (at, new) in pairwise(steps):
        for name, (was, is_) in _both(old, new).items():
            params = _new_paths(old, new, was.get("params"), is_.get("params"))
            result = _new_paths(old, new, was.get("result"), is_.get("result"))
            said = [
                f"{what} {', '.join(f'`{path}`' for path in paths)}"
                for what, paths in (("parameters:", params), ("result:", result))
                if paths
            ]
            if said:
                yield at, f"`{name}`", "; ".join(said)
        codes = [code for code in new["errors"]["codes"] if code not in old["errors"]["codes"]]
        for what, names in (("settings", _new_paths(old, new, old["settings"], new["settings"])), ("errors", codes)):
            if names:
                yield at, what, ", ".join(f"`{name}`" for name in names)


def _both(old: Any, new: Any) -> dict[str, tuple[Any, Any]]:
    """What both have, by its name of now; what an editor's command gives is that of the command."""
    before, after = ({name: one for table in _TABLES for name, one in schema[table].items()} for schema in (old, new))
    now = {name: new.get("aliases", {}).get(name, name) for name in before}
    return {now[name]: (one, after[now[name]]) for name, one in before.items() if now[name] in after}


def _new_paths(old: Any, new: Any, was: Any, is_: Any) -> list[str]:
    """The fields that were not there, without what is inside of others that were not."""
    if was is None or is_ is None:
        return []
    known, there = set(_paths(old, was, "", ())), list(dict.fromkeys(_paths(new, is_, "", ())))
    fresh = [path for path in there if path not in known]
    return [path for path in fresh if not any(path.startswith((f"{other}.", f"{other}[]")) for other in fresh)]


def _paths(schema: Any, one: Any, above: str, within: tuple[str, ...]) -> Iterator[str]:
    """`nodes`, `nodes[].id`, …: the fields of a value."""
    if "$ref" in one:
        name = one["$ref"].rpartition("/")[2]
        if name not in within:
            yield from _paths(schema, schema["$defs"][name], above, (*within, name))
    for part in one.get("anyOf", ()):
        yield from _paths(schema, part, above, within)
    for name, inside in one.get("properties", {}).items():
        path = f"{above}.{name}" if above else name
        yield path
        yield from _paths(schema, inside, path, within)
    if isinstance(one.get("items"), dict):
        yield from _paths(schema, one["items"], f"{above}[]", within)
