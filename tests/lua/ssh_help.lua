--- A real sshd for tests: on a loopback port, with keys of its own, ended by its process group.
local fs = require("prim.fs")
local hash = require("prim.hash")
local proc = require("prim.proc")
local ssh = require("prim.ssh")
local task = require("plat.task")

local M = {}

M.SSHD = "/usr/sbin/sshd"
M.user = proc.run({ "id", "-un" }).stdout:gsub("%s+$", "")

local port = 20000 + (hash.random(2):byte(1) * 256 + hash.random(1):byte()) % 20000

function M.sh(script, opts)
  local out = assert(proc.run({ "sh", "-c", script }, opts))
  assert(out.code == 0, script .. ": " .. out.stderr .. out.stdout)
  return out.stdout
end

--- Returns a new folder with the named keys ("host_ed25519" is of type ed25519).
function M.keys(t, ...)
  local dir = t.tmp()
  for _, name in ipairs({ ... }) do
    local kind, bits = name:match("_(%a+%d*)$"), ""
    if kind == "rsa" then
      bits = "-b 2048"
    end
    M.sh(("ssh-keygen -q -t %s %s -N '' -f %s/%s"):format(kind, bits, dir, name))
  end
  M.sh(("cat %s/user_*.pub >%s/authorized_keys 2>/dev/null || :"):format(dir, dir))
  return dir
end

-- SHLVL: else bash reads the .bashrc of whoever runs the tests, for every command
local CONFIG = [[
ListenAddress 127.0.0.1
PidFile none
AuthorizedKeysFile DIR/authorized_keys
StrictModes no
UsePAM no
PermitRootLogin yes
MaxStartups 200
PrintMotd no
LogLevel VERBOSE
SetEnv SHLVL=3
Subsystem sftp internal-sftp
]]

--- Starts it once on a port; nil when the port is taken.
local function try(t, dir, lines, wrap)
  port = port + 1
  local config, log = ("%s/sshd_%d.conf"):format(dir, port), ("%s/sshd_%d.log"):format(dir, port)
  local rest = CONFIG:gsub("DIR", dir)
  if lines:find("Subsystem ", 1, true) then
    rest = rest:gsub("Subsystem [^\n]*\n", "")
  end
  local text = "Port " .. port .. "\n" .. lines:gsub("Subsystem none\n", "") .. rest
  if not text:find("HostKey ", 1, true) then
    for _, name in ipairs(fs.list(dir)) do
      if name:match("^host_%w+$") then
        text = text .. ("HostKey %s/%s\n"):format(dir, name)
      end
    end
  end
  assert(fs.write(config, text))
  local argv = { M.SSHD, "-D", "-f", config, "-E", log }
  if wrap then
    argv = { "sh", "-c", wrap .. '; exec "$@"', "sh", table.unpack(argv) }
    table.move({ "unshare", "-m" }, 1, 2, #argv + 1, {})
    argv = { "unshare", "-m", table.unpack(argv) }
  end
  local server = assert(proc.spawn(argv))
  for _ = 1, 500 do
    local said = fs.read(log) or ""
    if said:find("Server listening on", 1, true) then
      return { port = port, process = server, log = log, dir = dir }
    elseif said ~= "" and (said:find("annot bind", 1, true) or said:find("rror", 1, true)) then
      server:close()
      return nil, said
    end
    task.sleep(0.01)
  end
  server:close()
  t.ok(false, "sshd did not start: " .. (fs.read(log) or "nothing said"))
end

--- Starts an sshd. Skips the test where there is none.
function M.server(t, dir, lines, wrap)
  if not fs.stat(M.SSHD) then
    t.skip("no sshd: apt-get install openssh-server")
  end
  fs.mkdir("/run/sshd", { mode = 493, parents = true })
  local server, said
  for _ = 1, 20 do
    server, said = try(t, dir, lines or "", wrap)
    if server then
      return setmetatable(server, {
        __close = function(self)
          self.process:close()
        end,
      })
    end
  end
  t.ok(false, "sshd did not start: " .. tostring(said))
end

--- Returns a session whose host key is trusted.
function M.connect(server, opts)
  local all = { host = "127.0.0.1", port = server.port }
  for name, value in pairs(opts or {}) do
    all[name] = value
  end
  local session, err = ssh.connect(all)
  if session then
    session:trust()
  end
  return session, err
end

--- Returns a private key of the folder.
function M.key(dir, name, pass)
  return assert(ssh.key(fs.read(dir .. "/" .. name), pass))
end

--- Returns a session that is logged in by the folder's key.
function M.login(server, name)
  local session = assert(M.connect(server))
  local key = M.key(server.dir, name or "user_ed25519")
  assert(session:auth({ method = "publickey", user = M.user, key = key }))
  return session
end

return M
