--- Dynamic inventories: programs that print an inventory as JSON.
local fault = require("plat.fault")
local json = require("plat.json")
local list = require("plat.list")
local out = require("plat.out")
local proc = require("plat.proc")
local value = require("plat.inventory.value")

local M = {}

local TIMEOUT = 120

local function fail(path, msg, hint)
  fault.raise("parse", nil, {
    msg = ("%s: %s"):format(path, msg),
    hint = hint or ("%s --list prints it"):format(path),
    where = "",
  })
end

--- Runs the program, shows what it says on stderr, and returns its answer.
local function ask(path, argv, timeout)
  local answer, err = fault.try(proc.read, argv, { timeout = timeout })
  local said = answer and answer.stderr or err.detail and err.detail.stderr or ""
  for line in said:gmatch("[^\n]+") do
    out.err(("%s: %s"):format(path, line))
  end
  if not answer then
    fault.raise(err.kind == "timeout" and "timeout" or "exit", { op = "inventory" }, {
      msg = ("%s: %s"):format(table.concat(argv, " "), err.msg),
      hint = "run it by hand; what it prints on stderr is shown above",
      code = err.code,
      cause = err,
      where = "",
    })
  end
  return answer.stdout
end

local function decode(path, text)
  local data = value.from_json(json.decode(text, { name = path }))
  if type(data) ~= "table" or json.is_array(data) or data == json.null then
    fail(path, "what it prints is not a JSON object")
  end
  return data
end

--- Returns the names of an object's fields in the order of the text, which json.decode loses.
---@param text string JSON that was decoded
---@return string[]
function M.fields(text)
  local names, depth, pos, at_key = {}, 0, 1, false
  while true do
    local start = text:find('[%[%]{},:"]', pos)
    if not start then
      return names
    end
    local c = text:sub(start, start)
    pos = start + 1
    if c == '"' then
      while text:sub(pos, pos) ~= '"' do
        pos = pos + (text:sub(pos, pos) == "\\" and 2 or 1)
      end
      if depth == 1 and at_key then
        names[#names + 1] = json.decode(text:sub(start, pos))
      end
      pos = pos + 1
    elseif c == "{" or c == "[" then
      depth = depth + 1
    elseif c == "}" or c == "]" then
      depth = depth - 1
    end
    at_key = depth == 1 and (c == "{" or c == ",")
  end
end

local function set(tree, path, entry, key, item)
  local problem = tree:set(entry, key, item, { name = path })
  if problem then
    fail(path, problem)
  end
end

local function check_kind(path, group, data, what, is_array)
  if
    type(data) ~= "table"
    or data == json.null
    or (not list.is_empty(data) and json.is_array(data) ~= is_array)
  then
    fail(
      path,
      ("group %s: %s is not a JSON %s"):format(group, what, is_array and "array" or "object")
    )
  end
  return data
end

local function add_group(tree, path, name, data, hosts)
  local group = tree:group(name)
  if type(data) ~= "table" or json.is_array(data) then
    data = { hosts = data }
  elseif data.hosts == nil and data.vars == nil and data.children == nil then
    data = { hosts = { name }, vars = data } -- a host with its variables
    json.array(data.hosts)
  end
  for _, host in
    ipairs(data.hosts ~= nil and check_kind(path, name, data.hosts, "hosts", true) or {})
  do
    hosts[#hosts + 1] = tree:host(host, group, path).name
  end
  local vars = data.vars ~= nil and check_kind(path, name, data.vars, "vars", false) or {}
  for key, item in pairs(vars) do
    set(tree, path, group, key, item)
  end
  local children = data.children ~= nil and check_kind(path, name, data.children, "children", true)
  for _, child in ipairs(children or {}) do
    local ok, problem = tree:child(group, child)
    if not ok then
      fail(path, problem)
    end
  end
end

--- Runs a program with `--list`, and with `--host NAME` for each host if it prints no
--- `_meta.hostvars`; puts what it says into a tree.
---@async
---@param tree plat.inventory.Tree
---@param path string
---@param opts? { timeout: number? } seconds for each call
function M.read(tree, path, opts)
  local program = path:find("/", 1, true) and path or "./" .. path
  local timeout = opts and opts.timeout or TIMEOUT
  local text = ask(path, { program, "--list" }, timeout)
  local data, hosts, asked = decode(path, text), {}, {}
  for _, name in ipairs(M.fields(text)) do
    if name ~= "_meta" and data[name] ~= nil then
      add_group(tree, path, name, data[name], hosts)
    end
  end
  local meta = type(data._meta) == "table" and data._meta.hostvars
  for _, name in ipairs(hosts) do
    if not asked[name] then
      asked[name] = true
      local vars = meta and (meta[name] or {})
      if not meta then
        local answer = ask(path, { program, "--host", name }, timeout)
        vars = answer:find("%S") and decode(path, answer) or {}
      end
      for key, item in pairs(check_kind(path, name, vars, "the variables", false)) do
        set(tree, path, tree.hosts_by_name[name], key, item)
      end
    end
  end
end

return M
