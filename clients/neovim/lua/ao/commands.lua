--- Commands of the server that lenses and code actions offer, as they are run from Neovim.

local client = require('ao.client')

---@class ao.commands
local M = {}

--- Those that Neovim does in its own way.
---@type table<string, fun(argument: table, asked: vim.lsp.Client)>
local OWN = {
  -- The answer is a text, and the server cannot open a buffer for it.
  ['ao.graph'] = function(argument)
    require('ao.graph').open({ run = argument.run })
  end,
  ['ao.openLog'] = function(argument)
    require('ao.log').open({ run = argument.run })
  end,
  ['ao.openDiff'] = function(argument)
    require('ao.diff').open(argument.a, argument.b)
  end,
  ['ao.record'] = function(argument)
    require('ao.record').run({ file = argument.file })
  end,
}
OWN['ao.howToRecord'] = OWN['ao.record'] -- as it was called before

--- Run a command that a lens or an action has.
---@param command lsp.Command
---@param context { client_id: integer }
function M.run(command, context)
  local argument = (command.arguments or {})[1] or {}
  local asked = vim.lsp.get_client_by_id(context.client_id) or client.find()
  if not asked then
    vim.notify('ao: the server is gone; :AoRestart starts it again', vim.log.levels.ERROR)
  elseif OWN[command.command] then
    OWN[command.command](argument, asked)
  else
    client.execute(asked, command.command, argument)
  end
end

return M
