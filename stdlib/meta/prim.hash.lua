---@meta prim.hash

local M = {}

--- Returns the digest of a text, hexadecimal unless `raw`.
---@param algorithm plat.hash.Algorithm
---@param text string
---@param opts? { raw?: boolean }
---@return string? result
---@return table? err
function M.digest(algorithm, text, opts) end

--- Returns the SHA-256 of a local file, hexadecimal.
---@async
---@param path string
---@return string? result
---@return table? err
function M.file(path) end

--- Returns the keyed digest (HMAC) of a text, hexadecimal unless `raw`.
---@param algorithm plat.hash.Algorithm
---@param key string
---@param text string
---@param opts? { raw?: boolean }
---@return string? result
---@return table? err
function M.hmac(algorithm, key, text, opts) end

--- Returns random bytes fit for keys, not repeatable; models and playbooks draw from their world.
---@param n integer at most 65536
---@return string? result
---@return table? err
function M.random(n) end

--- Returns whether two texts are equal, in a time that does not tell where they differ.
---@param a string
---@param b string
---@return boolean
function M.equal(a, b) end

--- Returns bytes as base64 with padding.
---@param bytes string
---@return string
function M.base64(bytes) end

--- Returns bytes in the URL alphabet of base64, without padding.
---@param bytes string
---@return string
function M.base64url(bytes) end

--- Returns the bytes of a base64 text. White space, missing padding and stray bits are errors.
---@param text string
---@return string? result
---@return table? err
function M.unbase64(text) end

--- Returns the bytes of a text in the URL alphabet of base64, padded or not.
---@param text string
---@return string? result
---@return table? err
function M.unbase64url(text) end

--- Returns what the first certificate of a PEM text says. Nothing is verified.
---@param pem string
---@return plat.hash.Certificate? result
---@return table? err
function M.x509(pem) end

return M
