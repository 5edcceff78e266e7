--- known_hosts files: never a fault, no whole line is lost by its neighbours, a name is found where
--- one line after the other says that it is.
local fuzz = ...
local hash = require("plat.hash")
local known = require("plat.ssh.known_hosts")
local pattern = require("plat.ssh.pattern")

local ED = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJpO0bBhRmxQpY3NcQZkUX0k8Yq6D3ZyQpH2kz0nN1yA"
local OTHER = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB"
local BLOB = hash.unbase64(ED:match(" (%S+)"))
local HASHED = "|1|F1E1KeoE/eEWhi10WpGv4OdiO6Y=|3988QV0VE8wmZL7suNrYQLITLCg="

local HOSTS = { "h", "web1", "*", "*.example.com", "!db", "10.0.?.*", "[h]:2222", "::1", HASHED }
local MARKERS = { "", "", "", "", "@revoked ", "@cert-authority ", "@other " }

local function line(draw)
  local hosts = { draw:one(HOSTS) }
  for _ = 2, draw:n(3) do
    hosts[#hosts + 1] = draw:one(HOSTS)
  end
  local key = draw:once_in(2) and ED or OTHER
  return draw:one(MARKERS) .. table.concat(hosts, ",") .. " " .. key .. (draw:one({ "", " c" }))
end

--- What matching() answers, read off the entries one by one.
local function naive(file, name)
  local out = {}
  for _, entry in ipairs(file.entries) do
    local found
    if entry.salt then
      found = hash.hmac("sha1", entry.salt, name, { raw = true }) == entry.digest
    else
      found = pattern.list(name, entry.hosts, true) == 1
    end
    if found then
      out[#out + 1] = entry.line
    end
  end
  return out
end

return {
  name = "known_hosts",
  kinds = {},
  tokens = { "|1|", "@revoked ", "@cert-authority ", "!", "*", "?", ED, OTHER, HASHED, "[h]:22" },
  corpus = {
    "h " .. ED .. "\n",
    "a,b " .. ED .. " c\n# x\n\n[h]:22 " .. OTHER .. "\n",
    HASHED .. " " .. ED .. "\n@revoked *,!x " .. OTHER .. "\n@cert-authority a? " .. ED .. "\n",
    "web* ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBA==\n",
    "h ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQ==\n",
  },
  make = function(draw, change)
    local lines = {}
    for i = 1, draw:n(8) do
      local text = line(draw)
      lines[i] = draw:once_in(4) and change(text) or text
    end
    return table.concat(lines, draw:once_in(9) and "\r\n" or "\n")
  end,
  check = function(text, draw)
    local file = known.parse(text .. "\nlast " .. ED .. "\n", "kh")
    local entry = file.entries[#file.entries]
    fuzz.same({ entry.hosts, entry.blob }, { "last", BLOB }, "the last line")
    for _, name in ipairs({ "h", "web1", "db", "192.168.1.61", "x.example.com", "[h]:2222" }) do
      local lines = {}
      for i, one in ipairs(file:matching(name)) do
        lines[i] = one.line
      end
      fuzz.same(lines, naive(file, name), "the lines of " .. name)
    end
    known.check({ file }, "h", draw:one({ 22, 2222, 65535 }), BLOB)
    known.prefer(known.lookup({ file }, "h"), { "ssh-ed25519", "rsa-sha2-512" })
    for _, problem in ipairs(file.problems) do
      assert(problem.line >= 1 and problem.msg ~= "")
    end
  end,
}
