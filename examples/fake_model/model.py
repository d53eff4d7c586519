"""The model as a whole: a conversation in, text or tool calls out, with the tokens counted."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from . import tools, writer
from .prompt import Prompt, read

_TOKEN = re.compile(r"\s*(?:\w{1,6}|[^\w\s])|\s+$")


@dataclass(frozen=True)
class Turn:
    """One message. `tool` is the name of the tool that a message of role `tool` comes from."""

    role: Literal["user", "assistant", "tool"]
    text: str
    tool: str = ""


@dataclass(frozen=True)
class Ask:
    """A request, whichever API it came through."""

    model: str
    turns: Sequence[Turn]
    system: str = ""
    tools: Sequence[tools.Tool] = ()
    tool_choice: str = "auto"
    """`auto`, `none`, `required`, or the name of the tool to call."""
    parallel_tools: bool = True
    max_tokens: int | None = None
    stop: Sequence[str] = ()
    schema: dict[str, Any] | None = None
    """JSON schema that the text has to satisfy."""
    json_object: bool = False
    """The text has to be a JSON object, whatever is in it."""
    think: bool = False
    """It thinks before it answers."""


@dataclass(frozen=True)
class Reply:
    """An answer: text, or calls of tools."""

    text: str
    finish: Literal["stop", "length", "stop_sequence", "tools"]
    input_tokens: int
    output_tokens: int
    calls: Sequence[tools.Call] = ()
    stop_sequence: str | None = field(default=None)
    """The one of `Ask.stop` that ended the text."""
    cached_tokens: int = 0
    """Of the input, what the request before this one in the conversation had sent."""
    thought: str = ""
    reasoning_tokens: int = 0
    """Of the output, those of the thought."""


def tokens(text: str) -> list[str]:
    """`text` cut into tokens: a token is up to six letters or one sign, with the space before it.

    >>> tokens("Night trains, again.")
    ['Night', ' trains', ',', ' again', '.']
    """
    return _TOKEN.findall(text)


def count_input(ask: Ask) -> int:
    """Tokens of the whole request; a message costs three more than its text, as its role is sent too."""
    texts = [ask.system, *(turn.text for turn in ask.turns)]
    offered = [json.dumps([tool.name, tool.description, tool.schema], sort_keys=True) for tool in ask.tools]
    return sum(len(tokens(text)) + 3 for text in [*texts, *offered] if text)


def count_cached(ask: Ask) -> int:
    """Tokens of all that stands before the model's last answer; 0 where a conversation begins."""
    last = max((i for i, turn in enumerate(ask.turns) if turn.role == "assistant"), default=0)
    return count_input(replace(ask, turns=ask.turns[:last])) if last else 0


def answer(ask: Ask) -> Reply:
    """What the model says. The same request gets the same answer, from every Python, on every machine."""
    prompt = _prompt(ask)
    reply = replace(_answer(ask, prompt), cached_tokens=count_cached(ask))
    if not ask.think:
        return reply
    thought = f"First to know: what is asked here is about {prompt.topic}."
    spent = len(tokens(thought))
    return replace(reply, thought=thought, reasoning_tokens=spent, output_tokens=reply.output_tokens + spent)


def _answer(ask: Ask, prompt: Prompt) -> Reply:
    calls = [] if ask.tool_choice == "none" else tools.choose(prompt, ask.tools, ask.tool_choice)
    if calls:
        calls = calls if ask.parallel_tools else calls[:1]
        spent = sum(len(tokens(call.name + call.arguments)) for call in calls)
        return Reply("", "tools", count_input(ask), spent, calls)
    text = writer.write(prompt)
    if ask.schema is not None:
        text = json.dumps(tools.from_text(ask.schema, text), ensure_ascii=False)
    elif ask.json_object and not text.startswith("{"):
        text = json.dumps({"answer": text}, ensure_ascii=False)
    return _cut(ask, text)


def _prompt(ask: Ask) -> Prompt:
    """The conversation as the writer sees it: the last message of the user, and what came of it since."""
    users = [i for i, turn in enumerate(ask.turns) if turn.role == "user"]
    last = users[-1] if users else -1
    since = ask.turns[last + 1 :]
    return read(
        ask.model,
        ask.system,
        ask.turns[last].text if users else "",
        [ask.turns[i].text for i in users[:-1]],
        [(turn.tool, turn.text) for turn in since if turn.role == "tool"],
    )


def _cut(ask: Ask, text: str) -> Reply:
    """End `text` where a stop sequence or the token limit ends it."""
    ends = [(at, stop) for stop in ask.stop if stop and (at := text.find(stop)) >= 0]
    stopped = min(ends, default=None)
    if stopped:
        text = text[: stopped[0]]
    pieces = tokens(text)
    spent = count_input(ask)
    if ask.max_tokens is not None and len(pieces) > ask.max_tokens:
        return Reply("".join(pieces[: ask.max_tokens]), "length", spent, ask.max_tokens)
    if stopped:
        return Reply(text, "stop_sequence", spent, len(pieces), stop_sequence=stopped[1])
    return Reply(text, "stop", spent, len(pieces))
