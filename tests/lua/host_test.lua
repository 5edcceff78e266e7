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
}
