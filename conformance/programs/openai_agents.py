# packages: openai-agents==0.24.0
# follow: agents
# edges: weather1>weather2 weather1>go weather2>go weather1>pack trip>spend museums1>guide museums1>museums2
# edges: guide>museums2 museums2>shorten shorten>praise other>repeat
# concurrent: praise other same1 same2 same3
# equal: same1 same2 same3
# edit: shorten other
import asyncio

from agents import Agent, Runner, function_tool, set_tracing_disabled
from openai import BadRequestError
from pydantic import BaseModel

set_tracing_disabled(True)
noted = []


class Place(BaseModel):
    city: str
    nights: int


@function_tool
def weather(city: str) -> str:
    """The weather of a city."""
    noted.append(city)
    return "Sunny in " + city


@function_tool
async def museums(city: str) -> str:
    """The museums of a city."""
    return (await Runner.run(guide, f"Describe the paintings of {city}")).final_output  #: guide


guide = Agent(name="Guide", instructions="You are a guide.", model="gpt-5.4")
agent = Agent(name="Agent", instructions="Help.", tools=[weather, museums], model="gpt-5.4")
planner = Agent(name="Planner", instructions="Plan.", output_type=Place, model="gpt-5.4")


async def main():
    # A tool's result, and the history that the framework keeps.
    first = await Runner.run(agent, "What is the weather in Lisbon?")  #: weather1 weather2
    await Runner.run(guide, [*first.to_input_list(), {"role": "user", "content": "Thanks, go on."}])  #: go
    await Runner.run(guide, "Pack a bag for " + noted[0])  #: pack
    await Runner.run(guide, "Nothing of that.")  #: nothing
    # Structured output.
    place = (await Runner.run(planner, "A trip of 3 days.")).final_output  #: trip
    await Runner.run(guide, f"Spend {place.nights} nights.")  #: spend
    # A tool that asks another agent; a run that goes on while its events are read; two at once.
    told = (await Runner.run(agent, "Tell me about the museums in Madrid.")).final_output  #: museums1 museums2
    streamed = Runner.run_streamed(guide, "Shorten this: " + told)  #: shorten
    async for _ in streamed.stream_events():
        pass
    short = streamed.final_output
    print("short", short)
    _, two = await asyncio.gather(Runner.run(guide, "Praise: " + short), Runner.run(guide, "Other."))  #: praise other
    print("two", two.final_output)
    await Runner.run(guide, "Repeat: " + two.final_output)  #: repeat
    print(len(noted), type(place).__name__)
    for each in await asyncio.gather(*[Runner.run(guide, "Name a colour") for _ in range(3)]):  #: same1 same2 same3
        print("same", each.final_output)
    try:
        await Runner.run(Agent(name="Failing", model="fail-400"), "Fail")  #: fail
    except BadRequestError as error:
        print("failed", error.status_code)


asyncio.run(main())
