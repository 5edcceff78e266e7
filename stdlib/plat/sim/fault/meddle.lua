--- A second operator changes the same object, just before our change arrives.

local others = require("plat.sim.k8s.others")

return {
  usage = "meddle[:REPLICAS]",
  help = "somebody else changes the object (its replicas) just before our change arrives",
  args = { { "replicas", "integer", default = false } },
  ready = function(world, _, at)
    local ours = at.req.change ~= nil and at.model == "kubernetes" and at.req.method ~= "POST"
    return ours and others.find(world:model("kubernetes"), at.req.url) ~= nil
  end,
  world = function(world, args, about)
    world:model("kubernetes"):fault("meddle", { path = about.url, replicas = args.replicas or nil })
  end,
}
