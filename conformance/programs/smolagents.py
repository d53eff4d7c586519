# packages: smolagents[openai]==1.26.0
# follow: smolagents
# edges: weather1>weather2 weather1>weather3 weather2>weather3 weather3>shorten weather1>pack
# edit: weather3 shorten
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
print(len(noted))
