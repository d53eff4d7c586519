--- Completion of the commands' arguments.

local client = require('ao.client')

---@class ao.complete
local M = {}

local WAIT_MS = 500

--- The names of runs that begin like this, and `last`.
---@param lead string
---@return string[]
function M.runs(lead)
  local asked = client.find()
  local found = { 'last' }
  if asked then
    local answered = false
    client.request(asked, 'ao/runs', { limit = 50 }, function(answer)
      answered = true
      for _, run in ipairs(answer.runs) do
        if not vim.list_contains(found, run.name) then
          table.insert(found, run.name)
        end
      end
    end, function()
      answered = true
      return true
    end)
    vim.wait(WAIT_MS, function()
      return answered
    end, 5)
  end
  return vim.tbl_filter(function(name)
    return vim.startswith(name, lead)
  end, found)
end

return M
