local effect = require("plat.effect")
local host = require("plat.host")
local task = require("plat.task")

local function local_host()
  return host.new({ name = "here", address = "here", vars = { ansible_connection = "local" } })
end

local function open_world(t, world, mode)
  effect.open({ mode = mode or "run", world = world })
  t.defer(effect.close)
end

local function db1()
  return host.new({ name = "db1", address = "192.0.2.1", vars = {} })
end

return {
  ["words arrive at a shell as they are"] = function(t)
    t.equal(
      host.quote({ "echo", "a b", "it's", "$HOME", "", "-x=1" }),
      [[echo 'a b' 'it'\''s' '$HOME' '' -x=1]]
    )
  end,
  ["a local host answers without ssh"] = function(t)
    t.equal(local_host():read({ "printf", "%s|", "a b", "$x", "it's" }).stdout, "a b|$x|it's|")
    t.equal(local_host():read({ "cat" }, { stdin = "in" }).stdout, "in")
  end,
  ["an unwanted status names host, command and the last line"] = function(t)
    local err = t.fails("exit", function()
      local_host():read({ "sh", "-c", "echo no such thing >&2; exit 4" })
    end)
    t.equal({ err.target, err.code, err.msg }, { "host here", 4, "exit 4: no such thing" })
    t.equal(local_host():read({ "sh", "-c", "exit 4" }, { ok = { 0, 4 } }).code, 4)
  end,
  ["a command that may change something needs a step"] = function(t)
    t.fails("a change outside a step", function()
      local_host():run({ "true" })
    end)
  end,
  ["the command is a list"] = function(t)
    t.fails("the command is a list", function()
      local_host():read("ls -l")
    end)
  end,
  ["a simulated world is asked in the host's place, with what was asked as data"] = function(t)
    local asked = {}
    open_world(t, {
      remote = function(_, target, call, reads)
        asked[#asked + 1] = { target, call, reads }
        return { code = 0, stdout = "hello\n", stderr = "" }
      end,
    })
    t.equal(db1():read({ "cat", "a b" }, { stdin = "in" }).stdout, "hello\n")
    local step = { key = "s", counts = {}, changes = 0 }
    task.with_context(step, function()
      db1():sh("ls | wc -l", { timeout = "5s" })
    end)
    local seen = { verb = "command", text = "cat 'a b'", argv = { "cat", "a b" } }
    seen.stdin, seen.timeout = "in", 60
    t.equal(asked[1], { "host db1", seen, true })
    t.equal(asked[2], { "host db1", { verb = "command", text = "ls | wc -l", timeout = 5 }, false })
  end,
  ["a host that no world owns is refused, with the line that adds it"] = function(t)
    for _, world in ipairs({
      {},
      { remote = function() end },
      {
        owns = function()
          return false
        end,
        remote = error,
      },
    }) do
      open_world(t, world)
      local err = t.fails("refused", function()
        db1():read({ "true" })
      end)
      t.match(err.msg, "host db1 is not part of the sandbox")
      t.match(err.hint, 'hosts = { %["db1"%] = {} }')
    end
  end,
  ["verbs and options reach a simulated world as data"] = function(t)
    local asked = {}
    local ids = { "boot-1", "boot-2" }
    open_world(t, {
      remote = function(_, _, call)
        asked[#asked + 1] = call
        if call.verb == "boot_id" then
          return table.remove(ids, 1)
        elseif call.verb == "tail" then
          return { "one", "two" }
        end
        return call.verb == "reboot" or { code = 0, stdout = "a\nb", stderr = "c\n" }
      end,
    })
    local lines = {}
    local out = db1():as("postgres"):read({ "id" }, {
      cwd = "/srv",
      env = { A = "b" },
      on_line = function(line, which)
        lines[#lines + 1] = which .. " " .. line
      end,
    })
    t.equal(lines, { "stdout a", "stderr c", "stdout b" })
    t.equal({ out.stdout, out.stderr }, { "", "" })
    t.equal(asked[1].become, { user = "postgres", method = "sudo" })
    t.equal({ asked[1].cwd, asked[1].env }, { "/srv", { A = "b" } })
    t.equal(db1():tail("/var/log/x", { lines = 2 }), { "one", "two" })
    t.equal(asked[2], { verb = "tail", path = "/var/log/x", lines = 2 })
    local first
    local enough = db1():tail("/var/log/x", {
      follow = true,
      on_line = function(line)
        first = line
        return false
      end,
    })
    t.equal({ enough, first }, { true, "one" })
    task.with_context({ key = "s", counts = {}, changes = 0 }, function()
      db1():reboot({ become = true })
    end)
    t.equal({ asked[4].verb, asked[5].verb, asked[6].verb }, { "boot_id", "reboot", "boot_id" })
    t.equal(asked[5].become, { user = "root", method = "sudo" })
  end,
  ["a local host: folder, variables, lines as they come, and its end by a deadline"] = function(t)
    local here = local_host()
    local out = here:read({ "sh", "-c", "pwd; echo $A" }, { cwd = "/usr", env = { A = "x y" } })
    t.equal(out.stdout, "/usr\nx y\n")
    local lines = {}
    here:read({ "printf", "one\\ntwo" }, {
      on_line = function(line)
        lines[#lines + 1] = line
      end,
    })
    t.equal(lines, { "one", "two" })
    local err = t.fails("timeout", function()
      here:read({ "sh", "-c", "echo begun; sleep 60" }, { timeout = "300ms" })
    end)
    t.equal({ err.target, err.stdout }, { "host here", "begun\n" })
    t.fails("more than 1000 bytes on stdout", function()
      here:read({ "head", "-c", "100000", "/dev/zero" }, { max_output = 1000 })
    end)
    t.fails("a secret in the text of a command", function()
      local secret = require("plat.secret").new("not-for-all", "test:x")
      here:read({ "true" }, { env = { PASSWORD = secret } })
    end)
  end,
  ["whose words become what: options, variables, flags"] = function(t)
    local become = require("plat.host.become")
    local function of(vars, given)
      local as = become.of(host.new({ name = "h", address = "h", vars = vars }), given)
      return as and { as.user, as.method, as.password } or nil
    end
    t.equal(of({}), nil)
    t.equal(of({ ansible_become = "yes" }), { "root", "sudo" })
    t.equal(of({ ansible_become = "no" }, nil), nil)
    t.equal(of({ ansible_become = true }, false), nil)
    t.equal(of({}, "www"), { "www", "sudo" })
    local vars = { ansible_become_method = "su", ansible_become_user = "app" }
    vars.ansible_su_pass = "secret-su"
    t.equal(of(vars, true), { "app", "su", "secret-su" })
    t.equal(of(vars, { user = "b", method = "doas" }), { "b", "doas" })
    vars.ansible_become_pass = "secret-any"
    t.equal(of(vars, true), { "app", "su", "secret-any" })
    for _, bad in ipairs({ { user = "a b" }, { method = "runas" }, { usr = "x" } }) do
      t.fails("usage", of, {}, bad)
    end
  end,
}
