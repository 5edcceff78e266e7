--- plat.ssh.forward to a host that is behind a jump host: run by tests/real/ssh_route/run.
local proc = require("prim.proc")
local ssh = require("plat.ssh")
local sys = require("prim.sys")

return {
  ["a socket behind a jump host and a host"] = function(t)
    local path = t.tmp() .. "/s"
    local script = "import socket,sys\ns=socket.socket(socket.AF_UNIX);s.bind(sys.argv[1])\n"
      .. "s.listen(9);print('up',flush=True)\nwhile True:\n c=s.accept()[0]\n"
      .. " b=c.recv(99)\n c.sendall(b[::-1]) if b else 0\n c.close()"
    local server <close> = assert(proc.spawn({ "python3", "-c", script, path }))
    assert(server:read())
    local host = { name = "h1", address = sys.getenv("ROUTE_HOST"), vars = {} }
    local way <close> = ssh.forward(host, { unix = path })
    local out = assert(proc.run({
      "python3",
      "-c",
      "import socket,sys\nc=socket.socket(socket.AF_UNIX);c.connect(sys.argv[1])\n"
        .. "c.sendall(b'olleh');print(c.recv(99).decode())",
      way.path,
    }))
    t.equal(out.stdout, "hello\n")
    local err = t.fails("/nowhere", function()
      ssh.forward(host, { unix = "/nowhere" })
    end)
    t.equal(err.target, "host h1")
  end,
}
