--- For tests of the HTTP client: starts tests/fakes/http_fake.py, makes certificates. Loaded by
--- `load(fs.read(...))`: the test files share it, it is no module.

local fs = require("prim.fs")
local http = require("prim.http")
local json = require("plat.json")
local proc = require("prim.proc")

local M = {}

M.UPGRADE = { "Connection: Upgrade", "Upgrade: tcp" }

--- Starts a server that ends with the test. Returns its address and its port.
function M.serve(t, ...)
  local server =
    assert(proc.spawn({ "python3", "tests/fakes/http_fake.py", ... }, { stdin = true }))
  t.defer(function()
    server:kill()
    server:wait()
  end)
  local line = ""
  while not line:find("\n") do
    local text = server:read()
    line = line .. assert(text, "the fake server ended: " .. line)
  end
  local port = assert(tonumber(line), line)
  return "http://127.0.0.1:" .. port, port
end

--- Returns what the server counted: connections, requests, gone, handshakes, endless.
function M.stats(base, opts)
  local req = { url = base .. "/stats" }
  for k, v in pairs(opts or {}) do
    req[k] = v
  end
  return json.decode(assert(http.request(req)).body)
end

--- Reads a stream to its end into a list.
function M.read_all(stream, parts)
  local chunk, err = stream:read()
  while chunk do
    parts[#parts + 1] = chunk
    chunk, err = stream:read()
  end
  assert(not err, err and err.msg)
  return parts
end

local SCRIPT = [[
set -e
cd "$1"
curve="-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
root() { openssl req -x509 $curve -days 2 -subj "/CN=$1" -keyout "$1.key" -out "$1.pem" \
  -addext "$2"; }
issue() { # NAME DAYS SUBJECT_ALT_NAME
  openssl req $curve -subj "/CN=$1" -keyout "$1.key" -out "$1.csr"
  openssl x509 -req -in "$1.csr" -CA ca.pem -CAkey ca.key -CAcreateserial -days "$2" \
    -extfile <(echo "subjectAltName=$3") -out "$1.pem"
}
root ca basicConstraints=critical,CA:TRUE
root other basicConstraints=critical,CA:TRUE
root alone subjectAltName=IP:127.0.0.1
issue server 2 DNS:good.test,IP:127.0.0.1
issue named 2 DNS:wrong.test
issue old -1 IP:127.0.0.1
issue client 2 DNS:client.test
]]

--- Makes certificates in a fresh directory: server (good.test, 127.0.0.1), named (wrong.test), old
--- (expired) and client, signed by ca; other (a CA); alone (self-signed).
--- Returns path(name) and pem(name).
function M.certificates(t)
  local dir = t.tmp()
  local out = assert(proc.run({ "bash", "-c", SCRIPT, "bash", dir }, { timeout = 20 }))
  assert(out.code == 0, out.stderr)
  local function path(name)
    return dir .. "/" .. name
  end
  return path, function(name)
    return assert(fs.read(path(name)))
  end
end

return M
