--- Local programs, started from lists of arguments: no shell, no quoting.

local check = require("plat.check")
local effect = require("plat.effect")
local fault = require("plat.fault")
local list = require("plat.list")

local secret = require("plat.env").lazy("plat.secret")

local M = {}

local IN_ARGV = "a secret in the arguments of a program can be read by everybody: "
  .. "give it by stdin, env or a file"

local COMMON = {
  stdin = { type = "sendable", help = "text or secret, sent, then closed; default: nothing" },
  env = { type = "table", help = "added to the environment: text or secret; false removes" },
  clear_env = { type = "boolean", default = false, help = "start from an empty environment" },
  cwd = { type = "string", help = "working directory" },
  timeout = { type = "duration", default = "60s", help = "then the program is ended" },
  grace = { type = "duration", default = "5s", help = "between SIGTERM and SIGKILL" },
  max_output = { type = "bytes", default = "16MB", help = "of stdout and of stderr" },
  ok = { type = "list", help = "exit codes that are no failure; default: 0" },
}

local READ = check.options("proc.read", COMMON)
local RUN = check.options(
  "proc.run",
  list.merge(COMMON, {
    text = { type = "string", help = "what it does, for plan and report; default: the command" },
    recovery = {
      type = "enum",
      enum = { "repeatable", "unknowable" },
      default = "unknowable",
      help = "what to do when nobody knows whether it ran",
    },
    creates = { type = "string", help = "a path: if it exists, the program ran; it is not run" },
    unless = { type = "list", help = "a command that only looks: exit 0 says that it ran" },
    probe = { type = "any", help = "a function that only looks: true if it ran" },
    planned = { type = "any", help = "what a plan goes on with" },
  })
)

---@class plat.proc.Output
---@field code integer 128 + its number for a signal
---@field signal? string "SIGKILL"
---@field stdout string
---@field stderr string
---@field skipped? boolean it was not run: `creates` or `unless` says that it has been

local function show(argv)
  local words = {}
  for i, word in ipairs(argv) do
    words[i] = word:find("^[%w%-_./=:@,+%%]+$") and word or "'" .. word:gsub("'", "'\\''") .. "'"
  end
  return table.concat(words, " ")
end

local function check_argv(op, argv)
  if type(argv) ~= "table" or type(argv[1]) ~= "string" then
    error(op .. ": the command is a list: { program, argument, ... }", 3)
  end
  for _, word in ipairs(argv) do
    if type(word) == "userdata" and secret.is(word) then
      error(op .. ": " .. IN_ARGV, 3)
    end
  end
end

local function prim_opts(opts)
  return {
    stdin = opts.stdin,
    env = opts.env,
    clear_env = opts.clear_env,
    cwd = opts.cwd,
    timeout = opts.timeout,
    grace = opts.grace,
    max_output = opts.max_output,
  }
end

--- Returns the output, or raises kind "exit" with the last line that the program said.
local function judge(op, argv, out, opts)
  if list.contains(opts.ok or { 0 }, out.code) then
    return out
  end
  local said = (out.stderr ~= "" and out.stderr or out.stdout):match("([^\n]+)\n*$")
  local how = out.signal and "ended by " .. out.signal or "exit " .. out.code
  fault.raise("exit", { op = op, target = "localhost", object = argv[1] }, {
    code = out.code,
    msg = said and how .. ": " .. said or how,
    detail = out,
  })
end

--- Runs a program that changes nothing, in plan mode too. Unwanted exit codes raise kind "exit".
---@async
---@param argv string[]
---@param opts? table stdin, env, clear_env, cwd, timeout, grace, max_output, ok
---@return plat.proc.Output
function M.read(argv, opts)
  check_argv("proc.read", argv)
  opts = READ(opts)
  local out = effect.proc({
    argv = argv,
    opts = prim_opts(opts),
    op = "proc.read",
    read = "the caller says that it changes nothing",
  })
  return judge("proc.read", argv, out, opts)
end

--- Returns the function that sees whether the program has run, and whether it is asked before.
local function witness(opts)
  if opts.creates then
    return function()
      return require("plat.fs").exists(opts.creates)
    end, true
  elseif opts.unless then
    return function()
      local req = { argv = opts.unless, opts = { timeout = opts.timeout, cwd = opts.cwd } }
      req.op, req.read = "proc.read", "the caller says that it changes nothing"
      return effect.proc(req).code == 0
    end,
      true
  end
  return opts.probe, false
end

--- Runs a program as a change: planned, recorded, inside a step. Unwanted exit codes raise "exit".
--- With `creates` or `unless` it is run only where that says that it has not. They, or `probe`,
--- also tell after an interruption whether it ran; without them a person is asked.
---@async
---@param argv string[]
---@param opts? table as `read`, and text, recovery, creates, unless, probe, planned
---@return plat.proc.Output
function M.run(argv, opts)
  check_argv("proc.run", argv)
  opts = RUN(opts)
  local ran, first = witness(opts)
  if first and ran() then
    return { code = 0, stdout = "", stderr = "", skipped = true }
  end
  local out = effect.proc({
    argv = argv,
    opts = prim_opts(opts),
    op = "proc.run",
    object = argv[1],
    change = {
      text = opts.text or "run " .. show(argv),
      args = { argv = list.copy(argv), cwd = opts.cwd },
      recovery = ran and "probed" or opts.recovery,
      probe = ran,
      bad = function(result)
        return not list.contains(opts.ok or { 0 }, result.code)
      end,
      planned = opts.planned,
      veiled = true,
    },
  })
  if effect.planning() then
    return out
  end
  return judge("proc.run", argv, out, opts)
end

return M
