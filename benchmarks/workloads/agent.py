"""An agent: prompts from templates, replies parsed, tools called, messages kept. The model is a function here."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

SYSTEM = "You are a helpful assistant named {name}. Answer in {language}.\nTools:\n{tools}"
PROMPT = """# Question {number}

{question}

## What is known so far

{notes}

Reply with JSON."""


@dataclass
class Message:
    role: str
    content: str
    meta: dict[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        return {"role": self.role, "content": self.content}


class Tools:
    def __init__(self) -> None:
        self.known: dict[str, Callable[..., str]] = {}

    def register(self, function: Callable[..., str]) -> None:
        self.known[function.__name__] = function

    def call(self, name: str, **arguments: Any) -> str:
        try:
            return self.known[name](**arguments)
        except Exception as error:
            return f"Error: {type(error).__name__}: {error}"

    def described(self) -> str:
        return "\n".join(f"- {name}: {function.__doc__}" for name, function in self.known.items())


class Agent:
    def __init__(self, tools: Tools) -> None:
        self.tools = tools
        self.messages = [Message("system", SYSTEM.format(name="Ao", language="English", tools=tools.described()))]
        self.notes: list[str] = []

    def ask(self, number: int, question: str) -> str:
        notes = "\n".join(f"{index + 1}. {note}" for index, note in enumerate(self.notes[-5:])) or "nothing"
        self.messages.append(Message("user", PROMPT.format(number=number, question=question, notes=notes)))
        reply = model([message.as_dict() for message in self.messages[-6:]], question)
        self.messages.append(Message("assistant", reply, {"tokens": len(reply) // 4}))
        parsed = json.loads(reply)
        answer: str = parsed["answer"].strip()
        for call in parsed["calls"]:
            result = self.tools.call(call["name"], **call["arguments"])
            self.messages.append(Message("tool", result))
            answer += " " + result
        self.notes.append(answer[:60])
        return answer


def search(query: str) -> str:
    """Looks something up."""
    words = [word.strip(".,?").lower() for word in query.split()]
    return "Found: " + ", ".join(sorted({word for word in words if len(word) > 3}))


def calculate(a: int, b: int) -> str:
    """Adds two numbers."""
    return str(a + b)


def model(messages: list[dict[str, Any]], question: str) -> str:
    length = sum(len(message["content"]) for message in messages)
    calls = [
        {"name": "search", "arguments": {"query": question}},
        {"name": "calculate", "arguments": {"a": len(question), "b": len(messages)}},
        {"name": "fly", "arguments": {}},
    ]
    return json.dumps({"answer": f"  {question.split()[-1]} after {length} characters ", "calls": calls})


def inputs(size: int) -> list[str]:
    return [f"What is the meaning of number {n}, and who found out about it?" for n in range(10 * size)]


def work(questions: list[str]) -> tuple[list[str], int]:
    tools = Tools()
    tools.register(search)
    tools.register(calculate)
    agent = Agent(tools)
    answers = [agent.ask(number, question) for number, question in enumerate(questions)]
    return answers, sum(message.meta.get("tokens", 0) for message in agent.messages)
