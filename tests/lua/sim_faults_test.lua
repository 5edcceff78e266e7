--- The words in which faults are asked for, when they happen, and that they are the ones of a real
--- wire.
local effect = require("plat.effect")
local fault = require("plat.fault")
local faults = require("plat.sim.faults")
local fs = require("prim.fs")
local fake = load(assert(fs.read("tests/fakes/http_fake.lua")), "@http_fake.lua")()

-- A world that answers everything, and remembers what it was asked and what happened to it.
local function world(answer)
  local w = { seed = 4, asked = {}, happened = {} }
  function w.happen(_, name, args, about)
    w.happened[#w.happened + 1] = { name = name, args = args, about = about }
  end
  w.answer = answer
    or function()
      return { status = 200, headers = {}, body = '{"kind":"Pod"}' }
    end
  return w
end

local function injector(w, ...)
  local list = {}
  for i, text in ipairs({ ... }) do
    list[i] = faults.parse(text)
  end
  return faults.injector(w, list)
end

-- Sends one request through an injector; returns "200", "503" or the kind of the fault.
local function ask(w, inj, req)
  req.op = req.op or "k8s.get"
  req.url = req.url or "https://kubernetes.sandbox/api/v1/pods"
  local at = inj:moment(req, "kubernetes")
  local resp, err = fault.try(function()
    local early = inj:before(at)
    if early then
      return early
    end
    w.asked[#w.asked + 1] = at.request
    return inj:after(at, w.answer(req))
  end)
  return err and err.kind or tostring(resp.status), err, resp
end

local CHANGE = { op = "k8s.scale", method = "PUT", object = "statefulset a/b", change = {} }
local READ = { op = "k8s.get", method = "GET", object = "pod a/b-1" }

-- What n requests, each third one a change, come to.
local function course(w, inj, n)
  local out = {}
  for i = 1, n do
    local req = {}
    for k, v in pairs(i % 3 == 0 and CHANGE or READ) do
      req[k] = v
    end
    out[i] = ask(w, inj, req)
  end
  return table.concat(out, " ")
end

return {
  ["faults are read"] = function(t)
    local one = faults.parse("429:5:2@k8s.get pod *#3")
    t.equal(one.name, "429", "name")
    t.equal(one.args.seconds, 5, "seconds")
    t.equal(one.args.times, 2, "times")
    t.equal(one.when.op, "k8s.get pod *", "op")
    t.equal(one.when.nth, 3, "n-th")
    local two = faults.parse("any@12.5%,seed=7,changes,on=kubernetes")
    t.equal(two.when.share, 0.125, "share")
    t.equal(two.when.seed, 7, "seed")
    t.ok(two.when.changes, "changes")
    t.equal(two.when.on, "kubernetes", "model")
    t.equal(faults.parse("drop-after@3").when.effect, 3, "effect")
    t.equal(faults.parse("drop-after@request=3").when.request, 3, "request")
    t.equal(faults.parse("api-503:2").name, "503", "its old name")
    t.equal(faults.parse("image-pull").args.prefix, "", "default")
  end,

  ["what makes no sense is told"] = function(t)
    for text, said in pairs({
      ["nope"] = 'no fault "nope"',
      ["drop-aftr"] = 'did you mean "drop%-after"',
      ["slow"] = "write slow:MS",
      ["slow:fast"] = 'slow: "fast" is not a number',
      ["503:1.5"] = "not a whole number",
      ["503:1:2"] = '"2" is too much',
      ["503@7=3"] = 'when is "7=3"',
      ["503@101%"] = 'when is "101%%"',
      ["503@pages=3"] = 'when is "pages=3"',
      ["any"] = "write any%[:TIMES%]@P%%",
    }) do
      local _, err = fault.try(faults.parse, text)
      t.equal(err and err.kind, "usage", text)
      t.match(err.msg, said, text)
    end
  end,

  ["every kind has a usage that it reads, and a meaning"] = function(t)
    local n = 0
    for _, name in ipairs(faults.names()) do
      local kind = faults.kind(name)
      n = n + 1
      t.equal(kind.usage:match("^[%w-]+"), name, "usage begins with the name")
      t.ok(kind.help and #kind.args >= 0, name)
      t.ok(kind.before or kind.after or kind.world or kind.choose, name .. " does something")
    end
    t.ok(n >= 24, n .. " kinds")
  end,

  ["at the n-th effect, at the n-th request, by name, the n-th of a name"] = function(t)
    local w = world()
    t.equal(
      course(w, injector(w, "500@2"), 7),
      "200 200 200 200 200 500 200",
      "second effect, which is the sixth request"
    )
    t.equal(course(w, injector(w, "500@request=2"), 3), "200 500 200", "second request")
    t.equal(course(w, injector(w, "500:9@k8s.scale"), 6), "200 200 500 200 200 500", "by name")
    t.equal(course(w, injector(w, "500@k8s.get pod *#4"), 6), "200 200 200 200 500 200", "4th get")
    t.equal(course(w, injector(w, "500:2@changes"), 9), "200 200 500 200 200 500 200 200 200", "2")
    t.equal(course(w, injector(w, "500@on=dremio"), 3), "200 200 200", "another model")
    t.equal(course(w, injector(w, "500:2"), 4), "500 500 200 200", "now")
  end,

  ["by probability: the same seed, the same course; what was done can be repeated"] = function(t)
    local w = world()
    local one = injector(w, "any@30%,seed=5")
    local first = course(w, one, 60)
    t.equal(course(w, injector(w, "any@30%,seed=5"), 60), first, "the same seed")
    t.ok(course(w, injector(w, "any@30%,seed=6"), 60) ~= first, "another seed")
    local hits = #one.done
    t.ok(hits > 8 and hits < 32, hits .. " of 60")
    local texts = {}
    for i, done in ipairs(one.done) do
      texts[i] = done.text
    end
    t.equal(course(w, injector(w, table.unpack(texts)), 60), first, "one by one")
    t.equal(#injector(w, "500:2@100%").armed, 1, "armed")
    t.equal(course(w, injector(w, "500:2@100%"), 3), "500 500 200", "at most twice")
  end,

  ["before and after the server has acted"] = function(t)
    for text, acted in pairs({
      ["drop-before"] = false,
      ["drop-unsent"] = false,
      ["silent"] = false,
      ["500"] = false,
      ["502"] = false,
      ["503"] = false,
      ["429"] = false,
      ["409@changes"] = false,
      ["drop-after"] = true,
      ["504"] = true,
      ["partial"] = true,
      ["garbled"] = true,
      ["slow:1"] = true,
    }) do
      local w = world()
      ask(w, injector(w, text), { change = {}, method = "PUT", timeout = 0.01 })
      t.equal(#w.asked, acted and 1 or 0, text)
    end
  end,

  ["410 needs a version, 409 a change, meddling an object"] = function(t)
    local w = world()
    local inj = injector(w, "410", "409")
    t.equal(ask(w, inj, { method = "GET" }), "200", "no version")
    local url = "https://kubernetes.sandbox/api/v1/pods?watch=true&resourceVersion=7"
    t.equal(ask(w, inj, { method = "GET", url = url }), "410", "a version")
    t.equal(ask(w, inj, { method = "PUT", change = {} }), "409", "a change")
  end,

  ["what happens to the world happens before the request"] = function(t)
    local w = world()
    local inj = injector(w, "node-down:worker-1@2")
    course(w, inj, 5)
    t.equal(#w.happened, 0, "not yet")
    course(w, inj, 4)
    t.equal(#w.happened, 1, "once")
    t.equal(w.happened[1].name, "node-down", "what")
    t.equal(w.happened[1].about.op, "k8s.scale", "at what")
  end,

  ["a stream breaks off in the middle of a piece"] = function(t)
    for text, lost in pairs({ ["partial"] = true, ["garbled"] = false }) do
      local left = 2
      local closed = 0
      local w = world(function()
        return {
          status = 200,
          headers = {},
          stream = {
            read = function()
              left = left - 1
              return left >= 0 and "0123456789" or nil
            end,
            close = function()
              closed = closed + 1
            end,
          },
        }
      end)
      local _, _, resp = ask(w, injector(w, text), { method = "GET" })
      t.equal(resp.stream:read(), "01234", text)
      local piece, err = resp.stream:read()
      t.equal(piece, nil, "its end")
      t.equal(err ~= nil, lost, "says that it is lost")
      resp.stream:close()
      t.ok(closed > 0, "closed")
    end
  end,

  ["an answer that comes after the deadline of the request is a timeout"] = function(t)
    local function open(delay)
      effect.open({
        mode = "run",
        world = {
          request = function()
            return { status = 200, headers = {}, body = "late", delay = delay }
          end,
        },
      })
    end
    t.defer(effect.close)
    local req =
      { url = "http://a.sandbox/", op = "x.get", target = "x", timeout = 0.05, retry = false }
    open(30)
    local _, err = fault.try(effect.http, req)
    t.equal(err.kind, "timeout", "kind")
    t.match(err.msg, "no answer in 0.05 s", "what was waited for")
    t.ok(err.phase, "it says that it comes from the wire")
    open(0.001)
    t.equal(effect.http(req).body, "late", "in time")
  end,

  -- The kinds of fault of the simulated wire are those of the real one.
  ["a lost connection looks as on a real socket"] = function(t)
    local base = fake.serve(t)
    effect.close()
    local function real(path)
      local _, err = fault.try(effect.http, {
        url = base .. path,
        op = "k8s.get",
        target = "fake",
        timeout = 20,
        retry = false,
      })
      return err
    end
    local function simulated(text)
      local w = world()
      local _, err = ask(w, injector(w, text), { method = "GET" })
      return err
    end
    for path, text in pairs({ ["/close"] = "drop-after", ["/reset"] = "drop-after" }) do
      local a, b = real(path), simulated(text)
      t.equal(b.kind, a.kind, path)
      t.equal(b.sent ~= false, a.sent ~= false, path .. ": it may have been sent")
      t.match(a.msg, "connection", path)
    end
    local a, b = real("/half"), simulated("partial")
    t.equal(b.kind, a.kind, "half a body")
    t.equal(b.code, a.code, "its status")
    t.match(a.msg, "^body ended after", "real")
    t.match(b.msg, "^body ended after", "simulated")
    local refused = select(
      2,
      fault.try(effect.http, {
        url = "http://127.0.0.1:1/",
        op = "k8s.get",
        target = "fake",
        timeout = 20,
        retry = false,
      })
    )
    local dropped = simulated("drop-before")
    t.equal(dropped.kind, refused.kind, "refused")
    t.equal(dropped.sent, refused.sent or false, "nothing was sent")
    t.ok(refused.phase and dropped.phase, "phases")
  end,
}
