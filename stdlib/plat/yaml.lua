--- YAML in three dialects, because the programs whose files are read differ: "core" is YAML 1.2,
--- "ansible" reads as PyYAML does, "kubernetes" as kubectl does. Values are those of plat.json.
---
--- In "ansible", `!vault` and `!unsafe` give `{ __tag = "!vault", value = ... }`. Dates are text
--- everywhere, keys are always text, and equal keys are an error.
local check = require("plat.check")
local fault = require("plat.fault")
local json = require("plat.json")
local prim = require("prim.yaml")

local M = {}

local DECODE = check.options("yaml.decode", {
  dialect = { type = "string", default = "core", enum = { "core", "ansible", "kubernetes" } },
  name = { type = "string", default = "yaml", help = "where the text comes from, for messages" },
  max_depth = { type = "integer", min = 1, max = 200, help = "default 200" },
  max_nodes = { type = "integer", min = 0, help = "that aliases may make; default 100000" },
  max_size = { type = "integer", min = 0, help = "bytes; default 64 MiB" },
  places = { type = "boolean", help = "also tell where the keys of each mapping stand" },
})

local ENCODE = check.options("yaml.encode", {
  documents = { type = "boolean", help = "the value is a list of documents" },
})

---@class (exact) plat.yaml.DecodeOptions
---@field dialect? "core"|"ansible"|"kubernetes" default "core"
---@field name? string
---@field max_depth? integer
---@field max_nodes? integer
---@field max_size? integer
---@field places? boolean

--- What YAML's own words leave to guess.
local HINTS = {
  {
    "^mapping values are not allowed",
    'check the indentation, and quote values with ": " in them',
  },
  {
    "^found character that cannot start any token",
    "quote the value; indent with blanks, not tabs",
  },
  { "^did not find expected '?,", "a bracket or a brace before this place is not closed" },
  { "^did not find expected", "check the indentation of this line and of the one before" },
  { "^could not find expected ':'", "a key needs a colon and a blank after it" },
  { "^duplicate key", "one of the two would silently win: leave one out" },
}

local function hint_of(msg)
  local text = (msg or ""):match(":%d+:%d+: (.*)$") or ""
  for _, hint in ipairs(HINTS) do
    if text:find(hint[1]) then
      return hint[2]
    end
  end
end

--- Raises what the primitive returned: its message begins with file and line, so that says enough
--- about what was done.
local function decode(text, opts)
  local documents, places = prim.decode(text, opts)
  if not documents then
    places.op, places.hint = nil, hint_of(places.msg)
    fault.raise_err({}, places)
  end
  return documents, places
end

--- Returns the documents of a YAML text: a list, empty for an empty text. With `places` also, by
--- mapping, its keys with their lines, in the order of the text: `{ key, line, key, line, ... }`.
---@param text string
---@param opts? plat.yaml.DecodeOptions
---@return any[]
---@return table<table, any[]>?
function M.decode(text, opts)
  return decode(text, DECODE(opts))
end

--- Returns the only document of a YAML text; null for an empty text.
---@param text string
---@param opts? plat.yaml.DecodeOptions
---@return any
function M.decode_one(text, opts)
  local checked = DECODE(opts)
  local documents = decode(text, checked)
  if #documents > 1 then
    local msg = ("%s: %d documents, one expected"):format(checked.name, #documents)
    fault.raise("parse", nil, { msg = msg })
  end
  if #documents == 0 then
    return json.null
  end
  return documents[1]
end

--- Returns a value as YAML text that every dialect reads back the same. With a secret in it the
--- whole text is a secret.
---@param value any plain data, and secrets
---@param opts? { documents?: boolean }
---@return string text or a plat.Secret
function M.encode(value, opts)
  local ok, text = pcall(prim.encode, value, opts and ENCODE(opts))
  if not ok then
    error(text, 2)
  elseif type(text) == "userdata" then
    require("plat.secret").made_of(text, "yaml", value)
  end
  return text
end

return M
