--- known_hosts: lookups, judgements, lines to append, mutated files. tests/real/known_hosts asks
--- OpenSSH itself.
local fault = require("plat.fault")
local fs = require("prim.fs")
local hash = require("plat.hash")
local known = require("plat.ssh.known_hosts")
local list = require("plat.list")
local task = require("plat.task")

-- Two keys of OpenSSH's own, made for this test.
local ED = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJpO0bBhRmxQpY3NcQZkUX0k8Yq6D3ZyQpH2kz0nN1yA"
local OTHER = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB"

local function blob(text)
  return hash.unbase64(text:match(" (%S+)"))
end

local function rsa(bits)
  local modulus = "\0\255" .. ("\1"):rep(bits // 8 - 1)
  local bytes = string.pack(">s4s4s4", "ssh-rsa", "\1\0\1", modulus)
  return "ssh-rsa " .. hash.base64(bytes), bytes
end

local function fill(text)
  return (text:gsub("%$(%u+)", { ED = ED, OTHER = OTHER, RSA = (rsa(2048)) }))
end

local function file(text)
  return known.parse(fill(text), "kh")
end

local function lines(entries)
  return list.map(entries, function(entry)
    return entry.line
  end)
end

return {
  ["which lines are of a host"] = function(t)
    local f = file([[
# a comment
web1,web2 $ED first
*.example.com,!db.example.com $ED
[web1]:2222 $RSA
@revoked web* $OTHER
@cert-authority * $OTHER
|1|F1E1KeoE/eEWhi10WpGv4OdiO6Y=|3988QV0VE8wmZL7suNrYQLITLCg= $ED
]])
    local found = known.lookup({ f }, "WEB1")
    t.equal(lines(found.keys), { 2 })
    t.equal(found.keys[1].comment, "first")
    t.equal({ lines(found.revoked), lines(found.authorities) }, { { 5 }, { 6 } })
    t.equal(lines(known.lookup({ f }, "web1", 2222).keys), { 4 })
    t.equal(lines(known.lookup({ f }, "a.example.com").keys), { 3 })
    t.equal(lines(known.lookup({ f }, "db.example.com").keys), {})
    t.equal(lines(known.lookup({ f }, "10.0.0.1", 99, "Web2").keys), { 2 })
    t.equal(lines(known.lookup({ f }, "192.168.1.61").keys), { 7 }) -- of sshd's manual
  end,

  ["malformed lines are told and drop nothing"] = function(t)
    local f = file("h\n@nobody h $ED\nh ssh-ed25519 !!\n|1|x|y $ED\nh ssh-rsa AAAA\n\nh $ED\n")
    t.equal(lines(known.lookup({ f }, "h").keys), { 7 })
    t.equal(lines(f.problems), { 1, 2, 3, 4, 5 })
    t.equal(f.problems[2], { file = "kh", line = 2, msg = "unknown marker" })
    t.equal(known.lookup({ f }, "h").problems, f.problems)
    local short = rsa(512)
    t.equal(#known.parse("h " .. short .. "\n", "kh").problems, 1)
  end,

  ["judgements"] = function(t)
    local function check(text, port, key, alias)
      return (known.check({ file(text) }, "h", port, key or blob(ED), alias))
    end
    t.equal(check("h $ED\n"), "ok")
    t.equal(check("h $OTHER\nh $ED\n"), "ok")
    t.equal(check(""), "unknown")
    t.equal(check("x $ED\n"), "unknown")
    t.equal(check("h $OTHER\n"), "changed")
    t.equal(check("h $RSA\n"), "changed")
    t.equal(check("h $ED\n@revoked * $ED\n"), "revoked")
    t.equal(check("@revoked * $OTHER\nh $ED\n"), "ok")
    t.equal(check("[h]:2222 $ED\n", 2222), "ok")
    t.equal(check("[h]:2222 $ED\n"), "unknown")
    t.equal(check("h $ED\n", 2222), "ok")
    t.equal(check("h $OTHER\n", 2222), "unknown")
    t.equal(check("@revoked h $ED\n", 2222), "revoked")
    t.equal(check("h $ED\n", 2222, nil, "alias"), "unknown")
    t.equal(check("alias $ED\n", 2222, nil, "Alias"), "ok")
    t.equal(check("@cert-authority h $ED\n"), "unknown")
    local _, entries = known.check({ file("h $OTHER\nh $RSA\n") }, "h", 22, blob(ED))
    t.equal(lines(entries), { 1, 2 })
    t.fails("no known type", function()
      known.check({}, "h", 22, "rubbish")
    end)
  end,

  ["lines to append are found again"] = function(t)
    t.equal(known.line("H", 22, blob(ED)), "h " .. ED .. "\n")
    t.equal(known.line("h", 2222, blob(ED), { comment = "c" }), "[h]:2222 " .. ED .. " c\n")
    t.equal(known.line("::1", 22, blob(ED)), "::1 " .. ED .. "\n")
    t.equal(known.line("h", 2222, blob(ED), { alias = "Al" }), "al " .. ED .. "\n")
    local salt = hash.unbase64("F1E1KeoE/eEWhi10WpGv4OdiO6Y=")
    t.equal(
      known.line("192.168.1.61", 22, blob(ED), { hash = true, salt = salt }),
      "|1|F1E1KeoE/eEWhi10WpGv4OdiO6Y=|3988QV0VE8wmZL7suNrYQLITLCg= " .. ED .. "\n"
    )
    local text = known.line("h", 2222, blob(ED), { hash = true })
    t.ok(not text:find("h", 1, true) or text:find("^|1|"))
    t.equal(known.check({ known.parse(text, "kh") }, "h", 2222, blob(ED)), "ok")
    for _, bad in ipairs({ "", "a b", "*", "a,b", "[x]", "a|b", "#x", "a\nb" }) do
      t.fails("usage", function()
        known.line(bad, 22, blob(ED))
      end)
    end
  end,

  ["fingerprints and kinds"] = function(t)
    -- As ssh-keygen -lf prints them.
    t.equal(known.fingerprint(blob(OTHER)), "SHA256:gOPgXFWkBoXrFVwpjf0SBo3P1kFs+IvH5q/vnQhNpFw")
    t.equal(
      known.fingerprint(blob(OTHER), "md5"),
      "MD5:ab:7f:76:12:07:82:d4:4f:ee:55:62:c9:91:13:42:01"
    )
    t.equal(known.key(blob(ED)), { type = "ssh-ed25519", bits = 256, name = "ED25519" })
    local _, bytes = rsa(2048)
    t.equal(known.key(bytes).bits, 2048)
    t.equal(known.key(bytes .. "x"), nil)
    t.equal(known.key(blob(ED):sub(1, -2)), nil)
    t.equal(known.key(""), nil)
  end,

  ["algorithms of known keys come first"] = function(t)
    local ours = {
      "ssh-ed25519-cert-v01@openssh.com",
      "ssh-ed25519",
      "ecdsa-sha2-nistp256",
      "rsa-sha2-512",
      "rsa-sha2-256",
    }
    local function prefer(text)
      return table.concat(known.prefer(known.lookup({ file(text) }, "h"), ours), " ")
    end
    local all = table.concat(ours, " ")
    t.equal(prefer(""), all)
    t.equal(prefer("h $ED\n"), all)
    t.equal(prefer("h $RSA\n"), "rsa-sha2-512 rsa-sha2-256 " .. table.concat(ours, " ", 1, 3))
    t.equal(
      prefer("@cert-authority h $OTHER\nh $RSA\n"),
      ours[1] .. " rsa-sha2-512 rsa-sha2-256 ssh-ed25519 ecdsa-sha2-nistp256"
    )
  end,

  ["a file is read again when it changed"] = function(t)
    local path = t.tmp() .. "/known_hosts"
    t.equal(known.check({ path }, "h", 22, blob(ED)), "unknown")
    assert(fs.write(path, fill("h $ED\n")))
    t.equal(known.check({ path }, "h", 22, blob(ED)), "ok")
    t.equal(known.read(path), known.read(path))
    assert(fs.write(path, fill("h $OTHER\nh $OTHER\n")))
    t.equal(known.check({ path }, "h", 22, blob(ED)), "changed")
    t.fails("io", function()
      known.read(t.tmp())
    end)
  end,

  ["mutated files raise nothing and keep what is whole"] = function(t)
    local sample = fill(
      "a,b $ED c\n[h]:22 $RSA\n|1|F1E1KeoE/eEWhi10WpGv4OdiO6Y=|"
        .. "3988QV0VE8wmZL7suNrYQLITLCg= $ED\n@revoked *,!x $OTHER\n@cert-authority a? $ED\n# c\n"
    )
    local seed = 11
    local function draw(n)
      seed = (seed * 6364136223846793005 + 1442695040888963407) & 0xFFFFFFFFFFFFFFFF
      return (seed >> 33) % n + 1
    end
    local pieces =
      { "\0", "\n", "\r", " ", "@", "|", "|1|", "!", "*", "?", ",", "#", "\255", "=", "" }
    for i = 1, 3000 do
      if i % 200 == 0 then
        task.sleep(0)
      end
      local text = sample
      for _ = 1, draw(6) do
        local at, cut = draw(#text), draw(8) - 1
        text = text:sub(1, at) .. pieces[draw(#pieces)] .. text:sub(at + cut)
      end
      local ok, problem = fault.try(function()
        local f = known.parse(text .. "\nlast " .. ED .. "\n", "kh")
        known.lookup({ f }, "a")
        known.check({ f }, "192.168.1.61", 22, blob(ED))
        return list.find(known.lookup({ f }, "last").keys, { hosts = "last" }) ~= nil
      end)
      t.ok(ok, (problem and fault.text(problem, 3) or "the last line is lost") .. "\n" .. text)
    end
  end,
}
