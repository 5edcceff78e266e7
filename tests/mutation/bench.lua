--- A bench on which mutants are tried: a copy of the tree whose standard library and playbooks may
--- be changed, beside links to the rest.
local M = {}

local Bench = {}
Bench.__index = Bench

local function shell(command)
  local ok, _, code = os.execute(command)
  return ok and 0 or code
end

local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("a")
  file:close()
  return text
end

local function write(path, text)
  local file = assert(io.open(path, "wb"))
  file:write(text)
  file:close()
end

M.read, M.write = read, write

--- Makes a bench in a folder.
---@param root string the tree
---@param dir string
function M.new(root, dir)
  local script = ([[
set -e
rm -rf '%s' && mkdir -p '%s/build' '%s/state' && cd '%s'
for one in '%s'/*; do
    case ${one##*/} in build | stdlib | playbooks | tests) ;; *) ln -s "$one" . ;; esac
done
cp -r '%s/stdlib' '%s/playbooks' '%s/tests' .
cp '%s/build/platrun' build/
]]):format(dir, dir, dir, dir, root, root, root, root, root)
  assert(shell(script) == 0, "the bench cannot be made")
  return setmetatable({ root = root, dir = dir }, Bench)
end

--- Runs one test; "passed", "failed" or "deadline".
---@param test string arguments of `platrun test`
---@param seconds integer
function Bench:try(test, seconds)
  local file = test:match("^%S+")
  if not io.open(self.dir .. "/" .. file) then
    return "passed" -- it is not there (yet)
  end
  local program = "build/platrun test -j 1 " .. test
  if test:find("%.sh$") then
    program = ("env PLATRUN='%s/build/platrun' bash %s"):format(self.dir, test)
  end
  local command = (
    "cd '%s' && rm -rf state && env PLATRUN_STDLIB='%s/stdlib' XDG_STATE_HOME='%s/state' "
    .. "NO_COLOR=1 timeout -k 5 %d %s >out.log 2>&1 </dev/null"
  ):format(self.dir, self.dir, self.dir, seconds, program)
  local code = shell(command)
  if code == 0 then
    return "passed"
  end
  return (code == 124 or code == 137) and "deadline" or "failed"
end

--- Tries a mutant against tests, until one notices.
---@param file string
---@param text string of the mutant
---@param tests string[]
---@param seconds integer for each of them
---@return string? by the test that noticed; nil: it survived
---@return string? how
function Bench:judge(file, text, tests, seconds)
  local path = self.dir .. "/" .. file
  local original = read(path)
  write(path, text)
  local by, how
  for _, test in ipairs(tests) do
    local word = self:try(test, seconds)
    if word ~= "passed" then
      by, how = test, word
      break
    end
  end
  write(path, original)
  return by, how
end

return M
