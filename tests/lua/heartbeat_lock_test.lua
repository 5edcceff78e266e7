local effect = require("plat.effect")
local fault = require("plat.fault")
local fs = require("prim.fs")
local heartbeat = require("plat.lock.heartbeat")
local host = require("plat.host")
local json = require("plat.json")
local lock = require("plat.lock")
local task = require("plat.task")
local time = require("plat.time")

local here = host.new({
  name = "here",
  address = "here",
  vars = { ansible_connection = "local" },
})

local function me(name)
  return { id = "desk:" .. name, run = name, host = "desk", user = "eve", playbook = "test" }
end

local function place(dir, opts)
  opts = opts or {}
  opts.dir, opts.duration = dir, opts.duration or 60
  return heartbeat.new(here, "db", opts)
end

--- Returns the names in the directory of the lock, without `broken`.
local function states(p)
  local found = {}
  for _, name in ipairs(fs.list(p.path) or {}) do
    if name:find("^held") or name:find("^free") then
      found[#found + 1] = name
    end
  end
  return found
end

--- Sets the time of the last heartbeat back, as if the holder had been silent.
local function age(p, seconds)
  local name = states(p)[1]
  local generation, at, token = name:match("^held%.(%d+)%.(%d+)%.(%x+)$")
  local older = ("held.%s.%d.%s"):format(generation, at - seconds, token)
  assert(fs.rename(p.path .. "/" .. name, p.path .. "/" .. older))
  return older
end

local function open(t)
  effect.open({ mode = "run" })
  t.defer(effect.close)
  return t.tmp()
end

return {
  ["taken, refused to others, given back"] = function(t)
    local dir = open(t)
    local a, b = place(dir), place(dir)
    t.equal(a:take(me("a"), 0), nil)
    local err = t.fails("held by run a on desk by eve", function()
      b:take(me("b"), 0)
    end)
    t.equal({ err.exit, err.kind }, { 75, "refused" })
    t.match(fault.text(err), "it ends in")
    a:release()
    t.equal(b:take(me("b"), 0), nil)
    t.match(b:holder(), "run b on desk")
    b:release()
    t.equal(b:holder(), nil)
    t.equal(#states(b), 1)
    t.equal(#fs.list(b.path), 1, "nothing is left but the state")
  end,
  ["renewals count on, and the state stays one file"] = function(t)
    local a = place(open(t))
    a:take(me("a"), 0)
    for _ = 1, 3 do
      a:renew()
    end
    t.equal(#states(a), 1)
    t.match(states(a)[1], "^held%.4%.")
    t.ok(a:age() < 5)
  end,
  ["taken over after its duration and a margin, and not before"] = function(t)
    local dir = open(t)
    local a, b = place(dir), place(dir)
    a:take(me("a"), 0)
    age(a, 60 + 25)
    t.fails("held by run a", function()
      b:take(me("b"), 0)
    end)
    age(a, 10)
    t.equal(b:take(me("b"), 0), "taken over")
    local err = t.fails("the lock is lost: it is held by run b", function()
      a:renew()
    end)
    t.equal(err.lost, true)
    a:release() -- is none of its business any more
    t.match(b:holder(), "run b")
  end,
  ["taken over when it was seen unchanged for its duration"] = function(t)
    local dir = open(t)
    local a, b = place(dir, { duration = 1 }), place(dir)
    a:take(me("a"), 0)
    t.equal(b:take(me("b"), 10), "taken over")
  end,
  ["a heartbeat from the future is neither old nor valid for ever"] = function(t)
    local dir = open(t)
    local a, b = place(dir, { duration = 1 }), place(dir)
    a:take(me("a"), 0)
    age(a, -3600)
    t.fails("ahead of", function()
      b:take(me("b"), 0)
    end)
    t.equal(b:take(me("b"), 10), "taken over")
  end,
  ["a renewal beside a takeover: one of both wins"] = function(t)
    local dir = open(t)
    local a, b = place(dir), place(dir)
    a:take(me("a"), 0)
    age(a, 1000)
    local _, _, seen = b:look(me("b"), {})
    local read = seen
    a.state = read
    a:renew()
    t.equal(b:seize(me("b"), read), false, "what it read is gone")
    t.match(b:holder(), "run a")
  end,
  ["an answer that was lost does not lose the lock"] = function(t)
    local a = place(open(t))
    a:take(me("a"), 0)
    local before = a.state
    a:renew()
    a.state = before -- as if the answer had not come
    a:renew()
    t.match(a:holder(), "run a")
  end,
  ["a take without an answer is given back"] = function(t)
    local dir = open(t)
    local a = place(dir)
    a:seize(me("a"), nil)
    a.state = nil
    a:abandon()
    t.equal(place(dir):holder(), nil)
  end,
  ["a resumed run takes its lock back at once"] = function(t)
    local dir = open(t)
    place(dir):take(me("a"), 0)
    local again = place(dir)
    t.equal(again:take(me("a"), 0), "taken back")
    again:renew()
  end,
  ["a broken lock tells its holder by whom and why"] = function(t)
    local dir = open(t)
    local a = place(dir)
    a:take(me("a"), 0)
    local found = heartbeat.list(here, dir)
    t.equal({ #found, found[1].place.lock, found[1].said.id }, { 1, "db", "desk:a" })
    t.equal(found[1].place:break_("desk:other", "x"), false)
    t.equal(found[1].place:break_("desk:a", "bob at noon: it hangs"), true)
    t.fails("the lock is lost: it was broken by bob at noon: it hangs", function()
      a:renew()
    end)
    t.equal(place(dir):take(me("b"), 0), nil)
  end,
  ["what somebody else put there is refused, with what to look at"] = function(t)
    local dir = open(t)
    local a = place(dir)
    assert(fs.mkdir(a.path))
    local err = t.fails("something else in its place", function()
      a:take(me("a"), 0)
    end)
    t.match(err.hint, "ls %-l")
    a = place(dir .. "/nothing/here")
    err = t.fails("io", function()
      a:take(me("a"), 0)
    end)
    t.match(err.hint, "dir = PATH")
  end,
  ["a holder that says nothing of itself is never taken over by time"] = function(t)
    local dir = open(t)
    local a = place(dir)
    a:take(me("a"), 0)
    local token = a.state.token
    for _, said in ipairs({ "", "no json", '{"duration":"x"}', json.encode({ id = 7 }) }) do
      assert(fs.write(a.path .. "/info." .. token, said .. "\n"))
      age(a, 9999)
      t.fails("nothing says for how long", function()
        place(dir):take(me("b"), 0)
      end)
    end
  end,
  ["the engine renews it beside the run"] = function(t)
    local dir = open(t)
    local p = place(dir, { duration = 1 })
    local entry = lock.take("db", { p }, me("a"), {})
    t.equal({ entry.kind, entry.where }, { "host", p.where })
    local first = states(p)[1]
    local until_then = time.mono() + 10
    while states(p)[1] == first and time.mono() < until_then do
      task.sleep(0.05)
    end
    t.ok(states(p)[1] ~= first, "no heartbeat")
    entry:check()
    entry:release()
    t.equal(p:holder(), nil)
  end,
  ["no change without a lock that is surely held"] = function(t)
    local dir = open(t)
    local p = place(dir)
    local entry = lock.take("db", { p }, me("a"), {})
    entry:check()
    p.renewed_at = { mono = time.mono() - 40, wall = time.now() } -- due: it renews
    entry:check()
    t.ok(p:age() < 5)
    p.renewed_at = { mono = time.mono() - 50, wall = time.now() }
    p.host = host.new({ name = "gone", address = "127.0.0.1", vars = { ansible_port = 1 } })
    local err = t.fails("the lock is stale", function()
      entry:check()
    end)
    t.match(fault.text(err), "connection refused")
    p.host = here
    entry:release()
  end,
  ["twenty contenders at once: one has it, again and again"] = function(t)
    local dir = open(t)
    local names = {}
    for i = 1, 20 do
      names[i] = "c" .. i
    end
    for round = 1, 3 do
      local won = {}
      task.each(names, {}, function(name)
        local p = place(dir)
        local _, err = fault.try(p.take, p, me(name), 0)
        if not err then
          won[#won + 1] = p
        else
          t.equal(err.exit, 75)
        end
      end)
      t.equal(#won, 1, "round " .. round)
      t.equal(#states(won[1]), 1)
      if round == 2 then
        won[1]:release()
      else
        age(won[1], 1000) -- the next ones race for the takeover
      end
    end
  end,
  ["a plan only looks"] = function(t)
    local dir = open(t)
    local p = place(dir)
    p:take(me("a"), 0)
    local before = states(p)[1]
    effect.open({ mode = "plan" })
    t.match(p:holder(), "run a")
    t.fails("a plan changes nothing", function()
      p:renew()
    end)
    t.equal(states(p)[1], before)
  end,
}
