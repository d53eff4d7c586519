# packages: llama-index-core==0.14.25 llama-index-llms-openai==0.8.3
# edges: plan>stream stream>praise weather1>weather2 weather2>last
# concurrent: same1 same2 same3
# equal: same1 same2 same3
# edit: plan stream
# note: the SDK makes a streamed call where its first piece is asked for: there it stands
import asyncio
import os

from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.llms import ChatMessage
from llama_index.llms.openai import OpenAI
from openai import BadRequestError

model = OpenAI(model="gpt-4o-mini", api_base=os.environ["OPENAI_BASE_URL"])


def weather(city: str) -> str:
    """The weather of a city."""
    return "Sunny in " + city


def user(text):
    return [ChatMessage(role="user", content=text)]


plan = model.chat(user("Plan a report on lighthouses")).message.content  #: plan
print("plan", plan)
stream = model.stream_chat(user("Review this: " + plan))
streamed = "".join(chunk.delta or "" for chunk in stream)  #: stream
print("stream", streamed)
print("praise", model.complete("Praise: " + streamed).text)  #: praise
try:
    model.complete("Fail", n=0)  #: fail
except BadRequestError as error:
    print("failed", error.status_code)


async def main():
    agent = FunctionAgent(tools=[weather], llm=model, streaming=False)
    told = str(await agent.run("What is the weather in Lisbon?"))  #: weather1 weather2
    print("told", told)
    print("last", (await model.acomplete("Repeat: " + told)).text)  #: last
    await model.acomplete("Nothing of that.")  #: nothing
    for each in await asyncio.gather(*[model.acomplete("Name a colour") for _ in range(3)]):  #: same1 same2 same3
        print("same", each.text)


asyncio.run(main())
