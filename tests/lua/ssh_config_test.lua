--- ssh_config from literal texts: whose files count, what is refused, what is told, mutated files.
--- tests/real/ssh_config asks `ssh -G` about hundreds more.
local config = require("plat.ssh.config")
local fault = require("plat.fault")
local fs = require("prim.fs")
local jump = require("plat.ssh.config.jump")
local list = require("plat.list")
local pattern = require("plat.ssh.pattern")
local task = require("plat.task")
local words = require("plat.ssh.config.words")

local USER, SYSTEM = "/home/me/.ssh/config", "/etc/ssh/ssh_config"

--- Loads texts by path, or one text as the user's file.
local function load_files(files, opts)
  files = type(files) == "string" and { [USER] = files } or files
  local all = { files = files, home = "/home/me", user = "me", uid = 1000, hostname = "box.lan" }
  all.env = { WORD = "word", SSH_AUTH_SOCK = "/run/agent" }
  return config.load(list.merge(all, opts or {}))
end

local function lookup(files, host, opts)
  return load_files(files):lookup(host or "h", opts)
end

return {
  ["what holds without files"] = function(t)
    local s = lookup({})
    t.equal({ s.host, s.hostname, s.user, s.port }, { "h", "h", "me", 22 })
    t.equal(s.identityfile[1], "/home/me/.ssh/id_rsa")
    t.equal({ s.identities_given, s.identitiesonly }, { false, false })
    t.equal(s.userknownhostsfile, { "/home/me/.ssh/known_hosts", "/home/me/.ssh/known_hosts2" })
    t.equal({ s.stricthostkeychecking, s.connecttimeout, s.ciphers }, { "ask" })
    t.equal({ s.setenv, s.sendenv, s.agent_socket }, { {}, {}, "/run/agent" })
    t.equal({ s.proxyjump, s.proxycommand }, {})
  end,

  ["the user's file is before the machine's"] = function(t)
    local files = {
      [USER] = "Host h\nPort 1\nSendEnv A\nIdentityFile mine\n",
      [SYSTEM] = "Port 2\nUser system\nSendEnv B\nIdentityFile mine\nHost x\nUser y\n",
    }
    local s = lookup(files)
    t.equal({ s.port, s.user, s.sendenv }, { 1, "system", { "A", "B" } })
    t.equal(s.identityfile, { "mine", "mine" }) -- of two files, as OpenSSH keeps them
    t.equal(load_files(files).paths, { USER, SYSTEM })
    t.equal(lookup(files, "h", { user = "u", port = 3 }).port, 3)
    s = lookup(files, "h", { options = { "Port=4", "User = o", "ProxyJump j" } })
    t.equal({ s.port, s.user, s.proxyjump[1].host }, { 4, "o", "j" })
    t.fails("option:1: .*not an option", function()
      lookup(files, "h", { options = { "Host x" } })
    end)
  end,

  ["Include is relative to the folder of its file"] = function(t)
    local files = {
      [USER] = "Include conf.d/* ~/extra\nHost x\nInclude only-x\n",
      ["/home/me/.ssh/conf.d/b"] = "Port 2\n",
      ["/home/me/.ssh/conf.d/a"] = "Port 1\nHost other\n",
      ["/home/me/.ssh/conf.d/.hidden"] = "Port 3\nUser hidden\n",
      ["/home/me/extra"] = "User extra\n",
      ["/home/me/.ssh/only-x"] = "Compression yes\nConnectTimeout 7\n",
      [SYSTEM] = "Include ssh_config.d/*.conf\n",
      ["/etc/ssh/ssh_config.d/z.conf"] = "IdentitiesOnly yes\n",
    }
    local s = lookup(files)
    t.equal({ s.port, s.user, s.identitiesonly, s.connecttimeout }, { 1, "extra", true })
    t.equal(lookup(files, "x").connecttimeout, 7)
    files[SYSTEM] = "Include ~/extra\n"
    t.fails("^/etc/ssh/ssh_config:1: Include ~/extra: ", function()
      lookup(files)
    end)
    files = { [USER] = "Include a\n", ["/home/me/.ssh/a"] = "\nInclude a\n" }
    t.fails("^/home/me/.ssh/a:2: .*in one another", function()
      lookup(files)
    end)
  end,

  ["tokens, homes and the environment"] = function(t)
    local s = lookup([[
HostName %h.example.com
User bob
Port 2222
HostKeyAlias Ali
IdentityFile ~/%r@%h:%p-%n-%u-%i-%%
CertificateFile ${WORD}/%d/%k/%l/%L
UserKnownHostsFile %C
IdentityAgent $SSH_AUTH_SOCK
ProxyCommand nc %h %p # %r
]])
    t.equal(s.identityfile, { "/home/me/bob@h.example.com:2222-h-me-1000-%" })
    t.equal(s.certificatefile, { "word//home/me/ali/box.lan/box" })
    t.match(s.userknownhostsfile[1], "^%x+$")
    t.equal(#s.userknownhostsfile[1], 40)
    t.equal(s.agent_socket, "/run/agent")
    t.equal(s.proxycommand, "nc h.example.com 2222 # bob")
    t.equal(lookup("ProxyJump a,b\nIdentityFile %j\n").identityfile, { "a,b" })
    t.equal(lookup("IdentityAgent none\n").agent_socket, false)
    t.equal(lookup("IdentityFile NONE\n").identityfile, {})
    for text, want in pairs({
      ["\nUserKnownHostsFile %Z\n"] = "config:2: %%Z: unknown token %%Z",
      ["IdentityFile ${NOPE}/x\n"] = "config:1: .*NOPE. has no value",
      ["IdentityFile ~root/x\n"] = "config:1: .*only the home of me",
      ["HostName %r\n"] = "config:1: HostName %%r: unknown token",
      ["ProxyCommand nc %u\n"] = "config:1: ProxyCommand: unknown token",
      ["IdentityAgent ${NOPE}\n"] = "config:1: .*NOPE. has no value",
    }) do
      t.fails(want, function()
        lookup(text)
      end)
    end
  end,

  ["jumps"] = function(t)
    local s = lookup("ProxyJump a,bob@[::1]:22,ssh://c@d:3\n")
    t.equal(s.proxyjump, {
      { host = "a", text = "a" },
      { host = "::1", user = "bob", port = 22, text = "bob@[::1]:22" },
      { host = "d", user = "c", port = 3, text = "ssh://c@d:3" },
    })
    t.equal(lookup("ProxyJump none\nProxyCommand x\n").proxycommand, "x")
    t.equal(lookup("ProxyJump none # why\n").proxyjump, nil)
    t.equal(lookup("ProxyCommand none\nProxyJump j\n").proxyjump, nil)
    t.fails("config:1: .*to the host itself", function()
      lookup("ProxyJump h\n")
    end)
    t.equal(jump.hop("a;b"), nil)
    t.equal(jump.hop("-oProxyCommand=x"), nil)
  end,

  ["Match exec runs by the function that is given"] = function(t)
    local ran = {}
    local function exec(command)
      ran[#ran + 1] = command
      return command == "test h"
    end
    local text = 'Match host nobody exec "never"\nPort 1\nMatch exec "test %h"\nPort 2\n'
      .. "Match !exec false\nUser u\n"
    local s = load_files(text, { exec = exec }):lookup("h")
    t.equal({ s.port, s.user, ran }, { 2, "u", { "test h", "false" } })
    local err = t.fails("refused", function()
      load_files("Match exec true\n"):lookup("h")
    end)
    t.match(err.msg, "^/home/me/.ssh/config:1: Match exec is not run here")
    t.equal(load_files("Match host x exec true\n"):lookup("h").port, 22)
  end,

  ["mistakes carry file and line"] = function(t)
    local err = t.fails("parse", function()
      lookup("Port 1\n\nIdentitiesOny yes\n")
    end)
    t.equal(err.msg, USER .. ':3: unknown keyword "identitiesony" (did you mean "identitiesonly"?)')
    t.equal({ err.file, err.line }, { USER, 3 })
    for text, want in pairs({
      ["Port x\n"] = ':1: port: "x" is no port',
      ["Host x\n  Port 0\n"] = ":2: port: ",
      ['User "a\n'] = ":1: a quote is not closed",
      ["User a b\n"] = ":1: user: too many arguments",
      ["User\n"] = ":1: user: the value is missing",
      ["Match\n"] = ":1: match: the value is missing",
      ["Match planet x\n"] = ':1: Match knows no "planet"',
      ["StrictHostKeyChecking often\n"] = ':1: .*unknown value "often"',
      ["ConnectTimeout 1y\n"] = ':1: .*"1y" is no time',
      ["ConnectionAttempts 0\n"] = ":1: ConnectionAttempts 0",
    }) do
      t.fails(want, function()
        lookup(text)
      end)
    end
    t.fails("usage", function()
      lookup("", "-oProxyCommand=x")
    end)
    t.fails("usage", function()
      lookup("", "h", { user = "a;b" })
    end)
    t.equal(lookup("IgnoreUnknown ident*\nIdentitiesOny yes\n").port, 22)
  end,

  ["files that others may change are refused"] = function(t)
    local function owned(uid, mode)
      return function()
        lookup({ [USER] = { text = "Port 3\n", uid = uid, mode = tonumber(mode, 8) } })
      end
    end
    owned(1000, "600")()
    owned(0, "644")()
    t.fails("^/home/me/.ssh/config: others may write to it", owned(1000, "620"))
    t.fails("^/home/me/.ssh/config: others may write to it", owned(1000, "602"))
    t.fails("owned by another user %(uid 7%)", owned(7, "600"))
    local loose = { text = "Port 3\n", uid = 7, mode = 511 }
    t.equal(load_files({ ["/x"] = loose }, { path = "/x" }):lookup("h").port, 3) -- as ssh -F
    t.equal(load_files({ [SYSTEM] = loose }):lookup("h").port, 3)
    t.fails("others may", function()
      load_files({ ["/x"] = "Include /y\n", ["/y"] = { text = "", mode = 511 } }, { path = "/x" })
    end)
    t.fails("^/absent: no such file", function()
      load_files({}, { path = "/absent" })
    end)
    t.equal(load_files({ [USER] = "Port 3\n" }, { path = "none" }):lookup("h").port, 22)
  end,

  ["files of the disk"] = function(t)
    local home = t.tmp()
    assert(fs.mkdir(home .. "/.ssh/d", { parents = true }))
    assert(fs.mkdir(home .. "/.ssh/d/folder.conf"))
    assert(fs.write(home .. "/.ssh/config", "Include d/*.conf\nUser u\n", { mode = 384 }))
    assert(fs.write(home .. "/.ssh/d/1.conf", "Port 5\n", { mode = 384 }))
    local s = config.load({ home = home }):lookup("h")
    t.equal({ s.port, s.user }, { 5, "u" })
    assert(fs.write(home .. "/.ssh/d/0.conf", "Port 5\n", { mode = 438 }))
    t.fails("0.conf: others may write", function()
      config.load({ home = home })
    end)
  end,

  ["what is not done is told once"] = function(t)
    local cfg = load_files(
      "Compression yes\nForwardX11 yes\nForwardAgent no\nHost a\n"
        .. "BindAddress 1.2.3.4\nCompression yes\nRemoteCommand none\n"
    )
    cfg:lookup("h")
    t.equal(cfg.ignored, {
      { keyword = "compression", file = USER, line = 1, place = USER .. ":1", harmless = false },
      { keyword = "forwardx11", file = USER, line = 2, place = USER .. ":2", harmless = true },
    })
    cfg:lookup("a")
    cfg:lookup("a")
    t.equal(
      list.map(cfg.ignored, function(item)
        return item.keyword
      end),
      { "compression", "forwardx11", "bindaddress" }
    )
  end,

  ["words and patterns"] = function(t)
    t.equal({ words.keyword('  "Port"  25 \r\n') }, { "port", "25" })
    t.equal({ words.keyword("# x") }, {})
    t.equal(
      words.split([[a "b c" 'd e' f\ g "h\"i" \x "" j#k # l]]),
      { "a", "b c", "d e", "f g", 'h"i', "\\x", "", "j#k" }
    )
    t.equal(words.split("'a"), nil)
    t.equal({ words.seconds("1w2d3h4m5s"), words.seconds("90"), words.seconds("") }, { 788645, 90 })
    t.ok(pattern.matches("aaab", "a*b") and not pattern.matches("aaa", "a*b"))
    t.ok(not pattern.matches(("a"):rep(200), ("a*"):rep(100) .. "b")) -- at once
    t.equal(pattern.list("db1", "*,!db*"), -1)
    t.equal({ pattern.list("x", ""), pattern.host("A.B", "*.b") }, { 0, 1 })
  end,

  ["mutated files raise faults with file and line, nothing else"] = function(t)
    local sample = 'Include inc\nHost a b !c "d e"\n  HostName=%h.x\nMatch host a,!b exec "t %n"\n'
      .. "ProxyJump u@[::1]:22,ssh://x@y:3/\nIdentityFile ~/.ssh/%r\\ x\nSetEnv A=1 'B=2 3'\n"
      .. "Match final all\nLocalForward [::1]:80 /run/x\nConnectTimeout 1h30m\nIPQoS af21 cs1\n"
      .. "UserKnownHostsFile ${WORD}/a ~/b\nIgnoreUnknown x*\nIdentityAgent $SSH_AUTH_SOCK\n"
      .. "RekeyLimit 1G 1h\nEscapeChar ^B\nTunnelDevice any:3\nSendEnv -A* B\n"
    local pieces = {
      "\0",
      "\n",
      "\r",
      " ",
      '"',
      "'",
      "\\",
      "=",
      "%",
      "$",
      "${",
      "~",
      "*",
      "[",
      "]",
      "@",
      ",",
      "!",
      "#",
      "-",
      "\255",
      "9999999999999999999",
      "Host ",
      "Match ",
      "Include ",
    }
    local seed, fine, refused = 3, 0, 0
    local function draw(n)
      seed = (seed * 6364136223846793005 + 1442695040888963407) & 0xFFFFFFFFFFFFFFFF
      return (seed >> 33) % n + 1
    end
    for i = 1, 4000 do
      if i % 100 == 0 then
        task.sleep(0)
      end
      local text = sample
      for _ = 1, draw(3) do
        local at, cut = draw(#text), draw(6) - 1
        text = text:sub(1, at) .. pieces[draw(#pieces)] .. text:sub(at + cut)
      end
      local _, problem = fault.try(function()
        local files = { [USER] = text, ["/home/me/.ssh/inc"] = "Port 3\n" }
        load_files(files, {
          exec = function()
            return true
          end,
        }):lookup(draw(2) == 1 and "a" or "q")
      end)
      if not problem then
        fine = fine + 1
      else
        local placed = problem.kind == "parse" and problem.msg:find("^/home/me/%.ssh/%w+:%d+: ")
        t.ok(placed, fault.text(problem, 3) .. "\n" .. text)
        refused = refused + 1
      end
    end
    t.ok(fine > 200 and refused > 300, ("%d fine, %d refused"):format(fine, refused))
  end,
}
