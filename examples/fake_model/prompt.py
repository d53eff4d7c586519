"""What a prompt asks for, read with patterns: the task, the topic and the material to work on."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import TypeVar

T = TypeVar("T")

# Read in this order where two begin at the same word: "write three questions" is a plan, no report.
TASKS = {
    "plan": r"plan\w*|break (?:\w+ )?down|(?:list|suggest|propose|write|give|name|generate|come up with)\b"
    r"[^.]*?\b(?:sub-?)?(?:questions|queries|searches|steps)",
    "revise": r"revis\w*|rewrit\w*|improv\w*|edit\w*|polish\w*|rework\w*",
    "criticise": r"critic\w*|critiqu\w*|review\w*|find (?:the |all )?(?:faults|weaknesses|problems|mistakes)",
    "rate": r"rat(?:e|es|ing)|scor\w*|grad(?:e|es|ing)|judge\w*",
    "summarise": r"summar\w*|shorten\w*|condens\w*",
    "report": r"write\w*|writing|compos\w*|draft\w*|report\w*",
    "answer": r"answer\w*|search\w*|find|explain\w*|research\w*|tell|describ\w*|look up"
    r"|(?:what|which|who|whom|whose|when|where|why|how)\b[^.!]*\?",
}
_TASK = {task: re.compile(rf"\b(?:{pattern})", re.IGNORECASE) for task, pattern in TASKS.items()}
_POLITE = re.compile(
    r"(?:please|now|then|next|first|finally|can you|could you|i want you to|your task is to"
    r"|you (?:are to|should|must)|[\s,])*",
    re.IGNORECASE,
)

# No topic: function words, and the verbs and adverbs of questions and instructions.
STOP = frozenset(
    re.findall(
        r"\S+",
        """
        a about above across after again against all along also am an and answer any are around as asked at be because
        been before behind being beside between both but by can come could describe did do does doing don't during each
        eight explain far few find first five for found four from get give gives goes good had has have having help her
        here him his how i i'm if in into is it its json just keep knew know knowing let let's like likely list make
        makes many matter matters may me might more most much must my name near need next nine no nor not now of on one
        only or other others our out over own per plan please propose put recommend remain right said same say says see
        sentence sentences seven she should since six so some still such suggest take teach tell ten than that the their
        them then there these they this those three through till to today tomorrow too toward towards two under until up
        us use used using very want was we were what when where which while who whom whose why will wish with within
        without word words worth would write yes you your
        """,
    )
)
NUMBERS = {
    word: number
    for number, word in enumerate(
        ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"], start=1
    )
}

_WORD = re.compile(r"[^\W_][\w'’-]*")
_TOPIC = (
    re.compile(r"\b(?:topic|subject|theme)(?: is|:)\s*(.+)", re.IGNORECASE),
    re.compile(r"\b(?:about|regarding|concerning)\s+(.+)", re.IGNORECASE),
    re.compile(r"\b(?:report|essay|article|text|questions|queries|research|notes|work) on\s+(.+)", re.IGNORECASE),
    re.compile(r"[\"“]([^\"”]+)"),
)
_TOPIC_END = re.compile(
    r"(?<!(?-i:[A-Z]))[.?!;:](?:\s|$)|\n|[\"”]|\s+(?:from|using|based on|with) (?:the|these|this|my|our)\b"
    r"|,\s+(?:answer|return|reply|respond|as|in|using)\b",
    re.IGNORECASE,
)
_SECTION = re.compile(r"^(?:#{1,6} )?([A-Z][A-Za-z '-]{1,40}):[ \t]*$|^<(\w+)>[ \t]*$", re.MULTILINE)


class Dice:
    """Choices that look random and depend on nothing but the text they are seeded with.

    Not `random.Random`: its `choice` and `sample` have given other results from one Python to the
    next, and an answer has to be the same on all of them.
    """

    def __init__(self, *seed: str) -> None:
        self._seed = "\0".join(seed).encode()
        self._rolls = 0

    def number(self, low: int, high: int) -> int:
        """A whole number from `low` to `high`, both included."""
        self._rolls += 1
        digest = blake2b(self._seed, digest_size=8, salt=self._rolls.to_bytes(4, "big")).digest()
        return low + int.from_bytes(digest, "big") % (high - low + 1)

    def pick(self, options: Sequence[T]) -> T:
        """One of `options`."""
        return options[self.number(0, len(options) - 1)]

    def sample(self, options: Sequence[T], count: int) -> list[T]:
        """`count` different ones of `options`; all of them where there are fewer."""
        rest = list(options)
        return [rest.pop(self.number(0, len(rest) - 1)) for _ in range(min(count, len(options)))]


@dataclass(frozen=True)
class Prompt:
    """A conversation, as far as it matters for the answer."""

    model: str
    system: str
    user: str
    """The last message of the user."""
    earlier: tuple[str, ...]
    """The user's messages before it, oldest first."""
    results: tuple[tuple[str, str], ...]
    """`(tool, output)` of the tools that ran since the last message of the user."""
    task: str
    """A key of `TASKS`, or `chat`."""
    instruction: str
    """The part of the last message that says what to do; may be empty."""
    material: str
    """The rest of it: the notes, the draft, the text to judge."""

    @property
    def topic(self) -> str:
        """What the instruction is about; where it names nothing, the first words that carry meaning."""
        return (
            topic_of(self.instruction)
            or topic_of(self.user)
            or " ".join(keywords(self.material or self.user)[:4])
            or "this"
        )

    @property
    def sections(self) -> list[tuple[str, str]]:
        """The labelled parts of the material as `(label, text)`; label is "" where there is none."""
        marks = list(_SECTION.finditer(self.material))
        if not marks:
            return [("", self.material.strip())]
        ends = [mark.start() for mark in marks[1:]] + [len(self.material)]
        parts = []
        for mark, end in zip(marks, ends, strict=True):
            text = re.sub(r"^</\w+>[ \t]*$", "", self.material[mark.end() : end], flags=re.MULTILINE)
            parts.append(((mark[1] or mark[2]).lower(), text.strip()))
        return parts

    def section(self, *names: str) -> str | None:
        """The text of the first section whose label has one of `names` in it."""
        return next((text for label, text in self.sections if any(name in label for name in names)), None)

    def dice(self, *part: str) -> Dice:
        """Choices for one part of the answer.

        Seeded with the instruction and that part only, so that a change of one note changes what is
        written about that note, and not the wording of all others.
        """
        return Dice(self.model, self.system, self.instruction, *part)


def read(
    model: str, system: str, user: str, earlier: Sequence[str] = (), results: Sequence[tuple[str, str]] = ()
) -> Prompt:
    """What this conversation asks for.

    An instruction is a sentence of the user that begins with the verb of a task, in the opening or
    in the last paragraph: a draft to be judged is full of such verbs, but hardly there. Without one,
    the system prompt says what to do, and the whole message is material.
    """
    user = user.strip()
    opening, material = _opening(user)
    task = _ordered(opening)
    instruction = opening
    if task is None and "\n\n" in user:
        before, _, last = user.rpartition("\n\n")
        task, instruction, material = _ordered(last), last, before
    if task is None:
        task, instruction, material = _mentioned(system), "", user
    return Prompt(model, system, user, tuple(earlier), tuple(results), task or "chat", instruction, material)


def _opening(text: str) -> tuple[str, str]:
    """Up to the first empty line or the first colon, and what follows."""
    head, _, rest = text.partition("\n\n")
    colon = re.search(r":\s", head)
    # What stands before a colon is no instruction in "Topic: bees", nor where it labels the lines below it.
    if colon and not (head[: colon.start()].isalpha() and colon[0] == ":\n") and _ordered(head[: colon.start()]):
        return head[: colon.start()], text[colon.end() :].strip()
    return head, rest.strip()


def _ordered(text: str) -> str | None:
    """The task that a sentence of `text` orders, by beginning with its verb."""
    for sentence in sentences(text):
        if re.fullmatch(r"\w+:", sentence):
            continue  # "Draft:" and "Review:" are labels, and not verbs
        polite = _POLITE.match(sentence)
        for task, pattern in _TASK.items():
            if pattern.match(sentence, polite.end() if polite else 0):
                return task
    return None


def _mentioned(text: str) -> str | None:
    """The task whose words come first in `text`."""
    found = [(match.start(), task) for task, pattern in _TASK.items() if (match := pattern.search(text))]
    return min(found, key=lambda hit: hit[0])[1] if found else None


def topic_of(text: str) -> str:
    """What `text` says it is about, or "".

    >>> topic_of("Plan 3 search questions about the price of milk. Answer with JSON.")
    'the price of milk'
    """
    for pattern in _TOPIC:
        if match := pattern.search(text):
            topic = _TOPIC_END.split(match[1], maxsplit=1)[0].strip(" '\"“”.,:")
            if topic:
                return topic
    return ""


def sentences(text: str) -> list[str]:
    """The sentences of `text`, each with its full stop; a line break ends one too."""
    return [part.strip() for part in re.split(r"(?<=[.!?])\s+|\n+", text) if part.strip()]


def keywords(text: str) -> list[str]:
    """The words that carry meaning, each once, in their order and as they are written."""
    words: dict[str, str] = {}
    for word in _WORD.findall(text):
        if _matters(word):
            words.setdefault(word.lower(), word)
    return list(words.values())


def phrases(text: str) -> list[str]:
    """Runs of words that carry meaning, joined by "and", "or" and "of" where these stand between.

    >>> phrases("Which costs and limits come up most in recent reports?")
    ['costs and limits', 'recent reports']
    """
    return list(dict.fromkeys(_runs(text)))


def _runs(text: str) -> Iterator[str]:
    for clause in re.split(r"[^\w\s'’-]", text):
        run: list[str] = []
        for word in [*_WORD.findall(clause), "."]:
            if _matters(word) or (run and word in ("and", "or", "of")):
                run.append(word)
            elif run:
                while run[-1] in ("and", "or", "of"):
                    run.pop()
                yield " ".join(run)
                run = []


def _matters(word: str) -> bool:
    return len(word) > 2 and word.lower() not in STOP and not word[0].isdigit()


def capitalised(text: str) -> str:
    """`text` as the beginning of a sentence."""
    return text[:1].upper() + text[1:]
