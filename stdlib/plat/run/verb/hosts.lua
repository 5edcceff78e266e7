--- `run:hosts(pattern)`: the hosts that a run works on.

local check = require("plat.check")
local fault = require("plat.fault")

local OPTIONS = check.options("run:hosts", {
  allow_empty = { type = "boolean", help = "no host at all is an answer, not an error" },
  unlimited = { type = "boolean", help = "also those that --limit leaves out: to read" },
})

--- Returns the hosts that a pattern of Ansible's kind selects (docs/INVENTORY.md), without those
--- that `--limit` leaves out. Raises "usage" for a word that matches nothing, and where no host is
--- left.
---@param run plat.Run
---@param pattern? string default "all"
---@param opts? { allow_empty: boolean?, unlimited: boolean? }
---@return plat.Host[]
return function(run, pattern, opts)
  opts = OPTIONS(opts)
  local inventory = run.inventory()
  local found = inventory:hosts(pattern, { unlimited = opts.unlimited })
  if #found == 0 and not opts.allow_empty then
    fault.raise("usage", { op = "run:hosts", object = ("%q"):format(pattern or "all") }, {
      msg = inventory.limit and ("no host of it is left by --limit %s"):format(inventory.limit)
        or "the pattern selects no host",
      hint = "platrun inventory --hosts PATTERN shows what a pattern selects",
    })
  end
  return require("plat.list").map(found, require("plat.host").new)
end
