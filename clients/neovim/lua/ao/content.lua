--- Texts of the server (`ao:///…`): prompts, outputs and the like, in buffers that are read again when they change.

local client = require('ao.client')

---@class ao.content
local M = {}

local FILETYPES = { markdown = 'markdown', json = 'json', diff = 'diff', python = 'python', mermaid = 'mermaid', dot = 'dot', xml = 'xml', toml = 'toml', yaml = 'yaml' }

---@param bufnr integer
---@param text string
local function write(bufnr, text)
  local lines = vim.split((text:gsub('\n$', '')), '\n', { plain = true })
  vim.bo[bufnr].modifiable = true
  vim.api.nvim_buf_set_lines(bufnr, 0, -1, false, lines)
  vim.bo[bufnr].modifiable, vim.bo[bufnr].modified = false, false
end

---@param bufnr integer
---@param uri string
---@param asked vim.lsp.Client
local function ask(bufnr, uri, asked)
  client.request(asked, 'ao/content', { uri = uri }, function(answer)
    if vim.api.nvim_buf_is_loaded(bufnr) then
      write(bufnr, answer.text)
      local filetype = FILETYPES[answer.language] or 'text'
      if vim.bo[bufnr].filetype ~= filetype then
        vim.bo[bufnr].filetype = filetype
      end
    end
  end)
end

--- Fill a buffer whose name is the address of a text.
---@param bufnr integer
---@param uri string
function M.read(bufnr, uri)
  local options = vim.bo[bufnr]
  -- No buffer of a server: it is named like a file, and is none.
  options.buftype, options.swapfile, options.undolevels, options.modifiable = 'nowrite', false, -1, false
  vim.keymap.set('n', 'q', function()
    local other = vim.fn.bufnr('#')
    if other ~= -1 and other ~= bufnr then
      vim.cmd.buffer(other)
    else
      vim.cmd.close()
    end
  end, { buffer = bufnr, nowait = true, desc = 'ao: back to what was here before' })
  client.with(function(asked)
    ask(bufnr, uri, asked)
  end)
end

--- Handler of `$/ao/contentDidChange`: read it again, if somebody has it.
---@type lsp.Handler
function M.on_change(_, params, ctx)
  local asked = vim.lsp.get_client_by_id(ctx.client_id)
  for _, bufnr in ipairs(vim.api.nvim_list_bufs()) do
    if asked and vim.api.nvim_buf_is_loaded(bufnr) and vim.api.nvim_buf_get_name(bufnr) == params.uri then
      ask(bufnr, params.uri, asked)
    end
  end
end

return M
