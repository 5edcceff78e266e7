--- What the API says about itself.
local APIS = {
  "autoscaling/v2",
  "batch/v1",
  "coordination.k8s.io/v1",
  "policy/v1",
}

local AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"

local function entry(list, field, name)
  for _, item in ipairs(list) do
    if item[field] == name then
      return item
    end
  end
end

return {
  {
    title = "version and health",
    bare = true,
    run = function(t)
      t:call("GET", "/version", nil, { drop = { "gitCommit", "goVersion" } })
      t:call("GET", "/readyz")
      t:call("GET", "/livez")
      local resp = t:call("GET", "/readyz?verbose", nil, { loose = true })
      t:ok(resp.body:find("[+]etcd ok\n", 1, true), "checks are listed")
    end,
  },
  {
    title = "groups and resources",
    bare = true,
    run = function(t)
      t:call("GET", "/api", nil, { keep = { "kind", "versions" } })
      local groups = t:call("GET", "/apis", nil, { keep = { "kind", "apiVersion" } }).json.groups
      for _, gv in ipairs(APIS) do
        local found = t:ok(entry(groups, "name", gv:match("^[^/]*")), gv .. " is a group")
        t:equal(entry(found.versions, "groupVersion", gv).groupVersion, gv, "version")
      end
      t:call("GET", "/apis/nope.io")
      t:call("GET", "/apis/nope.io/v1")
    end,
  },
  {
    title = "a resource has its names, verbs and scope",
    bare = true,
    run = function(t)
      for _, path in ipairs({
        "/api/v1",
        "/apis/apps/v1",
        "/apis/policy/v1",
        "/apis/autoscaling/v2",
      }) do
        local list = t:call("GET", path, nil, { keep = { "kind", "groupVersion" } }).json.resources
        local mine = {}
        for _, name in ipairs({
          "pods",
          "pods/eviction",
          "pods/log",
          "nodes",
          "services",
          "deployments",
          "deployments/scale",
          "statefulsets",
          "statefulsets/scale",
          "statefulsets/status",
          "poddisruptionbudgets",
          "horizontalpodautoscalers",
        }) do
          local found = entry(list, "name", name)
          if found then
            found.storageVersionHash = nil
            mine[name] = found
          end
        end
        local text = t.json.encode(mine)
        t.log[#t.log].body = t.json.decode(text)
      end
    end,
  },
  {
    title = "OpenAPI v3 says which requests take fieldValidation",
    bare = true,
    run = function(t)
      local index = t.json.decode(t:call("GET", "/openapi/v3", nil, { loose = true }).body)
      local place = t:ok(index.paths["apis/apps/v1"], "apps/v1 is in the index")
      local url = place.serverRelativeURL
      local document = t:call("GET", url, nil, { quiet = true }).json
      local path = "/apis/apps/v1/namespaces/{namespace}/statefulsets/{name}"
      local patch = document.paths[path].patch
      local names = {}
      for _, parameter in ipairs(patch.parameters) do
        names[parameter.name] = true
      end
      t:ok(names.fieldValidation and names.dryRun, "parameters of a patch")
      t:equal(patch["x-kubernetes-group-version-kind"].kind, "StatefulSet", "kind")
    end,
  },
  {
    title = "aggregated discovery",
    bare = true,
    run = function(t)
      for _, accept in ipairs({ AGGREGATED, AGGREGATED .. ",application/json" }) do
        local resp = t:call("GET", "/apis", nil, {
          headers = { accept = accept },
          keep = { "kind", "apiVersion" },
        })
        local apps
        for _, item in ipairs(resp.json.items) do
          apps = item.metadata.name == "apps" and item or apps
        end
        local set = entry(apps.versions[1].resources, "resource", "statefulsets")
        t.log[#t.log].body = set
      end
      local core = t:call("GET", "/api", nil, {
        headers = { accept = AGGREGATED },
        keep = { "kind", "apiVersion", "items.1.metadata" },
      })
      t.log[#t.log].body = entry(core.json.items[1].versions[1].resources, "resource", "configmaps")
    end,
  },
}
