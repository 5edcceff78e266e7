--- prim.ssh: output in pieces, input that stays open, terminals.
local fs = require("prim.fs")
local help = load(assert(require("prim.fs").read("tests/lua/ssh_help.lua")), "@ssh_help.lua")()
local task = require("plat.task")

--- Returns the seconds of processor time that this process has used.
local function cpu()
  local fields = {}
  for field in fs.read("/proc/self/stat"):match("%) (.*)"):gmatch("%S+") do
    fields[#fields + 1] = field
  end
  return (fields[12] + fields[13]) / 100
end

return {
  ["output in pieces, and a server that waits when nobody reads"] = function(t)
    local dir = help.keys(t, "host_ed25519", "user_ed25519")
    local server <close> = help.server(t, dir)
    local session <close> = help.login(server)
    local command <close> = assert(session:open("echo one; sleep 0.2; echo two >&2; exit 3"))
    t.equal({ command:read() }, { "one\n", "stdout" })
    t.equal(command:status(), nil)
    t.equal({ command:read() }, { "two\n", "stderr" })
    t.equal(command:read(), nil)
    t.equal({ command:status(), command:sent() }, { { code = 3 }, true })
    local script = "head -c 20000000 /dev/zero; touch " .. dir .. "/written"
    local big <close> = assert(session:open(script, { max_output = 5000 }))
    t.equal(session:exec("echo meanwhile").stdout, "meanwhile\n")
    task.sleep(0.3)
    t.equal(fs.stat(dir .. "/written"), nil, "20 MB went somewhere")
    local n = 0
    for chunk in big.read, big do
      n = n + #chunk
      assert(#chunk <= 5000)
    end
    t.equal({ n, big:status() }, { 20000000, { code = 0 } })
    local slow = "head -c 200 /dev/zero; head -c 200 /dev/zero >&2; sleep 0.2; echo more; sleep 1"
    local both <close> = assert(session:open(slow, { max_output = 100 }))
    task.sleep(0.3)
    local busy = cpu()
    task.sleep(0.5)
    t.ok(cpu() - busy < 0.3, "it spins while nobody reads")
    both:close()
    local endless = assert(session:open("yes"))
    t.ok(#endless:read() > 0)
    local _, late = task.timeout(0.2, function()
      local silent <close> = assert(session:open("sleep 3"))
      return silent:read()
    end)
    t.equal(late.kind, "timeout")
    endless:close()
    t.match(select(2, pcall(endless.read, endless)), "closed command")
    t.equal(session:exec("echo on").stdout, "on\n")
    local lost <close> = assert(session:open("echo begun; sleep 0.2; kill -9 $PPID"))
    t.equal(lost:read(), "begun\n")
    local _, err = lost:read()
    t.equal(err.kind, "connect")
    local _, none = session:open("true")
    t.equal({ none.kind, none.sent }, { "connect", false })
  end,

  ["a leash: input that ends when the command is given up; a terminal: a hangup"] = function(t)
    local dir = help.keys(t, "host_ed25519", "user_ed25519")
    local server <close> = help.server(t, dir)
    local session <close> = help.login(server)
    local function comes(name)
      for _ = 1, 200 do
        if fs.stat(dir .. "/" .. name) then
          return true
        end
        task.sleep(0.02)
      end
    end
    local script = ("head -c 3 >%s/in; cat; touch %s/%%s"):format(dir, dir)
    local opts = { stdin = "abc", leash = true, timeout = 0.4 }
    local _, err = session:exec(script:format("ended"), opts)
    t.equal(err.kind, "timeout")
    t.ok(comes("ended"), "its input did not end")
    t.equal(fs.read(dir .. "/in"), "abc")
    local other = help.login(server)
    local _, late = other:exec("echo $PPID; cat; touch " .. dir .. "/lost", {
      leash = true,
      timeout = 0.2,
    })
    t.equal(late.kind, "timeout")
    other:close()
    t.ok(comes("lost"), "its input did not end with the connection")
    t.equal(
      session:exec("test -t 0 && echo yes; echo no >&2", { pty = true }).stdout,
      "yes\r\nno\r\n"
    )
    local trap = ("trap 'touch %s/hup; exit' HUP; sleep 20 & wait"):format(dir)
    session:exec(trap, { pty = true, leash = true, timeout = 0.3 })
    t.ok(comes("hup"), "no hangup came")
    local none <close> = help.server(t, dir, "PermitTTY no\n")
    local third <close> = help.login(none)
    local _, no = third:exec("true", { pty = true })
    t.equal({ no.kind, no.msg, no.sent }, { "refused", "the server gives no terminal", false })
    t.equal(third:exec("echo on").stdout, "on\n")
  end,
}
