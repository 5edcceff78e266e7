--- Makes answers comparable: what differs between two clusters by nature gets a stable name.
---
--- uids and resource versions are numbered in the order in which a case sees them, so that equal
--- stays equal and changed stays changed; times become "<time>"; the case's namespace "$NS".
local M = {}

local TIMES = {
  creationTimestamp = true,
  deletionTimestamp = true,
  lastTransitionTime = true,
  lastUpdateTime = true,
  lastProbeTime = true,
  startTime = true,
  completionTime = true,
  firstTimestamp = true,
  lastTimestamp = true,
  eventTime = true,
  time = true,
  renewTime = true,
  acquireTime = true,
  lastScaleTime = true,
}

-- The controllers of the model do not sign what they write; those of a real cluster do.
local UNSIGNED = { ["kube-controller-manager"] = true, ["kube-scheduler"] = true }

local Names = {}
Names.__index = Names

--- Starts the names of one case.
---@param ns string its namespace
function M.new(ns, null)
  return setmetatable(
    { ns = ns, null = null, uids = {}, versions = {}, counts = {}, hashes = {} },
    Names
  )
end

function Names:number(kind, value)
  local known = self[kind]
  if not known[value] then
    self.counts[kind] = (self.counts[kind] or 0) + 1
    known[value] = ("<%s %d>"):format(kind == "uids" and "uid" or "version", self.counts[kind])
  end
  return known[value]
end

local UUID = "%x%x%x%x%x%x%x%x%-%x%x%x%x%-%x%x%x%x%-%x%x%x%x%-%x%x%x%x%x%x%x%x%x%x%x%x"

--- Replaces what is particular to this cluster in a text.
function Names:text(s)
  s = s:gsub(UUID, function(uid)
    return self:number("uids", uid)
  end)
  s = s:gsub(self.ns:gsub("%p", "%%%0"), "$NS")
  for hash in pairs(self.hashes) do
    s = s:gsub(hash, "<hash>")
  end
  s = s:gsub("in record %((%d+)%)", function(version)
    return ("in record (%s)"):format(self:number("versions", version))
  end)
  s = s:gsub("10%.96%.%d+%.%d+", "<service address>")
  return s
end

local HASHES = { ["pod-template-hash"] = true, ["controller-revision-hash"] = true }

--- Learns the hashes of templates that a value names, so that texts can be cleaned of them.
function Names:learn(v)
  for k, item in pairs(type(v) == "table" and v ~= self.null and v or {}) do
    if HASHES[k] and type(item) == "string" then
      self.hashes[item:match("[^-]*$")] = true
    elseif (k == "currentRevision" or k == "updateRevision") and type(item) == "string" then
      self.hashes[item:match("[^-]*$")] = true
    end
    self:learn(item)
  end
end

local function managers(self, list)
  local out = {}
  for _, entry in ipairs(list) do
    if not UNSIGNED[entry.manager] then
      out[#out + 1] = self:value(entry)
    end
  end
  table.sort(out, function(a, b)
    local function key(e)
      return ("%s %s %s"):format(e.operation, e.manager, e.subresource or "")
    end
    return key(a) < key(b)
  end)
  return #out > 0 and out or nil
end

--- Replaces what is particular in a value; returns a new one.
function Names:value(v, key)
  if type(v) == "table" and v ~= self.null then
    local out = {}
    for k, item in pairs(v) do
      local name = type(k) == "string" and self:text(k) or k
      if type(k) == "string" and k:find("managedFields$") then
        out[name] = managers(self, item)
      else
        out[name] = self:value(item, k)
      end
    end
    return setmetatable(out, getmetatable(v))
  elseif type(v) ~= "string" then
    return v
  elseif TIMES[type(key) == "string" and key:match("[^.]+$")] then
    return "<time>"
  elseif key == "resourceVersion" and v ~= "" then
    return self:number("versions", v)
  elseif key == "continue" and v ~= "" then
    return "<token>"
  end
  return self:text(v)
end

--- Keeps or drops paths of a value; `*` stands for every element of a list.
function M.pick(value, keep, drop, null)
  local function cut(v, parts, i)
    if type(v) ~= "table" or v == null then
      return
    elseif parts[i] == "*" then
      for _, item in ipairs(v) do
        cut(item, parts, i + 1)
      end
    elseif i == #parts then
      v[parts[i]] = nil
    else
      cut(v[parts[i]], parts, i + 1)
    end
  end
  local function split(path)
    local parts = {}
    for part in path:gmatch("[^.]+") do
      parts[#parts + 1] = part
    end
    return parts
  end
  if keep then
    local out = {}
    for _, path in ipairs(keep) do
      local at = value
      for _, part in ipairs(split(path)) do
        at = type(at) == "table" and at ~= null and at[tonumber(part) or part] or nil
      end
      out[path] = at
    end
    return out
  end
  for _, path in ipairs(drop or {}) do
    cut(value, split(path), 1)
  end
  return value
end

return M
