"""A real Helix in a terminal, set up as docs/editors.md says."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.clients import documented, tmux
from tests.daemons import LONG_S

COLUMNS = 150


class Helix:
    """One Helix; `start` makes it. Lines are counted from 1."""

    def __init__(self, terminal: tmux.Terminal) -> None:
        self.terminal = terminal

    def normal(self) -> None:
        """Leave whatever mode, menu or popup there is."""
        self.escape()
        self.terminal.wait_for(" NOR ")

    def escape(self) -> None:
        """Press Escape, in the form that no key behind it can make another key of (kitty's protocol)."""
        self.terminal.tmux("send-keys", "-t", "0", "-H", *(f"{byte:x}" for byte in b"\x1b[27u"))

    def command(self, text: str) -> None:
        """Give it a command line, without the colon."""
        self.normal()
        self.terminal.type(":")
        self.terminal.type(text)
        self.terminal.send("Enter")

    def go(self, line: int) -> None:
        """To the beginning of a line, which is in the middle of the screen then."""
        self.normal()
        self.terminal.type(f"{line}Gzz")
        self.terminal.wait_for(f" {line}:1")

    def sees(self, *texts: str, edits: bool = False) -> str:
        """The screen, once all `texts` are on it. Helix draws hints with the next key, and asks for new ones only when
        the buffer has changed: `edits` has it do so."""

        def press() -> None:
            if edits:
                self.terminal.type("i ")
                self.terminal.wait_for(" INS ")
                self.normal()
                self.terminal.type("u")
            self.escape()

        return self._again(press, *texts)

    def actions(self, line: int) -> list[str]:
        """The code actions of a line, which are on the screen then."""

        def ask() -> None:
            self.go(line)
            self.terminal.type(" a")

        shown = self._again(ask, "ao: ")  # a server that has just been started has none yet
        return ["ao: " + row.split("ao: ", 1)[1].split("  ")[0].strip() for row in shown.splitlines() if "ao: " in row]

    def choose(self, line: int, beginning: str) -> None:
        """Choose the code action of a line whose title begins so."""
        titles = self.actions(line)
        [place] = [place for place, title in enumerate(titles) if title.startswith(beginning)]
        self.terminal.send(*["Down"] * place, "Enter")

    def _again(self, press: Callable[[], None], *texts: str) -> str:
        """The screen, once all `texts` are on it; until then, keys are pressed again and again."""
        end = time.monotonic() + LONG_S
        while True:
            press()
            try:
                return self.terminal.wait_for(*texts, seconds=1)
            except AssertionError:
                if time.monotonic() > end:
                    raise


@contextmanager
def start(program: Path, file: Path, home: Path, path: str) -> Iterator[Helix]:
    """A Helix that has `file` open, in the folder of it.

    Args:
        program: the `hx` to run.
        file: what to open.
        home: a folder for its configuration, and all that it writes.
        path: its `$PATH`.
    """
    config = home / "helix"
    config.mkdir(parents=True)
    languages, own = [text for language, text in documented.snippets("Helix") if language == "toml"]
    (config / "languages.toml").write_text(languages, "utf-8")
    (config / "config.toml").write_text(own, "utf-8")
    variables = {"XDG_CONFIG_HOME": str(home), "XDG_CACHE_HOME": str(home / "cache"), "HOME": str(home), "PATH": path}
    with tmux.terminal(
        [program, file.name], cwd=file.parent, env={**os.environ, **variables}, columns=COLUMNS
    ) as terminal:
        terminal.wait_for(" NOR ", file.name)
        yield Helix(terminal)
