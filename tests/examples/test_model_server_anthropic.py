"""The example model server as the `anthropic` package sees it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from anthropic import (
    Anthropic,
    APIConnectionError,
    APIStatusError,
    AsyncAnthropic,
    BadRequestError,
    InternalServerError,
    NotFoundError,
    RateLimitError,
)
from anthropic.types import Message, MessageParam, ToolParam
from model_server import ModelServer

MODEL = "claude-haiku-4-5"
QUESTION = "What do critics say about night trains?"
ASKED: list[MessageParam] = [{"role": "user", "content": QUESTION}]
WEATHER: ToolParam = {
    "name": "get_weather",
    "description": "The weather in a city.",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


@pytest.fixture
def client(model_server: ModelServer) -> Iterator[Anthropic]:
    with Anthropic(base_url=model_server.url, api_key="any", max_retries=0) as client:
        yield client


def text(message: Message) -> str:
    return "".join(block.text for block in message.content if block.type == "text")


def test_a_message_answers_the_question_and_counts_tokens(client: Anthropic) -> None:
    message = client.messages.create(model=MODEL, max_tokens=200, messages=ASKED)
    assert "night trains" in text(message)
    assert message.stop_reason == "end_turn"
    assert message.usage.output_tokens > 0
    counted = client.messages.count_tokens(model=MODEL, messages=ASKED)
    assert counted.input_tokens == message.usage.input_tokens


def test_a_stream_adds_up_to_the_whole_message(client: Anthropic) -> None:
    whole = client.messages.create(model=MODEL, max_tokens=200, messages=ASKED)
    with client.messages.stream(model=MODEL, max_tokens=200, messages=ASKED) as stream:
        pieces = list(stream.text_stream)
        streamed = stream.get_final_message()
    assert len(pieces) > 20
    assert "".join(pieces) == text(whole)
    assert (streamed.id, streamed.stop_reason, streamed.usage) == (whole.id, whole.stop_reason, whole.usage)


def test_the_system_prompt_and_the_history_change_the_answer(client: Anthropic) -> None:
    asked = "Suggest a quiet evening walk."
    plain = client.messages.create(model=MODEL, max_tokens=200, messages=[{"role": "user", "content": asked}])
    guided = client.messages.create(
        model=MODEL, max_tokens=200, system="You help.", messages=[{"role": "user", "content": asked}]
    )
    later = client.messages.create(
        model=MODEL,
        max_tokens=200,
        messages=[
            {"role": "user", "content": "I like old ferries very much."},
            {"role": "assistant", "content": "So do I."},
            {"role": "user", "content": [{"type": "text", "text": asked}]},
        ],
    )
    assert text(plain) != text(guided)
    assert "old ferries" in text(later)


def test_a_message_ends_at_the_token_limit_and_at_a_stop_sequence(client: Anthropic) -> None:
    short = client.messages.create(model=MODEL, max_tokens=5, messages=ASKED)
    assert short.stop_reason == "max_tokens"
    assert short.usage.output_tokens == 5
    stopped = client.messages.create(model=MODEL, max_tokens=200, messages=ASKED, stop_sequences=["!", "."])
    assert (stopped.stop_reason, stopped.stop_sequence) == ("stop_sequence", ".")
    assert "." not in text(stopped)


def test_tools_are_called_and_their_results_quoted(client: Anthropic) -> None:
    messages: list[MessageParam] = [{"role": "user", "content": "What is the weather in Rome and in Oslo?"}]
    reply = client.messages.create(model=MODEL, max_tokens=200, messages=messages, tools=[WEATHER])
    assert reply.stop_reason == "tool_use"
    uses = [block for block in reply.content if block.type == "tool_use"]
    assert [use.input for use in uses] == [{"city": "Rome"}, {"city": "Oslo"}]
    with client.messages.stream(model=MODEL, max_tokens=200, messages=messages, tools=[WEATHER]) as stream:
        streamed = [block for block in stream.get_final_message().content if block.type == "tool_use"]
    assert [(use.id, use.input) for use in streamed] == [(use.id, use.input) for use in uses]
    messages += [
        {"role": "assistant", "content": reply.content},
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": use.id, "content": f"fog number {n}"}
                for n, use in enumerate(uses)
            ],
        },
    ]
    final = client.messages.create(model=MODEL, max_tokens=200, messages=messages, tools=[WEATHER])
    assert text(final).startswith("get_weather says fog number 0; get_weather says fog number 1.")


def test_thoughts_stand_before_the_answer_and_an_earlier_request_comes_from_the_cache(client: Anthropic) -> None:
    with client.messages.stream(
        model=MODEL, max_tokens=2000, messages=ASKED, thinking={"type": "enabled", "budget_tokens": 1024}
    ) as stream:
        message = stream.get_final_message()
    assert [block.type for block in message.content] == ["thinking", "text"]
    assert message.usage.output_tokens_details is not None
    assert message.usage.output_tokens > message.usage.output_tokens_details.thinking_tokens > 0
    history: list[MessageParam] = [*ASKED, {"role": "assistant", "content": text(message)}, *ASKED]
    usage = client.messages.create(model=MODEL, max_tokens=200, messages=history).usage
    assert usage.cache_read_input_tokens == message.usage.input_tokens
    assert client.messages.count_tokens(model=MODEL, messages=history).input_tokens == (
        usage.input_tokens + message.usage.input_tokens
    )


def test_one_tool_at_a_time_can_be_asked_for(client: Anthropic) -> None:
    reply = client.messages.create(
        model=MODEL,
        max_tokens=200,
        messages=[{"role": "user", "content": "What is the weather in Rome and in Oslo?"}],
        tools=[WEATHER],
        tool_choice={"type": "any", "disable_parallel_tool_use": True},
    )
    assert len([block for block in reply.content if block.type == "tool_use"]) == 1


def test_the_models_are_listed(client: Anthropic) -> None:
    assert MODEL in [model.id for model in client.models.list()]
    assert client.models.retrieve("any-model").id == "any-model"


def test_errors_come_in_the_shape_of_the_api(client: Anthropic) -> None:
    with pytest.raises(BadRequestError, match="max_tokens: Field required") as missing:
        client.post("/v1/messages", body={"model": MODEL, "messages": ASKED}, cast_to=object)
    assert isinstance(missing.value.body, dict)
    assert missing.value.body["error"]["type"] == "invalid_request_error"
    assert missing.value.request_id is not None
    with pytest.raises(BadRequestError, match=r"messages\.0\.role"):
        client.post("/v1/messages", body={"model": MODEL, "max_tokens": 1, "messages": [{}]}, cast_to=object)
    with pytest.raises(NotFoundError, match="not_found_error"):
        client.post("/v1/nonsense", body={}, cast_to=object)


def test_what_agents_tell_of_the_day_and_the_machine_changes_no_answer(client: Anthropic) -> None:
    def answered(*messages: object) -> str:
        body = {"model": MODEL, "max_tokens": 200, "messages": messages}
        return text(client.post("/v1/messages?beta=true", body=body, cast_to=Message))

    told = {"type": "text", "text": "<system-reminder>\nToday is Monday.\n</system-reminder>"}
    beside = {"role": "user", "content": [told, {"type": "text", "text": QUESTION}]}
    assert answered(*ASKED) == answered(beside) == answered(*ASKED, {"role": "system", "content": [told]})
    assert answered(*ASKED) != answered(*ASKED, {"role": "system", "content": "You are a strict editor."})


def test_a_model_name_asks_for_a_failure(client: Anthropic) -> None:
    with pytest.raises(InternalServerError, match="overloaded_error"):
        client.messages.create(model="fail-529", max_tokens=9, messages=ASKED)
    with pytest.raises(APIConnectionError):
        client.messages.create(model="fail-drop", max_tokens=9, messages=ASKED)
    with client.messages.create(model="fail-event", max_tokens=99, messages=ASKED, stream=True) as stream:
        first = next(stream)
        with pytest.raises(APIStatusError, match="overloaded_error"):
            list(stream)
    assert first.type == "message_start"


def test_a_rate_limited_request_succeeds_when_it_is_sent_again(client: Anthropic, model_server: ModelServer) -> None:
    with pytest.raises(RateLimitError):
        client.messages.create(model="rate-limit-then-ok", max_tokens=99, messages=ASKED)
    message = client.messages.create(model="rate-limit-then-ok", max_tokens=99, messages=ASKED)
    assert "night trains" in text(message)
    patient = client.with_options(max_retries=1)
    assert text(patient.messages.create(model="rate-limit-then-ok", max_tokens=99, messages=ASKED)) == text(message)
    assert [entry["status"] for entry in model_server.requests] == [429, 200, 429, 200]


async def test_fifty_parallel_streams_get_the_answers_that_they_get_alone(model_server: ModelServer) -> None:
    questions = [f"What do critics say about train number {n}?" for n in range(50)]

    async with AsyncAnthropic(base_url=model_server.url, api_key="any", max_retries=0) as client:

        async def whole(question: str) -> str:
            turn: MessageParam = {"role": "user", "content": question}
            return text(await client.messages.create(model=MODEL, max_tokens=200, messages=[turn]))

        async def streamed(question: str) -> str:
            turn: MessageParam = {"role": "user", "content": question}
            async with client.messages.stream(model=MODEL, max_tokens=200, messages=[turn]) as stream:
                return await stream.get_final_text()

        alone = [await whole(question) for question in questions]
        assert await asyncio.gather(*map(streamed, questions)) == alone
