--- The `platrun:` key of an inventory file: the environment, its clusters and their services.
--
-- The format is documented where it is used: inventory/production/platform.yaml.
local check = require("plat.check")
local fault = require("plat.fault")
local json = require("plat.json")
local list = require("plat.list")
local locate = require("plat.inventory.locate")
local schedule = require("plat.env").lazy("plat.schedule")
local secrets = require("plat.env").lazy("plat.inventory.secrets")
local sys = require("prim.sys")

local M = {}

local REFERENCE = "inventory/production/platform.yaml explains every key"
local PROTECTED_MIN = 3 -- executors a protected environment keeps where its inventory does not say

local TOP = {
  sandbox = { type = "boolean" },
  environment = { type = "string" },
  protected = { type = "boolean" },
  approvals = { type = "table" },
  change_window = { type = "table" },
  freeze = { type = "table" },
  clusters = { type = "table" },
  dremio = { type = "table" },
  secrets = { type = "table" },
}

--- Who may grant what `run:approve` asks for.
local APPROVALS = {
  four_eyes = { type = "boolean" },
  approvers = { type = "list" },
}

local CLUSTER = {
  kubernetes = { type = "table" },
  namespace = { type = "string" },
  approvals = { type = "table" },
}

local KUBERNETES = {
  kubeconfig = { type = "string", path = true },
  context = { type = "string" },
  server = { type = "string", url = "https://HOST:6443" },
  ca = { type = "string", path = true },
  cert = { type = "string", path = true },
  key = { type = "string", path = true },
  token_file = { type = "string", path = true },
  server_name = { type = "string" },
  proxy = { type = "string" },
  insecure = { type = "boolean" },
}

local DREMIO = {
  cluster = { type = "string" },
  url = { type = "string", required = true, url = "https://HOST:9047" },
  user = { type = "string" },
  password = { type = "string" },
  password_file = { type = "string", path = true },
  password_env = { type = "string" },
  token_file = { type = "string", path = true },
  ca_file = { type = "string", path = true },
  server_name = { type = "string" },
  proxy = { type = "string" },
  insecure = { type = "boolean" },
  statefulset = { type = "string", default = "dremio-executor" },
  min = { type = "integer", min = 0 },
  executors = { type = "any" },
}

--- A file under inspection: where messages point to.
local File = {}
File.__index = File

function File:fail(path, msg, hint)
  fault.raise("parse", nil, {
    msg = ("%s:%d: %s"):format(self.name, locate.line(self.text, path), msg),
    hint = hint or REFERENCE,
    where = "",
  })
end

local function join(path, key)
  local out = table.move(path, 1, #path, 1, {})
  out[#out + 1] = key
  return out
end

--- Returns a path as the inventory means it: "~" is the home, relative ones start at the file.
local function resolve(path, dir)
  if path:sub(1, 2) == "~/" then
    return (sys.home() or "~") .. path:sub(2)
  elseif path:sub(1, 1) == "/" then
    return path
  end
  return dir .. "/" .. path
end

--- Checks one table of the file against a schema.
function File:fields(value, schema, path)
  if type(value) ~= "table" or value.__tag or json.is_array(value) then
    self:fail(path, ('"%s" must hold keys and values'):format(path[#path]))
  end
  local out = {}
  for key, item in pairs(value) do
    local decl = schema[key]
    if not decl then
      local close = check.did_you_mean(tostring(key), list.keys(schema))
      self:fail(join(path, key), ('unknown key "%s" in %s%s'):format(key, path[#path], close))
    end
    local checked, err = check.value(decl, item)
    if checked == nil then
      self:fail(join(path, key), ("%s: %s"):format(key, err))
    end
    if decl.url and not checked:find("^https?://[^/%s]+") then
      self:fail(
        join(path, key),
        ('%s: "%s" is not a URL such as %s'):format(key, checked, decl.url)
      )
    end
    out[key] = decl.path and resolve(checked, self.dir) or checked
  end
  return out
end

function File:approvals(value, path)
  local approvals = self:fields(value, APPROVALS, path)
  for _, name in pairs(approvals.approvers or {}) do
    if type(name) ~= "string" or not name:find("^@?[%w._-]+$") then
      self:fail(
        join(path, "approvers"),
        ('approvers: "%s" is neither a user nor a @group'):format(tostring(name))
      )
    end
  end
  return approvals
end

--- Checks one rule about when changes may be made.
function File:policy(key, value, path)
  local problem = require("plat.inventory.policy")[key .. "_problem"](value)
  if problem then
    local deeper = problem:match("^([%w_]+): ") or problem:match('^unknown key "([^"]+)"')
    self:fail(deeper and join(path, deeper) or path, ("%s: %s"):format(path[#path], problem))
  end
end

function File:cluster(name, value, path)
  local cluster = self:fields(value, CLUSTER, path)
  if cluster.approvals then
    cluster.approvals = self:approvals(cluster.approvals, join(path, "approvals"))
  end
  if cluster.kubernetes then
    cluster.kubernetes = self:fields(cluster.kubernetes, KUBERNETES, join(path, "kubernetes"))
    if not cluster.kubernetes.kubeconfig and not cluster.kubernetes.server then
      self:fail(join(path, "kubernetes"), "kubernetes: kubeconfig or server is required")
    end
    cluster.kubernetes.name = name
  end
  return cluster
end

function File:dremio(name, value, path)
  local entry = self:fields(value, DREMIO, path)
  entry.name = name
  entry.at = ("%s:%d"):format(self.name, locate.line(self.text, path))
  if entry.executors ~= nil then
    local problem = schedule.problem(entry.executors)
    if problem then
      local key = problem:match("^([%w_]+): ")
      local deeper = join(path, "executors")
      self:fail(key and join(deeper, key) or deeper, "executors: " .. problem)
    end
  end
  return entry
end

function File:entries(value, path, method)
  local out = {}
  if type(value) ~= "table" or json.is_array(value) then
    self:fail(path, ('"%s" must hold names, each with keys and values'):format(path[#path]))
  end
  for name, item in pairs(value) do
    out[name] = self[method](self, name, item, join(path, name))
  end
  return out
end

function File:secrets(value, path)
  if json.is_array(value) then
    self:fail(path, '"secrets" must hold names, each with a reference')
  end
  local out, name, problem = secrets.read(value, function(rest)
    return resolve(rest, self.dir)
  end)
  return out or self:fail(join(path, name), problem)
end

--- Reads the `platrun:` key of one file.
---@param value any
---@param file { name: string, text: string, dir: string }
---@return table services `{ sandbox, environment, protected, change_window, freeze, clusters,
---  dremio }`, all optional
function M.read(value, file)
  local self = setmetatable({ name = file.name, text = file.text, dir = file.dir }, File)
  local path = { "platrun" }
  local out = self:fields(value, TOP, path)
  if out.approvals then
    out.approvals = self:approvals(out.approvals, join(path, "approvals"))
  end
  if out.change_window then
    self:policy("window", out.change_window, join(path, "change_window"))
  end
  if out.freeze then
    self:policy("freeze", out.freeze, join(path, "freeze"))
  end
  if out.clusters then
    out.clusters = self:entries(out.clusters, join(path, "clusters"), "cluster")
  end
  if out.dremio then
    out.dremio = self:entries(out.dremio, join(path, "dremio"), "dremio")
  end
  if out.secrets then
    out.secrets = self:secrets(out.secrets, join(path, "secrets"))
  end
  return out
end

--- Merges the services of a later file over those of earlier ones, field by field.
---@param base table
---@param more table
---@return table
function M.merge(base, more)
  local out = list.merge(base, more)
  out.secrets = list.merge(base.secrets, more.secrets)
  for _, kind in ipairs({ "clusters", "dremio" }) do
    out[kind] = list.merge({}, base[kind])
    for name, entry in pairs(more[kind] or {}) do
      out[kind][name] = list.merge(out[kind][name], entry)
    end
  end
  return out
end

--- Returns whether the environment is protected: where it does not say so itself, production is.
local function is_protected(services)
  if services.protected ~= nil then
    return services.protected
  end
  local name = (services.environment or ""):lower()
  return name == "production" or name == "prod"
end

--- Checks what only the whole inventory can tell, and fills in defaults.
---@param services table
function M.finish(services)
  services.protected = is_protected(services)
  for name, entry in pairs(services.dremio or {}) do
    for key, decl in pairs(DREMIO) do
      if entry[key] == nil then
        entry[key] = decl.default
      end
    end
    entry.min = entry.min or (services.protected and PROTECTED_MIN or 1)
    local at = entry.at or "inventory"
    entry.at = nil
    if not entry.url then
      fault.raise("parse", nil, {
        msg = ("%s: dremio %s: url is missing"):format(at, name),
        hint = REFERENCE,
        where = "",
      })
    end
    local clusters = list.keys(services.clusters or {})
    if not entry.cluster and #clusters == 1 then
      entry.cluster = clusters[1]
    end
    if not list.contains(clusters, entry.cluster) then
      local word = tostring(entry.cluster)
      fault.raise("parse", nil, {
        msg = ('%s: dremio %s: no cluster "%s"%s'):format(
          at,
          name,
          word,
          check.did_you_mean(word, clusters)
        ),
        hint = REFERENCE,
        where = "",
      })
    end
  end
end

return M
