--- ssh_config: faults name file and line; a comment, or the same line twice, changes nothing.
local fuzz = ...
local config = require("plat.ssh.config")
local fs = require("prim.fs")
local list = require("plat.list")

local function sister(name)
  local path = "tests/real/ssh_config/" .. name
  return assert(load(assert(fs.read(path)), "@" .. path))()
end

local CASES, chance = sister("cases.lua"), sister("chance.lua")
local KINDS = { parse = true, refused = true, usage = true }
local HOSTS = { "web1", "db", "h", "web2.example.com", "10.0.0.7" }
local HOME = "/home/u"

local function lookup(text, host)
  local main, included = text:match("^(.-\n)(@.*)$")
  local files = { [HOME .. "/.ssh/config"] = (main or text):gsub("%$D", "/d") }
  for name, body in
    (("\n" .. (included or ""):gsub("\n@", "\n\n@") .. "\n\n@")):gmatch(
      "\n@(%S+)[^\n]*\n(.-)\n%f[@]"
    )
  do
    files["/d/" .. name] = body
  end
  local cfg = config.load({
    files = files,
    home = HOME,
    user = "u",
    uid = 1000,
    hostname = "here",
    env = { HOME = HOME, SSH_TEST_DIR = "/x" },
    exec = function(command)
      return #command % 2 == 0
    end,
  })
  local settings = cfg:lookup(host)
  for _, one in ipairs(cfg.ignored) do
    assert(one.file and one.line >= 1)
  end
  settings.strict_from = nil -- it names a line
  return settings
end

local corpus = list.map(CASES, function(case)
  return case.text
end)
for _, case in ipairs(chance(7, 40)) do
  corpus[#corpus + 1] = case.text
end

return {
  name = "ssh_config",
  kinds = KINDS,
  where = "^[^:\n]+:%d+: ",
  tokens = { "Host ", "Match ", "Include ", "%h", "%%", "${HOME}", "~/", "none", "yes", "no", "*" },
  corpus = corpus,
  check = function(text, draw)
    local host = draw:one(HOSTS)
    local settings = lookup(text, host)
    fuzz.same(lookup("# a comment\n\n" .. text, host), settings, "below a comment")
  end,
}
