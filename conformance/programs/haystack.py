# packages: haystack-ai==3.4.1
# edges: plan>stream stream>praise weather1>weather2 weather2>last
# concurrent: same1 same2 same3
# equal: same1 same2 same3
# edit: plan stream
import asyncio
import os

os.environ["HAYSTACK_TELEMETRY_ENABLED"] = "False"

from haystack import Pipeline
from haystack.components.agents import Agent
from haystack.components.builders import ChatPromptBuilder
from haystack.components.generators.chat import OpenAIChatGenerator
from haystack.dataclasses import ChatMessage
from haystack.tools import tool
from openai import BadRequestError

MODEL = "gpt-5.4"


@tool
def weather(city: str) -> str:
    """The weather of a city."""
    return "Sunny in " + city


pipeline = Pipeline()
pipeline.add_component("prompt", ChatPromptBuilder(template=[ChatMessage.from_user("Plan a report on {{topic}}")]))
pipeline.add_component("model", OpenAIChatGenerator(model=MODEL))
pipeline.connect("prompt.prompt", "model.messages")
plan = pipeline.run({"prompt": {"topic": "lighthouses"}})["model"]["replies"][0].text  #: plan
print("plan", plan)
pieces = []
streaming = OpenAIChatGenerator(model=MODEL, streaming_callback=lambda chunk: pieces.append(chunk.content))
streamed = streaming.run([ChatMessage.from_user("Review this: " + plan)])["replies"][0].text  #: stream
print("stream", streamed, "".join(pieces) == streamed)
OpenAIChatGenerator(model=MODEL).run([ChatMessage.from_user("Praise: " + streamed)])  #: praise
agent = Agent(chat_generator=OpenAIChatGenerator(model=MODEL), tools=[weather])
told = agent.run(messages=[ChatMessage.from_user("The weather in Lisbon?")])["messages"][-1].text  #: weather1 weather2
print("told", told)
try:
    OpenAIChatGenerator(model="fail-400").run([ChatMessage.from_user("Fail")])  #: fail
except BadRequestError as error:
    print("failed", error.status_code)


async def main():
    generator = OpenAIChatGenerator(model=MODEL)
    last = await generator.run_async([ChatMessage.from_user("Repeat: " + told)])  #: last
    print("last", last["replies"][0].text)
    await generator.run_async([ChatMessage.from_user("Nothing of that.")])  #: nothing
    same = await asyncio.gather(
        *[generator.run_async([ChatMessage.from_user("Name a colour")]) for _ in range(3)]  #: same1 same2 same3
    )
    for each in same:
        print("same", each["replies"][0].text)


asyncio.run(main())
