--- What users and their configurations may call. Each function loads what it needs.

---@class ao
local M = {}

---@class ao.Open
---@field run? string Which run: its id, the beginning of one, a name, or `last` (default).
---@field mods? table How to open a window, as |nvim_parse_cmd()| has it: `{ vertical = true }`.

--- Set options by a table: `{ code_lenses = false }` is `vim.g.ao_code_lenses = false`. It need not be called.
---@param options? table<string, any>
function M.setup(options)
  require('ao.config').set(options or {})
end

--- Show the graph of a run in a window. It follows the run for as long as the window is there.
---@param open? ao.Open
function M.graph(open)
  require('ao.graph').open(open or {})
end

---@class ao.OpenRuns: ao.Open
---@field filter? string A regular expression: only runs whose name matches it.
---@field pick? boolean By |vim.ui.select()|, in place of a window.

--- List the recorded runs.
---@param open? ao.OpenRuns
function M.runs(open)
  open = open or {}
  if open.pick then
    require('ao.pick').run_and_action(open.filter)
  else
    require('ao.runs').open(open)
  end
end

---@class ao.Record
---@field args? string Arguments of the program, as a shell takes them.
---@field file? string The program; default: the file of the current buffer.
---@field force? boolean End the one that still runs in the window.
---@field mods? table How to open a window.

--- Run a file by `ao-record` in a terminal.
---@param record? ao.Record
function M.record(record)
  require('ao.record').run(record or {})
end

--- Show what a rerun in the background prints, and follow it.
---@param open? ao.Open
function M.log(open)
  require('ao.log').open(open or {})
end

--- Show two runs side by side: `b` (default: the last one) and `a` (default: what `b` is a rerun of).
---@param runs? { a?: string, b?: string }
function M.diff(runs)
  runs = runs or {}
  require('ao.diff').open(runs.a, runs.b)
end

--- Stop ao-lsp and start it again.
function M.restart()
  require('ao.client').restart()
end

--- A few words for a statusline: `ao` where the server is attached, what goes on, and nothing without a server.
---@return string
function M.status()
  return package.loaded['ao.client'] and require('ao.status').text() or ''
end

return M
