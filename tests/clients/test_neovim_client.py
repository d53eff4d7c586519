"""The Neovim plugin in a real Neovim, against a language server that stands in for ao-lsp."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from tests.clients import headless_neovim, tmux
from tests.clients.conftest import received, wait_until
from tests.clients.headless_neovim import Neovim


def test_a_python_file_shows_lenses_and_hints_without_any_setup(nvim: Neovim) -> None:
    assert nvim.lua("return lenses()") == ["2 graph 1", "2 rerun 1", "4 graph 1", "4 rerun 1"]
    assert nvim.lua("return hints()") == ["2 output 1", "4 output 1"]
    shown = nvim.lua("return screen()")
    assert "rerun 1 | graph 1" in shown
    assert 'reply output 1 = client.create("a")' in shown


@pytest.mark.usefixtures("nvim")
def test_the_server_is_told_what_the_client_can_do(tmp_path: Path) -> None:
    [initialized] = received(tmp_path, "initialize")
    assert initialized["capabilities"]["experimental"] == {
        "ao": {"version": 1, "content": True},
        "commands": {"commands": ["ao.record"]},
    }
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
    nvim.lua("tell('$/fake/change')")
    nvim.lua("wait(function() return lenses()[1] == '2 graph 2' and hints()[1] == '2 output 2' end)")
    shown = nvim.lua("return screen()")
    assert "rerun 2 | graph 2" in shown
    assert "output 2" in shown
    assert "output 1" not in shown
    answers = [json.loads(line) for line in (tmp_path / "received.jsonl").read_text("utf-8").splitlines()]
    assert [answer for answer in answers if "error" in answer] == []


def test_no_refresh_is_lost_when_many_come_at_once(nvim: Neovim) -> None:
    nvim.lua("for _ = 1, 50 do tell('$/fake/change') end")
    nvim.lua("wait(function() return lenses()[1] == '2 graph 51' and hints()[1] == '2 output 51' end)")


def test_a_refresh_that_overtakes_an_answer_is_not_lost(nvim: Neovim, tmp_path: Path) -> None:
    asked = len(received(tmp_path, "textDocument/codeLens"))
    nvim.lua("tell('$/fake/hold') vim.cmd.doautocmd('BufEnter')")
    if not nvim.lua("return vim.lsp.codelens.enable ~= nil"):
        wait_until(lambda: len(received(tmp_path, "textDocument/codeLens")) > asked)
    # What is on its way is of revision 1 now, and the refresh says that there is a second one.
    nvim.lua("""
      tell('$/fake/change')
      ask('textDocument/hover')
      tell('$/fake/release')
      wait(function() return lenses()[1] == '2 graph 2' end)
    """)


def test_hints_on_the_screen_are_new_also_when_it_was_drawn_while_they_were_asked_for(nvim: Neovim) -> None:
    assert "output 1" in nvim.lua("return screen()")
    nvim.lua("""
      tell('$/fake/hold')
      tell('$/fake/change')
      ask('textDocument/hover')
    """)
    assert "output 2" not in nvim.lua("return screen()")
    nvim.lua("tell('$/fake/release') wait(function() return hints()[1] == '2 output 2' end)")
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


def test_what_the_server_refuses_is_said(nvim: Neovim) -> None:
    nvim.lua("""
      vim.notify = function(message) said = message end
      vim.cmd('AoGraph unknown')
      wait(function() return said ~= nil end)
    """)
    assert nvim.lua("return said") == "ao: no such run: unknown"


def test_a_client_that_was_restarted_shows_lenses_again(nvim: Neovim) -> None:
    nvim.lua("before = client().id vim.cmd.AoRestart()")
    nvim.lua("wait(function() return client() and client().id ~= before and #lenses() == 4 and #hints() == 2 end)")


def test_a_server_that_dies_is_started_again_and_shows_the_same(nvim: Neovim) -> None:
    nvim.lua("told = {} vim.notify = function(message) table.insert(told, message) end")
    nvim.lua("before = client().id tell('$/fake/die')")
    nvim.lua("wait(function() return client() and client().id ~= before and #lenses() == 4 and #hints() == 2 end)")
    told = nvim.lua("return told")
    assert "ao: the server has ended with code 3; it is started again" in told


def test_a_server_that_dies_again_and_again_is_left_alone(nvim: Neovim) -> None:
    nvim.lua("""
      told = {} vim.notify = function(message) table.insert(told, message) end
      local later = vim.defer_fn
      vim.defer_fn = function(act, delay) return later(act, math.min(delay, 20)) end
    """)
    for _ in range(5):
        nvim.lua("before = client().id tell('$/fake/die')")
        nvim.lua("wait(function() return client() and client().id ~= before and client().initialized end)")
    nvim.lua("tell('$/fake/die') wait(function() return table.concat(told):find('left alone') end)")
    assert nvim.lua("return client() == nil")
    nvim.lua("vim.cmd.AoRestart() wait(function() return #lenses() == 4 and #hints() == 2 end)")


def test_lenses_and_hints_can_be_switched_off(program: Path, path: str, source: Path, tmp_path: Path) -> None:
    init = "vim.g.ao_code_lenses = false vim.g.ao_inlay_hints = false"
    with headless_neovim.start(program, source, path, init) as nvim:
        nvim.lua("wait(function() return client() and client().initialized end)")
        nvim.lua("tell('$/fake/change')")
        # The answer to a request comes behind everything that it could have set off.
        nvim.lua("ask('textDocument/hover')")
        assert nvim.lua("return { #lenses(), #hints() }") == [0, 0]
    assert received(tmp_path, "textDocument/codeLens") == []
    assert received(tmp_path, "textDocument/inlayHint") == []


def test_without_the_server_the_plugin_is_silent(program: Path, source: Path) -> None:
    with headless_neovim.start(program, source, "/usr/bin:/bin") as nvim:
        assert nvim.lua("return client() == nil")
        assert nvim.lua("return vim.fn.execute('messages')").strip() == ""
        nvim.lua("vim.notify = function(message) said = message end vim.cmd.AoGraph()")
        assert "no server is running" in nvim.lua("return said")


def test_the_plugin_can_be_kept_from_starting_the_server(program: Path, path: str, source: Path) -> None:
    with headless_neovim.start(program, source, path, "vim.g.ao_enable = false") as nvim:
        assert nvim.lua("return { client() == nil, vim.fn.exists(':AoGraph') }") == [True, 2]


def test_nothing_is_loaded_at_startup_without_a_python_file(program: Path, path: str, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("none\n", "utf-8")
    with headless_neovim.start(program, tmp_path / "notes.txt", path) as nvim:
        found = "vim.tbl_filter(function(name) return name:match('^ao') end, vim.tbl_keys(package.loaded))"
        assert nvim.lua(f"return {{ #{found}, package.loaded['vim.lsp'] == nil, vim.fn.exists(':AoGraph') }}") == [
            0,
            True,
            2,
        ]
        assert nvim.lua("return { require('ao').status(), vim.lsp.get_clients() }") == ["", []]


def test_options_can_be_set_by_a_table_and_a_wrong_one_is_named(program: Path, path: str, source: Path) -> None:
    init = (
        "vim.notify = function(message) said = message end\n"
        "require('ao').setup({ inlay_hints = false, inlay_hint = true })"
    )
    with headless_neovim.start(program, source, path, init) as nvim:
        nvim.lua("wait(function() return #lenses() == 4 end)")
        assert nvim.lua("return #hints()") == 0
        assert nvim.lua("return said").startswith(
            "ao: there is no option inlay_hint; there are cmd, code_lenses, enable"
        )


def test_what_is_under_way_is_in_the_statusline_and_on_the_last_line(nvim: Neovim) -> None:
    assert nvim.lua("return require('ao').status()") == "ao"
    nvim.lua("tell('$/fake/progress', { kind = 'begin', title = 'Rerun' })")
    nvim.lua("tell('$/fake/progress', { kind = 'report', message = '3 of about 7 calls', percentage = 43 })")
    nvim.lua("wait(function() return require('ao').status() == 'ao: Rerun 43% · 3 of about 7 calls' end)")
    nvim.lua("tell('$/fake/progress', { kind = 'end', message = 'ended, 2 of 7 calls live' })")
    nvim.lua("wait(function() return require('ao').status() == 'ao' end)")
    assert "ao: rerun ended, 2 of 7 calls live" in nvim.lua("return vim.fn.execute('messages')")


def test_the_help_tells_of_everything_that_a_user_can_set(
    program: Path, path: str, source: Path, tmp_path: Path
) -> None:
    shutil.copytree(headless_neovim.PLUGIN / "doc", tmp_path / "help" / "doc")  # the index is written beside the text
    with headless_neovim.start(program, source, path) as nvim:
        nvim.lua(f"vim.opt.runtimepath:prepend('{tmp_path}/help') vim.cmd.helptags('{tmp_path}/help/doc')")
        options = nvim.lua("""
          local found = {}
          for name in io.lines(vim.api.nvim_get_runtime_file('lua/ao/config.lua', false)[1]) do
            table.insert(found, name:match('^  (%w[%w_]*) = '))
          end
          return found
        """)
        commands = nvim.lua("return vim.fn.getcompletion('Ao', 'command')")
        assert len(commands) == 6
        for topic in (
            *(f":{name}" for name in commands),
            *(f"g:ao_{name}" for name in options),
            "ao.status()",
            "ao.txt",
        ):
            assert nvim.lua(f"vim.cmd.help('{topic}') return vim.fn.expand('%:t')") == "ao.txt"


def test_lenses_and_hints_in_a_terminal_are_new_after_refreshes_without_an_edit(
    program: Path, path: str, source: Path, tmp_path: Path
) -> None:
    if reason := tmux.missing():
        pytest.skip(reason)
    config = tmp_path / "init.lua"
    config.write_text(
        f"vim.opt.runtimepath:prepend('{headless_neovim.PLUGIN}')\n{headless_neovim.QUICK}\nvim.o.swapfile = false\n"
        "function Change()\n"
        "  local client = vim.lsp.get_clients()[1]\n"
        "  client.rpc.notify('$/fake/change', {})\n"
        "end\n",
        "utf-8",
    )
    env = {**os.environ, "PATH": path, "XDG_STATE_HOME": str(tmp_path)}
    with tmux.terminal([program, "--clean", "-u", config, source], env=env, columns=80, lines=20) as screen:
        screen.wait_for("reply output 1 = client", "rerun 1 | graph 1")
        for revision in (2, 3):
            screen.command(":lua Change()")
            old = [f"output {revision - 1}", f"graph {revision - 1}"]
            screen.wait_for(f"reply output {revision} = client", f"rerun {revision} | graph {revision}", without=old)
