--- Runs and numbers in a few words.

---@class ao.words
local M = {}

---@param value any
---@return any value nil in place of JSON's null.
function M.given(value)
  if value == vim.NIL then
    return nil
  end
  return value
end

---@param count? number
---@return string text `1.2k`.
function M.amount(count)
  count = M.given(count)
  if not count then
    return '?'
  end
  for _, unit in ipairs({ { 'M', 1e6 }, { 'k', 1e3 } }) do
    if count >= unit[2] then
      return ('%.1f%s'):format(count / unit[2], unit[1])
    end
  end
  return ('%d'):format(count)
end

---@param seconds? number
---@return string
function M.seconds(seconds)
  seconds = M.given(seconds)
  if not seconds then
    return ''
  end
  if seconds < 1 then
    return ('%.2f s'):format(seconds)
  end
  if seconds < 60 then
    return ('%.1f s'):format(seconds)
  end
  return ('%d m %02d s'):format(math.floor(seconds / 60), math.floor(seconds % 60))
end

---@param usd? number
---@return string text Empty where nothing is known, or it cost nothing.
function M.dollars(usd)
  usd = M.given(usd)
  if not usd or usd == 0 then
    return ''
  end
  return usd < 0.0001 and '<$0.0001' or usd < 0.01 and ('$%.4f'):format(usd) or ('$%.2f'):format(usd)
end

--- When something was, for who looks now.
---@param at string ISO 8601, UTC, as the server has it.
---@return string
function M.ago(at)
  local year, month, day, hour, minute, second = at:match('(%d+)%-(%d+)%-(%d+)T(%d+):(%d+):(%d+)')
  if not year then
    return at
  end
  local now = os.time()
  local utc = os.time(os.date('!*t', now) --[[@as osdateparam]])
  local then_ = os.time({ year = year, month = month, day = day, hour = hour, min = minute, sec = second, isdst = false })
  local seconds = math.max(0, utc - then_)
  if seconds < 60 then
    return 'just now'
  elseif seconds < 3600 then
    return ('%d min ago'):format(math.floor(seconds / 60))
  elseif seconds < 86400 then
    return ('%d h ago'):format(math.floor(seconds / 3600))
  end
  return ('%s-%s-%s'):format(year, month, day)
end

return M
