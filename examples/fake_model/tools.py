"""Which of the offered tools to call, and values that satisfy a JSON schema."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, cycle
from typing import Any

from .prompt import Prompt, keywords, phrases, sentences

_DEPTH = 6  # a schema may refer to itself

Leaf = Callable[[str, dict[str, Any]], Any]
"""Makes a string, number or boolean, given the name of the property and its schema."""


@dataclass(frozen=True)
class Tool:
    """A tool as a request offers it."""

    name: str
    description: str
    schema: dict[str, Any]


@dataclass(frozen=True)
class Call:
    """A tool that the model wants run. `arguments` is JSON, as it goes over the wire."""

    name: str
    arguments: str


def choose(prompt: Prompt, tools: Sequence[Tool], choice: str) -> list[Call]:
    """The tools to call: none where the prompt does not ask for what a tool says it does.

    A prompt asks for a tool when it shares a word with the tool's name, description or properties.
    Where it names several things of the kind that the tool takes ("the weather in Paris and
    Rome"), there is a call for each. After a tool has answered, the model answers in words.
    """
    if not tools or (prompt.results and choice in ("auto", "required")):
        return []
    named = [tool for tool in tools if tool.name == choice]
    asked = _stems(prompt.user)
    shared = {tool.name: len(asked & _stems(_about(tool))) for tool in tools}
    best = named[0] if named else max(tools, key=lambda tool: shared[tool.name])
    if not named and choice != "required" and not shared[best.name]:
        return []
    names = _names(prompt.user, best)
    subjects = names if len(names) > 1 and _takes_text(best) else [""]
    return [Call(best.name, json.dumps(_arguments(best, prompt, subject), ensure_ascii=False)) for subject in subjects]


def _about(tool: Tool) -> str:
    return " ".join([tool.name, tool.description, *tool.schema.get("properties", {})]).replace("_", " ")


def _stems(text: str) -> set[str]:
    """Words that carry meaning, cut to five letters, so that "multiply" meets "multiplied"."""
    return {word.lower()[:5] for word in keywords(text)}


def _takes_text(tool: Tool) -> bool:
    properties = tool.schema.get("properties", {})
    first = next(iter(tool.schema.get("required") or properties), "")
    return bool(properties.get(first, {}).get("type") == "string")


def _names(text: str, tool: Tool) -> list[str]:
    """Proper names: words with a capital letter that begin no sentence and are no option of the tool's."""
    options = {
        str(option).lower() for part in tool.schema.get("properties", {}).values() for option in part.get("enum", ())
    }
    found = [name for part in sentences(text) for name in re.findall(r"(?<=\s)[A-Z][\w-]+(?: [A-Z][\w-]+)*", part)]
    return [name for name in dict.fromkeys(found) if name.lower() not in options]


def _arguments(tool: Tool, prompt: Prompt, subject: str) -> Any:
    """Arguments for `tool` from the words and numbers of the prompt."""
    dice = prompt.dice(prompt.user, tool.name)
    numbers = iter(re.findall(r"-?\d+(?:\.\d+)?", prompt.user))
    names = _names(prompt.user, tool)

    def leaf(name: str, schema: dict[str, Any]) -> Any:
        kind = schema["type"]
        if kind in ("integer", "number"):
            low = int(schema.get("minimum", 1))
            number = next(numbers, None)
            value = dice.number(low, int(schema.get("maximum", low + 9))) if number is None else float(number)
            return int(value) if kind == "integer" else value
        if kind == "boolean":
            return True
        if subject or re.search(r"quer|question|prompt|text|topic", name) is None:
            return subject or next(chain(names, phrases(prompt.user)), prompt.user)
        return prompt.topic

    return fill(tool.schema, leaf, mentioned=prompt.user)


def from_text(schema: dict[str, Any], text: str) -> Any:
    """A value for a structured answer whose strings are the sentences of `text`."""
    try:
        listed = json.loads(text)
    except ValueError:
        listed = None
    lines = listed if isinstance(listed, list) else [re.sub(r"^(?:\d+\.|#+) ", "", line) for line in sentences(text)]
    supply: Iterator[str] = cycle(map(str, lines or [text]))
    numbers: Iterator[str] = cycle(re.findall(r"\d+", text) or ["1"])

    def leaf(_name: str, schema: dict[str, Any]) -> Any:
        if schema["type"] in ("integer", "number"):
            low, high = int(schema.get("minimum", 0)), schema.get("maximum")
            value = max(low, int(next(numbers)))
            return value if high is None else min(value, int(high))
        return True if schema["type"] == "boolean" else next(supply)

    return fill(schema, leaf, mentioned=text, items=3)


def fill(schema: dict[str, Any], leaf: Leaf, mentioned: str, items: int = 1) -> Any:
    """A value that satisfies `schema`, as far as types, enums, bounds and required properties go.

    Args:
        schema: a JSON schema; `$ref` is followed within it.
        leaf: makes strings, numbers and booleans.
        mentioned: text that decides between the options of an enum: the one that it names.
        items: how long lists become, within the bounds that the schema sets.
    """
    definitions = schema.get("$defs") or schema.get("definitions") or {}

    def value(part: dict[str, Any], name: str, depth: int) -> Any:
        while "$ref" in part:
            part = definitions.get(part["$ref"].rpartition("/")[2], {})
        for key in ("anyOf", "oneOf", "allOf"):
            if part.get(key):
                options = [option for option in part[key] if option.get("type") != "null"]
                return value(options[0], name, depth) if options and depth < _DEPTH else None
        if "const" in part:
            return part["const"]
        if part.get("enum"):
            text = mentioned.lower()
            return next((option for option in part["enum"] if str(option).lower() in text), part["enum"][0])
        kind = part.get("type", "object" if "properties" in part else "string")
        if isinstance(kind, list):
            kind = next((each for each in kind if each != "null"), "null")
        if kind == "object":
            wanted = part.get("required") or part.get("properties", {})
            return {key: value(part.get("properties", {}).get(key, {}), key, depth + 1) for key in wanted}
        if kind == "array":
            count = max(part.get("minItems", 0), min(items, part.get("maxItems", items)))
            return [value(part.get("items", {}), name, depth + 1) for _ in range(count if depth < _DEPTH else 0)]
        return None if kind == "null" else leaf(name, {**part, "type": kind})

    return value(schema, "", 0)
