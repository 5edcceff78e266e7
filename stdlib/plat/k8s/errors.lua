--- Kubernetes answers that are errors, turned into faults that say what to do.
local fault = require("plat.fault")
local json = require("plat.json")
local out = require("plat.out")

local M = {}

local TITLES = {
  [400] = "Bad Request",
  [401] = "Unauthorized",
  [403] = "Forbidden",
  [404] = "Not Found",
  [405] = "Method Not Allowed",
  [406] = "Not Acceptable",
  [409] = "Conflict",
  [410] = "Gone",
  [413] = "Request Entity Too Large",
  [415] = "Unsupported Media Type",
  [422] = "Unprocessable Entity",
  [429] = "Too Many Requests",
  [500] = "Internal Server Error",
  [502] = "Bad Gateway",
  [503] = "Service Unavailable",
  [504] = "Gateway Timeout",
}

--- Returns the body as a Status object, or nil.
---@param body string|table|nil
---@return table?
function M.status_of(body)
  if type(body) == "string" then
    if not body:find("^%s*{") then
      return nil
    end
    body = fault.try(json.decode, body)
  end
  if type(body) == "table" and body.kind == "Status" then
    return body
  end
  return nil
end

--- Returns the causes of a Status, never nil.
---@param status? table
---@return { reason?: string, message?: string, field?: string }[]
function M.causes(status)
  local details = status and status.details
  return type(details) == "table" and type(details.causes) == "table" and details.causes or {}
end

--- Returns which of the three 409s this is.
---@param status? table
---@return "exists"|"manager"|"stale"
function M.conflict_of(status)
  if status and status.reason == "AlreadyExists" then
    return "exists"
  end
  for _, cause in ipairs(M.causes(status)) do
    if cause.reason == "FieldManagerConflict" then
      return "manager"
    end
  end
  return "stale"
end

--- Returns the conflicts of a refused apply as rows of manager and field.
---@param status? table
---@return { field: string, manager: string }[]
function M.field_conflicts(status)
  local rows = {}
  for _, cause in ipairs(M.causes(status)) do
    if cause.reason == "FieldManagerConflict" then
      local text = cause.message or ""
      rows[#rows + 1] = {
        field = cause.field or "?",
        manager = text:match('^conflict with "(.-)"') or text,
      }
    end
  end
  return rows
end

--- Returns the conflict rows as a text table, with both values where they are known.
---@param rows { field: string, manager: string, ours?: string, theirs?: string }[]
---@return string
function M.conflict_table(rows)
  local width, owner = #"field", #"owner"
  for _, row in ipairs(rows) do
    width = math.max(width, #row.field)
    owner = math.max(owner, #row.manager)
  end
  local form = ("  %%-%ds  %%-%ds  %%s"):format(math.min(width, 60), math.min(owner, 40))
  local lines = { form:format("field", "owner", "theirs -> ours") }
  for _, row in ipairs(rows) do
    local values = row.ours and ((row.theirs or "(none)") .. " -> " .. row.ours) or ""
    lines[#lines + 1] = form:format(row.field, row.manager, values)
  end
  return (table.concat(lines, "\n"):gsub("%s+\n", "\n"):gsub("%s+$", ""))
end

-- 'x "y" is forbidden: User "jane" cannot ...' begins with what the fault says already.
local function trim_message(message)
  local rest = message:match("^.- is forbidden: (.+)$")
  rest = rest or message
  return (rest:gsub("^User ", "user "))
end

-- Returns the command that gives the missing right, or nil.
local function role_hint(message)
  local user, verb, resource, group =
    message:match('User "(.-)" cannot (%S+) resource "(.-)" in API group "(.-)"')
  if not user then
    return nil
  end
  local plural, sub = resource:match("^([^/]+)/?(.*)$")
  local target = group == "" and plural or (plural .. "." .. group)
  if sub ~= "" then
    target = target .. "/" .. sub
  end
  local ns = message:match('in the namespace "(.-)"')
  local cluster = ns == nil
  local text = "%s needs a %s, bound to that user: kubectl create %s NAME --verb=%s --resource=%s%s"
  return text:format(
    user,
    cluster and "ClusterRole" or "Role in " .. ns,
    cluster and "clusterrole" or "role",
    verb,
    target,
    cluster and "" or " -n " .. ns
  )
end

local function hint_404(status, about)
  local details = status and status.details
  if type(details) == "table" and details.kind == "namespaces" then
    return "the namespace does not exist: check its name and the cluster"
  end
  if type(details) == "table" and details.name and details.kind then
    return ("list what is there: kubectl get %s -A"):format(details.kind)
  end
  if about.object then
    return status and "this server does not serve that resource: see `kubectl api-resources`"
      or "is it the API server? check the `server:` address, and `kubectl api-resources`"
  end
  return "check the `server:` address: nothing is served there under this path"
end

local function hint_409(status)
  local which = M.conflict_of(status)
  if which == "exists" then
    return "it is there already: use apply, or delete it first"
  elseif which == "manager" then
    return "leave these fields out of the manifest, or take them over with force = true"
  end
  return "the object changed in the meantime: read it again and retry"
end

local function hint_trouble()
  return "the API server is in trouble or starting: kubectl get --raw '/readyz?verbose' tells more"
end

local HINTS = {
  [500] = hint_trouble,
  [502] = hint_trouble,
  [503] = hint_trouble,
  [504] = hint_trouble,
  [400] = function(status, _, resp)
    if (resp.body or ""):find("HTTP request to an HTTPS server", 1, true) then
      return "its address begins with https://"
    end
    local choices = (status and status.message or ""):match("choose one of: %[(.-)%]")
    return choices and ("name a container: " .. choices) or nil
  end,
  [401] = function(_, about)
    local from = about.credentials
    return from and ("the server does not accept %s: renew it"):format(from)
      or "no credentials were sent: name a user, a token or a certificate"
  end,
  [403] = function(status, about)
    local message = status and status.message or ""
    if message:find('User "system:anonymous"', 1, true) then
      return "the request was made without accepted credentials"
        .. (about.credentials and (" (" .. about.credentials .. ")") or "")
    end
    return role_hint(message)
  end,
  [404] = hint_404,
  [409] = hint_409,
  [413] = function()
    return "the server takes at most 3 MiB in one request"
  end,
  [415] = function(_, about)
    return about.patch == "strategic"
        and 'custom resources take no strategic merge patch: use type = "merge"'
      or nil
  end,
  [429] = function(status)
    local cause = M.causes(status)[1]
    return cause and cause.reason == "DisruptionBudget" and cause.message or nil
  end,
}

-- Returns what an answer that no Kubernetes API server gives looks like.
local function stranger(resp)
  local kind = (resp.headers["content-type"] or ""):lower()
  local body = out.redact(resp.body or "")
  if kind:find("html", 1, true) or body:find("^%s*<") then
    local title = body:match("<[tT][iI][tT][lL][eE][^>]*>%s*(.-)%s*</")
    title = title and title:gsub("%s+", " ")
    return title and ('a web page ("%s")'):format(title:sub(1, 80)) or "a web page"
  end
  local line = body:match("^%s*([^\r\n]*)") or ""
  if line ~= "" and not utf8.len(line:sub(1, 120), 1, -1) and not line:find("[ -~]") then
    return ("%d bytes that are no text"):format(#body)
  end
  return line == "" and "an empty body" or line:sub(1, 120):gsub("[^ -~]", "?")
end

--- Raises the fault for an answer that is no Kubernetes answer at all.
---@param about table
---@param resp table
---@param problem? plat.Fault why the body is not JSON
function M.raise_stranger(about, resp, problem)
  if problem and (resp.body or ""):find("^%s*{") then
    fault.raise("parse", about, {
      code = resp.status,
      msg = ("%d: the answer is not whole JSON: %s"):format(resp.status, problem.msg),
      detail = { body = out.excerpt(resp.body, 4096) },
      hint = "something on the way (a proxy, a load balancer) cuts or garbles answers",
      garbled = true,
    })
  end
  fault.raise("parse", about, {
    code = resp.status,
    msg = ("%d: this is not a Kubernetes API server: it answered with %s"):format(
      resp.status,
      stranger(resp)
    ),
    detail = { body = out.excerpt(resp.body or "", 4096) },
    hint = "check the `server:` address, and whether a proxy or login page answers in its place",
  })
end

-- The first line of the message, by status.
local function message_of(status, resp)
  local head = ("%d %s"):format(resp.status, TITLES[resp.status] or "error")
  if not status then
    local text = (resp.body or ""):match("^%s*([^\r\n]*)")
    return (text and text ~= "") and (head .. ": " .. out.excerpt(text, 200)) or head
  end
  if resp.status == 409 and M.conflict_of(status) == "manager" then
    local rows = M.field_conflicts(status)
    local what = #rows == 1 and "1 field belongs" or (#rows .. " fields belong")
    return ("%s: %s to another manager\n%s"):format(head, what, M.conflict_table(rows))
  end
  local text = trim_message(status.message or "no message")
  local cause = M.causes(status)[1]
  if resp.status == 429 and cause and cause.message then
    text = text .. " " .. cause.message
  end
  return head .. ": " .. text
end

--- Builds the fault of an error answer (status >= 400). A page of somebody else's web server
--- becomes kind "parse", everything a Kubernetes server says kind "http".
---@param about table `{ op, target, object, credentials, patch }`
---@param resp { status: integer, headers: table<string, string>, body: string? }
---@return plat.Fault
function M.from_response(about, resp)
  local status = M.status_of(resp.body)
  local html = (resp.headers["content-type"] or ""):lower():find("html", 1, true)
  local shown = { op = about.op, target = about.target, object = about.object }
  if not status and html then
    local _, err = fault.try(M.raise_stranger, shown, resp)
    return err
  end
  local hint = HINTS[resp.status] and HINTS[resp.status](status, about, resp) or nil
  return fault.new("http", shown, {
    code = resp.status,
    reason = status and status.reason or TITLES[resp.status],
    msg = message_of(status, resp),
    hint = hint,
    detail = {
      status = status,
      causes = M.causes(status),
      conflict = resp.status == 409 and M.conflict_of(status) or nil,
      conflicts = resp.status == 409 and M.field_conflicts(status) or nil,
      retry_after = tonumber(resp.headers["retry-after"]),
      body = not status and out.excerpt(resp.body or "", 4096) or nil,
    },
  })
end

--- Returns whether a fault is the given HTTP status of a server.
---@param err any
---@param code integer
---@return boolean
function M.is(err, code)
  return fault.is(err, "http") and err.code == code
end

--- Returns whether a fault is a 409 because the object changed since it was read.
---@param err any
---@return boolean
function M.is_stale(err)
  return M.is(err, 409) and type(err.detail) == "table" and err.detail.conflict == "stale"
end

--- Returns whether a fault says that this server does not know the resource or the path.
--- (A missing object is a 404 too, but names the object in its details.)
---@param err any
---@return boolean
function M.is_unserved(err)
  if not M.is(err, 404) then
    return false
  end
  local status = type(err.detail) == "table" and err.detail.status
  local details = status and status.details
  return not (type(details) == "table" and details.name)
end

--- Returns the fault of a create whose object is there already, as the server would say it.
---@param about table
---@param resource string "configmaps"
---@param name string
---@return plat.Fault
function M.already_exists(about, resource, name)
  return M.from_response(about, {
    status = 409,
    headers = {},
    body = json.encode({
      kind = "Status",
      apiVersion = "v1",
      status = "Failure",
      reason = "AlreadyExists",
      message = ("%s %q already exists"):format(resource, name),
      details = { name = name, kind = resource },
      code = 409,
    }),
  })
end

return M
