--- What goes on, in a few words: for a statusline, and on the last line while a rerun is under way.

local config = require('ao.config')

---@class ao.status
local M = {}

---@type table<string|integer, string> What is under way, by its token.
local under_way = {}

local listening = false

---@param value table
---@return string
local function words(value)
  local percentage = value.percentage and (' %d%%'):format(value.percentage) or ''
  local message = value.message and value.message ~= '' and ' · ' .. value.message or ''
  return value.title .. percentage .. message
end

---@type table<string|integer, string> Titles, which only the first report has.
local titles = {}

---@param text string
---@param lasting boolean Whether it is kept among the messages.
local function say(text, lasting)
  -- Who types a command, answers a question, or reads more than a line is left alone.
  if config.get('progress') ~= false and vim.api.nvim_get_mode().mode:match('^[nivVt]') then
    local room = math.max(10, vim.o.columns - 12)
    if vim.fn.strdisplaywidth(text) > room then
      text = vim.fn.strcharpart(text, 0, room - 1) .. '…'
    end
    vim.api.nvim_echo({ { text } }, lasting, {})
  end
end

--- Hear of progress: of reruns, and of what else takes long.
function M.listen()
  if listening then
    return
  end
  listening = true
  vim.api.nvim_create_autocmd('LspProgress', {
    group = vim.api.nvim_create_augroup('ao.status', {}),
    desc = 'Show what ao-lsp is doing',
    callback = function(event)
      local client = vim.lsp.get_client_by_id(event.data.client_id)
      if client and client.name == 'ao' then
        M.on_progress(event.data.params)
      end
    end,
  })
end

---@param params { token: string|integer, value: table }
function M.on_progress(params)
  local token, value = params.token, params.value
  if value.kind == 'begin' then
    titles[token] = value.title
  end
  local title = titles[token] or 'Work'
  if value.kind == 'end' then
    under_way[token], titles[token] = nil, nil
    if value.message and value.message ~= '' then
      say(('ao: %s %s'):format(title:lower(), value.message), true)
    end
  else
    under_way[token] = words({ title = title, percentage = value.percentage, message = value.message })
    say('ao: ' .. under_way[token], false)
  end
  vim.cmd.redrawstatus()
end

---@type ao.Standing?
local standing

--- Handler of `$/ao/status`: how the server stands. What is wrong is told once.
---@param params ao.Standing
function M.on_standing(_, params)
  local before = standing
  standing = params
  if params.health ~= 'ok' and not (before and before.health == params.health and before.message == params.message) then
    local level = params.health == 'error' and vim.log.levels.ERROR or vim.log.levels.WARN
    vim.notify('ao: ' .. params.message, level)
  end
  vim.cmd.redrawstatus()
end

---@return ao.Standing? standing As the server has told it; nil where none runs.
function M.standing()
  return require('ao.client').find() and standing or nil
end

--- A few words for a statusline.
---@return string
function M.text()
  local _, going_on = next(under_way)
  if going_on then
    return 'ao: ' .. going_on
  end
  if not require('ao.client').find() then
    return ''
  end
  if standing and standing.message ~= '' and (standing.health ~= 'ok' or not standing.quiescent) then
    return 'ao: ' .. standing.message:match('^[^\n]*')
  end
  return 'ao'
end

return M
