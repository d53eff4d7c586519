--- `:checkhealth ao`

local client = require('ao.client')
local compat = require('ao.compat')
local words = require('ao.words')

local M = {}

local start, ok, warn, fail, info = vim.health.start, vim.health.ok, vim.health.warn, vim.health.error, vim.health.info

local WAIT_MS = 5000

---@param asked vim.lsp.Client
---@param method string
---@param params table
---@return table? result
---@return string? reason
local function wait_for(asked, method, params)
  local result, reason ---@type table?, string?
  client.request(asked, method, params, function(answer)
    result = answer
  end, function(err)
    reason = err.message
    return true
  end)
  if not vim.wait(WAIT_MS, function()
    return result ~= nil or reason ~= nil
  end, 10) then
    reason = 'it does not answer; ao-server status says what it does, ao-server logs what went wrong'
  end
  return result, reason
end

---@param argv string[]
---@return string? text
local function printed(argv)
  local done, result = pcall(function()
    return vim.system(argv, { text = true }):wait(WAIT_MS)
  end)
  return done and result.code == 0 and vim.trim(result.stdout) or nil
end

---@return boolean
local function check_installation()
  start('ao: Neovim and ao-lsp')
  ok(('Neovim %s'):format(tostring(vim.version())))
  if not compat.has_config then
    info('Neovim 0.10: the server is set up by vim.g.ao_cmd; vim.lsp.config and lsp/ao.lua are for 0.11 and newer')
  end
  local cmd = client.installed()
  if not cmd then
    local wanted = require('ao.config').get('cmd')
    fail(('%s is not on the $PATH that Neovim sees'):format(type(wanted) == 'table' and wanted[1] or 'ao-lsp'), {
      'Install it: uv tool install ao-lsp',
      "Or say where it is: vim.g.ao_cmd = { '/path/to/ao-lsp' }",
    })
    return false
  end
  if type(cmd) == 'function' then
    ok('the server is started by a function of yours')
    return true
  end
  ok(('%s'):format(vim.fn.exepath(cmd[1])))
  local ao = vim.fs.joinpath(vim.fs.dirname(vim.fn.exepath(cmd[1])), 'ao')
  local version = printed({ ao, '--version' })
  if version then
    ok(version)
  end
  if vim.fn.executable('ao-record') == 0 then
    warn('ao-record is not on the $PATH that Neovim sees; :AoRecord takes the one beside ao-lsp')
  end
  return true
end

---@return vim.lsp.Client?
local function check_server()
  start('ao: the server')
  if vim.g.ao_enable == false then
    info("vim.g.ao_enable is false: it is not started by itself; vim.lsp.enable('ao') does")
  end
  local asked = client.find()
  if not asked then
    warn('it does not run', { 'It starts with the first Python file.', 'If it did and died: :AoRestart, and see ao-server logs' })
    return
  end
  local said = asked.server_info or {}
  ok(('attached: %s %s'):format(said.name or 'ao-lsp', said.version or ''))
  local runs, reason = wait_for(asked, 'ao/runs', { limit = 1 })
  if not runs then
    fail(('it cannot be asked: %s'):format(reason))
    return
  end
  ok(('it answers: %d recorded run%s'):format(runs.total, runs.total == 1 and '' or 's'))
  local standing = require('ao.status').standing()
  if standing and standing.health ~= 'ok' then
    warn(standing.message)
  elseif standing then
    info(standing.message ~= '' and standing.message or 'no program runs, and nothing is compiled')
  end
  local cmd = client.installed()
  if type(cmd) == 'table' then
    local server = vim.fs.joinpath(vim.fs.dirname(vim.fn.exepath(cmd[1])), 'ao-server')
    local text = printed({ server, 'status', '--json' })
    local decoded, status = pcall(vim.json.decode, text or '')
    if decoded and status.state == 'serving' then
      ok(('the daemon serves, process %d; its log is %s'):format(status.pid, status.log))
    elseif decoded and status.state then
      warn(('the daemon is %s%s'):format(status.state, status.message and ': ' .. status.message or ''), { 'ao-server restart' })
    end
    local damage = decoded and type(status.database) == 'table' and words.given(status.database.damage)
    if damage then
      warn(('the database was damaged: %s'):format(type(damage) == 'string' and damage or vim.json.encode(damage)))
    end
  end
  return asked
end

---@param asked vim.lsp.Client
local function check_buffers(asked)
  start('ao: buffers')
  local found = false
  for bufnr in pairs(asked.attached_buffers) do
    found = true
    local name = vim.api.nvim_buf_get_name(bufnr)
    local params = { textDocument = { uri = vim.uri_from_bufnr(bufnr) } }
    local lenses, reason = wait_for(asked, 'textDocument/codeLens', params)
    local short = vim.fn.fnamemodify(name, ':~:.')
    if not lenses then
      fail(('%s: %s'):format(short, reason))
    elseif #lenses == 0 then
      info(('%s: no call of a model is seen in it, and none was recorded from it'):format(short))
    else
      local run
      for _, lens in ipairs(lenses) do
        local argument = lens.command and (lens.command.arguments or {})[1] or {}
        run = run or argument.run
      end
      if run then
        local answer = wait_for(asked, 'ao/graph', { run = run })
        local details = answer and answer.run or { name = run, status = '', started = '' }
        ok(('%s: last recorded as %s, %s, %s'):format(short, details.name, words.ago(details.started), details.status))
      else
        warn(('%s: it has calls, and none was recorded from this file'):format(short), { ':AoRecord runs it by ao-record' })
      end
    end
  end
  if not found then
    info('no Python file is open')
  end
end

function M.check()
  if check_installation() then
    local asked = check_server()
    if asked then
      check_buffers(asked)
    end
  end
end

return M
