--- platrun sim record of a real cluster, and a simulated one that goes on from there. Run by
--- tests/real/kube/run, which names the cluster in KUBECONFIG.
local effect = require("plat.effect")
local fixture = require("plat.sim.fixture")
local fs = require("prim.fs")
local k8s = require("plat.k8s")
local record = require("plat.sim.record")
local sim = require("plat.sim.k8s")
local store = require("plat.sim.k8s.store")

return {
  ["what is there is recorded, and stands still in the model"] = function(t)
    effect.open({ mode = "run" })
    t.defer(effect.close)
    local client = k8s.connect()
    local objects, left_out = record.cluster(client)
    local told = table.concat(left_out, "\n")
    t.match(told, "clusterroles.rbac.authorization.k8s.io: %d+, not modelled")
    local doc = { recorded = "now", source = {}, left_out = left_out, hosts = {} }
    doc.objects = objects
    local path = t.tmp() .. "/fixture.json"
    assert(fs.write(path, fixture.text(doc)))
    local read = fixture.read(path)
    t.equal(#read.objects, #objects)
    for _, object in ipairs(read.objects) do
      t.equal(object.metadata.managedFields, nil)
      for key, value in pairs(object.kind == "Secret" and object.data or {}) do
        t.equal(value, "", object.metadata.name .. " " .. key)
      end
    end
    local model = sim.new({ now = effect.now() })
    fixture.fill(model, read.objects)
    t.equal(#store.list(model, "nodes"), #client:list("nodes"))
    local before = #store.list(model, "pods")
    model:advance(model.state.now + 600)
    t.equal(#store.list(model, "pods"), before)
    t.ok(#store.list(model, "namespaces") >= 4)
  end,
}
