--- Seeded chance and names: the only source of randomness in the simulated cluster.
local M = {}

local MASK = (1 << 48) - 1
local SAFE = "bcdfghjklmnpqrstvwxz2456789" -- what generated names are made of

--- Returns the next 32 random bits; the generator's state is part of the model's state.
---@param model plat.sim.K8s
---@return integer
function M.bits(model)
  local state = model.state
  state.rng = (state.rng * 25214903917 + 11) & MASK
  return state.rng >> 16
end

--- Returns a number between two bounds, in milliseconds' steps.
---@param model plat.sim.K8s
---@param low number
---@param high number
---@return number
function M.between(model, low, high)
  local share = M.bits(model) / 4294967296
  return math.floor((low + (high - low) * share) * 1000) / 1000
end

--- Returns a fresh UUID.
---@param model plat.sim.K8s
---@return string
function M.uid(model)
  local a, b, c, d = M.bits(model), M.bits(model), M.bits(model), M.bits(model)
  return ("%08x-%04x-4%03x-%04x-%04x%08x"):format(
    a,
    b >> 16,
    b & 0xfff,
    0x8000 | (c >> 16 & 0x3fff),
    c & 0xffff,
    d
  )
end

--- Returns a random suffix, as `generateName` and the controllers add.
---@param model plat.sim.K8s
---@param length? integer default 5
---@return string
function M.suffix(model, length)
  local out = {}
  for i = 1, length or 5 do
    local at = M.bits(model) % #SAFE + 1
    out[i] = SAFE:sub(at, at)
  end
  return table.concat(out)
end

local MAX_TEXTS = 200
local texts = { hash = {}, n = 0 } -- the same templates are asked for all the time

local function compute(text)
  local h = 2166136261
  for i = 1, #text do
    h = ((h ~ text:byte(i)) * 16777619) & 0xffffffff
  end
  return (
    ("%d"):format(h):gsub("%d", function(digit)
      local at = tonumber(digit) + 1
      return SAFE:sub(at * 2, at * 2)
    end)
  )
end

--- Returns the short hash of a text that names a revision or a template.
---@param text string
---@return string
function M.hash(text)
  if texts.hash[text] then
    return texts.hash[text]
  end
  local hash = compute(text)
  texts.n = texts.n + 1
  if texts.n > MAX_TEXTS then
    texts.hash, texts.n = {}, 0
  end
  texts.hash[text] = hash
  return hash
end

return M
