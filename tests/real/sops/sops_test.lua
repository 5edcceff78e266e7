local fault = require("plat.fault")
local fs = require("prim.fs")
local json = require("plat.json")
local list = require("plat.list")
local proc = require("plat.proc")
local raw = require("prim.proc")
local source = require("plat.secret.source.sops")
local sys = require("prim.sys")

--- Encrypts a text and returns the file's path.
local function encrypt(t, name, text)
  local path = t.tmp() .. "/" .. name
  fault.must({}, fs.write(path, text))
  local argv =
    { "sops", "--encrypt", "--in-place", "--age", sys.getenv("SOPS_TEST_RECIPIENT"), path }
  local out = assert(raw.run(argv))
  assert(out.code == 0, out.stderr)
  return path
end

--- Gives the programs that are started the key, for one test.
local function with_key(t)
  local real = proc.read
  t.defer(function()
    proc.read = real
  end)
  function proc.read(argv, opts) -- luacheck: ignore
    return real(
      argv,
      list.merge(opts, { env = { SOPS_AGE_KEY_FILE = sys.getenv("SOPS_TEST_KEYS") } })
    )
  end
end

return {
  ["YAML, JSON, dotenv and binary files"] = function(t)
    with_key(t)
    local path =
      encrypt(t, "a.yaml", "db:\n  password: s3cr3t Grüße\n  port: 5432\nl: [x, s3cr3t]\n")
    t.ok(not assert(fs.read(path)):find("s3cr3t", 1, true))
    t.equal(source.read(path .. "#db.password"), "s3cr3t Grüße")
    t.equal(source.read(path .. "#db.port"), "5432")
    t.equal(source.read(path .. "#l.1"), "s3cr3t")
    t.match(source.read(path), "password: s3cr3t Grüße")
    path = encrypt(t, "b.json", json.encode({ a = { ["b.c"] = "s3cr3t" } }))
    t.equal(source.read(path .. "#a.b.c"), "s3cr3t")
    path = encrypt(t, "c.env", "PASSWORD=s3cr3t\n")
    t.equal(source.read(path .. "#PASSWORD"), "s3cr3t")
    path = encrypt(t, "d.bin", "\0\1s3cr3t\255")
    t.equal(source.read(path), "\0\1s3cr3t\255")
  end,

  ["a missing key, an edited file and one that is not encrypted"] = function(t)
    local path = encrypt(t, "a.yaml", "password: s3cr3t\n")
    local err = t.fails("auth", source.read, path .. "#password")
    t.match(fault.text(err), "sops cannot decrypt .*: Failed to get the data key.*\n.*hint: keys: ")
    with_key(t)
    t.equal(source.read(path .. "#password"), "s3cr3t")
    err = t.fails("parse", source.read, path .. "#user")
    t.match(err.hint, "there is: password$")
    local text = assert(fs.read(path)):gsub("data:.", "data:x", 1)
    fault.must({}, fs.write(path, text))
    err = t.fails("auth", source.read, path .. "#password")
    t.match(fault.text(err), "sops cannot decrypt")
    fault.must({}, fs.write(path, "password: s3cr3t\n"))
    err = t.fails("auth", source.read, path .. "#password")
    t.match(fault.text(err), "metadata not found")
    t.ok(not fault.text(err, 3):find("s3cr3t", 1, true))
  end,
}
