# packages: autogen-agentchat==0.7.5 autogen-ext[openai]==0.7.5
# edges: weather1>weather2 weather2>writer weather2>critic writer>critic critic>last
# concurrent: same1 same2 same3
# equal: same1 same2 same3
# edit: weather2 writer
import asyncio

from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.conditions import MaxMessageTermination
from autogen_agentchat.teams import RoundRobinGroupChat
from autogen_core.models import UserMessage
from autogen_ext.models.openai import OpenAIChatCompletionClient
from openai import BadRequestError


def weather(city: str) -> str:
    """The weather of a city."""
    return "Sunny in " + city


async def main():
    model = OpenAIChatCompletionClient(model="gpt-4o-mini")
    agent = AssistantAgent("agent", model_client=model, tools=[weather], reflect_on_tool_use=True)
    told = (await agent.run(task="What is the weather in Lisbon?")).messages[-1].content  #: weather1 weather2
    print("told", told)
    writer = AssistantAgent("writer", model_client=model, model_client_stream=True)
    critic = AssistantAgent("critic", model_client=model)
    team = RoundRobinGroupChat([writer, critic], termination_condition=MaxMessageTermination(3))
    async for message in team.run_stream(task="Write a report on " + told):  #: writer critic
        last = message
    for message in last.messages:
        print(message.source, message.content)
    answer = await model.create([UserMessage(content="Repeat: " + last.messages[-1].content, source="user")])  #: last
    print("last", answer.content)
    await model.create([UserMessage(content="Nothing of that.", source="user")])  #: nothing
    same = await asyncio.gather(
        *[model.create([UserMessage(content="Name a colour", source="user")]) for _ in range(3)]  #: same1 same2 same3
    )
    for each in same:
        print("same", each.content)
    failing = OpenAIChatCompletionClient(model="fail-400", model_info=model.model_info)
    try:
        await failing.create([UserMessage(content="Fail", source="user")])  #: fail
    except BadRequestError as error:
        print("failed", error.status_code)
    await model.close()
    await failing.close()


asyncio.run(main())
