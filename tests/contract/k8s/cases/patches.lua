--- Patches: merge, JSON, strategic; and the scale subresource.
local CM = "/api/v1/namespaces/$NS/configmaps"
local DEPLOY = "/apis/apps/v1/namespaces/$NS/deployments"
local SCALE = DEPLOY .. "/web/scale"

local MERGE = { type = "application/merge-patch+json" }
local JSON = { type = "application/json-patch+json" }
local STRATEGIC = { type = "application/strategic-merge-patch+json", drop = { "status" } }

local function config(t, data)
  local object = { apiVersion = "v1", kind = "ConfigMap", metadata = { name = "c" }, data = data }
  return t:call("POST", CM, object, { quiet = true }).json
end

--- A deployment that its controller leaves alone.
local function web(t, edit)
  local spec = {
    replicas = 0,
    paused = true,
    selector = { matchLabels = { app = "web" } },
    template = {
      metadata = { labels = { app = "web" } },
      spec = {
        containers = {
          {
            name = "c",
            image = "local/x:1",
            env = { { name = "A", value = "1" }, { name = "B", value = "2" } },
            ports = { { containerPort = 80 } },
            args = { "a" },
          },
          { name = "side", image = "local/y:1" },
        },
        volumes = { { name = "v", emptyDir = {} } },
      },
    },
  }
  if edit then
    edit(spec)
  end
  local object = { apiVersion = "apps/v1", kind = "Deployment", metadata = { name = "web" } }
  object.spec = spec
  t:call("POST", DEPLOY, object, { quiet = true })
  t:eventually("GET", DEPLOY .. "/web", function(d)
    return d.status.observedGeneration == 1
  end, { keep = { "status.observedGeneration" } })
end

local function strategic(t, containers)
  local patch = { spec = { template = { spec = { containers = containers } } } }
  return t:call("PATCH", DEPLOY .. "/web", patch, {
    type = STRATEGIC.type,
    keep = { "spec.template.spec", "metadata.generation", "metadata.managedFields" },
  })
end

return {
  {
    title = "a merge patch sets, and removes with null",
    run = function(t)
      config(t, { a = "1", b = "2" })
      t:call("PATCH", CM .. "/c", { data = { z = "1", a = t.json.null } }, MERGE)
      t:call("PATCH", CM .. "/c", { metadata = { labels = { x = "y" } } }, MERGE)
      t:call("PATCH", CM .. "/c", { data = t.json.null }, MERGE)
    end,
  },
  {
    title = "a patch names its manager",
    run = function(t)
      config(t, { a = "1" })
      t:call("PATCH", CM .. "/c?fieldManager=platrun", { data = { b = "2" } }, MERGE)
      t:call("PATCH", CM .. "/c?fieldManager=platrun&dryRun=All", { data = { b = "3" } }, MERGE)
    end,
  },
  {
    title = "a node is cordoned by a patch",
    bare = true,
    run = function(t)
      local node = { apiVersion = "v1", kind = "Node", metadata = { name = t.ns } }
      t:call("POST", "/api/v1/nodes", node, { keep = { "spec", "kind" } })
      local keep = { type = MERGE.type, keep = { "spec.unschedulable" } }
      t:call("PATCH", "/api/v1/nodes/$NS", { spec = { unschedulable = true } }, keep)
      t:call("PATCH", "/api/v1/nodes/$NS", { spec = { unschedulable = t.json.null } }, keep)
      t:call("DELETE", "/api/v1/nodes/$NS")
    end,
  },
  {
    title = "a patch that changes nothing keeps the version",
    run = function(t)
      local a = config(t, { a = "1" })
      local b = t:call("PATCH", CM .. "/c", { data = { a = "1" } }, MERGE).json
      t:equal(b.metadata.resourceVersion, a.metadata.resourceVersion, "version")
    end,
  },
  {
    title = "a patch may name the version that it was made from",
    run = function(t)
      local object = config(t, { a = "1" })
      local version = object.metadata.resourceVersion
      local fresh = { metadata = { resourceVersion = version }, data = { a = "2" } }
      t:equal(t:call("PATCH", CM .. "/c", fresh, MERGE).status, 200, "fresh")
      t:equal(t:call("PATCH", CM .. "/c", fresh, MERGE).status, 409, "stale")
    end,
  },
  {
    title = "a JSON patch tests, adds, replaces, moves, copies and removes",
    run = function(t)
      config(t, { a = "1" })
      local function patch(...)
        return t:call("PATCH", CM .. "/c", t.json.array({ ... }), JSON)
      end
      patch(
        { op = "test", path = "/data/a", value = "1" },
        { op = "replace", path = "/data/a", value = "2" },
        { op = "add", path = "/data/b", value = "3" }
      )
      patch({ op = "copy", from = "/data/b", path = "/data/c" })
      patch({ op = "move", from = "/data/b", path = "/data/d" })
      local tilde = { op = "add", path = "/metadata/labels", value = { ["x~y"] = "1" } }
      t:call("PATCH", CM .. "/c", t.json.array({ tilde }), {
        type = JSON.type,
        keep = { "code", "message", "details.causes.1" }, -- the server repeats its cause
      })
      patch({ op = "add", path = "/metadata/labels", value = { ["x/y"] = "1" } })
      patch({ op = "replace", path = "/metadata/labels/x~1y", value = "2" })
      patch({ op = "remove", path = "/data/c" })
      patch({ op = "test", path = "/data/a", value = "no" })
      patch({ op = "remove", path = "/data/nope" }, { op = "add", path = "/data/k", value = "v" })
    end,
  },
  {
    title = "a strategic patch merges containers, env and ports by key",
    run = function(t)
      web(t)
      strategic(
        t,
        { { name = "c", env = { { name = "B", value = "3" }, { name = "C", value = "4" } } } }
      )
      strategic(t, { { name = "c", image = "local/x:2", args = { "b", "c" } } })
      strategic(t, { { name = "c", ports = { { containerPort = 81, name = "p" } } } })
      strategic(t, { { name = "new", image = "local/z:1" } })
    end,
  },
  {
    title = "a strategic patch deletes and replaces on request",
    run = function(t)
      web(t)
      strategic(t, { { ["$patch"] = "delete", name = "side" } })
      strategic(t, {
        { name = "c", env = { { ["$patch"] = "replace" }, { name = "Z", value = "26" } } },
      })
      strategic(t, { { name = "c", env = t.json.null } })
      t:call("PATCH", DEPLOY .. "/web", {
        spec = { strategy = { ["$retainKeys"] = { "type" }, type = "Recreate" } },
      }, { type = STRATEGIC.type, keep = { "spec.strategy" } })
    end,
  },
  {
    title = "the restart annotation of kubectl",
    run = function(t)
      web(t)
      local stamp = { ["kubectl.kubernetes.io/restartedAt"] = "2026-01-01T00:00:00Z" }
      t:call("PATCH", DEPLOY .. "/web", {
        spec = { template = { metadata = { annotations = stamp } } },
      }, { type = STRATEGIC.type, keep = { "spec.template.metadata", "metadata.generation" } })
    end,
  },
  {
    title = "unknown fields of a patch",
    run = function(t)
      config(t, { a = "1" })
      local strict = t:call("PATCH", CM .. "/c?fieldValidation=Strict", { nope = 1 }, {
        type = MERGE.type,
        keep = { "code", "reason", "details.causes.1.reason", "details.causes.1.field" },
      })
      t:ok(strict.json.message:find('strict decoding error: unknown field "nope"$'), "message")
      t:call("PATCH", CM .. "/c", { nope = 1 }, MERGE)
    end,
  },
  {
    title = "force belongs to apply",
    run = function(t)
      config(t, { a = "1" })
      t:call("PATCH", CM .. "/c?force=true", { data = { a = "2" } }, MERGE)
    end,
  },
  {
    title = "a scale is read, put and patched",
    run = function(t)
      web(t)
      local scale = t:call("GET", SCALE).json
      scale.spec.replicas = 4
      local put = t:call("PUT", SCALE, scale, { drop = { "status.replicas" } })
      t:equal(put.status, 200, "put with the version")
      t:equal(t:call("PUT", SCALE, scale).status, 409, "put with a stale version")
      local bare = {
        apiVersion = "autoscaling/v1",
        kind = "Scale",
        metadata = { name = "web", namespace = "$NS" },
        spec = { replicas = 3 },
      }
      t:call("PUT", SCALE, bare, { keep = { "spec", "kind" } })
      bare.spec.replicas = 5
      t:call("PUT", SCALE .. "?dryRun=All&fieldManager=platrun", bare, { keep = { "spec" } })
      t:call("PUT", SCALE .. "?fieldManager=platrun", bare, { keep = { "spec" } })
      t:call("GET", DEPLOY .. "/web", nil, { keep = { "spec.replicas", "metadata.managedFields" } })
      t:call("PATCH", SCALE, { spec = { replicas = 2 } }, {
        type = MERGE.type,
        keep = { "spec", "kind", "status.selector" },
      })
      t:call("PATCH", SCALE, { spec = { replicas = -1 } }, MERGE)
      t:call("PATCH", SCALE .. "?dryRun=All", { spec = { replicas = 9 } }, {
        type = MERGE.type,
        keep = { "spec" },
      })
      t:call("GET", DEPLOY .. "/web", nil, { keep = { "spec.replicas", "metadata.managedFields" } })
    end,
  },
  {
    title = "a scale to zero has an empty spec",
    run = function(t)
      web(t)
      t:call("PATCH", SCALE, { spec = { replicas = 0 } }, MERGE)
    end,
  },
  {
    title = "a status is written only through its subresource",
    run = function(t)
      local path = "/api/v1/namespaces/$NS/pods"
      t:call("POST", path, {
        apiVersion = "v1",
        kind = "Pod",
        metadata = { name = "p" },
        spec = {
          schedulerName = "nobody",
          containers = { { name = "c", image = "local/x:1" } },
        },
      }, { drop = { "spec.volumes", "spec.containers.*.volumeMounts" } })
      local keep = { keep = { "status", "metadata.managedFields" }, type = MERGE.type }
      local ready = { type = "Ready", status = "True", lastTransitionTime = "2026-01-01T00:00:00Z" }
      local patch = { status = { phase = "Running", conditions = { ready } } }
      t:call("PATCH", path .. "/p", patch, keep)
      t:call("PATCH", path .. "/p/status", patch, keep)
      t:call("GET", path .. "/p/status", nil, { keep = { "status" } })
    end,
  },
}
