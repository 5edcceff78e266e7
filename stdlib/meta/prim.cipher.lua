---@meta prim.cipher

local M = {}

--- Returns a key made of a password by PBKDF2 with HMAC-SHA256.
---@param password string
---@param salt string
---@param rounds integer at most 100000
---@param length integer bytes, at most 256
---@return string? key
---@return table? err
function M.pbkdf2(password, salt, rounds, length) end

--- Encrypts or decrypts, which is the same, by AES-256 in counter mode.
---@param key string 32 bytes
---@param counter string 16 bytes: the first block's
---@param bytes string
---@return string? bytes
---@return table? err
function M.aes256_ctr(key, counter, bytes) end

--- Returns the bytes of a hexadecimal text. White space and half a byte are errors.
---@param text string
---@return string? bytes
---@return table? err
function M.unhex(text) end

return M
