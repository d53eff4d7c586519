--- The graph of a run in a buffer: as the command line draws it, with keys for the calls in it.

local client = require('ao.client')
local window = require('ao.window')

---@class ao.graph
local M = {}

local NAME, FILETYPE = 'ao://graph', 'aograph'

---@class ao.GraphState
---@field wanted string What was asked for: an id, a name, or `last`.
---@field unfolded table<string, true> Subruns whose calls are drawn.
---@field drawing? ao.Drawing
---@field by_row table<integer, ao.Node>
---@field client_id? integer
---@field width? integer For how many columns it is drawn.
---@field last? ao.Node Where the cursor was: a rerun has no calls at first.
---@field asking? 'asked'|'again' "again": and what is under way is out of date.
local state = { wanted = 'last', unfolded = {}, by_row = {} }

---@return integer? bufnr
local function shown_in()
  local bufnr = vim.fn.bufnr('^' .. NAME .. '$')
  return bufnr ~= -1 and #vim.fn.win_findbuf(bufnr) > 0 and bufnr or nil
end

---@return ao.Node? node The call in the line of the cursor.
function M.node()
  return state.by_row[vim.api.nvim_win_get_cursor(0)[1] - 1]
end

---@return ao.Drawing? drawing What is shown.
function M.drawing()
  return state.drawing
end

--- In which line the call is that was in a line before: the same one, or in another run that of the same number.
---@param before? ao.Node
---@param row integer The line that it was in.
---@return integer row
local function row_of(before, row)
  local same
  for _, one in ipairs(state.drawing.rows) do
    if before and one.node.id == before.id then
      return one.row
    end
    if before and not same and one.node.number == before.number then
      same = one.row
    end
  end
  return same or row
end

---@param bufnr integer
---@param drawing ao.Drawing
local function write(bufnr, drawing)
  local cursors = {} ---@type table<integer, { node?: ao.Node, row: integer }>
  for _, win in ipairs(vim.fn.win_findbuf(bufnr)) do
    local row = vim.api.nvim_win_get_cursor(win)[1] - 1
    cursors[win] = { node = state.by_row[row] or state.last, row = row }
    state.last = cursors[win].node
  end
  state.drawing, state.by_row = drawing, {}
  for _, one in ipairs(drawing.rows) do
    state.by_row[one.row] = one.node
  end
  window.write(bufnr, require('ao.ansi').parse(drawing.text))
  vim.b[bufnr].ao_run = drawing.run
  for win, cursor in pairs(cursors) do
    local row = row_of(cursor.node, cursor.row)
    local column = vim.api.nvim_win_get_cursor(win)[2]
    vim.api.nvim_win_set_cursor(win, { math.min(row + 1, vim.api.nvim_buf_line_count(bufnr)), column })
  end
end

--- The buffer, made where there is none.
---@return integer bufnr
local function make()
  local bufnr, is_new = window.buffer(NAME, FILETYPE)
  if is_new then
    state.drawing = nil
    window.adopt(bufnr, FILETYPE)
    window.map(bufnr, 'The graph of a run', require('ao.graph_keys').keys)
    vim.api.nvim_create_autocmd({ 'BufWinEnter', 'VimResized', 'WinResized' }, {
      group = vim.api.nvim_create_augroup('ao.graph', {}),
      desc = 'Draw the graph as wide as its window',
      callback = function()
        local win = window.of(bufnr)
        if win and vim.api.nvim_win_get_width(win) ~= state.width then
          vim.schedule(M.refresh)
        end
      end,
    })
  end
  return bufnr
end

---@param asked vim.lsp.Client
---@param on_drawn? fun(bufnr: integer)
---@param on_error? fun()
local function ask(asked, on_drawn, on_error)
  local bufnr, wanted = shown_in(), state.wanted
  state.width = bufnr and vim.api.nvim_win_get_width(vim.fn.win_findbuf(bufnr)[1]) or vim.o.columns
  local params = {
    run = state.wanted,
    format = 'text',
    color = true,
    unfolded = vim.tbl_keys(state.unfolded),
    width = math.max(60, state.width),
  }
  local function done()
    local again = state.asking == 'again'
    state.asking = nil
    if again then
      M.refresh()
    end
  end
  client.request(asked, 'ao/graph', params, function(drawing)
    local buffer = on_drawn and make() or shown_in()
    if buffer and wanted == state.wanted then
      write(buffer, drawing)
    end
    if on_drawn then
      on_drawn(buffer)
    end
    done()
  end, function(err)
    if on_error then
      on_error()
    end
    done()
    local gone = not on_drawn and type(err.data) == 'table' and err.data.code == 'not_found'
    if gone and bufnr then
      state.by_row = {}
      window.write(bufnr, { 'This run has been deleted.   s: show another one   q: close' })
    end
    return on_drawn == nil -- what nobody has asked for fails in silence
  end)
end

--- Draw what is wanted anew. One request at a time: while a program runs, changes come faster than answers.
function M.refresh()
  local asked = state.client_id and vim.lsp.get_client_by_id(state.client_id) or client.find()
  if state.asking then
    state.asking = 'again'
  elseif asked then
    state.asking, state.client_id = 'asked', asked.id
    ask(asked)
  end
end

--- Show the graph of a run.
---@param open ao.Open
function M.open(open)
  client.with(function(asked)
    local before = { wanted = state.wanted, unfolded = state.unfolded, client_id = state.client_id }
    if open.run ~= state.wanted then
      state.unfolded = {}
    end
    state.wanted, state.client_id = open.run or 'last', asked.id
    ask(asked, function(bufnr)
      local is_new = not window.of(bufnr)
      local shown = window.show(bufnr, open.mods)
      if is_new and state.drawing.rows[1] then
        vim.api.nvim_win_set_cursor(shown, { state.drawing.rows[1].row + 1, 0 })
      end
    end, function()
      state = vim.tbl_extend('force', state, before) -- what is shown stays
    end)
  end)
end

--- Show another run in the window that is there.
---@param run string
function M.switch(run)
  state.wanted, state.unfolded = run, {}
  M.refresh()
end

--- Draw the calls of a subrun, or one node for it.
---@param how 'toggle'|'unfold'|'fold'|'all'|'none'
function M.fold(how)
  local node, drawing = M.node(), state.drawing
  if not drawing then
    return
  end
  if how == 'all' or how == 'none' then
    state.unfolded = {}
    for _, subrun in ipairs(how == 'all' and drawing.subruns or {}) do
      state.unfolded[subrun.id] = true
    end
  elseif node and node.kind == 'subrun' and how ~= 'fold' then
    state.unfolded[node.id] = true
  elseif node and node.kind ~= 'subrun' and node.run ~= drawing.run and how ~= 'unfold' then
    state.unfolded[node.run] = nil
  else
    return
  end
  M.refresh()
end

--- A run has changed: draw it anew, if it is shown.
---@param params { run?: string }
---@param client_id integer
function M.on_change(params, client_id)
  local shown = state.drawing and state.drawing.run
  if client_id == state.client_id and shown_in() and (state.wanted == 'last' or params.run == shown) then
    M.refresh()
  elseif state.client_id and not vim.lsp.get_client_by_id(state.client_id) then
    state.client_id = nil -- the server was restarted
    M.on_change(params, client_id)
  elseif not state.client_id and shown_in() then
    M.refresh()
  end
end

return M
