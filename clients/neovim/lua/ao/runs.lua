--- The recorded runs in a buffer, newest first.

local actions = require('ao.actions')
local client = require('ao.client')
local window = require('ao.window')
local words = require('ao.words')

---@class ao.runs
local M = {}

local NAME, FILETYPE, MOST = 'ao://runs', 'aoruns', 100

local GROUPS = { finished = 'AoLive', failed = 'AoFailed', running = 'AoRunning', killed = 'AoFailed', lost = 'AoFailed' }
local MARKS = { finished = '●', failed = '✗', running = '◌', killed = '⊘', lost = '?' }

---@class ao.RunsState
---@field filter? string
---@field runs table<integer, table> By line, from 1.
---@field asking? 'asked'|'again'
local state = { runs = {} }

---@return table? run That in the line of the cursor.
local function here()
  local run = state.runs[vim.api.nvim_win_get_cursor(0)[1]]
  if not run then
    vim.notify('ao: there is no run in this line')
  end
  return run
end

---@param run table
---@param names table<string, string>
---@return string[]
local function cells(run, names)
  local tokens = run.input_tokens and ('%s→%s'):format(words.amount(run.input_tokens), words.amount(run.output_tokens)) or ''
  local notes = {}
  local parent = words.given(run.parent_run)
  if parent then
    table.insert(notes, ('rerun of %s'):format(names[parent] or parent:sub(1, 8)))
  end
  if run.edits > 0 then
    table.insert(notes, ('%d edited'):format(run.edits))
  end
  if run.failed_calls > 0 then
    table.insert(notes, ('%d failed'):format(run.failed_calls))
  end
  local status = run.status
  if words.given(run.exit_code) and run.exit_code ~= 0 then
    status = ('%s (%d)'):format(status, run.exit_code)
  end
  return {
    (words.given(run.subrun_of) and '  ' or '') .. (MARKS[run.status] or ' ') .. ' ' .. run.name:gsub('%s', ' '),
    status,
    words.ago(run.started),
    ('%d call%s'):format(run.calls, run.calls == 1 and '' or 's'),
    tokens,
    words.dollars(run.cost_usd),
    words.seconds(run.duration_s),
    table.concat(notes, ', '),
  }
end

---@param bufnr integer
---@param answer table
local function write(bufnr, answer)
  local names = {}
  for _, run in ipairs(answer.runs) do
    names[run.id] = run.name
  end
  local head = ('%d recorded run%s'):format(answer.total, answer.total == 1 and '' or 's')
  if state.filter then
    head = ('%s named like %s'):format(head, state.filter)
  end
  local lines, marks = { head, '' }, { { row = 0, first = 0, last = #head, group = 'AoTitle' } }
  local rows, widths = {}, {}
  for _, run in ipairs(answer.runs) do
    local row = cells(run, names)
    table.insert(rows, row)
    for column, cell in ipairs(row) do
      widths[column] = math.max(widths[column] or 0, vim.fn.strdisplaywidth(cell))
    end
  end
  state.runs = {}
  for index, row in ipairs(rows) do
    local text, at = '', {}
    for column, cell in ipairs(row) do
      if widths[column] > 0 then
        at[column] = #text
        text = text .. cell .. (' '):rep(widths[column] - vim.fn.strdisplaywidth(cell) + 2)
      end
    end
    text = text:gsub('%s+$', '')
    table.insert(lines, text)
    local run = answer.runs[index]
    state.runs[#lines] = run
    local mark = #(row[1]:match('^%s*'))
    table.insert(marks, { row = #lines - 1, first = mark, last = mark + #(MARKS[run.status] or ' '), group = GROUPS[run.status] or 'AoDim' })
    table.insert(marks, { row = #lines - 1, first = math.min(at[3], #text), last = #text, group = 'AoDim' })
  end
  if #rows == 0 then
    table.insert(lines, state.filter and 'None is named like this.   f: look for others' or 'Nothing has been recorded yet: :AoRecord runs the file that you edit.')
  end
  window.write(bufnr, lines, marks)
end

---@return integer? bufnr Where it can be seen.
local function shown_in()
  local bufnr = vim.fn.bufnr('^' .. NAME .. '$')
  return bufnr ~= -1 and #vim.fn.win_findbuf(bufnr) > 0 and bufnr or nil
end

--- Ask for the runs again, if they can be seen.
function M.refresh()
  local bufnr, asked = shown_in(), client.find()
  if not bufnr or not asked then
    return
  end
  if state.asking then
    state.asking = 'again'
    return
  end
  state.asking = 'asked'
  local function done()
    local again = state.asking == 'again'
    state.asking = nil
    if again then
      M.refresh()
    end
  end
  client.request(asked, 'ao/runs', { limit = MOST, name = state.filter }, function(answer)
    local win = vim.fn.win_findbuf(bufnr)[1]
    local before = win and state.runs[vim.api.nvim_win_get_cursor(win)[1]]
    write(bufnr, answer)
    for line, run in pairs(state.runs) do
      if before and win and run.id == before.id then
        vim.api.nvim_win_set_cursor(win, { line, 0 })
      end
    end
    done()
  end, function()
    done()
  end)
end

---@param act fun(run: table)
---@return fun()
local function with_run(act)
  return function()
    local run = here()
    if run then
      act(run)
    end
  end
end

---@type ao.Key[]
local keys = {
  { '<CR>', 'show its graph', with_run(function(run)
    require('ao.graph').open({ run = run.id })
  end) },
  { 'd', 'diff with the run that it is a rerun of', with_run(function(run)
    require('ao.diff').with_parent(run)
  end) },
  { 'D', 'diff with another run', with_run(function(run)
    require('ao.pick').run('Compare with which run?', nil, function(other)
      require('ao.diff').open(other.id, run.id)
    end)
  end) },
  { 'r', 'rerun it', with_run(function(run)
    actions.rerun(run.id, nil, M.refresh)
  end) },
  { 'L', 'show what it prints', with_run(function(run)
    require('ao.log').open({ run = run.id })
  end) },
  { 'S', 'stop its program', with_run(actions.stop) },
  { 'w', 'write it to a file (export)', with_run(actions.export) },
  { 'X', 'delete it', with_run(function(run)
    actions.delete(run, M.refresh)
  end) },
  { 'f', 'show only runs of some name', function()
    vim.ui.input({ prompt = 'Runs named like (a regular expression): ', default = state.filter }, function(filter)
      if filter then
        state.filter = filter ~= '' and filter or nil
        M.refresh()
      end
    end)
  end },
  { 'R', 'ask for them again', function()
    M.refresh()
  end },
}

--- Show the list.
---@param open ao.OpenRuns
function M.open(open)
  client.with(function(asked)
    state.filter = open.filter
    client.request(asked, 'ao/runs', { limit = MOST, name = state.filter }, function(answer)
      local bufnr, is_new = window.buffer(NAME, FILETYPE)
      if is_new then
        window.adopt(bufnr, FILETYPE)
        window.map(bufnr, 'The recorded runs', keys)
      end
      local was_shown = window.of(bufnr) ~= nil
      write(bufnr, answer)
      local win = window.show(bufnr, open.mods)
      if not was_shown and #answer.runs > 0 then
        vim.api.nvim_win_set_cursor(win, { 3, 0 })
      end
    end)
  end)
end

--- Something has changed in a run.
function M.on_change()
  M.refresh()
end

return M
