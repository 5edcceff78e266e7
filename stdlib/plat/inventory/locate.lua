--- Finds the line of a key in a YAML text, for messages: the parser's values carry no lines.
local M = {}

--- Returns the line on which the last key of a path stands. Keys are searched one after the other,
--- so an equal word further up does not mislead; a path that is not found in full gives the line of
--- its deepest key that is.
---@param text string
---@param path string[]
---@return integer line
function M.line(text, path)
  text = "\n" .. text -- so that a key at the very start has something before it
  local at = 2
  for _, key in ipairs(path) do
    local quoted = tostring(key):gsub("%p", "%%%0")
    local found = text:find("[%s{,\"']" .. quoted .. "[\"']?%s*:", at - 1)
    if not found then
      break
    end
    at = found + 1
  end
  local _, newlines = text:sub(1, at - 1):gsub("\n", "")
  return newlines
end

return M
