--- Names that the tree must not contain: places outside of it, unfinished business, secrets.
package.path = "tests/check/?.lua;" .. package.path
local lib = require("lib")

-- Written in two parts, so that this file does not find itself.
local FORBIDDEN = {
  { "../" .. "shared", "a path outside the tree" },
  { "/tmp/" .. "contract", "a path outside the tree" },
  { "/tmp/" .. "kube-bin", "a path outside the tree" },
  { "TO" .. "DO", "unfinished: do it or file it" },
  { "FIX" .. "ME", "unfinished: do it or file it" },
  { "BEGIN RSA PRIVATE" .. " KEY", "a key" },
}

local problems = {}
for _, path in ipairs(lib.files("")) do
  local text = lib.read(path)
  for _, entry in ipairs(FORBIDDEN) do
    if not path:match("%.sum$") and text:find(entry[1], 1, true) then
      problems[#problems + 1] = ("%s: %s: %s"):format(path, entry[1], entry[2])
    end
  end
end
lib.rule("nothing names what the tree must not know", problems)
lib.done()
