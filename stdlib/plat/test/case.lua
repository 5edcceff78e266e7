--- Playbook tests as data: a playbook, a world, and how it shall end.

local check = require("plat.check")
local fault = require("plat.fault")
local list = require("plat.list")
local time = require("plat.time")

local M = {}

local START = "2030-06-03T10:00:00Z" -- a Monday

--- The modes of `platrun test`: what it tries beside an undisturbed run.
M.MODES = { "crash", "faults", "twice", "plan", "undo" }

---@class plat.test.Case
---@field file string
---@field title string
---@field playbook string path
---@field args? table<string, any>
---@field inventory? string path; default: the sandbox's
---@field options? table flags of the run by their long names: `{ override = {...}, reason = ... }`
---@field faults? string[] of the sandbox, as given to --fault
---@field http? table services by authority, see plat.test.stubs
---@field hosts? table<string, table> simulated hosts by name, see plat.sim.host.machine
---@field rules? table[] what commands answer on them, see plat.sim.host.rules
---@field world? (fun(world: plat.test.View))|{ load: string } prepares the world, or names the
---  fixture that it begins with
---@field fixture? table what that holds
---@field invariant? table<string, fun(world: plat.test.View): boolean, string?>
---@field goal? fun(world: plat.test.View): boolean, string?
---@field exit? integer 0
---@field changes? integer how many the run makes
---@field says? string|string[] patterns that the report matches
---@field modes? table modes that are always tried; or by name: the reason why one is left out
---@field time? string of the world, RFC 3339

local FIELDS = {
  playbook = "string",
  args = "table",
  inventory = "string",
  options = "table",
  faults = "table",
  http = "table",
  hosts = "table",
  rules = "table",
  world = { "function", "table" },
  invariant = "table",
  goal = "function",
  exit = "number",
  changes = "number",
  says = { "string", "table" },
  modes = "table",
  time = "string",
}

local function bad(where, msg, hint)
  fault.raise("usage", nil, { msg = where .. ": " .. msg, hint = hint, where = "" })
end

local function check_field(where, name, value)
  local want = FIELDS[name]
  if not want then
    local close = check.did_you_mean(tostring(name), list.keys(FIELDS))
    bad(where, ('unknown field "%s"%s'):format(tostring(name), close), "docs/TESTING.md lists them")
  end
  want = type(want) == "table" and want or { want }
  if not list.contains(want, type(value)) then
    bad(where, ('field "%s" must be a %s'):format(name, table.concat(want, " or ")))
  end
end

local function check_modes(where, modes)
  for key, value in pairs(modes) do
    local name = math.type(key) and value or key
    if not list.contains(M.MODES, name) then
      local close = check.did_you_mean(tostring(name), M.MODES)
      bad(where, ('no mode "%s"%s'):format(tostring(name), close))
    elseif name == key and (type(value) ~= "string" or value == "") then
      bad(where, ('why is the mode "%s" left out?'):format(name), name .. ' = "REASON"')
    end
  end
end

--- Checks a case as it was written and fills in what was left out. Raises kind "usage".
---@param file string
---@param title string
---@param given table
---@return plat.test.Case
function M.check(file, title, given)
  local where = ("%s: %q"):format(file, title)
  for name, value in pairs(given) do
    check_field(where, name, value)
  end
  if not given.playbook then
    bad(where, 'the field "playbook" is missing', 'write playbook = "playbooks/NAME.lua"')
  end
  for name, fn in pairs(given.invariant or {}) do
    if type(fn) ~= "function" then
      bad(where, ('invariant "%s" must be a function of the world'):format(tostring(name)))
    end
  end
  if not (given.goal or given.invariant or given.says or given.changes) then
    bad(where, "it checks nothing but the exit status", "what must be true? goal, says, changes")
  end
  local case = list.copy(given)
  if type(given.world) == "table" then
    if type(given.world.load) ~= "string" then
      bad(where, 'field "world" is a function or { load = "FILE" }')
    end
    case.fixture = require("plat.sim.fixture").read(given.world.load)
  end
  case.file, case.title = file, title
  case.exit = given.exit or 0
  case.says = type(given.says) == "string" and { given.says } or given.says or {}
  case.modes = given.modes or {}
  check_modes(where, case.modes)
  case.time = time.parse_rfc3339(given.time or START)
  if not case.time then
    bad(where, ('field "time": %q is no time'):format(given.time), START)
  end
  return case
end

return M
