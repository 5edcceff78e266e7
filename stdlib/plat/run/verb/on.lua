--- run:on: steps on many hosts at once.

local batches = require("plat.run.rollout.batches")
local check = require("plat.check")
local fault = require("plat.fault")
local work = require("plat.run.hosts.work")

local OPTIONS = check.options("run:on", {
  strategy = {
    type = "enum",
    enum = { "lockstep", "free", "canary" },
    help = "lockstep: all end a step before any begins the next; free; canary: some first",
  },
  canary = { type = "any", help = 'how many hosts go first, alone: 1, "5%"' },
  max_fail = { type = "any", help = 'so many may fail, then all stops: 0, 3, "10%"' },
  unreachable = {
    type = "enum",
    enum = { "data", "fail" },
    default = "data",
    help = "data: it is left out; fail: it counts as one that failed",
  },
  limit = { type = "integer", min = 1, help = "hosts at once; default: --forks" },
})

local ROUNDING = 1e-9

local function amount(name, value, all, round)
  if value == nil then
    return nil
  end
  local found, err = batches.amount(value)
  if not found then
    fault.raise("usage", { op = "run:on" }, { msg = ("option %q: %s"):format(name, err) })
  end
  return found.count or round(all * found.percent / 100)
end

local function down(n)
  return math.floor(n + ROUNDING)
end

local function up(n)
  return math.ceil(n - ROUNDING)
end

local function canaries(opts, all)
  if opts.strategy and opts.strategy ~= "canary" then
    if opts.canary ~= nil then
      fault.raise("usage", { op = "run:on" }, {
        msg = ('option "canary": it goes with strategy = "canary", not %q'):format(opts.strategy),
      })
    end
    return nil
  elseif not opts.strategy and opts.canary == nil then
    return nil
  end
  local count = amount("canary", opts.canary or 1, all, up)
  if count < 1 then
    fault.raise(
      "usage",
      { op = "run:on" },
      { msg = 'option "canary": at least one host goes first' }
    )
  end
  return math.min(count, all)
end

--- Calls a function for each host at once, up to --forks; the steps in it are those of that host.
--- By default in lockstep. A host that fails or cannot be reached drops out of the run and the
--- others go on; the run then ends with 2 or 4. More failures than `max_fail` stop all of it.
--- docs/PLAYBOOKS.md, "Hosts".
---@async
---@param run plat.Run
---@param hosts plat.Host[] of run:hosts
---@param opts? table strategy, canary, max_fail, unreachable, limit
---@param fn fun(host: plat.Host): any
---@return { ok: string[], failed: string[], unreachable: string[], values: table<string, any> }
---  names of hosts, and by name what `fn` returned
return function(run, hosts, opts, fn)
  if type(opts) == "function" then
    opts, fn = {}, opts
  end
  opts = OPTIONS(opts)
  if type(hosts) ~= "table" or type(fn) ~= "function" then
    error("run:on: run:on(hosts, function(host) ... end)", 2)
  end
  local items = work.check("run:on", hosts)
  return work.perform({
    run = run,
    op = "run:on",
    fn = fn,
    items = items,
    limit = opts.limit or run.forks,
    lockstep = opts.strategy ~= "free" and not run.planning,
    canary = canaries(opts, #items),
    may_fail = amount("max_fail", opts.max_fail, #items, down),
    unreachable = opts.unreachable,
  })
end
