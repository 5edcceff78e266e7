--- Public keys and certificates as they go over the wire: nil or a key, and a line of it is found
--- again.
local fuzz = ...
local known = require("plat.ssh.known_hosts")

local function s(...)
  local out = {}
  for i, text in ipairs({ ... }) do
    out[i] = string.pack(">s4", text)
  end
  return table.concat(out)
end

local POINT = "\4" .. ("p"):rep(64)
local MODULUS = "\0\255" .. ("\1"):rep(255)
local TAIL = s("id", s("host1")) .. ("\0"):rep(16) .. s("", "", "", s("ssh-ed25519", ("k"):rep(32)))

local CORPUS = {
  s("ssh-ed25519", ("k"):rep(32)),
  s("ssh-rsa", "\1\0\1", MODULUS),
  s("ssh-dss", "\0" .. ("\255"):rep(128), "q", "g", "y"),
  s("ecdsa-sha2-nistp256", "nistp256", POINT),
  s("ecdsa-sha2-nistp521", "nistp521", "\4" .. ("p"):rep(132)),
  s("sk-ssh-ed25519@openssh.com", ("k"):rep(32), "ssh:"),
  s("sk-ecdsa-sha2-nistp256@openssh.com", "nistp256", POINT, "ssh:"),
  s("ssh-ed25519-cert-v01@openssh.com", "nonce", ("k"):rep(32)) .. ("\0"):rep(12) .. TAIL .. s(
    "sig"
  ),
  s("ssh-rsa-cert-v01@openssh.com", "n", "\1\0\1", MODULUS) .. ("\0"):rep(12) .. TAIL .. s("sig"),
  s("ecdsa-sha2-nistp256-cert-v01@openssh.com", "n", "nistp256", POINT)
    .. ("\0"):rep(12)
    .. TAIL
    .. s("sig"),
}

return {
  name = "key_blob",
  kinds = {},
  tokens = {
    "\0\0\0\0",
    "\0\0\0\32",
    "\255\255\255\255",
    "\127\255\255\255",
    s("ssh-ed25519"),
    s("ssh-rsa"),
    s("x-cert-v01@openssh.com"),
    "-cert-v01@openssh.com",
  },
  corpus = CORPUS,
  check = function(blob)
    local key = known.key(blob)
    known.fingerprint(blob)
    if not key then
      return
    end
    assert(key.bits > 0 and key.name ~= "")
    local line = known.line("h", 22, blob)
    local file = known.parse(line, "kh")
    if #file.problems > 0 then
      error("its line is not read: " .. file.problems[1].msg)
    end
    fuzz.same(file.entries[1].blob, blob, "the blob of its line")
    local status = known.check({ file }, "h", 22, blob)
    assert(status == "ok" or key.authority, status)
  end,
}
