--- HTTP for playbooks: reads anywhere, changes inside steps. An answer of 400 or more raises.

local check = require("plat.check")
local effect = require("plat.effect")
local fault = require("plat.fault")
local hash = require("plat.hash")
local json = require("plat.json")
local out = require("plat.out")
local secret = require("plat.env").lazy("plat.secret")
local task = require("plat.task")
local time = require("plat.time")
local unknown = require("plat.effect.unknown")
local wire = require("plat.effect.wire")

local M = {}

local EXCERPT = 300
local READS = { GET = true, HEAD = true, OPTIONS = true }
local REPEATABLE = { PUT = true, DELETE = true }

local SCHEMA = {
  headers = { type = "table", help = "name = value; values may be secrets, here and below" },
  query = { type = "table", help = "name = value, escaped here" },
  body = { type = "sendable" },
  json = { type = "any", help = "a value to send as JSON" },
  form = { type = "table", help = "name = value, to send as a form" },
  token = { type = "any", help = "sent as Authorization: Bearer" },
  timeout = { type = "duration", default = "60s", help = "for the whole call" },
  connect_timeout = { type = "duration", default = "5s" },
  first_byte_timeout = { type = "duration" },
  max_body = { type = "bytes", help = "of the answer, decoded; default 64MiB" },
  any_status = { type = "boolean", help = "do not raise for a status of 400 or more" },
  follow = { type = "integer", min = 0, max = 20, help = "redirects to follow; default none" },
  ca = { type = "string", help = "PEM, instead of the system's" },
  cert = { type = "sendable", help = "PEM of the client certificate" },
  key = { type = "sendable", help = "PEM of its key" },
  insecure = { type = "boolean", help = "do not verify TLS; warned about" },
  server_name = { type = "string", help = "the name in the certificate, if not the URL's" },
  unix_socket = { type = "string", help = "path" },
  proxy = { type = "string", help = 'URL; "" for none; default: from the environment' },
  http1 = { type = "boolean", help = "no HTTP/2" },
  retry = { type = "any", help = "false: never ask again; a table: numbers of plat.retry" },
  target = { type = "string", help = 'what messages call the server; default "http HOST"' },
  object = { type = "string", help = "what the request is about" },
  text = { type = "string", help = "a change in words, for plans and the journal" },
  recovery = {
    type = "enum",
    enum = { "repeatable", "probed", "unknowable" },
    help = "what is known of the change after a crash; default repeatable for PUT and DELETE",
  },
  planned = { type = "any", help = "the answer that a plan goes on with" },
}

local options = check.options("http.request", SCHEMA)

---@class plat.http.Response
---@field status integer
---@field headers table<string, string> lower-case names
---@field body string
local Response = { __name = "plat.http.Response" }
Response.__index = Response

--- Returns the body, decoded as JSON.
---@return any
function Response:json()
  return json.decode(self.body, { name = self._what })
end

--- Returns body and content type of the one option that gives them.
local function body_of(opts, level)
  local given = (opts.body and 1 or 0) + (opts.json ~= nil and 1 or 0) + (opts.form and 1 or 0)
  if given > 1 then
    error("http.request: one of body, json and form is enough", level + 1)
  elseif opts.json ~= nil then
    return json.encode(opts.json), "application/json"
  elseif opts.form then
    local shown, real = wire.fields(opts.form)
    return real or shown, "application/x-www-form-urlencoded"
  end
  return opts.body
end

local function headers_of(opts, content_type)
  local headers, seen = {}, {}
  for name, value in pairs(opts.headers or {}) do
    headers[name] = value
    seen[name:lower()] = true
  end
  if content_type and not seen["content-type"] then
    headers["Content-Type"] = content_type
  end
  if opts.token and not seen.authorization then
    headers.Authorization = secret.is(opts.token) and opts.token:format("Bearer %s")
      or "Bearer " .. tostring(opts.token)
  end
  return headers
end

local function host_of(url)
  return url:match("^%a+://([^/?#]+)") or url
end

local function change_of(method, url, opts, body)
  return {
    text = opts.text or (method .. " " .. url),
    args = {
      method = method,
      url = url,
      body = secret.is(body) and body or body and hash.digest("sha256", body) or nil,
    },
    recovery = opts.recovery or (REPEATABLE[method] and "repeatable" or "unknowable"),
    planned = opts.planned,
    veiled = true,
  }
end

local function excerpt(resp)
  local text = out.excerpt(resp.body or "", EXCERPT):gsub("%s+", " "):gsub("^ ", ""):gsub(" $", "")
  return text == "" and "no explanation" or text
end

--- Sends a request. Any method but GET, HEAD and OPTIONS is a change: only inside a step.
---@async
---@param method string
---@param url string
---@param opts? table see `platrun doc plat.http`
---@return plat.http.Response
function M.request(method, url, opts)
  opts = options(opts)
  local body, content_type = body_of(opts, 2)
  local target = opts.target or ("http " .. host_of(url))
  local op = "http." .. method:lower()
  if opts.insecure then
    effect.warn(("%s: the TLS certificate is not verified"):format(target))
  end
  local resp = effect.http({
    method = method,
    url = url,
    query = opts.query,
    headers = headers_of(opts, content_type),
    body = body,
    endpoint = {
      ca = opts.ca,
      cert = opts.cert,
      key = opts.key,
      insecure = opts.insecure,
      server_name = opts.server_name,
      unix_socket = opts.unix_socket,
      proxy = opts.proxy,
    },
    target = target,
    op = op,
    object = opts.object,
    timeout = opts.timeout,
    connect_timeout = opts.connect_timeout,
    first_byte_timeout = opts.first_byte_timeout,
    max_body = opts.max_body,
    follow = opts.follow,
    http1 = opts.http1,
    retry = opts.retry,
    change = not READS[method] and change_of(method, url, opts, body) or nil,
  })
  if type(resp) ~= "table" or unknown.is(resp) or not resp.status then
    return resp -- a plan's own value
  end
  if resp.status >= 400 and not opts.any_status then
    fault.raise("http", { op = op, target = target, object = opts.object }, {
      code = resp.status,
      msg = ("%s answered %d: %s"):format(url, resp.status, excerpt(resp)),
      detail = resp.body,
    })
  end
  return setmetatable({
    status = resp.status,
    headers = resp.headers,
    body = resp.body,
    _what = url,
  }, Response)
end

--- Reads a URL.
---@async
---@param url string
---@param opts? table
---@return plat.http.Response
function M.get(url, opts)
  return M.request("GET", url, opts)
end

--- Replaces what is at a URL: a change.
---@async
---@param url string
---@param opts? table
---@return plat.http.Response
function M.put(url, opts)
  return M.request("PUT", url, opts)
end

--- Posts to a URL: a change.
---@async
---@param url string
---@param opts? table
---@return plat.http.Response
function M.post(url, opts)
  return M.request("POST", url, opts)
end

--- Deletes what is at a URL: a change.
---@async
---@param url string
---@param opts? table
---@return plat.http.Response
function M.delete(url, opts)
  return M.request("DELETE", url, opts)
end

--- Reads JSON from a URL.
---@async
---@param url string
---@param opts? table
---@return any
function M.json(url, opts)
  return M.get(url, opts):json()
end

local WAIT = check.options("http.wait_for", {
  within = { type = "duration", default = "5m", help = "the longest wait" },
  every = { type = "duration", default = "2s" },
  times = { type = "integer", default = 1, min = 1, help = "good answers in a row" },
  request = { type = "table", help = "options of http.get" },
})

local function look(url, request, accept)
  local resp, err = fault.try(M.get, url, request)
  if not resp then
    if err.kind == "usage" or err.kind == "bug" or err.kind == "refused" then
      error(err, 0)
    end
    return false, fault.text(err)
  end
  local ok, why = accept(resp)
  return ok, why or ("answered %d"):format(resp.status)
end

--- Polls a URL until an answer is accepted. A server that does not answer is one to wait for.
---@async
---@param url string
---@param opts? { within?: string, every?: string, times?: integer, request?: table }
---@param accept? fun(resp: plat.http.Response): boolean, string? default: any answer below 400
function M.wait_for(url, opts, accept)
  opts = WAIT(opts)
  accept = accept or function()
    return true
  end
  local deadline, good = time.mono() + opts.within, 0
  if effect.planning() then
    local ok, why = effect.glance(look, url, opts.request, accept)
    effect.plan_wait(("%s: %s%s"):format(url, ok and "good: " or "now: ", why))
    return
  end
  while true do
    local ok, why = look(url, opts.request, accept)
    good = ok and good + 1 or 0
    if good >= opts.times then
      return
    end
    if time.mono() + opts.every > deadline then
      fault.raise("timeout", { op = "http.wait_for", target = "http " .. host_of(url) }, {
        msg = ("not in the state waited for within %s: %s"):format(time.human(opts.within), why),
      })
    end
    effect.progress(why)
    task.sleep(opts.every)
  end
end

return M
