# packages: anthropic==0.125.0
# small:
# edges: plan>search search>review review>rate weather1>weather2 weather1>thanks weather2>thanks
# edges: aplan>astream astream>alast
# concurrent: aplan aother stream1 stream2
# equal: same1 same2 same3
# edit: plan review aplan astream
import asyncio

from anthropic import Anthropic, AsyncAnthropic, BadRequestError

MODEL = "claude-sonnet-5"
TOOLS = [
    {
        "name": "weather",
        "description": "The weather of a city.",
        "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    }
]


def asking(text, **more):
    return {"model": MODEL, "max_tokens": 500, "messages": [{"role": "user", "content": text}], **more}


def main():
    messages = Anthropic().messages
    plan = messages.create(**asking("Plan a report on lighthouses")).content[0].text  #: plan
    print("plan", plan)
    found = messages.create(**asking(f"Search: {plan}", system="You search.")).content[0].text  #: search
    thinking = {"type": "enabled", "budget_tokens": 1024}
    asked = asking("Review this: " + found, max_tokens=2000, thinking=thinking)
    with messages.stream(**asked) as stream:  #: review
        review = "".join(stream.text_stream)
        print("review", review, stream.get_final_message().usage.output_tokens)
    pieces = []
    for event in messages.create(**asking("Rate: " + review, stream=True)):  #: rate
        if event.type == "content_block_delta":
            pieces.append(event.delta.text)
    print("rate", "".join(pieces))

    history = [{"role": "user", "content": "What is the weather in Lisbon?"}]
    answer = messages.create(model=MODEL, max_tokens=500, messages=history, tools=TOOLS)  #: weather1
    use = next(block for block in answer.content if block.type == "tool_use")
    result = {"type": "tool_result", "tool_use_id": use.id, "content": "Sunny in " + use.input["city"]}
    history += [{"role": "assistant", "content": answer.content}, {"role": "user", "content": [result]}]
    with messages.stream(model=MODEL, max_tokens=500, messages=history, tools=TOOLS) as stream:  #: weather2
        answer = stream.get_final_message()
    history += [{"role": "assistant", "content": answer.content}, {"role": "user", "content": "Thanks, go on."}]
    last = messages.create(model=MODEL, max_tokens=500, messages=history, tools=TOOLS)  #: thanks
    print("weather", use.input["city"], last.content[0].text)

    try:
        messages.create(**{**asking("Fail"), "model": "fail-400"})  #: fail
    except BadRequestError as error:
        print("failed", error.status_code, error.message)


async def streamed(client, text):
    async with client.messages.stream(**asking(text)) as stream:  #: stream1 stream2
        return "".join([text async for text in stream.text_stream])


async def amain():
    async with AsyncAnthropic() as client:
        plan, other = await asyncio.gather(
            client.messages.create(**asking("Plan a trip to Porto")),  #: aplan
            client.messages.create(**asking("Name three rivers")),  #: aother
        )
        plan = plan.content[0].text
        print("async", plan, other.content[0].text)
        same = await asyncio.gather(
            *[client.messages.create(**asking("Name a colour")) for _ in range(3)]  #: same1 same2 same3
        )
        for each in same:
            print("same", each.content[0].text)
        print("two", await asyncio.gather(streamed(client, "Describe a ferry"), streamed(client, "Describe a canal")))
        async with client.messages.stream(**asking("Praise: " + plan)) as stream:  #: astream
            praise = "".join([text async for text in stream.text_stream])
        last = await client.messages.create(**asking("Repeat: " + praise))  #: alast
        print("last", praise, last.content[0].text)


main()
asyncio.run(amain())
