# packages: langchain==1.5.2 langchain-openai==1.7.4 langgraph==1.2.24
# follow: langgraph:langchain:langchain_core:langchain_openai
# edges: weather1>weather2 weather1>go weather2>go weather1>pack trip>spend museums1>guide museums1>museums2
# edges: guide>museums2 museums2>left left>join right>join join>shorten shorten>repeat else>last
# concurrent: left right else another
# equal: same1 same2 same3
# edit: left shorten
import asyncio
import operator
from typing import Annotated, TypedDict

from langchain.agents import create_agent
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from langgraph.graph import END, START, StateGraph
from openai import BadRequestError
from pydantic import BaseModel

model = ChatOpenAI(model="gpt-5.4")
noted = []


class Place(BaseModel):
    """A place."""

    city: str
    nights: int


@tool
def weather(city: str) -> str:
    """The weather of a city."""
    noted.append(city)
    return "Sunny in " + city


@tool
def museums(city: str) -> str:
    """The museums of a city."""
    return model.invoke(f"Describe the paintings of {city}").text  #: guide


agent = create_agent(model, [weather, museums])
# A tool's result, and the history that the framework keeps.
first = agent.invoke({"messages": [("user", "What is the weather in Lisbon?")]})  #: weather1 weather2
model.invoke([*first["messages"], ("user", "Thanks, go on.")])  #: go
model.invoke("Pack a bag for " + noted[0])  #: pack
model.invoke("Nothing of that.")  #: nothing
# Structured output, and a chain.
place = model.with_structured_output(Place).invoke("A trip of 3 days.")  #: trip
chain = ChatPromptTemplate.from_template("Spend {nights} nights.") | model
chain.invoke({"nights": place.nights})  #: spend
# A tool that asks a model.
asked = {"messages": [("user", "Tell me about the museums in Madrid.")]}
told = agent.invoke(asked)["messages"][-1].text  #: museums1 museums2


class State(TypedDict):
    topic: str
    drafts: Annotated[list, operator.add]
    final: str


def left(state):
    draft = model.invoke("Praise " + state["topic"]).text  #: left
    print("left", draft)
    return {"drafts": [draft]}


def right(state):
    return {"drafts": [model.invoke("An unrelated question.").text]}  #: right


def join(state):
    return {"final": model.invoke("Join: " + " ".join(state["drafts"])).text}  #: join


# Two nodes side by side, and one after both.
graph = StateGraph(State)
for node in (left, right, join):
    graph.add_node(node)
for name in ("left", "right"):
    graph.add_edge(START, name)
    graph.add_edge(name, "join")
graph.add_edge("join", END)
joined = graph.compile().invoke({"topic": told, "drafts": []})


async def main():
    words = [chunk.text async for chunk in model.astream("Shorten: " + joined["final"])]  #: shorten
    print("short", "".join(words))
    await model.ainvoke("Repeat: " + "".join(words))  #: repeat
    two, _ = await model.abatch(["Something else.", "Another."])  #: else another
    await model.ainvoke("The last: " + two.text)  #: last
    for each in await model.abatch(["Name a colour"] * 3):  #: same1 same2 same3
        print("same", each.text)
    try:
        await ChatOpenAI(model="fail-400").ainvoke("Fail")  #: fail
    except BadRequestError as error:
        print("failed", error.status_code)


asyncio.run(main())
print(len(noted), type(place).__name__)
