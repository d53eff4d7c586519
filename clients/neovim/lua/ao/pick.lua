--- Choosing runs by |vim.ui.select()|, which telescope, fzf-lua, snacks and others take over.

local client = require('ao.client')
local words = require('ao.words')

---@class ao.pick
local M = {}

local MOST = 200

---@param run table
---@return string
local function line(run)
  local parts = { run.name, run.status, words.ago(run.started), ('%d calls'):format(run.calls) }
  if run.edits > 0 then
    table.insert(parts, ('%d edited'):format(run.edits))
  end
  local cost = words.dollars(run.cost_usd)
  if cost ~= '' then
    table.insert(parts, cost)
  end
  local indent = words.given(run.subrun_of) and '  ' or ''
  return indent .. table.concat(parts, ' · ') .. '  ' .. run.id:sub(1, 8)
end

--- Have a run chosen.
---@param prompt string
---@param filter? string A regular expression for its name.
---@param use fun(run: table)
function M.run(prompt, filter, use)
  client.with(function(asked)
    client.request(asked, 'ao/runs', { limit = MOST, name = filter }, function(answer)
      if #answer.runs == 0 then
        vim.notify(filter and ('ao: no run is named like %s'):format(filter) or 'ao: nothing has been recorded yet; :AoRecord does')
        return
      end
      vim.ui.select(answer.runs, { prompt = 'ao: ' .. prompt, kind = 'ao', format_item = line }, function(run)
        if run then
          use(run)
        end
      end)
    end)
  end)
end

---@type { [1]: string, [2]: fun(run: table) }[]
M.actions = {
  { 'show its graph', function(run)
    require('ao.graph').open({ run = run.id })
  end },
  { 'diff with what it is a rerun of', function(run)
    require('ao.diff').with_parent(run)
  end },
  { 'rerun', function(run)
    require('ao.actions').rerun(run.id, nil, function(id)
      require('ao.graph').open({ run = id })
    end)
  end },
  { 'show what it prints', function(run)
    require('ao.log').open({ run = run.id })
  end },
  { 'stop', function(run)
    require('ao.actions').stop(run)
  end },
  { 'export', function(run)
    require('ao.actions').export(run)
  end },
  { 'delete', function(run)
    require('ao.actions').delete(run)
  end },
}

--- Have a run chosen, and what to do with it.
---@param filter? string
function M.run_and_action(filter)
  M.run('Which run?', filter, function(run)
    vim.ui.select(M.actions, {
      prompt = ('ao: What to do with %s?'):format(run.name),
      kind = 'ao',
      format_item = function(action)
        return action[1]
      end,
    }, function(action)
      if action then
        action[2](run)
      end
    end)
  end)
end

return M
