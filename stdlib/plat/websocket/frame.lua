--- WebSocket frames (RFC 6455, section 5). Pure.

local M = {}

local WORDS = 64 -- 8-byte words masked in one go
local UNPACK = "<" .. ("i8"):rep(WORDS)

--- Returns data with every byte xor-ed with the 4 bytes of the key, repeated.
---@param data string
---@param key string
---@return string
function M.mask(data, key)
  local word = string.unpack("<i8", key .. key)
  local out, at = {}, 1
  while #data - at + 1 >= WORDS * 8 do
    local words = table.pack(string.unpack(UNPACK, data, at))
    for i = 1, WORDS do
      words[i] = words[i] ~ word
    end
    out[#out + 1] = string.pack(UNPACK, table.unpack(words, 1, WORDS))
    at = at + WORDS * 8
  end
  local rest = data:sub(at)
  if rest ~= "" then
    local padded = rest .. ("\0"):rep(-#rest % 8)
    for i = 1, #padded, 8 do
      out[#out + 1] = string.pack("<i8", string.unpack("<i8", padded, i) ~ word)
    end
  end
  return table.concat(out):sub(1, #data)
end

--- Returns a final, masked frame.
---@param opcode integer
---@param data string
---@param key string 4 bytes
---@return string
function M.encode(opcode, data, key)
  local n = #data
  local head
  if n < 126 then
    head = string.pack("BB", 0x80 | opcode, 0x80 | n)
  elseif n < 65536 then
    head = string.pack(">BBI2", 0x80 | opcode, 0x80 | 126, n)
  else
    head = string.pack(">BBI8", 0x80 | opcode, 0x80 | 127, n)
  end
  return head .. key .. M.mask(data, key)
end

--- Returns the length of a frame's head and of its data, nil while more bytes are needed.
---@param bytes string
---@param at integer where the frame begins
---@return integer? head
---@return integer? n negative: absurdly long
function M.measure(bytes, at)
  local have = #bytes - at + 1
  if have < 2 then
    return nil
  end
  local n = bytes:byte(at + 1) & 0x7f
  if n < 126 then
    return 2, n
  elseif n == 126 and have >= 4 then
    return 4, (string.unpack(">I2", bytes, at + 2))
  elseif n == 127 and have >= 10 then
    return 10, (string.unpack(">i8", bytes, at + 2))
  end
  return nil
end

return M
