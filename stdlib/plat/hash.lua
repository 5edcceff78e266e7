--- Digests, random bytes, base64 and what a certificate says.
local fault = require("plat.fault")
local prim = require("prim.hash")

local M = {}

---@alias plat.hash.Algorithm "md5"|"sha1"|"sha256"|"sha384"|"sha512"

---@class (exact) plat.hash.Certificate
---@field subject string RFC 2253: "CN=db-1,O=Example"
---@field issuer string
---@field not_before integer unix seconds
---@field not_after integer unix seconds
---@field serial string hexadecimal
---@field sha256 string fingerprint, hexadecimal
---@field names string[] alternative names: DNS, IP, email, URI
---@field ca boolean whether it may sign others

--- Returns the digest of a text, hexadecimal unless `raw`.
---@param algorithm plat.hash.Algorithm
---@param text string
---@param opts? { raw?: boolean }
---@return string
function M.digest(algorithm, text, opts)
  return fault.must({}, prim.digest(algorithm, text, opts))
end

--- Returns the keyed digest (HMAC) of a text, hexadecimal unless `raw`.
---@param algorithm plat.hash.Algorithm
---@param key string
---@param text string
---@param opts? { raw?: boolean }
---@return string
function M.hmac(algorithm, key, text, opts)
  return fault.must({}, prim.hmac(algorithm, key, text, opts))
end

--- Returns random bytes fit for keys, not repeatable; models and playbooks draw from their world.
---@param n integer at most 65536
---@return string
function M.random(n)
  return fault.must({}, prim.random(n))
end

--- Returns whether two texts are equal, in a time that does not tell where they differ.
---@param a string
---@param b string
---@return boolean
function M.equal(a, b)
  return prim.equal(a, b)
end

--- Returns bytes as base64 with padding.
---@param bytes string
---@return string
function M.base64(bytes)
  return prim.base64(bytes)
end

--- Returns bytes in the URL alphabet of base64, without padding.
---@param bytes string
---@return string
function M.base64url(bytes)
  return prim.base64url(bytes)
end

--- Returns the bytes of a base64 text. White space, missing padding and stray bits raise "parse".
---@param text string
---@return string
function M.unbase64(text)
  return fault.must({}, prim.unbase64(text))
end

--- Returns the bytes of a text in the URL alphabet of base64, padded or not.
---@param text string
---@return string
function M.unbase64url(text)
  return fault.must({}, prim.unbase64url(text))
end

--- Returns what the first certificate of a PEM text says. Nothing is verified.
---@param pem string
---@return plat.hash.Certificate
function M.x509(pem)
  return fault.must({}, prim.x509(pem))
end

return M
