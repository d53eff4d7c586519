# packages: ollama==0.6.3
# small:
# edges: plan>search search>review review>rate weather1>weather2 weather1>thanks weather2>thanks
# edges: tram>short short>embed aplan>astream astream>alast
# concurrent: aplan aother
# equal: same1 same2 same3
# edit: plan review aplan astream short
# note: the SDK makes a streamed call where its first piece is asked for: there it stands
import asyncio

import ollama

MODEL = "qwen3:8b"
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "weather",
            "description": "The weather of a city.",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
        },
    }
]


def user(text):
    return {"role": "user", "content": text}


def main():
    plan = ollama.chat(MODEL, [user("Plan a report on lighthouses")]).message.content  #: plan
    print("plan", plan)
    found = ollama.chat(MODEL, [user(f"Search: {plan}")]).message.content  #: search
    stream = ollama.chat(MODEL, [user("Review this: " + found)], stream=True)
    review = "".join(chunk.message.content for chunk in stream)  #: review
    print("review", review)
    rated = ollama.chat(MODEL, [user("Rate: " + review)], think=True)  #: rate
    print("rate", rated["message"]["content"], rated.message.thinking)

    history = [user("What is the weather in Lisbon?")]
    message = ollama.chat(MODEL, history, tools=TOOLS).message  #: weather1
    city = message.tool_calls[0].function.arguments["city"]
    history += [message, {"role": "tool", "tool_name": "weather", "content": "Sunny in " + city}]
    history.append(ollama.chat(MODEL, history, tools=TOOLS).message)  #: weather2
    print("weather", city, ollama.chat(MODEL, [*history, user("Thanks, go on.")]).message.content)  #: thanks

    text = ollama.generate(MODEL, "Describe a tram").response  #: tram
    short = "".join(chunk.response for chunk in ollama.generate(MODEL, "Shorten: " + text, stream=True))  #: short
    vector = ollama.embed("embeddinggemma", short).embeddings[0]  #: embed
    print("short", short, len(vector), round(vector[0], 6))
    try:
        ollama.chat("fail-400", [user("Fail")])  #: fail
    except ollama.ResponseError as error:
        print("failed", error.status_code, error.error)


async def amain():
    client = ollama.AsyncClient()
    plan, other = await asyncio.gather(
        client.chat(MODEL, [user("Plan a trip to Porto")]),  #: aplan
        client.chat(MODEL, [user("Name three rivers")]),  #: aother
    )
    plan = plan.message.content
    print("async", plan, other.message.content)
    same = await asyncio.gather(
        *[client.chat(MODEL, [user("Name a colour")]) for _ in range(3)]  #: same1 same2 same3
    )
    for each in same:
        print("same", each.message.content)
    stream = await client.chat(MODEL, [user("Praise: " + plan)], stream=True)
    praise = "".join([chunk.message.content async for chunk in stream])  #: astream
    print("last", praise, (await client.chat(MODEL, [user("Repeat: " + praise)])).message.content)  #: alast


main()
asyncio.run(amain())
