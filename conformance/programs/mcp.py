# packages: mcp==2.3.0 openai==3.57.0
# small:
# follow: mcp
# followed: tool>broken
# edges: weather1>tool weather1>weather2 tool>weather2 weather1>pack weather2>shorten shorten>praise
# concurrent: same1 same2 same3
# equal: same1 same2 same3
# edit: tool weather2 shorten
# note: tool calls are nodes, too; over stdio here
import asyncio
import json
import sys
from pathlib import Path

from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client
from openai import AsyncOpenAI, BadRequestError

Path("server.py").write_text(
    "from mcp.server.mcpserver import MCPServer\n"
    "server = MCPServer('demo')\n"
    "@server.tool()\n"
    "def weather(city: str) -> str:\n"
    "    'The weather of a city.'\n"
    "    return 'Sunny in ' + city\n"
    "@server.tool()\n"
    "def broken() -> str:\n"
    "    raise ValueError('broken')\n"
    "server.run('stdio')\n"
)
noted = []
create = AsyncOpenAI().chat.completions.create


def user(text):
    return {"role": "user", "content": text}


async def main():
    # What the server's process says of its own requests is no part of this.
    server = StdioServerParameters(command=sys.executable, args=["server.py"])
    with Path("errors.txt").open("w") as errors:  # noqa: ASYNC230  # before anything else runs
        async with stdio_client(server, errlog=errors) as (read, write), ClientSession(read, write) as session:
            await session.initialize()
            listed = (await session.list_tools()).tools
            tools = [
                {"type": "function", "function": {"name": tool.name, "parameters": tool.input_schema}}
                for tool in listed
                if tool.name == "weather"
            ]
            messages = [user("What is the weather in Lisbon?")]
            answer = await create(model="m", messages=messages, tools=tools)  #: weather1
            message = answer.choices[0].message
            call = message.tool_calls[0]
            arguments = json.loads(call.function.arguments)
            noted.append(arguments["city"])
            result = await session.call_tool(call.function.name, arguments)  #: tool
            print("tool", result.content[0].text)
            messages += [message, {"role": "tool", "tool_call_id": call.id, "content": result.content[0].text}]
            answer = await create(model="m", messages=messages, tools=tools)  #: weather2
            answer = answer.choices[0].message.content
            print("answer", answer)
            failed = await session.call_tool("broken", {})  #: broken
            print("failed", failed.is_error, failed.content[0].text)
    stream = await create(model="m", messages=[user("Shorten: " + answer)], stream=True)  #: shorten
    short = "".join([chunk.choices[0].delta.content or "" async for chunk in stream])
    print("short", short)
    await create(model="m", messages=[user("Praise: " + short)])  #: praise
    await create(model="m", messages=[user("Pack a bag for " + noted[0])])  #: pack
    await create(model="m", messages=[user("Nothing of that.")])  #: nothing
    print(len(noted))
    same = await asyncio.gather(
        *[create(model="m", messages=[user("Name a colour")]) for _ in range(3)]  #: same1 same2 same3
    )
    for each in same:
        print("same", each.choices[0].message.content)
    try:
        await create(model="fail-400", messages=[user("Fail")])  #: fail
    except BadRequestError as error:
        print("failed", error.status_code)


asyncio.run(main())
