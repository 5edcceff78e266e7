--- Scaling: guarded writes, races, second operators, and the autoscalers that own replicas.
local k8s = require("plat.k8s")
local stub = load(assert(require("prim.fs").read("tests/lua/k8s_stub.lua")), "@k8s_stub.lua")()

local function connect()
  return k8s.connect({ server = "https://stub:6443", name = "stub" })
end

local STS = "/apis/apps/v1/namespaces/data/statefulsets/exec"
local HPAS = "/apis/autoscaling/%s/namespaces/data/horizontalpodautoscalers"

local function scale_body(replicas, version)
  return {
    kind = "Scale",
    apiVersion = "autoscaling/v1",
    metadata = { name = "exec", namespace = "data", resourceVersion = version or "7" },
    spec = { replicas = replicas },
    status = { replicas = replicas, selector = "app=exec" },
  }
end

local function hpa(name, target, kind)
  return {
    metadata = { name = name },
    spec = {
      scaleTargetRef = { apiVersion = "apps/v1", kind = kind or "StatefulSet", name = target },
      minReplicas = 2,
      maxReplicas = 5,
    },
    status = { currentReplicas = 3, desiredReplicas = 4 },
  }
end

local function no_hpas()
  return { [("GET " .. HPAS):format("v2")] = { body = stub.list({}) } }
end

local function with(routes, more)
  for key, value in pairs(more) do
    routes[key] = value
  end
  return routes
end

return {
  ["scale writes a guarded PUT, and nothing when it is so already"] = function(t)
    local requests = stub.open(
      t,
      with(no_hpas(), {
        ["GET " .. STS .. "/scale"] = { body = scale_body(3) },
        ["PUT " .. STS .. "/scale"] = { body = scale_body(5) },
      })
    )
    local set = connect():stateful_set("data", "exec")
    stub.step(function()
      t.equal(set:scale(3), false)
      t.equal(#requests, 1)
      t.equal(set:scale(5), true)
    end)
    t.equal(requests[#requests].line, "PUT " .. STS .. "/scale?fieldManager=platrun")
    t.equal(requests[#requests].body.spec.replicas, 5)
    t.equal(requests[#requests].body.metadata.resourceVersion, "7")
  end,

  ["a stale PUT reads again and retries while nobody changed the replicas"] = function(t)
    local stale = {
      status = 409,
      body = stub.status(409, "Conflict", "the object has been modified", { name = "exec" }),
    }
    local requests = stub.open(
      t,
      with(no_hpas(), {
        ["GET " .. STS .. "/scale"] = {
          { body = scale_body(3, "7") },
          { body = scale_body(3, "8") },
        },
        ["PUT " .. STS .. "/scale"] = { stale, { body = scale_body(5) } },
      })
    )
    stub.step(function()
      t.ok(connect():scale("sts", "data", "exec", 5))
    end)
    t.equal(requests[#requests].body.metadata.resourceVersion, "8")
  end,

  ["a second operator who scales meanwhile is not overwritten"] = function(t)
    stub.open(
      t,
      with(no_hpas(), {
        ["GET " .. STS .. "/scale"] = { { body = scale_body(3) }, { body = scale_body(4) } },
        ["PUT " .. STS .. "/scale"] = {
          status = 409,
          body = stub.status(409, "Conflict", "the object has been modified", { name = "exec" }),
        },
      })
    )
    local err = t.fails("refused", stub.step, function()
      connect():scale("sts", "data", "exec", 5)
    end)
    t.match(err.msg, "from 3 to 4 meanwhile")
  end,

  ["replicas that an autoscaler owns are refused, two autoscalers as well"] = function(t)
    local routes = {
      ["GET " .. STS .. "/scale"] = { body = scale_body(3) },
      [("GET " .. HPAS):format("v2")] = {
        { body = stub.list({ hpa("other", "web"), hpa("auto", "exec") }) },
        { body = stub.list({ hpa("auto", "exec"), hpa("auto2", "exec") }) },
      },
    }
    local requests = stub.open(t, routes)
    local client = connect()
    local err = t.fails("refused", client.scale, client, "sts", "data", "exec", 5)
    t.match(err.msg, '"auto" owns the replicas %(2 to 5%)')
    t.match(err.hint, "set_hpa_bounds")
    err = t.fails("refused", client.scale, client, "sts", "data", "exec", 5)
    t.match(err.msg, "2 autoscalers fight over it: auto, auto2")
    t.equal(stub.lines(requests, "PUT"), {})
  end,

  ["autoscalers are read with the newest version that is served"] = function(t)
    local unserved = {
      status = 404,
      body = stub.status(404, "NotFound", "the server could not find the requested resource", {}),
    }
    local requests = stub.open(t, {
      [("GET " .. HPAS):format("v2")] = unserved,
      [("GET " .. HPAS):format("v2beta2")] = { body = stub.list({ hpa("auto", "exec") }) },
    })
    local client = connect()
    t.equal(client:hpas("data", "sts", "exec")[1].max, 5)
    client:hpas("data")
    t.equal(#requests, 3, "the version is remembered")
  end,

  ["bounds of an autoscaler: patched, checked, returned for the undo"] = function(t)
    local path = HPAS:format("v2") .. "/auto"
    local requests = stub.open(t, {
      [("GET " .. HPAS):format("v2")] = { body = stub.list({ hpa("auto", "exec") }) },
      ["GET " .. path] = { body = hpa("auto", "exec") },
      ["PATCH " .. path] = { body = hpa("auto", "exec") },
    })
    local client = connect()
    stub.step(function()
      t.equal(client:set_hpa_bounds("data", "auto", { min = 4, max = 8 }), { min = 2, max = 5 })
      t.equal(requests[#requests].body, { spec = { minReplicas = 4, maxReplicas = 8 } })
      local count = #requests
      client:set_hpa_bounds("data", "auto", { min = 2, max = 5 })
      t.equal(stub.lines(requests, "PATCH")[2], nil, "the same bounds change nothing")
      t.ok(#requests > count)
      t.fails("usage", client.set_hpa_bounds, client, "data", "auto", { min = 6 })
    end)
  end,

  ["what cannot see the autoscalers does not scale, unless it is told to"] = function(t)
    local routes = {
      ["GET " .. STS .. "/scale"] = { body = scale_body(3) },
      ["PUT " .. STS .. "/scale"] = { body = scale_body(5) },
      [("GET " .. HPAS):format("v2")] = {
        status = 403,
        body = stub.status(403, "Forbidden", "no hpas"),
      },
    }
    local requests = stub.open(t, routes)
    local client = connect()
    local err = t.fails("refused", client.scale, client, "sts", "data", "exec", 5)
    t.equal(err.msg, "cannot see whether an autoscaler owns the replicas")
    t.match(err.hint, 'or say hpa = "ignore"$')
    t.equal(stub.lines(requests, "PUT"), {})
    stub.step(function()
      t.ok(client:scale("sts", "data", "exec", 5, { hpa = "ignore" }))
    end)
    routes[("GET " .. HPAS):format("v2")] = {
      status = 400,
      body = stub.status(400, "BadRequest", "odd"),
    }
    t.equal(t.fails("http", client.scale, client, "sts", "data", "exec", 5).code, 400)
  end,
}
