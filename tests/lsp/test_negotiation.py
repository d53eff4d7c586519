"""Which version of our own part of the protocol is spoken, with clients of any age and of any sense."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from ao_lsp.server.core import Core, open_core
from ao_lsp.server.lsp import panel
from ao_lsp.server.lsp.connection.client import read_client
from ao_lsp.server.lsp.connection.negotiation import REVISION, VERSION, negotiated
from tests.lsp.in_process import Client
from tests.lsp.test_protocol_doc import SCHEMA
from tests.server.test_commands import record

METHOD_NOT_FOUND = -32601

NONE_OF_OURS: list[Any] = [
    None,
    {},
    {"settings": {"hints": False}},
    {"version": 0},
    {"version": -1},
    {"version": True},
    {"version": "1"},
    {"version": 1.5},
    {"version": None},
    {"version": [1]},
    {"version": {"min": 1}},
    {"version": VERSION + 2, "min_version": VERSION + 1},
    {"version": 1, "min_version": "1"},
    {"versions": []},
    {"versions": [VERSION + 1, VERSION + 2]},
    {"versions": ["1", True, None]},
    {"version": 1, "versions": [VERSION + 1]},
    "1",
    1,
    [1],
    True,
]


@pytest.fixture
async def core(home: str) -> AsyncIterator[Core]:
    assert home
    core = await open_core()
    yield core
    await core.close()


@pytest.mark.parametrize(
    ("asked", "version"),
    [
        ({"version": 1}, 1),
        ({"version": 1, "anything": {"else": [1]}}, 1),
        ({"version": VERSION + 7}, VERSION),
        ({"version": VERSION + 7, "min_version": 1}, VERSION),
        ({"version": 10**30}, VERSION),
        ({"versions": [VERSION + 7, 1, 0]}, 1),
        ({"versions": [1, "x"]}, 1),
        *((asked, 0) for asked in NONE_OF_OURS),
    ],
)
def test_the_highest_version_that_both_know_is_spoken(asked: Any, version: int) -> None:
    assert negotiated(asked) == version
    assert read_client({"capabilities": {"experimental": {"ao": asked}}}).ao == version
    assert read_client({"initializationOptions": {"ao": asked}}).ao == version


@pytest.mark.parametrize(
    ("asked", "version"),
    [
        ({"version": 2}, 2),
        ({"version": 3}, 3),
        ({"version": 9}, 4),
        ({"version": 9, "min_version": 4}, 4),
        ({"version": 1}, 0),
        ({"version": 9, "min_version": 5}, 0),
        ({"versions": [1, 3, 9]}, 3),
    ],
)
def test_a_server_that_knows_several_versions_takes_the_highest_of_them(asked: Any, version: int) -> None:
    assert negotiated(asked, range(2, 5)) == version


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["version", "min_version", "versions"]), inner),
    max_leaves=8,
)


@settings(max_examples=50)
@given(JSON, JSON)
def test_whatever_a_client_says_is_a_version_or_none(said: Any, more: Any) -> None:
    params = {"capabilities": {"experimental": {"ao": said}}, "initializationOptions": {"ao": more}}
    assert read_client(params).ao in (0, VERSION)


async def test_what_is_offered_is_what_there_is(core: Core) -> None:
    client = Client(core)
    said = await client.begin(
        capabilities={
            "experimental": {"ao": {"version": VERSION + 1}},
            "window": {"showDocument": {"support": True}},
            "workspace": {"codeLens": {"refreshSupport": True}},
        }
    )
    offered = said["capabilities"]["experimental"]["ao"]
    Draft202012Validator({**SCHEMA, "$ref": "#/$defs/Server"}).validate(offered)
    assert (offered["version"], offered["revision"]) == (VERSION, REVISION)
    assert offered["methods"] == [*panel.METHODS, *panel.HEARD]
    assert offered["notifications"] == list(panel.NOTIFICATIONS)
    assert [name for name, there in offered["features"].items() if there] == ["show_document", "lens_refresh"]
    await client.editor.close()


@pytest.mark.parametrize("asked", NONE_OF_OURS)
async def test_a_client_without_a_version_of_ours_gets_nothing_of_ours_and_all_that_is_standard(
    core: Core, asked: Any, caplog: pytest.LogCaptureFixture
) -> None:
    client = Client(core)
    caplog.set_level(logging.WARNING)
    said = await client.begin(capabilities={"experimental": {"ao": asked}})
    assert "experimental" not in said["capabilities"]
    assert said["capabilities"]["hoverProvider"]
    means_it = asked is not None and (not isinstance(asked, dict) or "version" in asked or "versions" in asked)
    assert ("wants other versions" in caplog.text) == means_it
    if means_it:
        for method in panel.METHODS:
            assert await client.refused(method, {}) == METHOD_NOT_FOUND
    await record(core)
    ran = await client.ask("workspace/executeCommand", {"command": "ao.runs", "arguments": [{}]})
    assert ran["result"]["total"] == 1
    await told_of_everything(client)
    assert [message["method"] for message in client.sent.messages if message["method"].startswith("$/ao")] == []
    await client.editor.close()


async def told_of_everything(client: Client) -> None:
    """Wait until a client beside this one, which asked for it, has heard of the changes so far."""
    other = Client(client.editor.core)
    await other.begin(capabilities={"experimental": {"ao": {"version": 1}}})
    client.editor.core.changes.missed()
    graph = await other.ask("ao/graph", {"run": "last"})
    assert graph["result"]["revision"]
    client.editor.core.changes.missed()
    await other.sent.until(lambda message: message.get("method") == "$/ao/graphDidChange")
    await other.editor.close()


async def test_a_client_that_asks_for_nothing_may_still_send_our_requests(core: Core) -> None:
    client = Client(core)
    await client.begin()
    assert (await client.ask("ao/runs", {}))["result"] == {"runs": [], "total": 0}
    await client.editor.close()
