--- Leases, as plat.lock uses them: taken, renewed by version, given back, taken over.
local LEASES = "/apis/coordination.k8s.io/v1/namespaces/$NS/leases"
local T1, T2 = "2026-01-01T00:00:00.000000Z", "2026-01-01T00:00:20.250000Z"

local function lease(name, spec)
  return {
    apiVersion = "coordination.k8s.io/v1",
    kind = "Lease",
    metadata = {
      name = name,
      labels = { ["app.kubernetes.io/managed-by"] = "platrun" },
      annotations = { ["platrun/user"] = "ann", ["platrun/playbook"] = "scale" },
    },
    spec = spec or {
      holderIdentity = "host-1:run-1",
      leaseDurationSeconds = 60,
      acquireTime = T1,
      renewTime = T1,
      leaseTransitions = 0,
    },
  }
end

return {
  {
    title = "a lease is created once, read and listed by label",
    run = function(t)
      t:call("POST", LEASES .. "?fieldManager=platrun", lease("l"))
      t:equal(t:call("POST", LEASES, lease("l")).status, 409, "the second")
      t:call("GET", LEASES .. "/l")
      t:call("POST", LEASES, { metadata = { name = "other" } })
      local path = LEASES .. "?labelSelector=app.kubernetes.io%2Fmanaged-by%3Dplatrun"
      t:equal(#t:call("GET", path, nil, { quiet = true }).json.items, 1, "ours")
    end,
  },
  {
    title = "a lease is renewed, changes hands and is given back by its version",
    run = function(t)
      local object = t:call("POST", LEASES, lease("l")).json
      object.spec.renewTime = T2
      local path = LEASES .. "/l?fieldManager=platrun"
      local renewed = t:call("PUT", path, object).json
      t:equal(t:call("PUT", path, object).status, 409, "the version of before")
      renewed.spec.holderIdentity = "host-2:run-2"
      renewed.spec.acquireTime = T2
      renewed.spec.leaseTransitions = 1
      local taken = t:call("PUT", path, renewed).json
      t:equal(t:call("PUT", path, renewed).status, 409, "whoever was slower")
      taken.spec.holderIdentity = ""
      taken.spec.leaseDurationSeconds = 1
      t:equal(t:call("PUT", path, taken).status, 200, "given back")
      taken.metadata.resourceVersion = nil
      t:equal(t:call("PUT", path, taken).status, 422, "without a version")
    end,
  },
  {
    title = "a lease is deleted as it was read, or not at all",
    run = function(t)
      local object = t:call("POST", LEASES, lease("l")).json
      local version, uid = object.metadata.resourceVersion, object.metadata.uid
      object.spec.renewTime = T2
      t:call("PUT", LEASES .. "/l", object)
      local function options(fields)
        return { apiVersion = "v1", kind = "DeleteOptions", preconditions = fields }
      end
      local stale = options({ uid = uid, resourceVersion = version })
      local refused = t:call("DELETE", LEASES .. "/l", stale, { keep = { "reason", "details" } })
      t:equal(refused.status, 409, "a stale version")
      t:equal(t:call("DELETE", LEASES .. "/l", options({ uid = uid })).status, 200, "the object")
      t:equal(t:call("GET", LEASES .. "/l").status, 404, "afterwards")
      t:equal(t:call("PUT", LEASES .. "/l", object).status, 409, "a renewal of what is gone")
      object.metadata.uid = nil
      t:equal(t:call("PUT", LEASES .. "/l", object).status, 201, "without the uid it is a new one")
    end,
  },
  {
    title = "what a lease may not hold",
    run = function(t)
      t:call("POST", LEASES, lease("zero", { holderIdentity = "a", leaseDurationSeconds = 0 }))
      t:call("POST", LEASES, lease("less", { leaseDurationSeconds = -5, leaseTransitions = -1 }))
      t:call("POST", LEASES, lease("when", { holderIdentity = "a", renewTime = "yesterday" }))
      t:call("POST", LEASES, lease("many", { leaseDurationSeconds = "60" }))
      t:call("POST", LEASES, lease("Bad_Name"))
      local strange = lease("strange", { holderIdentity = "a", holder = "b" })
      t:call("POST", LEASES .. "?fieldValidation=Strict", strange)
      t:call("POST", LEASES, strange)
    end,
  },
  {
    title = "a lease may be nearly empty; its times have microseconds",
    run = function(t)
      t:call("POST", LEASES, lease("empty", {}))
      t:call("POST", LEASES, lease("nobody", { holderIdentity = "", leaseDurationSeconds = 15 }))
      local times = {
        seconds = "2026-01-01T00:00:00Z",
        millis = "2026-01-01T00:00:00.123Z",
        nanos = "2026-01-01T00:00:00.123456789Z",
      }
      for name, text in pairs(times) do
        t:call("POST", LEASES, lease(name, { renewTime = text }))
      end
      local made =
        t:call("POST", LEASES, lease("zone", { renewTime = "2026-01-01T01:00:00.123456+01:00" }))
      t:equal(made.json.spec.renewTime, "2026-01-01T00:00:00.123456Z", "renewTime of another zone")
    end,
  },
}
