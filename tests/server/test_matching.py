"""Which call's output stands in which call's input, by their texts: what is an edge, and what only looks
like one."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence

import pytest

from ao_lsp.server.matching.compare import Spoken, matched
from ao_lsp.server.matching.tokens import Vocabulary

PLAN = "Survey the harbour wall first, then replace every cracked bollard before the herring fleet returns."
OTHER = "Paint the lighthouse door crimson and order eleven lanterns from the chandler in Stavanger."


class Calls:
    """Calls that were made one after the other; `edges` are what their texts say of them."""

    def __init__(self) -> None:
        self.made: list[Spoken] = []
        self.tracked: set[tuple[str, str]] = set()

    def call(
        self, name: str, *asked: str, said: str | Sequence[str] = "", after: Sequence[str] = (), beside: str = ""
    ) -> None:
        """The next call; `after` are those that tracking knows to be its sources."""
        texts = (said,) if isinstance(said, str) else tuple(said)
        began = 10.0 * len(self.made)
        self.made.append(Spoken(name, began, began + 5, asked, (beside,) if beside else (), texts))
        self.tracked |= {(source, name) for source in after}

    @property
    def edges(self) -> list[tuple[str, str]]:
        return sorted(matched(self.made, self.tracked))


@pytest.fixture
def calls() -> Calls:
    return Calls()


# -- what is an edge


@pytest.mark.parametrize(
    "asked",
    [
        PLAN,
        f"Carry this out:\n\n{PLAN}\n\nAnswer in one line.",
        PLAN.upper(),
        PLAN.replace(" ", "\n   "),
        "> " + "\n> ".join(PLAN.split(", ")),
        json.dumps({"steps": [{"text": PLAN}]}),
        json.dumps(json.dumps({"plan": PLAN + "\n"})),
        "".join(f"\\u{ord(character):04x}" for character in PLAN),
        repr(PLAN.encode()),
        PLAN.replace(" ", "%20"),
        f"<p>{PLAN.replace(' ', '&#32;')}</p>",
        "Which fleet? " + PLAN[52:],
    ],
    ids=[
        "alone", "in a prompt", "in capitals", "wrapped", "quoted", "in JSON", "in JSON in JSON", "as escapes",
        "as a repr", "in a URL", "in HTML", "a part",
    ],
)  # fmt: skip
def test_an_output_in_a_later_input_is_an_edge_however_it_is_wrapped(calls: Calls, asked: str) -> None:
    calls.call("plan", "What has to be done?", said=PLAN)
    calls.call("act", asked)
    assert calls.edges == [("plan", "act")]


def test_a_text_without_spaces_between_its_words_is_compared_by_its_characters(calls: Calls) -> None:
    calls.call("plan", "計画は？", said="港の防波堤を調べてから係船柱を交換する")
    calls.call("act", "次の仕事：港の防波堤を調べてから、実行せよ")
    assert calls.edges == [("plan", "act")]


def test_one_rare_word_is_enough(calls: Calls) -> None:
    calls.call("order", "Order the parts.", said='{"order": "QX7719LM20"}')
    calls.call("track", "Where is order qx7719lm20?")
    assert calls.edges == [("order", "track")]


def test_a_passage_is_found_from_its_rare_words_on_both_ways(calls: Calls) -> None:
    calls.call("list", "Which bollards?", said="of the bollard " * 40 + "number seven")
    calls.call("act", "Now look at: of the bollard of the bollard number seven")
    assert calls.edges == [("list", "act")]


def test_arguments_of_a_tool_call_are_output_too(calls: Calls) -> None:
    calls.call("plan", "Go on.", said=("", json.dumps({"command": "grep herring fleet.log | sort -u"})))
    calls.call("look", "It printed: grep herring fleet.log | sort -u: not found")
    assert calls.edges == [("plan", "look")]


def test_several_outputs_in_one_input_are_an_edge_each(calls: Calls) -> None:
    calls.call("a", "What has to be done?", said=PLAN)
    calls.call("b", "What else?", said=OTHER)
    calls.call("both", f"1. {PLAN}\n2. {OTHER}")
    assert calls.edges == [("a", "both"), ("b", "both")]


def test_a_conversation_carries_its_sources_on(calls: Calls) -> None:
    calls.call("first", "Hello", said=PLAN)
    calls.call("second", "Hello", PLAN, "And then?", said=OTHER)
    calls.call("third", "Hello", PLAN, "And then?", OTHER, "Thanks")
    assert calls.edges == [("first", "second"), ("first", "third"), ("second", "third")]


def test_what_a_call_added_to_the_text_that_it_was_given_is_its_own(calls: Calls) -> None:
    revised = PLAN.replace("herring fleet returns", "trawlers come home from Iceland in October")
    calls.call("draft", "What has to be done?", said=PLAN)
    calls.call("revise", f"Revise: {PLAN}", said=revised, after=("draft",))
    calls.call("act", f"Carry out: {revised}")
    assert calls.edges == [("revise", "act")]


# -- what only looks like one


@pytest.mark.parametrize("reply", ["yes", "Paris", "3", "42", "2026", "not found", "search", "{}", "true", "A", ""])
def test_a_short_text_is_a_coincidence(calls: Calls, reply: str) -> None:
    calls.call("first", "Well?", said=reply)
    calls.call("second", f"In Paris, 3 of 42 were not found in 2026, search is true, A or yes {{}}? {reply}")
    assert calls.edges == []


def test_common_words_are_a_coincidence(calls: Calls) -> None:
    calls.call("first", "Well?", said="There are some who would do this for you if they could.")
    calls.call("second", "Do what they would do for you if they could not be there with us.")
    assert calls.edges == []


def test_what_is_enough_for_a_short_text_is_not_for_a_long_one(calls: Calls) -> None:
    phrase = "replace every cracked bollard"
    calls.call("first", "Well?", said=phrase)
    calls.call("second", "Now " + phrase)
    assert calls.edges == [("first", "second")]
    noise = random.Random(1)
    page = " ".join("".join(noise.choices("bcdfgklmnprstaeiou", k=7)) for _ in range(9000))
    assert (
        matched(
            [Spoken("a", 0, 1, (), (), (f"{phrase} {page[:32000]}",)), Spoken("b", 2, 3, (page[32000:] + phrase,))], ()
        )
        == []
    )


def test_keys_and_constants_of_json_are_a_coincidence(calls: Calls) -> None:
    calls.call(
        "flags",
        "Flags as JSON.",
        said='{"open": true, "owner": null, "debt": 0, "harbour": {"berth": {"depth": null}}}',
    )
    calls.call("explain", "Explain {'open': True, 'owner': None, 'debt': 0, 'harbour': {'berth': {'depth': None}}}")
    assert calls.edges == []


def test_a_document_that_a_reply_quotes_is_no_output_of_it(calls: Calls) -> None:
    calls.call("ask", f"Summarise this:\n{PLAN}", said=f"It says: {PLAN}")
    calls.call("check", f"Check this document: {PLAN}")
    assert calls.edges == []


def test_what_an_earlier_request_said_is_no_output_of_a_call(calls: Calls) -> None:
    calls.call("other", f"Translate: {PLAN}", said="Fertig.")
    calls.call("recite", "Recite the plan.", said=PLAN)
    calls.call("act", f"Carry out: {PLAN}")
    assert calls.edges == []


def test_what_was_said_to_a_model_while_the_output_came_is_no_output_of_the_call() -> None:
    recite, other = Spoken("recite", 0, 10, ("Recite.",), (), (PLAN,)), Spoken("other", 5, 6, (f"Do: {PLAN}",))
    assert matched([recite, other, Spoken("act", 20, 21, (f"Carry out: {PLAN}",))], ()) == []


def test_a_template_that_two_calls_share_is_no_output_of_the_first(calls: Calls) -> None:
    template = "You are a careful harbour master. Answer with numbered steps, never with prose: "
    calls.call(
        "first", template + "dawn", said="You are a careful harbour master, as told; numbered steps, never with prose."
    )
    calls.call("second", template + "dusk")
    assert calls.edges == []


def test_descriptions_of_tools_are_no_output_of_who_repeats_them(calls: Calls) -> None:
    tool = "Looks up the departure board of a harbour by its UN code"
    calls.call("first", "What can you do?", said=f"I can call a tool: {tool}.", beside=tool)
    calls.call("second", f"Tools: {tool}")
    assert calls.edges == []


def test_a_text_that_two_calls_gave_is_neither_ones(calls: Calls) -> None:
    calls.call("north", "The north gate?", said=PLAN)
    calls.call("south", "The south gate?", said=PLAN)
    calls.call("report", f"Report: {PLAN}")
    assert calls.edges == []


def test_an_output_that_was_not_complete_is_in_no_input() -> None:
    first = Spoken("first", 0, 10, (), (), (PLAN,))
    assert matched([first, Spoken("second", 9.9, 12, (PLAN,))], ()) == []
    assert matched([first, Spoken("second", 10, 12, (PLAN,))], ()) == [("first", "second")]
    assert matched([Spoken("first", 0, None, (), (), (PLAN,)), Spoken("second", 20, 22, (PLAN,))], ()) == []
    earlier = Spoken("earlier", 0, 1, (), (), (OTHER,))
    assert matched([earlier, first, Spoken("second", 9.9, 12, (PLAN,))], ()) == []


def test_a_tracked_edge_is_not_drawn_twice(calls: Calls) -> None:
    calls.call("plan", "What has to be done?", said=PLAN)
    calls.call("act", PLAN, after=("plan",))
    assert calls.edges == []


def test_a_text_that_is_said_again_comes_from_the_one_that_is_known_to_have_said_it(calls: Calls) -> None:
    """Two equal answers, each put into an equal question: the second question has the second answer."""
    calls.call("first", "Plan it", said=PLAN)
    calls.call("asked", f"About: {PLAN[:60]}", said="Fine.", after=["first"])
    calls.call("second", "Plan it", said=PLAN)
    calls.call("asked again", f"About: {PLAN[:60]}", said="Fine.", after=["second"])
    assert calls.edges == []


def test_what_came_by_another_call_is_not_drawn_past_it(calls: Calls) -> None:
    calls.call("plan", "What has to be done?", said=PLAN)
    calls.call("copy", f"Copy: {PLAN}", said=PLAN, after=("plan",))
    calls.call("act", f"Carry out: {PLAN}", after=("copy",))
    assert calls.edges == []


def test_what_came_by_itself_is_drawn_although_another_way_leads_there_too(calls: Calls) -> None:
    calls.call("plan", "What has to be done?", said=PLAN)
    calls.call("title", f"A title for: {PLAN}", said="Harbour works", after=("plan",))
    calls.call("print", f"Harbour works\n\n{PLAN}", after=("title",))
    assert calls.edges == [("plan", "print")]


def test_no_edge_is_drawn_twice_or_backwards_or_past_the_call_that_has_the_text_too() -> None:
    """Programs made by chance: each call is asked for a text of its own and for outputs of earlier calls,
    says something new or repeats what it was asked, and tracking knows some of where that came from."""
    for seed in range(300):
        chance = random.Random(seed)
        drawn = list(range(8))
        made: list[Spoken] = []
        true: set[tuple[str, str]] = set()
        for number in drawn:
            used = chance.sample(made, chance.randint(0, min(3, len(made))))
            asked = [f"Task {number}:", *(source.said[0] for source in used)]
            said = _sentence(chance) if chance.random() < 0.7 or not used else used[0].said[0]
            true |= {(source.call, str(number)) for source in used}
            made.append(Spoken(str(number), 2.0 * number, 2.0 * number + 1, ("\n".join(asked),), (), (said,)))
        tracked = {edge for edge in true if chance.random() < 0.5}
        found = matched(chance.sample(made, len(made)), tracked)
        assert len(found) == len(set(found)), seed
        assert not tracked & set(found), seed
        assert set(found) <= true, seed
        texts = {call.call: call.said[0] for call in made}
        for source, target in found:
            assert [call for call in made if texts[call.call] == texts[source] and int(call.call) < int(target)] == [
                made[int(source)]
            ], seed
        # Nothing is missed but what two calls have said.
        alone = {
            edge for edge in true if sum(texts[edge[0]] == text for text in list(texts.values())[: int(edge[1])]) == 1
        }
        assert set(found) == alone - tracked, seed


def _sentence(chance: random.Random) -> str:
    return " ".join("".join(chance.choices("bcdfghklmnprstvwaeiou", k=chance.randint(4, 9))) for _ in range(12))


# -- how much it takes


def test_texts_beyond_all_measure_are_cut_and_not_gone_through(calls: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ao_lsp.server.matching.compare._MOST_WORDS", 100)
    calls.call("plan", "What has to be done?", said=PLAN)
    calls.call("act", PLAN)
    calls.call("long", "word " * 1000)
    calls.call("late", PLAN + "!")
    assert calls.edges == [("plan", "act")]


def test_a_text_that_repeats_itself_takes_no_longer_for_it(calls: Calls) -> None:
    # Every place fits every place: without a bound this would take hours.
    calls.call("first", "Go.", said="tick tock clang " * 20_000)
    calls.call("second", "tock clang tick " * 20_000)
    assert calls.edges == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Don\u2019t STOP\tnow", 4),
        ("caf\u00e9 \ufb01ne", 2),
        ("a\\nb\\\\nc", 3),
        ("\\ud83d\\ude00 \\ud83d x", 1),
        ("100% of%20it %zz", 4),
        ("日本 go", 3),
        ("&amp; &nosuch; x", 2),
        ("\ud800 \x00 _a_", 1),
        ("", 0),
    ],
)
def test_any_text_has_words(text: str, words: int) -> None:
    assert len(Vocabulary().words(text)) == words
