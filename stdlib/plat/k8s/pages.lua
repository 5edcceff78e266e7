--- Lists of objects, read page by page.
local errors = require("plat.k8s.errors")
local fault = require("plat.fault")
local kinds = require("plat.k8s.kinds")

local M = {}

local PAGE = 500

--- Returns the text of a selector given as text or as a table of equalities.
---@param selector? string|table<string, string>
---@return string?
function M.selector(selector)
  if type(selector) ~= "table" then
    return selector
  end
  local parts = {}
  for name, value in pairs(selector) do
    parts[#parts + 1] = value == true and name or (name .. "=" .. tostring(value))
  end
  return #parts > 0 and table.concat(parts, ",") or nil
end

-- A list without items (null) is one; an answer that is no list must not pass for an empty one.
local function page(client, res, ns, query, op)
  local label = kinds.label(res, ns)
  local doc, resp =
    client.transport:request({ path = kinds.path(res, ns), query = query, op = op, object = label })
  if type(doc.items) ~= "table" and not tostring(doc.kind):find("List$") then
    local about = { op = op, target = client.transport.target, object = label }
    errors.raise_stranger(about, resp)
  end
  return doc
end

-- The token that a 410 offers to go on with, at the price of a list that is not of one moment.
local function fresh_token(err)
  local status = type(err.detail) == "table" and err.detail.status
  local meta = status and status.metadata
  return type(meta) == "table" and meta.continue or nil
end

-- Items of a list carry neither kind nor apiVersion: give them both.
local function take(into, doc, res, limit)
  for _, item in ipairs(type(doc.items) == "table" and doc.items or {}) do
    if limit and #into >= limit then
      return
    end
    item.kind = item.kind or res.kind
    item.apiVersion = item.apiVersion or kinds.api_version(res)
    into[#into + 1] = item
  end
end

--- Reads a list, page by page. When the token of a page has expired (410) the list is read anew
--- once; when it expires again the rest is read as of now.
---@async
---@param client plat.k8s.Client
---@param kind string|table
---@param ns? string nil: all namespaces
---@param opts? { labels?: string|table, fields?: string|table, limit?: integer, page?: integer }
---@param op? string
---@return table[] items
---@return string resource_version of the list
function M.list(client, kind, ns, opts, op)
  opts = opts or {}
  op = op or "k8s.list"
  local res = client:resource(kind)
  local query = {
    labelSelector = M.selector(opts.labels),
    fieldSelector = M.selector(opts.fields),
    limit = math.min(opts.page or PAGE, opts.limit or PAGE),
  }
  local items, version, restarted = {}, nil, false
  while true do
    local doc, err = fault.try(page, client, res, ns, query, op)
    if doc then
      take(items, doc, res, opts.limit)
      local meta = doc.metadata or {}
      version = version or meta.resourceVersion
      query.continue = meta.continue ~= "" and meta.continue or nil
      if not query.continue or (opts.limit and #items >= opts.limit) then
        return items, version or ""
      end
    elseif not (errors.is(err, 410) and query.continue) then
      error(err, 0)
    elseif restarted and fresh_token(err) then
      query.continue = fresh_token(err)
    elseif restarted then
      error(err, 0)
    else
      restarted, items, version, query.continue = true, {}, nil, nil
    end
  end
end

return M
