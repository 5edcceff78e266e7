--- Version pair: the step from one version to another is one that the product supports.
--
-- A rule is text: "10.x -> 11.x", "11.4.x -> 12.x", "15.x -> 15.x". "x" stands for anything from
-- there on; without it the version is meant exactly.

local base = require("plat.guard.base")

local M = {}

local OPTIONS = base.options("guard.version_pair", {
  from = { type = "any", required = true, help = "the version that runs, or fn" },
  to = { type = "any", required = true, help = "the version that is wanted, or fn" },
  allowed = { type = "any", required = true, help = 'list of "10.x -> 11.x", or fn(from, to)' },
  what = { type = "string", default = "the product", help = "for the messages: PostgreSQL" },
})

---@class plat.guard.Version
---@field text string
---@field parts integer[] 24.3.1 is { 24, 3, 1 }
---@field pre? string "rc1": before the version without it

--- Returns the parts of a version: "v1.2.3-rc1+build", "16", "24.3.0-202403". Pure.
---@param text any
---@return plat.guard.Version?
function M.parse(text)
  if math.type(text) == "integer" and text >= 0 then
    text = tostring(text)
  end
  local numbers, rest = (type(text) == "string" and text or ""):match("^[vV]?(%d[%d.]*)(.*)$")
  if not numbers or numbers:find("%.%.") or numbers:find("%.$") then
    return nil
  end
  local pre, build = rest:match("^%-?([%w.-]*)(.*)$")
  if not (build == "" or build:find("^%+[%w.-]+$")) or (rest:sub(1, 1) == "-" and pre == "") then
    return nil
  end
  local parts = {}
  for number in numbers:gmatch("%d+") do
    local part = math.tointeger(tonumber(number))
    if not part then
      return nil
    end
    parts[#parts + 1] = part
  end
  return { text = text, parts = parts, pre = pre ~= "" and pre or nil }
end

--- Compares the parts of pre-releases: numbers by value and before words, words by letters.
local function compare_pre(a, b)
  local next_b = b:gmatch("[^.-]+")
  for x in a:gmatch("[^.-]+") do
    local y = next_b()
    local nx, ny = tonumber(x), tonumber(y or "")
    if not y then
      return 1
    elseif nx and ny and nx ~= ny then
      return nx < ny and -1 or 1
    elseif (nx == nil) ~= (ny == nil) then
      return nx and -1 or 1
    elseif not nx and x ~= y then
      return x < y and -1 or 1
    end
  end
  return next_b() and -1 or 0
end

--- Returns -1, 0 or 1: which of two versions is the older one. Missing parts are 0. Pure.
---@param a plat.guard.Version
---@param b plat.guard.Version
---@return integer
function M.compare(a, b)
  for i = 1, math.max(#a.parts, #b.parts) do
    local x, y = a.parts[i] or 0, b.parts[i] or 0
    if x ~= y then
      return x < y and -1 or 1
    end
  end
  if a.pre == b.pre then
    return 0
  elseif not a.pre or not b.pre then
    return a.pre and -1 or 1
  end
  return compare_pre(a.pre, b.pre)
end

local function parse_pattern(text)
  local stem, open = text:match("^[vV]?(%d[%d.]-)(%.[xX*])$")
  local version = M.parse(stem or text)
  if not version or (stem and version.pre) then
    return nil
  end
  return { text = text, parts = version.parts, pre = version.pre, open = open ~= nil }
end

--- Returns the rules of a list, or nil and what is wrong with it. Pure.
---@param allowed any
---@return table[]? rules
---@return string? problem
function M.rules(allowed)
  if not base.is_list(allowed) or #allowed == 0 then
    return nil, 'a list such as { "10.x -> 11.x" } or a function is needed'
  end
  local rules = {}
  for i, text in ipairs(allowed) do
    local left, right = tostring(text):match("^%s*(%S+)%s*%->%s*(%S+)%s*$")
    local from, to = parse_pattern(left or ""), parse_pattern(right or "")
    if not from or not to then
      return nil, ('"%s" is no rule such as "10.x -> 11.x"'):format(tostring(text))
    end
    rules[i] = { from = from, to = to }
  end
  return rules
end

local function matches(pattern, version)
  if not pattern.open then
    return M.compare(pattern, version) == 0
  end
  for i, part in ipairs(pattern.parts) do
    if (version.parts[i] or 0) ~= part then
      return false
    end
  end
  return true
end

--- Returns the versions that two patterns have in common: the narrower of both, or nil.
local function overlap(a, b)
  local narrow, wide = a, b
  if a.open and (not b.open or #b.parts > #a.parts) then
    narrow, wide = b, a
  end
  return matches(wide, narrow) and narrow or nil
end

--- Returns whether all of a pattern lies before a version.
local function is_before(pattern, version)
  if not pattern.open then
    return M.compare(pattern, version) < 0
  end
  for i, part in ipairs(pattern.parts) do
    local other = version.parts[i] or 0
    if part ~= other then
      return part < other
    end
  end
  return false
end

--- Returns the shortest chain of rules between two versions as the stops on the way, or nil.
local function path(rules, from, to)
  local queue, seen = {}, {}
  for i, rule in ipairs(rules) do
    if matches(rule.from, from) and not is_before(rule.to, from) then
      queue[#queue + 1] = { rule = rule, stops = {} }
      seen[i] = true
    end
  end
  local at = 1
  while queue[at] do
    local rule, stops = queue[at].rule, queue[at].stops
    if matches(rule.to, to) then
      return stops
    end
    for i, further in ipairs(rules) do
      local stop = not seen[i] and overlap(rule.to, further.from)
      if stop and not is_before(further.to, from) then
        local more = table.move(stops, 1, #stops, 1, {})
        more[#more + 1] = stop.text
        queue[#queue + 1] = { rule = further, stops = more }
        seen[i] = true
      end
    end
    at = at + 1
  end
  return nil
end

local function steps_from(rules, from)
  local out = {}
  for _, rule in ipairs(rules) do
    if matches(rule.from, from) then
      out[#out + 1] = rule.to.text
    end
  end
  return out
end

local function by_rules(rules, from, to)
  for _, rule in ipairs(rules) do
    if matches(rule.from, from) and matches(rule.to, to) then
      return true
    end
  end
  local reason = ("no rule allows %s -> %s"):format(from.text, to.text)
  local stops = path(rules, from, to)
  if stops and #stops > 0 then
    local way = table.concat(stops, " -> ")
    return false,
      reason,
      ("go to %s first: %s -> %s -> %s"):format(stops[1], from.text, way, to.text)
  end
  local steps = steps_from(rules, from)
  return false,
    reason,
    #steps > 0 and ("from %s it goes to %s only"):format(from.text, base.some(steps))
      or ("no rule leads away from %s"):format(from.text)
end

--- Decides. The same version is allowed: a run that is repeated has nothing to do. Pure.
---@param from any
---@param to any
---@param allowed table[]|fun(from: string, to: string): boolean, string?, string?
---@param what string
---@return boolean ok
---@return string? reason
---@return string? hint
function M.decide(from, to, allowed, what)
  local old, new = M.parse(from), M.parse(to)
  if not old or not new then
    local side, text = "present", from
    if old then
      side, text = "wanted", to
    end
    return false,
      text == nil and ("the %s version of %s is not known"):format(side, what)
        or ("the %s version of %s, %q, is none"):format(side, what, tostring(text))
  end
  local order = M.compare(old, new)
  if order == 0 then
    return true
  elseif order > 0 then
    return false,
      ("%s -> %s is a downgrade of %s"):format(old.text, new.text, what),
      "older versions may not read newer data: restore a backup made with the older one"
  elseif type(allowed) == "function" then
    return allowed(old.text, new.text)
  end
  return by_rules(allowed, old, new)
end

--- Makes the guard; see plat.guard.
---@param opts table
---@return plat.Guard
function M.new(opts)
  opts = OPTIONS(opts)
  local allowed = opts.allowed
  if type(allowed) ~= "function" then
    local problem
    allowed, problem = M.rules(allowed)
    if not allowed then
      base.misuse("guard.version_pair", 'option "allowed": ' .. problem)
    end
  end
  return base.new("version-pair", opts, function()
    return M.decide(base.read(opts.from), base.read(opts.to), allowed, opts.what)
  end)
end

return M
