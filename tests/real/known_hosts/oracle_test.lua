-- platrun against ssh-keygen, ssh and sshd: see tests/real/known_hosts/run.
local fault = require("plat.fault")
local fs = require("prim.fs")
local hash = require("plat.hash")
local known_hosts = require("plat.ssh.known_hosts")
local list = require("plat.list")
local proc = require("prim.proc")
local sys = require("prim.sys")

local DIR = assert(sys.getenv("KNOWN_HOSTS_DIR"))
local PORT = assert(math.tointeger(tonumber(sys.getenv("KNOWN_HOSTS_PORT"))))
local SEED = tonumber(sys.getenv("KNOWN_HOSTS_SEED") or 7)

local function run(argv)
  return fault.must({ op = argv[1] }, proc.run(argv, { timeout = 20 }))
end

local function read_key(name)
  local text = assert(fs.read(("%s/%s.pub"):format(DIR, name)))
  local kind, data, comment = text:match("^(%S+) (%S+) ?([^\n]*)\n")
  return {
    type = kind,
    data = data,
    blob = hash.unbase64(data),
    comment = comment,
    text = kind .. " " .. data,
  }
end

local KEYS = {}
for _, name in ipairs({
  "ed25519",
  "ecdsa",
  "rsa",
  "ecdsa384",
  "ecdsa521",
  "other",
  "authority",
  "certified-cert",
}) do
  KEYS[name] = read_key(name)
end

local function fill(text)
  return (text:gsub("%$(%w+)", function(name)
    return KEYS[name].text
  end))
end

local number = 0
local function write(text)
  number = number + 1
  local path = ("%s/known-%d"):format(DIR, number)
  assert(fs.write(path, text, { sync = false }))
  return path
end

--- "LINE MARKER TYPE FINGERPRINT" of all that ssh-keygen finds.
local function theirs(path, name)
  local out = {}
  local said = run({ "ssh-keygen", "-l", "-F", name, "-f", path }).stdout
  local place
  for line in said:gmatch("[^\n]+") do
    local at, marker = line:match("^# Host .* found: line (%d+) (%u*)$")
    if at then
      place = at .. " " .. marker
    else
      local kind, print = line:match("^%S+ (%S+) (SHA256:%S+)")
      out[#out + 1] = ("%s %s %s"):format(place, kind, print)
    end
  end
  return out
end

local WORD = { revoked = "REVOKED", ["cert-authority"] = "CA" }

local function ours(path, name)
  local file = known_hosts.parse(assert(fs.read(path)), path)
  return list.map(file:matching(name), function(entry)
    local kind = known_hosts.key(entry.blob).name
    return ("%d %s %s %s"):format(
      entry.line,
      WORD[entry.marker] or "",
      kind,
      known_hosts.fingerprint(entry.blob)
    )
  end)
end

-- Each: a file and the names to look for in it.
local CASES = {
  { "h $ed25519\n", "h", "H", "hh", "x" },
  { "h $ed25519 a comment\nh $ecdsa\nh $rsa\nh $ecdsa384\nh $ecdsa521\n", "h" },
  { "a,b,c $ed25519\n", "a", "b", "c", "a,b", "d" },
  { "H.Example.COM $ed25519\n", "h.example.com", "H.EXAMPLE.com" },
  { "*.example.com $ed25519\n", "a.example.com", "example.com", "a.b.example.com" },
  { "h?,x* $ed25519\n", "h1", "h", "h12", "xyz" },
  { "*.example.com,!db.example.com $ed25519\n", "web.example.com", "db.example.com" },
  { "!db,* $ed25519\n", "db", "other" },
  { "!db $ed25519\n", "db", "other" },
  { "[h]:2222 $ed25519\n", "[h]:2222", "h", "[h]:22", "[h]:2223" },
  { "[*]:2222 $ed25519\n", "[h]:2222", "h" },
  { "* $ed25519\n", "[h]:2222", "h" },
  { "::1,127.0.0.1 $ed25519\n", "::1", "127.0.0.1", "127.0.0.2" },
  { "[::1]:2222 $rsa\n", "[::1]:2222", "::1" },
  { "@cert-authority *.example.com $authority\nh $ed25519\n", "a.example.com", "h" },
  { "@revoked * $other\nh $ed25519\n", "h", "x" },
  { "@revoked h $other\n@cert-authority h $authority\nh $ed25519\n", "h" },
  { "@unknown h $other\nh $ed25519\n", "h" },
  { "@revoked @cert-authority h $other\nh $ed25519\n", "h" },
  { "@revoked\nh $ed25519\n", "h" },
  { "# h $ed25519\n\n   \n  h $ed25519\n\t h $ecdsa\n", "h" },
  { "h\nh ssh-ed25519\nh ssh-ed25519 #\nh $ed25519\n", "h" },
  { "h ssh-ed25519 AAAA\nh ssh-ed25519 !!!!\nh $ed25519\n", "h" },
  { "h ssh-rsa AAAAC3NzaC1lZDI1NTE5\nh nonsense AAAA\nh $ed25519\n", "h" },
  { "h 1024 35 12345678901234567890\nh $rsa\n", "h" },
  { "h  \t $ed25519  \t comment here \n", "h" },
  { "h $ed25519\r\nx $ecdsa\r\n", "h", "x" },
  { "h $ed25519", "h" },
  { "|1|broken|hash $ed25519\n|1|AAAA|BBBB $ed25519\n|2|a|b $rsa\nh $ed25519\n", "h" },
  { "h,|1|a|b $ed25519\n", "h" },
  { ",h,, $ed25519\n", "h" },
  { "h,h $ed25519\nh $ed25519\n", "h" },
  { "a*b*c $ed25519\n", "abc", "aXbXc", "ab" },
  { "", "h" },
}

local WRONG_TYPE = "h ssh-rsa %s\nh ecdsa-sha2-nistp384 %s\nh $ed25519\n"

local function compare(t, path, names)
  local count = 0
  for _, name in ipairs(names) do
    t.equal(ours(path, name), theirs(path, name), name .. " in\n" .. fs.read(path))
    count = count + 1
  end
  return count
end

local function draw_from(seed)
  return function(n)
    seed = (seed * 6364136223846793005 + 1442695040888963407) & 0xFFFFFFFFFFFFFFFF
    return (seed >> 33) % n + 1
  end
end

--- A file of a few lines by chance, some of them hashed by us.
local function by_chance(draw)
  local hosts = { "h", "web1", "web*", "*.example.com", "!web2,web?", "[h]:2222", "10.0.0.?", "*" }
  local plain = { "h", "web1", "a.example.com", "10.0.0.7" }
  local keys = { "ed25519", "ecdsa", "rsa", "other" }
  local lines = {}
  for _ = 1, draw(8) do
    local key = KEYS[keys[draw(4)]]
    local kind = draw(8)
    if kind <= 3 then
      lines[#lines + 1] = hosts[draw(#hosts)] .. " " .. key.text .. "\n"
    elseif kind == 4 then
      lines[#lines + 1] = "@revoked " .. hosts[draw(#hosts)] .. " " .. key.text .. "\n"
    elseif kind == 5 then
      lines[#lines + 1] = "nonsense " .. ("x"):rep(draw(9)) .. "\n"
    else
      local port = draw(3) == 1 and 2222 or 22
      lines[#lines + 1] = known_hosts.line(plain[draw(#plain)], port, key.blob, { hash = true })
    end
  end
  return table.concat(lines)
end

--- What ssh says of the sshd with this file: the word that `check` would give.
local function ask_ssh(path, algorithm)
  local out = run({
    "ssh",
    "-F",
    "none",
    "-p",
    tostring(PORT),
    "-o",
    "BatchMode=yes",
    "-o",
    "UserKnownHostsFile=" .. path,
    "-o",
    "GlobalKnownHostsFile=none",
    "-o",
    "StrictHostKeyChecking=yes",
    "-o",
    "HostKeyAlgorithms=" .. algorithm,
    "-o",
    "PreferredAuthentications=none",
    "nobody@127.0.0.1",
    "true",
  }).stderr
  if out:find("REVOKED HOST KEY", 1, true) then
    return "revoked"
  elseif out:find("IDENTIFICATION HAS CHANGED", 1, true) then
    return "changed"
  elseif out:find("host key is known for", 1, true) then
    return "unknown"
  elseif out:find("Permission denied", 1, true) then
    return "ok"
  end
  return "ssh: " .. out
end

return {
  ["lines of a host, as ssh-keygen -F finds them"] = function(t)
    local count = 0
    for _, case in ipairs(CASES) do
      count = count + compare(t, write(fill(case[1])), { table.unpack(case, 2) })
    end
    local data = KEYS.ed25519.data
    count = count + compare(t, write(fill(WRONG_TYPE:format(data, KEYS.ecdsa.data))), { "h" })
    print(("# %d lookups"):format(count))
    t.ok(count >= 60)
  end,

  ["files by chance"] = function(t)
    local draw, count = draw_from(SEED), 0
    for _ = 1, 60 do
      local path = write(by_chance(draw))
      count = count
        + compare(t, path, { "h", "web1", "web2", "a.example.com", "10.0.0.7", "[h]:2222" })
    end
    print(("# %d lookups"):format(count))
  end,

  ["files that ssh-keygen -H hashed"] = function(t)
    local path =
      write(fill("a,b $ed25519\n[c]:2222 $rsa one\n*.d $ecdsa\n@revoked e $other\n::1 $rsa\n"))
    t.equal(run({ "ssh-keygen", "-H", "-f", path }).code, 0)
    local text = assert(fs.read(path))
    t.ok(text:find("|1|", 1, true))
    compare(t, path, { "a", "b", "[c]:2222", "c", "x.d", "e", "::1", "a,b" })
  end,

  ["fingerprints, as ssh-keygen -lf prints them"] = function(t)
    for name, key in pairs(KEYS) do
      local read = known_hosts.key(key.blob)
      for _, algorithm in ipairs({ "sha256", "md5", "sha1", "sha384", "sha512" }) do
        local path = ("%s/%s.pub"):format(DIR, name)
        local out = run({ "ssh-keygen", "-l", "-E", algorithm, "-f", path }).stdout
        local comment = key.comment == "" and "no comment" or key.comment
        t.equal(
          ("%d %s %s (%s)\n"):format(
            read.bits,
            known_hosts.fingerprint(key.blob, algorithm),
            comment,
            read.name
          ),
          out
        )
      end
    end
  end,

  ["whether a real ssh takes a real host"] = function(t)
    local here = ("[127.0.0.1]:%d "):format(PORT)
    local other = ("[127.0.0.1]:%d "):format(PORT + 1)
    local line = known_hosts.line("127.0.0.1", PORT, KEYS.ed25519.blob, { hash = true })
    local cases = {
      { "ok", here .. "$ed25519\n" },
      { "ok", line },
      { "ok", "127.0.0.1 $ed25519\n" },
      { "ok", "[127.0.0.*]:* $ed25519\n" },
      { "ok", here .. "$other\n" .. here .. "$ed25519\n" },
      { "ok", "nonsense\n" .. here .. "broken\n" .. here .. "$ed25519\n" },
      { "unknown", "" },
      { "unknown", other .. "$ed25519\n" },
      { "unknown", "127.0.0.1 $other\n" },
      { "unknown", "!127.0.0.1,!" .. here .. "$ed25519\n" },
      { "unknown", "@cert-authority * $authority\n" },
      { "changed", here .. "$other\n" },
      { "changed", here .. "$rsa\n" },
      { "changed", here .. "$other\n127.0.0.1 $ed25519\n" },
      { "revoked", "@revoked * $ed25519\n" },
      { "revoked", here .. "$ed25519\n@revoked " .. here .. "$ed25519\n" },
      { "ok", here .. "$ed25519\n@revoked * $other\n" },
    }
    for _, case in ipairs(cases) do
      local text = fill(case[2])
      local path = write(text)
      t.equal(ask_ssh(path, "ssh-ed25519"), case[1], "ssh with\n" .. text)
      local status = known_hosts.check({ path }, "127.0.0.1", PORT, KEYS.ed25519.blob)
      t.equal(status, case[1], "platrun with\n" .. text)
    end
  end,

  ["certificates of real hosts"] = function(t)
    local algorithm = "ssh-ed25519-cert-v01@openssh.com"
    local cases = {
      { "ok", "certificate", "@cert-authority * $authority\n" },
      { "unknown", "unknown", "@cert-authority nowhere $authority\n" },
      { "unknown", "unknown", "@cert-authority * $other\n" },
      { "revoked", "revoked", "@cert-authority * $authority\n@revoked * $authority\n" },
      { "revoked", "revoked", "@cert-authority * $authority\n@revoked * $ed25519\n" },
      { "ok", "ok", "@cert-authority * $other\n* $ed25519\n" },
      { "changed", "changed", "* $other\n" },
    }
    for _, case in ipairs(cases) do
      local text = fill(case[3])
      local path = write(text)
      t.equal(ask_ssh(path, algorithm), case[1], "ssh with\n" .. text)
      local blob = KEYS["certified-cert"].blob
      t.equal(known_hosts.check({ path }, "127.0.0.1", PORT, blob), case[2], text)
    end
  end,
}
