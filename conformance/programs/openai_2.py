# packages: openai==2.54.0
# small:
# edges: plan>search search>review review>rate weather1>weather2 weather1>thanks weather2>thanks
# edges: respond>stream_response stream_response>embed aplan>astream astream>alast
# concurrent: aplan aother stream1 stream2
# equal: same1 same2 same3
# edit: plan review aplan stream_response
import asyncio
import json

from openai import AsyncOpenAI, BadRequestError, OpenAI

MODEL = "gpt-5.4"
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
    client = OpenAI()
    chat = client.chat.completions
    plan = chat.create(model=MODEL, messages=[user("Plan a report on lighthouses")])  #: plan
    plan = plan.choices[0].message.content
    print("plan", plan)
    found = chat.create(model=MODEL, messages=[user(f"Search: {plan}")])  #: search
    found = found.choices[0].message.content
    asked = [user("Review this: " + found)]
    stream = chat.create(model=MODEL, messages=asked, stream=True, stream_options={"include_usage": True})  #: review
    review = "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)
    print("review", review)
    rated = chat.create(model=MODEL, messages=[user("Rate: " + review)], reasoning_effort="low")  #: rate
    print("rate", rated.choices[0].message.content, rated.usage.completion_tokens_details.reasoning_tokens)

    history = [user("What is the weather in Lisbon?")]
    with chat.stream(model=MODEL, messages=history, tools=TOOLS) as stream:  #: weather1
        message = stream.get_final_completion().choices[0].message
    call = message.tool_calls[0]
    city = json.loads(call.function.arguments)["city"]
    history += [message, {"role": "tool", "tool_call_id": call.id, "content": "Sunny in " + city}]
    answer = chat.create(model=MODEL, messages=history, tools=TOOLS).choices[0].message  #: weather2
    last = chat.create(model=MODEL, messages=[*history, answer, user("Thanks, go on.")])  #: thanks
    print("weather", city, last.choices[0].message.content)

    try:
        chat.create(model="fail-400", messages=[user("Fail")])  #: fail
    except BadRequestError as error:
        print("failed", error.status_code, error.message)

    text = client.responses.create(model=MODEL, input="Describe a tram").output_text  #: respond
    asked = {"input": "Shorten: " + text, "reasoning": {"effort": "low", "summary": "auto"}}
    with client.responses.stream(model=MODEL, **asked) as stream:  #: stream_response
        short = "".join(event.delta for event in stream if event.type == "response.output_text.delta")
    print("short", short)
    vector = client.embeddings.create(model="text-embedding-3-small", input=short).data[0].embedding  #: embed
    print("embedding", len(vector), round(vector[0], 6))


async def streamed(chat, text):
    stream = await chat.create(model=MODEL, messages=[user(text)], stream=True)  #: stream1 stream2
    return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])


async def amain():
    async with AsyncOpenAI() as client:
        chat = client.chat.completions
        plan, other = await asyncio.gather(
            chat.create(model=MODEL, messages=[user("Plan a trip to Porto")]),  #: aplan
            chat.create(model=MODEL, messages=[user("Name three rivers")]),  #: aother
        )
        plan = plan.choices[0].message.content
        print("async", plan, other.choices[0].message.content)
        same = await asyncio.gather(
            *[chat.create(model=MODEL, messages=[user("Name a colour")]) for _ in range(3)]  #: same1 same2 same3
        )
        for each in same:
            print("same", each.choices[0].message.content)
        print("two", await asyncio.gather(streamed(chat, "Describe a ferry"), streamed(chat, "Describe a canal")))
        stream = await chat.create(model=MODEL, messages=[user("Praise: " + plan)], stream=True)  #: astream
        praise = "".join([chunk.choices[0].delta.content or "" async for chunk in stream])
        last = await chat.create(model=MODEL, messages=[user("Repeat: " + praise)])  #: alast
        print("last", praise, last.choices[0].message.content)


main()
asyncio.run(amain())
