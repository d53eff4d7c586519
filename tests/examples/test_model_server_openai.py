"""The example model server as the `openai` package sees it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator

import pytest
from model_server import ModelServer
from openai import (
    APIConnectionError,
    APIError,
    AsyncOpenAI,
    AuthenticationError,
    BadRequestError,
    InternalServerError,
    NotFoundError,
    OpenAI,
    RateLimitError,
)
from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam
from openai.types.responses import FunctionToolParam
from pydantic import BaseModel

MODEL = "gpt-5.4"
QUESTION = "What do critics say about night trains?"
ASKED: list[ChatCompletionMessageParam] = [{"role": "user", "content": QUESTION}]
WEATHER: ChatCompletionToolParam = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
WEATHER_FUNCTION: FunctionToolParam = {
    "type": "function",
    "name": "get_weather",
    "description": "The weather in a city.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    "strict": False,
}


class Verdict(BaseModel):
    summary: str
    points: list[str]
    score: int


@pytest.fixture
def client(model_server: ModelServer) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{model_server.url}/v1", api_key="any", max_retries=0) as client:
        yield client


def test_a_chat_answers_about_the_question_and_counts_tokens(client: OpenAI) -> None:
    reply = client.chat.completions.create(model=MODEL, messages=ASKED)
    assert "night trains" in (reply.choices[0].message.content or "")
    assert reply.choices[0].finish_reason == "stop"
    assert reply.model == MODEL
    assert reply.usage is not None
    assert reply.usage.prompt_tokens > 0
    assert reply.usage.total_tokens == reply.usage.prompt_tokens + reply.usage.completion_tokens


def test_a_longer_prompt_costs_more_tokens(client: OpenAI) -> None:
    longer: list[ChatCompletionMessageParam] = [{"role": "system", "content": "You are brief."}, *ASKED]
    short = client.chat.completions.create(model=MODEL, messages=ASKED).usage
    long = client.chat.completions.create(model=MODEL, messages=longer).usage
    assert short is not None
    assert long is not None
    assert long.prompt_tokens > short.prompt_tokens


def test_a_chat_stream_adds_up_to_the_whole_answer(client: OpenAI) -> None:
    whole = client.chat.completions.create(model=MODEL, messages=ASKED)
    with client.chat.completions.stream(model=MODEL, messages=ASKED, stream_options={"include_usage": True}) as stream:
        events = list(stream)
        streamed = stream.get_final_completion()
    assert len(events) > 20
    assert streamed.id == whole.id
    assert streamed.usage == whole.usage
    assert streamed.choices[0].finish_reason == "stop"
    assert streamed.choices[0].message.content == whole.choices[0].message.content


def test_several_choices_are_different_answers(client: OpenAI) -> None:
    reply = client.chat.completions.create(model=MODEL, messages=ASKED, n=3)
    assert len({choice.message.content for choice in reply.choices}) == 3
    stream = client.chat.completions.create(model=MODEL, messages=ASKED, n=3, stream=True)
    texts = ["", "", ""]
    for chunk in stream:
        texts[chunk.choices[0].index] += chunk.choices[0].delta.content or ""
    assert texts == [choice.message.content for choice in reply.choices]


def test_an_answer_ends_at_the_token_limit_and_at_a_stop_sequence(client: OpenAI) -> None:
    whole = client.chat.completions.create(model=MODEL, messages=ASKED).choices[0].message.content or ""
    short = client.chat.completions.create(model=MODEL, messages=ASKED, max_completion_tokens=5)
    assert short.choices[0].finish_reason == "length"
    assert short.usage is not None
    assert short.usage.completion_tokens == 5
    assert whole.startswith(short.choices[0].message.content or "?")
    stopped = client.chat.completions.create(model=MODEL, messages=ASKED, stop=["."])
    assert stopped.choices[0].finish_reason == "stop"
    assert stopped.choices[0].message.content == whole.partition(".")[0]


def test_a_tool_call_and_its_result_make_a_conversation(client: OpenAI) -> None:
    messages: list[ChatCompletionMessageParam] = [{"role": "user", "content": "What is the weather in Lisbon?"}]
    reply = client.chat.completions.create(model=MODEL, messages=messages, tools=[WEATHER])
    assert reply.choices[0].finish_reason == "tool_calls"
    [call] = reply.choices[0].message.tool_calls or []
    assert call.type == "function"
    assert json.loads(call.function.arguments) == {"city": "Lisbon"}
    messages += [
        {
            "role": "assistant",
            "tool_calls": [
                {
                    "id": call.id,
                    "type": "function",
                    "function": {"name": call.function.name, "arguments": call.function.arguments},
                }
            ],
        },
        {"role": "tool", "tool_call_id": call.id, "content": "17 degrees and fog"},
    ]
    final = client.chat.completions.create(model=MODEL, messages=messages, tools=[WEATHER])
    assert "get_weather says 17 degrees and fog" in (final.choices[0].message.content or "")


def test_streamed_tool_calls_add_up_to_the_whole_ones(client: OpenAI) -> None:
    asked: list[ChatCompletionMessageParam] = [{"role": "user", "content": "The weather in Rome and Oslo?"}]
    whole = client.chat.completions.create(model=MODEL, messages=asked, tools=[WEATHER])
    with client.chat.completions.stream(model=MODEL, messages=asked, tools=[WEATHER]) as stream:
        streamed = stream.get_final_completion()

    def made(calls: object) -> list[tuple[str, str, str]]:
        assert isinstance(calls, list)
        return [(call.id, call.function.name, call.function.arguments) for call in calls]

    assert len(made(whole.choices[0].message.tool_calls)) == 2
    assert made(streamed.choices[0].message.tool_calls) == made(whole.choices[0].message.tool_calls)


def test_a_structured_answer_parses_into_its_model(client: OpenAI) -> None:
    reply = client.chat.completions.parse(model=MODEL, messages=ASKED, response_format=Verdict)
    verdict = reply.choices[0].message.parsed
    assert verdict is not None
    assert "night trains" in verdict.summary


def test_a_json_object_is_an_object_that_holds_the_answer(client: OpenAI) -> None:
    reply = client.chat.completions.create(model=MODEL, messages=ASKED, response_format={"type": "json_object"})
    assert "night trains" in json.loads(reply.choices[0].message.content or "")["answer"]


def test_a_response_says_what_the_chat_says(client: OpenAI) -> None:
    chat = client.chat.completions.create(model=MODEL, messages=ASKED)
    reply = client.responses.create(model=MODEL, input=QUESTION)
    assert reply.output_text == chat.choices[0].message.content
    assert reply.status == "completed"
    assert reply.usage is not None
    assert reply.usage.total_tokens == reply.usage.input_tokens + reply.usage.output_tokens


def test_a_stream_of_a_response_adds_up_to_the_whole(client: OpenAI) -> None:
    whole = client.responses.create(model=MODEL, input=QUESTION)
    with client.responses.stream(model=MODEL, input=QUESTION) as stream:
        deltas = [event.delta for event in stream if event.type == "response.output_text.delta"]
        streamed = stream.get_final_response()
    assert "".join(deltas) == whole.output_text == streamed.output_text
    assert (streamed.id, streamed.usage) == (whole.id, whole.usage)


def test_thoughts_are_counted_in_both_apis_and_a_summary_shown_where_it_is_asked_for(
    client: OpenAI, model_server: ModelServer
) -> None:
    chat = client.chat.completions.create(model=MODEL, messages=ASKED, reasoning_effort="low")
    assert chat.usage is not None
    assert chat.usage.completion_tokens_details is not None
    with client.responses.stream(model=MODEL, input=QUESTION, reasoning={"effort": "low", "summary": "auto"}) as stream:
        events = list(stream)
        response = stream.get_final_response()
    assert response.usage is not None
    thought = response.usage.output_tokens_details.reasoning_tokens
    assert thought > 0
    assert thought == chat.usage.completion_tokens_details.reasoning_tokens
    shown = "".join(event.delta for event in events if event.type == "response.reasoning_summary_text.delta")
    assert [entry["said"]["reasoning"] for entry in model_server.requests] == ["", shown]
    assert "night trains" in shown
    assert response.output_text == chat.choices[0].message.content


def test_a_response_can_be_cut_and_says_so(client: OpenAI) -> None:
    reply = client.responses.create(model=MODEL, input=QUESTION, max_output_tokens=4)
    assert reply.status == "incomplete"
    assert reply.incomplete_details is not None
    assert reply.incomplete_details.reason == "max_output_tokens"
    last = list(client.responses.create(model=MODEL, input=QUESTION, max_output_tokens=4, stream=True))[-1]
    assert last.type == "response.incomplete"


def test_a_response_calls_a_tool_and_goes_on_from_its_id(client: OpenAI) -> None:
    asked = "What is the weather in Lisbon?"
    first = client.responses.create(model=MODEL, input=asked, tools=[WEATHER_FUNCTION])
    [call] = first.output
    assert call.type == "function_call"
    assert json.loads(call.arguments) == {"city": "Lisbon"}
    with client.responses.stream(model=MODEL, input=asked, tools=[WEATHER_FUNCTION]) as stream:
        [streamed] = stream.get_final_response().output
    assert streamed.type == "function_call"
    assert (streamed.call_id, streamed.arguments) == (call.call_id, call.arguments)
    final = client.responses.create(
        model=MODEL,
        previous_response_id=first.id,
        input=[{"type": "function_call_output", "call_id": call.call_id, "output": "fog"}],
        tools=[WEATHER_FUNCTION],
    )
    assert "says fog" in final.output_text


def test_a_response_remembers_the_turns_before_it(client: OpenAI) -> None:
    first = client.responses.create(model=MODEL, input="I like old ferries very much.")
    second = client.responses.create(model=MODEL, previous_response_id=first.id, input="Suggest a quiet evening walk.")
    assert "old ferries" in second.output_text
    with pytest.raises(BadRequestError, match="not found"):
        client.responses.create(model=MODEL, previous_response_id="resp_unknown", input="Go on.")


def test_a_structured_response_parses_into_its_model(client: OpenAI) -> None:
    verdict = client.responses.parse(model=MODEL, input=QUESTION, text_format=Verdict).output_parsed
    assert verdict is not None
    assert "night trains" in verdict.summary


def test_embeddings_of_texts_that_share_words_are_near_each_other(client: OpenAI) -> None:
    texts = ["night trains to Vienna", "night trains to Rome", "growing tomatoes"]
    reply = client.embeddings.create(model="text-embedding-3-small", input=texts, dimensions=64)
    one, near, far = (item.embedding for item in reply.data)

    def similarity(a: list[float], b: list[float]) -> float:
        return sum(x * y for x, y in zip(a, b, strict=True))

    assert len(one) == 64
    assert similarity(one, one) == pytest.approx(1, abs=1e-5)
    assert similarity(one, near) > 0.5 > abs(similarity(one, far))
    assert reply.usage.total_tokens > 0


def test_embeddings_are_the_same_numbers_packed_and_plain(client: OpenAI) -> None:
    [packed] = client.embeddings.create(model="m", input="night trains").data
    [plain] = client.embeddings.create(model="m", input="night trains", encoding_format="float").data
    assert packed.embedding == pytest.approx(plain.embedding, abs=1e-6)
    assert len(client.embeddings.create(model="m", input=[[1, 2], [3]]).data) == 2


def test_the_models_are_listed(client: OpenAI) -> None:
    assert MODEL in [model.id for model in client.models.list()]
    assert client.models.retrieve("any-model").id == "any-model"


def test_errors_come_in_the_shape_of_the_api(client: OpenAI) -> None:
    with pytest.raises(BadRequestError) as missing:
        client.post("/chat/completions", body={"model": MODEL}, cast_to=object)
    assert missing.value.param == "messages"
    assert missing.value.code == "missing_required_parameter"
    assert missing.value.type == "invalid_request_error"
    with pytest.raises(BadRequestError, match=r"messages\[0\]\.role|Invalid value"):
        client.post("/chat/completions", body={"model": MODEL, "messages": [{"role": "king"}]}, cast_to=object)
    with pytest.raises(BadRequestError, match="wrong shape"):
        client.post("/responses", body={"model": MODEL, "input": "x", "tools": [{"type": "function"}]}, cast_to=object)
    with pytest.raises(NotFoundError, match="Invalid URL"):
        client.post("/nonsense", body={}, cast_to=object)


def test_a_model_name_asks_for_a_status(client: OpenAI) -> None:
    with pytest.raises(InternalServerError):
        client.chat.completions.create(model="fail-500", messages=ASKED)
    with pytest.raises(AuthenticationError):
        client.responses.create(model="fail-401", input=QUESTION)
    with pytest.raises(RateLimitError):
        client.chat.completions.create(model="fail-429", messages=ASKED, stream=True)


def test_a_rate_limited_request_succeeds_when_it_is_sent_again(client: OpenAI, model_server: ModelServer) -> None:
    reply = client.with_options(max_retries=1).chat.completions.create(model="rate-limit-then-ok", messages=ASKED)
    assert "night trains" in (reply.choices[0].message.content or "")
    assert [entry["status"] for entry in model_server.requests] == [429, 200]
    with pytest.raises(RateLimitError):
        client.chat.completions.create(model="rate-limit-then-ok", messages=ASKED)


@pytest.mark.parametrize("model", ["fail-drop", "fail-cut"])
def test_a_model_name_asks_for_a_broken_connection(client: OpenAI, model: str) -> None:
    with pytest.raises(APIConnectionError):
        client.chat.completions.create(model=model, messages=ASKED)


def test_a_stream_can_break_off_in_its_middle(client: OpenAI) -> None:
    with client.chat.completions.create(model="fail-cut", messages=ASKED, stream=True) as stream:
        assert next(stream).choices[0].delta.role == "assistant"
        with pytest.raises(APIConnectionError):
            list(stream)
    with (
        client.chat.completions.create(model="fail-event", messages=ASKED, stream=True) as chunks,
        pytest.raises(APIError, match="Overloaded"),
    ):
        list(chunks)
    # The SDK hands this one on as an event.
    *_, event = client.responses.create(model="fail-event", input=QUESTION, stream=True)
    assert event.type == "error"
    assert "Overloaded" in event.message


async def test_fifty_parallel_requests_get_the_answers_that_they_get_alone(model_server: ModelServer) -> None:
    questions = [f"What do critics say about train number {n}?" for n in range(50)]

    async with AsyncOpenAI(base_url=f"{model_server.url}/v1", api_key="any", max_retries=0) as client:

        async def whole(question: str) -> str:
            return (await client.responses.create(model=MODEL, input=question)).output_text

        async def streamed(question: str) -> str:
            stream = await client.chat.completions.create(
                model=MODEL, messages=[{"role": "user", "content": question}], stream=True
            )
            return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

        alone = [await whole(question) for question in questions]
        assert await asyncio.gather(*map(whole, questions)) == alone
        assert await asyncio.gather(*map(streamed, questions)) == alone
    assert len(set(alone)) == 50
