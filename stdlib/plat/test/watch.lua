--- `platrun test --watch`: runs again whenever a file changes, until it is interrupted.

local fault = require("plat.fault")
local fork = require("prim.fork")
local fs = require("prim.fs")
local out = require("plat.out")
local task = require("plat.task")

local M = {}

local EVERY = 0.5 -- seconds between looks

--- Returns a text that changes when a file below the paths does.
local function state_of(paths)
  local words = {}
  local function add(path)
    local st = fs.stat(path)
    if st and st.type == "directory" then
      for _, name in ipairs(fs.list(path) or {}) do
        if name:sub(1, 1) ~= "." then
          add(path .. "/" .. name)
        end
      end
    elseif st and path:find("%.lua$") or st and path:find("%.ya?ml$") then
      words[#words + 1] = ("%s %s %d"):format(path, st.mtime, st.size)
    end
  end
  for _, path in ipairs(paths) do
    add(path)
  end
  return table.concat(words, "\n")
end

--- Runs the tests in a copy of this process, so that what was loaded is loaded again.
local function once(run)
  local child, err = fork.start({})
  if child == true then
    local ok, status = xpcall(run, fault.from_handler)
    if not ok then
      out.err("error: " .. fault.text(status, 1))
    end
    fork.finish("", ok and status or 2)
  elseif not child then
    fault.raise_err({ op = "test" }, err)
  end
  while not fork.wait({ child }, 0.2) do
    task.sleep(0)
  end
  local ended = child:ended()
  child:close()
  out.line((ended.output:gsub("\n$", "")))
end

--- Runs the tests now and after each change of a file in the folders of tests, in `playbooks` and
--- in `inventory`.
---@async
---@param paths string[]
---@param run fun(): integer
function M.run(paths, run)
  local watched = { "playbooks", "inventory", table.unpack(paths) }
  while true do
    local before = state_of(watched)
    once(run)
    out.line("watching: " .. table.concat(watched, ", "))
    while state_of(watched) == before do
      task.sleep(EVERY)
    end
  end
end

return M
