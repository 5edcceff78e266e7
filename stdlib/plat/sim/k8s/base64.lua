--- Base64 of tokens and secrets.
local M = {}

local PLAIN = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
local URL = PLAIN:sub(1, 62) .. "-_"

local function encode(s, letters, pad)
  local out = {}
  for i = 1, #s, 3 do
    local a, b, c = s:byte(i, i + 2)
    local bits = a << 16 | (b or 0) << 8 | (c or 0)
    local count = c and 4 or b and 3 or 2
    for k = 1, count do
      local at = (bits >> (24 - 6 * k) & 63) + 1
      out[#out + 1] = letters:sub(at, at)
    end
    out[#out + 1] = pad:rep(4 - count)
  end
  return table.concat(out)
end

--- Encodes bytes in the usual alphabet, padded.
---@param s string
---@return string
function M.encode(s)
  return encode(s, PLAIN, "=")
end

--- Encodes bytes in the URL alphabet without padding.
---@param s string
---@return string
function M.encode_url(s)
  return encode(s, URL, "")
end

--- Decodes the URL alphabet without padding; nil if the text is something else.
---@param s string
---@return string?
function M.decode_url(s)
  local out, bits, have = {}, 0, 0
  for i = 1, #s do
    local at = URL:find(s:sub(i, i), 1, true)
    if not at then
      return nil
    end
    bits = (bits << 6 | (at - 1)) & 0xffffff
    have = have + 6
    if have >= 8 then
      have = have - 8
      out[#out + 1] = string.char(bits >> have & 255)
    end
  end
  return table.concat(out)
end

return M
