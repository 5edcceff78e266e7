--- Logging in by certificates, against a real sshd with TrustedUserCAKeys.
local fs = require("prim.fs")
local hash = require("plat.hash")
local help = load(assert(require("prim.fs").read("tests/lua/ssh_help.lua")), "@ssh_help.lua")()
local proc = require("prim.proc")
local ssh = require("prim.ssh")
local task = require("plat.task")

--- Returns the folder with an authority and the user's keys, which nobody authorizes but by it.
local function folder(t, ...)
  local dir = help.keys(t, "host_ed25519", ...)
  help.sh(("ssh-keygen -q -t ed25519 -N '' -f %s/ca"):format(dir))
  help.sh((": >%s/authorized_keys"):format(dir))
  return dir
end

local function certify(dir, name, opts)
  help.sh(
    ("ssh-keygen -q -s %s/ca -I me %s %s/%s.pub"):format(dir, opts or "-n " .. help.user, dir, name)
  )
  local text = fs.read(("%s/%s-cert.pub"):format(dir, name))
  return hash.unbase64(text:match("^%S+ (%S+)"))
end

local function server_of(t, dir)
  return help.server(t, dir, ("TrustedUserCAKeys %s/ca.pub\n"):format(dir))
end

local function try(server, opts)
  local session <close> = assert(help.connect(server))
  opts.user = help.user
  local ok, err = session:auth(opts)
  if ok then
    return session:exec("echo in").stdout
  end
  return nil, err
end

return {
  ["certificates of ed25519 and ecdsa keys, from files and from the agent"] = function(t)
    local names = { "user_ed25519", "user_ecdsa" }
    local dir = folder(t, table.unpack(names))
    local server <close> = server_of(t, dir)
    local socket = dir .. "/agent"
    local agent <close> = assert(proc.spawn({ "ssh-agent", "-D", "-a", socket }))
    t.ok(agent:pid() > 0)
    while not fs.stat(socket) do
      task.sleep(0.01)
    end
    local env = { env = { SSH_AUTH_SOCK = socket } }
    for _, name in ipairs(names) do
      local key = help.key(dir, name)
      t.equal(select(2, try(server, { method = "publickey", key = key })).key_taken, false)
      local certificate = certify(dir, name)
      local opts = { method = "publickey", key = key, certificate = certificate }
      t.equal(try(server, opts), "in\n", name)
      help.sh(("ssh-add -q %s/%s"):format(dir, name), env)
      local by_agent = { method = "agent", agent = socket, blob = certificate }
      t.equal(try(server, by_agent), "in\n", name .. ": the agent holds the certificate")
      by_agent.blob, by_agent.certificate = key:blob(), certificate
      t.equal(try(server, by_agent), "in\n", name .. ": the agent signs for a certificate file")
    end
  end,

  ["refused: of another user, expired, by another authority"] = function(t)
    local dir = folder(t, "user_ed25519")
    local server <close> = server_of(t, dir)
    local key = help.key(dir, "user_ed25519")
    for _, how in ipairs({ "-n somebody", "-V 20200101:20200102 -n " .. help.user }) do
      local certificate = certify(dir, "user_ed25519", how)
      local _, err = try(server, { method = "publickey", key = key, certificate = certificate })
      t.equal({ err.kind, err.key_taken }, { "auth", false }, how)
    end
    local other = folder(t, "user_ed25519")
    local theirs = certify(other, "user_ed25519")
    local mine = { method = "publickey", key = key, certificate = theirs }
    t.equal(select(2, try(server, mine)).kind, "auth", "another authority's")
    local own = certify(dir, "user_ed25519")
    local wrong = { method = "publickey", key = help.key(other, "user_ed25519"), certificate = own }
    local _, err = try(server, wrong)
    t.equal({ err.kind, err.key_taken }, { "auth", true }, "the certificate of another key")
  end,

  ["an RSA certificate is refused here, with the reason"] = function(t)
    if not ssh.version():find("^1%.10") then
      t.skip("libssh2 " .. ssh.version())
    end
    local dir = folder(t, "user_rsa")
    local server <close> = server_of(t, dir)
    local key = help.key(dir, "user_rsa")
    local certificate = certify(dir, "user_rsa")
    local session <close> = assert(help.connect(server))
    local opts = { method = "publickey", user = help.user, key = key, certificate = certificate }
    local _, err = session:auth(opts)
    t.equal(err.kind, "refused")
    t.match(err.msg, "cannot log in by RSA certificates")
  end,

  ["a key is offered before it is used"] = function(t)
    local dir = help.keys(t, "host_ed25519", "user_ed25519", "other_ed25519", "user_rsa")
    local server <close> = help.server(t, dir)
    local session <close> = assert(help.connect(server))
    for name, taken in pairs({ user_ed25519 = true, other_ed25519 = false, user_rsa = true }) do
      local blob = help.key(dir, name):blob()
      local ok, err = session:auth({ method = "offer", user = help.user, blob = blob })
      t.equal({ ok, err.kind, err.key_taken }, { nil, "auth", taken }, name)
    end
    local key = help.key(dir, "user_ed25519")
    t.equal(session:auth({ method = "publickey", user = help.user, key = key }), true)
  end,

  ["the server's goodbye is told"] = function(t)
    local dir = help.keys(t, "host_ed25519", "user_ed25519", "other_ed25519")
    local server <close> = help.server(t, dir, "MaxAuthTries 2\n")
    local session <close> = assert(help.connect(server))
    local opts = { method = "publickey", user = help.user, key = help.key(dir, "other_ed25519") }
    t.equal(select(2, session:auth(opts)).kind, "auth")
    local _, err = session:auth(opts)
    t.equal(err.kind, "connect")
    local said = "127.0.0.1 ended the connection while logging in: Too many authentication"
    t.match(err.msg, said)
  end,

  ["ciphers, MACs and key exchanges are those that are wanted"] = function(t)
    local dir = help.keys(t, "host_ed25519", "user_ed25519")
    local server <close> = help.server(t, dir)
    local opts = { kex = "ecdh-sha2-nistp384", ciphers = "aes192-ctr", macs = "hmac-sha2-512" }
    local session <close> = assert(help.connect(server, opts))
    local key = help.key(dir, "user_ed25519")
    assert(session:auth({ method = "publickey", user = help.user, key = key }))
    local none, err = help.connect(server, { ciphers = "rot13" })
    t.equal({ none, err.kind }, { nil, "refused" })
    t.match(err.msg, "has none of these ciphers: rot13")
    local strict <close> = help.server(t, dir, "Ciphers aes256-ctr\n")
    none, err = help.connect(strict, { ciphers = "aes128-ctr" })
    t.equal({ none, err.kind }, { nil, "connect" })
    t.match(err.msg, "no cipher in common: the server has aes256%-ctr")
  end,

  ["a certificate of the host is never asked for: libssh2 has no code for it"] = function(t)
    local dir = help.keys(t, "host_ecdsa")
    local server <close> = help.server(t, dir)
    local _, err = help.connect(server, { host_keys = "ecdsa-sha2-nistp256-cert-v01@openssh.com" })
    t.equal(err.kind, "refused")
    local both = "ecdsa-sha2-nistp256-cert-v01@openssh.com,ecdsa-sha2-nistp256"
    local session <close> = assert(help.connect(server, { host_keys = both }))
    t.equal(session:host_key(), help.key(dir, "host_ecdsa"):blob())
  end,
}
