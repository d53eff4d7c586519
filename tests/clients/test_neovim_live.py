"""The Neovim plugin in a real Neovim against the real `ao-lsp`, with a program recorded by `ao-record`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from model_server import ModelServer

from tests.clients import headless_neovim
from tests.clients.headless_neovim import Neovim
from tests.daemons import ask, log, own_home, until

BIN = Path(sys.executable).parent
EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="session")
def program() -> Path:
    """A Neovim; without one, the tests are skipped and say why."""
    found, reason = headless_neovim.find()
    if found is None:
        pytest.skip(reason)
    return found


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The test's own AO_HOME; daemons under it end with the test."""
    with own_home(monkeypatch) as path:
        yield path


@pytest.fixture
def agent(tmp_path: Path) -> Path:
    """The example program, in a folder of its own."""
    return Path(shutil.copy(EXAMPLES / "research_agent.py", tmp_path / "research_agent.py"))


def record(agent: Path, server: ModelServer, *options: str) -> None:
    env = {**os.environ, **server.env}
    command = [str(BIN / "ao-record"), *options, str(agent)]
    subprocess.run(command, env=env, stdout=subprocess.DEVNULL, check=True, timeout=60)


@pytest.fixture
def nvim(
    program: Path, agent: Path, home: str, model_server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Neovim]:
    assert home
    for name, value in model_server.env.items():  # reruns start in the environment of the editor
        monkeypatch.setenv(name, value)
    record(agent, model_server)
    with headless_neovim.start(program, agent, f"{BIN}{os.pathsep}{os.environ['PATH']}") as running:
        yield running


def test_lenses_and_hints_of_a_recorded_program_are_on_the_screen(nvim: Neovim) -> None:
    nvim.lua("wait(function() return #lenses() == 25 and #hints() == 5 end)")
    nvim.lua("vim.api.nvim_win_set_cursor(0, { 39, 0 }) vim.cmd('normal! zz')")
    shown = nvim.lua("return screen()")
    assert "▶ rerun from here" in shown
    assert "3 calls · gpt-5.4-mini" in shown
    assert "→ " in shown


def test_a_call_is_edited_and_rerun_from_neovim(nvim: Neovim) -> None:
    nvim.lua("wait(function() return #hints() == 5 end)")
    nvim.lua("""
      asked = {}
      vim.ui.select = function(items, options, choose) end
      -- How Neovim asks what a server wants to know.
      vim.lsp.handlers['window/showMessageRequest'] = function(_, request)
        table.insert(asked, request.message)
        for _, action in ipairs(request.actions or {}) do
          if action.title:find('^call 3') or action.title:find('^Rerun') then
            return action
          end
        end
        return vim.NIL
      end
      local client = client()
      client:exec_cmd({ title = 'edit', command = 'ao.editOutput', arguments = {
        vim.iter(vim.lsp.codelens.get(0)):find(function(lens)
          return lens.command.command == 'ao.editOutput' and lens.command.arguments[1].among
        end).command.arguments[1],
      } }, { bufnr = 0 })
      wait(function() return vim.fn.expand('%:t') == 'search-3.output.md' end)
      vim.api.nvim_buf_set_lines(0, 0, -1, false, { 'There are none.' })
      vim.cmd.write()
      wait(function() return #asked == 2 end)
    """)
    assert nvim.lua("return asked[2]").startswith(
        "stored the edited output of call 3 (search). Rerun from here? 3 of 7 calls live, about "
    )
    until(lambda: len(ask("ao.runs")["runs"]) == 2 and ask("ao.runs")["runs"][0]["status"] == "finished", log())
    origins = [node["origin"] for node in ask("ao.graph")["nodes"]]
    assert origins == ["replayed", "replayed", "edited", "replayed", "live", "live", "live"]
    # Back in the source, what is shown is of the new run.
    nvim.lua("vim.cmd.buffer('research_agent.py')")
    nvim.lua("wait(function() return table.concat(lenses()):find('2 replayed · 1 edited', 1, true) end)")


def test_the_graph_buffer_follows_a_run(nvim: Neovim, agent: Path, model_server: ModelServer) -> None:
    nvim.lua("wait(function() return #hints() == 5 end)")
    nvim.lua("vim.cmd.AoGraph() wait(function() return vim.bo.filetype == 'aograph' end)")
    assert nvim.lua("return vim.fn.getline(1)").startswith("research_agent.py · finished · 7 calls")
    record(agent, model_server, "--name", "another")
    nvim.lua("wait(function() return vim.startswith(vim.fn.getline(1), 'another · finished · 7 calls') end)")
