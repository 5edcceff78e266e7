--- The contract of the Kubernetes API: the same cases on the simulated and on a real cluster.
---
---   lua5.4 run.lua model [--only TEXT] [FILE...]     in process
---   lua5.4 run.lua real [...]                        PLATRUN_TEST_KUBECONFIG names the server
---   lua5.4 run.lua record [...]                      asks the real server for the golden answers
local root = arg[0]:match("^(.*)/[^/]*$") or "."

local function read(name)
  local file = io.open(root .. "/" .. name)
  local text = file and file:read("a")
  if file then
    file:close()
  end
  return text
end

local function write(name, text)
  local file = assert(io.open(root .. "/" .. name, "w"))
  file:write(text)
  file:close()
end

local loaded = {}

--- Loads a file of this directory once.
local function need(name)
  if loaded[name] == nil then
    local text = assert(read(name .. ".lua"), "no file " .. name)
    loaded[name] = assert(load(text, "@" .. name .. ".lua"))(need)
  end
  return loaded[name]
end

need("shim").install(root .. "/../../..")
local FILES = need("files")

local function usage()
  io.stderr:write("usage: lua5.4 run.lua model|real|record [--only TEXT] [FILE...]\n")
  os.exit(64)
end

local mode, files, only = arg[1], {}, nil
local i = 2
while arg[i] do
  if arg[i] == "--only" then
    only = arg[i + 1]
    i = i + 1
  else
    files[#files + 1] = arg[i]
  end
  i = i + 1
end
if mode ~= "model" and mode ~= "real" and mode ~= "record" then
  usage()
end
local mount
if mode == "model" then
  mount = need("mount_model").new()
else
  local kubeconfig = os.getenv("PLATRUN_TEST_KUBECONFIG")
  if not kubeconfig then
    print("1..0 # SKIP PLATRUN_TEST_KUBECONFIG names no real server")
    os.exit(0)
  end
  mount = need("mount_curl").new(kubeconfig)
end
local failed = need("suite").run({
  read = read,
  write = write,
  trace = function(e)
    return tostring(e) .. "\n" .. debug.traceback()
  end,
  tag = mode == "model" and "m" or ("%x"):format(os.time()),
  mount = mount,
  json = require("plat.json"),
  files = #files > 0 and files or FILES,
  record = mode == "record",
  only = only,
  say = print,
})
os.exit(failed == 0 and 0 or 1)
