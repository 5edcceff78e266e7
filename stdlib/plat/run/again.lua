--- Goes on with a run: checks that playbook, arguments and inventory are those of its start.

local fault = require("plat.fault")
local hash = require("plat.hash")
local json = require("plat.json")
local journal = require("plat.journal")
local lazy = require("plat.env").lazy
local list = require("plat.list")
local memory = lazy("plat.run.memory")
local out = require("plat.out")
local playbooks = require("plat.playbook")
local sys = require("prim.sys")

local M = {}

local function refuse(id, msg, detail)
  fault.raise("refused", { op = "resume", object = id }, {
    msg = msg,
    detail = detail,
    hint = "undo the difference; or look at the platform, then: platrun resume "
      .. id
      .. " --abandon",
    where = "",
  })
end

--- Returns the first line in which two texts differ, and that line of both.
local function first_difference(before, now)
  local theirs = (now .. "\n"):gmatch("(.-)\n")
  local number = 0
  for line in (before .. "\n"):gmatch("(.-)\n") do
    number = number + 1
    local other = theirs()
    if other ~= line then
      return number, line, other or "(the end)"
    end
  end
  return number + 1, "(the end)", theirs() or "(the end)"
end

local function check_playbook(id, saved, playbook)
  if hash.digest("sha256", playbook.text) == saved.sha256 then
    return
  end
  local line, before, now = first_difference(saved.text, playbook.text)
  refuse(id, ("%s:%d was edited since the run began"):format(saved.path, line), {
    "was: " .. before,
    "is:  " .. now,
  })
end

local function by_path(files)
  local map = {}
  for _, file in ipairs(files or {}) do
    map[file.path] = file.sha256
  end
  return map
end

local function check_inventory(id, saved, inventory)
  local before = by_path(saved and saved.files)
  local now = by_path(inventory and inventory:digest())
  for path, sha256 in pairs(before) do
    if not now[path] then
      refuse(id, ("the inventory of the run had %s, which is not read now"):format(path))
    elseif now[path] ~= sha256 then
      refuse(id, ("%s was edited since the run began"):format(path))
    end
  end
  for path in pairs(now) do
    if not before[path] then
      refuse(id, ("the inventory has %s now, and had not when the run began"):format(path))
    end
  end
end

--- Refuses arguments that are not those of the run.
---@param id string
---@param saved table<string, any>
---@param args table<string, any>
function M.check_args(id, saved, args)
  for _, name in ipairs(list.keys(list.merge(saved, args))) do
    if not list.deep_equal(saved[name], args[name]) then
      refuse(id, ("argument %q differs from that of the run"):format(name), {
        "was: " .. json.encode(saved[name] == nil and json.null or saved[name]),
        "is:  " .. json.encode(args[name] == nil and json.null or args[name]),
      })
    end
  end
end

local function check_end(id, m)
  local ended = m.ended
  if not ended or ended.resumable then
    return
  end
  fault.raise("usage", { op = "resume", object = id }, {
    msg = ("the run has ended (%s): there is nothing to go on with"):format(ended.status),
    hint = "start it anew: platrun " .. m.header.playbook.path,
    where = "",
  })
end

--- The flags of a resumed run: what the run began with, and what is said now about output and time.
local function merge_options(saved, opts)
  local merged = list.copy(opts)
  for name, value in pairs(saved or {}) do
    if merged[name] == nil then
      merged[name] = value
    end
  end
  return merged
end

--- Ends a run that nobody will go on with: what it did stays as it is.
---@async
---@param id string
---@param reason? string
function M.abandon(id, reason)
  local j = journal.open(id)
  local m = memory.read(j.records)
  check_end(id, m)
  j:append({
    type = "end",
    status = "abandoned",
    exit = 2,
    changes = m.performed,
    steps = 0,
    reason = reason,
    by = sys.user(),
  })
  j:close()
end

--- Goes on with a run.
---@async
---@param id string
---@param opts table flags
---@param said { closed: string[], redo: string[] } what a person says about steps
---@param args? table<string, any> must be those of the run, if given
---@param stage? plat.test.Stage
---@return integer status
function M.resume(id, opts, said, args, stage)
  local j = journal.open(id)
  local ok, err = xpcall(function()
    local m = memory.read(j.records)
    check_end(id, m)
    local header = m.header
    local playbook = playbooks.load(header.playbook.path)
    check_playbook(id, header.playbook, playbook)
    if args then
      M.check_args(id, header.args, args)
    end
    if header.version ~= sys.version() then
      out.warn(("run %s was begun by platrun %s"):format(id, header.version))
    end
    local expect
    if header.plan then
      expect = require("plat.effect.expect").new(header.plan)
      expect:resume(m.changes)
    end
    return {
      expect = expect,
      playbook = playbook,
      args = header.args,
      opts = merge_options(header.options, opts),
      journal = j,
      memory = m,
      settle = said,
      stage = stage,
      check_inventory = function(inventory)
        check_inventory(id, header.inventory, inventory)
        local who = require("plat.runs.who").here()
        j:append(list.merge(who, { type = "resume", pid = sys.pid() }))
      end,
    }
  end, fault.from_handler)
  if not ok then
    j:close()
    error(err, 0)
  end
  return require("plat.run.session").run(err)
end

return M
