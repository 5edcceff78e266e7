--- platrun resume: goes on with a run that was killed, failed, or waits.

local again = require("plat.run.again")
local cli = require("plat.cli")
local fault = require("plat.fault")
local journal = require("plat.journal")
local list = require("plat.list")
local out = require("plat.out")

local OWN = {
  {
    "--settle",
    type = "string",
    many = true,
    value = "STEP",
    help = "this step is finished: do not enter it again",
  },
  {
    "--done",
    type = "string",
    many = true,
    value = "STEP",
    help = "what nobody can tell of in this step did happen: go on behind it",
  },
  {
    "--redo",
    type = "string",
    many = true,
    value = "STEP",
    help = "what nobody can tell of in this step did not happen: do it again",
  },
  { "--abandon", help = "end the run as it is; it cannot be resumed then" },
}
local WANTED = { -- of the flags of a run: those that say how, not what
  ["--check"] = false,
  ["--dry-run"] = false,
  ["--extra-vars"] = false,
  ["--inventory"] = false,
  ["--limit"] = false,
  ["--syntax-check"] = false,
  ["--resume-or-start"] = false,
}

local function flags()
  local all = list.copy(OWN)
  for _, flag in ipairs(require("plat.run.flags")) do
    if WANTED[flag[1]] ~= false then
      all[#all + 1] = flag
    end
  end
  return all
end

local USAGE = "platrun resume [RUN] [--settle|--done|--redo STEP] [flags]"

return {
  summary = "go on with a run that was interrupted, failed or waits",
  usage = USAGE,
  run = function(argv)
    local opts, words = cli.start(argv, flags(), USAGE, 1)
    if not opts then
      return 0
    elseif #words > 1 then
      fault.raise("usage", nil, { msg = "one run at a time", hint = USAGE, where = "" })
    end
    local id = words[1] and journal.find(words[1]) or require("plat.run.dangling").newest()
    if opts.abandon then
      again.abandon(id, opts.reason)
      out.line(("run %s is abandoned: what it did stays as it is"):format(id))
      return 0
    end
    local said = { closed = opts.settle or {}, done = opts.done, redo = opts.redo or {} }
    return again.resume(id, opts, said)
  end,
}
