--- The lock script of plat.lock.heartbeat on a simulated host: what its shell lines do, by hand.

local alter = require("plat.sim.host.alter")
local files = require("plat.sim.host.files")
local script = require("plat.lock.heartbeat_script")

local M = {}

local SCRIPT = script.argv("look", "", "", "")[3]

--- Says whether a text is the lock script.
---@param text? string
---@return boolean
function M.is_script(text)
  return text == SCRIPT
end

local function first_line(cmd, path)
  local text = files.read(cmd.host, cmd.user, path)
  return text and text:match("^([^\n]*)\n")
end

local function look(cmd, folder, token)
  local at, entry = files.existing(cmd.host, cmd.user, folder)
  if not at or entry.type ~= "dir" then
    cmd:say(at and "other\n" or "none\n")
    return
  end
  if not files.may(cmd.host, cmd.user, entry, 2) then
    cmd:say("readonly %s\n", entry.owner)
  end
  local names = files.names(cmd.host, at)
  for _, kind in ipairs({ "^held%.", "^free%." }) do
    for _, name in ipairs(names) do
      if name:find(kind) then
        cmd:say("state %s\n", name)
        local holder = name:match("^held.*%.([^.]*)$")
        local info = holder and first_line(cmd, folder .. "/info." .. holder)
        if info then
          cmd:say("info %s %s\n", holder, info)
        end
      end
    end
  end
  local broken = token ~= "" and first_line(cmd, folder .. "/broken." .. token)
  if broken then
    cmd:say("broken %s\n", broken)
  end
end

local function next_generation(from)
  return math.tointeger(tonumber(from:match("^[^.]*%.(%d+)") or "0")) + 1
end

local function move(cmd, folder, from, to)
  local moved = alter.rename(cmd.host, cmd.user, folder .. "/" .. from, folder .. "/" .. to)
  cmd:say(moved and ("state %s\n"):format(to) or "gone\n")
  return moved
end

local function remove(cmd, path)
  alter.remove(cmd.host, cmd.user, path)
end

--- Writes what stdin says, or ends the script with 8.
local function keep(cmd, path)
  local ok, err = alter.write(cmd.host, cmd.user, path, cmd.stdin)
  if not ok then
    cmd.code = 8
    cmd:complain("1: cannot create %s: %s", path, files.TEXT[err])
  end
  return ok
end

local OPS = {}

function OPS.look(cmd, folder, _, token)
  look(cmd, folder, token)
end

function OPS.list(cmd, prefix, _, token)
  local above, start = files.split(prefix)
  for _, name in ipairs(files.names(cmd.host, above)) do
    local at, entry = files.existing(cmd.host, cmd.user, files.join(above, name))
    if name:sub(1, #start) == start and at and entry.type == "dir" then
      cmd:say("lock %s\n", name)
      look(cmd, files.join(above, name), token)
    end
  end
end

function OPS.take(cmd, folder, from, token)
  local host, who = cmd.host, cmd.user
  if from == "none" then
    from = "free.0"
    local fresh = folder .. ".new." .. token
    local ok, err = alter.make(host, who, fresh, { type = "dir", mode = 493 })
    if not ok then
      cmd.code = 8
      cmd:complain("cannot create directory '%s': %s", fresh, files.TEXT[err])
      return
    end
    alter.write(host, who, fresh .. "/free.0", "")
    if not files.existing(host, who, folder) then
      alter.rename(host, who, fresh, folder)
    end
    alter.remove(host, who, fresh, true)
  end
  local info = folder .. "/info." .. token
  if not keep(cmd, info) then
    return
  end
  local to = ("held.%d.%d.%s"):format(next_generation(from), host:now() // 1, token)
  if not move(cmd, folder, from, to) then
    remove(cmd, info)
  elseif from:find("^held%.") then
    remove(cmd, folder .. "/info." .. from:match("([^.]*)$"))
  end
end

function OPS.renew(cmd, folder, from, token)
  local now = cmd.host:now() // 1
  move(cmd, folder, from, ("held.%d.%d.%s"):format(next_generation(from), now, token))
end

function OPS.release(cmd, folder, from, token)
  if move(cmd, folder, from, "free." .. next_generation(from)) then
    remove(cmd, folder .. "/info." .. token)
    local at = files.existing(cmd.host, cmd.user, folder)
    for _, name in ipairs(files.names(cmd.host, at)) do
      if name:find("^broken%.") then
        remove(cmd, folder .. "/" .. name)
      end
    end
  end
end

OPS["break"] = function(cmd, folder, from, token)
  local broken = folder .. "/broken." .. token
  if not keep(cmd, broken) then
    return
  elseif move(cmd, folder, from, "free." .. next_generation(from)) then
    remove(cmd, folder .. "/info." .. token)
  else
    remove(cmd, broken)
  end
end

--- Does what the script does.
---@param cmd plat.sim.Command sh -c SCRIPT platrun-lock OP PATH FROM TOKEN
function M.perform(cmd)
  local op, path, from, token = table.unpack(cmd.argv, 5, 8)
  cmd:say("now %d\n", cmd.host:now() // 1)
  OPS[op](cmd, path, from or "", token or "")
end

return M
