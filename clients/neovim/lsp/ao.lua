--- How Neovim starts ao-lsp and what it tells the server about itself (see |lsp-config|).

---@param name string A function of lua/ao/init.lua, which is not loaded before it is called.
---@return function
local function later(name)
  return function(...)
    return require('ao')[name](...)
  end
end

---@type vim.lsp.Config
return {
  cmd = { 'ao-lsp' },
  filetypes = { 'python' },
  root_markers = { 'pyproject.toml', 'setup.py', 'setup.cfg', 'requirements.txt', '.git' },
  capabilities = {
    -- Neovim 0.11 does not ask for it, as it has no handler; ours is below.
    workspace = { codeLens = { refreshSupport = true } },
    experimental = { ao = { version = 1 } },
  },
  handlers = {
    -- Neovim 0.12 keeps lenses fresh by itself, and its own handler knows how.
    ['workspace/codeLens/refresh'] = not vim.lsp.codelens.enable and later('on_lens_refresh') or nil,
    ['workspace/inlayHint/refresh'] = later('on_hint_refresh'),
    ['$/ao/graphDidChange'] = later('on_graph_change'),
  },
  commands = {
    -- The answer is a text, and the server cannot open a buffer for it.
    ['ao.graph'] = later('on_graph_command'),
  },
}
