--- What can be seen of runs: the server tells changes of these only (`$/ao/didShow`).

local compat = require('ao.compat')

---@class ao.visible
local M = {}

local SHOWS_RUNS = { aograph = true, aoruns = true }

---@return boolean
local function is_anything()
  for _, window in ipairs(vim.api.nvim_list_wins()) do
    if SHOWS_RUNS[vim.bo[vim.api.nvim_win_get_buf(window)].filetype] then
      return true
    end
  end
  return false
end

--- Tell a server. The list and the graph of the last run are of any; where neither is there, nothing needs telling.
---@param client vim.lsp.Client
function M.tell(client)
  compat.notify(client, '$/ao/didShow', { runs = is_anything() and vim.NIL or {} })
end

--- Tell all servers when a buffer is seen for the first time or not any more.
---@param bufnr integer
function M.watch(bufnr)
  if not SHOWS_RUNS[vim.bo[bufnr].filetype] then
    return
  end
  vim.api.nvim_create_autocmd({ 'BufWinEnter', 'BufWinLeave' }, {
    buffer = bufnr,
    desc = 'Tell ao-lsp what can be seen',
    callback = vim.schedule_wrap(function()
      for _, client in ipairs(vim.lsp.get_clients({ name = 'ao' })) do
        M.tell(client)
      end
    end),
  })
end

return M
