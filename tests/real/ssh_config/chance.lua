--- Configurations by chance: returns a function of a seed and a count that gives cases.

local HOSTS = { "web1", "web2.example.com", "db", "Db", "10.0.0.7", "a.b", "x-y" }
local PATTERNS =
  { "web*", "*.example.com", "db", "!db", "*", "!web?", "10.*", "?b", "!*.com", "x-?" }
local CRITERIA = {
  "host web*",
  "host *,!db",
  "originalhost db",
  "user root",
  "user bob",
  "!user bob",
  "localuser *",
  "final",
  "!final",
  "canonical",
  "exec true",
  '!exec "test %h = db"',
  "!host *.example.com",
  'exec "test %n = web1"',
  "!originalhost web1",
}
local LINES = {
  "Port %d",
  "Port=%d",
  "User u%d",
  "HostName %%h.n%d.example",
  "HostName 10.0.0.%d",
  "IdentityFile ~/.ssh/k%d",
  'IdentityFile "/keys/k %d"',
  "IdentityFile /keys/%%r-%%h-%d",
  "CertificateFile ~/c%d",
  "SetEnv A=%d B=x",
  "SetEnv C=%d",
  "SendEnv L%d LC_*",
  "SendEnv -LC_*",
  "ConnectTimeout %dm",
  "ConnectTimeout none",
  "ServerAliveInterval %d",
  "ServerAliveCountMax %d",
  "StrictHostKeyChecking accept-new",
  "StrictHostKeyChecking no",
  "UserKnownHostsFile ~/k%d /k_%%h",
  "UserKnownHostsFile none",
  "GlobalKnownHostsFile /g%d",
  "ProxyJump j%d",
  "ProxyJump a,u@b%d:22",
  "ProxyJump none",
  "ProxyCommand nc -x%d %%h %%p",
  "ProxyCommand none",
  "HostKeyAlias Al%d",
  "IdentitiesOnly yes",
  "IdentitiesOnly no",
  "IdentityAgent /run/%%u/%d",
  "IdentityAgent none",
  "HashKnownHosts yes",
  "RequestTTY force",
  "ConnectionAttempts %d",
  "PubkeyAuthentication no",
  "PreferredAuthentications p%d,password",
  "Ciphers +aes128-cbc",
  "Ciphers ^aes256-ctr",
  "MACs -umac*",
  "KexAlgorithms curve25519-sha256",
  "HostKeyAlgorithms ssh-ed25519,rsa-sha2-256",
  "LocalForward 80%d h:%d",
  "ForwardAgent yes",
  "LogLevel DEBUG",
  "Compression yes",
  "AddressFamily inet",
  "NumberOfPasswordPrompts %d",
  "PasswordAuthentication no",
  "# a comment %d",
  "",
  "  TCPKeepAlive no  ",
  "IgnoreUnknown Odd*",
}
local ODD = {
  "OddWord %d",
  "Port x",
  "User",
  'User "open',
  "Nonsense %d",
  "IdentitiesOnly maybe",
  "UserKnownHostsFile /%%Z",
  "HostName %%q",
  "Match",
  "Match host",
  "Host",
  "ProxyJump @x",
  "User a b",
  "ConnectTimeout 1y",
  "SetEnv X",
}

return function(seed, count)
  local function draw(n)
    seed = (seed * 6364136223846793005 + 1442695040888963407) & 0xFFFFFFFFFFFFFFFF
    return (seed >> 33) % n + 1
  end
  local function one(list)
    return list[draw(#list)]
  end
  local function line()
    local text = draw(60) == 1 and one(ODD) or one(LINES)
    local n = draw(9)
    return ("  "):rep(draw(2) - 1) .. text:format(n, n) .. "\n"
  end
  local function block()
    local kind = draw(5)
    local lines = {}
    if kind <= 2 then
      lines[1] = ("Host %s %s\n"):format(one(PATTERNS), one(PATTERNS))
    elseif kind <= 4 then
      lines[1] = ("Match %s %s\n"):format(one(CRITERIA), draw(2) == 1 and one(CRITERIA) or "")
    else
      lines[1] = ("Include $D/%s\n"):format(one({ "a.inc", "b.inc", "*.inc", "absent" }))
    end
    for _ = 1, draw(5) do
      lines[#lines + 1] = line()
    end
    return table.concat(lines)
  end
  local cases = {}
  for i = 1, count do
    local parts = { line() }
    for _ = 1, draw(5) do
      parts[#parts + 1] = block()
    end
    parts[#parts + 1] = "@a.inc\n" .. line() .. line()
    parts[#parts + 1] = "@b.inc\n" .. ("Host %s\n"):format(one(PATTERNS)) .. line() .. line()
    local args = draw(4) == 1 and { "-l", "bob" }
      or draw(4) == 1 and { "-p", "78", "-oPort=77" }
      or nil
    cases[i] = { host = one(HOSTS), text = table.concat(parts), args = args }
  end
  return cases
end
