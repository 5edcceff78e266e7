--- Watches: changes of a kind as lines of JSON.
local data = require("plat.sim.k8s.data")
local json = require("plat.json")
local stream = require("plat.sim.k8s.stream")
local tables = require("plat.sim.k8s.tables")
local verbs = require("plat.sim.k8s.verbs")

local M = {}

local BOOKMARK = 60 -- seconds between bookmarks
local LIFE = 2400 -- seconds that a watch lives if the client names no timeout

local function line(kind, object)
  return json.encode({ type = kind, object = object }) .. "\n"
end

local function expired(model, rv)
  return line("ERROR", {
    kind = "Status",
    apiVersion = "v1",
    metadata = {},
    status = "Failure",
    message = ("too old resource version: %d (%d)"):format(rv, model.oldest),
    reason = "Expired",
    code = 410,
  })
end

local function shown(self, object)
  if self.ctx.form == "table" then
    local rv = { resourceVersion = object.metadata.resourceVersion }
    local out = tables.of(self.ctx, { object }, rv)
    if self.headed then
      out.columnDefinitions = json.null
    end
    self.headed = true
    return out
  end
  return self.ctx:render(object)
end

local function bookmark(self, initial)
  local meta = { resourceVersion = ("%d"):format(math.max(self.rv, self.start)) }
  if initial then
    meta.annotations = { ["k8s.io/initial-events-end"] = "true" }
  end
  local object = { kind = self.ctx.kind.kind, apiVersion = self.ctx.kind.gv, metadata = meta }
  if self.ctx.form == "table" then
    object = { kind = "Table", apiVersion = "meta.k8s.io/v1", metadata = meta }
    object.columnDefinitions, object.rows = json.null, data.array({})
  end
  return line("BOOKMARK", object)
end

--- Says what a change means to a watch: objects may enter and leave what its selector sees.
local function meaning(self, change)
  if change.id ~= self.ctx.kind.id then
    return nil
  end
  local was = change.prev ~= nil and self.matches(change.prev)
  local is = change.type ~= "DELETED" and self.matches(change.object)
  if is then
    return was and "MODIFIED" or "ADDED", change.object
  elseif was then
    local last = change.object
    if change.type ~= "DELETED" then
      last = data.copy(change.prev)
      last.metadata.resourceVersion = change.object.metadata.resourceVersion
    end
    return "DELETED", last
  end
end

local function changes(self, out)
  local history = self.model.history
  local low, high = 1, #history + 1
  while low < high do -- the first change that is newer
    local middle = (low + high) // 2
    if history[middle].rv > self.rv then
      high = middle
    else
      low = middle + 1
    end
  end
  for i = low, #history do
    local kind, object = meaning(self, history[i])
    if kind then
      out[#out + 1] = line(kind, shown(self, object))
    end
    self.rv = history[i].rv
  end
end

local function take(self)
  local out, now = {}, self.model.state.now
  if self.broken or (self.rv < self.model.oldest and not self.fresh) then
    self.last = true
    return expired(self.model, self.rv)
  end
  if self.fresh then
    for _, object in ipairs(self.fresh) do
      out[#out + 1] = line("ADDED", shown(self, object))
    end
    self.fresh = nil
    if self.announce then
      out[#out + 1] = bookmark(self, true)
    end
  end
  changes(self, out)
  if self.bookmarks and now >= self.next_mark then
    out[#out + 1] = bookmark(self)
    self.next_mark = self:mark_after(now)
  end
  return #out > 0 and table.concat(out) or nil
end

--- Bookmarks come every minute, and once shortly before the end.
local function mark_after(self, now)
  local before_end = self.deadline - 2
  if now < before_end then
    return math.min(now + BOOKMARK, before_end)
  end
  return math.huge
end

local function wake_at(self)
  return self.bookmarks and self.next_mark or nil
end

--- Answers a watch.
---@param ctx plat.sim.k8s.Context
function M.serve(ctx)
  local model, query = ctx.model, ctx.query
  local rv = verbs.version_of(ctx, 500)
  local matches = verbs.filter(ctx)
  local now = model.state.now
  local seconds = tonumber(query.timeoutSeconds)
  local self = {
    ctx = ctx,
    matches = matches,
    rv = rv or model.state.rv,
    start = model.state.rv,
    deadline = now + (seconds and seconds > 0 and seconds or LIFE),
    bookmarks = query.allowWatchBookmarks == "true" or query.allowWatchBookmarks == "1",
    take = take,
    mark_after = mark_after,
    wake_at = wake_at,
  }
  self.announce = query.sendInitialEvents == "true"
  if not rv or rv == 0 or self.announce then
    self.fresh = {}
    for _, object in pairs(model.state.objects[ctx.kind.id] or {}) do
      if matches(object) then
        self.fresh[#self.fresh + 1] = object
      end
    end
    self.rv = model.state.rv
  end
  if rv and rv > 0 and model:spend_fault("watch_410") then
    self.broken = true
  end
  self.next_mark = mark_after(self, now)
  return 200, stream.open(model, self)
end

--- Ends the watches that are open as if their versions had become too old.
---@param model plat.sim.K8s
function M.expire(model)
  for _, open in ipairs(model.streams) do
    if open.matches then
      open.broken = true
    end
  end
end

return M
