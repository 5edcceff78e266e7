--- What may go wrong in a simulated world, and when. `--fault`, tests and the modes of
--- `platrun test` all say it in these words. One file a kind in plat.sim.fault.
---
---   KIND[:ARG...][@WHEN]
---
--- WHEN is some of these, joined by commas; without it the kind's own moment is meant, mostly now:
---
---   3              the third effect: a request or command that changes something
---   request=7      the seventh request, reads counted
---   k8s.scale      a request of this op; `*` stands for anything, "k8s.get pod *" is op and object
---   k8s.scale#2    the second one
---   5%             each request with this probability
---   seed=9         the seed of that; default: the world's
---   changes        only what changes something
---   on=dremio      only requests to this model: kubernetes, dremio or hosts

local check = require("plat.check")
local env = require("plat.env")
local fault = require("plat.fault")
local sys = require("prim.sys")

local injector = env.lazy("plat.sim.injector")

local M = {}

---@class plat.sim.FaultKind what a file in plat.sim.fault returns
---@field usage string "slow:MS"
---@field help string one line
---@field args { [1]: string, [2]: "integer"|"number"|"string", default: any }[] in their order; one
---  without a default must be given; `times` says how many requests are hit
---@field before? fun(at: plat.sim.Moment, args: table): table? at the door, before the world has
---  acted: gives the answer in its place, raises, or does nothing
---@field after? fun(at: plat.sim.Moment, args: table, resp: table): table once the world has acted
---@field world? fun(world: table, args: table, about: table) something happens to the world itself;
---  `about` is plain data: method, url, op and object of the request at which it happens
---@field check? fun(world: table, args: table) raises a text if it makes no sense in this world
---@field ready? fun(world: table, args: table, at: plat.sim.Moment): boolean not before this holds
---@field on? string without a WHEN only requests to this model are hit
---@field hosts? boolean it happens to what is asked of hosts as well
---@field chance? boolean "any" may draw it: a good playbook survives it or ends well
---@field choose? fun(word: number, at: plat.sim.Moment): string which kind it stands for this time

---@class plat.sim.Fault
---@field name string
---@field args table<string, any> by their names
---@field text string as it was written
---@field when? { effect: integer?, request: integer?, op: string?, nth: integer?, share: number?,
---  seed: integer?, changes: boolean?, on: string? }

---@class plat.sim.Moment one request at the door
---@field request integer number of this request
---@field effect? integer number of this effect; nil for a read
---@field req table op, object, target, and of HTTP method and url
---@field model? string the model that is asked: "kubernetes"

local PREFIX = "plat.sim.fault."

local found

--- Returns the names of all kinds, sorted.
---@return string[]
function M.names()
  if not found then
    found = {}
    for i, name in ipairs(sys.modules(PREFIX)) do
      found[i] = name:gsub("_", "-")
    end
    table.sort(found)
  end
  return found
end

--- Returns a kind, nil if there is none of that name.
---@param name string
---@return plat.sim.FaultKind?
function M.kind(name)
  local wanted = name == "api-503" and "503" or name -- as it was called
  for _, known in ipairs(M.names()) do
    if known == wanted then
      return require(PREFIX .. known:gsub("-", "_"))
    end
  end
end

local function usage(msg, hint)
  fault.raise("usage", nil, { msg = "--fault" .. msg, hint = hint, where = "" })
end

--- Returns usage and meaning of every kind, for people.
---@return { usage: string, help: string }[]
function M.list()
  local out = {}
  for i, name in ipairs(M.names()) do
    out[i] = M.kind(name)
  end
  return out
end

local function known(name)
  local kind = M.kind(name)
  if kind then
    return kind
  end
  local usages = {}
  for i, one in ipairs(M.list()) do
    usages[i] = one.usage
  end
  usage(
    (': no fault "%s"%s'):format(name, check.did_you_mean(name, M.names())),
    "the faults are " .. table.concat(usages, ", ")
  )
end

local function value_of(name, kind, spec, word)
  if spec[2] == "string" then
    return word
  end
  local number = tonumber(word)
  if not number or (spec[2] == "integer" and not math.tointeger(number)) then
    local msg = (" %s: %q is not a number; write %s"):format(name, word, kind.usage)
    usage(spec[2] == "integer" and number and msg:gsub("a number", "a whole number") or msg)
  end
  return spec[2] == "integer" and math.tointeger(number) or number
end

local function args_of(name, kind, words)
  local args = {}
  for i, spec in ipairs(kind.args) do
    local word = words[i]
    if word and word ~= "" then
      args[spec[1]] = value_of(name, kind, spec, word)
    elseif spec.default == nil then
      usage(": write " .. kind.usage)
    elseif spec.default then
      args[spec[1]] = spec.default
    end
  end
  if #words > #kind.args then
    usage((" %s: %q is too much; write %s"):format(name, words[#kind.args + 1], kind.usage))
  end
  return args
end

local function when_of(name, text)
  local when = {}
  for word in (text .. ","):gmatch("%s*([^,]*)%s*,") do
    local field, number = word:match("^(%a+)=(%d+)$")
    local share, model = word:match("^([%d.]+)%%$"), word:match("^on=(%a+)$")
    local op, nth = word:match("^(.-)#(%d+)$")
    if word:find("^%d+$") then
      when.effect = math.tointeger(word)
    elseif field == "effect" or field == "request" or field == "seed" then
      when[field] = math.tointeger(number)
    elseif tonumber(share) and tonumber(share) <= 100 then
      when.share = tonumber(share) / 100
    elseif word == "changes" then
      when.changes = true
    elseif model then
      when.on = model
    elseif word:find("^[%a*]") and not word:find("[=%%]") then
      when.op, when.nth = op or word, math.tointeger(nth)
    else
      usage(
        (" %s: when is %q?"):format(name, word),
        "write @3 (the third effect), @request=3, @k8s.scale, @k8s.scale#2, @5% or @5%,seed=2"
      )
    end
  end
  return when
end

--- Reads a fault as it is given to --fault. Raises kind "usage".
---@param text string
---@return plat.sim.Fault
function M.parse(text)
  local what, when = text:match("^([^@]*)@(.+)$")
  local words = {}
  for word in ((what or text) .. ":"):gmatch("([^:]*):") do
    words[#words + 1] = word
  end
  local name = table.remove(words, 1)
  local kind = known(name)
  if name == "api-503" then
    name = "503"
  end
  local parsed = { name = name, text = text, args = args_of(name, kind, words) }
  parsed.when = when and when_of(name, when) or nil
  if kind.choose and not (parsed.when and parsed.when.share) then
    usage(": write " .. kind.usage)
  end
  return parsed
end

--- Makes what lets faults happen at the door of a world: see plat.sim.injector.
---@param world table
---@param list plat.sim.Fault[]
---@return plat.sim.Injector
function M.injector(world, list)
  return injector.new(world, list)
end

--- Calls what belongs to a kind; what makes no sense in this world is the caller's mistake.
local function sensible(f, fn, ...)
  local ok, err = pcall(fn, ...)
  if not ok and type(err) ~= "string" then
    error(err, 0)
  elseif not ok then
    usage((" %s: %s"):format(f.name, err))
  end
end

--- Lets what a fault means happen to the models of a world, at once.
---@param world table
---@param f { name: string, args: table, about: table }
function M.act(world, f)
  sensible(f, M.kind(f.name).world, world, f.args, f.about)
end

--- Brings a fault about in a world, now or at its moment.
---@param world table
---@param f plat.sim.Fault
function M.bring(world, f)
  local kind = M.kind(f.name)
  if kind.check then
    world:live()
    sensible(f, kind.check, world, f.args)
  end
  if f.when or not kind.world or kind.ready then
    world.injector = world.injector or M.injector(world, {})
    world.injector:arm(f)
  else
    world:happen(f.name, f.args, {})
  end
end

return M
