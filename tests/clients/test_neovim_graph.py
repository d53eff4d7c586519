"""The graph in a buffer of Neovim, against a language server that stands in for ao-lsp."""

from __future__ import annotations

from pathlib import Path

from tests.clients.conftest import received
from tests.clients.headless_neovim import Neovim

SHOW = """
  vim.cmd.AoGraph()
  wait(function() return vim.bo.filetype == 'aograph' end)
"""
PRESS = "local function press(keys) vim.api.nvim_feedkeys(vim.keycode(keys), 'mtx', false) end\n"
CHOOSE_FIRST = "vim.ui.select = function(items, options, choose) asked = options.prompt choose(items[1]) end\n"


def test_the_graph_is_in_a_buffer_that_cannot_be_edited_with_the_cursor_at_the_first_call(nvim: Neovim) -> None:
    nvim.lua(SHOW)
    assert nvim.lua("return vim.api.nvim_buf_get_lines(0, 0, -1, false)") == [
        "run1 (revision 1)",
        "",
        "1  ●  plan",
        "2  ●  search",
    ]
    assert nvim.lua("return { vim.bo.buftype, vim.bo.modifiable, vim.bo.swapfile, vim.bo.modified }") == [
        "nofile",
        False,
        False,
        False,
    ]
    assert nvim.lua("return vim.fn.line('.')") == 3
    shown = nvim.lua("local found = vim.inspect_pos(0, 2, 3).extmarks[1] return { found.opts.hl_group, found.end_col }")
    assert shown == ["AoLive", 6]
    assert nvim.lua("return vim.api.nvim_get_hl(0, { name = 'AoLive' }).link") == "DiagnosticOk"


def test_the_graph_is_drawn_anew_while_it_can_be_seen(nvim: Neovim, tmp_path: Path) -> None:
    nvim.lua(SHOW)
    nvim.lua("tell('$/fake/change') wait(function() return vim.fn.getline(1) == 'run1 (revision 2)' end)")
    nvim.lua("vim.cmd.close()")
    before = len(received(tmp_path, "ao/graph"))
    nvim.lua("tell('$/fake/change') wait(function() return lenses()[1] == '2 graph 3' end)")
    assert len(received(tmp_path, "ao/graph")) == before


def test_the_cursor_stays_at_its_call_when_lines_move(nvim: Neovim) -> None:
    nvim.lua(SHOW)
    nvim.lua("vim.api.nvim_win_set_cursor(0, { 4, 2 })")
    nvim.lua("tell('$/fake/skip') tell('$/fake/change') wait(function() return vim.fn.line('$') == 3 end)")
    assert nvim.lua("return { vim.fn.line('.'), vim.api.nvim_get_current_line() }") == [3, "2  ●  search"]


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
    assert received(tmp_path, "ao/graph")[0]["run"] == "last"


def test_enter_goes_to_the_line_of_the_call_in_the_window_of_the_file(nvim: Neovim) -> None:
    nvim.lua("vim.api.nvim_buf_set_lines(0, 0, 0, false, { '# a new line' })")
    nvim.lua(SHOW)
    nvim.lua(PRESS + " press('j<CR>') wait(function() return vim.fn.expand('%:t') == 'agent.py' end)")
    assert nvim.lua("return { vim.fn.line('.'), #vim.api.nvim_list_wins() }") == [5, 2]


def test_a_rerun_from_the_graph_says_what_it_costs_and_is_shown_when_it_has_started(
    nvim: Neovim, tmp_path: Path
) -> None:
    nvim.lua(SHOW)
    nvim.lua(PRESS + CHOOSE_FIRST + " press('jr') wait(function() return vim.fn.getline(1):find('run2') end)")
    assert nvim.lua("return asked") == "ao: Rerun from here? 1 of 2 calls live"
    assert received(tmp_path, "workspace/executeCommand") == [
        {"command": "ao.plan", "arguments": [{"run": "run1", "from": "c2", "dry_run": True}]},
        {"command": "ao.rerunFrom", "arguments": [{"run": "run1", "call": "c2"}]},
    ]


def test_the_keys_are_listed_on_demand(nvim: Neovim) -> None:
    nvim.lua(SHOW)
    nvim.lua(PRESS + " press('g?')")
    shown = nvim.lua("return screen()")
    for told in ("<CR>", "go to the line that made the call", "rerun from here", "close the window"):
        assert told in shown


def test_a_refused_graph_leaves_what_is_shown(nvim: Neovim) -> None:
    nvim.lua(SHOW)
    nvim.lua("""
      vim.notify = function(message) said = message end
      vim.cmd('AoGraph unknown')
      wait(function() return said ~= nil end)
    """)
    assert nvim.lua("return said") == "ao: no such run: unknown"
    nvim.lua("tell('$/fake/change') wait(function() return vim.fn.getline(1) == 'run1 (revision 2)' end)")
