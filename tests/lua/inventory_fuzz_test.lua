--- Inputs by chance for what reads inventories, patterns of hosts and vault texts: tests/fuzz/lua.
local fuzz = load(assert(require("prim.fs").read("tests/fuzz/lua/fuzz.lua")), "@fuzz.lua")()

return {
  ["INI"] = function(t)
    fuzz.run(t, fuzz.load("targets/inventory.lua").ini)
  end,
  ["YAML"] = function(t)
    fuzz.run(t, fuzz.load("targets/inventory.lua").yaml)
  end,
  ["values and words"] = function(t)
    fuzz.run(t, fuzz.load("targets/literal.lua"))
  end,
  ["patterns of hosts"] = function(t)
    fuzz.run(t, fuzz.load("targets/pattern.lua"))
  end,
  ["envelopes of Ansible Vault"] = function(t)
    fuzz.run(t, fuzz.load("targets/vault.lua"))
  end,
}
