--- How simulated hosts differ from what was said of them: what remains of a play when time and
--- numbers of processes are left out. A host that nobody has changed does not occur.

local json = require("plat.json")
local machines = require("plat.sim.host.machine")

local M = {}

local FILE = { "type", "content", "size", "mode", "owner", "group", "to" }
local SERVICE = { "state", "enabled", "masked", "result" }

local function fields(entry, names)
  if not entry then
    return "none"
  end
  local out = {}
  for _, name in ipairs(names) do
    out[name] = entry[name]
  end
  return json.encode(out, { lossy = true })
end

local function plain(value)
  return json.encode({ value }, { lossy = true })
end

--- Adds each entry of a map that differs, by its name.
local function compare(found, about, now, fresh, show)
  local seen = {}
  for _, map in ipairs({ now, fresh }) do
    for name in pairs(map) do
      local after, before = now[name], fresh[name]
      local differs = (after or nil) ~= (before or nil) and show(after) ~= show(before)
      if not seen[name] and differs then
        found[about .. name] = show(after)
      end
      seen[name] = true
    end
  end
end

local function of_machine(found, machine, fresh)
  local about = "host " .. machine.name .. " "
  local files = {}
  for path, entry in pairs(machine.files) do
    if not path:find("^/tmp/%.platrun%-lock%-") then
      files[path] = entry or nil
    end
  end
  local others = {}
  for path in pairs(machine.files) do
    others[path] = fresh.files[path] or nil -- of the image too, if the host has its own now
  end
  for path, entry in pairs(fresh.files) do
    others[path] = entry
  end
  for path in pairs(others) do
    if path:find("^/tmp/%.platrun%-lock%-") then
      others[path] = nil
    elseif files[path] == nil and rawget(machine.files, path) ~= false then
      files[path] = machine.files[path] or nil
    end
  end
  compare(found, about .. "file ", files, others, function(entry)
    return fields(entry, FILE)
  end)
  compare(found, about .. "service ", machine.services, fresh.services, function(unit)
    return fields(unit, SERVICE)
  end)
  for _, what in ipairs({ "packages", "users", "groups" }) do
    compare(found, about .. what .. " ", machine.state[what], fresh.state[what], plain)
  end
end

--- Returns what differs: texts by the names of the things.
---@param fleet plat.sim.Fleet
---@return table<string, string>
function M.of(fleet)
  local found = {}
  for name, machine in pairs(fleet.machines) do
    local spec = fleet.spec_of(name)
    of_machine(found, machine, machines.new(name, spec or {}, fleet))
  end
  return found
end

return M
