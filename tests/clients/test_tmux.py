"""The terminal that tests of editors look at: keys arrive, the screen is what a user sees."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from tests.clients import tmux

ECHO = """
import sys
print("ready")
for line in sys.stdin:
    print("got " + line.strip()[::-1])
"""


@pytest.fixture
def shown() -> Iterator[tmux.Terminal]:
    if reason := tmux.missing():
        pytest.skip(reason)
    with tmux.terminal([sys.executable, "-c", ECHO], columns=60, lines=10) as running:
        running.wait_for("ready")
        yield running


def test_what_is_typed_reaches_the_program_and_its_answer_is_on_the_screen(shown: tmux.Terminal) -> None:
    shown.type("Enter → 'a'; $HOME")
    shown.send("Enter")
    assert "got EMOH$ ;'a' → retnE" in shown.wait_for("got")


def test_the_screen_stays_when_the_program_ends_and_says_how_it_did(shown: tmux.Terminal) -> None:
    shown.send("C-d")
    shown.wait_for("[ended with 0]")


def test_a_text_that_does_not_come_is_an_error_that_shows_the_screen(shown: tmux.Terminal) -> None:
    with pytest.raises(AssertionError, match=r"waited in vain for \['nothing like it'\]; on the screen is:\nready"):
        shown.wait_for("nothing like it", seconds=0.2)
