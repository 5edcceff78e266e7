-- Contenders for a lock on a real sshd whose shell and programs are busybox's. Started by `run`.
local effect = require("plat.effect")
local fault = require("plat.fault")
local fs = require("prim.fs")
local heartbeat = require("plat.lock.heartbeat")
local host = require("plat.host")
local sys = require("prim.sys")
local task = require("plat.task")

local CONTENDERS, ROUNDS = 20, 25

local function sessions()
  local found = {}
  for i = 1, CONTENDERS do
    found[i] = host.new({
      name = "c" .. i,
      address = "127.0.0.1",
      vars = { ansible_port = sys.getenv("LOCK_PORT") },
    })
  end
  return found
end

local function me(name)
  return { id = "desk:" .. name, run = name, host = "desk", user = "eve", playbook = "race" }
end

local function state_in(path)
  for _, name in ipairs(fs.list(path)) do
    if name:find("^held") or name:find("^free") then
      return name
    end
  end
end

--- Sets the last heartbeat back by hours.
local function age(p)
  local name = state_in(p.path)
  local generation, at, token = name:match("^held%.(%d+)%.(%d+)%.(%x+)$")
  local older = ("held.%s.%d.%s"):format(generation, at - 9999, token)
  assert(fs.rename(p.path .. "/" .. name, p.path .. "/" .. older))
  p.state.name = older
end

--- All of them at once; returns those who have it.
local function race(hosts, dir, round)
  local won = {}
  task.each(hosts, {}, function(h)
    local p = heartbeat.new(h, "db", { dir = dir, duration = 60 })
    local _, err = fault.try(p.take, p, me(h.name .. "-" .. round), 0)
    if not err then
      won[#won + 1] = p
    elseif err.exit ~= 75 then
      error(err, 0)
    end
  end)
  return won
end

return {
  ["twenty contenders, free and expired locks: one has it each time"] = function(t)
    effect.open({ mode = "run" })
    t.defer(effect.close)
    local hosts, dir = sessions(), t.tmp()
    for round = 1, ROUNDS do
      local won = race(hosts, dir, round)
      t.equal(#won, 1, "round " .. round)
      t.match(won[1]:holder(), "run " .. won[1].host.name .. "%-" .. round)
      if round % 2 == 0 then
        won[1]:release()
      else
        age(won[1])
      end
    end
  end,
  ["a holder that renews while twenty take it over: one has it"] = function(t)
    effect.open({ mode = "run" })
    t.defer(effect.close)
    local hosts, dir = sessions(), t.tmp()
    local kept, taken = 0, 0
    for round = 1, ROUNDS do
      local p = heartbeat.new(hosts[1], "db" .. round, { dir = dir, duration = 60 })
      p:take(me("holder"), 0)
      age(p)
      local renewed, won = false, 0
      local fns = {
        function()
          task.sleep(0.02 * (round % 8)) -- before, between and after their looks and renames
          local _, err = fault.try(p.renew, p)
          renewed = not err
          t.ok(renewed or err.lost, tostring(err))
        end,
      }
      for i = 2, #hosts do
        fns[i] = function()
          local q = heartbeat.new(hosts[i], "db" .. round, { dir = dir, duration = 60 })
          local _, err = fault.try(q.take, q, me(hosts[i].name), 0)
          won = won + (err and 0 or 1)
          t.ok(not err or err.exit == 75, tostring(err))
        end
      end
      task.all(fns)
      t.equal(won + (renewed and 1 or 0), 1, "round " .. round)
      kept, taken = kept + (renewed and 1 or 0), taken + won
    end
    t.ok(kept > 0 and taken > 0, ("kept %d times, taken over %d times"):format(kept, taken))
  end,
}
