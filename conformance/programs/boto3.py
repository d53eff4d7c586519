# packages: boto3==1.44.8
# small:
# edges: plan>search search>review review>rate weather1>weather2 weather1>thanks weather2>thanks
# edges: tplan>tlast
# concurrent: tplan tother
# equal: same1 same2 same3
# edit: plan review tplan
# note: the SDK has no async client
from concurrent.futures import ThreadPoolExecutor

import boto3

MODEL = "eu.anthropic.claude-sonnet-4-5-20250929-v1:0"
TOOLS = {
    "tools": [
        {
            "toolSpec": {
                "name": "weather",
                "description": "The weather of a city.",
                "inputSchema": {
                    "json": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
                },
            }
        }
    ]
}
client = boto3.client("bedrock-runtime")


def user(text):
    return {"role": "user", "content": [{"text": text}]}


def said(answer):
    return answer["output"]["message"]["content"][0]["text"]


def main():
    plan = said(client.converse(modelId=MODEL, messages=[user("Plan a report on lighthouses")]))  #: plan
    print("plan", plan)
    found = said(client.converse(modelId=MODEL, messages=[user(f"Search: {plan}")]))  #: search
    answer = client.converse_stream(modelId=MODEL, messages=[user("Review this: " + found)])  #: review
    pieces = []
    for event in answer["stream"]:
        if "contentBlockDelta" in event:
            pieces.append(event["contentBlockDelta"]["delta"]["text"])
    review = "".join(pieces)
    print("review", review)
    thinking = {"thinking": {"type": "enabled", "budget_tokens": 1024}}
    asked = {"messages": [user("Rate: " + review)], "system": [{"text": "You rate."}]}
    rated = client.converse(modelId=MODEL, additionalModelRequestFields=thinking, **asked)  #: rate
    print("rate", rated["output"]["message"]["content"][1]["text"], rated["usage"]["outputTokens"], rated["stopReason"])

    history = [user("What is the weather in Lisbon?")]
    message = client.converse(modelId=MODEL, messages=history, toolConfig=TOOLS)["output"]["message"]  #: weather1
    use = message["content"][0]["toolUse"]
    result = {"toolUseId": use["toolUseId"], "content": [{"text": "Sunny in " + use["input"]["city"]}]}
    history += [message, {"role": "user", "content": [{"toolResult": result}]}]
    message = client.converse(modelId=MODEL, messages=history, toolConfig=TOOLS)["output"]["message"]  #: weather2
    history += [message, user("Thanks, go on.")]
    last = client.converse(modelId=MODEL, messages=history, toolConfig=TOOLS)  #: thanks
    print("weather", use["input"]["city"], said(last))

    try:
        client.converse(modelId="fail-400", messages=[user("Fail")])  #: fail
    except client.exceptions.ValidationException as error:
        print("failed", error)

    with ThreadPoolExecutor() as pool:
        trip = pool.submit(client.converse, modelId=MODEL, messages=[user("Plan a trip to Porto")])  #: tplan
        other = pool.submit(client.converse, modelId=MODEL, messages=[user("Name three rivers")])  #: tother
        trip, other = said(trip.result()), said(other.result())
        asked = {"modelId": MODEL, "messages": [user("Name a colour")]}
        for each in [pool.submit(client.converse, **asked) for _ in range(3)]:  #: same1 same2 same3
            print("same", said(each.result()))
    print("threads", trip, other)
    print("last", said(client.converse(modelId=MODEL, messages=[user("Praise: " + trip)])))  #: tlast


main()
