--- Following objects as they change: list, then watch, reconnect, list anew when too old.
local effect = require("plat.effect")
local errors = require("plat.k8s.errors")
local fault = require("plat.fault")
local json = require("plat.json")
local kinds = require("plat.k8s.kinds")
local objects = require("plat.k8s.objects")
local time = require("plat.time")

local M = {}

local MAX_LINE = 32 * 1024 * 1024
local STREAM = 240 -- seconds a stream lives, plus up to as many again: servers spread reconnects
local MAX_FAILURES = 8 -- without an event in between

---@class plat.k8s.Event
---@field type "ADDED"|"MODIFIED"|"DELETED"|"SYNCED" SYNCED: the list is complete (no object)
---@field object? table

--- Splits a stream into lines, wherever the chunks end. Returns an iterator.
---@param stream table with `:read()`
---@return fun(): string?
---@return fun(): boolean whole whether the last line had its end
function M.lines(stream)
  local buffer, ended = "", false
  local function whole()
    return not ended
  end
  return function()
    while true do
      local at = buffer:find("\n", 1, true)
      if at then
        local line = buffer:sub(1, at - 1)
        buffer = buffer:sub(at + 1)
        return line
      elseif ended then
        local rest = buffer
        buffer = ""
        return rest ~= "" and rest or nil
      elseif #buffer > MAX_LINE then
        fault.raise("parse", { op = "k8s.watch" }, { msg = "a line of the stream is over 32 MiB" })
      end
      local chunk, err = stream:read()
      if err then
        fault.raise_err({ op = "k8s.watch" }, err)
      elseif chunk then
        buffer = buffer .. chunk
      else
        ended = true
      end
    end
  end,
    whole
end

local function key_of(object)
  local meta = object.metadata
  return (meta.namespace or "") .. "/" .. meta.name
end

-- Hands an event to the callback and remembers what exists. True ends the watch.
local function emit(self, kind, object)
  local key = key_of(object)
  if kind == "DELETED" then
    self.known[key] = nil
  else
    self.known[key] = { version = object.metadata.resourceVersion, object = object }
  end
  return self.fn({ type = kind, object = object })
end

-- Lists everything and hands over the difference to what is known.
local function sync(self)
  local items, version = objects.list(self.client, self.res, self.ns, {
    labels = self.opts.labels,
    fields = self.fields,
  }, "k8s.watch")
  local here = {}
  for _, object in ipairs(items) do
    local key = key_of(object)
    local known = self.known[key]
    here[key] = true
    if not known or known.version ~= object.metadata.resourceVersion then
      if emit(self, known and "MODIFIED" or "ADDED", object) then
        return true
      end
    end
  end
  for key, known in pairs(self.known) do
    if not here[key] and emit(self, "DELETED", known.object) then
      return true
    end
  end
  self.version, self.synced, self.failures = version, true, 0
  return self.fn({ type = "SYNCED" })
end

-- Handles one event line. Returns true to end the watch. A line that is cut off was the last one of
-- a stream that something on the way ended: its event comes again.
local function handle(self, line, whole)
  local event, err = fault.try(json.decode, line, { name = "watch event" })
  if err and not whole() then
    return false
  elseif err then
    error(err, 0)
  end
  local object = event.object
  if event.type == "ERROR" then
    local code = type(object) == "table" and object.code or 500
    error(
      errors.from_response(self.about, { status = code, headers = {}, body = json.encode(object) }),
      0
    )
  end
  self.failures = 0
  if object.metadata and object.metadata.resourceVersion then
    self.version = object.metadata.resourceVersion
  end
  if event.type == "BOOKMARK" then
    return false
  end
  return emit(self, event.type, object)
end

-- One stream, to its end. Returns true to end the watch.
local function read_stream(self)
  local seconds = math.floor(STREAM * (1 + math.random()))
  local _, resp = self.client.transport:request({
    path = kinds.path(self.res, self.ns),
    query = {
      watch = true,
      allowWatchBookmarks = true,
      resourceVersion = self.version,
      timeoutSeconds = seconds,
      labelSelector = objects.selector(self.opts.labels),
      fieldSelector = objects.selector(self.fields),
    },
    op = "k8s.watch",
    object = self.about.object,
    stream = true,
    first_byte_timeout = 30,
    timeout = seconds + 60,
  })
  local stream <close> = setmetatable({ resp.stream }, {
    __close = function(held)
      held[1]:close()
    end,
  })
  local lines, whole = M.lines(stream[1])
  for line in lines do
    if line:find("%S") and handle(self, line, whole) then
      return true
    end
  end
  return false
end

local PASSING = { [429] = true, [500] = true, [502] = true, [503] = true, [504] = true }

-- Decides about a failed stream: list anew, try again after a pause, or raise.
local function recover(self, err)
  if errors.is(err, 410) then
    self.version = nil
    return
  end
  local passing = err.kind == "connect"
    or err.garbled
    or err.kind == "timeout"
    or (err.kind == "http" and PASSING[err.code])
  self.failures = self.failures + 1
  local patient = self.opts.on_trouble and self.synced
  if not passing or (self.failures > MAX_FAILURES and not patient) then
    error(err, 0)
  elseif patient then
    self.opts.on_trouble(err)
  end
  local pause = math.min(2 ^ (self.failures - 1), 30)
  time.sleep(pause * (0.5 + math.random() / 2))
end

--- Lists objects and follows their changes until the callback returns true. Survives ended streams,
--- lost connections, busy servers and versions that are too old.
---@async
---@param client plat.k8s.Client
---@param kind string|table
---@param ns? string nil: all namespaces
---@param opts table `{ name, labels, fields, resource_version, on_trouble }`, all optional; with
---  `on_trouble(err)` a server that was there once is waited for as long as it takes
---@param fn fun(event: plat.k8s.Event): boolean?
function M.run(client, kind, ns, opts, fn)
  local res = client:resource(kind)
  local watcher = {
    client = client,
    res = res,
    ns = ns,
    opts = opts,
    fields = opts.name and ("metadata.name=" .. opts.name) or opts.fields,
    version = opts.resource_version,
    known = {},
    failures = 0,
    fn = fn,
    about = {
      op = "k8s.watch",
      target = client.target,
      object = kinds.label(res, ns, opts.name),
    },
  }
  if effect.planning() then -- no wait waits in a plan: what is there now is all there is to see
    sync(watcher)
    effect.plan_wait("follow " .. watcher.about.object)
    return
  end
  while true do
    local began = time.mono()
    local step = watcher.version and read_stream or sync
    local done, err = fault.try(step, watcher)
    if done then
      return
    elseif err then
      recover(watcher, err)
    elseif step == read_stream and time.mono() - began < 1 then
      time.sleep(1) -- a server or proxy that ends streams at once
    end
  end
end

return M
