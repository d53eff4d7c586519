# packages: litellm==1.110.2
# follow: litellm
# edges: plan>search plan>write search>write write>streamed streamed>shorten weather1>weather2 weather1>pack
# edges: weather2>thanks weather1>thanks
# concurrent: same1 same2 same3
# equal: same1 same2 same3
# edit: plan streamed
import asyncio
import json
import os
import warnings

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # or it asks the internet for prices
warnings.simplefilter("ignore")

import litellm  # noqa: E402  # it reads that when it is imported

noted = []
tools = [
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


def said(answer):
    return answer.choices[0].message.content


plan = said(litellm.completion("openai/gpt-5.4", [user("Plan: lighthouses of Portugal")]))  #: plan
print("plan", plan)
found = said(litellm.completion("openai/gpt-5.4", [user("Search: " + plan)]))  #: search
text = said(litellm.completion("openai/gpt-5.4", [user(f"Write: {plan} {found}")]))  #: write
# A stream, and another provider.
stream = litellm.completion("openai/gpt-5.4", [user("Review: " + text)], stream=True)  #: streamed
review = "".join(chunk.choices[0].delta.content or "" for chunk in stream)
print("review", review)
litellm.completion("anthropic/claude-sonnet-5", [user("Shorten: " + review)])  #: shorten
# A tool, and a history.
history = [user("What is the weather in Lisbon?")]
message = litellm.completion("openai/gpt-5.4", history, tools=tools).choices[0].message  #: weather1
call = message.tool_calls[0]
noted.append(json.loads(call.function.arguments)["city"])
history += [message, {"role": "tool", "tool_call_id": call.id, "content": "Sunny in " + noted[0]}]
history.append(litellm.completion("openai/gpt-5.4", history, tools=tools).choices[0].message)  #: weather2
litellm.completion("openai/gpt-5.4", [*history, user("Thanks, go on.")])  #: thanks
litellm.completion("openai/gpt-5.4", [user("Pack a bag for " + noted[0])])  #: pack
litellm.completion("openai/gpt-5.4", [user("Nothing of that.")])  #: nothing
try:
    litellm.completion("openai/fail-400", [user("Fail")])  #: fail
except litellm.BadRequestError as error:
    print("failed", error.status_code)
print(len(noted))


async def main():
    ask, asked = litellm.acompletion, [user("Name a colour")]
    for each in await asyncio.gather(*[ask("openai/gpt-5.4", asked) for _ in range(3)]):  #: same1 same2 same3
        print("same", said(each))


asyncio.run(main())
