--- States of simulated hosts as JSON can hold them: bytes that are no text in base64.

local hash = require("prim.hash")

local M = {}

local function is_text(s)
  return utf8.len(s) ~= nil and not s:find("\0", 1, true)
end

--- Returns a copy that JSON can hold.
---@param v any
---@return any
function M.pack(v)
  if type(v) == "string" and not is_text(v) then
    return { ["$base64"] = hash.base64(v) }
  elseif type(v) ~= "table" then
    return v
  end
  local out = {}
  for key, item in pairs(v) do
    out[key] = M.pack(item)
  end
  return out
end

--- Returns a copy of what `pack` returned, as it was.
---@param v any
---@return any
function M.unpack(v)
  if type(v) ~= "table" then
    return v
  elseif type(v["$base64"]) == "string" then
    return (hash.unbase64(v["$base64"]))
  end
  local out = {}
  for key, item in pairs(v) do
    out[key] = M.unpack(item)
  end
  return out
end

return M
