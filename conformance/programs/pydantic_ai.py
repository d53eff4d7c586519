# packages: pydantic-ai-slim[openai]==2.68.0
# follow: pydantic_ai
# edges: weather1>weather2 weather1>go weather2>go weather1>pack trip>spend museums1>guide museums1>museums2
# edges: guide>museums2 museums2>shorten shorten>praise other>repeat
# concurrent: praise other same1 same2 same3
# equal: same1 same2 same3
# edit: shorten other
import asyncio

from pydantic import BaseModel
from pydantic_ai import Agent, ModelHTTPError, RunContext

MODEL = "openai-chat:gpt-5.4"


class Place(BaseModel):
    city: str
    nights: int


noted = []
guide = Agent(MODEL, system_prompt="You are a guide.")
agent = Agent(MODEL)


@agent.tool_plain
def weather(city: str) -> str:
    """The weather of a city."""
    noted.append(city)
    return "Sunny in " + city


@agent.tool
async def museums(ctx: RunContext, city: str) -> str:
    """The museums of a city."""
    return (await guide.run(f"Describe the paintings of {city}")).output  #: guide


# A tool's result, and the history that the framework keeps.
first = agent.run_sync("What is the weather in Lisbon?")  #: weather1 weather2
agent.run_sync("Thanks, go on.", message_history=first.all_messages())  #: go
guide.run_sync("Pack a bag for " + noted[0])  #: pack
guide.run_sync("Nothing of that.")  #: nothing

# Structured output.
place = Agent(MODEL, output_type=Place).run_sync("A trip of 3 days.").output  #: trip
guide.run_sync(f"Spend {place.nights} nights.")  #: spend


async def main():
    # A tool that asks another agent; a stream; two at once.
    told = (await agent.run("Tell me about the museums in Madrid.")).output  #: museums1 museums2
    async with guide.run_stream("Shorten this: " + told) as result:  #: shorten
        short = "".join([piece async for piece in result.stream_text(delta=True)])
    print("short", short)
    _, two = await asyncio.gather(guide.run("Praise: " + short), guide.run("Other."))  #: praise other
    print("two", two.output)
    await guide.run("Repeat: " + two.output)  #: repeat
    for each in await asyncio.gather(*[guide.run("Name a colour") for _ in range(3)]):  #: same1 same2 same3
        print("same", each.output)
    try:
        await Agent("openai-chat:fail-400").run("Fail")  #: fail
    except ModelHTTPError as error:
        print("failed", error.status_code)


asyncio.run(main())
print(len(noted), type(place).__name__)
