--- Secrets: values that can be used and not be seen. `tostring` gives `***`; text made of one is
--- one again. What is sent, written or given to a program is revealed there, and nowhere before.
--
-- A secret keeps a reference, which is plain data: journals hold it, values never. Every value is
-- replaced in all output from the moment on that it is known (plat.out).

local fault = require("plat.fault")
local json = require("prim.json")
local out = require("plat.out")
local prim = require("prim.secret")

local M = {}

local SHORTEST = 16 -- characters of a generated secret
local LONGEST = 4096
local ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

---@class plat.Secret
local Secret = prim.methods()

--- Returns whether a value is a secret.
---@param value any
---@return boolean
function M.is(value)
  return type(value) == "userdata" and prim.is(value)
end

--- Has a text replaced in all output from now on: for credentials that are plain text. One of less
--- than 6 characters is not: it would be found everywhere.
---@param text string
---@return boolean replaced
function M.register(text)
  out.set_redactor(prim.redact)
  return prim.register(text)
end

--- Makes a secret of a text.
---@param value string
---@param reference string where it comes from, "SCHEME:REST"
---@param opts? { short?: boolean } short: it may have less than 6 characters, and is not redacted
---@return plat.Secret
function M.new(value, reference, opts)
  local short = opts and opts.short
  if short and #value < 6 then
    out.warn(("secret %s: too short to be kept out of the output"):format(reference))
  end
  out.set_redactor(prim.redact)
  local secret, err = prim.new(value, reference, { short = short })
  if not secret then
    fault.raise("usage", { op = "secret", object = reference }, {
      msg = err.msg,
      hint = "a short one is accepted with { short = true }",
    })
  end
  return secret
end

-- ---- references ----

--- Returns data as JSON, references in the place of secrets.
local function outline(value)
  return json.encode(value, { secrets = "reference" })
end

--- Returns where a secret comes from: the text that it was asked for with, or JSON that says how it
--- was made of others. No secret is in it.
---@param secret plat.Secret
---@return string
function M.reference(secret)
  return (prim.reference(secret))
end

--- Names a secret that an encoder made of data. For plat.json and plat.yaml.
---@param secret plat.Secret
---@param how "json"|"yaml"
---@param value any the data
function M.made_of(secret, how, value)
  prim.set_reference(secret, ('{"%s":%s}'):format(how, outline(value)), true)
end

-- ---- what is made of secrets ----

local function parts_of(fmt, args)
  local parts, used, at = {}, 0, 1
  while true do
    local stop, _, kind = fmt:find("%%(.?)", at)
    parts[#parts + 1] = fmt:sub(at, (stop or 0) - 1)
    if not stop then
      return parts, used
    elseif kind == "%" then
      parts[#parts + 1] = "%"
    elseif kind ~= "s" then
      return nil, ("the format of a secret knows %%s and %%%%, not %%%s"):format(kind)
    else
      used = used + 1
      local value = args[used]
      if type(value) == "number" then
        value = tostring(value)
      elseif type(value) ~= "string" and not M.is(value) then
        return nil, ("%%s number %d is a %s"):format(used, type(value))
      end
      parts[#parts + 1] = value
    end
    at = stop + 2
  end
end

--- Returns a text with secrets in it, as one: `secret.format("postgres://%s:%s@db", user, pw)`.
--- Knows `%s` and `%%`.
---@param fmt string
---@param ... plat.Secret|string|number
---@return plat.Secret
function M.format(fmt, ...)
  local args = table.pack(...)
  if type(fmt) ~= "string" then
    error("secret.format: the first argument is the format, a text", 2)
  end
  local parts, used = parts_of(fmt, args)
  if not parts then
    error("secret.format: " .. used, 2)
  elseif used ~= args.n then
    error(("secret.format: %d values for %d %%s"):format(args.n, used), 2)
  end
  args.n = nil
  local reference = ('{"format":%s,"of":%s}'):format(json.encode(fmt), outline(args))
  return prim.join(parts, reference)
end

--- Returns a text with this secret in it, as a secret: `token:format("Bearer %s")`.
---@param fmt string
---@param ... plat.Secret|string|number for more `%s`
---@return plat.Secret
function Secret:format(fmt, ...)
  return M.format(fmt, self, ...)
end

local function form(how)
  return function(self)
    return prim.form(self, how, ('{"%s":%s}'):format(how, outline(self)))
  end
end

--- Returns the secret in base64.
---@type fun(self: plat.Secret): plat.Secret
Secret.base64 = form("base64")

--- Returns the secret in the URL alphabet of base64, without padding.
---@type fun(self: plat.Secret): plat.Secret
Secret.base64url = form("base64url")

--- Returns the secret percent-escaped, as a part of a URL.
---@type fun(self: plat.Secret): plat.Secret
Secret.url = form("url")

--- Returns the secret without white space around it.
---@type fun(self: plat.Secret): plat.Secret
Secret.trim = form("trim")

--- Returns the secret as a quoted JSON text.
---@return plat.Secret
function Secret:json()
  return require("plat.json").encode(self)
end

--- Returns a field of a secret that is a JSON object, as one: `secret:field("db", "password")`. A
--- short one is warned about.
---@param ... string the names on the way to it
---@return plat.Secret
function Secret:field(...)
  local about = { op = "secret.field", object = M.reference(self) }
  local text = prim.reveal(self)
  local value = json.decode(text) -- its message would show a piece of the text
  if type(value) ~= "table" then
    fault.raise("parse", about, { msg = "it is no JSON object" })
  end
  for _, name in ipairs({ ... }) do
    local inner = type(value) == "table" and value[name] or nil
    if inner == nil or inner == json.null then
      fault.raise("parse", about, { msg = ("there is no field %q"):format(name) })
    end
    value = inner
  end
  local reference = ('{"field":%s,"of":%s}'):format(json.encode({ ... }), outline(self))
  local found = M.new(
    type(value) == "string" and value or json.encode(value),
    M.reference(self),
    { short = true }
  )
  prim.set_reference(found, reference, true)
  return found
end

--- Returns whether this secret and another, or a text, are the same; in a time that does not tell
--- where they differ.
---@param other plat.Secret|string
---@return boolean
function Secret:equal(other)
  if type(other) ~= "string" and not M.is(other) then
    return false
  end
  return prim.equal(self, other)
end

--- Returns where the secret comes from.
---@return string
function Secret:reference()
  return M.reference(self)
end

-- ---- generated ones ----

--- Makes a secret of random characters and has it stored before anybody can use it: whoever is
--- stopped in between has lost nothing that is in use. Returns it once `store` has returned.
---@async
---@param opts table `{ store, length?, alphabet?, ref? }`; ref: what it can be read back with, such
---  as "vault:secret/db#password"
---@return plat.Secret
function M.generate(opts)
  local check = require("plat.check")
  opts = check.options("secret.generate", {
    length = { type = "integer", default = 32, min = SHORTEST, max = LONGEST },
    alphabet = { type = "string", default = ALPHABET },
    ref = { type = "string", default = "generated" },
    store = { type = "function", required = true },
  })(opts)
  out.set_redactor(prim.redact)
  local secret, err = prim.generate(opts.length, opts.alphabet, opts.ref)
  secret = fault.must({ op = "secret.generate", object = opts.ref }, secret, err)
  opts.store(secret)
  return secret
end

-- ---- plain data and back ----

local restore

--- How a reference as JSON is followed, by its first field.
local MADE = {}

function MADE.format(ref, resolve)
  return M.format(ref.format, table.unpack(restore(ref.of, resolve)))
end

function MADE.field(ref, resolve)
  return restore(ref.of, resolve):field(table.unpack(ref.field))
end

function MADE.json(ref, resolve)
  return require("plat.json").encode(restore(ref.json, resolve))
end

function MADE.yaml(ref, resolve)
  return require("plat.yaml").encode(restore(ref.yaml, resolve))
end

for _, how in ipairs({ "base64", "base64url", "url", "trim" }) do
  MADE[how] = function(ref, resolve)
    local secret = restore(ref[how], resolve)
    return secret[how](secret)
  end
end

local function follow(ref, resolve)
  if type(ref) == "string" then
    return resolve(ref)
  end
  for how, make in pairs(MADE) do
    if type(ref) == "table" and ref[how] ~= nil then
      return make(ref, resolve)
    end
  end
  fault.raise("parse", { op = "secret.restore" }, { msg = "a reference that nobody can follow" })
end

function restore(value, resolve)
  if type(value) ~= "table" then
    return value
  elseif value["$secret"] ~= nil then
    return follow(value["$secret"], resolve)
  end
  local copy = {}
  for k, v in pairs(value) do
    copy[k] = restore(v, resolve)
  end
  return setmetatable(copy, getmetatable(value))
end

--- Returns plain data with secrets in the place of their references: the reverse of
--- `json.encode(value, { secrets = "reference" })` and `json.decode`.
---@async
---@param value any
---@param resolve fun(reference: string): plat.Secret usually run:secret
---@return any
function M.restore(value, resolve)
  return restore(value, resolve)
end

--- Returns a text that comes in pieces, redacted as a whole: `:feed(piece)` gives what is safe by
--- now, `:finish()` the rest.
---@return prim.secret.Stream
function M.stream()
  return prim.stream()
end

return M
