--- plat.ssh against a real sshd: by which keys, in which order, and which hosts are believed.
local fault = require("plat.fault")
local fs = require("prim.fs")
local help = load(assert(require("prim.fs").read("tests/lua/ssh_help.lua")), "@ssh_help.lua")()
local keys = require("plat.ssh.keys")
local list = require("plat.list")
local proc = require("prim.proc")
local ssh = require("plat.ssh")
local sys = require("prim.sys")
local task = require("plat.task")

--- Variables that an sshd or the shell sets itself.
local SSHD_SETS = {
  HOME = true,
  LOGNAME = true,
  MAIL = true,
  OLDPWD = true,
  PATH = true,
  PWD = true,
  SHELL = true,
  SHLVL = true,
  TERM = true,
  USER = true,
}

--- A host that no file of this machine has a say in.
local function host(server, vars, common)
  local args = "-F none -o IdentityAgent=none -o UserKnownHostsFile=%s/known "
    .. "-o GlobalKnownHostsFile=none -o StrictHostKeyChecking=accept-new "
  return {
    name = "h",
    address = "127.0.0.1",
    vars = list.merge({
      ansible_port = server.port,
      ansible_user = help.user,
      ansible_ssh_common_args = (common or "") .. " " .. args:format(server.dir),
    }, vars),
  }
end

--- Logs in and runs a command; nil and why not.
local function try(server, vars, common)
  return fault.try(function()
    local session <close> = ssh.open(host(server, vars, common))
    return assert(session:exec("echo in")).stdout
  end)
end

local function key_file(server, name)
  return { ansible_ssh_private_key_file = server.dir .. "/" .. name }
end

--- Starts an agent that holds these keys.
local function agent_of(t, dir, ...)
  local socket = dir .. "/agent"
  local agent = assert(proc.spawn({ "ssh-agent", "-D", "-a", socket }))
  t.ok(agent:pid() > 0)
  while not fs.stat(socket) do
    task.sleep(0.01)
  end
  for _, name in ipairs({ ... }) do
    help.sh(("ssh-add -q %s/%s"):format(dir, name), { env = { SSH_AUTH_SOCK = socket } })
  end
  return agent, "-o IdentityAgent=" .. socket
end

local function log_of(server)
  return fs.read(server.log) or ""
end

local function text_of(err)
  return err and fault.text(err) or "no failure"
end

return {
  ["a named key goes first: one attempt, whatever the agent holds"] = function(t)
    local dir = help.keys(t, "host_ed25519", "user_ed25519", "a_ed25519", "b_ecdsa", "c_rsa")
    local server <close> = help.server(t, dir, "MaxAuthTries 1\n")
    local agent <close>, socket = agent_of(t, dir, "a_ed25519", "b_ecdsa", "c_rsa")
    t.ok(agent)
    t.equal(try(server, key_file(server, "user_ed25519"), socket), "in\n")
    local _, err = try(server, {}, socket)
    t.match(text_of(err), "Too many authentication failures")
    t.match(text_of(err), "IdentitiesOnly")
    t.match(text_of(err), " of the agent: then the connection ended")
    local _, none = try(server, key_file(server, "absent"))
    t.match(text_of(none), "absent: there is no such file")
  end,

  ["the agent signs for a public key that is named; IdentitiesOnly leaves the rest"] = function(t)
    local dir = help.keys(t, "host_ed25519", "user_ed25519", "a_ed25519", "b_ecdsa")
    local server <close> = help.server(t, dir, "MaxAuthTries 1\n")
    local agent <close>, socket = agent_of(t, dir, "a_ed25519", "b_ecdsa", "user_ed25519")
    t.ok(agent)
    local only = ("%s -o IdentitiesOnly=yes -i %s/user_ed25519"):format(socket, dir)
    t.equal(try(server, {}, only .. ".pub"), "in\n", "the public key's file")
    help.sh(("mv %s/user_ed25519 %s/gone"):format(dir, dir))
    t.equal(try(server, {}, only), "in\n", "the private half is not here, its .pub is")
    local _, err = try(server, key_file(server, "user_ed25519.pub"))
    t.match(text_of(err), "only its public half is here")
  end,

  ["encrypted keys: offered first, parsed once, a wrong passphrase is told"] = function(t)
    local dir = help.keys(t, "host_ed25519", "user_ed25519")
    local server <close> = help.server(t, dir)
    local path = dir .. "/user_ed25519"
    help.sh(("ssh-keygen -q -p -P '' -N 'pass word' -f %s; rm %s.pub"):format(path, path))
    local _, none = try(server, key_file(server, "user_ed25519"))
    t.match(text_of(none), "user_ed25519: it is encrypted, and nobody has given its passphrase")
    help.sh(("cp %s %s2; cp %s %s3"):format(path, path, path, path))
    local vars = key_file(server, "user_ed255192")
    vars.ansible_ssh_private_key_passphrase = "not this"
    local _, wrong = try(server, vars)
    t.match(text_of(wrong), "wrong passphrase %(of ansible_ssh_private_key_passphrase%)")
    local stranger = help.server(t, help.keys(t, "host_ed25519", "other_ed25519"))
    local _, refused = try(stranger, vars)
    stranger.process:close()
    t.match(text_of(refused), "user_ed255192: the server does not accept the key")
    vars = key_file(server, "user_ed255193")
    vars.ansible_ssh_private_key_passphrase = "pass word"
    local jobs = {}
    for i = 1, 6 do
      jobs[i] = function()
        t.equal(try(server, vars), "in\n")
      end
    end
    task.all(jobs)
    t.ok(keys.file(path .. "3").encrypted and keys.file(path .. "3").made.key)
  end,

  ["certificates beside the key and by CertificateFile"] = function(t)
    local dir = help.keys(t, "host_ed25519", "user_ed25519", "me_ecdsa")
    help.sh(("ssh-keygen -q -t ed25519 -N '' -f %s/ca; : >%s/authorized_keys"):format(dir, dir))
    local server <close> = help.server(t, dir, ("TrustedUserCAKeys %s/ca.pub\n"):format(dir))
    for _, name in ipairs({ "user_ed25519", "me_ecdsa" }) do
      help.sh(("ssh-keygen -q -s %s/ca -I me -n %s %s/%s.pub"):format(dir, help.user, dir, name))
    end
    t.equal(try(server, key_file(server, "user_ed25519")), "in\n")
    help.sh(("mv %s/me_ecdsa-cert.pub %s/certificate"):format(dir, dir))
    local _, err = try(server, key_file(server, "me_ecdsa"))
    t.equal(err.kind, "auth")
    local with = ("-o CertificateFile=%s/certificate"):format(dir)
    t.equal(try(server, key_file(server, "me_ecdsa"), with), "in\n")
    local agent <close>, socket = agent_of(t, dir, "me_ecdsa")
    t.ok(agent)
    t.equal(try(server, {}, socket .. " -i " .. dir .. "/me_ecdsa.pub " .. with), "in\n")
  end,

  ["ways are those that ssh_config allows; a key that others may read is none"] = function(t)
    local dir = help.keys(t, "host_ed25519", "user_ed25519", "user_rsa")
    local server <close> = help.server(t, dir, "Banner " .. dir .. "/banner\n")
    fs.write(dir .. "/banner", "Hello!\27[2J\nGo away.\n")
    local vars = key_file(server, "user_ed25519")
    t.equal(try(server, vars), "in\n")
    for _, option in ipairs({
      "PubkeyAuthentication=no",
      "PreferredAuthentications=password,hostbased",
      "PubkeyAcceptedAlgorithms=ssh-rsa",
    }) do
      local _, err = try(server, vars, "-o " .. option)
      t.match(text_of(err), "no key, no agent, no password", option)
      t.match(text_of(err), "the server takes .*publickey", option)
      t.match(text_of(err), "the server says: Hello!%[2J\n  | the server says: Go away", option)
    end
    local rsa = key_file(server, "user_rsa")
    t.equal(try(server, rsa, "-o PubkeyAcceptedAlgorithms=rsa-sha2-256"), "in\n")
    t.match(log_of(server), "Accepted publickey")
    help.sh(("chmod 640 %s/user_rsa"):format(dir))
    rsa = key_file(server, "../" .. dir:match("[^/]+$") .. "/user_rsa")
    local _, open = try(server, rsa)
    t.match(text_of(open), "others may read it %(mode 640%): chmod 600 it")
  end,

  ["a server that wants two keys"] = function(t)
    local dir = help.keys(t, "host_ed25519", "user_ed25519", "user_ecdsa")
    local server <close> = help.server(t, dir, "AuthenticationMethods publickey,publickey\n")
    local _, err = try(server, key_file(server, "user_ed25519"))
    t.match(text_of(err), "user_ed25519: the server wants another proof beside this one")
    local second = "-i " .. dir .. "/user_ecdsa"
    t.equal(try(server, key_file(server, "user_ed25519"), second), "in\n")
  end,

  ["which hosts are believed"] = function(t)
    local dir = help.keys(t, "host_ed25519", "user_ed25519", "other_ed25519", "old_rsa")
    local server <close> = help.server(t, dir)
    local vars = key_file(server, "user_ed25519")
    local known = dir .. "/known"
    local strict = "-o StrictHostKeyChecking=yes"
    local _, unknown = try(server, vars, strict)
    t.match(text_of(unknown), "its host key is not known %(ED25519 SHA256:")
    t.match(text_of(unknown), "echo '%[127.0.0.1%]:%d+ ssh%-ed25519 .*' >>")
    t.equal(try(server, vars), "in\n", "accept-new")
    t.equal(try(server, vars, strict), "in\n", "and then it is known")
    local at = ("[127.0.0.1]:%d "):format(server.port)
    fs.write(known, at .. fs.read(dir .. "/other_ed25519.pub"))
    local _, changed = try(server, vars)
    t.match(text_of(changed), "its host key is not the one that is known")
    t.match(text_of(changed), "/known:1: ssh%-ed25519")
    t.equal(try(server, vars, "-o StrictHostKeyChecking=no"), "in\n", "a warning, and on it goes")
    fs.write(known, at .. fs.read(dir .. "/old_rsa.pub"))
    local _, old = try(server, vars)
    t.equal(old.kind, "auth")
    fs.write(known, "@revoked * " .. fs.read(dir .. "/host_ed25519.pub"))
    local _, revoked = try(server, vars, "-o StrictHostKeyChecking=no")
    t.match(text_of(revoked), "its host key is marked as revoked")
    fs.write(known, "@cert-authority * " .. fs.read(dir .. "/other_ed25519.pub"))
    local _, authority = try(server, vars, strict)
    t.match(text_of(authority), "an authority is known for it")
    t.equal(try(server, vars, "-o NoHostAuthenticationForLocalhost=yes " .. strict), "in\n")
  end,

  ["lists of algorithms, families of addresses, and what does not fit"] = function(t)
    local dir = help.keys(t, "host_ed25519", "user_ed25519")
    local server <close> = help.server(t, dir, "Ciphers aes256-ctr\nMACs hmac-sha2-256\n")
    local vars = key_file(server, "user_ed25519")
    t.equal(try(server, vars, "-c aes128-ctr,aes256-ctr -4 -o KexAlgorithms=-curve*"), "in\n")
    local _, none = try(server, vars, "-c aes128-ctr")
    t.match(text_of(none), "no cipher in common: the server has aes256%-ctr")
    t.match(text_of(none), "hint: of ours, only what `ciphers aes128%-ctr` allows was offered")
    local _, six = try(server, vars, "-6")
    t.match(text_of(six), "127.0.0.1 has no IPv6 address")
    local gcm <close> = help.server(t, dir, "MACs hmac-sha1\nCiphers aes256-cbc\n")
    local _, cbc = try(gcm, vars)
    t.match(text_of(cbc), "no cipher in common: the server has aes256%-cbc")
    t.match(text_of(cbc), "hint: on the host, add aes256%-ctr to Ciphers in sshd_config")
  end,

  ["many channels of one session ask at once, and each gets its own answers"] = function(t)
    local dir = help.keys(t, "host_ed25519", "user_ed25519")
    local server <close> = help.server(t, dir, "AcceptEnv GIVEN_*\nMaxSessions 8\n")
    local set = "-o 'SetEnv=GIVEN_A=1 GIVEN_B=2 OTHER=3 GIVEN_C=4'"
    local session <close> = ssh.open(host(server, key_file(server, "user_ed25519"), set))
    local jobs = {}
    for i = 1, 200 do
      jobs[i] = function()
        local command = ("echo %d$GIVEN_A$GIVEN_B$OTHER$GIVEN_C"):format(i)
        if i % 7 == 0 then
          task.timeout(0.005, function()
            session:exec(command)
          end)
        else
          t.equal(assert(session:exec(command)).stdout, i .. "124\n")
        end
      end
    end
    task.all(jobs)
  end,

  ["variables that ssh_config has sent along, where the server takes them"] = function(t)
    local dir = help.keys(t, "host_ed25519", "user_ed25519")
    local server <close> = help.server(t, dir, "AcceptEnv GIVEN_*\n")
    local vars = key_file(server, "user_ed25519")
    local set = "-o 'SetEnv=GIVEN_A=\"a b\" OTHER=x GIVEN_C=' -o SendEnv=PA*"
    local session <close> = ssh.open(host(server, vars, set))
    local jobs = {}
    for i = 1, 3 do
      jobs[i] = function()
        t.equal(assert(session:exec("echo $GIVEN_A-$OTHER-${GIVEN_C-none}")).stdout, "a b--\n")
      end
    end
    task.all(jobs)
    local own = list.find(list.keys(sys.environ()), function(name)
      return not SSHD_SETS[name] and name:find("^[A-Z]+$") and sys.getenv(name):find("^[%w/.]+$")
    end)
    local value = own and sys.getenv(own)
    if value then
      local sent <close> = help.server(t, dir, ("AcceptEnv %s\n"):format(own))
      local second <close> = ssh.open(host(sent, vars, ("-o SendEnv=%s?"):format(own:sub(1, -2))))
      t.equal(assert(second:exec(("echo $%s"):format(own))).stdout, value .. "\n", own)
    end
  end,
}
