--- Inputs by chance for what reads known_hosts, public keys and ssh_config: tests/fuzz/lua.
local fuzz = load(assert(require("prim.fs").read("tests/fuzz/lua/fuzz.lua")), "@fuzz.lua")()

return {
  ["known_hosts"] = function(t)
    fuzz.run(t, fuzz.load("targets/known_hosts.lua"))
  end,
  ["blobs of keys"] = function(t)
    fuzz.run(t, fuzz.load("targets/key_blob.lua"))
  end,
  ["ssh_config"] = function(t)
    fuzz.run(t, fuzz.load("targets/ssh_config.lua"))
  end,
}
