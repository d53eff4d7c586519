-- Loaded at startup, so it does next to nothing: what does the work is in lua/ao/, loaded when it is used first.
if vim.g.loaded_ao or vim.fn.has('nvim-0.10') == 0 then
  return
end
vim.g.loaded_ao = true

local group = vim.api.nvim_create_augroup('ao', {})

vim.api.nvim_create_autocmd('FileType', {
  group = group,
  pattern = 'python',
  desc = 'Start ao-lsp where it is installed',
  callback = function(event)
    require('ao.client').enable(event.buf)
  end,
})

vim.api.nvim_create_autocmd('LspAttach', {
  group = group,
  desc = 'Show the lenses and hints of ao-lsp',
  callback = function(event)
    local client = vim.lsp.get_client_by_id(event.data.client_id)
    if client and client.name == 'ao' then
      require('ao.client').attached(client, event.buf)
    end
  end,
})

vim.api.nvim_create_autocmd('BufReadCmd', {
  group = group,
  pattern = 'ao:///*',
  desc = 'Read a text of ao-lsp',
  callback = function(event)
    require('ao.content').read(event.buf, event.match)
  end,
})

---@param name string
---@param run fun(command: vim.api.keyset.create_user_command.command_args)
---@param opts table
local function command(name, run, opts)
  vim.api.nvim_create_user_command(name, run, opts)
end

---@param what string
---@return fun(lead: string): string[]
local function complete(what)
  return function(lead)
    return require('ao.complete')[what](lead)
  end
end

command('AoGraph', function(given)
  require('ao').graph({ run = given.args ~= '' and given.args or nil, mods = given.smods })
end, { nargs = '?', complete = complete('runs'), desc = 'Show the graph of a run (default: the last one)' })

command('AoRuns', function(given)
  require('ao').runs({ filter = given.args ~= '' and given.args or nil, pick = given.bang, mods = given.smods })
end, { nargs = '?', bang = true, desc = 'List the recorded runs; with ! choose one of them' })

command('AoRecord', function(given)
  require('ao').record({ args = given.args, force = given.bang, mods = given.smods })
end, { nargs = '*', bang = true, complete = 'file', desc = 'Run this file by ao-record in a terminal' })

command('AoLog', function(given)
  require('ao').log({ run = given.args ~= '' and given.args or nil, mods = given.smods })
end, { nargs = '?', complete = complete('runs'), desc = 'Show what a rerun prints (default: the last run)' })

command('AoDiff', function(given)
  require('ao').diff({ a = given.fargs[1], b = given.fargs[2] })
end, { nargs = '*', complete = complete('runs'), desc = 'Show two runs side by side (default: the last one and its parent)' })

command('AoRestart', function()
  require('ao').restart()
end, { desc = 'Start ao-lsp again' })
