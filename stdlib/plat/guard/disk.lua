--- Disk: what the operation writes fits, and headroom is left.

local base = require("plat.guard.base")
local check = require("plat.check")
local time = require("plat.time")

local M = {}

local OPTIONS = base.options("guard.disk", {
  read = { type = "function", required = true, help = "gives a list of { path, size, free }" },
  free = { type = "any", default = "20%", help = "that must be left: a share, or bytes" },
  growth = { type = "bytes", default = 0, help = "what the operation writes, on each" },
  fresh = { type = "duration", help = "how old a reading's `at` may be" },
})

--- Returns why one file system is refused, or nil.
local function problem_of(disk, need, growth)
  local size, free = base.number(disk.size), base.number(disk.free)
  local grows = base.number(disk.growth == nil and growth or disk.growth)
  if not size or not free or size <= 0 or free < 0 or free > size then
    return ("%s: size and free space are not known"):format(disk.path)
  elseif not grows or grows < 0 then
    return ("%s: what it grows by is not known"):format(disk.path)
  end
  local left = free - grows
  local wanted = need.share and need.share * size or need.bytes
  if left >= wanted then
    return nil
  end
  return ("%s: %s of %s would be free (%s), %s is needed"):format(
    disk.path,
    base.size(math.max(left, 0)),
    base.size(size),
    base.percent(math.max(left, 0) / size),
    need.share and base.percent(need.share) or base.size(need.bytes)
  )
end

--- Decides. Pure.
---@param disks any list of `{ path, size, free, growth? }` in bytes
---@param need { share: number?, bytes: number? }
---@param growth number bytes
---@return boolean ok
---@return string? reason
---@return string? hint
function M.decide(disks, need, growth)
  if not base.is_list(disks) or #disks == 0 then
    return false, "no file system is known: the reading is empty"
  end
  local problems = {}
  for i, disk in ipairs(disks) do
    if type(disk) ~= "table" or type(disk.path) ~= "string" then
      return false, ("file system %d of the reading has no path"):format(i)
    end
    problems[#problems + 1] = problem_of(disk, need, growth)
  end
  if #problems == 0 then
    return true
  end
  return false, table.concat(problems, "; "), "make room, or grow the volume"
end

--- Makes the guard; see plat.guard.
---@param opts table
---@return plat.Guard
function M.new(opts)
  opts = OPTIONS(opts)
  local need = { share = base.share(opts.free) }
  if not need.share then
    need.bytes = check.bytes(opts.free)
    if not need.bytes then
      base.misuse(
        "guard.disk",
        'option "free": a share such as 20% or a size such as 50Gi is needed'
      )
    end
  end
  return base.new("disk", opts, function()
    local disks = opts.read()
    local old, again = base.stale(base.is_list(disks) and disks or {}, opts.fresh, time.now())
    if old then
      return false, old, again
    end
    return M.decide(disks, need, opts.growth)
  end)
end

return M
