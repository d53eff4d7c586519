"""Looking for a text in what calls were asked and said (`ao runs --grep`), in either database."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from ao_lsp import protocol
from ao_lsp.server import search
from ao_lsp.server.changes import Changes
from ao_lsp.server.command import Caller
from ao_lsp.server.commands import execute
from ao_lsp.server.core import Core
from ao_lsp.server.ingest import Stream
from ao_lsp.server.params import CommandError
from ao_lsp.server.search.reading import said_by
from ao_lsp.server.search.snippet import snippet
from ao_lsp.server.store import texts
from ao_lsp.server.store.sql import SqlStore
from ao_lsp.server.store.sqlite import open_store
from ao_lsp.server.views import Json
from tests.recorder import Recorder, chat_request, chat_response
from tests.server.stored import arrivals, asked, called, ended, started

pytestmark = pytest.mark.usefixtures("home")


async def runs(core: Core, needle: str, **params: Any) -> Json:
    return await execute(core, Caller(), "ao.runs", {"grep": needle, **params})


async def found(core: Core, needle: str, **params: Any) -> list[str]:
    return [run["id"] for run in (await runs(core, needle, **params))["runs"]]


async def said(core: Core, needle: str) -> list[tuple[int, str, str]]:
    """Number, part and text of what is found in the newest run."""
    matches = (await runs(core, needle))["runs"][0]["matches"]
    return [(match["number"], match["part"], match["text"][match["start"] : match["end"]]) for match in matches]


async def take(core: Core, recorder: Recorder) -> None:
    await core.ingest.take(Stream(recorder.run, recorder.stream, None), protocol.Frames(), b"".join(recorder.sent))
    recorder.sent.clear()


async def record(core: Core, run: str, *calls: tuple[str, str]) -> None:
    """A run with calls that ask and say these texts."""
    recorder = Recorder(run)
    recorder.start()
    for number, (prompt, output) in enumerate(calls, 1):
        recorder.call_start(f"{run}-{number}", request=chat_request(prompt))
        recorder.call_end(f"{run}-{number}", chat_response(output))
    recorder.end()
    await take(core, recorder)


async def test_runs_are_found_by_what_their_calls_were_asked_and_said(core: Core) -> None:
    await record(core, "run1", ("Where do apricots grow?", "In Armenia."), ("And cherries?", "In Turkey."))
    await record(core, "run2", ("What is in the basket?", "Four apricots."))
    await record(core, "run3", ("Nothing of the kind", "indeed"))
    result = await runs(core, "apricots")
    assert ([run["id"] for run in result["runs"]], result["total"], result["complete"]) == (["run2", "run1"], 2, True)
    newest, older = result["runs"]
    assert newest["matches"] == [
        {
            "call": "run2-1",
            "run": "run2",
            "number": 1,
            "part": "output",
            "text": "Four apricots.",
            "start": 5,
            "end": 13,
        }
    ]
    assert (older["matching_calls"], older["calls"]) == (1, 2)
    assert [(match["number"], match["part"]) for match in older["matches"]] == [(1, "prompt")]
    assert await found(core, "plums") == []


@pytest.mark.parametrize(
    "needle",
    ["ricot", "APRICOTS GROW", "große straße", "GROSSE", "杏仁", "杏", "ñ", "'; DROP", '"quoted" AND', "100%_", "a\\b",
     "n*", "NEAR(", "😀"],
)  # fmt: skip
async def test_a_text_is_found_whatever_it_is_made_of(core: Core, needle: str) -> None:
    text = (
        """Apricots grow in the Große Straße: 杏仁, piñon, ' " '; DROP TABLE x; "quoted" AND 100%_ a\\b n* NEAR( 😀"""
    )
    await record(core, "run1", ("nothing", text))
    await record(core, "run2", ("else", "other words, a%b, a_b"))
    assert await found(core, needle) == ["run1"]
    ((_, _, inside),) = await said(core, needle)
    assert texts.folded(inside) == texts.folded(needle)


async def test_a_letter_is_the_same_however_it_was_typed(core: Core) -> None:
    await record(core, "run1", ("cafe\u0301 au lait", "oui"))
    assert await found(core, "caf\xe9 au") == ["run1"]
    assert await found(core, "fe\u0301") == ["run1"]


async def test_a_text_that_only_has_the_same_letters_is_not_found(core: Core) -> None:
    await record(core, "run1", ("abcd bcde", "cdef"))
    assert await found(core, "abcde") == []


async def test_a_message_that_is_sent_with_every_call_is_kept_once_and_found_in_each(core: Core) -> None:
    recorder = Recorder("run1")
    recorder.start()
    history: list[dict[str, str]] = [{"role": "system", "content": "be brief"}]
    for number in range(1, 6):
        history.append({"role": "user", "content": f"question {number}"})
        recorder.call_start(f"c{number}", request=json.dumps({"model": "m", "messages": history}).encode())
        recorder.call_end(f"c{number}", chat_response(f"answer {number}"))
        history.append({"role": "assistant", "content": f"answer {number}"})
    recorder.end()
    await take(core, recorder)
    assert [number for number, _, _ in await said(core, "be brief")] == [1, 2, 3, 4, 5]
    assert await said(core, "answer 4") == [(4, "output", "answer 4"), (5, "prompt", "answer 4")]
    assert isinstance(core.store, SqlStore)
    assert await asked(core.store, "SELECT count(*) FROM texts") == [(11,)]


async def test_arguments_of_tool_calls_are_searched_as_they_are_and_not_as_json_writes_them(core: Core) -> None:
    arguments = json.dumps({"path": "a.py", "code": 'print("hé")\nexit()', "n": [1, {"deep": True}]})
    wanted = {"id": "t1", "type": "function", "function": {"name": "write_file", "arguments": arguments}}
    message = {"role": "assistant", "content": None, "tool_calls": [wanted]}
    recorder = Recorder("run1")
    recorder.start()
    recorder.call("c1", response=chat_response("", choices=[{"index": 0, "message": message}]))
    recorder.end()
    await take(core, recorder)
    for needle in ('print("hé")', "write_file", "code: print", "deep: true"):
        assert await found(core, needle) == ["run1"], needle


async def test_what_a_call_is_asked_is_found_while_it_runs_and_what_it_says_when_it_has(core: Core) -> None:
    recorder = Recorder("run1")
    recorder.start()
    recorder.call_start("c1", request=chat_request("where are the apricots"))
    await take(core, recorder)
    assert await found(core, "apricots") == ["run1"]
    recorder.call_end("c1", chat_response("under the table"))
    await take(core, recorder)
    assert await found(core, "the table") == await found(core, "apricots") == ["run1"]


async def test_a_subrun_counts_for_the_run_around_it_and_is_found_within(core: Core) -> None:
    recorder = Recorder("run1")
    recorder.start()
    recorder.event("subrun.start", subrun="inner", name="inner", subrun_of="run1", session="s", argv=[])
    recorder.call_start("c1", request=chat_request("apricots"), subrun="inner")
    recorder.call_end("c1", subrun="inner")
    recorder.end()
    await take(core, recorder)
    result = await runs(core, "apricots")
    assert [(run["id"], run["matches"][0]["run"]) for run in result["runs"]] == [("run1", "inner")]
    assert await found(core, "apricots", within="run1") == ["inner"]
    assert set(await found(core, "apricots", name="inner|agent")) == {"inner", "run1"}
    assert await found(core, "apricots", name="another") == []


async def test_the_newest_runs_are_shown_and_all_are_counted(core: Core) -> None:
    for number in range(5):
        await record(core, f"run{number}", ("apricots", "yes"))
    result = await runs(core, "apricots", limit=2)
    assert ([run["id"] for run in result["runs"]], result["total"]) == (["run4", "run3"], 5)


async def test_of_many_calls_the_first_are_shown_and_all_are_counted(core: Core) -> None:
    await record(core, "run1", *((f"apricots {number}", "yes") for number in range(50)))
    (run,) = (await runs(core, "apricots"))["runs"]
    assert ([match["number"] for match in run["matches"]], run["matching_calls"]) == (list(range(1, 21)), 50)


async def test_no_text_is_a_mistake(core: Core) -> None:
    for needle in ("", " \n"):
        with pytest.raises(CommandError, match="empty") as refused:
            await runs(core, needle)
        assert refused.value.code == "bad_params"


async def test_what_is_recorded_is_indexed_behind_it_before_anybody_searches(
    core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "_REST_S", 0.0)
    await record(core, "run1", ("apricots", "yes"))
    for _ in range(1000):
        if not await core.store.unindexed(1):
            break
        await asyncio.sleep(0.01)
    assert await core.store.find_texts("apricots")


async def test_what_is_deleted_is_found_no_more_and_what_others_say_still_is(core: Core) -> None:
    await record(core, "run1", ("apricots", "shared words"))
    await record(core, "run2", ("cherries", "shared words"))
    await record(core, "run3", ("plums", "more"), ("and", "yet more"))
    assert await found(core, "shared") == ["run2", "run1"]
    await execute(core, Caller(), "ao.rm", {"runs": ["run1"]})
    assert await found(core, "apricots") == []
    assert await found(core, "shared") == ["run2"]
    await execute(core, Caller(), "ao.rm", {"runs": ["run2"]})
    assert await found(core, "shared") == []
    assert await found(core, "plums") == ["run3"]
    assert isinstance(core.store, SqlStore)
    await execute(core, Caller(), "ao.rm", {"runs": ["run3"]})
    for table in ("texts", "text_runs", "said", "unindexed"):
        assert await asked(core.store, f"SELECT count(*) FROM {table}") == [(0,)], table


async def test_where_most_is_deleted_the_rest_is_indexed_anew(core: Core) -> None:
    for number in range(8):
        await record(core, f"run{number}", (f"apricots {number}", f"yes {number}"))
    assert len(await found(core, "apricots")) == 8
    await execute(core, Caller(), "ao.rm", {"runs": [f"run{number}" for number in range(1, 8)]})
    assert await found(core, "apricots") == ["run0"]
    assert await found(core, "apricots 5") == []


async def test_what_is_deleted_is_gone_from_the_file_and_its_space_too(tmp_path: Path) -> None:
    path = str(tmp_path / "ao.db")
    store = await open_store(path)
    kept = " ".join(f"word{number}" for number in range(2000))
    await store.record(arrivals("kept", [started("a"), *called("c1", kept), ended()]))
    core = search.Search(store, Changes())
    await core.find("word1")
    before = await store.size()
    rare = "".join(map(chr, range(0x10000, 0x10000 + 20_000)))  # of letters that nobody else has
    await store.record(arrivals("run1", [started("b"), *called("c1", rare), ended()]))
    found, _ = await core.find(rare[500:510])
    assert len(found) == 1
    before_it, of = letters_in(path + "-wal", rare), len(rare[::7])
    assert before_it > of // 2
    full = await store.size()
    await store.delete_runs(["run1"])
    await store.close()
    left = letters_in(path, rare)
    assert left == 0
    assert os.path.getsize(path) < before + (full - before) // 10


def letters_in(path: str, text: str) -> int:
    """How many of every seventh letter of `text` are in a file."""
    data = Path(path).read_bytes()
    return sum(letter.encode() in data for letter in text[::7])


async def test_the_calls_of_an_older_database_are_indexed(tmp_path: Path) -> None:
    from ao_lsp.server.store.schema import MIGRATIONS

    path = str(tmp_path / "ao.db")
    store = await open_store(path)
    await store.record(arrivals("run1", [started(), *called("c1", "apricots"), ended()]))
    await store.close()
    db = sqlite3.connect(path)
    searched = next(n for n, some in enumerate(MIGRATIONS) if "CREATE TABLE texts" in some[0])
    later = "\n".join(one for some in MIGRATIONS[searched:] for one in some)
    for table in (*re.findall(r"^CREATE TABLE (\w+)", later, re.MULTILINE), "search"):
        db.execute(f"DROP TABLE {table}")
    db.execute(f"PRAGMA user_version = {searched}")
    db.close()
    store = await open_store(path)
    assert [call.call for call in await store.unindexed(9)] == ["c1"]
    await store.close()


async def test_without_an_index_every_text_is_looked_through(
    core: Core, monkeypatch: pytest.MonkeyPatch, database: str
) -> None:
    assert isinstance(core.store, SqlStore)
    if database.startswith("postgresql:"):
        async with core.store._driver.write() as db:
            await db.execute("DROP INDEX search_by_gram")
    else:
        monkeypatch.setattr(core.store._driver, "_indexed", False)
    await record(core, "run1", ("apricots", "yes"))
    assert await found(core, "ricot") == ["run1"]
    await execute(core, Caller(), "ao.rm", {"runs": ["run1"]})
    assert await found(core, "ricot") == []


# -- pure


def test_numbers_are_written_in_few_letters_and_read_again() -> None:
    for numbers, text in (([], ""), ([3, 1, 2, 2], "1-3"), ([5, 7, 8, 9, 20], "5 7-9 20")):
        assert texts.ranges_text(numbers) == text
        assert [n for some in texts.ranges_of(text) for n in some] == sorted(set(numbers))


def test_a_snippet_is_one_line_with_what_stands_around() -> None:
    found = snippet("output", "x" * 50 + "\n\n  the   needle\n" + "y" * 100, "NEEDLE")
    assert found.text == "…" + "x" * 20 + " the needle " + "y" * 59 + "…"
    assert found.text[found.start : found.end] == "needle"


def test_a_place_behind_letters_that_fold_to_several_is_the_right_one() -> None:
    assert texts.position("ßßß needle", "needle") == (4, 10)
    assert texts.position("Straße", "strasse") == (0, 6)


def test_a_call_that_makes_no_sense_says_nothing() -> None:
    from ao_lsp.server.model import Exchange

    exchange = Exchange((), b"\xff{", (), b"\x00", ())
    assert said_by("/v1/chat/completions", "http://h", exchange) == ((), ())
