--- JSON. Objects are tables, arrays are tables that know it, null is `json.null`; integers and
--- floats stay what they are. Decoding raises kind "parse"; encoding what is not data is a bug.
local check = require("plat.check")
local fault = require("plat.fault")
local prim = require("prim.json")
local unknown = require("plat.effect.unknown")

local M = {}

--- What JSON's null is in Lua: a value, so that a table can hold it. It counts as true.
M.null = prim.null

local DECODE = check.options("json.decode", {
  name = { type = "string", help = "where the text comes from, for messages" },
  max_depth = { type = "integer", min = 1, max = 200, help = "default 200" },
  max_size = { type = "integer", min = 0, help = "bytes; default 256 MiB" },
})

local ENCODE = check.options("json.encode", {
  indent = { type = "integer", min = 0, max = 8, help = "spaces a level; default all on one line" },
  lossy = { type = "boolean", help = "write U+FFFD for bytes that are not UTF-8" },
  secrets = {
    type = "enum",
    enum = { "secret", "reference", "refuse" },
    help = "secrets in the value: the result is one (default), or where they come from is written",
  },
  redact = { type = "boolean", help = "write *** for the value of any secret in any text" },
})

--- Returns the value of a JSON text. Of equal keys the last one counts.
---@param text string
---@param opts? { name?: string, max_depth?: integer, max_size?: integer }
---@return any
function M.decode(text, opts)
  opts = opts and DECODE(opts)
  local value, err = prim.decode(text, opts)
  if value == nil then
    if opts and opts.name then
      local place, rest = err.msg:match("^line (%d+) column (%d+: .*)$")
      err.msg = place and ("%s:%s:%s"):format(opts.name, place, rest)
        or opts.name .. ": " .. err.msg
      err.op = nil -- the file says what was read
    end
    fault.raise_err({}, err)
  end
  return value
end

--- Returns the text that a primitive wrote, told of if it is a secret; raises what it raised.
local function written(ok, text, value, level)
  if not ok then
    unknown.refuse(value) -- a plan's: that ends the body instead
    error(text, level + 1)
  elseif type(text) == "userdata" then
    require("plat.secret").made_of(text, "json", value)
  end
  return text
end

--- Returns a value as JSON text, its keys sorted. With a secret in it the whole text is a secret;
--- `secrets = "reference"` gives text, in which `{"$secret": REFERENCE}` stands for each: for
--- journals and digests. plat.secret's `restore` is the way back.
---@param value any plain data, and secrets
---@param opts? { indent?: integer, lossy?: boolean, secrets?: string, redact?: boolean }
---@return string text or a plat.Secret
function M.encode(value, opts)
  local ok, text = pcall(prim.encode, value, opts and ENCODE(opts))
  return written(ok, text, value, 2)
end

--- Returns a function that encodes as `encode` does with these options, which are looked at once:
--- for what is written often.
---@param opts table as for `encode`
---@return fun(value: any): string
function M.encoder(opts)
  local write = prim.encoder(ENCODE(opts))
  return function(value)
    local ok, text = pcall(write, value)
    return ok and type(text) == "string" and text or written(ok, text, value, 2)
  end
end

--- Marks a table as an array, so that an empty one is written `[]`.
---@generic T
---@param t? T[] default a new table
---@return T[]
function M.array(t)
  return prim.array(t)
end

--- Returns whether a value is marked as an array.
---@param value any
---@return boolean
function M.is_array(value)
  return prim.is_array(value)
end

return M
