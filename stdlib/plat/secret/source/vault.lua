--- Secrets of HashiCorp Vault (or OpenBao), KV version 2: `vault:MOUNT/PATH#FIELD`. Configured by
--- VAULT_ADDR, VAULT_NAMESPACE, VAULT_CACERT and the credentials that plat.secret.vault looks for.

local client = require("plat.secret.vault")
local common = require("plat.secret.common")
local fault = require("plat.fault")
local list = require("plat.list")
local sys = require("prim.sys")

local M = {}

--- Clients by address and credentials, so that a run logs in once.
local clients = {}

local IDENTITY = {
  "VAULT_ADDR",
  "VAULT_NAMESPACE",
  "VAULT_CACERT",
  "VAULT_TOKEN",
  "VAULT_ROLE_ID",
  "VAULT_SECRET_ID",
  "VAULT_K8S_ROLE",
  "VAULT_AUTH_MOUNT",
}

local function find_client(about)
  local words = list.map(IDENTITY, function(name)
    return sys.getenv(name) or ""
  end)
  local key = table.concat(words, "\0")
  clients[key] = clients[key] or client.new(about)
  return clients[key]
end

local function escape(path)
  return (path:gsub("[^%w%-._~/]", function(c)
    return ("%%%02X"):format(c:byte())
  end))
end

--- Takes a reference apart. Pure.
---@param rest string
---@param about table
---@return string path mount and path
---@return string field
function M.parse(rest, about)
  local path, field = rest:match("^/*([^#]-)/*#([^#]+)$")
  if not path or not path:find("^[^/]+/[^/]") or path:find("//", 1, true) then
    fault.raise("usage", about, {
      msg = "that names no field of a secret",
      hint = "write vault:MOUNT/PATH#FIELD, such as vault:secret/db/prod#password",
    })
  end
  return path, field
end

--- Asks which part of a path is the mount and what is mounted there. Who may not ask gets the first
--- word as the mount.
local function find_mount(api, path, about)
  local status, value = api:get("/v1/sys/internal/ui/mounts/" .. escape(path), about)
  local data = status == 200 and type(value.data) == "table" and value.data or {}
  local mount = type(data.path) == "string" and data.path:gsub("/+$", "")
  if not mount or path:sub(1, #mount + 1) ~= mount .. "/" then
    mount = path:match("^[^/]+")
    return mount, path:sub(#mount + 2), nil
  end
  local options = type(data.options) == "table" and data.options or {}
  return mount, path:sub(#mount + 2), { type = data.type, version = options.version }
end

local function refuse_engine(about, mount, engine)
  if engine.type ~= "kv" and engine.type ~= "generic" then
    fault.raise("usage", about, {
      msg = ("%s is an engine of type %q, not a key-value store"):format(
        mount,
        tostring(engine.type)
      ),
      hint = "vault secrets list shows the mounts; those of type kv hold secrets",
    })
  elseif engine.version ~= "2" then
    fault.raise("usage", about, {
      msg = ("%s is a key-value store of version 1; version 2 is read"):format(mount),
      hint = ("vault kv enable-versioning %s"):format(mount),
    })
  end
end

--- Raises what a 404 means: a version that was deleted, a path that is not there, a wrong mount.
local function raise_absent(about, mount, path, value)
  local data = type(value.data) == "table" and value.data or {}
  local said = client.errors_of(value)
  local msg = ("there is no secret %s in %s"):format(path, mount)
  local hint
  if type(data.metadata) == "table" then
    local destroyed = data.metadata.destroyed == true
    msg = ("the newest version of %s in %s is %s"):format(
      path,
      mount,
      destroyed and "destroyed" or "deleted"
    )
    hint = destroyed and "write it again" or ("vault kv undelete -mount=%s %s"):format(mount, path)
  elseif said:find("no handler for route", 1, true) then
    msg = ("nothing is mounted at %s"):format(mount)
    hint = "vault secrets list shows the mounts; is VAULT_NAMESPACE right?"
  elseif path:find("^data/") then
    hint = ("leave out data/: vault:%s/%s#FIELD"):format(mount, path:sub(6))
  else
    hint = ("vault kv list -mount=%s shows what is there"):format(mount)
  end
  fault.raise("http", about, { msg = msg, code = 404, hint = hint })
end

local function raise_refused(api, about, mount, path, status, value)
  local said = client.errors_of(value)
  if status == 404 then
    raise_absent(about, mount, path, value)
  elseif status == 403 then
    local dead = client.is_dead(value)
    fault.raise("auth", about, {
      msg = ("%s %s: %s"):format(
        api.who,
        dead and "is no valid token, or has ended" or "may not read it",
        said
      ),
      code = 403,
      hint = dead and "vault token lookup says when it ends; vault login makes another"
        or ('a policy needs: path %q { capabilities = ["read"] }; is the mount right?'):format(
          ("%s/data/%s"):format(mount, path)
        ),
    })
  end
  fault.raise("http", about, {
    msg = ("HTTP %d%s"):format(status, said ~= "" and ": " .. said or ""),
    code = status,
  })
end

--- Returns one field of the newest version of a secret.
---@async
---@param rest string
---@return string
function M.read(rest)
  local about = common.about("vault", rest)
  local path, field = M.parse(rest, about)
  local api = find_client(about)
  local at = { op = about.op, object = about.object, target = api.target }
  local mount, name, engine = find_mount(api, path, about)
  if engine then
    refuse_engine(at, mount, engine)
  end
  local status, value = api:get(("/v1/%s/data/%s"):format(escape(mount), escape(name)), about)
  if status ~= 200 then
    raise_refused(api, at, mount, name, status, value)
  end
  local data = type(value.data) == "table" and value.data or {}
  if type(data.data) ~= "table" or type(data.metadata) ~= "table" then
    fault.raise("parse", at, {
      msg = ("%s does not answer as a key-value store of version 2"):format(mount),
      hint = ("vault read sys/mounts/%s shows its version"):format(mount),
    })
  elseif data.data[field] == nil then
    local names = list.keys(data.data)
    fault.raise("http", at, {
      msg = ("the secret %s has no field %q"):format(path, field),
      hint = #names == 0 and "it is empty" or "its fields are: " .. common.list_names(names),
    })
  end
  return common.text_of(at, data.data[field])
end

return M
