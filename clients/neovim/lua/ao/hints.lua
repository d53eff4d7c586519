--- Inlay hints. Neovim shows them; after a refresh it goes on drawing the old ones.

local compat = require('ao.compat')
local config = require('ao.config')

---@class ao.hints
local M = {}

---@param client vim.lsp.Client
---@param bufnr integer
function M.attach(client, bufnr)
  if config.get('inlay_hints') ~= false and compat.supports(client, 'textDocument/inlayHint', bufnr) then
    vim.lsp.inlay_hint.enable(true, { bufnr = bufnr })
  end
end

--- |lsp-handler| for `workspace/inlayHint/refresh`.
---
--- Neovim's own one goes on drawing the old hints: 0.10 until the next edit, 0.11 and 0.12 where the screen is
--- redrawn before the answer is there. Switched off and on again, it has none to draw.
---@type lsp.Handler
function M.on_refresh(_, _, ctx)
  local client = vim.lsp.get_client_by_id(ctx.client_id)
  for bufnr in pairs(client and client.attached_buffers or {}) do
    if vim.lsp.inlay_hint.is_enabled({ bufnr = bufnr }) then
      vim.lsp.inlay_hint.enable(false, { bufnr = bufnr })
      vim.lsp.inlay_hint.enable(true, { bufnr = bufnr })
    end
  end
  return vim.NIL
end

return M
