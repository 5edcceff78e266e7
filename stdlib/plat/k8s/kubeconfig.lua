--- Kubeconfig files: found, read, merged and resolved as kubectl does it.
local check = require("plat.check")
local fault = require("plat.fault")
local fs = require("prim.fs")
local sys = require("prim.sys")
local yaml = require("plat.yaml")

local M = {}

local ABOUT = { op = "k8s.kubeconfig" }
local ENOENT = 2
local MAX_BYTES = 4 * 1024 * 1024

-- Paths inside an entry that are relative to the file that holds it.
local CLUSTER_PATHS = { "certificate-authority" }
local USER_PATHS = { "client-certificate", "client-key", "tokenFile" }

local function directory_of(path)
  return path:match("^(.*)/[^/]*$") or "."
end

local function absolute(path, dir)
  return path:sub(1, 1) == "/" and path or (dir .. "/" .. path)
end

-- Returns the number of the first line of `text` that contains `word`, for messages.
local function line_of(text, word)
  local number = 0
  for line in (text .. "\n"):gmatch("(.-)\n") do
    number = number + 1
    if line:find(word, 1, true) then
      return number
    end
  end
  return 1
end

local function bad(file, text, word, msg, hint)
  fault.raise("parse", ABOUT, {
    msg = ("%s:%d: %s"):format(file, line_of(text, word), msg),
    hint = hint,
  })
end

-- Returns the entries of a `clusters:`-like list as a map by name; the first of equal names wins.
local function by_name(doc, field, inner, file, text)
  local map = {}
  local list = doc[field]
  if type(list) ~= "table" then
    if list ~= nil and list ~= yaml.null then
      bad(file, text, field .. ":", ("`%s` must be a list"):format(field))
    end
    return map
  end
  for _, entry in ipairs(list) do
    if type(entry) ~= "table" or type(entry.name) ~= "string" then
      bad(file, text, field .. ":", ("an entry of `%s` has no `name`"):format(field))
    end
    local value = entry[inner]
    if value == nil or value == yaml.null then
      value = {}
    end
    if type(value) ~= "table" then
      bad(file, text, entry.name, ("`%s` of %q must be a map"):format(inner, entry.name))
    end
    if not map[entry.name] then
      local copy = { ["-file"] = file }
      for key, item in pairs(value) do
        if item ~= yaml.null then
          copy[key] = item
        end
      end
      map[entry.name] = copy
    end
  end
  return map
end

local function resolve_paths(map, fields, dir)
  for _, entry in pairs(map) do
    for _, field in ipairs(fields) do
      if type(entry[field]) == "string" and entry[field] ~= "" then
        entry[field] = absolute(entry[field], dir)
      end
    end
    local exec = entry.exec
    if type(exec) == "table" and type(exec.command) == "string" then
      if exec.command:find("/", 1, true) then
        exec.command = absolute(exec.command, dir)
      end
    end
  end
end

---@class plat.k8s.Kubeconfig
---@field files string[] the files read, in order
---@field current? string
---@field clusters table<string, table>
---@field users table<string, table>
---@field contexts table<string, table>

--- Reads the text of one kubeconfig file. Pure.
---@param text string
---@param file string its path: for messages, and for relative paths inside it
---@return plat.k8s.Kubeconfig
function M.parse(text, file)
  local docs = yaml.decode(text, { dialect = "kubernetes", name = file })
  local doc = docs[1]
  if doc == nil or doc == yaml.null then
    doc = {}
  end
  if type(doc) ~= "table" then
    bad(file, text, "", "not a kubeconfig: the document is not a map")
  end
  if doc.kind ~= nil and doc.kind ~= "Config" then
    bad(
      file,
      text,
      "kind:",
      ("kind is %q, a kubeconfig has `kind: Config`"):format(tostring(doc.kind)),
      "this may be a manifest: name the kubeconfig with KUBECONFIG or `kubeconfig =`"
    )
  end
  if #docs > 1 then
    bad(file, text, "---", "a kubeconfig holds one document, this file has " .. #docs)
  end
  local config = {
    files = { file },
    clusters = by_name(doc, "clusters", "cluster", file, text),
    users = by_name(doc, "users", "user", file, text),
    contexts = by_name(doc, "contexts", "context", file, text),
  }
  local current = doc["current-context"]
  if type(current) == "string" and current ~= "" then
    config.current = current
  end
  local dir = directory_of(file)
  resolve_paths(config.clusters, CLUSTER_PATHS, dir)
  resolve_paths(config.users, USER_PATHS, dir)
  return config
end

--- Merges kubeconfigs: the first file that sets a value wins; entries are taken whole, by name.
---@param list plat.k8s.Kubeconfig[]
---@return plat.k8s.Kubeconfig
function M.merge(list)
  local merged = { files = {}, clusters = {}, users = {}, contexts = {} }
  for _, config in ipairs(list) do
    merged.current = merged.current or config.current
    for _, file in ipairs(config.files) do
      merged.files[#merged.files + 1] = file
    end
    for _, part in ipairs({ "clusters", "users", "contexts" }) do
      for name, entry in pairs(config[part]) do
        if merged[part][name] == nil then
          merged[part][name] = entry
        end
      end
    end
  end
  return merged
end

--- Returns the files that count, in order, and whether they must exist.
---@param explicit? string a path given by the caller: the only file then
---@param env fun(name: string): string? the environment
---@return string[] paths
---@return boolean required
function M.paths(explicit, env)
  if explicit then
    local home = env("HOME")
    if home then
      explicit = explicit:gsub("^~/", (home:gsub("%%", "%%%%")) .. "/")
    end
    return { explicit }, true
  end
  local list = env("KUBECONFIG")
  if list and list ~= "" then
    local paths = {}
    for path in list:gmatch("[^:]+") do
      paths[#paths + 1] = path
    end
    return paths, false
  end
  local home = env("HOME")
  return home and { home .. "/.kube/config" } or {}, false
end

-- Refuses a file that anybody may change: it can name a command to run.
local function read_file(path)
  local text, err = fs.read(path, { max = MAX_BYTES })
  if not text then
    return nil, err
  end
  local info = fs.stat(path)
  if info and info.type == "file" and info.mode & 2 ~= 0 then
    fault.raise("refused", ABOUT, {
      msg = path .. ": anybody on this machine may write this kubeconfig",
      hint = "chmod o-w " .. path,
    })
  end
  return text
end

--- Reads and merges the kubeconfig files; nil when there is none (and none was named).
---@param explicit? string
---@param env? fun(name: string): string? default the process's
---@return plat.k8s.Kubeconfig?
---@return string[] tried the paths looked at
function M.load(explicit, env)
  local paths, required = M.paths(explicit, env or sys.getenv)
  local list = {}
  for _, path in ipairs(paths) do
    local text, err = read_file(path)
    if text then
      list[#list + 1] = M.parse(text, path)
    elseif required or err.code ~= ENOENT then
      fault.raise("io", ABOUT, {
        msg = err.msg,
        hint = required and "check `kubeconfig` of the inventory" or "check KUBECONFIG",
      })
    end
  end
  if #list == 0 then
    return nil, paths
  end
  return M.merge(list), paths
end

local function names_of(map)
  local names = {}
  for name in pairs(map) do
    names[#names + 1] = name
  end
  table.sort(names)
  return names
end

local function pick(map, name, what, files)
  local entry = map[name]
  if entry then
    return entry
  end
  local names = names_of(map)
  local near = check.suggest(name, names)
  local listed = #names > 0 and table.concat(names, ", ", 1, math.min(#names, 12)) or "none"
  fault.raise("parse", ABOUT, {
    msg = ("no %s %q in %s"):format(what, name, table.concat(files, ", ")),
    hint = near and ("did you mean %q?"):format(near) or ("%ss there: %s"):format(what, listed),
  })
end

---@class plat.k8s.Target what a context stands for
---@field name string the context's name
---@field namespace string
---@field cluster table the kubeconfig's cluster entry, paths absolute
---@field user table the kubeconfig's user entry, paths absolute
---@field user_name string

--- Returns what a context stands for. Pure.
---@param config plat.k8s.Kubeconfig
---@param context? string default: the current context
---@return plat.k8s.Target
function M.resolve(config, context)
  local files = table.concat(config.files, ", ")
  local name = context or config.current
  if not name then
    local names = names_of(config.contexts)
    fault.raise("parse", ABOUT, {
      msg = ("%s names no current-context"):format(files),
      hint = #names > 0 and ("name one: " .. table.concat(names, ", ")) or "it has no contexts",
    })
  end
  local entry = pick(config.contexts, name, "context", config.files)
  if type(entry.cluster) ~= "string" or entry.cluster == "" then
    fault.raise("parse", ABOUT, {
      msg = ("context %q of %s names no cluster"):format(name, files),
      hint = "kubectl config set-context NAME --cluster=CLUSTER",
    })
  end
  local cluster = pick(config.clusters, entry.cluster, "cluster", config.files)
  if type(cluster.server) ~= "string" or cluster.server == "" then
    fault.raise("parse", ABOUT, {
      msg = ("cluster %q of %s has no server"):format(entry.cluster, cluster["-file"]),
      hint = "add `server: https://HOST:6443`",
    })
  end
  local user = {}
  if type(entry.user) == "string" and entry.user ~= "" then
    user = pick(config.users, entry.user, "user", config.files)
  end
  return {
    name = name,
    namespace = type(entry.namespace) == "string" and entry.namespace or "default",
    cluster = cluster,
    user = user,
    user_name = type(entry.user) == "string" and entry.user or "",
  }
end

return M
