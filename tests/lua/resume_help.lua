--- What the tests of resumed runs share: a world of one server, and processes of one run.

local effect = require("plat.effect")
local fault = require("plat.fault")
local files = require("plat.journal.files")
local fs = require("prim.fs")
local journal = require("plat.journal")
local list = require("plat.list")
local memory = require("plat.run.memory")
local run = require("plat.run")

local M = {}

--- A world of one server that keeps what was sent to it.
local function new_world()
  local world = { log = {}, values = {} }
  function world:request(_, req)
    local path = req.url:match("^http://[^/]+(.*)$")
    if req.method == "GET" then
      local value = self.values[path]
      return { status = value and 200 or 404, headers = {}, body = value or "" }
    end
    table.insert(self.log, req.method .. " " .. path .. " " .. (req.body or ""))
    self.values[path] = req.body
    return { status = 200, headers = {}, body = "answer to " .. req.body }
  end
  return world
end

function M.get(path)
  return effect.http({
    method = "GET",
    url = "http://thing" .. path,
    target = "thing",
    op = "thing.get",
    object = path,
    retry = false,
  })
end

function M.put(path, value, recovery, probe)
  return effect.http({
    method = "PUT",
    url = "http://thing" .. path,
    body = value,
    target = "thing",
    op = "thing.put",
    object = path,
    retry = false,
    change = {
      text = ("put %s into %s"):format(value, path),
      args = { value = value },
      recovery = recovery or "repeatable",
      probe = probe,
    },
  })
end

function M.scene(t)
  local dir = t.tmp()
  local old = files.dir
  files.dir = function()
    return dir .. "/runs"
  end
  t.defer(function()
    files.dir = old
    effect.close()
  end)
  return { world = new_world(), events = {}, t = t }
end

--- Runs a playbook as one process does; returns its result.
function M.process(s, playbook, opts)
  local j = s.id and journal.open(s.id, { sync = false })
    or journal.new(function()
      return { playbook = { name = "test" } }
    end, { name = "test", sync = false })
  local m = j.records and memory.read(j.records)
  local r = run.new(list.merge({
    name = "test",
    args = {},
    playbook = playbook,
    journal = j,
    memory = m,
    reporter = {
      emit = function(_, name, e)
        table.insert(s.events, { name = name, e = e })
      end,
    },
  }, opts or {}))
  s.id, s.run = j.id, r
  effect.open({ mode = "run", world = s.world, observer = r:observer() })
  if opts and opts.said then
    require("plat.run.byhand").apply(r, opts.said)
  end
  local ok, err = xpcall(function()
    if m and m.undoing then
      require("plat.run.ending").go_on_undoing(r)
    end
    playbook.run(r)
    require("plat.run.settle").close_run(r)
  end, fault.from_handler)
  local result = require("plat.run.ending").finish(r, not ok and err or nil)
  j:close()
  return result
end

--- Leaves behind what a kill after the first record of a type would; the world forgets.
function M.killed(s, playbook, kind)
  M.process(s, playbook)
  s.world = new_world()
  local path = files.dir() .. "/" .. s.id .. "/journal.jsonl"
  local text = fs.read(path)
  local _, stop = text:find(('"type":"%s"[^\n]*\n'):format(kind))
  fs.write(path, text:sub(1, stop))
end

--- Returns the newest record of a type.
function M.last(s, kind)
  local found
  for _, record in ipairs(files.parse(files.text(s.id)).records) do
    found = record.type == kind and record or found
  end
  return found
end

return M
