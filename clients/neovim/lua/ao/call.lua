--- One call in a floating window: what it is, its output, and its messages.

local client = require('ao.client')
local window = require('ao.window')

---@class ao.call
local M = {}

---@param run string
---@param call string|integer
---@param use fun(answer: table)
local function ask(run, call, use)
  client.with(function(asked)
    client.request(asked, 'ao/call', { run = run, call = call }, use)
  end)
end

---@param value any
---@return any value nil in place of JSON's null.
local function given(value)
  return value ~= vim.NIL and value or nil
end

---@param lines string[]
---@param text string
local function add(lines, text)
  vim.list_extend(lines, vim.split(text, '\n', { plain = true }))
end

---@param calls table[]?
---@return string[]
local function tool_calls(calls)
  local lines = {}
  for _, call in ipairs(given(calls) or {}) do
    local arguments = call.arguments
    table.insert(lines, ('%s(%s)'):format(call.name or '?', type(arguments) == 'string' and arguments or vim.json.encode(arguments)))
  end
  return lines
end

---@param answer table
---@return string[] lines Of Markdown.
local function prompt(answer)
  local lines = {}
  for _, message in ipairs(answer.messages) do
    vim.list_extend(lines, { ('## %s'):format(message.role), '' })
    if given(message.text) and message.text ~= '' then
      add(lines, message.text)
    end
    vim.list_extend(lines, tool_calls(message.tool_calls))
    table.insert(lines, '')
  end
  return lines
end

---@param answer table
---@return string[] lines
local function output(answer)
  local lines = {}
  local said = given(answer.output)
  if said then
    if given(said.text) and said.text ~= '' then
      add(lines, said.text)
    end
    vim.list_extend(lines, tool_calls(said.tool_calls))
  end
  local failure = given(answer.error)
  if failure then
    add(lines, ('%s: %s'):format(failure.type, failure.message))
  end
  if #lines == 0 then
    lines = { answer.call.status == 'running' and '(it is still running)' or '(nothing)' }
  end
  return lines
end

---@param node table
---@return string
local function title(node)
  local made_by = given(node['function'])
  return ('call %d%s'):format(node.number, made_by and made_by ~= '<module>' and (' (%s)'):format(made_by) or '')
end

---@param answer table
---@return string
local function summary(answer)
  local node = answer.call
  local parts = { given(node.model) or node.kind, node.status == 'ok' and node.origin or node.status }
  if given(node.input_tokens) or given(node.output_tokens) then
    table.insert(parts, ('%s → %s tokens'):format(given(node.input_tokens) or '?', given(node.output_tokens) or '?'))
  end
  if given(node.cost_usd) and node.cost_usd > 0 then
    table.insert(parts, ('$%.4f'):format(node.cost_usd))
  end
  if given(node.duration_s) then
    table.insert(parts, ('%.2f s'):format(node.duration_s))
  end
  if given(node.file) then
    table.insert(parts, ('%s:%d'):format(vim.fs.basename(node.file), node.line))
  end
  return table.concat(parts, ' · ')
end

--- The numbers of the calls at the other end of edges.
---@param edges table[]
---@return string
local function numbers(edges)
  return table.concat(vim.tbl_map(function(edge)
    return (edge.evidence == 'matched' and '~' or '') .. edge.number
  end, edges), ', ')
end

--- Show a call in a floating window.
---@param run string
---@param call string|integer
function M.float(run, call)
  ask(run, call, function(answer)
    local lines = { ('# %s'):format(title(answer.call)), summary(answer) }
    if #answer.sources > 0 then
      table.insert(lines, ('← %s'):format(numbers(answer.sources)))
    end
    if #answer.targets > 0 then
      table.insert(lines, ('→ %s'):format(numbers(answer.targets)))
    end
    vim.list_extend(lines, { '', '## output', '' })
    vim.list_extend(lines, output(answer))
    table.insert(lines, '')
    vim.list_extend(lines, prompt(answer))
    window.float(lines, nil, 'markdown')
  end)
end

return M
