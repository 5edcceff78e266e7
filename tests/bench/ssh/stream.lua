--- BYTES of output of one host, streamed and dropped.
local host = require("plat.host")
local ssh = require("plat.ssh")
local sys = require("prim.sys")

return {
  ["a stream comes whole"] = function(t)
    local bytes = math.tointeger(sys.getenv("BYTES"))
    local vars =
      { ansible_port = math.tointeger(sys.getenv("PORT")), ansible_user = sys.getenv("WHO") }
    local one = host.new({ name = "h1", address = sys.getenv("ADDRESS"), vars = vars })
    local command <close> = assert(ssh.session(one):open("head -c " .. bytes .. " /dev/zero"))
    local n = 0
    for chunk in command.read, command do
      n = n + #chunk
    end
    t.equal(n, bytes)
    t.equal(command:status(), { code = 0 })
  end,
}
