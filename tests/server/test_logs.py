"""What the daemon's log says of an inner error."""

from __future__ import annotations

import logging
import os

import pytest

from ao_lsp.server.logs import Format

PROMPT = "the prompt that was recorded"


def logged(error: BaseException) -> str:
    return Format("%(message)s").format(
        logging.LogRecord("ao", logging.ERROR, __file__, 1, "it failed", (), (type(error), error, error.__traceback__))
    )


def test_the_log_says_where_an_error_was_raised_and_never_what_it_quotes() -> None:
    def fails() -> None:
        try:
            int(PROMPT)
        except ValueError as error:
            raise LookupError(PROMPT) from error

    with pytest.raises(LookupError) as caught:
        fails()
    said = logged(caught.value)
    assert PROMPT not in said
    assert "ValueError\n" in said
    assert said.endswith("LookupError")
    assert said.count("test_logs.py") == 3


def test_the_log_keeps_the_message_of_an_error_of_the_disk() -> None:
    with pytest.raises(FileNotFoundError) as caught:
        os.stat("/the/store/that/is/not")
    assert logged(caught.value).endswith(
        "FileNotFoundError: [Errno 2] No such file or directory: '/the/store/that/is/not'"
    )
