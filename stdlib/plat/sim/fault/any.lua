--- One of the troubles of a network and a busy server, chosen by chance.

local faults = require("plat.sim.faults")

local kinds

--- The kinds that may be drawn.
local function drawable()
  if not kinds then
    kinds = {}
    for _, name in ipairs(faults.names()) do
      if name ~= "any" and faults.kind(name).chance then
        kinds[#kinds + 1] = name
      end
    end
  end
  return kinds
end

return {
  usage = "any[:TIMES]@P%",
  help = "something of what networks and busy servers do, by chance",
  args = { { "times", "integer", default = false } },
  choose = function(word)
    local names = drawable()
    return names[1 + word * #names // 1 | 0]
  end,
}
