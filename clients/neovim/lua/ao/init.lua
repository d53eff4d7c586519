--- What the plugin adds to Neovim's own LSP client: lenses and hints that stay fresh, and the graph.

local M = {}

local GRAPH = 'ao://graph'

--- Begin to show lenses and hints in a buffer.
---@param client vim.lsp.Client
---@param bufnr integer
function M.attach(client, bufnr)
  if vim.g.ao_code_lenses ~= false then
    if vim.lsp.codelens.enable then -- Neovim 0.12: from here on it does everything by itself
      vim.lsp.codelens.enable(true, { bufnr = bufnr })
    else
      M.refresh_lenses(client, bufnr)
    end
  end
  if vim.g.ao_inlay_hints ~= false and client:supports_method('textDocument/inlayHint', bufnr) then
    vim.lsp.inlay_hint.enable(true, { bufnr = bufnr })
  end
end

--- Requests for lenses that are under way, by client and buffer. "again": and already out of date.
---@type table<string, 'asked'|'again'|nil>
local asking = {}

--- Ask for the lenses of a buffer, and show them. Neovim 0.12 has its own way and gets nothing here.
---
--- Not `vim.lsp.codelens.refresh()`: that asks every server of the buffer, and it drops a refresh
--- that comes while an answer is under way. In a run, where each call changes the lenses, the last
--- change would be lost. Here, it is asked for once more when the answer is there.
---@param client vim.lsp.Client
---@param bufnr integer
function M.refresh_lenses(client, bufnr)
  if vim.lsp.codelens.enable or vim.g.ao_code_lenses == false then
    return
  end
  -- Scheduled, so that after a write the server hears of it first: its autocommand comes after ours.
  vim.schedule(function()
    local key = client.id .. ' ' .. bufnr
    if asking[key] then
      asking[key] = 'again'
      return
    end
    if not vim.lsp.buf_is_attached(bufnr, client.id) or not client:supports_method('textDocument/codeLens', bufnr) then
      return
    end
    local params = { textDocument = vim.lsp.util.make_text_document_params(bufnr) }
    asking[key] = 'asked'
    local sent = client:request('textDocument/codeLens', params, function(err, result, ctx)
      local again = asking[key] == 'again'
      asking[key] = nil
      vim.lsp.codelens.on_codelens(err, result, ctx)
      if again then
        M.refresh_lenses(client, bufnr)
      end
    end, bufnr)
    if not sent then
      asking[key] = nil
    end
  end)
end

--- |lsp-handler| for `workspace/codeLens/refresh`, which Neovim 0.11 does not have.
---@type lsp.Handler
function M.on_lens_refresh(_, _, ctx)
  local client = assert(vim.lsp.get_client_by_id(ctx.client_id))
  for bufnr in pairs(client.attached_buffers) do
    M.refresh_lenses(client, bufnr)
  end
  return vim.NIL
end

--- |lsp-handler| for `workspace/inlayHint/refresh`.
---
--- Neovim's own one goes on drawing the old hints where the screen is redrawn before the answer is
--- there (0.11 and 0.12). Switched off and on again, it has none to draw.
---@type lsp.Handler
function M.on_hint_refresh(_, _, ctx)
  local client = assert(vim.lsp.get_client_by_id(ctx.client_id))
  for bufnr in pairs(client.attached_buffers) do
    if vim.lsp.inlay_hint.is_enabled({ bufnr = bufnr }) then
      vim.lsp.inlay_hint.enable(false, { bufnr = bufnr })
      vim.lsp.inlay_hint.enable(true, { bufnr = bufnr })
    end
  end
  return vim.NIL
end

--- What the graph buffer shows: the arguments of `ao.graph`, and the server that was asked.
---@type { arguments: table, client: vim.lsp.Client }?
local shown

---@param text string
---@return integer bufnr Of the graph buffer, which is made where there is none.
local function write_graph(text)
  local bufnr = vim.fn.bufnr(GRAPH)
  if bufnr == -1 then
    bufnr = vim.api.nvim_create_buf(false, true)
    vim.api.nvim_buf_set_name(bufnr, GRAPH)
    vim.bo[bufnr].filetype = 'aograph'
  end
  vim.bo[bufnr].modifiable = true
  vim.api.nvim_buf_set_lines(bufnr, 0, -1, false, vim.split(vim.trim(text), '\n'))
  vim.bo[bufnr].modifiable = false
  return bufnr
end

---@param client vim.lsp.Client
---@param arguments table
---@param on_text fun(text: string)
local function request_graph(client, arguments, on_text)
  local params = { command = 'ao.graph', arguments = { vim.tbl_extend('force', arguments, { format = 'text' }) } }
  client:request('workspace/executeCommand', params, function(err, result)
    if err then
      vim.notify('ao: ' .. err.message, vim.log.levels.ERROR)
    elseif type(result) == 'table' and result.text then
      on_text(result.text)
    end
  end)
end

--- Show the graph of a run in a window. It follows the run for as long as the window is there.
---@param arguments { run: string? } Arguments of `ao.graph`; no run: the last one.
---@param mods table? How to split, see |nvim_parse_cmd()|; a window that shows the graph is used again.
function M.graph(arguments, mods)
  local client = vim.lsp.get_clients({ bufnr = 0, name = 'ao' })[1] or vim.lsp.get_clients({ name = 'ao' })[1]
  if not client then
    vim.notify('ao: no server is running; open a Python file, and see :checkhealth vim.lsp', vim.log.levels.WARN)
    return
  end
  request_graph(client, arguments, function(text)
    shown = { arguments = arguments, client = client }
    local bufnr = write_graph(text)
    local window = vim.fn.bufwinid(bufnr)
    if window ~= -1 then
      vim.api.nvim_set_current_win(window)
    else
      vim.cmd.sbuffer({ bufnr, mods = mods or {} })
      vim.wo[0][0].wrap = false
    end
  end)
end

--- Client side of the command `ao.graph`, for lenses and code actions.
---@param command lsp.Command
function M.on_graph_command(command)
  M.graph((command.arguments or {})[1] or {})
end

--- Handler of `$/ao/graphDidChange`: draw anew a graph that can be seen.
---@type lsp.Handler
function M.on_graph_change(_, _, ctx)
  if shown and shown.client.id == ctx.client_id and vim.fn.bufwinid(GRAPH) ~= -1 then
    request_graph(shown.client, shown.arguments, write_graph)
  end
end

return M
