--- What the server says without being asked, and how it is shown.

local compat = require('ao.compat')

---@class ao.handlers
local M = {}

local LEVELS = {
  [1] = vim.log.levels.ERROR,
  [2] = vim.log.levels.WARN,
  [3] = vim.log.levels.INFO,
  [4] = vim.log.levels.DEBUG,
}

--- Call `module.name` when it is needed, not before.
---@param module string
---@param name string
---@return lsp.Handler
local function later(module, name)
  return function(...)
    return require(module)[name](...)
  end
end

---@return table<string, lsp.Handler>
function M.table()
  return {
    -- Neovim 0.12 keeps lenses fresh by itself, and its own handler knows how.
    ['workspace/codeLens/refresh'] = not compat.has_lenses and later('ao.lenses', 'on_refresh') or nil,
    ['workspace/inlayHint/refresh'] = later('ao.hints', 'on_refresh'),
    ['window/showMessage'] = M.on_message,
    ['window/showMessageRequest'] = M.on_question,
    ['window/showDocument'] = later('ao.window', 'on_show_document'),
    ['$/ao/graphDidChange'] = M.on_graph_change,
    ['$/ao/status'] = later('ao.status', 'on_standing'),
    ['$/ao/contentDidChange'] = later('ao.content', 'on_change'),
  }
end

--- |lsp-handler| for `window/showMessage`: as a notification, which plugins for those can show.
function M.on_message(_, params)
  local text = params.message:gsub('^ao: ', '')
  vim.notify('ao: ' .. text, LEVELS[params.type] or vim.log.levels.INFO)
end

--- |lsp-handler| for `window/showMessageRequest`: the text above the choices, one sentence a line.
---@type lsp.Handler
function M.on_question(_, params)
  local thread, is_main = coroutine.running()
  local actions = params.actions or {}
  if #actions == 0 or not thread or is_main then
    M.on_message(nil, params)
    return vim.NIL
  end
  local done, chosen = false, nil ---@type boolean, lsp.MessageActionItem?
  vim.ui.select(actions, {
    prompt = 'ao: ' .. vim.trim(params.message),
    kind = 'ao',
    format_item = function(action)
      return (action.title:gsub('%s+', ' '))
    end,
  }, function(choice)
    if done then
      return
    end
    done, chosen = true, choice
    if coroutine.status(thread) == 'suspended' then
      coroutine.resume(thread, choice or vim.NIL)
    end
  end)
  if done then -- it was answered at once, as by Neovim's own picker
    return chosen or vim.NIL
  end
  return coroutine.yield()
end

--- Handler of `$/ao/graphDidChange`: what shows a run is drawn anew.
---@type lsp.Handler
function M.on_graph_change(_, params, ctx)
  for _, name in ipairs({ 'ao.graph', 'ao.runs' }) do
    if package.loaded[name] then
      package.loaded[name].on_change(params or {}, ctx.client_id)
    end
  end
end

return M
