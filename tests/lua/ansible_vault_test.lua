local cipher = require("prim.cipher")
local fault = require("plat.fault")
local fs = require("prim.fs")
local password = require("plat.ansible_vault.password")
local sys = require("prim.sys")
local vault = require("plat.ansible_vault")
local yaml = require("plat.yaml")

-- Made for this test by ansible-vault of ansible-core 2.18.
local PASSWORD = "correct horse"
local PLAIN = [[
db:
  password: s3cret-Grüße
  port: 5432
  ratio: 1.5
  dotted.key: found
list:
  - first
  - name: second
]]
local V11 = [[
$ANSIBLE_VAULT;1.1;AES256
31346137613762353432393739633334666639373933313136363435653165623738373936623739
3335316466393131336537303534656662303461323934320a363532393135323661663261336233
38303865663539383265316234333736363332396237646461376236346432323837633039616239
3638376430353538300a623861663734376131313964306138306331633363393433356264376135
33616532323433616639613664313632396161663936643566613238333935323938303737646561
39323433363761336135346439613864383436366232663232396463643337316463346464663966
61613662333630353132656438363636313238376532373062363435356262326130656464613765
65626562363833303332316533663833646634643637666261613337356130393130346439643762
34613964343663376266623932663534386238306366623036663433663632633366
]]
local V12 = [[
$ANSIBLE_VAULT;1.2;AES256;dev
31346636663335393536663430363937323536663238653761396630646236353961303866633261
6136373531383964366636316433653734636635306362300a316364356231313563613163343932
33366563386137333531336365396337666465666637383732623664633961333034613163643936
3464396430366563310a643935336331653261323534363265376538353166616366326637326261
36643931386438303035323832363263353237643639353833386432666665383233333836623831
33636463353161646339313537323064633764383066386438396632313337336166306263643763
30303764643366303638376233303331656662653965343362323263323136643663656636643532
39653139643633623333633238356533613461643461353038373534636362383466346366653531
31396334333936643366373136353235653034666537393562396236613438613263
]]
local EMPTY = [[
$ANSIBLE_VAULT;1.1;AES256
30373361626432336636306231623062653833303432353938323734623034306164643762343531
3039376632383630613332353034643330646565613233610a323337306264613164623566383430
38373631346664353261383035633736316334623137303264313538653135353530316464646538
3561396338646431340a613364303437306534313837346131356565636662323036333064383234
6162
]]
local INLINE = [[
token: !vault |
          $ANSIBLE_VAULT;1.2;AES256;dev
          63343036633037333463393465383466393731653861333831333533303666666562666566386237
          6465663531643534346236333638366462626566623137630a396230313536336438363136663465
          37323634633561653933323564386462383439663732353936656533636333653661366436393535
          6337613866623034360a373365363866316331653662366465346265393732613761373536383239
          6438
]]

local function hex(bytes)
  return (bytes:gsub(".", function(c)
    return ("%02x"):format(c:byte())
  end))
end

--- Replaces variables of the environment for one test.
local function with_env(t, vars)
  local real = sys.getenv
  t.defer(function()
    sys.getenv = real
  end)
  function sys.getenv(name) -- luacheck: ignore
    local value = vars[name]
    if value == nil then
      return real(name)
    end
    return value or nil
  end
end

local function write(path, text, mode)
  fault.must({}, fs.write(path, text, { mode = mode or 384 })) -- 0600
  return path
end

local NONE = { ANSIBLE_VAULT_PASSWORD_FILE = false, ANSIBLE_VAULT_IDENTITY_LIST = false }

return {
  ["PBKDF2 of RFC 7914, and the vectors of RFC 6070 for SHA-256"] = function(t)
    local function derive(...)
      return hex(cipher.pbkdf2(...))
    end
    t.equal(
      derive("password", "salt", 1, 32),
      "120fb6cffcf8b32c43e7225256c4f837a86548c92ccc35480805987cb70be17b"
    )
    t.equal(
      derive("password", "salt", 2, 32),
      "ae4d0c95af6b46d32d0adff928f06dd02a303f8ef3c251dfd6e2d85a95474c43"
    )
    t.equal(
      derive("password", "salt", 4096, 32),
      "c5e478d59288c841aa530db6845c4c8d962893a001ce4e11a4963873aa98134a"
    )
    t.equal(
      derive("passwordPASSWORDpassword", "saltSALTsaltSALTsaltSALTsaltSALTsalt", 4096, 40),
      "348c89dbcbd32b2f32d814b8116e84cf2b17347ebc1800181c4e2a1fb8dd53e1c635518c7dac47e9"
    )
    t.equal(derive("pass\0word", "sa\0lt", 4096, 16), "89b69d0516f829893c696226650a8687")
    t.equal(
      derive("passwd", "salt", 1, 64),
      "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc"
        .. "49ca9cccf179b645991664b39d77ef317c71b845b1e30bd509112041d3a19783"
    )
    t.equal(#cipher.pbkdf2("", "", 1, 256), 256)
    t.fails("from 1 to 100000 rounds", cipher.pbkdf2, "p", "s", 100001, 32)
    t.fails("from 1 to 100000 rounds", cipher.pbkdf2, "p", "s", 0, 32)
    t.fails("from 1 to 256 bytes", cipher.pbkdf2, "p", "s", 1, 257)
  end,

  ["AES-256-CTR of NIST SP 800-38A F.5.5, and a counter that overflows"] = function(t)
    local key = cipher.unhex("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4")
    local counter = cipher.unhex("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff")
    local plain = cipher.unhex(
      "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
        .. "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710"
    )
    local want = "601ec313775789a5b7a7f504bbf3d228f443e3ca4d62b59aca84e990cacaf5c5"
      .. "2b0930daa23de94ce87017ba2d84988ddfc9c58db67aada613c2dd08457941a6"
    t.equal(hex(cipher.aes256_ctr(key, counter, plain)), want)
    t.equal(cipher.aes256_ctr(key, counter, cipher.unhex(want)), plain)
    t.equal(hex(cipher.aes256_ctr(key, counter, plain:sub(1, 5))), want:sub(1, 10))
    t.equal(cipher.aes256_ctr(key, counter, ""), "")
    t.equal(
      hex(cipher.aes256_ctr(key, ("\255"):rep(16), ("\0"):rep(32))),
      "3b3c2921c85a24de9ac606ce6d1d60cce568f68194cf76d6174d4cc04310a854"
    )
    t.fails("a key has 32 bytes", cipher.aes256_ctr, "short", counter, "")
    t.fails("a counter has 16 bytes", cipher.aes256_ctr, key, "short", "")
  end,

  ["hexadecimal text is read strictly"] = function(t)
    t.equal(cipher.unhex("00fFAb"), "\0\255\171")
    t.equal(cipher.unhex(""), "")
    for text, msg in pairs({
      ["abc"] = "byte 4: the text ends in the middle of a pair of digits",
      ["ag"] = "byte 2: not a hexadecimal digit",
      ["\0\0"] = "byte 1: not a hexadecimal digit",
      ["ab 0"] = "byte 3: not a hexadecimal digit",
    }) do
      local bytes, err = cipher.unhex(text)
      t.equal(bytes, nil)
      t.equal({ err.kind, err.msg }, { "parse", msg })
    end
  end,

  ["files of ansible-core, formats 1.1 and 1.2, also an empty one"] = function(t)
    t.equal(vault.decrypt(V11, PASSWORD), PLAIN)
    t.equal(vault.decrypt(V12, PASSWORD), PLAIN)
    t.equal(vault.decrypt(EMPTY, PASSWORD), "")
    t.equal(vault.decrypt(V11:gsub("\n", "\r\n"), PASSWORD), PLAIN, "from Windows")
    t.equal(vault.decrypt(V11, { "wrong", PASSWORD }), PLAIN)
    t.equal({ vault.label(V11), vault.label(V12) }, { nil, "dev" })
    t.equal({ vault.is_vault(V11), vault.is_vault(PLAIN) }, { true, false })
    t.equal({ vault.is_vault(nil), vault.is_vault({}), vault.label("x") }, { false, false, nil })
  end,

  ["an inline value of YAML"] = function(t)
    local value = yaml.decode_one(INLINE, { dialect = "ansible" }).token
    t.equal(value.__tag, "!vault")
    t.ok(vault.is_vault(value.value))
    t.equal(vault.decrypt(value.value, PASSWORD), "inline-value")
  end,

  ["a wrong password names the file and the vault id, and shows nothing"] = function(t)
    local err = t.fails("auth", vault.decrypt, V12, "s3cr3t-guess", { name = "group_vars/db.yml" })
    local text = fault.text(err)
    t.match(text, "^ansible_vault.decrypt: group_vars/db.yml: the password is wrong, or the file")
    t.match(text, 'check the password for the vault id "dev"')
    t.ok(not text:find("guess", 1, true))
    err = t.fails("auth", vault.decrypt, V11, { "a", "b" }, { name = "x" })
    t.match(err.msg, "none of 2 passwords is right")
  end,

  ["an edited digit anywhere is found"] = function(t)
    local start = V11:find("\n", 1, true) + 1
    for at = start, #V11 - 1, 29 do
      local old = V11:sub(at, at)
      if old ~= "\n" then
        local edited = V11:sub(1, at - 1) .. (old == "3" and "4" or "3") .. V11:sub(at + 1)
        local plain, err = fault.try(vault.decrypt, edited, PASSWORD, { name = "edited.yml" })
        t.ok(edited == V11 or plain == nil, "byte " .. at)
        t.ok(err.kind == "auth" or err.kind == "parse", err.kind)
        t.match(err.msg, "^edited.yml: ")
      end
    end
  end,

  ["every cut of a file, and garbage, is a clear error with the file's name"] = function(t)
    for length = 0, #V12 - 2, 7 do
      local plain, err =
        fault.try(vault.decrypt, V12:sub(1, length), PASSWORD, { name = "cut.yml" })
      t.equal(plain, nil)
      t.ok(err.kind == "auth" or err.kind == "parse", err.kind)
      t.match(err.msg, "^cut.yml: ")
    end
    local head = "$ANSIBLE_VAULT;1.1;AES256\n"
    for text, msg in pairs({
      ["plain text"] = "it does not begin with $ANSIBLE_VAULT",
      [""] = "it does not begin with $ANSIBLE_VAULT",
      ["$ANSIBLE_VAULT"] = "the first line is not $ANSIBLE_VAULT;1.1;AES256",
      ["$ANSIBLE_VAULTED;1.1;AES256\n61"] = "the first line is not $ANSIBLE_VAULT;1.1;AES256",
      ["$ANSIBLE_VAULT;1.0;AES\n61"] = 'format "1.0" is not known, only 1.1 and 1.2 are',
      ["$ANSIBLE_VAULT;1.1;AES\n61"] = 'the cipher "AES" is not known, only AES256 is',
      [head] = "nothing follows the first line",
      [head .. "\n \n"] = "nothing follows the first line",
      [head .. "616"] = "after the first line: "
        .. "byte 4: the text ends in the middle of a pair of digits",
      [head .. "zz"] = "after the first line: byte 1: not a hexadecimal digit",
      [head .. "\0\1"] = "after the first line: byte 1: not a hexadecimal digit",
      [head .. "610a620a63"] = "salt: byte 2: the text ends in the middle of a pair of digits",
      [head .. "61620a61620a6162"] = "the HMAC has 1 bytes instead of 32",
      [head .. "61620a6162"] = "the parts salt, HMAC and ciphertext are not all there",
    }) do
      local err = t.fails("parse", vault.decrypt, text, PASSWORD, { name = "bad.yml" })
      t.equal(err.msg, "bad.yml: " .. msg)
      t.ok(err.hint)
    end
  end,

  ["an authentic text with damaged padding is refused"] = function(t)
    local keys = cipher.pbkdf2(PASSWORD, "salt", 10000, 80)
    local function seal(padded)
      local body = cipher.aes256_ctr(keys:sub(1, 32), keys:sub(65), padded)
      local mac = require("plat.hash").hmac("sha256", keys:sub(33, 64), body)
      return "$ANSIBLE_VAULT;1.1;AES256\n" .. hex(hex("salt") .. "\n" .. mac .. "\n" .. hex(body))
    end
    t.equal(vault.decrypt(seal("hello" .. ("\11"):rep(11)), PASSWORD), "hello")
    for _, padded in ipairs({
      "hello",
      "hello" .. ("\12"):rep(11),
      ("\0"):rep(16),
      ("\17"):rep(16),
      "hello, world 1\3\2",
    }) do
      local err = t.fails("parse", vault.decrypt, seal(padded), PASSWORD)
      t.match(err.msg, "padding of the decrypted text is damaged")
    end
  end,

  ["a password file is private, and blanks around the password are no part of it"] = function(t)
    local dir = t.tmp()
    local path = write(dir .. "/pw", "  correct horse \r\n")
    with_env(t, { ANSIBLE_VAULT_PASSWORD_FILE = path, ANSIBLE_VAULT_IDENTITY_LIST = false })
    t.equal(password.find(), { PASSWORD })
    t.equal(require("prim.secret").redact("the " .. PASSWORD), "the ***")
    write(path, "\n", 384)
    t.match(t.fails("auth", password.find).msg, "the password of .*/pw is empty")
    write(path, "x", 420) -- 0644
    local err = t.fails("refused", password.find)
    t.match(err.msg, "others can read the password in .*/pw %(mode 0644%)")
    t.equal(err.hint, "chmod 600 " .. path)
    fs.remove(path)
    err = t.fails("auth", password.find)
    t.match(fault.text(err), "pw: .*no such file.*\nhint: check $ANSIBLE_VAULT_PASSWORD_FILE")
  end,

  ["without a place of a password the error says what to set"] = function(t)
    with_env(t, NONE)
    local err = t.fails("auth", password.find)
    t.match(err.hint, "^set ANSIBLE_VAULT_PASSWORD_FILE to a file")
    with_env(t, { ANSIBLE_VAULT_PASSWORD_FILE = "", ANSIBLE_VAULT_IDENTITY_LIST = "dev@prompt" })
    t.match(t.fails("usage", password.find).msg, "platrun cannot$")
  end,

  ["programs print the password; a client is told the vault id"] = function(t)
    local dir = t.tmp()
    local plain = write(dir .. "/ask.sh", "#!/bin/sh\n[ $# = 0 ] || exit 9\necho ' top '\n", 448)
    local client = "#!/bin/sh\n[ $1 = --vault-id ] && [ $2 = dev ] && echo dev-word || exit 2\n"
    client = write(dir .. "/keyring-client.sh", client, 448)
    local vars = { ANSIBLE_VAULT_PASSWORD_FILE = plain, ANSIBLE_VAULT_IDENTITY_LIST = false }
    with_env(t, vars)
    t.equal(password.find("dev"), { " top " })
    vars.ANSIBLE_VAULT_IDENTITY_LIST = ("prod@%s, %s,dev@%s"):format(plain, plain, client)
    t.equal(password.find("dev"), { "dev-word", " top ", " top ", " top " })
    vars.ANSIBLE_VAULT_IDENTITY_LIST, vars.ANSIBLE_VAULT_PASSWORD_FILE = "ops@" .. client, false
    local err = t.fails("auth", password.find, "ops")
    t.match(err.msg, 'no password program knows the vault id "ops"')
  end,

  ["a program that fails tells its stderr, never what it printed"] = function(t)
    local dir = t.tmp()
    local path = write(dir .. "/ask", "#!/bin/sh\necho s3cr3t-half\necho locked >&2\nexit 7\n", 448)
    with_env(t, { ANSIBLE_VAULT_PASSWORD_FILE = path, ANSIBLE_VAULT_IDENTITY_LIST = false })
    local err = t.fails("auth", password.find)
    t.match(err.msg, "the password program failed: exit 7: locked$")
    t.ok(not fault.text(err, 3):find("s3cr3t", 1, true))
    write(path, "#!/bin/sh\necho x\n", 511) -- 0777
    t.match(t.fails("refused", password.find).hint, "^chmod go%-w ")
    write(path, "not a program", 448)
    err = t.fails("auth", password.find)
    t.match(err.hint, "remove the executable bit")
  end,
}
