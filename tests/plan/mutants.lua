--- Predictors that are wrong, one at a time. Each mutant breaks one and returns what mends it.
local files = require("plat.effect.files")
local json = require("plat.json")
local list = require("plat.list")
local overlay = require("plat.k8s.overlay")
local planner = require("plat.effect.plan")
local predict = require("plat.k8s.predict")
local wire = require("plat.effect.wire")

local M = {}

local function nothing() end
local Plan = getmetatable(planner.new(nothing, nothing))

--- Replaces a function of a table; returns what puts it back.
local function replace(t, name, make)
  local original = t[name]
  t[name] = make(original)
  return function()
    t[name] = original
  end
end

--- Breaks the answer of a prediction: `spoil` changes the object in it.
local function spoil(name, change)
  return function()
    return replace(predict, name, function(original)
      return function(...)
        local compose = original(...)
        return function(ask)
          local resp, bounded = compose(ask)
          if resp then
            resp = list.merge(resp)
            local object = json.decode(resp.body)
            change(object)
            resp.body = json.encode(object)
          end
          return resp, bounded
        end
      end
    end)
  end
end

--- The overlay of a kind of change does nothing: later reads show the world as it is.
local function blind(op)
  return function()
    return replace(Plan, "change", function(original)
      return function(self, change)
        if change.op == op then
          change.overlay = function(_, resp)
            return resp
          end
        end
        return original(self, change)
      end
    end)
  end
end

M["create: other data"] = spoil("create", function(object)
  object.data = { n = "5" }
end)
M["patch: other data"] = spoil("patch", function(object)
  object.data = { n = "5" }
end)
M["apply: other data"] = spoil("apply", function(object)
  object.data = { n = "5" }
end)
M["create: no labels"] = spoil("create", function(object)
  object.metadata.labels = nil
end)
M["create is not seen"] = blind("k8s.create")
M["patch is not seen"] = blind("k8s.patch")
M["apply is not seen"] = blind("k8s.apply")
M["delete is not seen"] = blind("k8s.delete")
M["scale is not seen"] = blind("k8s.scale")
M["dremio.cancel is not seen"] = blind("dremio.cancel")

M["a change is taken for opaque"] = function()
  return replace(Plan, "change", function(original)
    return function(self, change)
      if change.op == "k8s.patch" then
        change.predict = nil
      end
      return original(self, change)
    end
  end)
end

M["changes of one object do not compose"] = function()
  return replace(Plan, "planned", function()
    return function()
      return nil
    end
  end)
end

M["scale: one more"] = function()
  return replace(predict, "with_replicas", function(original)
    return function(now, replicas)
      return original(now, replicas + 1)
    end
  end)
end

M["waits leave the old state"] = function()
  return replace(predict, "settled", function()
    return function(_, object)
      return object
    end
  end)
end

M["versions are the old ones"] = function()
  return replace(predict, "veil", function()
    return function(object)
      return object
    end
  end)
end

M["controllers do nothing"] = function()
  return replace(overlay, "about", function(original)
    return function(...)
      return setmetatable({}, {
        __index = original(...),
        __newindex = function(t, name, value)
          rawset(t, name, name ~= "moves" and value or nil)
        end,
      })
    end
  end)
end

M["posted reads show the present"] = function()
  return replace(Plan, "read", function(original)
    return function(self, req, resp)
      return req.method == "POST" and resp or original(self, req, resp)
    end
  end)
end

M["reads of what is unknown show the present"] = function()
  return replace(Plan, "before_read", function()
    return function() end
  end)
end

M["early ends are not told"] = function()
  return replace(Plan, "cut", function(original)
    return function(self, why)
      local ok, err = pcall(original, self, why)
      self.open, self.loose = {}, nil
      assert(not ok)
      error(err, 0)
    end
  end)
end

M["files are not seen"] = function()
  local view = getmetatable(files.of({}))
  return replace(view, "put", function()
    return function() end
  end)
end

M["a dry run is not dry"] = function()
  return replace(wire, "ask", function(original)
    return function(door, req, ...)
      req = list.merge(req)
      req.url = req.url:gsub("dryRun=All&?", "")
      return original(door, req, ...)
    end
  end)
end

M["a guess counts as certain"] = function()
  return replace(Plan, "returned", function()
    return function() end
  end)
end

return M
