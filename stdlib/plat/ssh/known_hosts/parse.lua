--- Reads the lines of a known_hosts file.

local blobs = require("plat.ssh.known_hosts.blob")
local hash = require("plat.hash")
local pattern = require("plat.ssh.pattern")
local prim = require("prim.hash")

local M = {}

---@class plat.ssh.KnownHost
---@field file string
---@field line integer
---@field marker? "cert-authority"|"revoked"
---@field hosts string as it is written
---@field type string of the key
---@field blob string
---@field comment string

---@class plat.ssh.KnownHosts one file
---@field name string
---@field entries plat.ssh.KnownHost[]
---@field problems { file: string, line: integer, msg: string }[] lines that say nothing
local File = {}
File.__index = File

local MARKERS = { ["@cert-authority"] = "cert-authority", ["@revoked"] = "revoked" }
local HASH, AT = ("#@"):byte(1, 2)
local SHA1_SIZE = 20
local RAW = { raw = true } -- one for thousands of lines

local function decode(text)
  return (prim.unbase64(text)) -- what is none is the line's problem, not a fault
end

--- Returns the salt and the digest of "|1|SALT|DIGEST".
local function hashed(hosts)
  local salt, digest = hosts:match("^|1|([^|]+)|([^|]+)$")
  salt, digest = salt and decode(salt), digest and decode(digest)
  if salt and digest and #salt == SHA1_SIZE and #digest == SHA1_SIZE then
    return salt, digest
  end
end

-- Files have thousands of lines, and plain searches are much faster than patterns.

--- Returns a line up to a byte that ends it.
local function cut(line, byte)
  local at = line:find(byte, 1, true)
  return at and line:sub(1, at - 1) or line
end

--- Returns the word at a place, nil if there is none, and where the next one begins.
local function word_at(line, from)
  if from > #line then
    return nil, from
  end
  local stop = line:find(" ", from, true) or #line + 1
  return line:sub(from, stop - 1), line:find("[^ ]", stop) or #line + 1
end

--- Returns the entry of a line; nil for comments; nil and what is wrong.
local function read_line(line)
  line = cut(cut(line, "\0"), "\r")
  local spaced = line:find("\t", 1, true) and line:gsub("\t", " ") or line
  local from = spaced:find("[^ ]")
  local first = from and spaced:byte(from)
  if not from or first == HASH then
    return nil
  end
  local entry = {}
  if first == AT then
    local word
    word, from = word_at(spaced, from)
    entry.marker = MARKERS[word]
    if not entry.marker then
      return nil, "unknown marker"
    end
  end
  local hosts, kind, data
  hosts, from = word_at(spaced, from)
  kind, from = word_at(spaced, from)
  data, from = word_at(spaced, from)
  if not data then
    return nil, "expected HOSTS TYPE KEY"
  end
  entry.hosts, entry.type, entry.comment = hosts, kind, line:sub(from)
  entry.blob = decode(data)
  local key = entry.blob and blobs.read(entry.blob)
  if not entry.blob then
    return nil, "the key is not base64"
  elseif not key then
    return nil, "no key of a known type"
  elseif key.type ~= kind then
    return nil, ("the key is of type %s, not %s"):format(key.type, kind)
  elseif hosts:sub(1, 1) == "|" then
    entry.salt, entry.digest = hashed(hosts)
    if not entry.salt then
      return nil, "the hash of the host is malformed"
    end
  end
  return entry
end

--- Most names have one line: a list for each would be memory for nothing.
local function add_name(self, name, entry)
  local at = self.names[name]
  if not at then
    self.names[name] = entry
  elseif at.line then
    self.names[name] = at ~= entry and { at, entry } or at
  elseif at[#at] ~= entry then
    at[#at + 1] = entry
  end
end

--- Returns the entries with a name, in a list of the caller's own.
local function named(self, name)
  local at = self.names[name] or {}
  return at.line and { at } or table.move(at, 1, #at, 1, {})
end

local function has(text, byte)
  return text:find(byte, 1, true) ~= nil
end

--- Puts an entry where a lookup finds it: by name, among the patterns, or among the hashed.
local function index(self, entry)
  local hosts = entry.hosts
  if entry.salt then
    self.hashed[#self.hashed + 1] = entry
  elseif has(hosts, "*") or has(hosts, "?") or has(hosts, "!") then
    self.patterns[#self.patterns + 1] = entry
  elseif not has(hosts, ",") then
    add_name(self, hosts:lower(), entry)
  else
    for name in hosts:lower():gmatch("[^,]+") do
      add_name(self, name, entry)
    end
  end
end

--- Reads a text. Lines that say nothing are kept in `problems`; the others count.
---@param text string
---@param name string of the file, for messages
---@return plat.ssh.KnownHosts
function M.read(text, name)
  local self = setmetatable({ name = name, entries = {}, problems = {} }, File)
  self.names, self.patterns, self.hashed, self.found = {}, {}, {}, {}
  local number, from = 0, 1
  while from <= #text do
    local stop = text:find("\n", from, true) or #text + 1
    local entry, msg = read_line(text:sub(from, stop - 1))
    number, from = number + 1, stop + 1
    if entry then
      entry.file, entry.line = name, number
      self.entries[#self.entries + 1] = entry
      index(self, entry)
    elseif msg then
      self.problems[#self.problems + 1] = { file = name, line = number, msg = msg }
    end
  end
  return self
end

--- Returns the entries for a name, in their order. A name is hashed once a file.
---@param name string "host" or "[host]:port"
---@return plat.ssh.KnownHost[]
function File:matching(name)
  name = name:lower()
  local out = self.found[name]
  if out then
    return out
  end
  out = named(self, name)
  for _, entry in ipairs(self.patterns) do
    if pattern.list(name, entry.hosts, true) == 1 then
      out[#out + 1] = entry
    end
  end
  for _, entry in ipairs(self.hashed) do
    if hash.hmac("sha1", entry.salt, name, RAW) == entry.digest then
      out[#out + 1] = entry
    end
  end
  table.sort(out, function(a, b)
    return a.line < b.line
  end)
  self.found[name] = out
  return out
end

return M
