"""A real Neovim without a screen, driven from Python through a socket."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.clients import installed

PLUGIN = installed.ROOT / "clients" / "neovim"

PRELUDE = """
local function client()
  return vim.lsp.get_clients({ name = 'ao' })[1]
end
-- Clients have methods from 0.11 on.
local has_methods = vim.fn.has('nvim-0.11') == 1
local function tell(method, params)
  local to = client()
  return has_methods and to:notify(method, params or {}) or not has_methods and to.notify(method, params or {})
end
local function ask(method, params)
  local to = client()
  if has_methods then
    return assert(to:request_sync(method, params or {}, 10000, 0))
  end
  return assert(to.request_sync(method, params or {}, 10000, 0))
end
local function lenses()
  local found = {}
  -- Before 0.12 it takes a buffer and gives lenses; then it takes a filter and gives lenses with their client.
  for _, item in ipairs(vim.lsp.codelens.get(not vim.lsp.codelens.enable and 0 or { bufnr = 0 })) do
    local lens = item.lens or item
    table.insert(found, ('%d %s'):format(lens.range.start.line + 1, lens.command.title))
  end
  table.sort(found)
  return found
end
local function hints()
  return vim.tbl_map(function(hint)
    local label = hint.inlay_hint.label
    if type(label) == 'table' then
      label = table.concat(vim.tbl_map(function(part) return part.value end, label))
    end
    return ('%d %s'):format(hint.inlay_hint.position.line + 1, label)
  end, vim.lsp.inlay_hint.get({ bufnr = 0 }))
end
local function outputs()
  return vim.tbl_filter(function(hint)
    return not hint:find('⟵', 1, true)
  end, hints())
end
local function wait(condition)
  if vim.wait(tonumber(vim.env.AO_TEST_WAIT_MS) or 20000, condition, 5) then
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


# Not `nvim --remote-expr`: that is a second Neovim each time, and most of the time that the tests would take.
LISTEN = """
local server = assert(vim.uv.new_pipe(false))
assert(server:bind(vim.env.AO_TEST_SOCKET))
server:listen(8, function()
  local peer, said = assert(vim.uv.new_pipe(false)), ''
  server:accept(peer)
  peer:read_start(function(_, data)
    if data then
      said = said .. data
    end
    if data and said:sub(-1) == '\\0' then
      vim.schedule(function()
        local step, problem = loadstring(said:sub(1, -2))
        peer:write(step and step() or vim.json.encode({ done = false, value = problem }))
        peer:shutdown(function() peer:close() end)
      end)
    end
  end)
end)
"""
"""What runs the Lua of tests in Neovim: one piece a connection."""


QUICK = "vim.g.loaded_python3_provider = 0"
"""Neovim looks for a Python of its own before it shows a Python file, which takes a second."""


class Neovim:
    """One Neovim with the plugin installed and nothing else; `start` makes it."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket

    def lua(self, code: str) -> Any:
        """What `code` returns, run in this Neovim after `PRELUDE`; it may wait.

        Raises:
            AssertionError: it failed; the message is Lua's.
        """
        step = (
            f"{PRELUDE}\nlocal done, value = pcall(function()\n{code}\nend)\n"
            "if not done then value = tostring(value) end\nreturn vim.json.encode({ done = done, value = value })"
        )
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(60)
            connection.connect(str(self._socket))
            connection.sendall(step.encode() + b"\0")
            said = b"".join(iter(lambda: connection.recv(1 << 16), b""))
        assert said, "Neovim has ended"
        answer = json.loads(said)
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
        config.write_text(f"vim.opt.runtimepath:prepend('{PLUGIN}')\n{LISTEN}\n{QUICK}\n{init}\n", "utf-8")
        variables = {"AO_TEST_SOCKET": str(home / "socket")}
        variables |= {f"XDG_{name}_HOME": str(home / name) for name in ("CONFIG", "DATA", "STATE", "CACHE")}
        command: list[str | Path] = [program, "--clean", "--headless", "-u", config, file]
        with subprocess.Popen(
            command, env={**os.environ, **variables, "PATH": path}, stdin=subprocess.DEVNULL
        ) as process:
            try:
                _wait_for(home / "socket", process)
                yield Neovim(home / "socket")
            finally:
                process.kill()


def _wait_for(path: Path, process: subprocess.Popen[bytes]) -> None:
    for _ in range(2000):
        with socket.socket(socket.AF_UNIX) as connection, suppress(OSError):
            connection.connect(str(path))
            return
        assert process.poll() is None, "Neovim did not start"
        time.sleep(0.01)  # between two looks
    raise AssertionError("Neovim did not start to listen")


VERSIONS = ("0.10", "0.11", "0.12")
"""Those that the plugin is for."""


def find(version: str) -> tuple[Path | None, str]:
    """The Neovim to test with, or None and the reason why there is none."""
    return installed.find(f"nvim-{version}")
