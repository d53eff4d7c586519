--- The language server: how it is started, found, asked, and started again when it has died.

local compat = require('ao.compat')
local config = require('ao.config')

---@class ao.client
local M = {}

local ROOT_MARKERS = { 'pyproject.toml', 'setup.py', 'setup.cfg', 'requirements.txt', '.git' }

--- What commands of the server are run by: lua/ao/commands.lua, for what it can say about errors.
local COMMANDS = {
  'ao.rerunFrom',
  'ao.rerun',
  'ao.editOutput',
  'ao.editInput',
  'ao.unedit',
  'ao.graph',
  'ao.call',
  'ao.openPrompt',
  'ao.openOutput',
  'ao.openLog',
  'ao.openDiff',
  'ao.record',
  'ao.howToRecord',
}

--- What Neovim is to know of the server, for |vim.lsp.config()| or |vim.lsp.start()|.
---@return table
function M.config()
  local handlers = require('ao.handlers')
  local commands = {}
  for _, name in ipairs(COMMANDS) do
    commands[name] = function(command, context)
      require('ao.commands').run(command, context)
    end
  end
  return {
    cmd = config.get('cmd'),
    filetypes = { 'python' },
    root_markers = ROOT_MARKERS,
    capabilities = {
      -- Neovim before 0.12 does not ask for it, as it has no handler; ours is in lua/ao/lenses.lua.
      workspace = { codeLens = { refreshSupport = true } },
      experimental = {
        ao = { version = 1, content = true },
        commands = { commands = { 'ao.record' } }, -- by :AoRecord; the lens says so
      },
    },
    handlers = handlers.table(),
    commands = commands,
    on_init = function(client)
      require('ao.status').listen()
      require('ao.visible').tell(client)
      require('ao.restart').started(client)
    end,
    on_exit = function(code, signal, client_id)
      require('ao.restart').ended(code, signal, client_id)
    end,
  }
end

---@return string[]|function|nil cmd That of the server; nil where it is not to be had.
function M.installed()
  local cmd = compat.has_config and vim.lsp.config.ao.cmd or config.get('cmd')
  if type(cmd) == 'function' or (cmd and vim.fn.executable(cmd[1]) == 1) then
    return cmd
  end
end

--- Start the server for a Python buffer, if it is installed and wanted. Without it there would be an error at every file.
---@param bufnr integer
function M.enable(bufnr)
  if config.get('enable') == false or vim.bo[bufnr].buftype ~= '' or not M.installed() then
    return
  end
  if not compat.has_config then
    M.start(bufnr)
  elseif not vim.lsp.is_enabled('ao') then
    if vim.v.vim_did_enter == 1 then
      vim.lsp.enable('ao') -- this buffer, too
    else -- Neovim 0.11 looks at buffers that are there only when it has started
      vim.api.nvim_create_autocmd('VimEnter', {
        once = true,
        callback = function()
          vim.lsp.enable('ao')
        end,
      })
    end
  end
end

--- Start the server for a buffer (nil: for none, to ask it something), where `vim.lsp.enable` does not.
---@param bufnr? integer
---@return integer? client_id
function M.start(bufnr)
  local settings = compat.has_config and vim.deepcopy(vim.lsp.config.ao) or M.config()
  settings.name = 'ao'
  settings.root_dir = bufnr and vim.fs.root(bufnr, ROOT_MARKERS) or vim.fs.root(vim.fn.getcwd(), ROOT_MARKERS)
  if compat.has_config then
    return vim.lsp.start(settings, { bufnr = bufnr, attach = bufnr ~= nil })
  end
  settings.capabilities =
    vim.tbl_deep_extend('force', vim.lsp.protocol.make_client_capabilities(), settings.capabilities)
  if bufnr then
    return vim.lsp.start(settings, { bufnr = bufnr })
  end
  return (vim.lsp.start_client(settings))
end

--- The server has a buffer now: show what it says of that.
---@param client vim.lsp.Client
---@param bufnr integer
function M.attached(client, bufnr)
  require('ao.lenses').attach(client, bufnr)
  require('ao.hints').attach(client, bufnr)
end

---@return vim.lsp.Client? client That of the current buffer, or else any.
function M.find()
  for _, filter in ipairs({ { bufnr = 0, name = 'ao' }, { name = 'ao' } }) do
    for _, client in ipairs(vim.lsp.get_clients(filter)) do
      if not compat.is_stopped(client) then
        return client
      end
    end
  end
end

--- Call with a server that can be asked; one is started where none is there. Where none can be had, that is told.
---@param use fun(client: vim.lsp.Client)
function M.with(use)
  local client = M.find()
  if client then
    return use(client)
  end
  if not M.installed() then
    local said = 'ao: no server is running, as %s is not installed; see :checkhealth ao'
    local cmd = config.get('cmd')
    vim.notify(said:format(type(cmd) == 'table' and cmd[1] or 'ao-lsp'), vim.log.levels.WARN)
    return
  end
  require('ao.restart').when_started(use)
  if not M.start() then
    vim.notify('ao: the server does not start; see :checkhealth ao', vim.log.levels.ERROR)
  end
end

--- Tell what the server has answered instead of a result: a line for the user, never a stack trace.
---@param err lsp.ResponseError
function M.report(err)
  vim.notify('ao: ' .. (err.message or 'it failed'), vim.log.levels.ERROR) -- what helps is in the message
end

--- Ask the server. Errors are told to the user; `on_error` is called then, too.
---@param client vim.lsp.Client
---@param method string
---@param params table
---@param on_result fun(result: any)
---@param on_error? fun(err: lsp.ResponseError): boolean? Whether it needs no telling.
function M.request(client, method, params, on_result, on_error)
  local sent = compat.request(client, method, params, function(err, result)
    if not err then
      on_result(result)
    elseif not (on_error and on_error(err)) then
      M.report(err)
    end
  end)
  if not sent then
    local err = { code = 0, message = 'the server is gone; :AoRestart starts it again' }
    if not (on_error and on_error(err)) then
      M.report(err)
    end
  end
end

--- Run a command of the server.
---@param client vim.lsp.Client
---@param name string
---@param argument table Its one argument.
---@param on_result? fun(result: table)
---@param on_error? fun(err: lsp.ResponseError): boolean? Whether it needs no telling.
function M.execute(client, name, argument, on_result, on_error)
  -- An empty Lua table would be a list.
  local given = next(argument) == nil and vim.empty_dict() or argument
  M.request(client, 'workspace/executeCommand', { command = name, arguments = { given } }, function(result)
    if on_result and type(result) == 'table' then
      on_result(result)
    end
  end, on_error)
end

--- Stop the server and start it again.
function M.restart()
  require('ao.restart').now()
end

return M
