--- Lists: selectors, pages, versions, tables, metadata alone.
local SECRETS = "/api/v1/namespaces/$NS/secrets"
local PODS = "/api/v1/namespaces/$NS/pods"

local function fill(t)
  for _, name in ipairs({ "a", "b", "c", "d", "e" }) do
    local object = { apiVersion = "v1", kind = "Secret", metadata = { name = name } }
    object.metadata.labels = { name = name, kind = name < "c" and "first" or "second" }
    t:call("POST", SECRETS, object, { quiet = true })
  end
end

local function names(list)
  local out = {}
  for i, item in ipairs(list.items) do
    out[i] = item.metadata.name
  end
  return table.concat(out, " ")
end

local function pod(t, name, labels)
  t:call("POST", PODS, {
    apiVersion = "v1",
    kind = "Pod",
    metadata = { name = name, labels = labels },
    spec = { schedulerName = "nobody", containers = { { name = "c", image = "local/x:1" } } },
  }, { quiet = true })
end

local TABLE = { accept = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json" }
local PARTIAL = {
  accept = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,application/json",
}

return {
  {
    title = "a list has no kinds in its items",
    run = function(t)
      fill(t)
      t:call("GET", SECRETS, nil, { drop = { "metadata" } })
    end,
  },
  {
    title = "label selectors",
    run = function(t)
      fill(t)
      local function found(selector)
        local resp = t:call("GET", SECRETS .. "?labelSelector=" .. selector, nil, {
          drop = { "metadata", "items" },
        })
        return resp.status == 200 and names(resp.json) or resp.status
      end
      t:equal(found("kind%3Dfirst"), "a b", "=")
      t:equal(found("kind%3D%3Dfirst"), "a b", "==")
      t:equal(found("kind!%3Dfirst"), "c d e", "!=")
      t:equal(found("name%20in%20(a,d)"), "a d", "in")
      t:equal(found("name%20notin%20(a,d),kind"), "b c e", "notin")
      t:equal(found("nope"), "", "exists")
      t:equal(found("!nope,kind%3Dsecond"), "c d e", "does not exist")
    end,
  },
  {
    title = "field selectors, and those that a kind does not offer",
    run = function(t)
      fill(t)
      pod(t, "p")
      t:call("GET", SECRETS .. "?fieldSelector=metadata.name%3Db", nil, { drop = { "metadata" } })
      local keep = { keep = { "kind", "items.1.metadata.name", "message" } }
      t:call("GET", PODS .. "?fieldSelector=status.phase%3DPending", nil, keep)
      t:call("GET", PODS .. "?fieldSelector=status.phase!%3DPending", nil, keep)
      t:call("GET", PODS .. "?fieldSelector=spec.nodeName%3D", nil, keep)
      t:call("GET", PODS .. "?fieldSelector=spec.nope%3Dx", nil)
      t:call("GET", SECRETS .. "?fieldSelector=data%3Dx", nil)
    end,
  },
  {
    title = "pages go on where the last one ended, at the same version",
    run = function(t)
      fill(t)
      local one = t:call("GET", SECRETS .. "?limit=2", nil, { drop = { "items" } }).json
      t:equal(names(one), "a b", "first page")
      t:call("DELETE", SECRETS .. "/d", nil, { quiet = true })
      local next_page = SECRETS .. "?limit=2&continue="
      local two = t:call("GET", next_page .. one.metadata["continue"], nil, { quiet = true }).json
      t:equal(names(two), "c d", "second page, as it was")
      t:equal(two.metadata.resourceVersion, one.metadata.resourceVersion, "version")
      local three = t:call("GET", next_page .. two.metadata["continue"], nil, { quiet = true }).json
      t:equal(names(three), "e", "last page")
      t:equal(three.metadata["continue"], nil, "token of the last page")
      t:equal(names(t:call("GET", SECRETS, nil, { quiet = true }).json), "a b c e", "now")
    end,
  },
  {
    title = "a page by selector does not say how many remain",
    run = function(t)
      fill(t)
      t:call("GET", SECRETS .. "?limit=1&labelSelector=kind", nil, { drop = { "items" } })
    end,
  },
  {
    title = "a list of an exact version",
    run = function(t)
      fill(t)
      local rv = t:call("GET", SECRETS, nil, { quiet = true }).json.metadata.resourceVersion
      t:call("DELETE", SECRETS .. "/a", nil, { quiet = true })
      local path = ("%s?resourceVersion=%s&resourceVersionMatch=Exact"):format(SECRETS, rv)
      local old = t:call("GET", path, nil, { quiet = true }).json
      t:equal(names(old), "a b c d e", "objects")
    end,
  },
  {
    title = "a version of the future times out",
    run = function(t)
      local resp = t:call("GET", SECRETS .. "?resourceVersion=99999999", nil, { quiet = true })
      t:equal(resp.status, 504, "status")
      t:equal(resp.headers["retry-after"], "1", "retry-after")
      t:equal(resp.json.reason, "Timeout", "reason")
      t:equal(resp.json.details.causes[1].reason, "ResourceVersionTooLarge", "cause")
    end,
  },
  {
    title = "a continue token that is none",
    run = function(t)
      t:equal(
        t:call("GET", SECRETS .. "?limit=2&continue=xyz", nil, { quiet = true }).status,
        400,
        "status"
      )
    end,
  },
  {
    title = "metadata alone",
    run = function(t)
      pod(t, "p", { a = "b" })
      t:call("GET", PODS, nil, { headers = PARTIAL, drop = { "metadata" } })
      t:call("GET", PODS .. "/p", nil, {
        headers = {
          accept = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io,application/json",
        },
      })
    end,
  },
  {
    title = "a table of pods",
    run = function(t)
      pod(t, "p", { a = "b" })
      local cells = {}
      for i, n in ipairs({ 1, 2, 3, 4, 6, 7, 8, 9 }) do -- without the age
        cells[i] = "rows.1.cells." .. n
      end
      t:call("GET", PODS .. "?includeObject=None", nil, { headers = TABLE, keep = cells })
      t:call("GET", PODS, nil, {
        headers = TABLE,
        drop = { "metadata", "columnDefinitions.*.description", "rows.*.cells" },
      })
      t:call("GET", PODS .. "/p", nil, {
        headers = TABLE,
        keep = { "kind", "rows.1.cells.1", "rows.1.cells.2", "rows.1.cells.3" },
      })
    end,
  },
  {
    title = "the columns of every kind",
    bare = true,
    run = function(t)
      for _, path in ipairs({
        "/api/v1/nodes",
        "/api/v1/services",
        "/api/v1/configmaps",
        "/api/v1/secrets",
        "/api/v1/events",
        "/api/v1/persistentvolumeclaims",
        "/api/v1/persistentvolumes",
        "/api/v1/endpoints",
        "/api/v1/serviceaccounts",
        "/apis/apps/v1/deployments",
        "/apis/apps/v1/replicasets",
        "/apis/apps/v1/statefulsets",
        "/apis/apps/v1/daemonsets",
        "/apis/apps/v1/controllerrevisions",
        "/apis/batch/v1/jobs",
        "/apis/autoscaling/v2/horizontalpodautoscalers",
        "/apis/networking.k8s.io/v1/ingresses",
        "/apis/networking.k8s.io/v1/networkpolicies",
        "/apis/policy/v1/poddisruptionbudgets",
        "/apis/coordination.k8s.io/v1/leases",
        "/apis/storage.k8s.io/v1/storageclasses",
      }) do
        t:call("GET", path, nil, {
          headers = TABLE,
          drop = { "metadata", "rows", "columnDefinitions.*.description" },
        })
      end
    end,
  },
}
