--- Every function that a header declares is used by another file than its own.
package.path = "tests/check/?.lua;" .. package.path
local lib = require("lib")

local sources = {}
for _, path in ipairs(lib.files("'runtime/*.c' 'runtime/*.h' 'tests/c/*.c' 'tests/fuzz/*.c'")) do
  sources[path] = lib.without_c_comments(lib.read(path))
end

local function used_elsewhere(name, own)
  local pattern = "%f[%w_]" .. name .. "%f[^%w_]"
  for path, text in pairs(sources) do
    if path ~= own .. ".h" and path ~= own .. ".c" and text:find(pattern) then
      return true
    end
  end
  return false
end

local problems = {}
for _, path in ipairs(lib.files("'runtime/*.h'")) do
  local own = path:gsub("%.h$", "")
  for name in sources[path]:gmatch("%f[%w_](plat_[%w_]+)%s*%(") do
    local inline = sources[path]:find("static inline [^;{]-" .. name .. "%s*%(")
    if not inline and not name:match("_fn$") and not used_elsewhere(name, own) then
      problems[#problems + 1] = ("%s: %s is used nowhere else: make it static"):format(path, name)
    end
  end
end
lib.rule("every exported function is used outside its own file", problems)
lib.done()
