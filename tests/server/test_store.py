"""The store: what it keeps and what it gives back, in either database."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from ao_lsp.server import graph
from ao_lsp.server.store import Arrival, writing
from ao_lsp.server.store.sql import SqlStore
from tests.recorder import SITE, chat_request, chat_response
from tests.server.stored import an_edit, arrivals, asked, called, ended, record, started


async def test_what_is_written_comes_back_as_it_was(store: SqlStore) -> None:
    site = {"file": "/p/a.py", "line": 3, "function": "f", "end_line": None, "column": 4, "end_column": None}
    events = [
        started(target={"kind": "module", "value": "a"}, options=["--no-taint"], env={"LANG": "C"}, cwd="/p", pid=7),
        *called("c1", "hello", site=site, stack=[site], lineage={"task": 1}, thread="T", task="t", source_call="x"),
        ended(),
    ]
    await store.record(arrivals("run1", events))
    found = await store.graph("run1")
    assert found is not None
    assert found.run.target == ("module", "a")
    assert (found.run.options, found.run.env, found.run.cwd) == (("--no-taint",), (("LANG", "C"),), "/p")
    (call,) = found.calls
    assert call.site is not None
    assert (call.site.line, call.site.column, call.stack) == (3, 4, (call.site,))
    assert (call.lineage, call.thread, call.task, call.source_call) == ({"task": 1}, "T", "t", "x")
    assert (call.provider, call.model, call.preview, call.input_tokens) == ("openai", "gpt-5", "hello", 7)
    exchange = await store.exchange("run1", "c1")
    assert exchange is not None
    assert (exchange.request, exchange.response) == (chat_request("c1"), chat_response("hello"))


async def test_equal_bodies_are_stored_once(store: SqlStore) -> None:
    for run in ("run1", "run2"):
        await record(store, run, "c1")
    assert await asked(store, "SELECT count(*) FROM bodies") == [(2,)]


async def test_deleting_a_run_deletes_what_only_it_had_and_gives_the_space_back(store: SqlStore) -> None:
    await record(store, "run1", "c1")
    noise = os.urandom(2 << 20).hex()
    await store.record(arrivals("run2", [started("session2"), *called("c1"), *called("c2", noise), ended()]))
    full = await store.size()
    changes = await store.delete_runs(["run2"])
    assert [(change.kind, change.run) for change in changes] == [("run.deleted", "run2")]
    assert await store.graph("run2") is None
    assert full - await store.size() > 2 << 20
    kept = await store.exchange("run1", "c1")
    assert kept is not None, "a body that another run shares is gone"
    assert await asked(store, "SELECT count(*) FROM calls") == [(1,)]
    assert await asked(store, "SELECT count(*) FROM streams") == [(1,)]


async def test_changes_are_numbered_densely_within_their_session(store: SqlStore) -> None:
    await record(store, "run1", "c1", session="one")
    await record(store, "run2", "c1", session="two")
    await record(store, "run3", session="one")
    changes = await store.changes_since("one", 0)
    assert changes is not None
    assert [(change.seq, change.kind, change.run) for change in changes] == [
        (1, "run.started", "run1"),
        (2, "call.started", "run1"),
        (3, "call.ended", "run1"),
        (4, "run.ended", "run1"),
        (5, "run.started", "run3"),
        (6, "run.ended", "run3"),
    ]
    assert await store.changes_since("one", 6) == []
    tail = await store.changes_since("one", 4)
    assert tail is not None
    assert [change.seq for change in tail] == [5, 6]


async def test_a_number_that_is_too_old_or_was_never_given_means_read_everything(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "_CHANGES_KEPT", 5)
    for number in range(6):
        await record(store, f"run{number}", "c1")
    assert await store.changes_since("session1", 0) is None
    assert await store.changes_since("session1", 99) is None
    assert await store.changes_since("nobody", 0) is None
    session = await store.session("session1")
    assert session is not None
    assert session.last_change == 24
    kept = await store.changes_since("session1", session.first_change - 1)
    assert kept is not None
    assert [change.seq for change in kept] == list(range(session.first_change, 25))


async def test_numbers_go_on_after_every_run_of_a_session_is_deleted(store: SqlStore) -> None:
    await record(store, "run1", "c1")
    await store.delete_runs(["run1"])
    await record(store, "run2")
    changes = await store.changes_since("session1", 4)
    assert changes is not None
    assert [(change.seq, change.kind) for change in changes] == [
        (5, "run.deleted"),
        (6, "run.started"),
        (7, "run.ended"),
    ]


async def test_the_last_edit_counts_and_each_can_be_taken_back(store: SqlStore) -> None:
    await record(store, "run1", "c1", "c2")
    for edit in (an_edit("first"), an_edit("second"), an_edit("another's", "c2")):
        assert [change.kind for change in await store.put_edit(edit)] == ["edit.stored"]
    found, _ = await store.edits("run1")
    assert found == replace(an_edit("second"), version=2)
    assert (await store.summaries(["run1"]))[0].edits == 2, "calls and fields are counted, not versions"
    original = await store.exchange("run1", "c1")
    assert original is not None
    assert original.response == chat_response("hi")
    assert [change.kind for change in await store.delete_edits("run1", "c1", ("output", "input"))] == ["edit.removed"]
    assert await store.edits("run1") == [an_edit("first"), an_edit("another's", "c2")]
    await store.delete_edits("run1", "c1", ("output",))
    assert await store.delete_edits("run1", "c1", ("output",)) == ()
    assert await store.edits("run1") == [an_edit("another's", "c2")]
    await store.delete_edits("run1", "c2", ("output",))
    assert await asked(store, "SELECT count(*) FROM bodies") == [(3,)], "the bodies of edits are gone with them"


async def test_all_edits_of_a_call_can_be_taken_back_at_once(store: SqlStore) -> None:
    await record(store, "run1", "c1", "c2")
    for edit in (an_edit("first"), an_edit("second"), an_edit("third"), an_edit("another's", "c2")):
        await store.put_edit(edit)
    await store.delete_edits("run1", "c1", ("output",), every=True)
    assert await store.edits("run1") == [an_edit("another's", "c2")]


async def test_an_edit_that_says_the_same_again_is_no_new_one(store: SqlStore) -> None:
    await record(store, "run1", "c1")
    await store.put_edit(an_edit("first"))
    assert await store.put_edit(an_edit("first")) == ()
    await store.delete_edits("run1", "c1", ("output",))
    assert await store.edits("run1") == []


async def test_a_batch_is_committed_as_a_whole_or_not_at_all(store: SqlStore) -> None:
    bad = Arrival("run1", "s1", 3, None, graph.RunNote("run1", 1.0, "info", "\ud800"))
    with pytest.raises(Exception, match="surrogates not allowed"):  # whose, each database has for itself
        await store.record([*arrivals("run1", [started(), ended()]), bad])
    assert await store.run("run1") is None
    await record(store, "run1")
    assert await store.run("run1") is not None


async def test_runs_are_found_by_the_files_that_their_calls_were_made_from(store: SqlStore) -> None:
    file, caller = str(SITE["file"]), {**SITE, "file": '/project/ma"in é.py'}
    await record(store, "run1", "c1")
    await record(store, "run2", "c1", "c2")
    await record(store, "run3")
    through = [started(), *called("c1", stack=[SITE, caller])]
    await store.record(arrivals("run4", through))
    assert await store.runs_in_files([file], 9) == ["run4", "run2", "run1"]
    assert await store.runs_in_files(["/elsewhere.py", file], 2) == ["run4", "run2"]
    assert await store.runs_in_files([str(caller["file"])], 9) == ["run4"]
    assert await store.runs_in_files(["/elsewhere.py"], 9) == []
    assert await store.files_of(["run1", "run3"]) == {file}
    assert await store.files_of(["run4"]) == {file, caller["file"]}
    assert await store.files_of([]) == set()


async def test_edges_from_calls_of_other_runs_are_kept_out_of_a_graph(store: SqlStore) -> None:
    inputs = [{"call": "elsewhere", "evidence": "tracked"}, {"call": "c1", "evidence": "matched"}, {"call": "c1"}]
    events = [started(), *called("c1"), *called("c2", inputs=inputs)]
    await store.record(arrivals("run1", events))
    found = await store.graph("run1")
    assert found is not None
    assert [(edge.source, edge.target, edge.evidence) for edge in found.edges] == [("c1", "c2", "tracked")]


async def test_a_version_is_that_of_a_run_and_of_its_subruns_also_of_those_that_begin_later(store: SqlStore) -> None:
    await store.record(arrivals("run1", [started(), ({"type": "subrun.start", "subrun": "first"}, {})]))
    (change,) = await store.put_version("run1", "1234", "/project", "app.py was written after the run began")
    assert (change.kind, change.run, change.graphs) == ("run.versioned", "run1", ("run1",))
    await store.record(arrivals("run1", [({"type": "subrun.start", "subrun": "second"}, {})], first=3))
    for run in ("run1", "first", "second"):
        found = await store.run(run)
        assert found is not None
        assert (found.version, found.version_root) == ("1234", "/project")
        assert found.version_note == "app.py was written after the run began"
    assert await store.versions() == {"1234": ["run1"]}


async def test_a_version_that_has_been_said_or_is_of_no_run_is_no_change(store: SqlStore) -> None:
    await store.record(arrivals("run1", [started()]))
    assert await store.put_version("run1", "1234", "/project", "")
    assert not await store.put_version("run1", "1234", "/project", "")
    assert not await store.put_version("run2", "1234", "/project", "")
