"""The settings of an editor: from which messages they come, what they do, and what a wrong one does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from ao_lsp.server.core import open_core
from tests.daemons import own_home
from tests.lsp.conftest import record
from tests.lsp.editors import editor
from tests.lsp.in_process import Client

ASKS = {"workspace": {"configuration": True, "didChangeConfiguration": {"dynamicRegistration": True}}}


@pytest.fixture
async def client(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Client]:
    with own_home(monkeypatch):
        core = await open_core()
        client = Client(core)
        try:
            yield client
        finally:
            await client.editor.close()
            await core.close()


def settings(client: Client) -> dict[str, Any]:
    return dict(client.editor.caller.settings)


async def said(client: Client) -> str:
    message = await client.sent.until(lambda message: message.get("method") == "window/showMessage")
    assert message["params"]["type"] == 2
    return str(message["params"]["message"])


async def request(client: Client, method: str, result: Any) -> dict[str, Any]:
    """What the server asks for; it is answered with `result`."""
    message = await client.sent.until(lambda message: message.get("method") == method)
    client.protocol.answered({"jsonrpc": "2.0", "id": message["id"], "result": result})
    return message


async def settled(client: Client) -> None:
    """What was sent before has been acted on."""
    await client.ask("ao/runs", {"limit": 1})


async def test_settings_come_with_the_introduction(client: Client) -> None:
    await client.begin(initializationOptions={"ao": {"version": 1, "settings": {"hints": False, "python": None}}})
    await settled(client)
    assert settings(client) == {"hints": False}


async def test_settings_are_asked_for_where_the_client_can_tell(client: Client) -> None:
    await client.begin(capabilities=ASKS)
    registered = await request(client, "client/registerCapability", None)
    (wanted,) = registered["params"]["registrations"]
    assert (wanted["method"], wanted["registerOptions"]) == (
        "workspace/didChangeConfiguration",
        {"section": "ao"},
    )
    asked = await request(client, "workspace/configuration", [{"lenses": False}])
    assert asked["params"] == {"items": [{"section": "ao"}]}
    await settled(client)
    assert settings(client) == {"lenses": False}
    # A change that says nothing of itself is asked for, too.
    client.send("workspace/didChangeConfiguration", {"settings": None})
    await request(client, "workspace/configuration", [{"on_miss": "strict"}])
    await settled(client)
    assert settings(client) == {"on_miss": "strict"}


async def test_a_change_that_is_told_counts(client: Client) -> None:
    await client.begin()
    client.send("workspace/didChangeConfiguration", {"settings": {"ao": {"hints": False}, "python": {"x": 1}}})
    await settled(client)
    assert settings(client) == {"hints": False}
    client.send("workspace/didChangeConfiguration", {"settings": {"ao": {}}})
    await settled(client)
    assert settings(client) == {}


async def test_wrong_settings_are_said_once_and_the_right_ones_count(client: Client) -> None:
    await client.begin()
    wrong = {"hints": "no", "lenses": False, "gateway": True, "lense": True}
    client.send("workspace/didChangeConfiguration", {"settings": {"ao": wrong}})
    assert sorted([await said(client) for _ in range(3)]) == [
        "the settings of ao: gateway cannot be set here; set AO_GATEWAY; it is ignored",
        "the settings of ao: hints must be true or false, not 'no'; it is ignored",
        "the settings of ao: there is no setting 'lense' (did you mean lenses?); it is ignored",
    ]
    assert settings(client) == {"lenses": False}
    client.send("workspace/didChangeConfiguration", {"settings": {"ao": wrong}})
    client.send("workspace/didChangeConfiguration", {"settings": {"ao": "nonsense"}})
    assert await said(client) == "the settings of ao must be a table of settings, not 'nonsense'; it is ignored"


async def test_a_client_that_does_not_answer_keeps_its_settings(client: Client) -> None:
    await client.begin(capabilities={"workspace": {"configuration": True}})
    message = await client.sent.until(lambda message: message.get("method") == "workspace/configuration")
    client.protocol.answered({"jsonrpc": "2.0", "id": message["id"], "error": {"code": 1, "message": "no"}})
    await settled(client)
    assert settings(client) == {}


@pytest.mark.usefixtures("home")
async def test_lenses_and_hints_go_and_come_back(agent: Path) -> None:
    record(agent)
    async with editor("neovim-0.12") as user:
        uri = await user.open(agent)
        assert await user.lens_titles(uri)
        assert await user.hints(uri)
        user.client.workspace_did_change_configuration(_changed({"lenses": False, "hints": False}))
        assert (await user.lens_titles(uri), await user.hints(uri)) == ({}, {})
        user.client.workspace_did_change_configuration(_changed({}))
        assert await user.lens_titles(uri)
        assert await user.hints(uri)


def _changed(table: dict[str, Any]) -> Any:
    from lsprotocol import types as lsp

    return lsp.DidChangeConfigurationParams({"ao": table})
