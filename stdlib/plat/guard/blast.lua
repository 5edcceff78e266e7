--- Blast radius: how much what is about to happen touches and deletes.

local base = require("plat.guard.base")
local check = require("plat.check")
local limit = require("plat.guard.limit")
local list = require("plat.list")

local M = {}

local OPTIONS = base.options("guard.blast_radius", {
  hosts = { type = "table", help = "{ touched, all, max }: lists or numbers, or fn" },
  deletions = { type = "table", help = "{ count, max }: a number or a list, or fn" },
})

--- Returns how many things a reading names, and their names when it is a list.
local function count_of(value)
  if base.is_list(value) then
    local names, seen = {}, {}
    for _, item in ipairs(value) do
      local name = type(item) == "table" and item.name or item
      if type(name) ~= "string" or name == "" then
        return nil
      end
      if not seen[name] then
        seen[name] = true
        names[#names + 1] = name
      end
    end
    return #names, names
  end
  local count = math.tointeger(base.number(value))
  return count and count >= 0 and count or nil
end

--- Decides about hosts. Pure.
---@param touched any list of names, or a number
---@param all any the same for all there are
---@param max { count: integer?, share: number? }
---@return boolean ok
---@return string? reason
---@return string? hint
function M.decide_hosts(touched, all, max)
  local n, names = count_of(touched)
  local total, known = count_of(all)
  if not n then
    return false, "nobody knows which hosts would be touched"
  elseif not total or total == 0 then
    return false, "nobody knows how many hosts there are"
  elseif n > total then
    return false, ("%d hosts would be touched, and there are %d"):format(n, total)
  end
  for _, name in ipairs(names and known and names or {}) do
    if not list.contains(known, name) then
      return false, ("%s would be touched and is none of the hosts"):format(name)
    end
  end
  local allowed = limit.allowance(max, total)
  if n <= allowed then
    return true
  end
  return false,
    ("%d of %d hosts would be touched, at most %s may be"):format(
      n,
      total,
      limit.show(max, allowed)
    ),
    limit.HINT
end

--- Decides about deletions. Pure.
---@param count any a number, or the list of names
---@param max integer
---@return boolean ok
---@return string? reason
---@return string? hint
function M.decide_deletions(count, max)
  local n, names = count_of(count)
  if not n then
    return false, "nobody knows how much would be deleted"
  elseif n <= max then
    return true
  end
  local which = names and (": " .. base.some(names)) or ""
  return false,
    ("%s would be deleted, at most %d may be%s"):format(base.plural(n, "object"), max, which),
    limit.HINT
end

local function misuse(option, problem)
  base.misuse("guard.blast_radius", ('option "%s": %s'):format(option, problem))
end

local function fields(option, given, known)
  for word in pairs(given) do
    if not list.contains(known, word) then
      local close = check.did_you_mean(tostring(word), known)
      misuse(option, ('unknown field "%s"%s'):format(tostring(word), close))
    end
  end
  for _, word in ipairs(known) do
    if given[word] == nil then
      misuse(option, ('"%s" is missing'):format(word))
    end
  end
end

--- Makes the guard; see plat.guard.
---@param opts table
---@return plat.Guard
function M.new(opts)
  opts = OPTIONS(opts)
  local hosts, deletions = opts.hosts, opts.deletions
  if not hosts and not deletions then
    misuse("hosts", "hosts or deletions is needed")
  end
  local max_hosts, max_deletions
  if hosts then
    fields("hosts", hosts, { "touched", "all", "max" })
    max_hosts = limit.parse(hosts.max)
      or misuse("hosts", "max: a number or a share such as 25% is needed")
  end
  if deletions then
    fields("deletions", deletions, { "count", "max" })
    max_deletions = (limit.parse(deletions.max) or {}).count
      or misuse("deletions", "max: a number is needed")
  end
  return base.new(limit.NAME, opts, function()
    if hosts then
      local ok, why, hint =
        M.decide_hosts(base.read(hosts.touched), base.read(hosts.all), max_hosts)
      if not ok then
        return ok, why, hint
      end
    end
    if deletions then
      return M.decide_deletions(base.read(deletions.count), max_deletions)
    end
    return true
  end)
end

return M
