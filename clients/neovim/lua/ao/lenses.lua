--- Code lenses. Neovim 0.12 looks after them by itself; before, they show only when somebody asks for them.

local compat = require('ao.compat')
local config = require('ao.config')

---@class ao.lenses
local M = {}

local group = vim.api.nvim_create_augroup('ao.lenses', {})

---@param client vim.lsp.Client
---@param bufnr integer
function M.attach(client, bufnr)
  if config.get('code_lenses') == false then
    return
  end
  if compat.has_lenses then
    vim.lsp.codelens.enable(true, { bufnr = bufnr })
    return
  end
  vim.api.nvim_clear_autocmds({ group = group, buffer = bufnr })
  vim.api.nvim_create_autocmd({ 'BufEnter', 'InsertLeave', 'BufWritePost' }, {
    group = group,
    buffer = bufnr,
    desc = 'Keep the lenses of ao-lsp fresh',
    callback = function()
      for _, one in ipairs(vim.lsp.get_clients({ bufnr = bufnr, name = 'ao' })) do
        M.refresh(one, bufnr)
      end
    end,
  })
  M.refresh(client, bufnr)
end

-- A change by whatever means: the server has been told of it. Not while somebody types; then comes InsertLeave.
if not compat.has_lenses then
  vim.api.nvim_create_autocmd('LspNotify', {
    group = group,
    desc = 'Ask for the lenses of what has changed',
    callback = function(event)
      local client = vim.lsp.get_client_by_id(event.data.client_id)
      local changed = event.data.method == 'textDocument/didChange' and config.get('code_lenses') ~= false
      if changed and client and client.name == 'ao' and not vim.api.nvim_get_mode().mode:match('^i') then
        M.refresh(client, vim.uri_to_bufnr(event.data.params.textDocument.uri))
      end
    end,
  })
end

local namespace = vim.api.nvim_create_namespace('ao.lenses')

--- Show lenses above their lines, as Neovim 0.12 does. Before, it has them behind the line, where a hint is already and
--- most of them are cut off; and in no order, as they begin in the same column.
---@param lenses lsp.CodeLens[]
---@param bufnr integer
local function display(lenses, bufnr)
  vim.api.nvim_buf_clear_namespace(bufnr, namespace, 0, -1)
  local rows, count = {}, vim.api.nvim_buf_line_count(bufnr) ---@type table<integer, lsp.CodeLens[]>, integer
  for _, lens in ipairs(lenses) do
    local row = lens.range.start.line
    if row < count and lens.command then
      rows[row] = rows[row] or {}
      table.insert(rows[row], lens)
    end
  end
  for row, here in pairs(rows) do
    local chunks = { { vim.api.nvim_buf_get_lines(bufnr, row, row + 1, false)[1]:match('^%s*'), 'LspCodeLensSeparator' } }
    for place, lens in ipairs(here) do
      table.insert(chunks, { place > 1 and ' | ' or '', 'LspCodeLensSeparator' })
      table.insert(chunks, { (lens.command.title:gsub('%s+', ' ')), 'LspCodeLens' })
    end
    local options = { virt_lines = { chunks }, virt_lines_above = row > 0 }
    if row == 0 then -- nothing shows above the first line
      table.remove(chunks, 1)
      options = { virt_text = chunks }
    end
    vim.api.nvim_buf_set_extmark(bufnr, namespace, row, 0, options)
  end
end

if not compat.has_lenses then
  vim.api.nvim_create_autocmd('LspDetach', {
    group = group,
    desc = 'Take the lenses of a server away that has left',
    callback = function(event)
      local client = vim.lsp.get_client_by_id(event.data.client_id)
      if client and client.name == 'ao' and vim.api.nvim_buf_is_loaded(event.buf) then
        vim.api.nvim_buf_clear_namespace(event.buf, namespace, 0, -1)
      end
    end,
  })
end

--- Requests that are under way, by client and buffer. "again": and already out of date.
---@type table<string, 'asked'|'again'|nil>
local asking = {}

--- Ask for the lenses of a buffer, and show them.
---
--- Not `vim.lsp.codelens.refresh()`: that asks every server of the buffer, and it drops a refresh
--- that comes while an answer is under way. In a run, where each call changes the lenses, the last
--- change would be lost. Here, it is asked for once more when the answer is there.
---@param client vim.lsp.Client
---@param bufnr integer
function M.refresh(client, bufnr)
  -- Scheduled, so that after a write the server hears of it first: its autocommand comes after ours.
  vim.schedule(function()
    local key = client.id .. ' ' .. bufnr
    if asking[key] then
      asking[key] = 'again'
      return
    end
    if not vim.lsp.buf_is_attached(bufnr, client.id) or not compat.supports(client, 'textDocument/codeLens', bufnr) then
      return
    end
    local params = { textDocument = vim.lsp.util.make_text_document_params(bufnr) }
    asking[key] = 'asked'
    local sent = compat.request(client, 'textDocument/codeLens', params, function(err, result, ctx)
      local again = asking[key] == 'again'
      asking[key] = nil
      if not err and vim.api.nvim_buf_is_loaded(bufnr) then
        vim.lsp.codelens.save(result, bufnr, ctx.client_id)
        display(result or {}, bufnr)
      end
      if again then
        M.refresh(client, bufnr)
      end
    end, bufnr)
    if not sent then
      asking[key] = nil
    end
  end)
end

--- |lsp-handler| for `workspace/codeLens/refresh`, which Neovim before 0.12 does not have.
---@type lsp.Handler
function M.on_refresh(_, _, ctx)
  local client = vim.lsp.get_client_by_id(ctx.client_id)
  if client and config.get('code_lenses') ~= false then
    for bufnr in pairs(client.attached_buffers) do
      M.refresh(client, bufnr)
    end
  end
  return vim.NIL
end

return M
