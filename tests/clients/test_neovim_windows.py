"""The other windows of the Neovim plugin, against a language server that stands in for ao-lsp."""

from __future__ import annotations

from pathlib import Path

from tests.clients.conftest import received
from tests.clients.headless_neovim import Neovim

RUNS = """
  vim.cmd.AoRuns()
  wait(function() return vim.bo.filetype == 'aoruns' end)
"""
PRESS = "local function press(keys) vim.api.nvim_feedkeys(vim.keycode(keys), 'mtx', false) end\n"
CHOOSE_FIRST = "vim.ui.select = function(items, options, choose) asked = options.prompt choose(items[1]) end\n"
TOLD = "told = {} vim.notify = function(message) table.insert(told, message) end\n"


def lines(nvim: Neovim) -> list[str]:
    found: list[str] = nvim.lua("return vim.api.nvim_buf_get_lines(0, 0, -1, false)")
    return found


def test_the_runs_are_listed_and_filtered(nvim: Neovim) -> None:
    nvim.lua(RUNS)
    assert lines(nvim) == [
        "2 recorded runs",
        "",
        "● second  finished  2026-01-02  2 calls  1.2k→9  $0.50  1 m 15 s  rerun of first",
        "● first   finished  2026-01-02  2 calls  1.2k→9  $0.50  1 m 15 s",
    ]
    nvim.lua(PRESS + "vim.ui.input = function(_, done) done('^f') end press('f')")
    nvim.lua("wait(function() return vim.fn.getline(1) == '1 recorded run named like ^f' end)")
    assert nvim.lua("return vim.fn.line('$')") == 3


def test_a_run_is_deleted_only_after_asking(nvim: Neovim) -> None:
    nvim.lua(RUNS)
    nvim.lua(PRESS + "vim.ui.select = function(_, options, choose) asked = options.prompt choose('No') end press('X')")
    assert nvim.lua("return asked") == "ao: Delete second (second), with its 2 calls?"
    assert nvim.lua("return vim.fn.line('$')") == 4
    nvim.lua(PRESS + CHOOSE_FIRST + "press('X') wait(function() return vim.fn.line('$') == 3 end)")
    assert lines(nvim)[2].startswith("● first")


def test_a_run_is_written_to_a_file_of_the_users_choice(nvim: Neovim, tmp_path: Path) -> None:
    nvim.lua(RUNS)
    nvim.lua(
        PRESS
        + CHOOSE_FIRST
        + TOLD
        + f"vim.ui.input = function(options, done) done('{tmp_path}/' .. options.default) end "
        "press('w') wait(function() return told[1] end)"
    )
    assert (tmp_path / "second.html").read_text("utf-8") == "<html>"
    assert nvim.lua("return told") == [f"ao: exported second to {tmp_path}/second.html"]
    nvim.lua(PRESS + "told = {} vim.ui.input = function(_, done) done('/no/such/folder') end press('w')")
    nvim.lua("wait(function() return told[1] end)")
    assert "it cannot be written" in nvim.lua("return told[1]")


def test_a_picker_of_the_users_chooses_run_and_action(nvim: Neovim) -> None:
    nvim.lua(CHOOSE_FIRST + "vim.cmd('AoRuns! ^f') wait(function() return vim.bo.filetype == 'aograph' end)")
    assert lines(nvim)[0].startswith("first")


def test_what_a_rerun_prints_is_followed_to_its_end_without_codes_for_a_terminal(nvim: Neovim) -> None:
    nvim.lua("vim.cmd('AoLog run7') wait(function() return vim.fn.getline('$') == '100%' end)")
    assert lines(nvim) == ["one", "two", "100%"]
    assert nvim.lua("return { vim.fn.expand('%'), vim.fn.line('.') }") == ["ao://log/run7", 3]


def test_a_program_runs_in_a_window_that_is_used_again_and_says_how_it_ended(nvim: Neovim, source: Path) -> None:
    nvim.lua("vim.api.nvim_buf_set_lines(0, 0, 0, false, { '# new' }) vim.cmd('AoRecord 3')")
    nvim.lua("wait(function() return screen():find('exit code 3') end)")
    assert source.read_text("utf-8").startswith("# new\n"), "it is written before"
    assert nvim.lua("return vim.bo.filetype") == "python", "the cursor stays"
    assert f"in {source}" in nvim.lua("return screen():gsub('\\n', '')")
    nvim.lua("vim.cmd('AoRecord 0') wait(function() return screen():find('ended well') end)")
    assert nvim.lua("return #vim.api.nvim_list_wins()") == 2


def test_a_program_that_still_runs_is_ended_only_on_demand(nvim: Neovim) -> None:
    nvim.lua("vim.cmd('AoRecord $(sleep 1000)') wait(function() return screen():find('running ', 1, true) end)")
    nvim.lua(TOLD + "vim.cmd('AoRecord 0')")
    assert "still runs; :AoRecord! ends it" in nvim.lua("return told[1]")
    nvim.lua("vim.cmd('AoRecord! 0') wait(function() return screen():find('ended well') end)")


def test_only_a_python_file_is_run(nvim: Neovim) -> None:
    nvim.lua(TOLD + "vim.cmd.new() vim.cmd('AoRecord')")
    assert "runs the Python file of the current window; this is none" in nvim.lua("return told[1]")


def test_a_text_of_the_server_is_read_again_when_it_has_changed(nvim: Neovim) -> None:
    nvim.lua("vim.cmd.edit('ao:///run/run1/log.md') wait(function() return vim.fn.getline(1) == 'revision 1' end)")
    assert nvim.lua("return { vim.bo.filetype, vim.bo.modifiable, vim.bo.swapfile }") == ["markdown", False, False]
    nvim.lua("tell('$/fake/change') wait(function() return vim.fn.getline(1) == 'revision 2' end)")


def test_the_server_is_told_whether_runs_can_be_seen(nvim: Neovim, tmp_path: Path) -> None:
    nvim.lua(RUNS + "vim.cmd.close() ask('textDocument/hover')")
    nvim.lua("ask('textDocument/hover')")
    assert [told["runs"] for told in received(tmp_path, "$/ao/didShow")] == [[], None, []]


def test_what_is_wrong_with_the_server_is_told_once_and_stands_in_the_statusline(nvim: Neovim) -> None:
    full = "{ health = 'error', quiescent = true, message = 'the disk is full', running = {}, compiling = 0 }"
    nvim.lua(TOLD + f"for _ = 1, 2 do tell('$/fake/status', {full}) end")
    nvim.lua("wait(function() return require('ao').status() == 'ao: the disk is full' end)")
    nvim.lua("tell('$/fake/status', { health = 'ok', quiescent = true, message = '', running = {}, compiling = 0 })")
    nvim.lua("wait(function() return require('ao').status() == 'ao' end)")
    assert nvim.lua("return told") == ["ao: the disk is full"]
