--- Hosts of the inventory: commands on them, over SSH or on this machine (`ansible_connection:
--- local`).

local check = require("plat.check")
local effect = require("plat.effect")
local fault = require("plat.fault")
local list = require("plat.list")
local perform = require("plat.host.command").perform
local sys = require("prim.sys")

local M = {}

local verbs = {}
for _, module in ipairs(sys.modules()) do
  verbs[module:match("^plat%.host%.verb%.([%w_]+)$") or 0] = true
end

---@class plat.Host
---@field name string
---@field address string
---@field vars table the inventory's variables
local Host = { __name = "plat.Host" }

--- The methods stand here or, one a file, in plat.host.verb.
function Host.__index(_, name)
  local method = rawget(Host, name)
  if method == nil and verbs[name] then
    method = require("plat.host.verb." .. name)
    Host[name] = method
  end
  return method
end

local COMMON = {
  stdin = { type = "sendable", help = "sent, then closed; default: nothing" },
  timeout = { type = "duration", default = "60s", help = "then the command is given up" },
  max_output = { type = "bytes", default = "16MB", help = "of stdout and of stderr" },
  ok = { type = "list", help = "exit codes that are no failure; default: 0" },
}

local READ = check.options("host:read", COMMON)
local RUN = check.options(
  "host:run",
  list.merge(COMMON, {
    text = { type = "string", help = "what it does, for plan and report; default: the command" },
    recovery = {
      type = "enum",
      enum = { "repeatable", "unknowable" },
      default = "unknowable",
      help = "what to do when nobody knows whether it ran",
    },
    creates = { type = "string", help = "a path there: if it exists, the command has run" },
    unless = { type = "list", help = "a command that only looks: exit 0 says that it has run" },
    planned = { type = "any", help = "what a plan goes on with" },
  })
)

--- Makes a host of what the inventory says of it.
---@param entry { name: string, address: string, vars: table } from inventory:hosts()
---@return plat.Host
function M.new(entry)
  local self = { name = entry.name, address = entry.address, vars = entry.vars }
  return setmetatable(self, Host)
end

function Host:__tostring()
  return "host " .. self.name
end

--- Returns a command line of a POSIX shell that means exactly these words.
---@param argv string[]
---@return string
function M.quote(argv)
  return table.concat(
    list.map(argv, function(word)
      if word:find("^[%w_./:=@,+-]+$") then
        return word
      end
      return "'" .. word:gsub("'", "'\\''") .. "'"
    end),
    " "
  )
end

--- Returns whether the host is this machine.
---@return boolean
function Host:is_local()
  return self.vars.ansible_connection == "local"
end

local function words_of(op, argv)
  if type(argv) ~= "table" or type(argv[1]) ~= "string" then
    error(op .. ": the command is a list: { program, argument, ... }", 3)
  end
  return M.quote(argv)
end

--- Returns the output, or raises kind "exit" with the last line that the command said.
local function judge(self, op, command, out, opts)
  if list.contains(opts.ok or { 0 }, out.code) then
    return out
  end
  local said = (out.stderr ~= "" and out.stderr or out.stdout):match("([^\n]+)\n*$")
  local how = out.signal and "ended by " .. out.signal or "exit " .. out.code
  fault.raise("exit", { op = op, target = "host " .. self.name, object = command }, {
    code = out.code,
    msg = said and how .. ": " .. said or how,
    detail = out,
  })
end

--- Returns what is asked, as data: a simulated world answers it.
local function call_of(command, argv, opts)
  return {
    verb = "command",
    text = command,
    argv = argv,
    stdin = opts.stdin,
    timeout = opts.timeout,
  }
end

local function look(self, op, command, argv, opts)
  local out = effect.remote({
    target = "host " .. self.name,
    op = op,
    object = command,
    read = "the caller says that it changes nothing",
    call = call_of(command, argv, opts),
    here = self:is_local(),
    perform = function()
      return perform(self, command, opts)
    end,
  })
  return judge(self, op, command, out, opts)
end

--- Returns the function that sees whether a command has run, nil without one.
local function witness(self, opts)
  local words = opts.creates and { "test", "-e", opts.creates } or opts.unless
  return words
    and function()
      local command = M.quote(words)
      return effect.remote({
        target = "host " .. self.name,
        op = "host.read",
        object = command,
        read = "it only looks",
        call = call_of(command, words, { timeout = opts.timeout }),
        here = self:is_local(),
        perform = function()
          return perform(self, command, opts)
        end,
      }).code == 0
    end
end

local function change(self, op, command, argv, opts)
  local ran = witness(self, opts)
  if ran and ran() then
    return { code = 0, stdout = "", stderr = "", skipped = true }
  end
  local out = effect.remote({
    target = "host " .. self.name,
    op = op,
    object = command,
    change = {
      text = opts.text or "run " .. command,
      args = { command = command },
      recovery = ran and "probed" or opts.recovery,
      probe = ran,
      bad = function(result)
        return not list.contains(opts.ok or { 0 }, result.code)
      end,
      planned = opts.planned,
      veiled = true,
    },
    call = call_of(command, argv, opts),
    here = self:is_local(),
    perform = function()
      return perform(self, command, opts)
    end,
  })
  return effect.planning() and out or judge(self, op, command, out, opts)
end

--- Runs a command that changes nothing, in plan mode too. Unwanted exit codes raise kind "exit".
---@async
---@param argv string[]
---@param opts? table stdin, timeout, max_output, ok
---@return plat.proc.Output
function Host:read(argv, opts)
  return look(self, "host.read", words_of("host:read", argv), argv, READ(opts))
end

--- Runs a command as a change: planned, recorded, inside a step. With `creates` or `unless` only
--- where that says that it has not run. Unwanted exit codes raise kind "exit".
---@async
---@param argv string[]
---@param opts? table as `read`, and text, recovery, creates, unless, planned
---@return plat.proc.Output
function Host:run(argv, opts)
  return change(self, "host.run", words_of("host:run", argv), argv, RUN(opts))
end

--- Runs a text by the login shell, as a change.
---@async
---@param text string
---@param opts? table as `run`
---@return plat.proc.Output
function Host:sh(text, opts)
  return change(self, "host.sh", text, nil, RUN(opts))
end

return M
