--- What the keys of the graph buffer do.

local actions = require('ao.actions')
local graph = require('ao.graph')

---@param act fun(run: string, node: ao.Node)
---@return fun()
local function at_call(act)
  return function()
    local node, drawing = graph.node(), graph.drawing()
    if node and drawing then
      act(drawing.run, node)
    else
      vim.notify('ao: there is no call in this line')
    end
  end
end

---@param act fun(run: table)
---@return fun()
local function of_run(act)
  return function()
    local drawing = graph.drawing()
    if drawing then
      act(drawing.details)
    end
  end
end

---@param how string
---@return fun()
local function fold(how)
  return function()
    graph.fold(how)
  end
end

--- By what a call is named. A folded subrun stands for its first call.
---@param node ao.Node
---@return string|integer
local function call_of(node)
  return node.kind == 'subrun' and node.number or node.id
end

---@type ao.Key[]
local keys = {
  { '<CR>', 'go to the line that made the call', at_call(function(run, node)
    actions.jump(run, call_of(node))
  end) },
  { 'K', 'show the call: messages and output', at_call(function(run, node)
    require('ao.call').float(run, call_of(node))
  end) },
  { 'o', 'open its output', at_call(function(run, node)
    actions.execute('ao.openOutput', { run = run, call = call_of(node) })
  end) },
  { 'p', 'open its prompt', at_call(function(run, node)
    actions.execute('ao.openPrompt', { run = run, call = call_of(node) })
  end) },
  { 'e', 'edit its output', at_call(function(run, node)
    actions.execute('ao.editOutput', { run = run, call = call_of(node) })
  end) },
  { 'E', 'edit its input', at_call(function(run, node)
    actions.execute('ao.editInput', { run = run, call = call_of(node) })
  end) },
  { 'u', 'take its last edit back', at_call(function(run, node)
    actions.unedit(run, call_of(node))
  end) },
  { 'r', 'rerun from here', at_call(function(run, node)
    actions.rerun(run, call_of(node), graph.switch)
  end) },
  { 'd', 'diff with the run that this one is a rerun of', of_run(function(run)
    require('ao.diff').with_parent(run)
  end) },
  { 'D', 'diff with another run', of_run(function(run)
    require('ao.pick').run('Compare with which run?', nil, function(other)
      require('ao.diff').open(other.id, run.id)
    end)
  end) },
  { 's', 'show another run', function()
    require('ao.pick').run('Show which run?', nil, function(run)
      graph.switch(run.id)
    end)
  end },
  { 'L', 'show what the run prints', of_run(function(run)
    require('ao.log').open({ run = run.id })
  end) },
  { 'S', 'stop the program', of_run(function(run)
    actions.stop(run)
  end) },
  { 'za', 'fold a subrun, or unfold it', fold('toggle') },
  { 'zo', 'unfold a subrun', fold('unfold') },
  { 'zc', 'fold a subrun', fold('fold') },
  { 'zR', 'unfold all subruns', fold('all') },
  { 'zM', 'fold all subruns', fold('none') },
  { 'R', 'ask for it again', graph.refresh },
}

return { keys = keys }
