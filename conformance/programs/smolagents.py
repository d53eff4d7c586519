# packages: smolagents[openai]==1.26.0
# follow: smolagents
# edges: weather1>weather2 weather1>weather3 weather2>weather3 weather3>shorten weather1>pack weather3>streamed
# concurrent: same1 same2 same3
# equal: same1 same2 same3
# edit: weather3 shorten
from concurrent.futures import ThreadPoolExecutor

from openai import BadRequestError
from smolagents import LogLevel, OpenAIModel, ToolCallingAgent, tool

model = OpenAIModel("gpt-5.4")
noted = []


@tool
def weather(city: str) -> str:
    """The weather of a city.

    Args:
        city: The city.
    """
    noted.append(city)
    return "Sunny in " + city


def said(text):
    return [{"role": "user", "content": [{"type": "text", "text": text}]}]


agent = ToolCallingAgent([weather], model, max_steps=2, verbosity_level=LogLevel.OFF)
told = agent.run("What is the weather in Lisbon?")  #: weather1 weather2 weather3
print("told", told)
print(model(said("Shorten: " + str(told))).content)  #: shorten
model(said("Pack a bag for " + noted[0]))  #: pack
model(said("Nothing of that."))  #: nothing
stream = model.generate_stream(said("Rate: " + str(told)))
print("streamed", "".join(piece.content or "" for piece in stream))  #: streamed
with ThreadPoolExecutor() as pool:
    for each in [pool.submit(model, said("Name a colour")) for _ in range(3)]:  #: same1 same2 same3
        print("same", each.result().content)
try:
    OpenAIModel("fail-400")(said("Fail"))  #: fail
except BadRequestError as error:
    print("failed", error.status_code)
print(len(noted))
