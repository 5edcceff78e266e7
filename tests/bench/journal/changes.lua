--- Makes n changes of a server over HTTP, each in a step of its own: what recording them costs.
local http = require("plat.http")

---@type plat.Playbook
return {
  summary = "Change a server often",
  risk = "safe",
  args = {
    url = { type = "string", required = true },
    n = { type = "integer", default = 1000, min = 0 },
    limit = { type = "integer", default = 1, min = 1 },
  },
  run = function(run, args)
    local numbers = {}
    for i = 1, args.n do
      numbers[i] = i
    end
    run:each("put", numbers, { limit = args.limit }, function(number)
      http.request("PUT", args.url .. "/" .. number, { body = "." })
    end)
  end,
}
