"""A real Neovim without a screen, driven from Python through its own `--remote-expr`."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.clients import installed

PLUGIN = installed.ROOT / "clients" / "neovim"

PRELUDE = """
local function client()
  return vim.lsp.get_clients({ name = 'ao' })[1]
end
local function lenses()
  local found = {}
  -- 0.11 takes a buffer and gives lenses; 0.12 takes a filter and gives lenses with their client.
  for _, item in ipairs(vim.lsp.codelens.get(not vim.lsp.codelens.enable and 0 or { bufnr = 0 })) do
    local lens = item.lens or item
    table.insert(found, ('%d %s'):format(lens.range.start.line + 1, lens.command.title))
  end
  table.sort(found)
  return found
end
local function hints()
  return vim.tbl_map(function(hint)
    return ('%d %s'):format(hint.inlay_hint.position.line + 1, hint.inlay_hint.label)
  end, vim.lsp.inlay_hint.get({ bufnr = 0 }))
end
local function wait(condition)
  if vim.wait(20000, condition, 5) then
    return
  end
  local state = {
    client = client() and client().initialized,
    lenses = pcall(lenses) and lenses(),
    hints = hints(),
    messages = vim.fn.execute('messages'),
  }
  error('waited in vain:\\n' .. debug.traceback() .. '\\n' .. vim.inspect(state))
end
local function screen()
  vim.cmd('redraw!')
  local lines = {}
  for row = 1, vim.o.lines do
    local line = {}
    for column = 1, vim.o.columns do
      table.insert(line, vim.fn.screenstring(row, column))
    end
    table.insert(lines, vim.trim(table.concat(line)))
  end
  return table.concat(lines, '\\n')
end
"""
"""What the Lua of tests can use."""


class Neovim:
    """One Neovim with the plugin installed and nothing else; `start` makes it."""

    def __init__(self, program: Path, home: Path) -> None:
        self._program = program
        self._home = home
        self._steps = 0

    def lua(self, code: str) -> Any:
        """What `code` returns, run in this Neovim after `PRELUDE`; it may wait.

        Raises:
            AssertionError: it failed; the message is Lua's.
        """
        self._steps += 1
        step = self._home / f"step{self._steps}.lua"
        step.write_text(
            f"{PRELUDE}\nlocal done, value = pcall(function()\n{code}\nend)\n"
            "if not done then value = tostring(value) end\nreturn vim.json.encode({ done = done, value = value })",
            "utf-8",
        )
        result = subprocess.run(
            [self._program, "--server", self._home / "socket", "--remote-expr", f"luaeval('dofile(_A)', '{step}')"],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert result.returncode == 0, result.stderr
        answer = json.loads(result.stdout)
        assert answer["done"], answer["value"]
        return answer.get("value")


@contextmanager
def start(program: Path, file: Path, path: str, init: str = "") -> Iterator[Neovim]:
    """A Neovim that has `file` open.

    Args:
        program: the `nvim` to run.
        file: what to open.
        path: its `$PATH`.
        init: Lua of the user's configuration.
    """
    # Not pytest's folder: the path of a socket has to be short.
    with tempfile.TemporaryDirectory(prefix="nvim") as folder:
        home = Path(folder)
        config = home / "init.lua"
        config.write_text(f"vim.opt.runtimepath:prepend('{PLUGIN}')\n{init}\n", "utf-8")
        variables = {f"XDG_{name}_HOME": str(home / name) for name in ("CONFIG", "DATA", "STATE", "CACHE")}
        command: list[str | Path] = [program, "--clean", "--headless", "-u", config, "--listen", home / "socket", file]
        with subprocess.Popen(
            command, env={**os.environ, **variables, "PATH": path}, stdin=subprocess.DEVNULL
        ) as process:
            try:
                _wait_for(home / "socket", process)
                yield Neovim(program, home)
            finally:
                process.kill()


def _wait_for(socket: Path, process: subprocess.Popen[bytes]) -> None:
    for _ in range(2000):
        if socket.exists():
            return
        assert process.poll() is None, "Neovim did not start"
        time.sleep(0.01)  # between two looks
    raise AssertionError("Neovim did not start to listen")


def find() -> tuple[Path | None, str]:
    """The Neovim to test with, or None and the reason why there is none."""
    return installed.find("nvim-0.11")
