--- The world of a simulated inventory, for commands that are no run.

local out = require("plat.out")

local M = {}

--- Opens the world of the sandbox's inventory; nil for a real one, which has none.
---@async
---@param inventory plat.Inventory
---@return table? world
function M.open(inventory)
  if not inventory.is_sandbox then
    return nil
  end
  out.err("sandbox: nothing real is touched")
  return require("plat.sim.world").open({
    lazy = true,
    inventory = inventory,
  })
end

return M
