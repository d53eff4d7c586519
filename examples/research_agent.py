"""A small research agent: it plans, searches in parallel, writes, has itself criticised, and revises.

    python research_agent.py [TOPIC]

The OpenAI SDK reads OPENAI_BASE_URL and OPENAI_API_KEY from the environment.
"""

from __future__ import annotations

import asyncio
import json
import sys

from openai import AsyncOpenAI, OpenAI
from openai.types.chat import ChatCompletion, ChatCompletionMessageParam

QUICK = "gpt-5.4-mini"
CAREFUL = "gpt-5.4"


def messages(role: str, task: str) -> list[ChatCompletionMessageParam]:
    return [{"role": "system", "content": role}, {"role": "user", "content": task}]


def text(reply: ChatCompletion) -> str:
    return reply.choices[0].message.content or ""


def plan(client: OpenAI, topic: str) -> list[str]:
    """The questions to search for."""
    task = f"Plan 3 search questions about {topic}. Answer with a JSON list of strings, nothing else."
    reply = client.chat.completions.create(model=QUICK, messages=messages("You plan research.", task))
    questions: list[str] = json.loads(text(reply))
    return questions


async def search(client: AsyncOpenAI, question: str) -> str:
    role = "You answer search questions in three sentences, with figures."
    return text(await client.chat.completions.create(model=QUICK, messages=messages(role, question)))


async def search_all(questions: list[str]) -> list[str]:
    async with AsyncOpenAI() as client:
        return await asyncio.gather(*(search(client, question) for question in questions))


def write(client: OpenAI, topic: str, notes: list[str]) -> str:
    """The first draft, shown while it is written."""
    task = f"Write a short report about {topic} from these notes:\n\n" + "\n\n".join(notes)
    stream = client.chat.completions.create(model=CAREFUL, messages=messages("You write reports.", task), stream=True)
    pieces = []
    for chunk in stream:
        piece = chunk.choices[0].delta.content or ""
        print(piece, end="", flush=True)
        pieces.append(piece)
    print()
    return "".join(pieces)


def criticise(client: OpenAI, draft: str) -> str:
    task = f"Criticise this report, point by point:\n\n{draft}"
    return text(client.chat.completions.create(model=CAREFUL, messages=messages("You are a strict editor.", task)))


def revise(client: OpenAI, draft: str, critique: str) -> str:
    task = f"Revise the draft so that it answers the critique.\n\nDraft:\n{draft}\n\nCritique:\n{critique}"
    return text(client.chat.completions.create(model=CAREFUL, messages=messages("You write reports.", task)))


def headline(name: str) -> None:
    print(f"\n--- {name} ".ljust(80, "-") + "\n")


def main(topic: str) -> None:
    with OpenAI() as client:
        headline("Questions")
        questions = plan(client, topic)
        print("\n".join(questions))
        answers = asyncio.run(search_all(questions))
        headline("Draft")
        notes = [f"## {question}\n{answer}" for question, answer in zip(questions, answers, strict=True)]
        draft = write(client, topic, notes)
        headline("Critique")
        critique = criticise(client, draft)
        print(critique)
        headline("Report")
        print(revise(client, draft, critique))


if __name__ == "__main__":
    main(" ".join(sys.argv[1:]) or "night trains in Europe")
