--- Where Neovim 0.10, 0.11 and 0.12 differ.

---@class ao.compat
local M = {}

--- Whether clients have methods (`client:request`), and `vim.lsp.config` exists.
M.has_config = vim.fn.has('nvim-0.11') == 1

--- Whether Neovim shows lenses by itself, once they are enabled, and keeps them fresh. (Not `vim.lsp.codelens.enable`:
--- that loads the module.)
M.has_lenses = vim.fn.has('nvim-0.12') == 1

---@param client vim.lsp.Client
---@param method string
---@param params table
---@param handler lsp.Handler
---@param bufnr? integer
---@return boolean sent
---@return integer? id
function M.request(client, method, params, handler, bufnr)
  if M.has_config then
    return client:request(method, params, handler, bufnr)
  end
  return client.request(method, params, handler, bufnr)
end

---@param client vim.lsp.Client
---@param method string
---@param params table
function M.notify(client, method, params)
  if M.has_config then
    client:notify(method, params)
  else
    client.notify(method, params)
  end
end

---@param client vim.lsp.Client
---@param method string
---@param bufnr integer
---@return boolean
function M.supports(client, method, bufnr)
  if M.has_config then
    return client:supports_method(method, bufnr)
  end
  return client.supports_method(method, { bufnr = bufnr })
end

---@param client vim.lsp.Client
function M.stop(client)
  if M.has_config then
    client:stop()
  else
    client.stop()
  end
end

---@param client vim.lsp.Client
---@return boolean
function M.is_stopped(client)
  if M.has_config then
    return client:is_stopped()
  end
  return client.is_stopped()
end

--- Run a command in a terminal in the current window, whose buffer must be new and empty.
---@param cmd string|string[]
---@param opts table As |jobstart()| has them.
---@return integer job
function M.terminal(cmd, opts)
  if M.has_config then
    return vim.fn.jobstart(cmd, vim.tbl_extend('force', opts, { term = true }))
  end
  return vim.fn.termopen(cmd, opts)
end

return M
