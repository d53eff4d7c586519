"""A program in a real terminal, that of tmux: keys go in, and what a user sees comes out.

with tmux.terminal(["nvim", file]) as screen:
    screen.wait_for("rerun from here")
    screen.send("g", "d")           # keys as tmux names them: Enter, Escape, C-w
    screen.type("some text")        # as it is
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.clients import installed

_LOOK_S = 0.05  # between two looks at the screen
_BOUND_S = 30.0


def missing() -> str:
    """Why there is no tmux to test with; empty where there is one."""
    return _program()[1]


def _program() -> tuple[Path | None, str]:
    """That of this machine, or one that is fetched."""
    found = shutil.which("tmux")
    return (Path(found), "") if found is not None else installed.find("tmux")


class Terminal:
    """One terminal with one program in it; `terminal` makes it."""

    def __init__(self, program: Path, socket: Path) -> None:
        self._program = program
        self._socket = socket

    def send(self, *keys: str) -> None:
        """Press keys, by tmux's names of them: `Enter`, `Escape`, `C-w`, `a`."""
        self.tmux("send-keys", "-t", "0", *keys)

    def type(self, text: str) -> None:
        """Type `text` as it is."""
        self.tmux("send-keys", "-t", "0", "-l", "--", text)

    def command(self, text: str) -> None:
        """Leave the mode that a modal editor is in, and give it a command line (`:write`)."""
        self.send("Escape")
        self.type(text)
        self.send("Enter")

    def resize(self, columns: int, lines: int) -> None:
        """Make the terminal another size: the program draws anew."""
        self.tmux("resize-window", "-t", "0", "-x", str(columns), "-y", str(lines))

    def screen(self) -> str:
        """What is on the screen: a line a row, without the blanks behind it."""
        return self.tmux("capture-pane", "-p", "-t", "0")

    def wait_for(self, *texts: str, without: Sequence[str] = (), seconds: float = _BOUND_S) -> str:
        """The screen, once all `texts` are on it and none of those in `without`.

        Raises:
            AssertionError: that did not come; the message has the last screen.
        """
        end = time.monotonic() + seconds
        while True:
            shown = self.screen()
            if all(text in shown for text in texts) and not any(text in shown for text in without):
                return shown
            if time.monotonic() > end:
                wanted = f"{list(texts)}" + (f" without {list(without)}" if without else "")
                raise AssertionError(f"waited in vain for {wanted}; on the screen is:\n{shown}")
            time.sleep(_LOOK_S)

    def tmux(self, *arguments: str) -> str:
        """What a command of tmux prints.

        Raises:
            AssertionError: it failed: mostly, the program has ended.
        """
        command: list[str | Path] = [self._program, "-u", "-S", str(self._socket), *arguments]
        done = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=30, check=False)
        assert done.returncode == 0, f"tmux {arguments[0]} failed: {done.stderr}"
        return done.stdout


@contextmanager
def terminal(
    command: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    columns: int = 140,
    lines: int = 40,
) -> Iterator[Terminal]:
    """A terminal in which `command` runs, until the block is left. When it ends before, the screen stays,
    and says with which code. `env` is the whole environment (None: that of this process)."""
    program, reason = _program()
    assert program is not None, reason
    # A server of its own, and not pytest's folder: the path of a socket has to be short.
    with tempfile.TemporaryDirectory(prefix="tmux") as folder:
        shown = Terminal(program, Path(folder) / "socket")
        variables = {**(os.environ if env is None else env), "LC_ALL": "C.UTF-8", "COLORTERM": "truecolor"}
        variables.pop("TMUX", None)
        config = Path(folder) / "tmux.conf"
        config.write_text(
            "set -g default-terminal tmux-256color\nset -sg escape-time 0\nset -g status off\n"
            "set -g history-limit 2000\n",
            "utf-8",
        )
        # Not `remain-on-exit`: tmux 3.3 now and then misses that its child has ended, and does not say so then.
        line = f"{shlex.join(map(str, command))}; printf '\\n[ended with %d]' $?; exec sleep infinity"
        size = ["-x", str(columns), "-y", str(lines)]
        start: list[str | Path] = [
            program,
            "-u",
            "-S",
            str(Path(folder) / "socket"),
            "-f",
            str(config),
            "new-session",
            "-d",
            *size,
            line,
        ]
        subprocess.run(start, cwd=cwd, env=variables, check=True, timeout=30)
        try:
            yield shown
        finally:
            shown.tmux("kill-server")
