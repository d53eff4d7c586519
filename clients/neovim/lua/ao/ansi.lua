--- Text with terminal colours, as the server draws it, into lines and highlights.

---@class ao.ansi
local M = {}

--- What the drawing means by its colours.
local GROUPS = {
  ['1'] = 'AoTitle',
  ['2'] = 'AoDim',
  ['31'] = 'AoFailed',
  ['32'] = 'AoLive',
  ['33'] = 'AoEdited',
  ['34'] = 'AoRunning',
  ['35'] = 'AoSubrun',
  ['36'] = 'AoModel',
}

local LINKS = {
  AoTitle = 'Title',
  AoDim = 'Comment',
  AoFailed = 'DiagnosticError',
  AoLive = 'DiagnosticOk',
  AoEdited = 'DiagnosticWarn',
  AoRunning = 'DiagnosticInfo',
  AoSubrun = 'Special',
  AoModel = 'Identifier',
  AoKey = 'Special',
}

--- The highlight groups, linked to those of the colour scheme; a user's own definitions stay.
function M.define_highlights()
  for name, link in pairs(LINKS) do
    vim.api.nvim_set_hl(0, name, { link = link, default = true })
  end
end

---@class ao.Mark A highlighted part of a line: columns in bytes, from 0, the end exclusive.
---@field row integer From 0.
---@field first integer
---@field last integer
---@field group string

---@param text string
---@return string[] lines
---@return ao.Mark[] marks
function M.parse(text)
  local lines, marks = {}, {}
  for row, coloured in ipairs(vim.split((text:gsub('\n$', '')), '\n', { plain = true })) do
    local plain, length, at = {}, 0, 1
    local group, began ---@type string?, integer
    while true do
      local first, last, code = coloured:find('\27%[([%d;]*)m', at)
      local part = coloured:sub(at, (first or 0) - 1)
      table.insert(plain, part)
      length = length + #part
      if not first then
        break
      end
      if group and length > began then
        table.insert(marks, { row = row - 1, first = began, last = length, group = group })
      end
      group, began = GROUPS[code], length
      at = last + 1
    end
    table.insert(lines, table.concat(plain))
  end
  return lines, marks
end

--- `text` without what is for a terminal: colours, and what a carriage return has overwritten.
---@param text string
---@return string
function M.strip(text)
  text = text:gsub('\27%[[%d;?]*[%a]', ''):gsub('\27%][^\7\27]*\7', ''):gsub('\r\n', '\n')
  return (text:gsub('[^\n]*\r([^\n])', '%1'):gsub('\r', ''))
end

return M
