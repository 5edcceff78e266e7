--- Watches: lines of JSON, whatever the chunks; bookmarks; versions; what a selector sees.
local CM = "/api/v1/namespaces/$NS/configmaps"

local function config(name, data, labels)
  local meta = { name = name, labels = labels }
  return { apiVersion = "v1", kind = "ConfigMap", metadata = meta, data = data }
end

local function put(t, name, data, labels)
  return t:call("PUT", CM .. "/" .. name, config(name, data, labels), { quiet = true }).json
end

local function post(t, name, data, labels)
  return t:call("POST", CM, config(name, data, labels), { quiet = true }).json
end

local function types(events)
  local out = {}
  for i, event in ipairs(events) do
    out[i] = event.type
  end
  return table.concat(out, " ")
end

local ONE = "&fieldSelector=metadata.name%3Dw"

return {
  {
    title = "changes come as ADDED, MODIFIED and DELETED",
    run = function(t)
      local rv = post(t, "other").metadata.resourceVersion
      local path = CM .. "?watch=true&timeoutSeconds=3" .. ONE .. "&resourceVersion=" .. rv
      local w = t:watch(path)
      w.path = "one object"
      post(t, "w", { k = "1" })
      put(t, "w", { k = "2" })
      t:call("DELETE", CM .. "/w", nil, { quiet = true })
      t:equal(types(t:finish(w)), "ADDED MODIFIED DELETED", "events")
    end,
  },
  {
    title = "without a version the present comes first",
    run = function(t)
      post(t, "w", { k = "1" })
      for _, version in ipairs({ "", "&resourceVersion=0" }) do
        local w = t:watch(CM .. "?watch=true&timeoutSeconds=2" .. ONE .. version)
        t:equal(types(t:finish(w)), "ADDED", "events")
      end
    end,
  },
  {
    title = "an object enters and leaves what a selector sees",
    run = function(t)
      local rv = post(t, "w").metadata.resourceVersion
      local w =
        t:watch(CM .. "?watch=true&timeoutSeconds=3&labelSelector=in%3Dyes&resourceVersion=" .. rv)
      w.path = "by label"
      put(t, "w", { k = "1" }, { ["in"] = "yes" })
      put(t, "w", { k = "2" }, { ["in"] = "yes" })
      put(t, "w", { k = "3" }, { ["in"] = "no" })
      put(t, "w", { k = "4" }, { ["in"] = "no" })
      t:equal(types(t:finish(w)), "ADDED MODIFIED DELETED", "events")
    end,
  },
  {
    title = "a bookmark carries only a version",
    run = function(t)
      local rv = post(t, "w").metadata.resourceVersion
      local w = t:watch(
        CM .. "?watch=true&allowWatchBookmarks=true&timeoutSeconds=5&resourceVersion=" .. rv
      )
      w.path = "with bookmarks"
      local events = {}
      for _, event in ipairs(t:finish(w, { keep = { "1.type", "1.object.kind" } })) do
        events[event.type] = event.object
      end
      local mark = t:ok(events.BOOKMARK, "there is a bookmark")
      t:ok(tonumber(mark.metadata.resourceVersion) >= tonumber(rv), "it is as new as the start")
      t:equal(mark.metadata.name, nil, "name")
    end,
  },
  {
    title = "a version that is too old is 200 and an ERROR event of code 410",
    run = function(t)
      local w = t:watch(CM .. "?watch=true&timeoutSeconds=3&resourceVersion=1")
      local keep = { keep = { "1.type", "1.object.kind", "1.object.code", "1.object.reason" } }
      local events = t:finish(w, keep)
      if #events > 0 then
        t:equal(events[1].object.code, 410, "code")
      end
    end,
  },
  {
    title = "a version of the future is silent",
    run = function(t)
      local w = t:watch(CM .. "?watch=true&timeoutSeconds=2&resourceVersion=99999999")
      t:equal(#t:finish(w), 0, "events")
    end,
  },
  {
    title = "a version that is no number is a 500",
    run = function(t)
      t:call("GET", CM .. "?watch=true&timeoutSeconds=2&resourceVersion=abc")
    end,
  },
  {
    title = "a watch of metadata, and of tables",
    run = function(t)
      post(t, "w", { k = "1" })
      local form = "application/json;as=%s;v=v1;g=meta.k8s.io,application/json"
      local path = CM .. "?watch=true&timeoutSeconds=2" .. ONE
      t:finish(t:watch(path, { accept = form:format("PartialObjectMetadata") }))
      t:finish(t:watch(path, { accept = form:format("Table") }), {
        keep = {
          "1.type",
          "1.object.kind",
          "1.object.rows.1.cells.1",
          "1.object.rows.1.object.kind",
        },
      })
    end,
  },
}
