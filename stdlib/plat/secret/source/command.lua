--- Secrets that a program prints: `command:["pass", "show", "db/prod"]`, or words without quotes,
--- `command:pass show db/prod`. No shell is involved, and the program must only read.

local common = require("plat.secret.common")
local fault = require("plat.fault")
local json = require("plat.json")
local proc = require("plat.proc")

local M = {}

local TIMEOUT = 30
local MAX = 1024 * 1024

--- Returns the list of arguments that a reference stands for. Pure.
---@param rest string
---@param about table
---@return string[]
function M.argv(rest, about)
  local words = {}
  if rest:find("^%s*%[") then
    local value, err = fault.try(json.decode, rest)
    local good = type(value) == "table" and #value > 0
    for i, word in ipairs(good and value or {}) do
      good = good and type(word) == "string" and (i > 1 or word ~= "")
    end
    if not good then
      fault.raise("usage", about, {
        msg = "the command is not a JSON list of texts" .. (err and ": " .. err.msg or ""),
        hint = 'write command:["PROGRAM", "ARGUMENT"]',
      })
    end
    return value
  end
  for word in rest:gmatch("%S+") do
    words[#words + 1] = word
  end
  if #words == 0 then
    fault.raise("usage", about, {
      msg = "no program is given",
      hint = "write command:PROGRAM ARGUMENT ...",
    })
  elseif rest:find("[\"'`$|<>;\\]") then
    fault.raise("usage", about, {
      msg = "words are split at blanks only: no quotes, no variables, no pipes",
      hint = 'write a list, command:["PROGRAM", "ARGUMENT WITH BLANKS"], or a script of your own',
    })
  end
  return words
end

--- Raises what went wrong, without what the program printed on stdout.
local function raise_failure(about, argv, err)
  local said = type(err.detail) == "table" and err.detail.stderr:match("([^\n]+)\n*$")
  local msg = err.msg
  if err.kind == "exit" then
    local how = err.detail.signal and "ended by " .. err.detail.signal or "exit " .. err.code
    msg = ("%s: %s%s"):format(argv[1], how, said and ": " .. said or "")
  end
  fault.raise(err.kind == "exit" and "auth" or err.kind, about, {
    msg = msg,
    code = err.code,
    hint = err.kind == "timeout" and "does it wait for somebody to type? It has no terminal here"
      or err.hint,
  })
end

--- Returns what a program prints, without one newline at its end.
---@async
---@param rest string
---@return string
function M.read(rest)
  local about = common.about("command", rest)
  local argv = M.argv(rest, about)
  local out, err = fault.try(proc.read, argv, { timeout = TIMEOUT, max_output = MAX })
  if not out then
    raise_failure(about, argv, err)
  end
  local text = common.chomp(out.stdout)
  if text == "" then
    fault.raise("auth", about, {
      msg = ("%s printed nothing"):format(argv[1]),
      hint = "the secret is what it prints on its standard output",
    })
  end
  return text
end

return M
