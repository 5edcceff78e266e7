--- Server-side apply: creation, ownership, conflicts, refusals.
local CM = "/api/v1/namespaces/$NS/configmaps"
local DEPLOY = "/apis/apps/v1/namespaces/$NS/deployments"
local APPLY = "application/apply-patch+yaml"
local MERGE = { type = "application/merge-patch+json" }

local function config(data)
  return { apiVersion = "v1", kind = "ConfigMap", metadata = { name = "c" }, data = data }
end

local function web(edit)
  local spec = {
    replicas = 2,
    paused = true,
    selector = { matchLabels = { app = "web" } },
    template = {
      metadata = { labels = { app = "web" } },
      spec = {
        containers = {
          { name = "c", image = "local/x:1", args = { "a" }, ports = { { containerPort = 80 } } },
        },
      },
    },
  }
  if edit then
    edit(spec)
  end
  return {
    apiVersion = "apps/v1",
    kind = "Deployment",
    metadata = { name = "web", labels = { app = "web" } },
    spec = spec,
  }
end

local function apply(t, object, query, opts)
  local path = (object.kind == "Deployment" and DEPLOY .. "/web" or CM .. "/c") .. "?" .. query
  opts = opts or {}
  opts.type = APPLY
  return t:call("PATCH", path, object, opts)
end

local OWNERS = { keep = { "metadata.managedFields", "spec.replicas", "message", "details" } }

local function owners()
  return { keep = OWNERS.keep }
end

return {
  {
    title = "an apply creates with 201, and again 200 with the same version",
    run = function(t)
      local a = apply(t, config({ a = "1", b = "2" }), "fieldManager=platrun")
      t:equal(a.status, 201, "first")
      t:sleep(1.1)
      local b = apply(t, config({ a = "1", b = "2" }), "fieldManager=platrun")
      t:equal(b.status, 200, "second")
      local before, after = a.json.metadata, b.json.metadata
      t:equal(after.resourceVersion, before.resourceVersion, "version")
    end,
  },
  {
    title = "a field that is no longer applied goes",
    run = function(t)
      apply(t, config({ a = "1", b = "2" }), "fieldManager=platrun")
      apply(t, config({ a = "1" }), "fieldManager=platrun")
      apply(t, config(nil), "fieldManager=platrun")
    end,
  },
  {
    title = "a field that somebody else owns too stays",
    run = function(t)
      apply(t, config({ a = "1", b = "2" }), "fieldManager=one")
      apply(t, config({ b = "2" }), "fieldManager=two")
      apply(t, config({ a = "1" }), "fieldManager=one")
      apply(t, config(nil), "fieldManager=two")
    end,
  },
  {
    title = "a conflict names manager and field, force takes the field",
    run = function(t)
      t:equal(
        apply(t, web(), "fieldManager=platrun", { drop = { "status" } }).status,
        201,
        "created"
      )
      local function more(spec)
        spec.replicas = 5
      end
      local refused = apply(t, web(more), "fieldManager=other")
      t:equal(refused.status, 409, "status")
      t:equal(refused.json.details.causes[1].reason, "FieldManagerConflict", "reason")
      apply(t, web(more), "fieldManager=other&force=true&dryRun=All", owners())
      apply(t, web(more), "fieldManager=other&force=true", owners())
      apply(t, web(), "fieldManager=platrun", owners())
    end,
  },
  {
    title = "several conflicts are listed",
    run = function(t)
      apply(t, web(), "fieldManager=platrun", { keep = { "kind" } })
      apply(
        t,
        web(function(spec)
          spec.replicas = 3
          spec.template.spec.containers[1].image = "local/x:2"
          spec.template.spec.containers[1].args = { "b" }
        end),
        "fieldManager=other"
      )
    end,
  },
  {
    title = "updates by others conflict with a later apply",
    run = function(t)
      apply(t, web(), "fieldManager=platrun", { keep = { "kind" } })
      t:call("PATCH", DEPLOY .. "/web", { spec = { replicas = 7 } }, {
        type = MERGE.type,
        keep = OWNERS.keep,
      })
      apply(t, web(), "fieldManager=platrun", owners())
      t:call("PATCH", DEPLOY .. "/web/scale", { spec = { replicas = 4 } }, {
        type = MERGE.type,
        keep = { "spec" },
      })
      apply(t, web(), "fieldManager=platrun", owners())
      apply(
        t,
        web(function(spec)
          spec.replicas = nil
        end),
        "fieldManager=platrun",
        owners()
      )
    end,
  },
  {
    title = "a scale may be applied",
    run = function(t)
      apply(t, web(), "fieldManager=platrun", { keep = { "kind" } })
      local scale = { apiVersion = "autoscaling/v1", kind = "Scale", metadata = { name = "web" } }
      scale.spec = { replicas = 3 }
      local path = DEPLOY .. "/web/scale?fieldManager=scaler"
      t:call("PATCH", path, scale, { type = APPLY })
      t:call("PATCH", path .. "&force=true", scale, { type = APPLY, keep = { "spec", "kind" } })
      t:call("GET", DEPLOY .. "/web", nil, owners())
      apply(t, web(), "fieldManager=platrun", owners())
    end,
  },
  {
    title = "an apply keeps what others merged into a list",
    run = function(t)
      apply(t, web(), "fieldManager=platrun", { keep = { "kind" } })
      local env = { { name = "V", value = "2" } }
      t:call("PATCH", DEPLOY .. "/web", {
        spec = { template = { spec = { containers = { { name = "c", env = env } } } } },
      }, {
        type = "application/strategic-merge-patch+json",
        keep = { "spec.template.spec.containers", "metadata.managedFields" },
      })
      apply(
        t,
        web(function(spec)
          spec.template.spec.containers[1].args = nil
          spec.template.spec.containers[1].ports = nil
          table.insert(spec.template.spec.containers, { name = "d", image = "local/y:1" })
        end),
        "fieldManager=platrun",
        {
          keep = { "spec.template.spec.containers", "metadata.managedFields" },
        }
      )
      apply(t, web(), "fieldManager=platrun", {
        keep = { "spec.template.spec.containers", "metadata.managedFields" },
      })
    end,
  },
  {
    title = "labels and annotations are owned one by one",
    run = function(t)
      local object = config({ ["a.b"] = "1" })
      object.metadata.labels = { a = "b" }
      object.metadata.annotations = { ["x.y/z"] = "1" }
      apply(t, object, "fieldManager=p")
      object.metadata.labels.a = "c"
      object.metadata.annotations["x.y/z"] = "2"
      object.data["a.b"] = "2"
      apply(t, object, "fieldManager=q")
      object.metadata.labels = { mine = "1" }
      object.metadata.annotations, object.data = nil, nil
      apply(t, object, "fieldManager=q")
    end,
  },
  {
    title = "a service may be applied without protocol",
    run = function(t)
      local object = { apiVersion = "v1", kind = "Service", metadata = { name = "s" } }
      object.spec = { selector = { a = "b" }, ports = { { port = 80 } } }
      local path = "/api/v1/namespaces/$NS/services/s?fieldManager=p"
      t:call("PATCH", path, object, { type = APPLY })
      object.spec.ports[2] = { port = 81, name = "y" }
      object.spec.ports[1].name = "x"
      t:call("PATCH", path, object, { type = APPLY })
    end,
  },
  {
    title = "what an apply refuses",
    run = function(t)
      local path = CM .. "/c?fieldManager=platrun"
      local function send(object, query)
        return t:call("PATCH", query or path, object, { type = APPLY })
      end
      send(config({ a = "1" }), CM .. "/c")
      apply(t, config({ a = "1" }), "fieldManager=platrun")
      local managed = config({ a = "1" })
      managed.metadata.managedFields = { { manager = "x", operation = "Apply", apiVersion = "v1" } }
      send(managed)
      local other = config({ a = "1" })
      other.metadata.name = "d"
      send(other)
      send({ metadata = { name = "c" } })
      local stale = config({ a = "9" })
      stale.metadata.resourceVersion = "1"
      send(stale)
      local unknown = config({ a = "1" })
      unknown.nope = 1
      send(unknown)
      send(unknown, path .. "&fieldValidation=Strict")
      send(config({ a = 1 }))
      t:call(
        "PATCH",
        DEPLOY .. "/web?fieldManager=p",
        web(function(spec)
          spec.nonsense = 1
        end),
        { type = APPLY }
      )
      t:call(
        "PATCH",
        DEPLOY .. "/web?fieldManager=p",
        web(function(spec)
          spec.replicas = "x"
        end),
        { type = APPLY }
      )
    end,
  },
  {
    title = "an update clears what others owned",
    run = function(t)
      apply(t, config({ a = "1", b = "2" }), "fieldManager=platrun")
      t:call("PATCH", CM .. "/c", { data = { z = "1", a = t.json.null } }, MERGE)
      t:call("PUT", CM .. "/c?fieldManager=editor", config({ b = "3" }))
      apply(t, config({ b = "4" }), "fieldManager=platrun&force=true")
    end,
  },
}
