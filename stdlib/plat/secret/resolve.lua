--- From a reference to a secret: finds the source of a scheme and asks it. A source is a module
--- `plat.secret.source.SCHEME` with `read(rest, ctx)`, which may wait and returns text.

local check = require("plat.check")
local fault = require("plat.fault")
local secret = require("plat.secret")
local sys = require("prim.sys")

local M = {}

local PREFIX = "plat.secret.source."

--- Kinds of a source's faults that say more than "auth" or "io": a wrong reference, a server that
--- is not there.
local KEPT = { usage = true, connect = true, timeout = true, cancelled = true, bug = true }

--- Returns the schemes that there are, sorted.
---@return string[]
function M.schemes()
  return sys.modules(PREFIX)
end

--- Returns the scheme of a reference and what follows it; nil for the name of a secret.
---@param ref string
---@return string? scheme
---@return string rest
function M.split(ref)
  local scheme, rest = ref:match("^(%a[%w_+-]*):(.*)$")
  return scheme, rest or ref
end

local function source_of(ref, scheme)
  local known = M.schemes()
  for _, name in ipairs(known) do
    if name == scheme then
      return require(PREFIX .. name)
    end
  end
  fault.raise("usage", { op = "secret", object = ref }, {
    msg = ('there is no source "%s"%s'):format(scheme, check.did_you_mean(scheme, known)),
    hint = "a secret is asked for as SCHEME:REST; schemes: " .. table.concat(known, ", "),
  })
end

--- Takes out of a source's fault what may show the content, and gives it the reference.
local function explain(about, err)
  local cause = err.cause
  while cause do
    cause.detail = nil
    cause = cause.cause
  end
  local kind = (err.kind == "auth" or err.kind == "refused") and "auth" or "io"
  fault.raise(KEPT[err.kind] and err.kind or kind, about, {
    msg = err.msg,
    hint = err.hint,
    code = err.code,
    cause = err.cause,
    exit = err.exit,
    traceback = err.kind == "bug" and err.traceback or nil,
  })
end

--- Reads a secret from its source.
---@async
---@param ref string "SCHEME:REST"
---@param ctx { run?: table, cluster?: table, inventory?: function }
---@param opts? { name?: string, short?: boolean } name: what the secret is called, default `ref`
---@return plat.Secret
function M.read(ref, ctx, opts)
  opts = opts or {}
  local name = opts.name or ref
  local about = { op = "secret", object = name == ref and ref or ("%s (%s)"):format(name, ref) }
  local scheme, rest = M.split(ref)
  local source = source_of(ref, scheme or ref)
  local text, err = fault.try(source.read, rest, ctx)
  if err then
    if err.plan_end or err.plan_stop then
      error(err, 0)
    end
    explain(about, err)
  elseif type(text) ~= "string" then
    fault.raise("bug", about, { msg = "the source gave no text, but a " .. type(text) })
  elseif text == "" then
    fault.raise("io", about, { msg = "it is empty" })
  end
  local made, problem = fault.try(secret.new, text, name, { short = opts.short })
  if not made then
    explain(about, problem)
  end
  return made
end

return M
