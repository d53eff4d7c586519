"""The plugin in real Neovims against the real `ao-lsp`: what a user sees, from the first recording to the rerun."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from model_server import ModelServer

from tests.clients import headless_neovim, installed, tmux
from tests.clients.headless_neovim import Neovim
from tests.clients.tmux import Terminal
from tests.daemons import ask, log, own_home, until

BIN = Path(sys.executable).parent
SEARCH = 39
"""The line of a call in examples/research_agent.py."""


@pytest.fixture
def agent(tmp_path: Path) -> Path:
    """The example program, in a folder of its own."""
    return Path(shutil.copy(installed.ROOT / "examples" / "research_agent.py", tmp_path / "research_agent.py"))


@pytest.fixture
def path(model_server: ModelServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The `$PATH` of an editor; its daemon ends with the test."""
    with own_home(monkeypatch):
        for name, value in model_server.env.items():  # what is started from the editor has its environment
            monkeypatch.setenv(name, value)
        yield f"{BIN}{os.pathsep}{os.environ['PATH']}"


@pytest.fixture
def nvim(program: Path, agent: Path, path: str) -> Iterator[Neovim]:
    """A Neovim without a screen that has the program open, which was never recorded."""
    with headless_neovim.start(program, agent, path, "vim.o.columns, vim.o.lines = 320, 50") as running:
        yield running


@pytest.fixture
def screen(program: Path, agent: Path, path: str, tmp_path: Path) -> Iterator[Terminal]:
    """The same in a terminal."""
    if reason := tmux.missing():
        pytest.skip(reason)
    config = tmp_path / "init.lua"
    config.write_text(
        f"vim.opt.runtimepath:prepend('{headless_neovim.PLUGIN}')\n{headless_neovim.QUICK}\nvim.o.swapfile = false\n"
        "vim.o.shortmess = vim.o.shortmess .. 'I'\n",
        "utf-8",
    )
    home = {f"XDG_{name}_HOME": str(tmp_path / name) for name in ("CONFIG", "DATA", "STATE", "CACHE")}
    command: list[str | Path] = [program, "--clean", "-u", config, f"+{SEARCH}", agent]
    with tmux.terminal(
        command, cwd=agent.parent, env={**os.environ, **home, "PATH": path}, columns=190, lines=50
    ) as running:
        yield running


def last_run() -> list[str]:
    """The origins of the calls of the last run, once it has ended and is the second one."""
    until(lambda: len(ask("ao.runs")["runs"]) == 2 and ask("ao.runs")["runs"][0]["status"] == "finished", log())
    return [node["origin"] for node in ask("ao.graph")["nodes"]]


EDITED = ["replayed", "replayed", "edited", "replayed", "live", "live", "live"]


def test_a_program_is_recorded_seen_edited_and_rerun_in_a_terminal(screen: Terminal) -> None:
    screen.wait_for("▶ record")
    screen.command(":AoRecord")
    screen.wait_for("ended well", "▶ rerun from here", "✎ output", "3 calls · gpt-5.4-mini", "→ Asked about open")

    screen.command(":AoGraph")
    shown = screen.wait_for("research_agent.py · finished · 7 calls", "├▶●  search", "╰▶●  criticise", "● live")
    assert "◆" not in shown
    screen.send("j", "j", "K")
    screen.wait_for("# call 3 (search)", "## output", "## user")
    screen.send("q")
    screen.send("e")
    screen.wait_for("search-3.output.md", without=["# call 3"])
    screen.type("ggdGiThere are none.")
    screen.command(":write")
    screen.wait_for(
        "ao: stored the edited output of call 3 (search). Rerun from here? 3 of 7 calls live", "1: Rerun from"
    )
    screen.type("1")
    screen.send("Enter")
    # The graph follows, with the cursor at the same call; the source shows the new run.
    screen.wait_for("├▶◆  search", "○ replayed", "ao: rerun ended, 3 of 7 calls live", without=["◌"])
    assert last_run() == EDITED
    screen.command(":buffer research_agent.py")
    screen.wait_for("2 replayed · 1 edited", "questions ⟵ plan")

    screen.command(":AoRuns")
    screen.wait_for("2 recorded runs", "rerun of research_agent.py", "1 edited")
    screen.send("d")
    screen.wait_for("There are none.", "7 calls, 3 of them live", "# search · gpt-5.4-mini")
    screen.send("Q")
    screen.command(":AoLog")
    screen.wait_for("ao://log/", "What to keep in mind")
    assert "Traceback" not in log()


def test_a_program_is_recorded_seen_edited_and_rerun_without_a_screen(nvim: Neovim) -> None:
    # The lens of a call that has never run runs it.
    nvim.lua(f"vim.api.nvim_win_set_cursor(0, {{ {SEARCH}, 0 }}) vim.cmd('normal! zz')")
    nvim.lua("wait(function() return #lenses() == 5 end)")
    nvim.lua("vim.lsp.codelens.run()")
    nvim.lua("""
      wait(function()
        local shown = screen()
        local wanted = { 'ended well', '▶ rerun from here', '3 calls · gpt-5.4-mini', '→ ', 'questions ⟵ plan' }
        for _, told in ipairs(wanted) do
          if not shown:find(told, 1, true) then
            return false
          end
        end
        return true
      end)
    """)
    # The lens of three calls asks which of them is meant.
    nvim.lua("""
      asked = {}
      vim.ui.select = function(items, options, choose)
        local name = options.format_item or tostring
        table.insert(asked, options.prompt or '')
        for _, item in ipairs(items) do
          for _, wanted in ipairs({ '✎ output', 'call 3', 'Rerun from here' }) do
            if vim.startswith(name(item), wanted) then
              return choose(item)
            end
          end
        end
      end
      vim.lsp.codelens.run()
      wait(function() return vim.fn.expand('%:t') == 'search-3.output.md' end)
      vim.api.nvim_buf_set_lines(0, 0, -1, false, { 'There are none.' })
      vim.cmd.write()
      wait(function() return #asked == 3 end)
    """)
    assert nvim.lua("return asked[3]").startswith(
        "ao: stored the edited output of call 3 (search). Rerun from here? 3 of 7 calls live, about "
    )
    assert last_run() == EDITED
    # Back in the source, what is shown is of the new run; and so it is on the screen.
    nvim.lua("vim.cmd.buffer('research_agent.py')")
    nvim.lua("wait(function() return table.concat(lenses()):find('2 replayed · 1 edited', 1, true) end)")
    nvim.lua("wait(function() return screen():find('2 replayed · 1 edited', 1, true) end)")
    # Another run, and the graph follows it; the health check knows of it.
    nvim.lua("vim.cmd.AoGraph() wait(function() return vim.bo.filetype == 'aograph' end)")
    nvim.lua("vim.cmd.wincmd('p') vim.cmd('AoRecord trains')")
    until(lambda: len(ask("ao.runs")["runs"]) == 3 and ask("ao.runs")["runs"][0]["status"] == "finished", log())
    last = ask("ao.runs")["runs"][0]["id"]
    nvim.lua(f"wait(function() local d = require('ao.graph').drawing() return d.run == '{last}' and #d.rows == 7 end)")
    nvim.lua("vim.cmd('checkhealth ao')")
    report = nvim.lua("return table.concat(vim.api.nvim_buf_get_lines(0, 0, -1, false), '\\n')")
    assert "it answers: 3 recorded runs" in report
    assert "the daemon serves" in report
    assert "research_agent.py: last recorded as research_agent.py, just now, finished" in report
