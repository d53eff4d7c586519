"""The Neovim plugin in a real Neovim, against a language server that stands in for ao-lsp."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.clients import headless_neovim
from tests.clients.headless_neovim import Neovim

SERVER = Path(__file__).parent / "fake_ao_lsp.py"
SOURCE = """client = OpenAI()
reply = client.create("a")
print(reply)
other = client.create(reply)
"""


@pytest.fixture(scope="session")
def program() -> Path:
    """A Neovim; without one, the tests are skipped and say why."""
    found, reason = headless_neovim.find()
    if found is None:
        pytest.skip(reason)
    return found


@pytest.fixture
def path(tmp_path: Path) -> str:
    """A `$PATH` on which the stand-in is `ao-lsp`."""
    folder = tmp_path / "bin"
    folder.mkdir()
    script = folder / "ao-lsp"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{SERVER}" "{tmp_path}/received.jsonl"\n', "utf-8")
    script.chmod(0o755)
    return f"{folder}{os.pathsep}{os.environ['PATH']}"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    file = tmp_path / "agent.py"
    file.write_text(SOURCE, "utf-8")
    return file


@pytest.fixture
def nvim(program: Path, path: str, source: Path) -> Iterator[Neovim]:
    """A Neovim with the source open, and its lenses and hints there."""
    with headless_neovim.start(program, source, path) as running:
        running.lua("wait(function() return #lenses() == 4 and #hints() == 2 end)")
        yield running


def received(tmp_path: Path, method: str) -> list[dict[str, Any]]:
    """The parameters of the messages of one method that the server got."""
    lines = (tmp_path / "received.jsonl").read_text("utf-8").splitlines()
    return [message.get("params") or {} for message in map(json.loads, lines) if message.get("method") == method]


def wait_until(condition: Callable[[], bool]) -> None:
    for _ in range(1000):
        if condition():
            return
        time.sleep(0.01)  # between two looks
    raise AssertionError("it did not come true in 10 seconds")


def test_a_python_file_shows_lenses_and_hints_without_any_setup(nvim: Neovim) -> None:
    assert nvim.lua("return lenses()") == ["2 graph 1", "2 rerun 1", "4 graph 1", "4 rerun 1"]
    assert nvim.lua("return hints()") == ["2 output 1", "4 output 1"]
    shown = nvim.lua("return screen()")
    assert "rerun 1 | graph 1" in shown
    assert 'reply output 1 = client.create("a")' in shown


@pytest.mark.usefixtures("nvim")
def test_the_server_is_told_what_the_client_can_do(tmp_path: Path) -> None:
    [initialized] = received(tmp_path, "initialize")
    assert initialized["capabilities"]["experimental"] == {"ao": {"version": 1}}
    assert initialized["capabilities"]["workspace"]["codeLens"] == {"refreshSupport": True}
    assert initialized["capabilities"]["textDocument"]["inlayHint"]  # the rest of Neovim's own is still there


def test_running_a_lens_executes_its_command_on_the_server(nvim: Neovim, tmp_path: Path) -> None:
    nvim.lua("""
      vim.ui.select = function(items, options, choose) choose(items[1]) end
      vim.api.nvim_win_set_cursor(0, { 2, 0 })
      vim.lsp.codelens.run()
    """)
    wait_until(lambda: bool(received(tmp_path, "workspace/executeCommand")))
    assert received(tmp_path, "workspace/executeCommand") == [{"command": "ao.rerun", "arguments": [{"run": "last"}]}]


def test_a_refresh_from_the_server_asks_for_lenses_and_hints_again(nvim: Neovim, tmp_path: Path) -> None:
    nvim.lua("client():notify('$/fake/change', {})")
    nvim.lua("wait(function() return lenses()[1] == '2 graph 2' and hints()[1] == '2 output 2' end)")
    shown = nvim.lua("return screen()")
    assert "rerun 2 | graph 2" in shown
    assert "output 2" in shown
    assert "output 1" not in shown
    answers = [json.loads(line) for line in (tmp_path / "received.jsonl").read_text("utf-8").splitlines()]
    assert [answer for answer in answers if "error" in answer] == []


def test_no_refresh_is_lost_when_many_come_at_once(nvim: Neovim) -> None:
    nvim.lua("for _ = 1, 50 do client():notify('$/fake/change', {}) end")
    nvim.lua("wait(function() return lenses()[1] == '2 graph 51' and hints()[1] == '2 output 51' end)")


def test_a_refresh_that_overtakes_an_answer_is_not_lost(nvim: Neovim, tmp_path: Path) -> None:
    asked = len(received(tmp_path, "textDocument/codeLens"))
    nvim.lua("client():notify('$/fake/hold', {}) vim.cmd.doautocmd('BufEnter')")
    if not nvim.lua("return vim.lsp.codelens.enable ~= nil"):
        wait_until(lambda: len(received(tmp_path, "textDocument/codeLens")) > asked)
    # What is on its way is of revision 1 now, and the refresh says that there is a second one.
    nvim.lua("""
      client():notify('$/fake/change', {})
      client():request_sync('textDocument/hover', {}, 10000, 0)
      client():notify('$/fake/release', {})
      wait(function() return lenses()[1] == '2 graph 2' end)
    """)


def test_hints_on_the_screen_are_new_also_when_it_was_drawn_while_they_were_asked_for(nvim: Neovim) -> None:
    assert "output 1" in nvim.lua("return screen()")
    nvim.lua("""
      client():notify('$/fake/hold', {})
      client():notify('$/fake/change', {})
      client():request_sync('textDocument/hover', {}, 10000, 0)
    """)
    assert "output 2" not in nvim.lua("return screen()")
    nvim.lua("client():notify('$/fake/release', {}) wait(function() return hints()[1] == '2 output 2' end)")
    assert "output 2" in nvim.lua("return screen()")


def test_lenses_follow_an_edit_in_normal_mode(nvim: Neovim) -> None:
    nvim.lua("vim.api.nvim_feedkeys('ggO# a new line' .. vim.keycode('<Esc>'), 'tx', false)")
    nvim.lua("wait(function() return lenses()[1] == '3 graph 1' and hints()[1] == '3 output 1' end)")
    nvim.lua("vim.api.nvim_feedkeys('ggdd', 'tx', false)")
    nvim.lua("wait(function() return lenses()[1] == '2 graph 1' end)")


def test_a_write_reaches_the_server_before_the_lenses_are_asked_for(nvim: Neovim, tmp_path: Path) -> None:
    if nvim.lua("return vim.lsp.codelens.enable ~= nil"):
        pytest.skip("Neovim 0.12 decides by itself when to ask")
    before = len(received(tmp_path, "textDocument/codeLens"))
    nvim.lua("vim.cmd.write()")
    wait_until(lambda: len(received(tmp_path, "textDocument/codeLens")) > before)
    lines = (tmp_path / "received.jsonl").read_text("utf-8").splitlines()
    methods = [json.loads(line).get("method") for line in lines]
    saved = methods.index("textDocument/didSave")
    assert "textDocument/codeLens" in methods[saved:]
    assert methods[:saved].count("textDocument/codeLens") == before


def test_ao_graph_shows_the_graph_in_a_buffer_that_cannot_be_edited(nvim: Neovim, tmp_path: Path) -> None:
    nvim.lua("vim.cmd.AoGraph() wait(function() return vim.bo.filetype == 'aograph' end)")
    assert nvim.lua("return vim.api.nvim_buf_get_lines(0, 0, -1, false)") == ["1 plan", "2 search (revision 1)"]
    assert nvim.lua("return { vim.bo.buftype, vim.bo.modifiable, vim.bo.swapfile, vim.bo.modified }") == [
        "nofile",
        False,
        False,
        False,
    ]
    assert received(tmp_path, "workspace/executeCommand") == [
        {"command": "ao.graph", "arguments": [{"format": "text"}]}
    ]


def test_the_graph_is_drawn_anew_while_it_can_be_seen(nvim: Neovim, tmp_path: Path) -> None:
    nvim.lua("vim.cmd.AoGraph() wait(function() return vim.bo.filetype == 'aograph' end)")
    nvim.lua("client():notify('$/fake/change', {})")
    nvim.lua("wait(function() return vim.fn.getline(2) == '2 search (revision 2)' end)")
    nvim.lua("vim.cmd.close()")
    nvim.lua("client():notify('$/fake/change', {})")
    nvim.lua("wait(function() return lenses()[1] == '2 graph 3' end)")
    assert len(received(tmp_path, "workspace/executeCommand")) == 2


def test_the_graph_uses_its_window_again_and_opens_it_where_it_is_told(nvim: Neovim) -> None:
    nvim.lua("vim.cmd('vertical AoGraph') wait(function() return vim.bo.filetype == 'aograph' end)")
    assert nvim.lua("return vim.fn.winlayout()[1]") == "row"
    nvim.lua("vim.cmd.wincmd('p') vim.cmd.AoGraph() wait(function() return vim.bo.filetype == 'aograph' end)")
    assert nvim.lua("return #vim.api.nvim_list_wins()") == 2


def test_the_graph_lens_opens_the_same_buffer(nvim: Neovim, tmp_path: Path) -> None:
    nvim.lua("""
      vim.ui.select = function(items, options, choose) choose(items[2]) end
      vim.api.nvim_win_set_cursor(0, { 2, 0 })
      vim.lsp.codelens.run()
      wait(function() return vim.bo.filetype == 'aograph' end)
    """)
    assert received(tmp_path, "workspace/executeCommand") == [
        {"command": "ao.graph", "arguments": [{"run": "last", "format": "text"}]}
    ]


def test_what_the_server_refuses_is_said(nvim: Neovim) -> None:
    nvim.lua("""
      vim.notify = function(message) said = message end
      vim.cmd('AoGraph unknown')
      wait(function() return said ~= nil end)
    """)
    assert nvim.lua("return said") == "ao: no such run: unknown"


def test_a_client_that_was_restarted_shows_lenses_again(nvim: Neovim) -> None:
    nvim.lua("vim.lsp.enable('ao', false) wait(function() return client() == nil end)")
    nvim.lua("wait(function() return #lenses() == 0 end)")
    nvim.lua("vim.lsp.enable('ao') wait(function() return #lenses() == 4 and #hints() == 2 end)")


def test_lenses_and_hints_can_be_switched_off(program: Path, path: str, source: Path, tmp_path: Path) -> None:
    init = "vim.g.ao_code_lenses = false vim.g.ao_inlay_hints = false"
    with headless_neovim.start(program, source, path, init) as nvim:
        nvim.lua("wait(function() return client() and client().initialized end)")
        nvim.lua("client():notify('$/fake/change', {})")
        # The answer to a request comes behind everything that it could have set off.
        nvim.lua("assert(client():request_sync('textDocument/hover', {}, 10000, 0))")
        assert nvim.lua("return { #lenses(), #hints() }") == [0, 0]
    assert received(tmp_path, "textDocument/codeLens") == []
    assert received(tmp_path, "textDocument/inlayHint") == []


def test_without_the_server_the_plugin_is_silent(program: Path, source: Path) -> None:
    with headless_neovim.start(program, source, "/usr/bin:/bin") as nvim:
        assert nvim.lua("return vim.lsp.is_enabled('ao')") is False
        assert nvim.lua("return vim.fn.execute('messages')").strip() == ""
        nvim.lua("vim.notify = function(message) said = message end vim.cmd.AoGraph()")
        assert "no server is running" in nvim.lua("return said")


def test_the_plugin_can_be_kept_from_starting_the_server(program: Path, path: str, source: Path) -> None:
    with headless_neovim.start(program, source, path, "vim.g.ao_enable = false") as nvim:
        assert nvim.lua("return { vim.lsp.is_enabled('ao'), vim.fn.exists(':AoGraph') }") == [False, 2]


def test_the_help_tells_of_everything_that_a_user_can_set(
    program: Path, path: str, source: Path, tmp_path: Path
) -> None:
    shutil.copytree(headless_neovim.PLUGIN / "doc", tmp_path / "help" / "doc")  # the index is written beside the text
    with headless_neovim.start(program, source, path) as nvim:
        nvim.lua(f"vim.opt.runtimepath:prepend('{tmp_path}/help') vim.cmd.helptags('{tmp_path}/help/doc')")
        for topic in (":AoGraph", "g:ao_enable", "g:ao_code_lenses", "g:ao_inlay_hints", "ao.txt"):
            assert nvim.lua(f"vim.cmd.help('{topic}') return vim.fn.expand('%:t')") == "ao.txt"
