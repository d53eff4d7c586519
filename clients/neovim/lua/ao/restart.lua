--- A server that dies is started again, later each time; one that was stopped is not.

local compat = require('ao.compat')
local config = require('ao.config')

---@class ao.restart
local M = {}

local DELAYS_MS = { 500, 2000, 5000, 15000, 30000 }
local STEADY_MS = 60000 -- one that has lived for so long begins with the first delay again
local SIGTERM = 15

local deaths = 0
local started_at = 0
local stopping = false

---@type fun(client: vim.lsp.Client)[]
local waiting = {}

--- Call once a server is there that can be asked.
---@param use fun(client: vim.lsp.Client)
function M.when_started(use)
  table.insert(waiting, use)
end

--- A server has introduced itself.
---@param client vim.lsp.Client
function M.started(client)
  started_at = vim.uv.now()
  local called = waiting
  waiting = {}
  vim.schedule(function() -- it counts as initialized only then
    for _, use in ipairs(called) do
      use(client)
    end
  end)
end

--- Start the server for all buffers that want it.
local function start()
  if compat.has_config and vim.lsp.is_enabled('ao') then
    vim.lsp.enable('ao') -- once more: it looks at all buffers
    return
  end
  for _, bufnr in ipairs(vim.api.nvim_list_bufs()) do
    if vim.api.nvim_buf_is_loaded(bufnr) and vim.bo[bufnr].filetype == 'python' then
      require('ao.client').enable(bufnr)
    end
  end
end

--- A server has ended.
---@param code integer
---@param signal integer
---@param _ integer
function M.ended(code, signal, _)
  -- Code 0: as it was asked to. SIGTERM: Neovim's own way to stop by force.
  local wanted = code == 0 and (signal == 0 or signal == SIGTERM)
  if stopping or wanted or vim.v.exiting ~= vim.NIL or config.get('restart') == false then
    return
  end
  if vim.uv.now() - started_at > STEADY_MS then
    deaths = 0
  end
  deaths = deaths + 1
  local delay = DELAYS_MS[deaths]
  local how = signal ~= 0 and ('by signal %d'):format(signal) or ('with code %d'):format(code)
  vim.schedule(function()
    if not delay then
      local said = 'ao: the server has ended %s, %d times in a row, and is left alone now; see :checkhealth ao, then :AoRestart'
      vim.notify(said:format(how, deaths), vim.log.levels.ERROR)
      return
    end
    vim.notify(('ao: the server has ended %s; it is started again'):format(how), vim.log.levels.WARN)
    vim.defer_fn(start, delay)
  end)
end

--- Stop the server and start it again, at once.
function M.now()
  deaths = 0
  local clients = vim.lsp.get_clients({ name = 'ao' })
  stopping = true
  for _, client in ipairs(clients) do
    compat.stop(client)
  end
  local timer = assert(vim.uv.new_timer())
  local looks = 0
  timer:start(0, 50, vim.schedule_wrap(function()
    looks = looks + 1
    local left = vim.lsp.get_clients({ name = 'ao' })
    if timer:is_closing() or (#left > 0 and looks < 100) then
      if looks == 40 then -- it does not want to
        for _, client in ipairs(left) do
          vim.lsp.stop_client(client.id, true)
        end
      end
      return
    end
    timer:close()
    stopping = false
    if not require('ao.client').installed() then
      vim.notify('ao: there is no server to start; see :checkhealth ao', vim.log.levels.ERROR)
      return
    end
    start()
  end))
end

return M
