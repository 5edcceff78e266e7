--- Cases by hand: each is { text, host = "h", args = { options of ssh } }. "@" begins another file:
--- "@NAME MODE" and its lines; $D is the folder of all of them.
local T = {}

local function add(host, text, args)
  T[#T + 1] = { text = text, host = host, args = args }
end

-- Host: patterns, negation, order, case
add("web1", "Host web*\nPort 2201\nHost *\nPort 2202\n")
add("db", "Host web*\nPort 2201\nHost *\nPort 2202\n")
add("web1", "Host web? !web1\nPort 2201\n")
add("web2", "Host web? !web1\nPort 2201\n")
add("web1", "Host !web1 web?\nPort 2201\n")
add("web1", "Host !web*\nPort 2201\n")
add("x", "Host !web*\nPort 2201\n")
add("Web", "Host web\nPort 2201\n")
add("WEB.Example.COM", "Host *.Example.COM\nPort 2201\n")
add("a.b.c", "Host *.*.c\nUser u1\n")
add("abc", "Host a*b*c*\nUser u1\n")
add("abc", "Host ???\nUser u1\n")
add("abc", "Host ????\nUser u1\n")
add("abc", "Host ?*?\nUser u1\n")
add("abc", "Host a**c\nUser u1\n")
add("abc", 'Host "abc"\nUser u1\n')
add("abc", "Host x,abc\nUser u1\n")
add("abc", "Host x abc # comment\nUser u1\n")
add("abc", "Port 1\nHost abc\nPort 2\nUser late\nHost *\nUser later\n")
add("abc", "Host\nUser x\n")
add("abc", 'Host ""\nUser x\n')
add("10.0.0.1", "Host 10.*\nUser net\n")
add("::1", "Host ::*\nUser six\n")

-- the form of lines
add("h", "Port=23\n")
add("h", "Port = 23\n")
add("h", "Port   =   23\n")
add("h", "Port == 23\n")
add("h", "  \tport\t23  \n")
add("h", "PORT 23\r\nuser bob\r\n")
add("h", "# Port 22\n   # Port 24\n\n\nPort 25\n")
add("h", "Port 25 # comment\n")
add("h", "Port 25 #comment\n")
add("h", "Port 25#comment\n")
add("h", '"Port" 25\n')
add("h", 'User "a b"\n')
add("h", "User 'a b'\n")
add("h", 'User "a\\"b"\n')
add("h", "User a\\ b\n")
add("h", "User a\\b\n")
add("h", "User a\\\\b\n")
add("h", 'User "a b\n')
add("h", "User a b\n")
add("h", "User\n")
add("h", "User=\n")
add("h", "User =\n")
add("h", 'User ""\n')
add("h", "User bob\f\n")
add("h", "Port 25")
add("h", "=Port 25\n")
add("h", "Port 70000\n")
add("h", "Port 0\n")
add("h", "Port -1\n")
add("h", "Port 0022\n")
add("h", "Nonsense yes\n")
add("h", "IgnoreUnknown Non*\nNonsense yes\n")
add("h", "IgnoreUnknown non*,Else\nNonsense yes\nELSE 1\nElsewhere 2\n")
add("h", "Nonsense yes\nIgnoreUnknown Non*\n")
add("h", "Host other\nIgnoreUnknown nonsense\nHost *\nNonsense 1\n")
add("h", "Host other\nNonsense 1\n")
add("h", "Host other\nPort nonsense\n")
add("h", "Protocol 2\nCipher blowfish\nUsePrivilegedPort no\nRSAAuthentication yes\n")

-- flags, numbers, times, choices
for _, word in ipairs({ "yes", "no", "true", "false", "YES", "maybe", "1" }) do
  add("h", ("IdentitiesOnly %s\n"):format(word))
  add("h", ("PubkeyAuthentication %s\n"):format(word))
end
add("h", "PubkeyAuthentication unbound\n")
add("h", "PubkeyAuthentication host-bound\n")
for _, word in ipairs({ "yes", "no", "off", "ask", "accept-new", "Accept-New", "true", "never" }) do
  add("h", ("StrictHostKeyChecking %s\n"):format(word))
end
for _, word in ipairs({ "yes", "no", "force", "auto", "on" }) do
  add("h", ("RequestTTY %s\n"):format(word))
end
for _, word in ipairs({
  "30",
  "30s",
  "2m",
  "1h30m",
  "1H",
  "2w1d",
  "1h30",
  "none",
  "x",
  "-1",
  "1x",
  "99999999999",
  "1m 2s",
  "0",
}) do
  add("h", ("ConnectTimeout %s\n"):format(word))
end
add("h", "ConnectTimeout none\nConnectTimeout 5\n")
add("h", "ServerAliveInterval 1m\nServerAliveCountMax 5\n")
add("h", "ServerAliveInterval none\n")
add("h", "ServerAliveCountMax x\n")
add("h", "ConnectionAttempts 3\n")
add("h", "ConnectionAttempts 0\n")
add("h", "NumberOfPasswordPrompts 1\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n")
add("h", "ChallengeResponseAuthentication no\nDSAAuthentication no\nKeepAlive no\n")
add("h", "HashKnownHosts yes\nNoHostAuthenticationForLocalhost yes\nTCPKeepAlive no\n")
add("h", "AddressFamily inet6\nBatchMode no\nFingerprintHash MD5\n")
add("h", "AddressFamily inet7\n")
add("h", "BatchMode yes\nServerAliveInterval 5\n")
add("h", "PreferredAuthentications publickey,password\n")
add("h", "HostKeyAlias Alias.Example\n")

-- HostName, User, Port, and what wins over the files
add("h", "HostName %h.example.com\n")
add("H", "HostName %h.Example.com\n")
add("h", "HostName 100%%h\n")
add("h", "HostName %x\n")
add("h", "HostName %h%\n")
add("h", "HostName 10.0.0.7\nHostName other\n")
add("h", "HostName fe80::1%%eth0\n")
add("h", "User file\nPort 99\n", { "-l", "flag", "-p", "98" })
add("h", "User file\nPort 99\n", { "-oUser=option", "-oPort 97" })
add("h", "Match user flag\nPort 5\n", { "-l", "flag" })
add("h", "User file\nMatch user file\nPort 5\n")
add("h", "Match user file\nPort 5\nMatch all\nUser file\n")

-- lists
add("h", "IdentityFile ~/.ssh/a\nIdentityFile /b\nIdentityFile ~/.ssh/a\n")
add("h", "Host h\nIdentityFile one\nHost *\nIdentityFile two\n")
add("h", 'IdentityFile "~/my key"\n')
add("h", "IdentityFile none\n")
add("h", "IdentityFile a b\n")
add("h", "CertificateFile ~/c1\nCertificateFile /c2\n")
add("h", "SetEnv A=1 B=2 A=3\nSetEnv C=4\n")
add("h", 'SetEnv "A=b c" D=\n')
add("h", "SetEnv A\n")
add("h", "SendEnv LANG LC_*\nSendEnv -LC_* X\n")
add("h", "SendEnv LANG\nHost h\nSendEnv -L* Y\n")
add("h", "SendEnv A=b\n")
add("h", "UserKnownHostsFile ~/k1 /k2\nUserKnownHostsFile /k3\n")
add("h", "UserKnownHostsFile none\n")
add("h", "UserKnownHostsFile /k none\n")
add("h", "UserKnownHostsFile none /k\n")
add("h", "UserKnownHostsFile ~/known_%h_%p_%r_%n_%k %d/x%%y\n")
add("h", "UserKnownHostsFile ${SSH_TEST_DIR}/known\n")
add("h", "UserKnownHostsFile ${SSH_TEST_ABSENT}/known\n")
add("h", "UserKnownHostsFile ${SSH_TEST_DIR\n")
add("h", "UserKnownHostsFile /%Z\n")
add("h", "UserKnownHostsFile /%i/%u/%l/%L/%C\n")
add("h", "HostKeyAlias Al\nUserKnownHostsFile /%k\n")
add("h", "GlobalKnownHostsFile /g1 /g2\n")
add("h", "GlobalKnownHostsFile none\n")
add("h", "IdentityAgent ~/agent-%r\n")
add("h", "IdentityAgent none\n")
add("h", "IdentityAgent SSH_AUTH_SOCK\n")
add("h", "IdentityAgent $SSH_TEST_DIR\n")
add("h", "IdentityAgent $not-a-name\n")
add("h", "IdentityAgent ${SSH_TEST_DIR}/s\n")
add("h", "IdentityAgent ${SSH_TEST_ABSENT}/s\n")
add(
  "h",
  "LocalForward 8080 db:5432\nLocalForward 8080 db:5432\nLocalForward [::1]:9 [fe80::1]:10\n"
)
add("h", "LocalForward 8080\n")
add("h", "LocalForward x db:1\n")
add("h", "LocalForward /run/d e:6\n")
add(
  "h",
  "RemoteForward 0 db:1\nRemoteForward 8 [x]:9\nDynamicForward 1080\nDynamicForward a:1081\n"
)
add("h", "RemoteForward 1080\n")
add("h", "LocalForward 0 db:1\n")

-- jumps
for _, jump in ipairs({
  "j",
  "u@j",
  "u@j:2222",
  "a,b,c",
  "a,u@b:1,ssh://v@c:2",
  "ssh://v@c",
  "none",
  "None",
  "u@",
  "@j",
  "j:x",
  "j:0",
  "a,,b",
  "[fe80::1]:22",
  "[fe80::1]",
  "ssh://j/path",
  "ssh://@j",
  "10.0.0.1:22",
  "u@v@w",
  "ssh://a..b",
  "j:",
  "a, b",
  "[x",
  "ssh://u%41@j",
}) do
  add("h", ("ProxyJump %s\n"):format(jump))
end
add("h", "ProxyJump j\nProxyCommand nc %h %p\n")
add("h", "ProxyCommand nc %h %p\nProxyJump j\n")
add("h", "ProxyJump none\nProxyCommand nc %h %p\n")
add("h", "ProxyCommand none\nProxyJump j\n")
add("h", 'ProxyCommand ssh -o "X y" gate "nc %h %p" # kept\n')
add("h", "ProxyCommand = nc %h %p\n")
add("h", "ProxyCommand 'nc\n")
add("h", "Host j\nPort 9\nHost *\nProxyJump h\n")
add("h", "Host *\nProxyJump h:2\n")
add("h", "Host *\nProxyJump other@h\n")

-- algorithms
for _, list in ipairs({
  "aes128-ctr",
  "+aes128-cbc",
  "-*gcm*",
  "^aes256-ctr,aes128-ctr",
  "aes256-ctr,aes128-ctr",
  "+aes128-ctr",
  "-aes*",
}) do
  add("h", ("Ciphers %s\n"):format(list))
end
add("h", "MACs ^hmac-sha2-256\nKexAlgorithms -sntrup*\nHostKeyAlgorithms +ssh-rsa\n")
add("h", "PubkeyAcceptedAlgorithms +ssh-rsa\nCASignatureAlgorithms ssh-ed25519\n")
add("h", "PubkeyAcceptedKeyTypes ssh-ed25519\nHostKeyAlgorithms ssh-ed25519,rsa-sha2-*\n")
add("h", "KexAlgorithms curve25519-sha256\nKexAlgorithms ecdh-sha2-nistp256\n")

-- Match
add("h", "Match all\nPort 3\n")
add("h", "Match !all\nPort 3\n")
add("h", "Match all host h\nPort 3\n")
add("h", "Match host h all\nPort 3\n")
add("h", "Match host h user root all\nPort 3\n")
add("h", "Match\nPort 3\n")
add("h", "Match host\nPort 3\n")
add("h", "Match planet mars\nPort 3\n")
add("h", "Match host h\nPort 3\nMatch !host h\nUser no\n")
add("h", "Match host x,h,!y\nPort 3\n")
add("h", "Match host *,!h\nPort 3\n")
add("H", "Match host h\nPort 3\n")
add("H", "Match originalhost h\nPort 3\n")
add("h", "HostName real.example\nMatch host real.*\nPort 3\nMatch originalhost h\nUser orig\n")
add("h", "Match host=h\nPort 3\n")
add("h", 'Match host "h" # comment\nPort 3\n')
add("h", "Match host h # user nobody\nPort 3\n")
add("h", "Match HOST h\nPort 3\n")
add("h", "Match localuser nobody\nPort 3\nMatch localuser *\nPort 4\n")
add("h", "Match user root,!admin\nPort 3\n")
add("h", 'Match exec "true"\nPort 3\nMatch exec false\nUser no\n')
add("h", "Match !exec false\nPort 3\n")
add("h", 'HostName real\nMatch exec "test %h = real -a %n = h -a %p = 22"\nPort 3\n')
add("h", 'HostName real\nPort 7\nMatch exec "test %r-%p-%k = ${x}root-7-real"\nUser hit\n')
add("h", 'Match host x exec "exit 3"\nPort 3\nMatch host h exec "test %u = root"\nPort 4\n')
add("h", 'Match exec "echo %Q"\nPort 3\n')
add("h", "Match exec\nPort 3\n")
add("h", "HostName final.example\nMatch final host final.*\nPort 3\nMatch host h\nPort 4\n")
add("h", "Match final\nPort 3\nMatch !final\nUser first\n")
add("h", "Match canonical\nPort 3\n")
add("h", "HostName Two.Example\nHost two.example\nPort 8\nMatch final\nUser x\n")
add("h", "Match final host h\nHostName never\n")
add("h", "Match final\nIdentityFile late\nMatch all\nIdentityFile early\n")
add("h", "Match final\nSetEnv A=1\nMatch all\nSetEnv B=2\n")
add("h", "SendEnv A\nMatch final\nSendEnv B\n")

-- Include
add("h", "Include $D/one.conf\n@one.conf\nPort 3\n")
add("h", "Host x\nInclude $D/one.conf\nHost h\nUser u\n@one.conf\nPort 3\nHost h\nPort 4\n")
add("h", "Host h\nInclude $D/one.conf\nUser u\n@one.conf\nHost other\nPort 3\n")
add("h", "Include $D/*.conf\n@b.conf\nPort 2\n@a.conf\nPort 1\n")
add("h", "Include $D/[ab].conf $D/c?.conf\n@b.conf\nUser b\n@c1.conf\nPort 1\n@d.conf\nUser d\n")
add("h", "Include $D/[!a]*.cfg\n@a.cfg\nUser a\n@b.cfg\nPort 1\n")
add("h", "Include $D/none*.conf $D/absent\nPort 4\n")
add("h", "Include $D/one.conf\n@one.conf 666\nPort 3\n")
add("h", "Include $D/one.conf\n@one.conf 644\nNonsense\n")
add("h", "Host x\nInclude $D/one.conf\n@one.conf\nPort nonsense\n")
add(
  "h",
  "Include $D/one.conf\nPort 9\n@one.conf\nInclude $D/two.conf\nPort 3\n@two.conf\nUser two\n"
)
add("h", "Include $D/one.conf\n@one.conf\nInclude $D/one.conf\n")
add(
  "h",
  "Match host h\nInclude $D/one.conf\nMatch host x\nUser x\n@one.conf\nMatch host h\nPort 3\n"
)
add("h", "Match host x\nInclude $D/one.conf\n@one.conf\nMatch final\nPort 3\nMatch all\nUser no\n")
add("h", "Include\n")
add("h", 'Include ""\n')
add("h", "Include $D\nPort 4\n")

-- what OpenSSH understands and platrun does not do: valid and invalid values
add(
  "h",
  "ForwardAgent yes\nForwardX11 no\nControlMaster auto\nControlPath ~/c-%C\nControlPersist 10m\n"
)
add("h", "Compression yes\nLogLevel DEBUG\nSyslogFacility AUTH\nEscapeChar ^B\nIPQoS af21 cs1\n")
add("h", "RekeyLimit 1G 1h\nTunnel yes\nTunnelDevice 1:any\nStreamLocalBindMask 0177\n")
add("h", "CanonicalizeHostname yes\nMatch canonical\nPort 3\n")
add("h", "CanonicalizeHostname no\nMatch canonical\nPort 3\n")
add("h", "AddKeysToAgent confirm 5m\nUpdateHostKeys ask\nVerifyHostKeyDNS ask\nVisualHostKey yes\n")
add("h", "PermitRemoteOpen h:1 *:*\nLogVerbose a b\nRemoteCommand ls -l # x\nSessionType none\n")
add(
  "h",
  "RevokedHostKeys /r\nKnownHostsCommand /bin/x %H\nRequiredRSASize 2048\nBindAddress 1.2.3.4\n"
)
for _, line in ipairs({
  "EscapeChar ab",
  "IPQoS nonsense",
  "RekeyLimit 1",
  "RekeyLimit x",
  "Tunnel 3",
  "TunnelDevice x",
  "StreamLocalBindMask 9",
  "LogLevel LOUD",
  "SyslogFacility X",
  "Compression maybe",
  "ControlMaster x",
  "ControlPersist x",
  "AddKeysToAgent yes 5",
  "CanonicalDomains a..b",
  "CanonicalizePermittedCNAMEs a",
  "FingerprintHash x",
  "ForwardAgent $a-b",
  "RequiredRSASize x",
  "SessionType x",
  "ForwardX11 perhaps",
  "HashKnownHosts",
  "RekeyLimit 1G x",
  "IPQoS 300",
}) do
  add("h", line .. "\n")
end

return T
