--- `run:secret(ref)`: a value that can be used and not be seen, read once a run.

local check = require("plat.check")
local once = require("plat.task.once")
local resolve = require("plat.secret.resolve")

local OPTIONS = check.options("run:secret", {
  short = { type = "boolean", help = "less than 6 characters are accepted, and not redacted then" },
})

--- Returns the reference that a name of the inventory stands for.
local function lookup(run, name)
  return require("plat.inventory.secrets").lookup(run.inventory(), name)
end

local function read(run, ref, opts)
  local full = resolve.split(ref) and ref or lookup(run, ref)
  local ctx = { run = run, cluster = run.cluster_used, inventory = run.inventory }
  return resolve.read(full, ctx, { name = ref, short = opts.short })
end

--- Returns a secret: `ref` is "SCHEME:REST" or a name of the inventory's `secrets`. It is read when
--- it is first asked for, in a plan too, and once a run.
---@async
---@param run plat.Run
---@param ref string
---@param opts? { short?: boolean }
---@return plat.Secret
return function(run, ref, opts)
  if type(ref) ~= "string" or ref == "" then
    error("run:secret: a reference is expected, SCHEME:REST or a name of the inventory", 2)
  end
  opts = OPTIONS(opts)
  run.secrets = run.secrets or {}
  local entry = run.secrets[ref] or { once = once.new() }
  run.secrets[ref] = entry
  return entry.once:get({ op = "run:secret" }, function()
    return entry.value
  end, function()
    entry.value = read(run, ref, opts)
  end)
end
