--- The models of a world, and how they see each other.

local place = require("plat.sim.host.place")

local M = {}

local EXECUTORS = {
  namespace = "data-platform",
  labels = { app = "dremio", role = "executor" },
}
local COORDINATOR = {
  namespace = "data-platform",
  labels = { app = "dremio", role = "coordinator" },
}

local function dremio_options(self)
  return {
    now = function()
      return self.now
    end,
    executors = function()
      local kubernetes = self.models.kubernetes
      return kubernetes:pods(EXECUTORS), kubernetes.state.rv
    end,
    coordinator = function()
      local pods = self.models.kubernetes:pods(COORDINATOR)
      return pods[1] ~= nil and pods[1].ready and not pods[1].deleting
    end,
    seed = self.seed,
  }
end

--- Makes the models of a world: those of a fresh sandbox, or of what they dumped.
---@param world table `now`, `seed`; its `models` are what this returns
---@param log function writes down what changes the hosts
---@param dump? table<string, table> by name
---@return table<string, table> models by name
function M.make(world, log, dump)
  local k8s, dremio = require("plat.sim.k8s"), require("plat.sim.dremio")
  local models = {}
  world.models = models -- they look at each other there
  if dump then
    models.kubernetes = k8s.restore(dump.kubernetes)
    models.dremio = dremio.restore(dump.dremio, dremio_options(world))
  elseif world.fixture then
    models.kubernetes = k8s.new({ now = world.now, seed = world.seed })
    require("plat.sim.fixture").fill(models.kubernetes, world.fixture.objects)
    models.dremio = dremio.new(dremio_options(world))
  else
    models.kubernetes = k8s.seed({ now = world.now, seed = world.seed })
    models.dremio = dremio.new(dremio_options(world))
  end
  models.hosts = place.of_world(world, log, dump and dump.hosts)
  return models
end

return M
