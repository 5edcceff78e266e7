--- The program: finds the command, runs it as the main task, turns what went wrong into a message
--- and an exit status.

local prim = require("prim.task")

local M = {}

--- Exit statuses (docs/REFERENCE.md).
M.EXIT = { usage = 64, refused = 6, timeout = 124 }

local SIGNALS = { [1] = "SIGHUP", [2] = "SIGINT", [15] = "SIGTERM" }

local function on_signal(signo)
  local fault = require("plat.fault")
  local name = SIGNALS[signo] or ("signal " .. signo)
  prim.cancel_main(fault.new("cancelled", nil, {
    msg = "stopped by " .. name,
    signal = signo,
    where = "",
  }))
end

local function on_busy(where, seconds)
  require("plat.out").warn(
    ("%s computed for %.1f s without waiting; every other task stood still"):format(where, seconds)
  )
end

--- Finds the command: a name in plat.cmd, else a playbook.
local function find_command(argv)
  for i, word in ipairs(argv) do
    if word == "--" then
      break
    elseif word == "--version" then
      return "version", i
    elseif word:sub(1, 1) ~= "-" then
      if word:find("%.lua$") or word:find("/") or word:find("=") then
        return "run", nil
      end
      return word, i
    end
  end
  for _, word in ipairs(argv) do
    if word == "--help" or word == "-h" then
      return "help", nil
    end
  end
  return "help", nil
end

local function load_command(name)
  local sys = require("prim.sys")
  local names = {}
  for _, module in ipairs(sys.modules()) do
    local cmd = module:match("^plat%.cmd%.([%w-]+)$")
    if cmd == name then
      return require(module)
    end
    names[#names + 1] = cmd
  end
  local check = require("plat.check")
  local fault = require("plat.fault")
  fault.raise("usage", nil, {
    msg = ('no command "%s"%s'):format(name, check.did_you_mean(name, names)),
    hint = "platrun help lists the commands; a playbook is a path that ends in .lua",
    where = "",
  })
end

local function status_of(err)
  if err.exit then
    return err.exit
  elseif err.kind == "cancelled" and err.signal then
    return 128 + err.signal
  end
  return M.EXIT[err.kind] or 1
end

local function report(err)
  local fault = require("plat.fault")
  local out = require("plat.out")
  if not err.reported then
    out.live(nil)
    local text = fault.text(err, out.verbosity())
    out.err(out.paint("failed", err.kind == "bug" and "internal error: " or "error: ") .. text)
  end
  return status_of(err)
end

local function run(argv)
  local name, at = find_command(argv)
  local rest = {}
  for i, word in ipairs(argv) do
    if i ~= at then
      rest[#rest + 1] = word
    end
  end
  return load_command(name).run(rest) or 0
end

return function(argv, result)
  prim.on_signal(on_signal)
  prim.on_busy(on_busy)
  local ok, status = xpcall(run, function(e)
    return require("plat.fault").from_handler(e)
  end, argv)
  if not ok then
    status = report(status)
  end
  result.status = status
end
