--- Runs the cases of the contract over a mount and compares every answer with what a real server of
--- version 1.34.4 said (golden/*.jsonl).
local need = ... -- loads another file of this directory
local normal = need("normal")

local M = {}

local HEADERS = { "content-type", "warning", "retry-after" }

local T = {}
T.__index = T

local function fail(text)
  error({ contract = text }, 0)
end

--- Fails the case unless something holds.
function T:ok(value, what)
  if not value then
    fail("not so: " .. what)
  end
  return value
end

--- Fails the case unless two plain values are equal.
function T:equal(got, want, what)
  if got ~= want then
    fail(("%s: got %s, want %s"):format(what, tostring(got), tostring(want)))
  end
end

function T:path(path)
  return (path:gsub("%$NS", self.ns))
end

local function fill(self, v)
  if type(v) == "string" then
    return (v:gsub("%$NS", self.ns))
  elseif type(v) == "table" and v ~= self.json.null then
    local out = setmetatable({}, getmetatable(v))
    for k, item in pairs(v) do
      out[k] = fill(self, item)
    end
    return out
  end
  return v
end

local function decode(self, resp)
  if (resp.headers["content-type"] or ""):find("json", 1, true) and resp.body ~= "" then
    resp.json = self.json.decode(resp.body)
  end
  return resp
end

local function record(self, title, resp, opts)
  local body = resp.json or resp.events
  if body then
    body = fill({ ns = "$NS", json = self.json }, body) -- a copy
    self.names:learn(body)
    body = normal.pick(body, opts.keep, opts.drop, self.json.null)
    body = self.names:value(body)
  elseif not opts.loose then
    body = self.names:text(resp.body or "")
  end
  local headers = {}
  for _, name in ipairs(HEADERS) do
    headers[name] = resp.headers[name]
  end
  self.log[#self.log + 1] = {
    request = self.names:text(title),
    status = resp.status,
    headers = headers,
    body = body,
  }
end

--- Sends a request and records its answer.
---@param method string
---@param path string "$NS" is the case's namespace
---@param body? any a table is sent as JSON
---@param opts? table type, headers, anonymous, keep, drop (paths), quiet (do not record)
---@return table resp status, headers, body, json
function T:call(method, path, body, opts)
  opts = opts or {}
  local headers = { accept = "*/*", ["user-agent"] = "contract/1" }
  if body ~= nil then
    headers["content-type"] = opts.type or "application/json"
  end
  for name, value in pairs(opts.headers or {}) do
    headers[name] = value
  end
  if type(body) == "table" then
    body = self.json.encode(fill(self, body))
  elseif type(body) == "string" then
    body = fill(self, body)
  end
  self.sent[#self.sent + 1] = { method .. " " .. self:path(path), headers["content-type"] }
  local resp = self.mount:request({
    method = method,
    target = self:path(path),
    headers = headers,
    body = body,
    anonymous = opts.anonymous,
  })
  decode(self, resp)
  if not opts.quiet then
    record(self, method .. " " .. path, resp, opts)
  end
  return resp
end

--- Opens a watch; requests that follow happen while it is open.
function T:watch(path, opts)
  local headers = { accept = opts and opts.accept or "*/*", ["user-agent"] = "contract/1" }
  self.sent[#self.sent + 1] = { "GET " .. self:path(path) }
  return { path = path, raw = self.mount:open({ target = self:path(path), headers = headers }) }
end

--- Reads a watch to its end and records its events.
---@return table[] events
function T:finish(watch, opts)
  local resp = self.mount:finish(watch.raw)
  resp.events = {}
  for line in (resp.body or ""):gmatch("[^\n]+") do
    resp.events[#resp.events + 1] = self.json.decode(line)
  end
  setmetatable(resp.events, getmetatable(self.json.array({})))
  record(self, "WATCH " .. watch.path, resp, opts or {})
  return resp.events
end

--- Takes the path out of the last recorded exchange: it has a generated name.
function T:log_drop_request()
  self.log[#self.log].request = "(generated name)"
end

--- Lets time pass.
function T:sleep(seconds)
  self.mount:sleep(seconds)
end

--- Repeats a request until a test of its answer holds, and records the last answer.
function T:eventually(method, path, test, opts)
  opts = opts or {}
  for _ = 1, (opts.seconds or 15) * 5 do
    local resp = self:call(method, path, nil, { quiet = true, headers = opts.headers })
    if resp.json and test(resp.json) then
      record(self, method .. " " .. path .. " (awaited)", resp, opts)
      return resp
    end
    self.mount:sleep(0.2)
  end
  fail("never came true: " .. method .. " " .. path)
end

-- ---- comparison ----

local function is_list(v)
  return type(v) == "table" and (v[1] ~= nil or #v > 0)
end

local function some(keys)
  local found = false
  for _ in pairs(keys) do
    found = true
  end
  return found
end

local function differences(self, want, got, path, out)
  if type(want) == "table" and type(got) == "table" and want ~= self.json.null then
    local keys = {}
    for k in pairs(want) do
      keys[k] = true
    end
    for k in pairs(got) do
      keys[k] = true
    end
    if some(keys) and is_list(want) ~= is_list(got) then
      out[#out + 1] = path .. ": a list on one side only"
      return
    end
    for k in pairs(keys) do
      differences(self, want[k], got[k], path .. "." .. tostring(k), out)
    end
  elseif want ~= got then
    local function show(v)
      if v == nil then
        return "nothing"
      end
      return self.json.encode(v)
    end
    out[#out + 1] = ("%s: the server says %s, here %s"):format(path, show(want), show(got))
  end
end

local function compare(self, golden, log, out)
  for i = 1, math.max(#golden, #log) do
    local want, got = golden[i], log[i]
    if not want or not got then
      local one = want or got
      out[#out + 1] = ("exchange %d (%s) is on one side only"):format(i, one.request)
      return
    end
    local found = {}
    differences(self, want, got, "", found)
    for _, text in ipairs(found) do
      out[#out + 1] = ("%s %s"):format(want.request, text)
    end
  end
end

-- ---- running ----

local function read_golden(self, name)
  local out = {}
  for line in (self.read(("golden/%s.jsonl"):format(name)) or ""):gmatch("[^\n]+") do
    local entry = self.json.decode(line)
    out[entry.case] = out[entry.case] or {}
    table.insert(out[entry.case], entry.exchange)
  end
  return out
end

local function write_golden(self, name, order, logs)
  local lines = {}
  for _, title in ipairs(order) do
    for _, exchange in ipairs(logs[title] or {}) do
      lines[#lines + 1] = self.json.encode({ case = title, exchange = exchange }) .. "\n"
    end
  end
  self.write(("golden/%s.jsonl"):format(name), table.concat(lines))
end

local function run_case(self, case, number)
  local ns = ("ct-%s-%d"):format(self.tag, number)
  local t = setmetatable({
    ns = ns,
    mount = self.mount,
    json = self.json,
    names = normal.new(ns, self.json.null),
    log = {},
    sent = self.sent,
  }, T)
  if case.without_nodes then
    local nodes = t:call("GET", "/api/v1/nodes", nil, { quiet = true }).json.items
    if #nodes > 0 then
      return t.log, nil, "the cluster has nodes"
    end
  end
  if not case.bare then
    local object = { apiVersion = "v1", kind = "Namespace", metadata = { name = ns } }
    t:call("POST", "/api/v1/namespaces", object, { quiet = true })
  end
  local ok, err = xpcall(case.run, function(e)
    return type(e) == "table" and e.contract or self.trace(e)
  end, t)
  if not case.bare then
    t:call("DELETE", "/api/v1/namespaces/" .. ns, nil, { quiet = true })
  end
  return t.log, not ok and err or nil
end

--- Runs one case and says how it went; returns its log, or nil if it was skipped.
local function run_and_say(self, name, case, golden)
  local count = self.count
  count.cases = count.cases + 1
  local log, err, skipped = run_case(self, case, count.cases)
  count.exchanges = count.exchanges + #log
  local title = ("%d - %s: %s"):format(count.cases, name, case.title)
  if skipped then
    self.say(("ok %s # SKIP %s"):format(title, skipped))
    return nil
  end
  local problems = { err }
  if not self.record and not err then
    compare(self, golden or {}, log, problems)
  end
  local bad = #problems > 0
  count.failed = count.failed + (bad and 1 or 0)
  self.say((bad and "not ok " or "ok ") .. title)
  for _, text in ipairs(problems) do
    self.say("  # " .. text:gsub("\n", "\n  # "))
  end
  return log
end

local function verdict(self, title, missing)
  self.count.cases = self.count.cases + 1
  self.count.failed = self.count.failed + (#missing > 0 and 1 or 0)
  self.say(("%sok %d - %s"):format(#missing > 0 and "not " or "", self.count.cases, title))
  for _, text in ipairs(missing) do
    self.say("  # " .. text)
  end
end

--- Says which patterns of requests no case has sent, and which claims have no case.
local function coverage(self, titles)
  local patterns, unsent = need("patterns"), {}
  for _, pattern in ipairs(patterns) do
    local found = false
    for _, sent in ipairs(self.sent) do
      local right = not pattern[3] or pattern[3] == sent[2]
      found = found or (right and sent[1]:find(pattern[2]) ~= nil)
    end
    if not found then
      unsent[#unsent + 1] = pattern[1] .. ": " .. pattern[2]
    end
  end
  verdict(self, ("each of %d request patterns is sent"):format(#patterns), unsent)
  local claims, unproved = need("claims"), {}
  for _, claim in ipairs(claims) do
    if not titles[claim[2]] then
      unproved[#unproved + 1] = ("%s: no case %q"):format(claim[1], claim[2])
    end
  end
  verdict(self, ("each of %d claims has its case"):format(#claims), unproved)
end

--- Runs files of cases; prints TAP. With `record`, writes the golden answers instead of comparing.
---@param self table read, write (of files here), tag, mount, json, files, record, only, say, trace
---@return integer failed
function M.run(self)
  self.count = { cases = 0, failed = 0, exchanges = 0 }
  self.sent = {}
  local titles = {}
  for _, name in ipairs(self.files) do
    local golden = read_golden(self, name)
    local order, logs = {}, {}
    for _, case in ipairs(need("cases/" .. name)) do
      titles[case.title] = true
      order[#order + 1] = case.title
      logs[case.title] = golden[case.title]
      if not self.only or case.title:find(self.only, 1, true) then
        logs[case.title] = run_and_say(self, name, case, golden[case.title]) or logs[case.title]
      end
    end
    if self.record then
      write_golden(self, name, order, logs)
    end
  end
  if #self.files == #need("files") and not self.only then
    coverage(self, titles)
  end
  local count = self.count
  self.say(("1..%d"):format(count.cases))
  self.say(
    ("# %d cases, %d exchanges, %d failed"):format(count.cases, count.exchanges, count.failed)
  )
  return count.failed
end

return M
