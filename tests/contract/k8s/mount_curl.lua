--- The contract over a real server, by curl: for a plain lua5.4.
local M = {}

local Mount = {}
Mount.__index = Mount

local function shell(s)
  return "'" .. s:gsub("'", "'\\''") .. "'"
end

local function read(path)
  local file = io.open(path)
  local text = file and file:read("a") or ""
  if file then
    file:close()
  end
  return text
end

local function write(path, text)
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
end

--- Makes a mount of the server that a kubeconfig with inline certificates names.
function M.new(kubeconfig)
  local text = read(kubeconfig)
  local pipe = assert(io.popen("mktemp -d"))
  local dir = pipe:read("l")
  pipe:close()
  local self = setmetatable({ dir = dir, count = 0 }, Mount)
  self.server = assert(text:match('server: "?([^"%s,}]+)'), kubeconfig .. ": no server")
  for name, field in pairs({
    ca = "certificate%-authority%-data",
    cert = "client%-certificate%-data",
    key = "client%-key%-data",
  }) do
    local value = assert(text:match(field .. ': "?([%w+/=]+)'), kubeconfig .. ": no " .. field)
    local to = ("%s/%s.pem"):format(dir, name)
    os.execute(("umask 077; printf %%s %s | base64 -d > %s"):format(value, to))
  end
  return self
end

function Mount:command(req, name)
  local args = { "curl -sS -N --max-time 60 --cacert", self.dir .. "/ca.pem" }
  if not req.anonymous then
    args[#args + 1] = ("--cert %s/cert.pem --key %s/key.pem"):format(self.dir, self.dir)
  end
  args[#args + 1] = "-X " .. (req.method or "GET")
  for header, value in pairs(req.headers) do
    args[#args + 1] = "-H " .. shell(header .. ": " .. value)
  end
  if req.body then
    write(("%s/%s.in"):format(self.dir, name), req.body)
    args[#args + 1] = ("-H 'Expect:' --data-binary @%s/%s.in"):format(self.dir, name)
  end
  args[#args + 1] = ("-D %s/%s.head -o %s/%s.body"):format(self.dir, name, self.dir, name)
  args[#args + 1] = shell(self.server .. req.target)
  return table.concat(args, " ")
end

function Mount:answer(name)
  local head = read(("%s/%s.head"):format(self.dir, name))
  local resp = { headers = {}, status = tonumber(head:match("^HTTP/%S+ (%d+)")) }
  for line in head:gmatch("[^\r\n]+") do
    local header, value = line:match("^([^:]+):%s*(.*)$")
    if header then
      header = header:lower()
      local old = resp.headers[header]
      resp.headers[header] = old and old .. ", " .. value or value
    end
  end
  resp.body = read(("%s/%s.body"):format(self.dir, name))
  return resp
end

function Mount:next_name()
  self.count = self.count + 1
  return ("%04d"):format(self.count)
end

function Mount:request(req)
  local name = self:next_name()
  os.execute(self:command(req, name) .. " 2>/dev/null")
  return self:answer(name)
end

function Mount:open(req)
  local name = self:next_name()
  local done = ("%s/%s.done"):format(self.dir, name)
  os.execute(("(%s; touch %s) >/dev/null 2>&1 &"):format(self:command(req, name), done))
  self:sleep(0.5) -- the watch begins before what follows
  return { name = name, done = done }
end

function Mount:finish(open)
  while not io.open(open.done) do
    self:sleep(0.1)
  end
  return self:answer(open.name)
end

function Mount:sleep(seconds)
  os.execute(("sleep %.2f"):format(seconds))
end

return M
