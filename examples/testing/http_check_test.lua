--- HTTP services by table, or by a function that remembers: what a test's world answers.

return {
  ["all is well"] = {
    playbook = "examples/http-check.lua",
    args = { urls = "http://shop.example/health", contains = "up" },
    http = { ["shop.example:80"] = { ["GET /health"] = { body = "all up" } } },
    says = "every address answers",
    changes = 0,
  },
  ["a service that comes up late is waited for"] = {
    playbook = "examples/http-check.lua",
    args = { urls = "http://shop.example/health" },
    http = {
      ["shop.example:80"] = function(_, memory)
        memory.asked = (memory.asked or 0) + 1
        return { status = memory.asked > 3 and 200 or 503 }
      end,
    },
    changes = 0,
  },
  ["one that stays down fails the run"] = {
    playbook = "examples/http-check.lua",
    args = { urls = "http://shop.example/health", within = "30s" },
    http = { ["shop.example:80"] = {} },
    exit = 2,
    says = "404",
  },
}
