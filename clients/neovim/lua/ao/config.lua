--- The options: `vim.g.ao_<name>`, and what holds without them.

---@class ao.config
local M = {}

---@class ao.config.Options
local defaults = {
  --- Start the server for Python files, where it is installed.
  enable = true,
  --- The command of the server.
  ---@type string[]
  cmd = { 'ao-lsp' },
  --- Show code lenses.
  code_lenses = true,
  --- Show inlay hints.
  inlay_hints = true,
  --- Say what reruns are doing, on the last line.
  progress = true,
  --- Start a server again that has died.
  restart = true,
  --- How :AoRecord opens its window.
  record_window = 'botright 15split',
}

---@generic T
---@param name string
---@return any value What `vim.g` says, else the default.
function M.get(name)
  local value = vim.g['ao_' .. name]
  if value == nil then
    value = defaults[name]
  end
  return value
end

--- Set options by a table without `ao_`. One that there is not is told, and the others hold.
---@param options table<string, any>
function M.set(options)
  local unknown = {}
  for name, value in pairs(options) do
    if defaults[name] == nil then
      table.insert(unknown, name)
    else
      vim.g['ao_' .. name] = value
    end
  end
  if #unknown > 0 then
    table.sort(unknown)
    local known = vim.tbl_keys(defaults)
    table.sort(known)
    local said = 'ao: there is no option %s; there are %s'
    vim.notify(said:format(table.concat(unknown, ', '), table.concat(known, ', ')), vim.log.levels.ERROR)
  end
end

return M
