"""What the example model writes: the right kind of text, from the words of the prompt, always the same."""

from __future__ import annotations

import json
import re

import pytest
from fake_model.model import Ask, Turn, answer, tokens
from fake_model.prompt import phrases, read, topic_of
from fake_model.tools import Tool, from_text

NOTES = """## What do critics say about night trains?
On critics, 5 of 9 sources about night trains put staffing first. Delays grew by 31 percent.

## Which open questions remain about night trains?
Nobody knows who pays for new carriages."""

DRAFT = """# Night trains

What the search says about night trains.

## Critics

Delays grew by 31 percent. This is the firmest of the findings.

All in all, it comes down to 31 percent."""


def say(user: str, system: str = "", model: str = "gpt-5.4", earlier: tuple[str, ...] = ()) -> str:
    turns = [Turn("user", text) for text in (*earlier, user)]
    return answer(Ask(model, turns, system)).text


def test_the_same_words_come_out_on_every_python_and_machine() -> None:
    assert say("What do critics say about night trains?", "You answer search questions.") == (
        "On critics, 3 of 18 sources about night trains put energy use first. Complaints about opening hours fell by "
        "69 percent within 19 months, above all in the larger cities. Still missing: independent data from the last "
        "two years."
    )


@pytest.mark.parametrize(
    ("system", "user", "task"),
    [
        ("You plan research.", "Topic: bees", "plan"),
        ("", "Write 3 search queries about bees.", "plan"),
        ("", "Please break down this problem: bees die.", "plan"),
        ("You are helpful.", "Write a report about bees from these notes:\n- They fly.", "report"),
        ("You write short texts.", "Notes:\n- They fly.\n- They rest.", "report"),
        ("You rate texts.", DRAFT, "rate"),
        ("", f"Rate this report from 1 to 5:\n\n{DRAFT}", "rate"),
        ("You are a strict critic.", DRAFT, "criticise"),
        ("", f"{DRAFT}\n\nCould you criticise this report?", "criticise"),
        ("You write reports.", f"Draft:\n{DRAFT}\n\nReview:\nToo short.\n\nRevise the draft accordingly.", "revise"),
        ("", "Summarise: bees fly.", "summarise"),
        ("", "Why do bees dance?", "answer"),
        ("You answer questions.", "bees", "answer"),
        ("", "Good evening to all of you", "chat"),
    ],
)
def test_the_task_is_read_from_the_instruction_and_not_from_the_material(system: str, user: str, task: str) -> None:
    assert read("m", system, user).task == task


@pytest.mark.parametrize(
    ("text", "topic"),
    [
        ("Plan 3 questions about the price of milk. Answer with JSON.", "the price of milk"),
        ("Write a report about trains, planes and cars from these notes:", "trains, planes and cars"),
        ("Topic: the U.S. railways\nGo on.", "the U.S. railways"),
        ('Give three questions on "slow food"', "slow food"),
        ("Good evening", ""),
    ],
)
def test_the_topic_is_what_the_text_says_it_is_about(text: str, topic: str) -> None:
    assert topic_of(text) == topic


def test_phrases_are_the_runs_of_words_that_carry_meaning() -> None:
    assert phrases("Which costs and limits come up in recent reports?") == ["costs and limits", "recent reports"]


def test_a_plan_is_a_json_list_of_questions_that_name_the_topic() -> None:
    questions = json.loads(say("Plan 4 search questions about bees in winter. Answer with a JSON list."))
    assert len(set(questions)) == 4
    assert all(question.endswith("about bees in winter?") for question in questions)


def test_a_plan_without_json_is_a_numbered_list() -> None:
    assert re.fullmatch(r"1\. .+bees\?\n2\. .+bees\?", say("List two questions about bees."))


@pytest.mark.parametrize("question", ["Which costs come up about ferries?", "How many ferries cross to Malta?"])
def test_an_answer_names_what_the_question_is_about(question: str) -> None:
    text = say(question)
    assert "ferries" in text
    assert len(re.findall(r"[.?!”](?=\s|$)", text)) >= 3


def test_a_report_quotes_the_facts_of_every_note_under_its_question() -> None:
    text = say(f"Write a report about night trains from these notes:\n\n{NOTES}", "You write reports.")
    assert text.startswith("# Night trains\n")
    assert "## Critics\n\nOn critics, 5 of 9 sources about night trains put staffing first. Delays grew by 31" in text
    assert "## Open questions\n\nNobody knows who pays for new carriages." in text
    assert "31 percent (critics)" in text.splitlines()[-1]


def test_a_changed_note_changes_its_own_paragraph_and_the_conclusion_only() -> None:
    task = "Write a report about night trains from these notes:\n\n"
    before = say(task + NOTES).split("\n\n")
    after = say(task + NOTES.replace("Delays grew by 31 percent", "Delays fell by 4 percent")).split("\n\n")
    changed = [new for old, new in zip(before, after, strict=True) if old != new]
    assert len(changed) == 2
    assert all("4 percent" in paragraph for paragraph in changed)


def test_a_report_without_notes_still_is_about_its_topic() -> None:
    assert "bees" in say("Write an essay about bees.").splitlines()[-3]


def test_a_critique_quotes_phrases_of_the_text() -> None:
    text = say(f"Criticise this report:\n\n{DRAFT}")
    quotes = re.findall("“(.+?)”", text)
    assert quotes
    assert all(quote in DRAFT for quote in quotes)


def test_a_revision_keeps_the_draft_and_answers_each_point_of_the_critique() -> None:
    critique = "1. “grew by 31 percent” needs a source.\n2. Say what a ticket costs."
    text = say(f"Revise the draft.\n\nDraft:\n{DRAFT}\n\nCritique:\n{critique}")
    grown = next(line for line in text.splitlines() if line.startswith("Delays grew by 31 percent."))
    assert re.search(r"percent\. .*(source).* This is the firmest", grown)
    assert text.splitlines()[-1].endswith(": say what a ticket costs.")


def test_sections_are_read_from_tags_as_well_as_from_labels() -> None:
    prompt = read("m", "", "Revise it.\n\n<draft>\nBees fly.\n</draft>\n<critique>\nThey do more.\n</critique>")
    assert prompt.sections == [("draft", "Bees fly."), ("critique", "They do more.")]


def test_a_rating_is_a_number_on_the_scale_that_is_asked_for() -> None:
    ratings = {int(say(f"Rate this text from 3 to 5: text number {n}")) for n in range(40)}
    assert ratings == {3, 4, 5}


def test_a_summary_takes_the_telling_sentence_of_every_part() -> None:
    text = say("Summarise this:\n\n- The sky is blue. It has 3 clouds.\n- Rain comes at 4.")
    assert text == "In short: It has 3 clouds. Rain comes at 4."


def test_a_chat_answers_with_the_words_of_this_turn_and_the_one_before() -> None:
    text = say("Recommend a place with live music.", earlier=("I like old ferries.",))
    assert "place" in text
    assert "live music" in text
    assert "old ferries" in text


@pytest.mark.parametrize(
    "other",
    [
        {"user": "Suggest a walk along the coast."},
        {"system": "You help tourists."},
        {"model": "gpt-5.4-mini"},
        {"earlier": "I like coffee."},
    ],
    ids=lambda other: str(*other),
)
def test_every_part_of_a_prompt_matters(other: dict[str, str]) -> None:
    base = {"user": "Suggest a walk along the river.", "system": "You help.", "model": "m", "earlier": "I like tea."}

    def answer_to(part: dict[str, str]) -> str:
        return say(part["user"], part["system"], part["model"], (part["earlier"],))

    assert answer_to(base | other) != answer_to(base)


def test_an_empty_prompt_has_an_answer_too() -> None:
    assert say("") == "What would you like to know?"


def test_what_an_earlier_request_of_the_conversation_sent_comes_from_a_cache() -> None:
    asked = [Turn("user", "Why do bees dance?")]
    first = answer(Ask("gpt-5.4", asked, "You are brief."))
    later = answer(Ask("gpt-5.4", [*asked, Turn("assistant", first.text), Turn("user", "Why?")], "You are brief."))
    assert (first.cached_tokens, later.cached_tokens) == (0, first.input_tokens)
    assert later.input_tokens > later.cached_tokens


def test_thoughts_are_counted_among_the_output_and_change_no_answer() -> None:
    plain, thinking = (answer(Ask("gpt-5.4", [Turn("user", "Describe bees")], think=think)) for think in (False, True))
    assert (plain.thought, plain.reasoning_tokens, plain.text) == ("", 0, thinking.text)
    assert "bees" in thinking.thought
    assert thinking.output_tokens == plain.output_tokens + thinking.reasoning_tokens > plain.output_tokens


def test_tokens_add_up_to_the_text() -> None:
    text = "  Ünïcode, “quotes” and  extraordinarily long words…\n\n"
    assert "".join(tokens(text)) == text
    assert len(tokens("extraordinarily")) == 3


WEATHER = Tool(
    "get_weather",
    "The weather in a city.",
    {
        "type": "object",
        "properties": {
            "city": {"type": "string"},
            "days": {"type": "integer"},
            "unit": {"enum": ["celsius", "fahrenheit"]},
        },
        "required": ["city", "days", "unit"],
    },
)


def calls(user: str, tool: Tool = WEATHER, choice: str = "auto") -> list[dict[str, object]]:
    reply = answer(Ask("m", [Turn("user", user)], tools=[tool], tool_choice=choice))
    return [json.loads(call.arguments) for call in reply.calls]


def test_a_tool_is_called_with_arguments_from_the_prompt() -> None:
    assert calls("What is the weather in New York for 5 days, in Fahrenheit?") == [
        {"city": "New York", "days": 5, "unit": "fahrenheit"}
    ]


def test_each_thing_that_the_prompt_names_gets_a_call_of_its_own() -> None:
    assert [call["city"] for call in calls("What is the weather in Paris and in Rome?")] == ["Paris", "Rome"]


def test_no_tool_is_called_that_the_prompt_does_not_ask_for() -> None:
    assert calls("Tell me a joke.") == []


def test_a_tool_can_be_forced_and_forbidden() -> None:
    assert len(calls("Tell me a joke.", choice="required")) == 1
    assert len(calls("Tell me a joke.", choice="get_weather")) == 1
    assert calls("What is the weather in Paris?", choice="none") == []


def test_after_a_tool_has_answered_the_model_quotes_it() -> None:
    turns = [Turn("user", "What is the weather in Paris?"), Turn("tool", '{"sky": "rain"}', "get_weather")]
    assert answer(Ask("m", turns, tools=[WEATHER])).text.startswith("get_weather says sky rain.")


def test_a_structured_answer_satisfies_its_schema() -> None:
    schema = {
        "type": "object",
        "properties": {
            "title": {"type": "string"},
            "points": {"type": "array", "items": {"$ref": "#/$defs/point"}, "minItems": 2},
            "mood": {"enum": ["bad", "good"]},
            "score": {"type": "number", "maximum": 10},
            "note": {"anyOf": [{"type": "null"}, {"type": "string"}]},
        },
        "required": ["title", "points", "mood", "score", "note"],
        "$defs": {"point": {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}},
    }
    value = from_text(schema, "Bees are good. They have 20 legs. They fly.")
    assert value == {
        "title": "Bees are good.",
        "points": [{"text": "They have 20 legs."}, {"text": "They fly."}, {"text": "Bees are good."}],
        "mood": "good",
        "score": 10,
        "note": "They have 20 legs.",
    }


def test_a_schema_that_refers_to_itself_comes_to_an_end() -> None:
    tree = {"$ref": "#/$defs/tree", "$defs": {"tree": {"type": "object", "properties": {
        "name": {"type": "string"}, "children": {"type": "array", "items": {"$ref": "#/$defs/tree"}},
    }}}}  # fmt: skip
    assert from_text(tree, "Oak.")["name"] == "Oak."
