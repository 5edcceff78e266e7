--- The program: finds the command, runs it as the main task, turns what went wrong into a message
--- and an exit status.

local prim = require("prim.task")

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

--- Returns whether a word is a flag of `run` whose value is the next word.
local function takes_next(word)
  for _, flag in ipairs(require("plat.run.flags")) do
    if flag.type and (word == flag[1] or word == flag[2]) then
      return true
    end
  end
  return false
end

--- Finds the command: a name in plat.cmd, else a playbook. Flags may stand before it.
local function find_command(argv)
  local i, help = 1, #argv == 0
  while argv[i] and argv[i] ~= "--" do
    local word = argv[i]
    if word == "--version" then
      return "version", i
    elseif word == "--help" or word == "-h" then
      help = true
    elseif takes_next(word) then
      i = i + 1
    elseif word:sub(1, 1) ~= "-" then
      if word:find("%.lua$") or word:find("/") or word:find("=") then
        return "run", nil
      end
      return word, i
    end
    i = i + 1
  end
  return help and "help" or "run", nil
end

local function load_command(name)
  local names = require("prim.sys").modules("plat.cmd.")
  for _, command in ipairs(names) do
    if command == name then
      return require("plat.cmd." .. command)
    end
  end
  local check = require("plat.check")
  local fault = require("plat.fault")
  fault.raise("usage", nil, {
    msg = ('no command "%s"%s'):format(name, check.did_you_mean(name, names)),
    hint = "platrun help lists the commands; a playbook is a path that ends in .lua",
    where = "",
  })
end

local function report(err)
  local fault = require("plat.fault")
  local out = require("plat.out")
  if not err.reported then
    out.live(nil)
    local text = fault.text(err, out.verbosity())
    local ours = err.kind == "bug" and (err.called_from or err.where or "plat/"):find("^plat/")
    out.err(out.paint("failed", ours and "internal error: " or "error: ") .. text)
  end
  return require("plat.run.exit").of(err, 0)
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
