--- Finds and loads files of tests.

local fault = require("plat.fault")
local fs = require("prim.fs")

local M = {}

--- Loads a file and returns its tests by title.
---@param path string
---@return table<string, function|table>
function M.load(path)
  local text = fault.must({ op = "test", object = path }, fs.read(path))
  local chunk, err = load(text, "@" .. path)
  if not chunk then
    fault.raise("parse", { op = "test" }, { msg = err })
  end
  local tests = chunk(path)
  if type(tests) ~= "table" then
    fault.raise("usage", { op = "test" }, { msg = path .. " does not return a table of tests" })
  end
  return tests
end

--- Returns the files that paths stand for: of a folder those whose names end with _test.lua.
---@param paths string[]
---@return string[]
function M.find(paths)
  local found = {}
  local function add(path)
    local st, err = fs.stat(path)
    if not st then
      fault.raise("usage", nil, {
        msg = err.msg,
        hint = "platrun test takes files and folders with *_test.lua in them",
        where = "",
      })
    end
    if st.type ~= "directory" then
      found[#found + 1] = path
      return
    end
    for _, name in ipairs(fs.list(path)) do
      local full = path .. "/" .. name
      if name:find("_test%.lua$") or fs.stat(full).type == "directory" then
        add(full)
      end
    end
  end
  for _, path in ipairs(paths) do
    add(path)
  end
  return found
end

return M
