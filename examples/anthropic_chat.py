"""A day trip planned in a chat: a tool call, then streamed and parallel turns, each with its history.

    python anthropic_chat.py [CITY]

The Anthropic SDK reads ANTHROPIC_BASE_URL and ANTHROPIC_API_KEY from the environment.
"""

from __future__ import annotations

import asyncio
import json
import sys

from anthropic import Anthropic, AsyncAnthropic
from anthropic.types import Message, MessageParam, ToolParam, ToolResultBlockParam

MODEL = "claude-haiku-4-5"
LIMIT = 500
ROLE = "You help people to spend a day in a city that they do not know."
WEATHER: ToolParam = {
    "name": "get_weather",
    "description": "The weather in a city today.",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


def text(reply: Message) -> str:
    return "".join(block.text for block in reply.content if block.type == "text")


def get_weather(city: str) -> str:
    """A stand-in for a weather service: what it says depends on the city's name only."""
    return json.dumps({"city": city, "sky": "light rain" if len(city) % 2 else "sun", "celsius": 11 + len(city)})


def run_tools(reply: Message) -> list[ToolResultBlockParam]:
    return [
        {"type": "tool_result", "tool_use_id": block.id, "content": get_weather(str(block.input["city"]))}
        for block in reply.content
        if block.type == "tool_use"
    ]


def ask_about_weather(client: Anthropic, history: list[MessageParam], city: str) -> str:
    """A turn with a tool: the model asks for the weather, gets it, and answers."""
    history.append({"role": "user", "content": f"What is the weather in {city}?"})
    while True:
        reply = client.messages.create(model=MODEL, max_tokens=LIMIT, system=ROLE, messages=history, tools=[WEATHER])
        history.append({"role": "assistant", "content": reply.content})
        if reply.stop_reason != "tool_use":
            return text(reply)
        history.append({"role": "user", "content": run_tools(reply)})


def ask_streamed(client: Anthropic, history: list[MessageParam], question: str) -> None:
    """A turn that is printed while it is written."""
    history.append({"role": "user", "content": question})
    with client.messages.stream(model=MODEL, max_tokens=LIMIT, system=ROLE, messages=history) as stream:
        for piece in stream.text_stream:
            print(piece, end="", flush=True)
        history.append({"role": "assistant", "content": stream.get_final_text()})
    print()


async def ask_in_parallel(history: list[MessageParam], questions: list[str]) -> list[str]:
    """A turn for each question, all from the same history and none aware of the others."""

    async def ask(client: AsyncAnthropic, question: str) -> str:
        turns: list[MessageParam] = [*history, {"role": "user", "content": question}]
        return text(await client.messages.create(model=MODEL, max_tokens=LIMIT, system=ROLE, messages=turns))

    async with AsyncAnthropic() as client:
        return await asyncio.gather(*(ask(client, question) for question in questions))


def summarise(client: Anthropic, parts: list[str]) -> str:
    task = "Summarise this day:\n\n" + "\n".join(f"- {part}" for part in parts)
    turns: list[MessageParam] = [{"role": "user", "content": task}]
    return text(client.messages.create(model=MODEL, max_tokens=LIMIT, system=ROLE, messages=turns))


def main(city: str) -> None:
    history: list[MessageParam] = []
    with Anthropic() as client:
        print("Weather:", ask_about_weather(client, history, city))
        print("Plan: ", end="")
        ask_streamed(client, history, f"Suggest a museum and a quiet café in {city} for such weather.")
        wishes = ["Recommend a walk for the morning.", "Recommend a place with live music for the evening."]
        morning, evening = asyncio.run(ask_in_parallel(history, wishes))
        print("Morning:", morning)
        print("Evening:", evening)
        print("\n" + summarise(client, [morning, evening]))


if __name__ == "__main__":
    main(" ".join(sys.argv[1:]) or "Lisbon")
