--- Which resources a server has: found anew when something is missing, said when a group is down.
local json = require("plat.json")
local k8s = require("plat.k8s")
local kinds = require("plat.k8s.kinds")
local stub = load(assert(require("prim.fs").read("tests/lua/k8s_stub.lua")), "@k8s_stub.lua")()
local task = require("plat.task")

local function connect()
  return k8s.connect({ server = "https://stub:6443", name = "stub" })
end

--- An old server with the groups, each with the kinds that it serves; a string is an error page.
local function open(t, groups)
  local sleep = task.sleep
  function task.sleep() end -- the door asks a group that is down several times
  t.defer(function()
    task.sleep = sleep
  end)
  local routes = {
    ["GET /api"] = { body = { kind = "APIVersions", versions = json.array({ "v1" }) } },
    ["GET /api/v1"] = { body = { groupVersion = "v1", resources = json.array({}) } },
    ["GET /apis"] = function()
      local list = {}
      for name in pairs(groups) do
        list[#list + 1] = {
          name = name,
          versions = json.array({ { groupVersion = name .. "/v1" } }),
          preferredVersion = { groupVersion = name .. "/v1" },
        }
      end
      return { body = { kind = "APIGroupList", groups = json.array(list) } }
    end,
  }
  for name in pairs(groups) do
    routes["GET /apis/" .. name .. "/v1"] = function()
      if type(groups[name]) == "number" then
        return { status = groups[name], headers = {}, body = "no" }
      end
      local resources = {}
      for i, kind in ipairs(groups[name]) do
        resources[i] = { name = kind:lower() .. "s", kind = kind, namespaced = true, verbs = {} }
      end
      return { body = { groupVersion = name .. "/v1", resources = json.array(resources) } }
    end
  end
  return stub.open(t, routes)
end

return {
  ["a kind that was defined since is found, and asked for once"] = function(t)
    local groups = { ["a.io"] = { "Apple" } }
    local requests = open(t, groups)
    local client = connect()
    t.equal(client:resource("apples").kind, "Apple")
    local asked = #requests
    t.equal(client:resource("Apple").plural, "apples")
    t.equal(#requests, asked, "known by now")
    groups["a.io"] = { "Apple", "Pear" }
    t.equal(client:resource("pears").kind, "Pear")
    t.equal(#requests, 2 * asked)
    t.equal(client:resource("pears.a.io").group, "a.io")
    t.equal(#requests, 2 * asked)
  end,

  ["a group that is down is named once, and no more when it is back"] = function(t)
    local groups = { ["a.io"] = { "Apple" }, ["b.io"] = 503, ["c.io"] = 404 }
    open(t, groups)
    local client = connect()
    client:resource("apples")
    local err = t.fails("usage", client.resource, client, "xylophone")
    t.equal(err.msg, 'the server has no resource "xylophone"')
    local down = err.hint:match("^these API groups did not answer: (.*)$")
    local names = {}
    for name in down:gmatch("[^, ]+") do
      names[#names + 1] = name
    end
    table.sort(names)
    t.equal(names, { "/apis/b.io/v1", "/apis/c.io/v1" })
    groups["b.io"], groups["c.io"] = { "Bean" }, { "Corn" }
    t.equal(client:resource("beans").kind, "Bean")
    t.equal(t.fails("usage", client.resource, client, "xylophone").hint, nil)
  end,

  ["a group that may not be read is a failure"] = function(t)
    for _, status in ipairs({ 403, 499 }) do
      open(t, { ["a.io"] = status })
      local client = connect()
      t.equal(t.fails("http", client.resource, client, "apples").code, status)
    end
  end,

  ["a kind of an API version that is not served"] = function(t)
    open(t, { ["a.io"] = { "Apple" } })
    local client = connect()
    local want = { apiVersion = "a.io/v2", kind = "Apple" }
    local err = t.fails("usage", client.resource, client, want)
    t.equal(err.msg, 'the server has no resource "Apple" in a.io/v2')
    t.equal({ err.op, err.target }, { "k8s.discovery", "cluster stub" })
  end,

  ["a kind by any of its names, with group and version or without"] = function(t)
    local function find(want)
      local found = kinds.find(kinds.stable, want)
      return found and found.kind
    end
    for _, want in ipairs({
      "deploy",
      "Deployment",
      "deployments",
      "deployments.apps",
      "deployments.v1.apps",
      "apps/v1/Deployment",
      { apiVersion = "apps/v1", kind = "Deployment" },
    }) do
      t.equal(find(want), "Deployment")
    end
    t.equal(find("deployments.v2.apps"), nil)
    t.equal(find("deployments.batch"), nil)
    t.equal(find({ apiVersion = "apps/v2", kind = "Deployment" }), nil)
  end,
}
