--- Hosts of the inventory: commands on them, over SSH or on this machine (`ansible_connection:
--- local`).

local become = require("plat.host.become")
local check = require("plat.check")
local effect = require("plat.effect")
local fault = require("plat.fault")
local flags = require("plat.ssh.given")
local lines = require("plat.env").lazy("plat.host.lines")
local list = require("plat.list")
local command = require("plat.host.command")
local quote = require("plat.host.quote")
local sys = require("prim.sys")

local M = {}

local verbs = {}
for _, name in ipairs(sys.modules("plat.host.verb.")) do
  verbs[name] = true
end

---@class plat.Host
---@field name string
---@field address string
---@field vars table the inventory's variables
local Host = { __name = "plat.Host" }

--- The methods stand here or, one a file, in plat.host.verb.
local function find_method(_, name)
  local method = verbs[name] and require("plat.host.verb." .. name) or nil
  if method then
    Host[name] = method
  end
  return method
end

Host.__index = setmetatable(Host, { __index = find_method })

local COMMON = {
  stdin = { type = "sendable", help = "sent, then closed; default: nothing" },
  timeout = { type = "duration", default = "60s", help = "then the command is given up" },
  max_output = { type = "bytes", default = "16MB", help = "of stdout and of stderr" },
  ok = { type = "list", help = "exit codes that are no failure; default: 0" },
  cwd = { type = "string", help = "the folder that it runs in; default: the user's home" },
  env = { type = "table", help = "added to the environment, text; false removes a name" },
  become = {
    type = "any",
    help = "as whom: true, a user, { user, method, password }; false: as who logs in",
  },
  on_line = {
    type = "function",
    help = 'fn(line, "stdout"|"stderr"), called as they come; then the output is empty',
  },
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
      return quote(word)
    end),
    " "
  )
end

--- Returns whether the host is this machine.
---@return boolean
function Host:is_local()
  return (self.vars.ansible_connection or flags.values().connection) == "local"
end

local function words_of(op, argv)
  if type(argv) ~= "table" or type(argv[1]) ~= "string" then
    error(op .. ": the command is a list: { program, argument, ... }", 3)
  end
  return M.quote(argv)
end

local ZERO = { 0 } -- the exit codes of success, unless others are given

--- Returns the output, or raises kind "exit" with the last line that the command said.
local function judge(self, op, text, out, opts)
  if list.contains(opts.ok or ZERO, out.code) then
    return out
  end
  local said = (out.stderr ~= "" and out.stderr or out.stdout):match("([^\n]+)\n*$")
  local how = out.signal and "ended by " .. out.signal or "exit " .. out.code
  fault.raise("exit", { op = op, target = "host " .. self.name, object = text }, {
    code = out.code,
    msg = said and how .. ": " .. said or how,
    detail = out,
  })
end

--- Performs a command, and hands its lines over if that is wanted.
local function asking(opts, fn)
  if not opts.on_line then
    return fn(opts)
  end
  local how = list.copy(opts)
  local take, finish = lines.splitter(opts.on_line)
  how.on_chunk = take
  local ok, out = xpcall(fn, fault.from_handler, how)
  finish()
  return ok and out or error(out, 0)
end

--- A simulated world's answer comes as a whole.
local function told(opts, out)
  if opts.on_line and type(out) == "table" and (out.stdout or "") .. (out.stderr or "") ~= "" then
    local take, finish = lines.splitter(opts.on_line)
    take("stdout", out.stdout or "")
    take("stderr", out.stderr or "")
    finish()
    out = list.merge(out, { stdout = "", stderr = "" })
  end
  return out
end

--- Returns what is asked, as data: a simulated world answers it.
local function call_of(text, argv, opts, as)
  return {
    verb = "command",
    text = text,
    argv = argv,
    stdin = opts.stdin,
    timeout = opts.timeout,
    cwd = opts.cwd,
    env = opts.env,
    become = as and { user = as.user, method = as.method } or nil,
  }
end

--- Runs a command that only looks. In a plan nobody knows what one sees behind a planned change of
--- its host, as it may look at anything there.
local function look(self, op, text, argv, opts, is_witness)
  return effect.remote({
    target = "host " .. self.name,
    op = op,
    object = text,
    read = "the caller says that it changes nothing",
    sees_all = not is_witness,
    call = call_of(text, argv, opts, become.of(self, opts.become)),
    here = self:is_local(),
    perform = function()
      return asking(list.merge(opts, { argv = argv }), function(how)
        return command.perform(self, text, how)
      end)
    end,
  })
end

--- Returns the function that sees whether a command has run, nil without one.
local function witness(self, opts)
  local words = opts.creates and { "test", "-e", opts.creates } or opts.unless
  local how = { timeout = opts.timeout, cwd = opts.cwd, env = opts.env, become = opts.become }
  return words
    and function()
      return look(self, "host.read", M.quote(words), words, how, true).code == 0
    end
end

local function change(self, op, text, argv, opts)
  local ran = witness(self, opts)
  if ran and ran() then
    return { code = 0, stdout = "", stderr = "", skipped = true }
  end
  local as = become.of(self, opts.become)
  local out = effect.remote({
    target = "host " .. self.name,
    op = op,
    object = text,
    change = {
      text = opts.text or "run " .. text,
      args = { command = text, cwd = opts.cwd, env = opts.env, user = as and as.user or nil },
      recovery = ran and "probed" or opts.recovery,
      probe = ran,
      running = function(key)
        return command.running(self, key, opts)
      end,
      bad = function(result)
        return not list.contains(opts.ok or ZERO, result.code)
      end,
      planned = opts.planned,
      veiled = true,
    },
    call = call_of(text, argv, opts, as),
    here = self:is_local(),
    perform = function(intended)
      return asking(list.merge(opts, { effect = intended.key, argv = argv }), function(how)
        return command.perform(self, text, how)
      end)
    end,
  })
  return effect.planning() and out or judge(self, op, text, told(opts, out), opts)
end

--- Runs a command that changes nothing, in plan mode too. Unwanted exit codes raise kind "exit".
---@async
---@param argv string[]
---@param opts? table stdin, timeout, max_output, ok, cwd, env, become, on_line
---@return plat.proc.Output
function Host:read(argv, opts)
  local text = words_of("host:read", argv)
  opts = READ(opts)
  local out = told(opts, look(self, "host.read", text, argv, opts))
  return judge(self, "host.read", text, out, opts)
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
