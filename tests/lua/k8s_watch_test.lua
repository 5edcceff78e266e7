--- Following objects: chunks, bookmarks, reconnects, versions that are too old, logs.
local fault = require("plat.fault")
local k8s = require("plat.k8s")
local stub = load(assert(require("prim.fs").read("tests/lua/k8s_stub.lua")), "@k8s_stub.lua")()
local watch = require("plat.k8s.watch")

local PODS = "/api/v1/namespaces/data/pods"

local function connect()
  return k8s.connect({ server = "https://stub:6443", name = "stub" })
end

local function pod(name, version)
  return { metadata = { name = name, namespace = "data", resourceVersion = version } }
end

-- A route that lists once a call and streams otherwise: `lists` and `streams` are used up in order.
local function route(lists, streams)
  local seen = { versions = {} }
  return function(req)
    if not req.url:find("watch=true", 1, true) then
      seen.lists = (seen.lists or 0) + 1
      return lists[math.min(seen.lists, #lists)]
    end
    seen.streams = (seen.streams or 0) + 1
    seen.versions[#seen.versions + 1] = req.url:match("resourceVersion=(%w+)")
    return streams[math.min(seen.streams, #streams)]
  end,
    seen
end

-- Follows pods and returns the events as "TYPE name" until `count` of them were seen.
local function follow(count, opts)
  local words = {}
  connect():watch("pods", "data", opts or {}, function(event)
    words[#words + 1] = event.type .. (event.object and (" " .. event.object.metadata.name) or "")
    return #words >= count
  end)
  return words
end

return {
  ["lines do not depend on the chunks"] = function(t)
    local chunks = { "a\nb", "", "c\n\nx", "\n", "e" }
    local at = 0
    local lines = {}
    for line in
      watch.lines({
        read = function()
          at = at + 1
          return chunks[at]
        end,
      })
    do
      lines[#lines + 1] = line
    end
    t.equal(lines, { "a", "bc", "", "x", "e" })
  end,

  ["an error of the stream is raised"] = function(t)
    local lines = watch.lines({
      read = function()
        return nil, { kind = "connect", op = "http", msg = "connection lost" }
      end,
    })
    t.equal(t.fails("connect", lines).msg, "connection lost")
  end,

  ["lists first, then follows events cut anywhere, and ends when told"] = function(t)
    local text = stub.event("ADDED", pod("b", "6")) .. stub.event("DELETED", pod("a", "7"))
    local handler, seen = route(
      { { body = stub.list({ pod("a", "4") }, { resourceVersion = "5" }) } },
      { { chunks = { text:sub(1, 20), text:sub(21, 90), text:sub(91) } } }
    )
    stub.open(t, { ["GET " .. PODS] = handler })
    t.equal(follow(4), { "ADDED a", "SYNCED", "ADDED b", "DELETED a" })
    t.equal(seen.versions, { "5" })
  end,

  ["goes on from the bookmark after a stream ended"] = function(t)
    local handler, seen = route({ { body = stub.list({}, { resourceVersion = "5" }) } }, {
      { chunks = { stub.event("BOOKMARK", { metadata = { resourceVersion = "90" } }) } },
      { chunks = { stub.event("ADDED", pod("x", "91")) } },
    })
    stub.open(t, { ["GET " .. PODS] = handler })
    t.equal(follow(2), { "SYNCED", "ADDED x" })
    t.equal(seen.versions, { "5", "90" })
  end,

  ["a version that is too old lists anew and tells only the difference"] = function(t)
    local handler, seen = route({
      {
        body = stub.list(
          { pod("same", "1"), pod("gone", "2"), pod("moved", "3") },
          { resourceVersion = "5" }
        ),
      },
      { body = stub.list({ pod("same", "1"), pod("moved", "8") }, { resourceVersion = "9" }) },
    }, {
      { chunks = { stub.event("ERROR", stub.status(410, "Expired", "too old resource version")) } },
      { chunks = { stub.event("ADDED", pod("new", "10")) } },
    })
    stub.open(t, { ["GET " .. PODS] = handler })
    t.equal(follow(8), {
      "ADDED same",
      "ADDED gone",
      "ADDED moved",
      "SYNCED",
      "MODIFIED moved",
      "DELETED gone",
      "SYNCED",
      "ADDED new",
    })
    t.equal(seen.versions, { "5", "9" })
  end,

  ["a 410 as the answer lists anew as well"] = function(t)
    local handler = route({ { body = stub.list({}, { resourceVersion = "5" }) } }, {
      { status = 410, body = stub.status(410, "Expired", "too old") },
      { chunks = { stub.event("ADDED", pod("new", "10")) } },
    })
    stub.open(t, { ["GET " .. PODS] = handler })
    t.equal(follow(3), { "SYNCED", "SYNCED", "ADDED new" })
  end,

  ["a lost connection is taken up where it was"] = function(t)
    local handler, seen = route({ { body = stub.list({}, { resourceVersion = "5" }) } }, {
      {
        chunks = {
          stub.event("ADDED", pod("a", "6")),
          function()
            fault.raise("connect", { op = "http" }, { msg = "connection reset" })
          end,
        },
      },
      { chunks = { stub.event("ADDED", pod("b", "7")) } },
    })
    stub.open(t, { ["GET " .. PODS] = handler })
    t.equal(follow(3), { "SYNCED", "ADDED a", "ADDED b" })
    t.equal(seen.versions, { "5", "6" })
  end,

  ["a watch that is forbidden is raised at once"] = function(t)
    local handler, seen = route({ { body = stub.list({}, { resourceVersion = "5" }) } }, {
      { status = 403, body = stub.status(403, "Forbidden", "no watch") },
    })
    stub.open(t, { ["GET " .. PODS] = handler })
    t.equal(t.fails("http", follow, 2).code, 403)
    t.equal(seen.streams, 1)
  end,

  ["one object is followed by its name"] = function(t)
    local requests = stub.open(t, {
      ["GET " .. PODS] = { body = stub.list({ pod("a", "4") }, { resourceVersion = "5" }) },
    })
    t.equal(follow(1, { name = "a" }), { "ADDED a" })
    t.match(requests[1].line, "fieldSelector=metadata.name%%3Da")
  end,

  ["a followed log comes line by line until it is enough"] = function(t)
    local requests = stub.open(t, {
      ["GET " .. PODS .. "/p/log"] = { chunks = { "one\ntw", "o\nthree\n" } },
    })
    local lines = {}
    connect():logs("data", "p", { follow = true, container = "c", since = "5m" }, function(line)
      lines[#lines + 1] = line
      return line == "two"
    end)
    t.equal(lines, { "one", "two" })
    t.match(requests[1].line, "%?container=c&follow=true&sinceSeconds=300$")
  end,

  ["a log is text"] = function(t)
    stub.open(t, {
      ["GET " .. PODS .. "/p/log?previous=true&tailLines=2"] = { body = "a\nb\n" },
    })
    t.equal(connect():logs("data", "p", { tail = 2, previous = true }), "a\nb\n")
  end,
}
