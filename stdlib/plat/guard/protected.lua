--- Protected environments: where a mistake costs most, more is asked.

local base = require("plat.guard.base")

local M = {}

local OPTIONS = base.options("guard.protected", {
  cluster = { type = "table", required = true, help = "from run:cluster()" },
  risk = {
    type = "enum",
    enum = { "safe", "disruptive", "destructive" },
    default = "destructive",
    help = "of what is about to happen",
  },
  window = { type = "boolean", default = false, help = "a change window is declared" },
  forbid = { type = "boolean", default = false, help = "refuse every protected environment" },
})

--- Decides. Pure.
---@param cluster { environment: string?, protected: boolean? }
---@param opts { risk: string, window: boolean?, forbid: boolean? }
---@return boolean ok
---@return string? reason
---@return string? hint
function M.decide(cluster, opts)
  if type(cluster.protected) ~= "boolean" then
    return false, "nobody knows whether the environment is protected"
  elseif not cluster.protected then
    return true
  end
  local name = cluster.environment or "the environment"
  if opts.forbid then
    return false,
      ("%s is protected, and this is not made for it"):format(name),
      "choose another inventory with -i"
  elseif opts.risk == "destructive" and not opts.window then
    return false,
      ("%s is protected and declares no change window for what is destructive"):format(name),
      "write platrun: {change_window: ...} into its inventory; inventory/production shows how"
  end
  return true
end

--- Makes the guard; see plat.guard.
---@param opts table
---@return plat.Guard
function M.new(opts)
  opts = OPTIONS(opts)
  return base.new("protected", opts, function()
    return M.decide(opts.cluster, opts)
  end)
end

return M
