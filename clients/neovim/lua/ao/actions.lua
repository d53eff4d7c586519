--- What can be done with runs and calls, wherever they are listed. `run` is an id, `call` an id or a number.

local client = require('ao.client')

---@class ao.actions
local M = {}

--- Run a command of the server.
---@param name string
---@param argument table
---@param on_result? fun(result: table)
function M.execute(name, argument, on_result)
  client.with(function(asked)
    client.execute(asked, name, argument, on_result)
  end)
end

--- Ask a yes-or-no question.
---@param question string
---@param yes string What doing it is called.
---@param act fun()
local function confirmed(question, yes, act)
  vim.ui.select({ yes, 'No' }, { prompt = 'ao: ' .. question, kind = 'ao' }, function(choice)
    if choice == yes then
      act()
    end
  end)
end

--- Go to where a call stands now: the lines of a buffer may have moved since it was recorded.
---@param run string
---@param call string|integer
function M.jump(run, call)
  client.with(function(asked)
    client.request(asked, 'ao/locate', { run = run, call = call }, function(place)
      if vim.fn.filereadable(vim.uri_to_fname(place.uri)) == 0 and vim.fn.bufexists(vim.uri_to_fname(place.uri)) == 0 then
        vim.notify(('ao: %s is not there any more'):format(vim.uri_to_fname(place.uri)), vim.log.levels.WARN)
        return
      end
      require('ao.window').jump(place.uri, place.line)
      if not place.found then
        vim.notify('ao: the call is not in the file any more; this is the line where it was', vim.log.levels.WARN)
      end
    end)
  end)
end

--- Rerun from a call (nil: the whole program), after saying what that will cost.
---@param run string
---@param call? string|integer
---@param on_started? fun(run: string)
function M.rerun(run, call, on_started)
  local plan = { run = run, dry_run = true, ['from'] = call }
  M.execute('ao.plan', plan, function(planned)
    local what = call and 'Rerun from here?' or 'Rerun it?'
    confirmed(('%s %s'):format(what, planned.estimate.summary), 'Rerun', function()
      local name = call and 'ao.rerunFrom' or 'ao.rerun'
      M.execute(name, { run = run, call = call }, function(started)
        if started.run and on_started then
          on_started(started.run)
        end
      end)
    end)
  end)
end

---@param run string
---@param call string|integer
function M.unedit(run, call)
  M.execute('ao.unedit', { run = run, call = call }, function(answer)
    vim.notify(('ao: took back the edited %s of call %d'):format(table.concat(answer.fields, ' and '), answer.number))
  end)
end

--- End the program of a run.
---@param run table
function M.stop(run)
  if run.status ~= 'running' then
    vim.notify(('ao: %s has ended already'):format(run.name))
    return
  end
  confirmed(('Stop %s?'):format(run.name), 'Stop', function()
    M.execute('ao.stop', { run = run.id })
  end)
end

--- Delete a run.
---@param run table
---@param on_deleted? fun()
function M.delete(run, on_deleted)
  local question = ('Delete %s (%s), with its %d calls?'):format(run.name, run.id, run.calls or 0)
  confirmed(question, 'Delete', function()
    M.execute('ao.rm', { runs = { run.id } }, function()
      vim.notify(('ao: deleted %s'):format(run.name))
      if on_deleted then
        on_deleted()
      end
    end)
  end)
end

local ENDINGS = { html = 'html', json = 'json', otlp = 'otlp.json' }

--- Write a run into a file, of a form and a name that the user chooses.
---@param run table
function M.export(run)
  local forms = { 'html', 'json', 'otlp' }
  local words = { html = 'one page (html)', json = 'everything (json)', otlp = 'a trace (otlp)' }
  vim.ui.select(forms, {
    prompt = ('ao: Export %s as'):format(run.name),
    kind = 'ao',
    format_item = function(form)
      return words[form]
    end,
  }, function(form)
    if not form then
      return
    end
    local default = ('%s.%s'):format(run.name:gsub('[^%w%-_]+', '-'), ENDINGS[form])
    vim.ui.input({ prompt = 'Export to: ', default = default, completion = 'file' }, function(path)
      if path and path ~= '' then
        M.write_export(run, form, vim.fn.fnamemodify(vim.fn.expand(path), ':p'))
      end
    end)
  end)
end

---@param run table
---@param form string
---@param path string
function M.write_export(run, form, path)
  M.execute('ao.export', { run = run.id, format = form }, function(answer)
    local file, reason = io.open(path, 'wb')
    if not file then
      vim.notify(('ao: it cannot be written: %s'):format(reason), vim.log.levels.ERROR)
      return
    end
    file:write(answer.text)
    file:close()
    vim.notify(('ao: exported %s to %s'):format(run.name, path))
  end)
end

return M
