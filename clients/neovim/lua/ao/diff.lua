--- Two runs side by side, in |diff-mode|: call by call, in the order in which the server pairs them.

local client = require('ao.client')
local pick = require('ao.pick')
local window = require('ao.window')
local words = require('ao.words')

---@class ao.diff
local M = {}

---@param lines string[]
---@param text any
local function add(lines, text)
  text = words.given(text)
  if text then
    vim.list_extend(lines, vim.split(text, '\n', { plain = true }))
  end
end

---@param lines string[]
---@param pair table
---@param side 'a'|'b'
local function add_call(lines, pair, side)
  local node = words.given(pair[side])
  if not node then
    return
  end
  local made_by = words.given(node['function']) or words.given(node.endpoint) or node.kind
  table.insert(lines, ('# %s · %s'):format(made_by, words.given(node.model) or node.kind))
  if pair.verdict == 'same' and #pair.changes == 0 then
    vim.list_extend(lines, { '(the same)', '' })
    return
  end
  if node.status ~= 'ok' then
    table.insert(lines, ('(%s)'):format(node.status))
  end
  for _, name in ipairs(vim.fn.sort(vim.tbl_keys(words.given(pair.parameters) or {}))) do
    table.insert(lines, ('%s: %s'):format(name, vim.json.encode(pair.parameters[name][side])))
  end
  for _, message in ipairs(words.given(pair.messages) or {}) do
    if words.given(message[side]) then
      table.insert(lines, ('## %s'):format(message.role))
      add(lines, message[side])
    end
  end
  table.insert(lines, '## output')
  local output = words.given(pair.output)
  if output then
    add(lines, output[side])
  else
    table.insert(lines, '(the same)')
  end
  table.insert(lines, '')
end

---@param answer table
---@param side 'a'|'b'
---@return string[]
local function text(answer, side)
  local run, totals = answer[side], answer.totals[side]
  local spent = words.dollars(totals.cost_usd)
  local lines = {
    ('%s (%s) · %s'):format(run.name, run.id, run.status),
    ('%d calls, %d of them live%s'):format(totals.calls, totals.live_calls, spent ~= '' and ' · ' .. spent or ''),
    '',
  }
  for _, pair in ipairs(answer.calls) do
    add_call(lines, pair, side)
  end
  return lines
end

---@param answer table
---@param side 'a'|'b'
---@return integer bufnr
local function buffer(answer, side)
  local bufnr, is_new = window.buffer(('ao://diff/%s/%s'):format(side, answer[side].id), 'aodiff')
  if is_new then
    window.adopt(bufnr, 'aodiff')
    vim.bo[bufnr].syntax = 'markdown'
    window.map(bufnr, 'Two runs side by side', {
      { ']c', 'the next difference', function()
        vim.cmd('normal! ]c')
      end },
      { '[c', 'the one before', function()
        vim.cmd('normal! [c')
      end },
      { 'Q', 'close both', function()
        vim.cmd.tabclose()
      end },
    })
  end
  window.write(bufnr, text(answer, side))
  return bufnr
end

--- Show what is different in run `b` from run `a`, in a tab page of its own.
---@param a? string Default: what `b` is a rerun of.
---@param b? string Default: the last run.
function M.open(a, b)
  client.with(function(asked)
    if not a then
      client.request(asked, 'ao/graph', { run = b or 'last' }, function(graph)
        M.with_parent(graph.run)
      end)
      return
    end
    client.execute(asked, 'ao.diff', { a = a, b = b or 'last' }, function(answer)
      if answer.identical then
        vim.notify(('ao: %s and %s are the same, call by call'):format(answer.a.name, answer.b.name))
        return
      end
      vim.cmd.tabnew()
      local empty = vim.api.nvim_get_current_buf()
      vim.api.nvim_win_set_buf(0, buffer(answer, 'a'))
      vim.api.nvim_buf_delete(empty, { force = true })
      vim.cmd('rightbelow vertical sbuffer ' .. buffer(answer, 'b'))
      vim.cmd('windo diffthis | setlocal nonumber signcolumn=no foldcolumn=0')
      vim.cmd('normal! gg]c')
    end)
  end)
end

--- Show what is different in a run from the one that it is a rerun of; of one that is none, have another chosen.
---@param run table
function M.with_parent(run)
  local parent = words.given(run.parent_run)
  if parent then
    M.open(parent, run.id)
  else
    pick.run(('%s is no rerun. Compare with which run?'):format(run.name), nil, function(other)
      M.open(other.id, run.id)
    end)
  end
end

return M
