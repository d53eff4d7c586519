"""Everything that clients may call or hear, read from the tables of the server."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ao_lsp.server.command import Command
from ao_lsp.server.commands import COMMANDS
from ao_lsp.server.control import Control
from ao_lsp.server.lsp.doing.commands import EDITOR_ONLY
from ao_lsp.server.lsp.panel import HEARD, METHODS, NOTIFICATIONS
from ao_lsp.server.results.editors import ClientJson, OptionsJson, ServerJson, SettingsJson
from ao_lsp.server.results.errors import ErrorDataJson
from contract.shapes import Named, Shape, Types, returned, used


@dataclass(frozen=True, slots=True)
class Operation:
    """A command, a request or a notification. `result` is None for a notification; `since` the revision that brought
    it; `errors` are the codes that it may have beside the general ones."""

    name: str
    kind: str
    to_client: bool
    summary: str
    params: Named
    result: Shape | None
    since: int
    errors: tuple[str, ...] = ()

    @property
    def types(self) -> list[str]:
        """The types that it names."""
        return [self.params.name, *(used(self.result) if self.result is not None else ())]


@dataclass(frozen=True, slots=True)
class Surface:
    """`commands` are for all; `editor_commands` are those of them that do more in an editor."""

    types: Types
    commands: Mapping[str, Operation]
    editor_commands: Mapping[str, Operation]
    daemon_commands: Mapping[str, Operation]
    methods: Mapping[str, Operation]
    client: Named
    options: Named
    server: Named
    settings: Named
    error: Named

    def operations(self) -> Iterator[Operation]:
        for table in (self.commands, self.editor_commands, self.daemon_commands, self.methods):
            yield from table.values()


def daemon_commands() -> dict[str, Command[Any]]:
    """The commands of a daemon; this one does nothing."""
    return Control("", 0.0, 0.0, lambda: False, list, lambda: None).commands()


def surface() -> Surface:
    types = Types()
    commands = {name: _command(types, name, one, _camel(name)) for name, one in COMMANDS.items()}
    for_editors = {name: _command(types, name, one, _camel(name)) for name, one in EDITOR_ONLY.items()}
    of_daemon = {name: _command(types, name, one, _camel(name)) for name, one in daemon_commands().items()}
    methods: dict[str, Operation] = {}
    for name, request in METHODS.items():
        same = next((each for each, one in COMMANDS.items() if one.params is request.params), None)
        taken = f"ao.{name.removeprefix('ao/')}" in COMMANDS
        stem = _camel(name) + ("Request" if taken else "")
        params = commands[same].params if same else types.params(request.params, f"{stem}Params", _of(name))
        result = types.shape(returned(request.handler or COMMANDS[request.command].handler))
        methods[name] = Operation(
            name, "request", False, request.summary, params, result, request.since, request.errors
        )
    for name, heard in HEARD.items():
        params = types.params(heard.params, f"{_camel(name)}Params", _of(name))
        methods[name] = Operation(name, "notification", False, heard.summary, params, None, heard.since)
    for name, told in NOTIFICATIONS.items():
        shape = types.shape(told.params)
        assert isinstance(shape, Named)
        methods[name] = Operation(name, "notification", True, told.summary, shape, None, told.since)
    named = [types.shape(kind) for kind in (ClientJson, OptionsJson, ServerJson, SettingsJson, ErrorDataJson)]
    client, options, server, settings, error = (one for one in named if isinstance(one, Named))
    return Surface(types, commands, for_editors, of_daemon, methods, client, options, server, settings, error)


def _command(types: Types, name: str, one: Any, stem: str) -> Operation:
    params = types.params(one.params, f"{stem}Params", _of(name))
    result = types.shape(returned(one.handler))
    return Operation(name, "command", False, one.summary, params, result, one.since, one.errors)


def _of(name: str) -> str:
    return f"Parameters of `{name}`."


def _camel(name: str) -> str:
    """`ao.diff_code` → `DiffCode`, `daemon.stop` → `DaemonStop`, `ao/events` → `Events`."""
    return "".join(part[:1].upper() + part[1:] for part in re.split(r"[._/]", re.sub(r"^(?:\$/)?ao[./]", "", name)))
