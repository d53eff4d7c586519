--- Buffers and windows of the plugin's own, and where else something is shown.

---@class ao.window
local M = {}

--- Filetypes of our own buffers: files are opened beside them, not in their windows.
local OWN = { aograph = true, aoruns = true, aolog = true, aodiff = true }

--- The buffer of that name, made where there is none.
---@param name string
---@param filetype string
---@return integer bufnr
---@return boolean is_new
function M.buffer(name, filetype)
  for _, bufnr in ipairs(vim.api.nvim_list_bufs()) do
    if vim.api.nvim_buf_get_name(bufnr) == name then
      if not vim.api.nvim_buf_is_loaded(bufnr) then
        vim.fn.bufload(bufnr)
      end
      return bufnr, vim.bo[bufnr].filetype ~= filetype
    end
  end
  local bufnr = vim.api.nvim_create_buf(false, true)
  vim.api.nvim_buf_set_name(bufnr, name)
  return bufnr, true
end

--- The properties of a buffer that shows something and is no file.
---@param bufnr integer
---@param filetype string
function M.adopt(bufnr, filetype)
  require('ao.ansi').define_highlights()
  local options = vim.bo[bufnr]
  options.buftype, options.swapfile, options.bufhidden = 'nofile', false, 'hide'
  options.modifiable, options.undolevels = false, -1
  options.filetype = filetype
  require('ao.visible').watch(bufnr)
end

local namespace = vim.api.nvim_create_namespace('ao')

--- Put lines and their highlights into a buffer of ours. Only lines that differ are replaced.
---@param bufnr integer
---@param lines string[]
---@param marks? ao.Mark[]
function M.write(bufnr, lines, marks)
  vim.bo[bufnr].modifiable = true
  if not vim.deep_equal(vim.api.nvim_buf_get_lines(bufnr, 0, -1, false), lines) then
    vim.api.nvim_buf_set_lines(bufnr, 0, -1, false, lines)
  end
  vim.bo[bufnr].modifiable, vim.bo[bufnr].modified = false, false
  vim.api.nvim_buf_clear_namespace(bufnr, namespace, 0, -1)
  for _, mark in ipairs(marks or {}) do
    vim.api.nvim_buf_set_extmark(bufnr, namespace, mark.row, mark.first, { end_col = mark.last, hl_group = mark.group })
  end
end

--- The first window of this tab page that shows a buffer.
---@param bufnr integer
---@return integer? window
function M.of(bufnr)
  local window = vim.fn.bufwinid(bufnr)
  return window ~= -1 and window or nil
end

--- Show a buffer of ours; a window that has it is used again.
---@param bufnr integer
---@param mods? table See |nvim_parse_cmd()|.
---@return integer window
function M.show(bufnr, mods)
  local window = M.of(bufnr)
  if window then
    vim.api.nvim_set_current_win(window)
    return window
  end
  vim.cmd.sbuffer({ bufnr, mods = mods or {} })
  window = vim.api.nvim_get_current_win()
  local options = vim.wo[window][0]
  options.wrap, options.number, options.relativenumber, options.signcolumn = false, false, false, 'no'
  options.cursorline, options.list, options.spell, options.foldcolumn = true, false, false, '0'
  return window
end

---@param window integer
---@return boolean
local function is_for_files(window)
  if vim.api.nvim_win_get_config(window).relative ~= '' then
    return false
  end
  local bufnr = vim.api.nvim_win_get_buf(window)
  return vim.bo[bufnr].buftype == '' and not OWN[vim.bo[bufnr].filetype]
end

--- Go to a window in which a file may be opened: this one, the previous one, any of the tab page, or a new one.
function M.to_files()
  local windows = { vim.api.nvim_get_current_win(), vim.fn.win_getid(vim.fn.winnr('#')) }
  vim.list_extend(windows, vim.api.nvim_tabpage_list_wins(0))
  for _, window in ipairs(windows) do
    if vim.api.nvim_win_is_valid(window) and is_for_files(window) then
      vim.api.nvim_set_current_win(window)
      return
    end
  end
  vim.cmd('aboveleft new')
end

--- Show a file at a line, where files are shown.
---@param uri string
---@param line integer From 1.
function M.jump(uri, line)
  local bufnr = vim.uri_to_bufnr(uri)
  M.to_files()
  vim.cmd("normal! m'")
  if vim.api.nvim_get_current_buf() ~= bufnr then
    vim.cmd.edit({ vim.fn.fnameescape(vim.uri_to_fname(uri)) })
  end
  local last = vim.api.nvim_buf_line_count(0)
  vim.api.nvim_win_set_cursor(0, { math.max(1, math.min(line, last)), 0 })
  vim.cmd('normal! ^zvzz')
end

--- |lsp-handler| for `window/showDocument`: a file is not opened in a window of ours.
---@type lsp.Handler
function M.on_show_document(err, params, ctx)
  if not params.external and params.takeFocus ~= false then
    local bufnr = vim.uri_to_bufnr(params.uri)
    local window = M.of(bufnr)
    if window then
      vim.api.nvim_set_current_win(window)
      vim.cmd.checktime(bufnr)
    else
      M.to_files()
    end
  end
  return vim.lsp.handlers['window/showDocument'](err, params, ctx)
end

---@class ao.Key
---@field [1] string The key.
---@field [2] string What it does.
---@field [3] fun() Does it.

--- Give keys to a buffer of ours, `g?` (which lists them) and `q` among them.
---@param bufnr integer
---@param title string
---@param keys ao.Key[]
function M.map(bufnr, title, keys)
  local all = vim.list_extend({}, keys)
  table.insert(all, { 'q', 'close the window', function()
    if not pcall(vim.api.nvim_win_close, 0, false) then -- the last one
      vim.cmd.bprevious()
    end
  end })
  table.insert(all, { 'g?', 'this help', function()
    M.help(title, all)
  end })
  for _, key in ipairs(all) do
    vim.keymap.set('n', key[1], key[3], { buffer = bufnr, nowait = true, silent = true, desc = 'ao: ' .. key[2] })
  end
end

--- What keys do, in a floating window; in two columns where the screen is low.
---@param title string
---@param keys ao.Key[]
function M.help(title, keys)
  local rows = #keys + 4 < vim.o.lines and #keys or math.ceil(#keys / 2)
  local lines, marks = { title, '' }, { { row = 0, first = 0, last = #title, group = 'AoTitle' } }
  for index, key in ipairs(keys) do
    local row = (index - 1) % rows + 3
    local before = lines[row] and lines[row] .. (' '):rep(44 - #lines[row]) or ''
    lines[row] = before .. (' %-5s %s'):format(key[1], key[2])
    table.insert(marks, { row = row - 1, first = #before + 1, last = #before + 1 + #key[1], group = 'AoKey' })
  end
  M.float(lines, marks)
end

--- Show lines in a floating window in the middle, until `q` or another window is gone to.
---@param lines string[]
---@param marks? ao.Mark[]
---@param filetype? string
function M.float(lines, marks, filetype)
  local bufnr = vim.api.nvim_create_buf(false, true)
  vim.bo[bufnr].bufhidden = 'wipe'
  M.write(bufnr, lines, marks)
  local widest = 20
  for _, line in ipairs(lines) do
    widest = math.max(widest, vim.fn.strdisplaywidth(line) + 1)
  end
  local width = math.min(widest, 100, vim.o.columns - 4)
  local height = 0 -- with the lines that are wrapped
  for _, line in ipairs(lines) do
    height = height + math.max(1, math.ceil(vim.fn.strdisplaywidth(line) / width))
  end
  height = math.min(height, vim.o.lines - 5)
  local shown = vim.api.nvim_open_win(bufnr, true, {
    relative = 'editor',
    row = math.max(0, math.floor((vim.o.lines - height) / 2) - 2),
    col = math.max(0, math.floor((vim.o.columns - width) / 2) - 1),
    width = width,
    height = height,
    style = 'minimal',
    border = 'rounded',
  })
  vim.wo[shown][0].wrap, vim.wo[shown][0].linebreak = true, true
  if filetype then
    vim.bo[bufnr].syntax = filetype
  end
  local function close()
    if vim.api.nvim_win_is_valid(shown) then
      vim.api.nvim_win_close(shown, true)
    end
  end
  for _, key in ipairs({ 'q', 'g?', 'K', '<Esc>', '<CR>' }) do
    vim.keymap.set('n', key, close, { buffer = bufnr, nowait = true })
  end
  vim.api.nvim_create_autocmd('WinLeave', { buffer = bufnr, once = true, callback = vim.schedule_wrap(close) })
end

return M
