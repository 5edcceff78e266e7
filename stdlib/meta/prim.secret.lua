---@meta prim.secret

local M = {}

---@class plat.Secret a value that cannot be seen: see plat.secret

--- Makes a secret; its value is replaced in all output from now on.
---@param value string at least 6 bytes, at most 1 MiB
---@param reference string where it comes from
---@param opts? { short?: boolean } allow fewer bytes; such a value is not replaced
---@return plat.Secret? secret
---@return table? err
function M.new(value, reference, opts) end

--- Replaces a text in all output from now on. Returns false for one that is too short for that.
---@param text string
---@return boolean
function M.register(text) end

--- Returns texts and secrets, one after the other, as a secret.
---@param parts (string|plat.Secret)[]
---@param reference? string JSON; without it the result is for the wire alone
---@return plat.Secret
function M.join(parts, reference) end

--- Returns another form of a secret.
---@param secret plat.Secret|string
---@param how "base64"|"base64url"|"url"|"trim"
---@param reference? string JSON
---@return plat.Secret
function M.form(secret, how, reference) end

--- Returns a secret of random characters.
---@param length integer
---@param alphabet string
---@param reference string
---@return plat.Secret? secret
---@return table? err
function M.generate(length, alphabet, reference) end

--- Returns whether a value is a secret.
---@param value any
---@return boolean
function M.is(value) end

--- Returns whether two texts or secrets are equal, in a time that does not tell where they differ.
---@param a plat.Secret|string
---@param b plat.Secret|string
---@return boolean
function M.equal(a, b) end

--- Returns the text of a secret, to the standard library alone; not by a tail call.
---@param secret plat.Secret|string
---@return string
function M.reveal(secret) end

--- Returns where a secret comes from; true: as JSON, it was made of others.
---@param secret plat.Secret
---@return string reference
---@return boolean derived
function M.reference(secret) end

--- Says where a secret comes from.
---@param secret plat.Secret
---@param text string
---@param derived boolean the text is JSON
function M.set_reference(secret, text, derived) end

--- Returns a text with "***" for every secret in it, in whatever form.
---@param text string
---@return string
function M.redact(text) end

---@class prim.secret.Stream text that comes in pieces
local Stream = {}

--- Returns what is safe to show by now; what may be the beginning of a secret is held back.
---@param text string
---@return string
function Stream:feed(text) end

--- Returns what was held back, at the end of the text.
---@return string
function Stream:finish() end

--- Returns a stream that is redacted as a whole.
---@return prim.secret.Stream
function M.stream() end

--- Returns the table of the methods of secrets: plat.secret fills it.
---@return table
function M.methods() end

return M
