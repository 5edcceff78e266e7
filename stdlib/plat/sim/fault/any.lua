--- One of the troubles of a network and a busy server, chosen by chance.

local faults = require("plat.sim.faults")

local kinds = {}

--- The kinds that may be drawn.
local function drawable(hosts)
  local key = hosts and "hosts" or "http"
  if not kinds[key] then
    kinds[key] = {}
    for _, name in ipairs(faults.names()) do
      local kind = faults.kind(name)
      if name ~= "any" and kind.chance and (kind.hosts or not hosts) then
        table.insert(kinds[key], name)
      end
    end
  end
  return kinds[key]
end

return {
  usage = "any[:TIMES]@P%",
  help = "something of what networks and busy servers do, by chance",
  args = { { "times", "integer", default = false } },
  hosts = true,
  choose = function(word, at)
    local names = drawable(at.model == "hosts")
    return names[1 + word * #names // 1 | 0]
  end,
}
