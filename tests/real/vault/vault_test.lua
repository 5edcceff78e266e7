local fs = require("prim.fs")

local function load_file(path)
  return load(assert(fs.read(path)), "@" .. path)()
end

return load_file("tests/fakes/vault_cases.lua").cases(load_file("tests/real/vault/server.lua").open)
