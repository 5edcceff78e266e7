--- platrun PLAYBOOK: loads a playbook, opens the door, runs it, reports.

local cli = require("plat.cli")
local fault = require("plat.fault")
local out = require("plat.out")
local playbooks = require("plat.playbook")

local FLAGS = require("plat.run.flags")
local M = {}

local function usage(msg, hint)
  hint = hint or "platrun PLAYBOOK --help lists arguments and options"
  fault.raise("usage", nil, { msg = msg, hint = hint, where = "" })
end

-- ---- arguments ----

local function merge(given, more, source)
  for name, v in pairs(type(more) == "table" and more or { more }) do
    if type(name) ~= "string" then
      usage(source .. ": a mapping of names to values is expected")
    end
    given[name] = v
  end
end

local function merge_file(given, path)
  local text, err
  if path ~= "" then
    text, err = require("prim.fs").read(path)
  end
  if not text then
    usage("-e @" .. path .. ": " .. (err and err.msg or "which file?"))
  end
  local value
  if path:find("%.json$") then
    value, err = fault.try(require("plat.json").decode, text, { name = path })
  else
    value, err = fault.try(require("plat.yaml").decode_one, text, { name = path, dialect = "core" })
  end
  if err then
    err.hint = err.hint or "the file holds one mapping of names to values"
    error(err, 0)
  end
  merge(given, value, "-e @" .. path)
end

local function given_args(words, extra)
  local given = {}
  for _, word in ipairs(extra or {}) do
    if word:sub(1, 1) == "@" then
      merge_file(given, word:sub(2))
    elseif word:sub(1, 1) == "{" then
      local value, err = fault.try(require("plat.json").decode, word, { name = "-e" })
      if err then
        usage(err.msg, [[write -e '{"NAME": VALUE}', in single quotes for the shell]])
      end
      merge(given, value, "-e")
    else
      words[#words + 1] = word
    end
  end
  for _, word in ipairs(words) do
    local name, value = word:match("^([%w_%-]+)=(.*)$")
    if not name then
      usage(("%q is not an argument; write NAME=VALUE"):format(word))
    end
    given[name] = value
  end
  return given
end

local function help(playbook)
  local lines = {
    ("%s: %s (risk: %s)"):format(playbook.name, playbook.summary, playbook.risk),
    "",
    ("usage: platrun %s [ARG=VALUE...] [flags]"):format(playbook.path),
    "",
    "arguments:",
  }
  for name, decl in pairs(playbook.args) do
    local default = decl.default ~= nil and (" (default %s)"):format(tostring(decl.default)) or ""
    lines[#lines + 1] = ("  %-20s %-10s %s%s"):format(name, decl.type, decl.help or "", default)
  end
  lines[#lines + 1] = ""
  lines[#lines + 1] = "flags:"
  table.move(cli.help(FLAGS), 1, #FLAGS, #lines + 1, lines)
  return table.concat(lines, "\n")
end

--- Starts a run; with --resume-or-start goes on with the one that was interrupted.
local function start(playbook, args, opts)
  local dangling = not opts.check and require("plat.run.dangling").of(playbook)
  if dangling and opts.resume_or_start then
    return require("plat.run.again").resume(dangling, opts, { closed = {}, redo = {} }, args)
  elseif dangling and out.verbosity() >= 0 then
    out.warn(
      ("run %s of this playbook was not finished: platrun resume %s, or --abandon"):format(
        dangling,
        dangling
      )
    )
  end
  return require("plat.run.session").run({
    playbook = playbook,
    args = args,
    opts = opts,
    planned = opts.out and function(plan, run, inventory)
      local saved = require("plat.effect.saved")
      saved.write(opts.out, saved.document(plan, run, inventory))
    end,
  })
end

local function run_playbook(words, opts)
  local path = table.remove(words, 1)
  if not path then
    usage("which playbook?", "platrun playbooks/NAME.lua [ARG=VALUE...]")
  end
  for _, name in ipairs({ "out", "detailed_exitcode" }) do
    if opts[name] and not opts.check then
      usage(("--%s goes with a plan: platrun plan PLAYBOOK"):format((name:gsub("_", "-"))))
    end
  end
  local playbook = playbooks.load(path)
  if opts.help then
    out.line(help(playbook))
    return 0
  end
  local args = playbooks.args(playbook, given_args(words, opts.extra_vars))
  if opts.syntax_check then
    out.line(path .. ": ok")
    return 0
  end
  return start(playbook, args, opts)
end

M.summary = "run a playbook (the word `run` may be left out)"
M.usage = "platrun [run] PLAYBOOK [ARG=VALUE...] [flags]"

--- Runs the command.
---@param argv string[]
---@return integer status
function M.run(argv)
  local opts, words = cli.parse(argv, FLAGS)
  out.setup({
    verbosity = opts.quiet and -1 or opts.verbose or 0,
    format = opts.output or "text",
  })
  if opts.help and #words == 0 then
    out.line("usage: " .. M.usage .. "\n\n" .. table.concat(cli.help(FLAGS), "\n"))
    return 0
  end
  return run_playbook(words, opts)
end

return M
