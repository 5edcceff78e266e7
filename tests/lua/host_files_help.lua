--- Hosts for tests of files: by SFTP, by commands over SSH, and this machine.
local effect = require("plat.effect")
local hash = require("prim.hash")
local help = load(assert(require("prim.fs").read("tests/lua/ssh_help.lua")), "@ssh_help.lua")()
local host = require("plat.host")
local pool = require("plat.ssh.pool")
local task = require("plat.task")

local M = { ssh = help }

-- sessions are kept by the name of the host, also from one file of tests to the next
local prefix, number =
  "h" .. hash.random(4):gsub(".", function(c)
    return ("%02x"):format(c:byte())
  end) .. "-", 0

--- Returns a host whose session is one to this server.
function M.on(server, vars)
  number = number + 1
  local name = prefix .. number
  pool.get({}, name, function()
    return help.login(server)
  end)
  return host.new({ name = name, address = "127.0.0.1", vars = vars or {} }), name
end

--- Lets the host's next session come from another server.
function M.reconnects(one, server)
  pool.forget(one.name)
  pool.get({}, one.name, function()
    return help.login(server)
  end)
end

function M.here()
  return host.new({ name = "here", address = "here", vars = { ansible_connection = "local" } })
end

--- Calls a function with a host of each kind.
function M.each(t, fn)
  local dir = help.keys(t, "host_ed25519", "user_ed25519")
  local server <close> = help.server(t, dir)
  local plain <close> = help.server(t, dir, "Subsystem none\n")
  fn(M.on(server), "sftp")
  fn(M.on(plain), "commands")
  fn(M.here(), "here")
end

--- Calls a function inside a step of a run, or of a plan.
function M.step(fn, opts)
  effect.open(opts or { mode = "run" })
  local step = { key = "step", counts = {} }
  local results = table.pack(pcall(task.with_context, step, fn))
  effect.close()
  if not results[1] then
    error(results[2], 0)
  end
  return table.unpack(results, 2, results.n)
end

--- Returns a plan and its lines, after a function was planned.
function M.plan(fn)
  local plan = require("plat.effect.plan").new(function() end, function() end)
  local ok, err = pcall(M.step, fn, { mode = "plan", plan = plan })
  return plan, not ok and err or nil
end

return M
