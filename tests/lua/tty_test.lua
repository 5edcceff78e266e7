local fs = require("prim.fs")
local proc = require("prim.proc")
local tty = require("prim.tty")

--- Runs a test file of its own with this input on stdin, and returns the output.
local function run_inner(t, body, input)
  local path = t.tmp() .. "/inner_test.lua"
  fs.write(
    path,
    'local tty = require("prim.tty")\nreturn { ["inner"] = function(t)\n' .. body .. "\nend }\n"
  )
  return proc.run({ "/proc/self/exe", "test", path }, { stdin = input, timeout = 20 })
end

return {
  ["lines are read one by one, and the end is an error"] = function(t)
    local out = run_inner(
      t,
      [[
        t.equal(tty.is_tty(0), false)
        t.equal(tty.read_line("name? "), "Ada")
        t.equal(tty.read_line("password? ", { echo = false }), "s3cret")
        t.equal(tty.read_line(), "")
        local line, err = tty.read_line()
        t.equal(line, nil)
        t.equal(err.kind, "io")
        t.equal(err.msg, "end of input")
      ]],
      "Ada\ns3cret\n\n"
    )
    t.equal(out.code, 0, out.stdout)
    t.ok(out.stderr:find("name? password? ", 1, true), "the prompts go to standard error")
    t.ok(not (out.stdout .. out.stderr):find("s3cret", 1, true))
  end,

  ["a question can be abandoned, and the next one asked"] = function(t)
    local path = t.tmp() .. "/inner_test.lua"
    fs.write(
      path,
      [[
        local task = require("plat.task")
        local tty = require("prim.tty")
        return { ["inner"] = function(t)
          t.fails("timeout", function()
            task.timeout(0.05, function()
              local _, err = tty.read_line("slow? ")
              error(err, 0)
            end)
          end)
          t.equal(tty.read_line("again? "), "yes")
        end }
      ]]
    )
    local asker <close> = proc.spawn({ "/proc/self/exe", "test", path }, { stdin = true })
    local said = ""
    repeat
      local chunk = asker:read()
      said = said .. (chunk or "")
    until not chunk or said:find("again? ", 1, true)
    t.ok(asker:write("yes\n"))
    t.equal(asker:wait().code, 0, said)
  end,

  ["writing is complete; what is no terminal has no size"] = function(t)
    local out = run_inner(
      t,
      [[
        t.equal(tty.write(2, ("x"):rep(1000000)), true)
        local cols, err = tty.size(0)
        t.equal(cols, nil)
        t.equal(err.kind, "io")
      ]]
    )
    t.equal(out.code, 0, out.stdout)
    t.equal(#out.stderr:match("x+"), 1000000)
  end,

  ["only the standard descriptors can be named"] = function(t)
    t.fails("0, 1 or 2 expected", function()
      tty.write(3, "x")
    end)
    t.fails("0, 1 or 2 expected", function()
      tty.is_tty(-1)
    end)
  end,
}
