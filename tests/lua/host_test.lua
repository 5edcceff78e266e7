local host = require("plat.host")

local function local_host()
  return host.new({ name = "here", address = "here", vars = { ansible_connection = "local" } })
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
}
