local hash = require("plat.hash")

-- Made for this test; the keys were thrown away.
local ROOT = [[
-----BEGIN CERTIFICATE-----
MIIBgjCCASigAwIBAgIUEVm2Z9rt4qmmUZSkcrmL5gf6D5kwCgYIKoZIzj0EAwIw
JjEVMBMGA1UECgwMRXhhbXBsZSwgSW5jMQ0wCwYDVQQDDARyb290MCAXDTYwMDEw
MTAwMDAwMFoYDzIwOTkxMjMxMjM1OTU5WjAmMRUwEwYDVQQKDAxFeGFtcGxlLCBJ
bmMxDTALBgNVBAMMBHJvb3QwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAARgdE/1
qnNr+Nd6SbETScg5tPzBQDOmtGhjezn0K1EC5nckkXi+SCo9atbMZS7JQcEFPrc2
qOxi//ZnzwcPDh/GozIwMDAPBgNVHRMBAf8EBTADAQH/MB0GA1UdDgQWBBQ0N6OU
LTT4AVdGc4oHpCFGLTPc2DAKBggqhkjOPQQDAgNIADBFAiEA6US1KDMcNPLrUzpD
UQKtG3HdEIhDBFppSCcRNPxkl3UCIG7JMBmV0ujfvXIjUM3rcVUmWUqjnZkBNwFy
D8BjX40O
-----END CERTIFICATE-----
]]
local LEAF = [[
-----BEGIN CERTIFICATE-----
MIIB7DCCAZKgAwIBAgIUT7zX9b4rMo7kcv12sVJMZyODkbMwCgYIKoZIzj0EAwIw
JjEVMBMGA1UECgwMRXhhbXBsZSwgSW5jMQ0wCwYDVQQDDARyb290MB4XDTI2MDEw
MTAwMDAwMFoXDTI3MTIzMTIzNTk1OVowITEQMA4GA1UECgwHRXhhbXBsZTENMAsG
A1UEAwwEZGItMTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABLtqEmEUKorcA+23
hRfnyBaFa8tEoQA9sWGd0ElQ5BQXXRjoXo6IJzhkrLNKSFp63O44KbWM3OSfjfDu
CYQ6QEKjgaIwgZ8wCQYDVR0TBAIwADBSBgNVHREESzBJggxkYi0xLmV4YW1wbGWC
DCouZGIuZXhhbXBsZYcECgAAAYcQ/QAAAAAAAAAAAAAAAAAAAYYTc3BpZmZlOi8v
ZXhhbXBsZS9kYjAdBgNVHQ4EFgQUvSSP7CiwVcuoLMjlDjstdYi70ZgwHwYDVR0j
BBgwFoAUNDejlC00+AFXRnOKB6QhRi0z3NgwCgYIKoZIzj0EAwIDSAAwRQIgCSQ4
7xXg/QOng+fl9qCwxvGjOPK2Wlq2MHW6fmudL3oCIQCNldu6qS58bpPMHznJ95na
q+MpePRCWlgUkbi4nkkVbA==
-----END CERTIFICATE-----
]]

return {
  ["digests of the standards' examples"] = function(t)
    local abc = {
      md5 = "900150983cd24fb0d6963f7d28e17f72",
      sha1 = "a9993e364706816aba3e25717850c26c9cd0d89d",
      sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
      sha384 = "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed"
        .. "8086072ba1e7cc2358baeca134c825a7",
      sha512 = "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
        .. "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
    }
    for algorithm, want in pairs(abc) do
      t.equal(hash.digest(algorithm, "abc"), want, algorithm)
    end
    t.equal(hash.digest("md5", ""), "d41d8cd98f00b204e9800998ecf8427e")
    t.equal(hash.digest("md5", "", { raw = true }):byte(), 0xd4)
    t.equal(#hash.digest("sha256", "a\0b", { raw = true }), 32)
    t.fails("invalid option 'crc32'", hash.digest, "crc32", "")
  end,

  ["HMAC as in RFC 4231, and with empty keys"] = function(t)
    t.equal(
      hash.hmac("sha256", "Jefe", "what do ya want for nothing?"),
      "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    )
    t.equal(
      hash.hmac(
        "sha256",
        ("\xaa"):rep(131),
        "Test Using Larger Than Block-Size Key - Hash Key First"
      ),
      "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
    )
    t.equal(hash.hmac("sha1", "", ""), "fbdb1d1b18aa6c08324b7d64b71fb76370690e1d")
    t.equal(#hash.hmac("sha512", "k", "s", { raw = true }), 64)
  end,

  ["base64 of RFC 4648, and of all bytes"] = function(t)
    local words = { "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy", [0] = "" }
    for len, coded in pairs(words) do
      local plain = ("foobar"):sub(1, len)
      t.equal(hash.base64(plain), coded)
      t.equal(hash.unbase64(coded), plain)
      t.equal(hash.base64url(plain), (coded:gsub("=", "")))
      t.equal(hash.unbase64url(coded), plain)
      t.equal(hash.unbase64url((coded:gsub("=", ""))), plain)
    end
    local bytes = {}
    for i = 0, 255 do
      bytes[#bytes + 1] = string.char(i, 255 - i, i)
    end
    local all = table.concat(bytes)
    t.equal(hash.unbase64(hash.base64(all)), all)
    t.equal(hash.unbase64url(hash.base64url(all)), all)
    t.equal(hash.base64("\xfb\xff"), "+/8=")
    t.equal(hash.base64url("\xfb\xff"), "-_8")
  end,

  ["base64 is strict and says where it is wrong"] = function(t)
    local wrong = {
      { "Zg", "byte 3: the text ends in the middle" },
      { "Zg=", "byte 4: the text ends in the middle" },
      { "Z===", "byte 2: not a base64 digit" },
      { "====", "byte 1: not a base64 digit" },
      { "Zg==Zg==", "byte 3: not a base64 digit" },
      { "Zm9v\n", "byte 6: the text ends in the middle" },
      { "Zm\n=", "byte 3: not a base64 digit" },
      { "Zh==", "byte 2: the last digit has bits" },
      { "Zm9=", "byte 3: the last digit has bits" },
      { "Zm-_", "byte 3: not a base64 digit" },
      { "Zm9\0", "byte 4: not a base64 digit" },
    }
    for _, case in ipairs(wrong) do
      local err = t.fails("parse", hash.unbase64, case[1])
      t.ok(err.msg:find(case[2], 1, true), err.msg)
    end
    t.fails("parse", hash.unbase64url, "Zg=")
    t.fails("parse", hash.unbase64url, "Z")
    t.fails("parse", hash.unbase64url, "Zm+/")
  end,

  ["random bytes differ and are bounded"] = function(t)
    t.equal(#hash.random(0), 0)
    t.equal(#hash.random(65536), 65536)
    t.ok(hash.random(16) ~= hash.random(16))
    t.fails("65536", hash.random, 65537)
    t.fails("65536", hash.random, -1)
  end,

  ["equal compares lengths and every byte"] = function(t)
    t.equal(hash.equal("", ""), true)
    t.equal(hash.equal("a\0b", "a\0b"), true)
    t.equal(hash.equal("a\0b", "a\0c"), false)
    t.equal(hash.equal("a", "ab"), false)
  end,

  ["a certificate's subject, dates, names and digest"] = function(t)
    t.equal(hash.x509(LEAF), {
      subject = "CN=db-1,O=Example",
      issuer = "CN=root,O=Example\\, Inc",
      not_before = 1767225600,
      not_after = 1830297599,
      serial = "4FBCD7F5BE2B328EE472FD76B1524C67238391B3",
      sha256 = "0433d9cbc2a34e9f1b5503640706254f591ff84b82056bfbb36d69d1c4d6cece",
      names = { "db-1.example", "*.db.example", "10.0.0.1", "fd00::1", "spiffe://example/db" },
      ca = false,
    })
  end,

  ["an authority, dates before 1970 and after 2050"] = function(t)
    local root = hash.x509(ROOT .. LEAF)
    t.equal(root.subject, root.issuer)
    t.equal(root.not_before, -315619200)
    t.equal(root.not_after, 4102444799)
    t.equal(root.names, {})
    t.equal(root.ca, true)
  end,

  ["what is no certificate"] = function(t)
    t.fails("no certificate in PEM", hash.x509, "")
    t.fails("parse", hash.x509, LEAF:sub(1, 200))
    t.fails("parse", hash.x509, (LEAF:gsub("MIIB7", "MIIB8")))
    for at = 30, #LEAF - 30, 7 do -- every byte broken in turn: an error or a value, never a crash
      local broken = LEAF:sub(1, at - 1) .. "A" .. LEAF:sub(at + 1)
      local ok, value = pcall(hash.x509, broken)
      t.ok(ok and type(value.names) == "table" or value.kind == "parse", value)
    end
  end,
}
