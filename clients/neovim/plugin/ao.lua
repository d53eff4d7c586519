-- Loaded at startup. What does the work is in lua/ao/init.lua, and is not loaded before there is some.
if vim.g.loaded_ao or vim.fn.has('nvim-0.11') == 0 then
  return
end
vim.g.loaded_ao = true

local group = vim.api.nvim_create_augroup('ao', {})

vim.api.nvim_create_autocmd('LspAttach', {
  group = group,
  desc = 'Show the lenses and hints of ao-lsp',
  callback = function(event)
    local client = vim.lsp.get_client_by_id(event.data.client_id)
    if client and client.name == 'ao' then
      require('ao').attach(client, event.buf)
    end
  end,
})

vim.api.nvim_create_autocmd({ 'BufEnter', 'InsertLeave', 'TextChanged', 'BufWritePost' }, {
  group = group,
  desc = 'Keep the lenses of ao-lsp fresh',
  callback = function(event)
    for _, client in ipairs(vim.lsp.get_clients({ bufnr = event.buf, name = 'ao' })) do
      require('ao').refresh_lenses(client, event.buf)
    end
  end,
})

vim.api.nvim_create_user_command('AoGraph', function(command)
  require('ao').graph({ run = command.args ~= '' and command.args or nil }, command.smods)
end, { nargs = '?', desc = 'Show the graph of a run (default: the last one)' })

-- Without the server there would be an error message at every Python file.
local cmd = vim.g.ao_enable ~= false and vim.lsp.config.ao.cmd
if type(cmd) == 'function' or (cmd and vim.fn.executable(cmd[1]) == 1) then
  vim.lsp.enable('ao')
end
