--- How Neovim 0.11 and newer starts ao-lsp (see |lsp-config|). Neovim 0.10 gets the same from lua/ao/client.lua.
---
--- Also without the rest of the plugin: then nobody looks after lenses, and there are no commands.

---@type boolean, ao.client
local found, client = pcall(require, 'ao.client')

---@type vim.lsp.Config
return found and client.config()
  or {
    cmd = { 'ao-lsp' },
    filetypes = { 'python' },
    root_markers = { 'pyproject.toml', 'setup.py', 'setup.cfg', 'requirements.txt', '.git' },
  }
