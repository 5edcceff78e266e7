--- The playbook scale-dremio on a real Kubernetes: pods really come and go, and the API server's
--- audit log tells what was asked of it. Run by tests/real/kube/run.
local fs = require("prim.fs")
local list = require("plat.list")

local SCENE = "tests/real/kube/scene.lua"
local scenes = assert(load(assert(fs.read(SCENE)), "@" .. SCENE))()

local CHANGES = { "create", "update", "patch", "delete", "deletecollection" }
local STREAMS = { "exec", "attach", "portforward" }
local REVIEWS = { selfsubjectaccessreviews = true, selfsubjectrulesreviews = true }

--- Returns the audit entries that changed something, access reviews and dry runs left out.
local function changes(entries)
  return list.where(entries, function(entry)
    local ref = entry.objectRef or {}
    return list.contains(CHANGES, entry.verb)
      and not REVIEWS[ref.resource or ""]
      and not entry.requestURI:find("dryRun=All", 1, true)
  end)
end

--- Leaves out the leases by which runs lock what they work on.
local function without_locks(entries)
  return list.where(entries, function(entry)
    return (entry.objectRef or {}).resource ~= "leases"
  end)
end

local function streams(entries)
  return list.where(entries, function(entry)
    return list.contains(STREAMS, (entry.objectRef or {}).subresource)
  end)
end

local function objects(entries)
  return list.map(entries, function(entry)
    local ref = entry.objectRef or {}
    local sub = ref.subresource and "/" .. ref.subresource or ""
    return ("%s %s%s"):format(entry.verb, ref.resource or entry.requestURI, sub)
  end)
end

local function succeeds(t, result, what)
  t.equal(result.code, 0, what .. "\n" .. result.stdout .. result.stderr)
end

return {
  ["scales up, then finds nothing to do, then scales down from the highest ordinal"] = function(t)
    local scene = scenes.set(t, { name = "scale", replicas = 2 })

    succeeds(t, scene:scale({ "executors=4" }), "up to 4")
    t.equal(scene:replicas(), 4)
    t.ok(#changes(scene:audit()) > 0, "the audit log shows the change")

    scene:mark()
    local again = scene:scale({ "executors=4" })
    succeeds(t, again, "again")
    t.equal(objects(changes(without_locks(scene:audit()))), {}, "a second run changes nothing")

    scene:look()
    scene.history, scene.left = { 4 }, {}
    t.ok(scene.dremio:fault("query:0.4:dremio-executor-3"), "a query runs on the first to leave")
    succeeds(t, scene:scale({ "executors=2" }), "down to 2")
    scene:look()
    t.equal(scene.dremio.state.failed, 0, "the query ended before its executor left")
    t.equal(scene.history, { 4, 3, 2 }, "one executor at a time")
    t.equal(scene.left, { "dremio-executor-3", "dremio-executor-2" }, "highest ordinal first")
    t.equal(#scene:get("pods").items, 2)
    t.equal(objects(streams(scene:audit())), {}, "no exec, attach or port-forward")
  end,

  ["--check reads and changes nothing"] = function(t)
    local scene = scenes.set(t, { name = "check", replicas = 3 })
    for _, want in ipairs({ "executors=5", "executors=1" }) do
      succeeds(t, scene:scale({ want, "--check", "--diff" }), "--check " .. want)
    end
    local entries = scene:audit()
    t.ok(#entries > 0, "platrun's reads are in the audit log")
    t.equal(objects(changes(entries)), {})
    t.equal(objects(streams(entries)), {})
    t.equal(scene:replicas(), 3)
  end,

  ["with an autoscaler its bounds are changed and not the replicas"] = function(t)
    local scene = scenes.set(t, { name = "hpa", replicas = 2, hpa = { min = 2, max = 4 } })
    succeeds(t, scene:scale({ "executors=3" }), "up to 3")
    t.equal(scene:replicas(), 3)
    local hpa = scene:get("horizontalpodautoscaler/dremio-executor")
    t.ok(hpa.spec.minReplicas <= 3 and hpa.spec.maxReplicas >= 3, "3 is within the bounds")
    local touched = objects(changes(without_locks(scene:audit())))
    t.ok(#touched > 0, "the audit log shows the change")
    for _, object in ipairs(touched) do
      t.match(object, "horizontalpodautoscalers", "changed")
    end
  end,
}
