--- Requests, streams and upgrades of every kind at once, each ended at some moment by a deadline, a
--- cancel, a close or its own end: for the sanitizers, and to see that nothing is left behind.
local fs = require("prim.fs")
local http = require("prim.http")
local task = require("plat.task")

local fake = load(assert(fs.read("tests/fakes/http_fake.lua")), "@http_fake.lua")()

local WORKERS, ROUNDS = 24, 20
local PLAIN = {
  "ok",
  "bytes/200000",
  "chunked/40",
  "gzip/3000000",
  "half",
  "halfchunk",
  "halfhead",
  "garbage",
  "close",
  "reset",
  "once",
  "idle/0.01",
  "slow/0.05",
  "trickle/20/0.005",
  "endless",
  "upgrade",
  "redirect/302/|ok",
}

--- Numbers that are the same in every run.
local function chance(seed)
  local state = seed
  return function(n)
    state = (state * 6364136223846793005 + 1442695040888963407) & math.maxinteger
    return (state >> 33) % n + 1
  end
end

local function deadline(pick)
  return pick(3) == 1 and pick(60) / 1000 or 5
end

local function plain(base, pick)
  local resp, err = http.request({
    url = base .. "/" .. PLAIN[pick(#PLAIN)],
    method = pick(4) == 1 and "POST" or "GET",
    body = pick(3) == 1 and ("x"):rep(pick(100000)) or nil,
    timeout = deadline(pick),
    max_body = 1000000,
    follow = 2,
  })
  return resp and resp.status or err.kind
end

local function stream(base, pick)
  local resp, err = http.request({
    url = base .. "/" .. PLAIN[pick(#PLAIN)],
    stream = true,
    timeout = deadline(pick),
    first_byte_timeout = deadline(pick),
  })
  if not resp then
    return err.kind
  end
  local s <close> = resp.stream
  for _ = 1, s and pick(40) or 0 do
    if not s:read(deadline(pick)) then
      break
    end
  end
  return "read"
end

local function raw(base, pick)
  local resp, err = http.request({
    url = base .. ({ "/upgrade", "/upgrade/hello", "/upgrade/silent", "/ok" })[pick(4)],
    upgrade = true,
    body = pick(2) == 1 and ("x"):rep(pick(70000)) or nil,
    method = "POST",
    timeout = deadline(pick),
  })
  if not resp or not resp.stream then
    return resp and "refused" or err.kind
  end
  local s <close> = resp.stream
  local reader <const> = task.spawn(function()
    while s:read() do
    end
  end)
  for _ = 1, pick(6) do
    s:write(("y"):rep(pick(200000)))
  end
  if pick(2) == 1 then
    s:finish()
  end
  task.sleep(pick(20) / 1000)
  reader:cancel()
  return "duplex"
end

local function upload(base, pick)
  local up = assert(http.request({
    url = base .. (pick(3) == 1 and "/early" or "/echo"),
    method = "PUT",
    upload = "stream",
    timeout = deadline(pick),
  }))
  local s <close> = up.stream
  for _ = 1, pick(5) do
    s:write(("z"):rep(pick(100000)))
  end
  if pick(4) == 1 then
    return "dropped"
  end
  s:finish()
  local resp, err = s:response()
  return resp and resp.status or err.kind
end

return {
  ["whatever happens, the client goes on"] = function(t)
    local base = fake.serve(t)
    local kinds, seen = { plain, stream, raw, upload }, {}
    local handles = {}
    for worker = 1, WORKERS do
      local pick = chance(worker)
      handles[worker] = task.spawn(function()
        for _ = 1, ROUNDS do
          local what = kinds[pick(#kinds)](base, pick)
          seen[tostring(what)] = (seen[tostring(what)] or 0) + 1
        end
      end)
    end
    task.sleep(0.8)
    for worker = 1, WORKERS, 3 do
      handles[worker]:cancel()
    end
    for worker = 2, WORKERS, 3 do
      handles[worker]:join()
      handles[worker + 1 <= WORKERS and worker + 1 or worker]:join()
    end
    for _, what in ipairs({ "200", "read", "duplex", "http", "connect", "timeout" }) do
      t.ok(seen[what], "it happened: " .. what)
    end
    collectgarbage()
    t.equal(assert(http.request({ url = base .. "/ok" })).body, "ok")
  end,
}
