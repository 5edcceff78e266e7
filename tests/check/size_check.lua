--- Sizes: 400 lines a file, 60 lines and complexity 15 a function, 100 columns a line.
package.path = "tests/check/?.lua;" .. package.path
local lib = require("lib")

local ALLOW = "tests/check/size.allow"
local MAX_FILE, MAX_FUNCTION, MAX_COMPLEXITY, MAX_COLUMNS = 400, 60, 15, 100

local allowed = lib.allowed(ALLOW, 2)
local long_files, long_lines, functions = {}, {}, {}

local CODE = "'runtime/*.[ch]' '*.lua' 'tests/*.[ch]' 'tests/*.sh' tests/run tests/lint Makefile"
for _, path in ipairs(lib.files(CODE)) do
  local count = 0
  for number, line in lib.lines(path) do
    count = number
    local columns = utf8.len(line) or #line
    if columns > MAX_COLUMNS and not lib.is_allowed(allowed, path .. " columns") then
      long_lines[#long_lines + 1] = ("%s:%d: %d columns"):format(path, number, columns)
    end
  end
  if count > MAX_FILE and not lib.is_allowed(allowed, path .. " lines") then
    long_files[#long_files + 1] = ("%s: %d lines"):format(path, count)
  end
end

-- pmccabe: complexity, the same without switch, statements, first line, lines, place, name
local sources = table.concat(lib.files("'runtime/*.c'"), " ")
if sources ~= "" then
  for _, line in ipairs(lib.lines_of("pmccabe " .. sources)) do
    local complexity, lines, place, name =
      line:match("^(%d+)%s+%d+%s+%d+%s+%d+%s+(%d+)%s+(%S+):%s+(%S+)")
    local file = (place or ""):match("^(.-)%(")
    assert(file, "pmccabe printed something new: " .. line)
    local too_much = tonumber(complexity) > MAX_COMPLEXITY or tonumber(lines) > MAX_FUNCTION
    if too_much and not lib.is_allowed(allowed, file .. " " .. name) then
      functions[#functions + 1] = ("%s: %s: complexity %s, %s lines"):format(
        place,
        name,
        complexity,
        lines
      )
    end
  end
end

lib.rule(("files have at most %d lines"):format(MAX_FILE), long_files)
lib.rule(("lines have at most %d columns"):format(MAX_COLUMNS), long_lines)
lib.rule(
  ("C functions have at most %d lines and complexity %d"):format(MAX_FUNCTION, MAX_COMPLEXITY),
  functions
)
lib.no_leftovers("every exception is still needed", ALLOW, allowed)
lib.done()
