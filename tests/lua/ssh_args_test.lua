--- What variables and ssh's own options say of a connection.
local algorithms = require("plat.ssh.algorithms")
local args = require("plat.ssh.args")
local fault = require("plat.fault")
local list = require("plat.list")
local secret = require("plat.secret")
local settings = require("plat.ssh.settings")
local variables = require("plat.ssh.variables")

local function texts(text)
  return list.map(args.read(text, "here").options, function(one)
    return one.text
  end)
end

local function refused(t, text, pattern)
  local _, err = fault.try(args.read, text, "ansible_ssh_extra_args")
  t.equal(err and err.kind, "usage", text)
  t.match(err.msg, "^ansible_ssh_extra_args: ")
  t.match(err.msg, pattern)
end

--- Settings of a host that no file of this machine has a say in.
local function of(vars, common)
  vars = list.merge({ ansible_ssh_args = "-F none " .. (common or "") }, vars)
  return settings.of({ name = "h", address = "h.example.com", vars = vars })
end

return {
  ["words are those of a shell"] = function(t)
    t.equal(args.words([[ a  'b c' "d \" \$ \x" e\ f ''  g"h"'i' ]]), {
      "a",
      "b c",
      [[d " $ \x]],
      "e f",
      "",
      "ghi",
    })
    for _, text in ipairs({ "'a", '"a', "a\\", "\"a'" }) do
      t.equal(args.words(text), nil, text)
    end
  end,

  ["options of ssh become lines of ssh_config"] = function(t)
    t.equal(
      texts([[-o ProxyCommand="ssh -W %h:%p -q bastion" -oUser=me -p 2222 -p23 -l you -J a,b]]),
      {
        "ProxyCommand=ssh -W %h:%p -q bastion",
        "User=me",
        "Port=2222",
        "Port=23",
        "User=you",
        "ProxyJump=a,b",
      }
    )
    t.equal(texts("-C -o ControlMaster=auto -o ControlPersist=60s -q -vvv"), {
      "ControlMaster=auto",
      "ControlPersist=60s",
    }, "Ansible's default")
    t.equal(texts("-i '/a b/key' -i k2 -4 -ttA"), {
      'IdentityFile="/a b/key"',
      "IdentityFile=k2",
      "AddressFamily=inet",
      "RequestTTY=yes",
      "RequestTTY=yes",
      "ForwardAgent=yes",
    })
    t.equal(args.read("-F /x -F/y", "here").config, "/x", "the first counts")
    t.equal(texts(""), {})
  end,

  ["what is none of a connection is refused by its name"] = function(t)
    refused(t, "-W a:1", "option %-W")
    refused(t, "-L 1:a:2", "option %-L")
    refused(t, "-N", "option %-N")
    refused(t, "-vN", "option %-N")
    refused(t, "host", '"host" is no option')
    refused(t, "--", "is no option")
    refused(t, "-o", "%-o needs a value")
    refused(t, "-o 'A=b", "quote is not closed")
    local _, err = fault.try(of, {}, "-o Prot=2")
    t.match(err.msg, '^ansible_ssh_args: unknown keyword "prot"')
  end,

  ["the order of Ansible: what stands first counts"] = function(t)
    local found = of({
      ansible_port = "2200",
      ansible_user = "deploy",
      ansible_ssh_private_key_file = "/keys/a b",
      ansible_ssh_timeout = 7,
      ansible_ssh_common_args = "-o ConnectTimeout=99 -i /keys/c -o ConnectionAttempts=3",
      ansible_ssh_extra_args = "-o ConnectionAttempts=4 -o IdentitiesOnly=yes",
    })
    t.equal({ found.port, found.user, found.timeout, found.attempts }, { 2200, "deploy", 7, 3 })
    t.equal(found.keys, { "/keys/a b", "/keys/c" })
    t.equal({ found.ssh.identitiesonly, found.ssh.identities_given }, { true, true })
    t.equal({ of({ ansible_ssh_port = 24, ansible_ssh_user = 5 }).user }, { "5" })
    local _, err = fault.try(of, { ansible_port = "ssh" })
    t.match(err.msg, '^ansible_port: "ssh" is no whole number')
  end,

  ["host keys: who says that they are not looked at"] = function(t)
    t.equal(of({}).strict, "yes")
    t.equal(of({}, "-o StrictHostKeyChecking=accept-new").strict, "accept-new")
    for _, value in ipairs({ false, "False", "no", "0" }) do
      local found = of({ ansible_host_key_checking = value })
      t.equal({ found.strict, found.strict_from }, { "no", "ansible_host_key_checking" })
    end
    t.equal(of({ ansible_ssh_host_key_checking = true }).strict, "yes")
    local wins = of({ ansible_host_key_checking = false }, "-o StrictHostKeyChecking=yes")
    t.equal(wins.strict, "yes", "ansible_ssh_args stands first")
    local _, err = fault.try(of, { ansible_host_key_checking = "perhaps" })
    t.match(err.msg, "neither true nor false")
  end,

  ["passwords and passphrases, secret or not"] = function(t)
    local hidden = secret.new("hunter2hunter2", "test")
    local asked = variables.of({
      ansible_password = hidden,
      ansible_ssh_private_key_passphrase = 123456789,
    })
    t.ok(asked.password == hidden)
    t.equal({ asked.password_from, asked.passphrase }, { "ansible_password", "123456789" })
    t.equal(require("plat.out").redact("say 123456789"), "say ***")
  end,

  ["lists of algorithms"] = function(t)
    local own = { "a", "b", "c-x" }
    t.equal(algorithms.choose(nil, own), own)
    t.equal(algorithms.choose("c,d", own), { "c", "d" })
    t.equal(algorithms.choose("+d,a", own), { "a", "b", "c-x", "d" })
    t.equal(algorithms.choose("^b,d", own), { "b", "d", "a", "c-x" })
    t.equal(algorithms.choose("-c-*,a", own), { "b" })
    for name, text in pairs(algorithms.own()) do
      t.ok(#algorithms.split(text) > 1, name)
      t.equal(text:find("cert-v01", 1, true), nil, "certificates of hosts cannot be asked for")
    end
  end,
}
