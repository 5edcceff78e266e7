--- Quorum: a majority of all voters stays healthy when some of them leave.

local base = require("plat.guard.base")
local list = require("plat.list")
local time = require("plat.time")

local M = {}

local OPTIONS = base.options("guard.quorum", {
  members = { type = "any", required = true, help = "list of { name, healthy, voter? }, or fn" },
  leaving = { type = "any", default = 1, help = "how many voters, or the names of members" },
  fresh = { type = "duration", help = "how old a member's `at` may be" },
})

local function survey(members)
  local count = { voters = 0, healthy = 0 }
  local down, by_name = {}, {}
  for _, member in ipairs(members) do
    if type(member.healthy) ~= "boolean" then
      return nil, ("nobody knows whether %s is healthy"):format(member.name)
    elseif member.voter ~= nil and type(member.voter) ~= "boolean" then
      return nil, ("nobody knows whether %s votes"):format(member.name)
    end
    by_name[member.name] = member
    if member.voter ~= false then
      count.voters = count.voters + 1
      count.healthy = count.healthy + (member.healthy and 1 or 0)
      if not member.healthy then
        down[#down + 1] = member.name
      end
    end
  end
  return { voters = count.voters, healthy = count.healthy, down = down, by_name = by_name }
end

--- Returns how many healthy voters leave, or nil and why that cannot be told.
local function leave(seen, leaving)
  if type(leaving) == "number" then
    return leaving -- the worst case: all of them are healthy voters
  end
  local lost, counted = 0, {}
  for _, name in ipairs(leaving) do
    local member = seen.by_name[name]
    if not member then
      return nil, ("%s is to leave and no member"):format(name)
    end
    if not counted[name] and member.healthy and member.voter ~= false then
      lost = lost + 1
    end
    counted[name] = true
  end
  return lost
end

--- Decides. Pure.
---@param members any list of `{ name, healthy, voter? }`
---@param leaving integer|string[]
---@return boolean ok
---@return string? reason
---@return string? hint
function M.decide(members, leaving)
  local problem = base.unnamed(members, "member")
  if problem or #members == 0 then
    return false, problem or "no member is known: the reading is empty"
  end
  local seen, unknown = survey(members)
  if not seen then
    return false, unknown
  elseif seen.voters == 0 then
    return false, "none of the members votes"
  end
  local lost, nobody = leave(seen, leaving)
  if not lost then
    return false, nobody, "the members are " .. base.some(list.keys(seen.by_name))
  end
  local majority = seen.voters // 2 + 1
  local left = math.max(seen.healthy - lost, 0)
  if left >= majority then
    return true
  end
  local reason = ("%d of %d voters would be healthy, a majority is %d"):format(
    left,
    seen.voters,
    majority
  )
  if #seen.down > 0 then
    local down = base.some(seen.down)
    return false, ("%s (down already: %s)"):format(reason, down), "bring back first: " .. down
  end
  local most = seen.healthy - majority
  return false, reason, ("at most %d may leave at once"):format(math.max(most, 0))
end

--- Makes the guard; see plat.guard.
---@param opts table
---@return plat.Guard
function M.new(opts)
  opts = OPTIONS(opts)
  local count = math.tointeger(base.number(opts.leaving))
  local names = base.is_list(opts.leaving) and opts.leaving
  local text = names
    and list.find(names, function(name)
      return type(name) ~= "string"
    end) == nil
  if not (count and count >= 0) and not text then
    base.misuse("guard.quorum", 'option "leaving": a number of voters or a list of names is needed')
  end
  return base.new("quorum", opts, function()
    local members = base.read(opts.members)
    local old, again = base.stale(base.is_list(members) and members or {}, opts.fresh, time.now())
    if old then
      return false, old, again
    end
    return M.decide(members, count or names)
  end)
end

return M
