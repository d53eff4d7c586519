--- Running a program by `ao-record` in a terminal in a window, which is used again.

local client = require('ao.client')
local compat = require('ao.compat')
local config = require('ao.config')
local window = require('ao.window')

---@class ao.record
local M = {}

---@class ao.RecordState
---@field window? integer
---@field bufnr? integer
---@field job? integer
---@field line string What runs, or has run.
---@field ended? integer With which code.
local state = { line = '' }

---@return boolean
local function is_running()
  return state.job ~= nil and vim.fn.jobwait({ state.job }, 0)[1] == -1
end

--- What stands above the terminal: what runs there, and how it ended.
---@return string Of 'winbar'.
function M.bar()
  local how = '%#AoRunning# running '
  if state.ended then
    how = state.ended == 0 and '%#AoLive# ended well ' or ('%%#AoFailed# exit code %d '):format(state.ended)
  end
  return how .. '%*%<' .. state.line:gsub('%%', '%%%%')
end

local function show_bar()
  if state.window and vim.api.nvim_win_is_valid(state.window) and vim.api.nvim_win_get_buf(state.window) == state.bufnr then
    vim.wo[state.window][0].winbar = M.bar()
  end
end

--- Which command runs the programs of this editor: that beside the server, which need not be on the `$PATH`.
---@param line string
---@return string
local function with_path(line)
  local cmd = client.installed()
  if vim.fn.executable('ao-record') == 0 and type(cmd) == 'table' and cmd[1]:find('/') then
    local beside = vim.fs.joinpath(vim.fs.dirname(cmd[1]), 'ao-record')
    if vim.fn.executable(beside) == 1 then
      return (line:gsub('^ao%-record', (vim.fn.shellescape(beside):gsub('%%', '%%%%'))))
    end
  end
  return line
end

---@param line string For a shell.
---@param cwd string
---@param mods? table
local function start(line, cwd, mods)
  local origin = vim.api.nvim_get_current_win()
  require('ao.ansi').define_highlights()
  local old = state.bufnr
  if state.window and vim.api.nvim_win_is_valid(state.window) then
    vim.api.nvim_set_current_win(state.window)
    vim.cmd.enew()
  else
    local how = config.get('record_window')
    if mods and ((mods.split or '') ~= '' or mods.vertical or (mods.tab or -1) ~= -1) then
      vim.cmd.new({ mods = mods })
    else
      vim.cmd(how)
      vim.cmd.enew()
    end
  end
  state.window, state.bufnr = vim.api.nvim_get_current_win(), vim.api.nvim_get_current_buf()
  vim.bo[state.bufnr].bufhidden, vim.bo[state.bufnr].buflisted = 'hide', false
  state.line, state.ended = line, nil
  local job
  job = compat.terminal(with_path(line), {
    cwd = cwd,
    on_exit = function(_, code)
      if job == state.job then
        state.ended = code
        show_bar()
      end
    end,
  })
  state.job = job
  local options = vim.wo[state.window][0]
  options.number, options.relativenumber, options.signcolumn = false, false, 'no'
  show_bar()
  vim.cmd('normal! G') -- follow what comes
  if old and vim.api.nvim_buf_is_valid(old) and old ~= state.bufnr then
    vim.api.nvim_buf_delete(old, { force = true })
  end
  vim.api.nvim_set_current_win(origin)
end

--- Save a file and run it.
---@param record ao.Record
function M.run(record)
  local file = record.file or vim.api.nvim_buf_get_name(0)
  if not record.file and (vim.bo.buftype ~= '' or file == '' or vim.bo.filetype ~= 'python') then
    vim.notify('ao: :AoRecord runs the Python file of the current window; this is none', vim.log.levels.WARN)
    return
  end
  if is_running() then
    if not record.force then
      vim.notify(('ao: %s still runs; :AoRecord! ends it'):format(state.line), vim.log.levels.WARN)
      return
    end
    vim.fn.jobstop(state.job)
    vim.fn.jobwait({ state.job }, 5000)
  end
  if vim.api.nvim_buf_get_name(0) == file then
    vim.cmd.update()
  end
  client.with(function(asked)
    client.execute(asked, 'ao.record', { file = vim.fn.fnamemodify(file, ':p') }, function(how)
      local args = record.args and record.args ~= '' and ' ' .. record.args or ''
      start(how.command .. args, how.cwd, record.mods)
    end)
  end)
end

return M
