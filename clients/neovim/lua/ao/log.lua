--- What a rerun in the background prints, in a buffer that follows it.

local ansi = require('ao.ansi')
local client = require('ao.client')
local window = require('ao.window')

---@class ao.log
local M = {}

local LOOK_MS = 300

---@class ao.Log
---@field text string What has come.
---@field next integer The byte to go on from.
---@field timer? uv.uv_timer_t

---@type table<integer, ao.Log> By buffer.
local logs = {}

---@param bufnr integer
---@param log ao.Log
---@param ended boolean
local function write(bufnr, log, ended)
  local lines = vim.split(ansi.strip(log.text):gsub('\n$', ''), '\n', { plain = true })
  if log.text == '' then
    lines = { ended and '(it has printed nothing)' or '(nothing yet)' }
  end
  local at_end = {}
  for _, win in ipairs(vim.fn.win_findbuf(bufnr)) do
    at_end[win] = vim.api.nvim_win_get_cursor(win)[1] == vim.api.nvim_buf_line_count(bufnr)
  end
  window.write(bufnr, lines)
  for win, follows in pairs(at_end) do
    if follows then -- who has gone up to read stays there
      vim.api.nvim_win_set_cursor(win, { #lines, 0 })
    end
  end
end

---@param log ao.Log
local function stop(log)
  if log.timer then
    log.timer:stop()
    log.timer:close()
    log.timer = nil
  end
end

---@param bufnr integer
---@param run string
local function follow(bufnr, run)
  local log = logs[bufnr]
  local asked = client.find()
  if not log or not asked or #vim.fn.win_findbuf(bufnr) == 0 then
    return
  end
  client.execute(asked, 'ao.output', { run = run, ['from'] = log.next }, function(answer)
    if not vim.api.nvim_buf_is_valid(bufnr) or logs[bufnr] ~= log then
      return
    end
    log.text, log.next = log.text .. answer.text, answer.next
    write(bufnr, log, answer.ended)
    stop(log)
    if not answer.ended then
      log.timer = vim.defer_fn(function()
        log.timer = nil
        follow(bufnr, run)
      end, LOOK_MS)
    end
  end)
end

---@param bufnr integer
---@param run string
local function begin(bufnr, run)
  if logs[bufnr] then
    stop(logs[bufnr])
  end
  logs[bufnr] = { text = '', next = 0 }
  follow(bufnr, run)
end

--- Show what a run prints.
---@param open ao.Open
function M.open(open)
  client.with(function(asked)
    local wanted = open.run or 'last'
    client.execute(asked, 'ao.output', { run = wanted }, function(answer)
      local bufnr, is_new = window.buffer('ao://log/' .. answer.run, 'aolog')
      if is_new then
        window.adopt(bufnr, 'aolog')
        window.map(bufnr, 'What a rerun prints', {
          { 'R', 'read it again', function()
            begin(bufnr, answer.run)
          end },
          { 'S', 'stop the program', function()
            require('ao.actions').stop({ id = answer.run, name = answer.run, status = 'running' })
          end },
        })
        vim.api.nvim_create_autocmd('BufWipeout', {
          buffer = bufnr,
          callback = function()
            if logs[bufnr] then
              stop(logs[bufnr])
              logs[bufnr] = nil
            end
          end,
        })
      end
      window.show(bufnr, open.mods)
      begin(bufnr, answer.run)
    end)
  end)
end

return M
