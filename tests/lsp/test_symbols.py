"""Document symbols and the call hierarchy, as every editor asks for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from lsprotocol import types as lsp
from pygls.exceptions import JsonRpcException

from tests.daemons import ask, start
from tests.lsp.conftest import NEVER, PLAN, SEARCH, begin, plan_site, record, search_site, site
from tests.lsp.editors import User, editor, every_editor, introduction

pytestmark = pytest.mark.usefixtures("home")


async def test_symbols_are_the_calls_of_the_last_run_under_their_functions(agent: Path) -> None:
    record(agent)
    async with every_editor() as editors:
        for profile, user in editors:
            params = lsp.DocumentSymbolParams(lsp.TextDocumentIdentifier(await user.open(agent)))
            found = list(await user.client.text_document_document_symbol_async(params) or ())
            said = introduction(profile).capabilities.text_document
            symbols = said.document_symbol if said is not None else None
            if symbols is not None and symbols.hierarchical_document_symbol_support:
                functions = [one for one in found if isinstance(one, lsp.DocumentSymbol)]
                assert [(one.name, one.range.start.line + 1) for one in functions] == [
                    ("plan", PLAN - 1), ("search", SEARCH - 1),
                ]  # fmt: skip
                assert [(one.name, one.detail) for function in functions for one in function.children or ()] == [
                    ("call 1 · gpt-5", "→ output of c1"), ("2 calls · gpt-5", "→ output of c3"),
                ]  # fmt: skip
            else:
                flat = [one for one in found if isinstance(one, lsp.SymbolInformation)]
                assert [(one.name, one.container_name, one.location.range.start.line + 1) for one in flat] == [
                    ("plan · call 1 · gpt-5 · → output of c1", "plan", PLAN),
                    ("search · 2 calls · gpt-5 · → output of c3", "search", SEARCH),
                ]


async def prepared(user: User, uri: str, line: int, character: int = 14) -> list[lsp.CallHierarchyItem]:
    at = lsp.Position(line - 1, character)
    params = lsp.CallHierarchyPrepareParams(lsp.TextDocumentIdentifier(uri), at)
    return list(await user.client.text_document_prepare_call_hierarchy_async(params) or ())


async def incoming(user: User, item: lsp.CallHierarchyItem) -> list[lsp.CallHierarchyIncomingCall]:
    params = lsp.CallHierarchyIncomingCallsParams(item)
    return list(await user.client.call_hierarchy_incoming_calls_async(params) or ())


async def outgoing(user: User, item: lsp.CallHierarchyItem) -> list[lsp.CallHierarchyOutgoingCall]:
    params = lsp.CallHierarchyOutgoingCallsParams(item)
    return list(await user.client.call_hierarchy_outgoing_calls_async(params) or ())


def shown(item: lsp.CallHierarchyItem) -> tuple[str, str, int]:
    return item.name, Path(item.uri).name, item.selection_range.start.line + 1


def record_chain(agent: Path) -> Path:
    """A plan, searches that used it, and a call in another file that used both."""
    other = agent.with_name("writer.py")
    other.write_text("import openai\n\n\ndef write(text):\n    return openai.OpenAI().responses.create(input=text)\n")
    write = site(other, 5, 5, 11, 52, "write")
    start()
    runner = begin(agent)
    runner.call("c1", site=plan_site(agent), stack=[plan_site(agent)])
    for call in ("c2", "c3"):
        runner.call(call, ("c1",), site=search_site(agent), stack=[search_site(agent)])
    runner.call("c4", ("c1", "c2", "c3"), site=write, stack=[write])
    runner.end()
    runner.wait()
    return other


async def test_the_hierarchy_leads_from_call_to_call_through_files_edits_and_newer_runs(agent: Path) -> None:
    record_chain(agent)
    async with editor("neovim-0.12") as user:
        uri = await user.open(agent)
        [item] = await prepared(user, uri, SEARCH)
        assert shown(item) == ("search · 2 calls · gpt-5", "agent.py", SEARCH)
        assert item.detail == "→ output of c3"
        assert [shown(one.from_) for one in await incoming(user, item)] == [("plan · call 1 · gpt-5", "agent.py", PLAN)]
        [to] = await outgoing(user, item)
        assert shown(to.to) == ("write · call 4 · gpt-5", "writer.py", 5)
        assert list(to.from_ranges) == [item.selection_range]
        assert [shown(one.from_) for one in await incoming(user, to.to)] == [
            ("plan · call 1 · gpt-5", "agent.py", PLAN), ("search · 2 calls · gpt-5", "agent.py", SEARCH),
        ]  # fmt: skip
        # The item is of the run that it was prepared of; where its calls stand now follows the buffer.
        user.insert(uri, 0, 0, "# a line more\n")
        runner = begin(agent, "run2")
        runner.call("d1", site=plan_site(agent), stack=[plan_site(agent)])
        runner.end()
        runner.wait()
        [used] = await incoming(user, item)
        assert shown(used.from_) == ("plan · call 1 · gpt-5", "agent.py", PLAN + 1)
        assert list(used.from_ranges) == [used.from_.selection_range]
        # Where the run is gone, that is said.
        ask("ao.rm", runs=["run1"])
        with pytest.raises(JsonRpcException, match="run run1 has been deleted; prepare the call hierarchy again"):
            await incoming(user, item)
        assert [shown(one)[0] for one in await prepared(user, uri, PLAN + 1)] == ["plan · call 1 · gpt-5"]


async def test_a_hierarchy_begins_at_a_call_or_at_the_name_of_a_function_that_made_some(agent: Path) -> None:
    record(agent)
    async with editor("helix") as user:
        uri = await user.open(agent)
        for line, character, names in (
            (PLAN - 1, 5, ["plan · call 1 · gpt-5"]),
            (SEARCH, 20, ["search · 2 calls · gpt-5"]),
            (NEVER, 20, []),  # a call that never ran
            (NEVER - 1, 5, []),  # a function that made none
            (PLAN - 1, 0, []),  # not the name
            (3, 8, []),
        ):
            assert [item.name for item in await prepared(user, uri, line, character)] == names, (line, character)


async def test_an_item_that_is_none_of_ours_is_refused(agent: Path) -> None:
    record(agent)
    async with editor("vscode") as user:
        [item] = await prepared(user, await user.open(agent), PLAN)
        wrong: list[Any] = [None, 5, "run1", {"run": 1, "calls": []}, {"run": "run1"}]
        for data in wrong:
            item.data = data
            with pytest.raises(JsonRpcException, match="none of ours"):
                await outgoing(user, item)
        item.data = {"run": "run1", "calls": [{}, "nowhere"]}
        with pytest.raises(JsonRpcException, match="has been deleted"):
            await outgoing(user, item)
