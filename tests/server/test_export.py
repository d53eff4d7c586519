"""Runs handed to other tools: as a document, as a trace, as a page."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import AsyncIterator
from html.parser import HTMLParser
from typing import Any

import pytest
from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.semconv._incubating.attributes import gen_ai_attributes

from ao_lsp import protocol
from ao_lsp.server.command import Caller
from ao_lsp.server.commands import execute
from ao_lsp.server.core import Core, open_core
from ao_lsp.server.export import otlp, page
from ao_lsp.server.ingest import Stream
from ao_lsp.server.views import Json
from tests.recorder import SITE, Recorder, chat_request, chat_response

pytestmark = pytest.mark.usefixtures("home")

HOSTILE = (
    "</script></pre><script>alert(1)</script><img src=x onerror=alert(2)>\"'&amp; <!-- ]]> \u202e\x1b[31m\x00\ud800"
)


@pytest.fixture
async def core(home: str) -> AsyncIterator[Core]:  # noqa: ARG001 - the core lives there
    opened = await open_core()
    yield opened
    await opened.close()


async def take(core: Core, recorder: Recorder) -> None:
    await core.ingest.take(Stream(recorder.run, recorder.stream, None), protocol.Frames(), b"".join(recorder.sent))


async def recorded(core: Core, said: str = "output of c1", **start: Any) -> None:
    """Three calls: live, one that it reached and that failed, and an edited one that was matched by text."""
    recorder = Recorder()
    recorder.start(env={"OPENAI_API_KEY": "sk-planted"}, **start)
    recorder.call_start("c1", request=chat_request(said, temperature=0.5, max_tokens=99), at=1700000000.25)
    usage = {"prompt_tokens": 1000, "completion_tokens": 10, "prompt_tokens_details": {"cached_tokens": 400}}
    recorder.call_end("c1", chat_response(said, usage=usage))
    recorder.call_start("c2", ("c1",))
    failed = json.dumps({"error": {"message": "too many requests"}}).encode()
    recorder.call_end("c2", failed, status="error", http_status=429, headers=[["set-cookie", "secret-planted"]])
    recorder.call_start("c3", ({"call": "c1", "evidence": "matched", "path": []},), origin="edited")
    recorder.call_end("c3")
    recorder.event("run.note", level="warning", message="one thing could not be recorded")
    recorder.end()
    await take(core, recorder)
    await execute(core, Caller(), "ao.edit", {"call": "1", "content": "another"})


async def export(core: Core, form: str) -> str:
    found = await execute(core, Caller(), "ao.export", {"run": "run1", "format": form})
    assert (found["run"], found["format"]) == ("run1", form)
    text: str = found["text"]
    return text


# -- the document


async def test_a_document_has_everything_of_a_run(core: Core) -> None:
    await recorded(core)
    found = json.loads(await export(core, "json"))
    assert list(found) == ["ao_export", "generator", "run", "calls", "edges", "outside", "notes"]
    assert found["ao_export"] == 1
    assert (found["run"]["id"], found["run"]["unknown_costs"]) == ("run1", 1)
    first, second, _ = found["calls"]
    assert first["messages"] == [{"role": "user", "text": "output of c1", "tool_calls": []}]
    assert first["output"]["text"] == "output of c1"
    assert first["cost_usd"] > 0
    assert [edit["content"] for edit in first["edits"]] == ["another"]
    assert second["error"]["message"] == "too many requests"
    assert [(edge["source"], edge["target"], edge["evidence"]) for edge in found["edges"]] == [
        ("c1", "c2", "tracked"),
        ("c1", "c3", "matched"),
    ]
    assert found["notes"][0]["message"] == "one thing could not be recorded"


@pytest.mark.parametrize("form", ["json", "html", "otlp"])
async def test_no_secret_is_in_an_export(core: Core, form: str) -> None:
    await recorded(core)
    text = await export(core, form)
    for secret in ("Bearer secret", "sk-planted", "secret-planted"):
        assert secret not in text


@pytest.mark.parametrize("form", ["json", "html", "otlp"])
async def test_a_run_without_calls_can_be_exported(core: Core, form: str) -> None:
    recorder = Recorder()
    recorder.start()
    await take(core, recorder)
    assert "agent.py" in await export(core, form)


# -- the trace


def parsed(text: str) -> ExportTraceServiceRequest:
    """By the definitions of OTLP. Its JSON has ids in hex, where protobuf's own has base64."""

    def with_base64(value: Any) -> Any:
        if isinstance(value, list):
            return [with_base64(item) for item in value]
        if not isinstance(value, dict):
            return value
        return {
            key: base64.b64encode(bytes.fromhex(item)).decode()
            if key.lower().endswith("spanid") or key == "traceId"
            else with_base64(item)
            for key, item in value.items()
        }

    request = ExportTraceServiceRequest()
    json_format.ParseDict(with_base64(json.loads(text)), request)
    return request


def attributes(span: Any) -> Json:
    found: Json = {}
    for attribute in span.attributes:
        kind = attribute.value.WhichOneof("value")
        value = getattr(attribute.value, kind)
        found[attribute.key] = [item.string_value for item in value.values] if kind == "array_value" else value
    return found


async def test_a_run_is_a_trace_with_a_span_for_each_call(core: Core) -> None:
    await recorded(core)
    (resource,) = parsed(await export(core, "otlp")).resource_spans
    root, *spans = resource.scope_spans[0].spans
    assert attributes(resource.resource)["service.name"] == "agent.py"
    assert (root.name, root.parent_span_id) == ("invoke_workflow agent.py", b"")
    assert [span.name for span in spans] == ["chat gpt-5"] * 3
    assert {span.parent_span_id for span in spans} == {root.span_id}
    assert {span.trace_id.hex() for span in (root, *spans)} == {otlp.trace_id("run1")}
    assert [span.span_id.hex() for span in spans] == [otlp.span_id("run1", call) for call in ("c1", "c2", "c3")]
    assert all(root.start_time_unix_nano <= span.start_time_unix_nano or span is spans[0] for span in spans)
    assert all(span.end_time_unix_nano <= root.end_time_unix_nano for span in spans)


async def test_a_span_says_what_the_conventions_have_names_for(core: Core) -> None:
    await recorded(core)
    _, first, second, third = parsed(await export(core, "otlp")).resource_spans[0].scope_spans[0].spans
    found = attributes(first)
    wanted = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-5",
        "gen_ai.response.model": "gpt-5",
        "gen_ai.request.temperature": 0.5,
        "gen_ai.request.max_tokens": 99,
        "gen_ai.response.id": "chatcmpl-1",
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.usage.input_tokens": 1000,
        "gen_ai.usage.cache_read.input_tokens": 400,
        "gen_ai.usage.output_tokens": 10,
        "server.address": "api.openai.com",
        "server.port": 443,
        "code.file.path": SITE["file"],
        "code.line.number": 12,
        "ao.call.origin": "live",
    }
    assert {name: found.get(name) for name in wanted} == wanted
    assert json.loads(found["gen_ai.output.messages"]) == [
        {"role": "assistant", "parts": [{"type": "text", "content": "output of c1"}], "finish_reason": "stop"}
    ]
    assert (first.start_time_unix_nano, first.end_time_unix_nano) == (1700000000250000000, 1700000000500000000)
    assert (second.status.code, second.status.message) == (2, "too many requests")
    assert attributes(second)["error.type"] == "429"
    assert "ao.cost_usd" not in attributes(second)
    assert attributes(third)["ao.cost_usd"] == 0
    known = {value for name, value in vars(gen_ai_attributes).items() if name.startswith("GEN_AI_")}
    assert {name for span in (first, second, third) for name in attributes(span) if name.startswith("gen_ai.")} <= known


async def test_each_edge_is_a_link_with_its_evidence(core: Core) -> None:
    await recorded(core)
    _, first, second, third = parsed(await export(core, "otlp")).resource_spans[0].scope_spans[0].spans
    assert list(first.links) == []
    for span, evidence, path in ((second, "tracked", ["/project/agent.py:11"]), (third, "matched", [])):
        (link,) = span.links
        assert (link.trace_id, link.span_id) == (first.trace_id, first.span_id)
        assert attributes(link) == {"ao.edge.evidence": evidence, "ao.edge.path": path}


async def test_ids_and_times_are_as_otlp_writes_them_in_json(core: Core) -> None:
    await recorded(core)
    span = json.loads(await export(core, "otlp"))["resourceSpans"][0]["scopeSpans"][0]["spans"][1]
    assert re.fullmatch("[0-9a-f]{32}", span["traceId"])
    assert re.fullmatch("[0-9a-f]{16}", span["spanId"])
    assert span["startTimeUnixNano"] == "1700000000250000000"
    assert span["kind"] == 3


# -- the page


class Parsed(HTMLParser):
    """What a browser would make of it: elements with their attributes, and texts by the element they are in."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self._open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag != "meta":
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        self.texts.append((self._open[-1] if self._open else "", data))

    def within(self, tag: str) -> list[str]:
        return [text for name, text in self.texts if name == tag]


async def test_a_page_shows_the_graph_and_every_call(core: Core) -> None:
    await recorded(core)
    read = Parsed(await export(core, "html"))
    assert [made["id"] for tag, made in read.elements if tag == "article"] == ["call-1", "call-2", "call-3"]
    assert [made["id"] for tag, made in read.elements if made.get("class") == "call"] == ["box-1", "box-2", "box-3"]
    assert sum("edge" in (made.get("class") or "") and tag == "path" for tag, made in read.elements) >= 2
    assert any("matched" in (made.get("class") or "") for tag, made in read.elements if tag == "path")
    said = "".join(read.within("pre"))
    for text in ("output of c1", "another", "too many requests"):
        assert text in said
    assert "one thing could not be recorded" in read.within("p")
    assert any("/project/agent.py:12" in text for text in read.within("p"))


async def test_what_was_said_stays_text(core: Core) -> None:
    await recorded(core, HOSTILE, name=HOSTILE)
    text = await export(core, "html")
    read = Parsed(text)
    assert [tag for tag, _ in read.elements if tag in ("script", "img")] == ["script"]
    assert not [made for _, made in read.elements if any(name.startswith("on") for name in made)]
    assert any(shown.strip().startswith("</script></pre><script>alert(1)") for shown in read.within("pre"))
    assert not re.search("[\x00\x1b\u202e]", text)


async def test_a_page_fetches_nothing_and_runs_only_its_own_script(core: Core) -> None:
    await recorded(core)
    read = Parsed(await export(core, "html"))
    (policy,) = [made["content"] or "" for _, made in read.elements if made.get("http-equiv")]
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert (rules["default-src"], rules["base-uri"], rules["form-action"]) == ("'none'",) * 3
    for tag, rule in (("script", "script-src"), ("style", "style-src")):
        hashes = {
            f"'sha256-{base64.b64encode(hashlib.sha256(t.encode()).digest()).decode()}'" for t in read.within(tag)
        }
        assert hashes == set(rules[rule].split())
    links = [
        made[name] or "" for _, made in read.elements for name in ("src", "href", "action", "style") if name in made
    ]
    assert all(link.startswith("#") for link in links)
    assert "url(" not in "".join(read.within("style"))
    assert not re.search(r"fetch|XMLHttp|import|innerHTML", "".join(read.within("script")))


async def test_a_page_of_many_calls_is_still_one(core: Core) -> None:
    recorder = Recorder()
    recorder.start()
    for number in range(500):
        recorder.call(f"c{number}", (f"c{number - 1}",) if number else ())
    await take(core, recorder)
    assert len(re.findall("<article ", await export(core, "html"))) == 500


async def test_in_a_long_conversation_each_message_is_shown_a_few_times_and_not_in_every_call(core: Core) -> None:
    recorder = Recorder()
    recorder.start()
    messages: list[dict[str, str]] = []
    for number in range(60):
        messages.append({"role": "user", "content": f"question {number} of many"})
        request = json.dumps({"model": "gpt-5", "messages": messages}).encode()
        sources = [f"c{source}" for source in range(59)] if number == 59 else []
        recorder.call(f"c{number}", sources, request=request, response=chat_response(f"answer {number} of many"))
        messages.append({"role": "assistant", "content": f"answer {number} of many"})
    await take(core, recorder)
    text = await export(core, "html")
    last = text[text.index('<article id="call-60"') :]
    # It goes on from call 59, which had all but its last two messages.
    assert 'the first 107 messages are those of <a href="#call-59">call 59</a>' in last
    assert "question 59 of many" in last
    assert "question 53 of many" not in last
    for number in range(60):
        assert 1 <= text.count(f"question {number} of many</pre>") <= 8, number
    # Nor are all of its edges listed.
    assert "39 more before these" in last


async def test_of_what_is_too_long_for_a_page_it_shows_the_beginning_and_says_where_the_rest_is(
    core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page, "_LEAST", 1000)
    monkeypatch.setattr(page, "_MOST", 1000)
    recorder = Recorder()
    recorder.start()
    for number in range(20):
        recorder.call(f"c{number}", request=chat_request("<ask> " * 5_000), response=chat_response("<tell> " * 50))
    await take(core, recorder)
    text = await export(core, "html")
    assert len(text) < 20 * 3_000 + 60_000
    # The output has the first claim to the room that there is.
    assert text.count("&lt;tell&gt; " * 49) == 20
    assert text.count("&lt;ask&gt; " * 20) == 20
    assert len(re.findall(r"… 29,[0-9]{3} more characters: ao call run1 \d+<", text)) == 20


async def test_calls_of_which_nothing_is_recorded_are_on_the_page_too(core: Core) -> None:
    await recorded(core)
    found = await core.matching.graph("run1")
    assert found is not None
    exchanges = await core.store.exchanges(found.calls[1:2])
    made = page.Page(found, (), ())
    made.add([(found.calls[1], exchanges["c2"])])
    assert re.findall('<article id="(call-.)"', made.whole()) == ["call-1", "call-2", "call-3"]
