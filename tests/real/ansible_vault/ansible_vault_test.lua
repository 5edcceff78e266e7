local fault = require("plat.fault")
local fs = require("prim.fs")
local hash = require("plat.hash")
local proc = require("prim.proc")
local source = require("plat.secret.source.ansible")
local sys = require("prim.sys")
local time = require("prim.time")
local vault = require("plat.ansible_vault")
local yaml = require("plat.yaml")

local PROGRAM = sys.getenv("ANSIBLE_VAULT_PROGRAM")

local function write(path, text, mode)
  fault.must({}, fs.write(path, text, { mode = mode or 384 })) -- 0600
  return path
end

local function read(path)
  return assert(fs.read(path))
end

--- Runs ansible-vault and returns what it printed.
local function ansible(dir, ...)
  local out = assert(proc.run({ PROGRAM, ... }, { cwd = dir, timeout = 60 }))
  assert(out.code == 0, out.stderr)
  return out.stdout
end

--- Returns a folder with the password files a (vault id dev) and b.
local function folder(t)
  local dir = t.tmp()
  write(dir .. "/a", "correct horse\n")
  write(dir .. "/b", "Pässwort ✓")
  return dir
end

--- Encrypts a text and returns the file's path.
local function encrypt(dir, name, text, ...)
  write(dir .. "/" .. name, text)
  ansible(dir, "encrypt", ..., name)
  return dir .. "/" .. name
end

local TEXTS = {
  empty = "",
  one = "x",
  block = ("0123456789abcdef"):rep(2), -- a whole block of padding follows
  unicode = "Grüße, 世界, \240\159\148\145\n",
  binary = "\0\1\2\255\254\r\n\r\n",
  yaml = "db:\n  password: s3cr3t\n",
  large = hash.random(65536):rep(16), -- 1 MiB
}

return {
  ["format 1.1: every text comes back, byte by byte"] = function(t)
    local dir = folder(t)
    for name, text in pairs(TEXTS) do
      local sealed = read(encrypt(dir, name, text, "--vault-password-file=a"))
      t.match(sealed, "^$ANSIBLE_VAULT;1.1;AES256\n")
      t.ok(vault.decrypt(sealed, "correct horse") == text, name)
      t.equal(vault.label(sealed), nil)
    end
  end,

  ["format 1.2: with a vault id and a password that is not ASCII"] = function(t)
    local dir = folder(t)
    for name, text in pairs(TEXTS) do
      local sealed = read(encrypt(dir, name, text, "--vault-id=dev@b"))
      t.match(sealed, "^$ANSIBLE_VAULT;1.2;AES256;dev\n")
      t.ok(vault.decrypt(sealed, "Pässwort ✓") == text, name)
      t.equal(vault.label(sealed), "dev")
      t.fails("auth", vault.decrypt, sealed, "correct horse")
    end
  end,

  ["a mebibyte does not keep others waiting"] = function(t)
    local dir = folder(t)
    local sealed = read(encrypt(dir, "large", TEXTS.large, "--vault-password-file=a"))
    local start = time.mono()
    vault.decrypt(sealed, "correct horse")
    local took = time.mono() - start
    t.ok(took < 2, ("it took %.3f s"):format(took)) -- about 0.03 s; with sanitizers much more
  end,

  ["encrypt_string: values inside YAML, with and without a vault id"] = function(t)
    local dir = folder(t)
    local text = ansible(dir, "encrypt_string", "--vault-id=dev@a", "--name=one", "s3cr3t Grüße")
      .. "\n"
      .. ansible(dir, "encrypt_string", "--vault-password-file=a", "--name=two", "line\nline\n")
    local values = yaml.decode_one(text, { dialect = "ansible" })
    t.equal(vault.decrypt(values.one.value, "correct horse"), "s3cr3t Grüße")
    t.equal(vault.decrypt(values.two.value, "correct horse"), "line\nline\n")
    t.equal({ vault.label(values.one.value), vault.label(values.two.value) }, { "dev", nil })
  end,

  ["what Ansible refuses as edited, we refuse"] = function(t)
    local dir = folder(t)
    local path = encrypt(dir, "x.yml", TEXTS.yaml, "--vault-password-file=a")
    local sealed = read(path)
    for _, at in ipairs({ 40, 130, 200, 280, #sealed - 3 }) do
      local digit = sealed:sub(at, at)
      local edited = sealed:sub(1, at - 1) .. (digit == "3" and "4" or "3") .. sealed:sub(at + 1)
      write(path, edited)
      local out =
        assert(proc.run({ PROGRAM, "view", "--vault-password-file=a", path }, { cwd = dir }))
      t.ok(out.code ~= 0, "ansible-vault reads it, byte " .. at)
      local plain, err = fault.try(vault.decrypt, edited, "correct horse", { name = path })
      t.equal(plain, nil)
      t.ok(err.kind == "auth" or err.kind == "parse", err.kind)
      t.match(err.msg, "/x.yml: ")
    end
  end,

  ["references, with passwords as Ansible finds them"] = function(t)
    local dir = folder(t)
    local whole = encrypt(dir, "db.yml", TEXTS.yaml, "--vault-id=dev@b")
    write(dir .. "/all.yml", ansible(dir, "encrypt_string", "--vault-password-file=a", "-n=k", "v"))
    local script = "#!/bin/sh\n[ \"$2\" = dev ] && printf 'P\\303\\244sswort \\342\\234\\223\\n'\n"
    write(dir .. "/keys-client.sh", script, 448)
    local vars = { ANSIBLE_VAULT_PASSWORD_FILE = dir .. "/a" }
    local real = sys.getenv
    t.defer(function()
      sys.getenv = real
    end)
    function sys.getenv(name) -- luacheck: ignore
      if name:find("^ANSIBLE_VAULT_") then
        return vars[name]
      end
      return real(name)
    end
    t.equal(source.read(dir .. "/all.yml#k"), "v")
    local err = t.fails("auth", source.read, whole .. "#db.password")
    t.match(fault.text(err), '/db.yml: the password is wrong.*the vault id "dev"')
    for _, place in ipairs({ dir .. "/b", dir .. "/keys-client.sh" }) do
      vars.ANSIBLE_VAULT_IDENTITY_LIST = "dev@" .. place
      t.equal(source.read(whole .. "#db.password"), "s3cr3t")
      t.equal(source.read(whole), TEXTS.yaml:gsub("\n$", ""))
      t.equal(source.read(dir .. "/all.yml#k"), "v", "the other password is tried as well")
    end
  end,
}
