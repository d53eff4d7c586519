# packages: mcp==2.3.0 openai==3.14.0
# follow: mcp
# edges: weather1>tool tool>weather2 weather1>weather2 weather1>pack weather2>shorten
import asyncio
import json
import sys
from pathlib import Path

from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client
from openai import AsyncOpenAI

Path("server.py").write_text(
    "from mcp.server.mcpserver import MCPServer\n"
    "server = MCPServer('demo')\n"
    "@server.tool()\n"
    "def weather(city: str) -> str:\n"
    "    'The weather of a city.'\n"
    "    return 'Sunny in ' + city\n"
    "server.run('stdio')\n"
)
noted = []
create = AsyncOpenAI().chat.completions.create


def user(text):
    return {"role": "user", "content": text}


async def ask(messages, **more):
    answer = await create(model="m", messages=messages, **more)  #: weather1 weather2 shorten pack nothing
    return answer.choices[0].message


async def main():
    server = StdioServerParameters(command=sys.executable, args=["server.py"])
    async with stdio_client(server) as (read, write), ClientSession(read, write) as session:
        await session.initialize()
        listed = (await session.list_tools()).tools
        tools = [
            {"type": "function", "function": {"name": tool.name, "parameters": tool.input_schema}} for tool in listed
        ]
        messages = [user("What is the weather in Lisbon?")]
        message = await ask(messages, tools=tools)
        call = message.tool_calls[0]
        arguments = json.loads(call.function.arguments)
        noted.append(arguments["city"])
        result = await session.call_tool(call.function.name, arguments)  #: tool
        messages += [message, {"role": "tool", "tool_call_id": call.id, "content": result.content[0].text}]
        answer = (await ask(messages, tools=tools)).content
    await ask([user("Shorten: " + answer)])
    await ask([user("Pack a bag for " + noted[0])])
    await ask([user("Nothing of that.")])
    print(len(noted))


asyncio.run(main())
