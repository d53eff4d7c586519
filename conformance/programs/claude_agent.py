# packages: claude-agent-sdk==0.2.189
# options: --gateway
# gateway: plan write weather1 weather2 chat1 chat2 failed1 failed2 failed3 nothing same1 same2 same3
# concurrent: same1 same2 same3
# equal: same1 same2 same3
# matched: plan>write chat1>chat2
# edit: plan weather2 chat1
# note: its calls are made by Claude Code, a child: recorded with `--gateway`, without places, arrows by text
# note: Claude Code writes the date and the folder into its prompts: on another day a rerun goes live
# note: from a tool call to the turn after it there is too little text for an arrow
import asyncio
import os
from pathlib import Path

from claude_agent_sdk import ClaudeAgentOptions, ClaudeSDKClient, ResultMessage, create_sdk_mcp_server, query, tool

# The command line, started below, is to know nothing of whoever runs this, and to ask nobody but the model.
for name in [name for name in os.environ if name.startswith("CLAUDE")]:
    del os.environ[name]
os.environ["CLAUDE_CONFIG_DIR"] = str(Path("config").absolute())
os.environ["CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC"] = "1"


@tool("weather", "The weather of a city.", {"city": str})
async def weather(arguments):
    return {"content": [{"type": "text", "text": "Sunny in " + arguments["city"]}]}


TOOLS = {
    "max_turns": 2,
    "mcp_servers": {"demo": create_sdk_mcp_server("demo", tools=[weather])},
    "allowed_tools": ["mcp__demo__weather"],
}


def options(model="claude-sonnet-5", **more):
    asked = {"max_turns": 1, "allowed_tools": [], **more}
    return ClaudeAgentOptions(model=model, system_prompt="You help.", tools=[], setting_sources=[], **asked)


async def result(messages):
    return [message.result async for message in messages if isinstance(message, ResultMessage)][-1]


async def ask(text, **more):
    return await result(query(prompt=text, options=options(**more)))


async def main():
    plan = await ask("Plan: lighthouses of Portugal", model="claude-haiku-4-5")
    print("plan", plan)
    print(len(await ask("Write: " + plan)) > 0)
    print("weather", await ask("What is the weather in Lisbon?", **TOOLS))
    async with ClaudeSDKClient(options()) as client:
        await client.query("Tell me of ferries in Norway.")
        print("chat", await result(client.receive_response()))
        await client.query("And what else is there?")
        print(len(await result(client.receive_response())) > 0)
    try:
        print("failed", await ask("Fail.", model="fail-400"))
    except Exception as error:
        print("failed", error)
    await ask("Nothing of that.")
    for each in await asyncio.gather(*[ask("Name a colour") for _ in range(3)]):
        print("same", each)


asyncio.run(main())
