"""An answer to each kind of task, written from word lists and from what the prompt itself says."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass

from .prompt import NUMBERS, Dice, Prompt, capitalised, keywords, phrases, sentences, topic_of

QUESTIONS = (
    "What do recent studies say about {}?",
    "Which costs and limits come up most in reports about {}?",
    "What do critics say about {}?",
    "Which figures matter most in the debate about {}?",
    "What did earlier attempts get right about {}?",
    "Which decisions come next about {}?",
    "What do practitioners wish others knew about {}?",
    "Which open questions remain about {}?",
    "Which long-term effects are known about {}?",
    "Which local examples are worth knowing about {}?",
)
ASPECTS = (
    "funding", "staffing", "maintenance", "public trust", "training", "regulation", "energy use", "coordination",
    "early planning", "access for small towns", "reliable data", "opening hours",
)  # fmt: skip
PLACES = ("in the larger cities", "outside the capitals", "along the coast", "in the north", "in smaller towns")
GAPS = (
    "independent data from the last two years", "a comparison with smaller places", "figures on long-term upkeep",
    "interviews with those who use it every day", "a trial that ran longer than a year",
)  # fmt: skip
COMMENTS = (
    "This is the firmest of the findings.",
    "Anyone who plans ahead should begin here.",
    "It would be easy to make too much of this.",
    "Others may read it differently.",
    "Nothing here has changed less over the years.",
    "No finding is quoted more often.",
)

COMPLAINTS = {
    "source": ("“{}” needs a source.", "Name the source of “{}”."),
    "reason": ("“{}” is stated without a reason.", "Give the reason behind “{}”."),
    "compare": ("“{}” means little with nothing to compare it to.", "Compare “{}” with something."),
    "when": ("“{}” should say when this was seen.", "Say when “{}” was true."),
    "example": ("“{}” stays abstract: add an example.", "An example would carry “{}” further."),
}
REMEDIES = {
    "source": ("The notes are the only source for this.", "This rests on the notes alone, which name no source."),
    "reason": ("The notes give no reason for it.", "Why this is so remains open."),
    "compare": ("There is no second figure to compare it with yet.", "Nothing in the notes compares with it."),
    "when": ("The notes do not say when this was seen.", "When this was seen is not recorded."),
    "example": ("The notes offer no single example.", "An example has still to be found."),
}


def write(prompt: Prompt) -> str:
    """The text of the answer."""
    if prompt.results:
        return _from_results(prompt)
    return _WRITERS.get(prompt.task, _chat)(prompt)


def _plan(prompt: Prompt) -> str:
    asked = re.search(rf"\b(\d+|{'|'.join(NUMBERS)})\b", prompt.instruction, re.IGNORECASE)
    count = 3
    if asked:
        count = NUMBERS.get(asked[1].lower()) or int(asked[1])
    chosen = prompt.dice(prompt.topic).sample(QUESTIONS, max(1, count))
    questions = [question.format(prompt.topic) for question in chosen]
    if "json" in (prompt.system + prompt.user).lower():
        return json.dumps(questions, ensure_ascii=False, indent=2)
    return "\n".join(f"{number}. {question}" for number, question in enumerate(questions, start=1))


def _answer(prompt: Prompt) -> str:
    asked = [sentence for sentence in sentences(prompt.user) if sentence.endswith("?")]
    return _findings(asked[-1] if asked else prompt.topic, prompt.dice(prompt.user))


def _findings(question: str, dice: Dice) -> str:
    """Three sentences that name what `question` asks about."""
    topic = topic_of(question)
    angle = next(iter(phrases(question.partition(topic)[0] if topic else "")), "")
    if not topic:
        topic = f"“{question}”" if question.endswith("?") else question
    sources = dice.number(7, 19)
    agreeing = dice.number(3, sources - 2)
    first, second, third = dice.sample(ASPECTS, 3)
    year = dice.number(2012, 2021)
    opening = dice.pick(
        (
            "On {angle}, {agreeing} of {sources} sources about {topic} put {first} first.",
            "Of {sources} sources about {topic} that deal with {angle}, {agreeing} point to {first}.",
            "Asked about {angle}, {agreeing} of {sources} sources about {topic} mention {first}.",
        )
        if angle
        else (
            "Of {sources} sources about {topic}, {agreeing} put {first} first.",
            "On {topic}, {agreeing} of {sources} sources point to {first}.",
        )
    )
    figure = dice.pick(
        (
            "Since {year}, satisfaction with {second} has grown by {percent} percent, mostly {place}.",
            "Spending on {second} rose by {percent} percent between {year} and {later}, mostly {place}.",
            "In a survey from {later}, {percent} percent worried about {second}, most of them {place}.",
            "The longest trial took {months} months and met {met} of 9 goals, {second} not among them.",
            "Where {second} was settled first, {percent} percent of the projects ended in time, most of them {place}.",
            "Complaints about {second} fell by {percent} percent within {months} months, above all {place}.",
        )
    )
    closing = dice.pick(
        (
            "Still missing: {gap}.",
            "The sources disagree about {third}, and none offers {gap}.",
            "Less is known about {third}; {gap} would help.",
        )
    )
    return " ".join((opening, figure, closing)).format(
        angle=angle, topic=topic, sources=sources, agreeing=agreeing,
        first=first, second=second, third=third, year=year, later=year + dice.number(2, 4),
        percent=dice.number(11, 74), months=dice.number(6, 40), met=dice.number(3, 8),
        place=dice.pick(PLACES), gap=dice.pick(GAPS),
    )  # fmt: skip


_FIGURES = tuple(map(re.compile, (r"\d+(?:[.,]\d+)? ?(?:percent|%)", r"\d+ of \d+", r"\d+(?:[.,]\d+)*")))


@dataclass(frozen=True)
class _Note:
    question: str
    """The heading or the question that the note answers; may be empty."""
    facts: tuple[str, ...]


def _notes(text: str) -> list[_Note]:
    """The notes in `text`: a bullet, a numbered line, a heading or an empty line begins a new one."""
    notes, question = [], ""
    for block in re.split(r"\n\s*\n|\n(?=[ \t]*(?:[-*•]|\d+[.)]|#+)\s)", text):
        heading, facts = "", []
        for sentence in sentences(block):
            bare = re.sub(r"^(?:[-*•]|\d+[.)]|#+)\s+", "", sentence)
            if bare.endswith(("?", ":")) or sentence.startswith("#"):
                heading = bare
            elif keywords(bare):
                facts.append(bare)
        question = heading or question
        if facts:
            notes.append(_Note(question, tuple(facts)))
            question = ""
    return notes


def _telling(facts: tuple[str, ...], count: int) -> list[str]:
    """The `count` sentences that say most, in their own order: those with a figure before others."""
    best = sorted(facts, key=lambda fact: not re.search(r"\d", fact))[:count]
    return [fact for fact in facts if fact in best]


def _report(prompt: Prompt) -> str:
    notes = _notes(prompt.section("note", "finding", "result", "source", "material") or prompt.material)
    if not notes:
        notes = [_Note("", tuple(sentences(_findings(prompt.topic, prompt.dice(prompt.topic)))))]
    dice = prompt.dice(prompt.topic, str(len(notes)))
    findings = f"{len(notes)} finding{'s' if len(notes) > 1 else ''}"
    opening = dice.pick(
        (
            "What the search says about {topic} comes down to {findings}.",
            "This report puts together {findings} about {topic}.",
            "The state of {topic}, in {findings}.",
        )
    ).format(topic=prompt.topic, findings=findings)
    comments = dice.sample(COMMENTS, len(notes))
    body = [_paragraph(note, comments[i % len(comments)]) for i, note in enumerate(notes)]
    closing = dice.pick(("Taken together, remember", "All in all, it comes down to", "What to keep in mind:"))
    body.append(f"{closing} {_listed([_gist(note) for note in notes])}.")
    return "\n\n".join([f"# {capitalised(prompt.topic)}", opening, *body])


def _paragraph(note: _Note, comment: str) -> str:
    heading = "".join(f"## {capitalised(phrase)}\n\n" for phrase in phrases(note.question)[:1])
    return heading + " ".join([*_telling(note.facts, 2), comment])


def _gist(note: _Note) -> str:
    """The figure that a note is remembered by, or its first words that carry meaning."""
    text = " ".join(note.facts)
    figure = next((match[0] for pattern in _FIGURES if (match := pattern.search(text))), " ".join(keywords(text)[:3]))
    subject = "".join(f" ({phrase})" for phrase in phrases(note.question)[:1])
    return figure + subject


def _listed(items: list[str]) -> str:
    """`items` as "a, b and c"."""
    return " and ".join([", ".join(items[:-1]), items[-1]]) if len(items) > 1 else items[0]


def _criticise(prompt: Prompt) -> str:
    points = _points(prompt.section("draft", "report", "text", "essay") or prompt.material, prompt)
    if not points:
        return "There is nothing to criticise here yet: the text is empty."
    opening = prompt.dice(*points).pick(
        ("The text holds together, but these points need work:", "Clear on the whole. What should change:")
    )
    return "\n".join([opening, *(f"{number}. {point}" for number, point in enumerate(points, start=1))])


def _points(text: str, prompt: Prompt) -> list[str]:
    """One complaint a paragraph, at most four, each with the phrase it is about between quotes."""
    paragraphs = [part for part in re.split(r"\n\s*\n", text) if part.strip() and not part.lstrip().startswith("#")]
    # The first and the last paragraph of a longer text say what the others say.
    points = []
    for paragraph in (paragraphs[1:-1] or paragraphs)[:4]:
        dice = prompt.dice(paragraph)
        sentence = dice.pick(_telling(tuple(sentences(paragraph)), 2))
        points.append(dice.pick(dice.pick(list(COMPLAINTS.values()))).format(_phrase(sentence)))
    return points


def _phrase(sentence: str) -> str:
    """Some seven words of `sentence`, exactly as they stand there, around its first figure."""
    words = list(re.finditer(r"[^\s\"“”]+", sentence))
    centre = next((i for i, word in enumerate(words) if re.search(r"\d", word[0])), len(words) // 2)
    chosen = words[max(0, centre - 3) : centre + 4]
    return sentence[chosen[0].start() : chosen[-1].end()].strip(' .,;:!?()"“”') if chosen else sentence


def _revise(prompt: Prompt) -> str:
    """The draft, with an answer to each point of the critique at the place that it quotes."""
    named = prompt.section("draft", "report", "text", "essay", "version")
    draft = prompt.sections[0][1] if named is None else named
    critique = prompt.section("critique", "critic", "review", "feedback", "comment", "point")
    points = _points(draft, prompt) if critique is None else _separate(critique)
    paragraphs = re.split(r"\n\s*\n", draft)
    for point in points:
        quote = re.search(r"[\"“](.+?)[\"”]", point)
        dice = prompt.dice(point)
        at = next((i for i, paragraph in enumerate(paragraphs) if quote and quote[1] in paragraph), None)
        if quote is None or at is None:
            added = dice.pick(("One more thing belongs here: {}", "The review asks for this, too: {}"))
            paragraphs.append(added.format(point[:1].lower() + point[1:]))
            continue
        complaint = point.replace(quote[0], "").lower()
        remedy = next((kind for kind in REMEDIES if kind in complaint), None)
        text = dice.pick(REMEDIES[remedy]) if remedy else f"(Reviewed: {point})"
        end = _sentence_end(paragraphs[at], paragraphs[at].index(quote[1]) + len(quote[1]))
        paragraphs[at] = f"{paragraphs[at][:end]} {text}{paragraphs[at][end:]}"
    return "\n\n".join(paragraphs)


def _sentence_end(text: str, start: int) -> int:
    """Where the sentence ends that goes on at `start`."""
    stop = re.compile(r"[.!?](?=\s|$)").search(text, start)
    return stop.end() if stop else len(text)


def _separate(critique: str) -> list[str]:
    """The points of a critique: its list items, or else its sentences."""
    items = re.findall(r"^[ \t]*(?:[-*•]|\d+[.)])[ \t]+(.+)$", critique, re.MULTILINE)
    return items or sentences(critique)


def _rate(prompt: Prompt) -> str:
    scale = re.search(r"(?:(\d+) ?(?:to|-|–) ?|out of |of )(\d+)", f"{prompt.system} {prompt.instruction}")
    low, high = (int(scale[1] or 1), int(scale[2])) if scale else (1, 10)
    return str(prompt.dice(prompt.material).number(min(low, high), max(low, high)))


def _summarise(prompt: Prompt) -> str:
    notes = _notes(prompt.material or prompt.user)
    facts = [fact for note in notes for fact in _telling(note.facts, 2 if len(notes) == 1 else 1)]
    return " ".join(["In short:", *facts]) if facts else "There is nothing to summarise."


def _from_results(prompt: Prompt) -> str:
    """An answer that quotes what the tools said."""
    said = "; ".join(f"{tool} says {_flat(output)}" for tool, output in prompt.results)
    about = _listed(_things(prompt.user)[:2] or ["that"])
    close = ("So much for {}.", "That answers the question of {}.", "For {}, nothing more is needed.")
    return f"{said}. {prompt.dice(said).pick(close).format(about)}"


def _flat(output: str) -> str:
    """A tool's output as words: a JSON object becomes "key value, key value"."""
    try:
        value = json.loads(output)
    except ValueError:
        return " ".join(output.split()).rstrip(".")
    if isinstance(value, dict):
        return ", ".join(f"{key} {inner}" for key, inner in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _chat(prompt: Prompt) -> str:
    about = _things(prompt.user)
    if not about or len(prompt.user.split()) < 3:
        return (f"You say “{prompt.user}”. " if prompt.user else "") + "What would you like to know?"
    dice = prompt.dice(prompt.user)
    parts = [
        dice.pick(
            (
                "For {}, I would plan about {} minutes and start before ten.",
                "With {} in mind, allow {} minutes and begin with the part that you know least.",
                "{} is a good place to start: {} minutes will do.",
            )
        ).format(about[0], dice.number(3, 18) * 5)
    ]
    if len(about) > 1:
        second = dice.pick(("Leave {} for later.", "Do not forget {}.", "After that, {}."))
        parts.append(second.format(_listed(about[1:3])))
    before = _things(prompt.earlier[-1])[:1] if prompt.earlier else []
    parts += [dice.pick(("It goes well with {}, too.", "And keep {} in mind.")).format(phrase) for phrase in before]
    return capitalised(" ".join(parts))


def _things(text: str) -> list[str]:
    """The phrases of `text`, each with the article that stands before it."""
    articles = "(?:an?|the|some|two|three) "
    found = [re.search(rf"(?:\b{articles})?\b{re.escape(phrase)}", text) for phrase in phrases(text)]
    return [match[0] for match in found if match]


_WRITERS: dict[str, Callable[[Prompt], str]] = {
    "plan": _plan,
    "answer": _answer,
    "report": _report,
    "criticise": _criticise,
    "revise": _revise,
    "rate": _rate,
    "summarise": _summarise,
}
