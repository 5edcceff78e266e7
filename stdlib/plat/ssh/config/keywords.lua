--- The keywords of OpenSSH 9.2's ssh_config (and Debian's additions): how the value is read, and
--- whether platrun acts on it.

local M = {}

---@class plat.ssh.Keyword
---@field name string the keyword as `ssh -G` prints it, in lower case
---@field kind string how plat.ssh.config.values reads it
---@field choices? table<string, any> of kind "choice", by word in lower case
---@field use string "used"; "ignored": platrun does not do it; "harmless": nothing to do for it

--- Yes and no in lower case.
M.FLAG = { yes = true, no = false, ["true"] = true, ["false"] = false }

local CHOICES = {
  addressfamily = { inet = "inet", inet6 = "inet6", any = "any" },
  canonicalizehostname = {
    yes = "yes",
    ["true"] = "yes",
    no = "no",
    ["false"] = "no",
    always = "always",
  },
  compression = { yes = true, no = false },
  controlmaster = {
    yes = "yes",
    ["true"] = "yes",
    no = "no",
    ["false"] = "no",
    auto = "auto",
    ask = "ask",
    autoask = "autoask",
  },
  pubkeyauthentication = {
    yes = "yes",
    ["true"] = "yes",
    no = "no",
    ["false"] = "no",
    unbound = "unbound",
    ["host-bound"] = "host-bound",
  },
  requesttty = {
    yes = "yes",
    ["true"] = "yes",
    no = "no",
    ["false"] = "no",
    force = "force",
    auto = "auto",
  },
  sessiontype = { none = "none", subsystem = "subsystem", default = "default" },
  stricthostkeychecking = {
    yes = "yes",
    ["true"] = "yes",
    no = "no",
    ["false"] = "no",
    off = "no",
    ask = "ask",
    ["accept-new"] = "accept-new",
  },
  tunnel = {
    yes = "yes",
    ["true"] = "yes",
    no = "no",
    ["false"] = "no",
    ethernet = "ethernet",
    ["point-to-point"] = "point-to-point",
  },
  updatehostkeys = { yes = "yes", ["true"] = "yes", no = "no", ["false"] = "no", ask = "ask" },
  verifyhostkeydns = { yes = "yes", ["true"] = "yes", no = "no", ["false"] = "no", ask = "ask" },
}

-- USE KIND: names. "any" takes every argument unread: what is obsolete, or another build's.
local TABLE = [[
used include: include
used host: host
used match: match
used string: user hostname hostkeyalias preferredauthentications ignoreunknown
used port: port
used choice: addressfamily pubkeyauthentication requesttty stricthostkeychecking
used flag: identitiesonly passwordauthentication kbdinteractiveauthentication
used flag: hashknownhosts batchmode tcpkeepalive nohostauthenticationforlocalhost
used time: connecttimeout serveraliveinterval
used integer: connectionattempts serveralivecountmax numberofpasswordprompts
used path: identityfile certificatefile
used paths: userknownhostsfile globalknownhostsfile
used agent: identityagent
used jump: proxyjump
used command: proxycommand
used algorithms: ciphers macs kexalgorithms hostkeyalgorithms pubkeyacceptedalgorithms
used algorithms: casignaturealgorithms
used setenv: setenv
used sendenv: sendenv
used hash: fingerprinthash
ignored string: bindaddress bindinterface pkcs11provider revokedhostkeys
ignored command: knownhostscommand localcommand remotecommand
ignored flag: hostbasedauthentication stdinnull forkafterauthentication proxyusefdpass
ignored flag: clearallforwardings permitlocalcommand
ignored choice: canonicalizehostname compression sessiontype tunnel verifyhostkeydns
ignored integer: requiredrsasize
ignored agentflag: forwardagent
ignored forward: localforward remoteforward dynamicforward
ignored domains: canonicaldomains
ignored cnames: canonicalizepermittedcnames
ignored rekey: rekeylimit
ignored tunneldevice: tunneldevice
harmless string: kbdinteractivedevices xauthlocation controlpath securitykeyprovider
harmless flag: forwardx11 forwardx11trusted gatewayports exitonforwardfailure checkhostip
harmless flag: enablesshkeysign visualhostkey canonicalizefallbacklocal streamlocalbindunlink
harmless flag: enableescapecommandline gssapiauthentication gssapidelegatecredentials
harmless choice: controlmaster updatehostkeys
harmless time: forwardx11timeout
harmless integer: canonicalizemaxdots
harmless algorithms: hostbasedacceptedalgorithms
harmless loglevel: loglevel
harmless facility: syslogfacility
harmless words: logverbose permitremoteopen
harmless addkeys: addkeystoagent
harmless persist: controlpersist
harmless escape: escapechar
harmless ipqos: ipqos
harmless mask: streamlocalbindmask
harmless any: protocol cipher fallbacktorsh globalknownhostsfile2 rhostsauthentication
harmless any: userknownhostsfile2 useroaming usersh useprivilegedport
harmless any: afstokenpassing kerberosauthentication kerberostgtpassing rsaauthentication
harmless any: rhostsrsaauthentication compressionlevel
harmless any: gssapikeyexchange gssapiserveridentity gssapiclientidentity gssapitrustdns
harmless any: gssapirenewalforcesrekey gssapikexalgorithms protocolkeepalives setuptimeout
]]

local ALIASES = {
  challengeresponseauthentication = "kbdinteractiveauthentication",
  skeyauthentication = "kbdinteractiveauthentication",
  tisauthentication = "kbdinteractiveauthentication",
  dsaauthentication = "pubkeyauthentication",
  identityfile2 = "identityfile",
  keepalive = "tcpkeepalive",
  smartcarddevice = "pkcs11provider",
  hostbasedkeytypes = "hostbasedacceptedalgorithms",
  pubkeyacceptedkeytypes = "pubkeyacceptedalgorithms",
}

--- By keyword, obsolete names too.
---@type table<string, plat.ssh.Keyword>
M.BY_NAME = {}

for use, kind, names in TABLE:gmatch("(%a+) (%a+): ([^\n]+)\n") do
  for name in names:gmatch("%S+") do
    local choices = CHOICES[name]
    if kind == "flag" then
      choices = M.FLAG
    end
    M.BY_NAME[name] = { name = name, kind = kind, choices = choices, use = use }
  end
end
for old, new in pairs(ALIASES) do
  M.BY_NAME[old] = M.BY_NAME[new]
end

--- What holds where no file says anything.
M.DEFAULTS = {
  addressfamily = "any",
  batchmode = false,
  connectionattempts = 1,
  fingerprinthash = "sha256",
  globalknownhostsfile = { "/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2" },
  hashknownhosts = false,
  identitiesonly = false,
  kbdinteractiveauthentication = true,
  nohostauthenticationforlocalhost = false,
  numberofpasswordprompts = 3,
  passwordauthentication = true,
  pubkeyauthentication = "yes",
  requesttty = "auto",
  serveralivecountmax = 3,
  serveraliveinterval = 0,
  stricthostkeychecking = "ask",
  tcpkeepalive = true,
  userknownhostsfile = { "~/.ssh/known_hosts", "~/.ssh/known_hosts2" },
}

--- The keys that are tried where no IdentityFile is given, in this order.
M.IDENTITIES = {
  "~/.ssh/id_rsa",
  "~/.ssh/id_ecdsa",
  "~/.ssh/id_ecdsa_sk",
  "~/.ssh/id_ed25519",
  "~/.ssh/id_ed25519_sk",
  "~/.ssh/id_xmss",
  "~/.ssh/id_dsa",
}

return M
