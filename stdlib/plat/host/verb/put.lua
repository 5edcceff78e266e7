--- host:put

local check = require("plat.check")
local effect = require("plat.effect")
local fault = require("plat.fault")
local files = require("plat.host.files")
local hash = require("plat.hash")
local ids = require("plat.host.files.ids")
local list = require("plat.list")
local secret = require("plat.secret")

local PUT = check.options(
  "host:put",
  list.merge(files.COMMON, {
    from = { type = "string", help = "a file of this machine, in the place of the content" },
    mode = { type = "string", help = 'octal; default: as it is, else "0644", of a secret "0600"' },
    owner = { type = "any", help = "name or number; default: as it is, else who logs in" },
    group = { type = "any", help = "likewise" },
    backup = {
      type = "boolean",
      default = false,
      help = "what was there keeps another name",
    },
    validate = { type = "string", help = "a command with %s: it must accept the new file first" },
    unverified = { type = "boolean", default = false, help = "do not ask for its SHA-256" },
    private = { type = "boolean", default = false, help = "no plan shows what is in it" },
  })
)

local SMALL = 256 * 1024 -- bytes up to which the content is compared, and shown by a plan

local function arguments(given, opts)
  local content
  if type(given) == "string" or secret.is(given) then
    content, opts = given, PUT(opts, 3)
  elseif type(given) == "table" and opts == nil then
    opts = PUT(given, 3)
  else
    error("host:put: a text, a secret or { from = PATH } is expected", 3)
  end
  if (content ~= nil) == (opts.from ~= nil) then
    error("host:put: either a content or `from`", 3)
  elseif opts.validate and not opts.validate:find("%s", 1, true) then
    error("host:put: `validate` needs a %s, where the path of the new file stands", 3)
  end
  for _, field in ipairs({ "owner", "group" }) do
    local id = opts[field]
    local fine = id == nil
      or math.type(id) == "integer" and id >= 0
      or type(id) == "string" and id:find("^[%w_][%w_.@$-]*$")
    if not fine then
      error(("host:put: option %q: a name or a number is expected"):format(field), 3)
    end
    opts[field] = type(id) == "string" and id:find("^%d+$") and math.tointeger(tonumber(id)) or id
  end
  return content, opts
end

--- What shall be there.
local function wanted(self, path, content, opts)
  local what = {
    path = path,
    content = content,
    from = opts.from,
    validate = opts.validate,
    unverified = opts.unverified,
  }
  if opts.from then
    what.size, what.sha256 = files.local_sum("host.put", opts.from)
  else
    local bytes = files.bytes(content)
    what.size, what.sha256 = #bytes, hash.digest("sha256", bytes)
  end
  local before = files.stat(self, "host.put", path, opts)
  if before and before.type ~= "file" then
    fault.raise("refused", {
      op = "host.put",
      target = "host " .. self.name,
      object = files.shown(path),
    }, { msg = "there is a " .. before.type, unchanged = true })
  end
  what.before = before
  what.mode = files.mode_of("host:put", opts.mode)
    or before and rawget(before, "mode")
    or secret.is(content) and 384 -- 0600
    or 420 -- 0644
  what.owner, what.group = opts.owner, opts.group
  if before and not opts.owner and not opts.group then
    what.owner, what.group, what.keeps = rawget(before, "uid"), rawget(before, "gid"), true
  end
  if opts.backup and before then
    what.backup = path .. os.date("!.%Y%m%dT%H%M%SZ~", math.floor(effect.now()))
  end
  return what
end

--- Whether the content is there already; also what is there, when that was read.
local function is_there(self, what, opts)
  local size = what.before and rawget(what.before, "size")
  if size ~= what.size then
    return false
  elseif size <= SMALL then
    local text = files.read(
      self,
      "host.put",
      what.path,
      list.merge(opts, {
        max = SMALL,
        expect = size,
      })
    )
    return hash.digest("sha256", text) == what.sha256
  end
  return files.sum(self, "host.put", what.path, opts) == what.sha256
end

-- ---- plans ----

local function is_text(text)
  return #text <= SMALL and utf8.len(text) ~= nil and not text:find("[^%C\t\n\r]")
end

--- Returns the difference for people; nil where it says nothing, or may not be shown.
local function text_diff(self, what, opts)
  local before = what.before
  local others = 36 -- 0044: group or others may read it
  if opts.private or secret.is(what.content) or what.mode & others == 0 or what.size > SMALL then
    return nil
  elseif before and (rawget(before, "mode") or 0) & others == 0 then
    return nil
  elseif before and (rawget(before, "size") or 0) > SMALL then
    return nil
  end
  local after = what.content or require("prim.fs").read(what.from, { max = SMALL })
  local old = before
      and files.read(
        self,
        "host.put",
        what.path,
        list.merge(opts, {
          max = SMALL,
          expect = before.size,
        })
      )
    or ""
  if after and is_text(after) and is_text(old) then
    return require("plat.diff").unified(old, after)
  end
end

local function describe(what)
  local owner = what.owner or what.group
  return ("file, %s, mode %04o%s"):format(
    secret.is(what.content) and "a secret" or ("%d bytes"):format(what.size),
    what.mode,
    owner and not what.keeps and (", of %s:%s"):format(what.owner or "", what.group or "") or ""
  )
end

local function diff_of(self, what, opts)
  return function()
    return {
      {
        path = files.shown(what.path),
        before = files.outline(what.before),
        after = describe(what),
        unified = text_diff(self, what, opts),
      },
    }
  end
end

local function arguments_of(what, opts)
  return {
    path = files.shown(what.path),
    from = opts.from and files.shown(opts.from) or nil,
    sha256 = not secret.is(what.content) and what.sha256 or nil,
    secret = secret.is(what.content) and what.content or nil,
    mode = what.mode,
    owner = opts.owner,
    group = opts.group,
    backup = opts.backup or nil,
    validate = opts.validate,
  }
end

local function text_of(what, only_attrs)
  local shown = files.shown(what.path)
  if only_attrs then
    return ("set mode and owner of %s (%s)"):format(shown, describe(what))
  elseif what.from then
    return ("put %s to %s"):format(files.shown(what.from), shown)
  end
  local size = secret.is(what.content) and "a secret" or ("%d bytes"):format(what.size)
  return ("put %s to %s"):format(size, shown)
end

--- Makes a file of a host have this content, mode and owner: atomically, on the disk when it
--- returns, and checked by its SHA-256. Does nothing where it has.
---@async
---@param self plat.Host
---@param path string
---@param given string|plat.Secret|table a content, or the options with `from`
---@param opts? table from, mode, owner, group, backup, validate, unverified, private, become,
---  timeout
---@return boolean changed
return function(self, path, given, opts)
  local content
  content, opts = arguments(given, opts)
  files.check_path("host:put", path, 3)
  if path:sub(-1) == "/" then
    error(("host:put: %q is no path of a file"):format(path), 2)
  end
  local what = wanted(self, path, content, opts)
  local there = is_there(self, what, opts)
  local before = what.before
  if there and before.mode == what.mode and ids.same(self, before, what, opts) then
    return false
  end
  local _, view = files.planned(self, path)
  local place = require("plat.host.files.place")
  files.ask(self, {
    op = "host.put",
    path = path,
    opts = opts,
    call = {
      verb = "put",
      path = path,
      content = content,
      source = opts.from,
      mode = what.mode,
      owner = opts.owner,
      group = opts.group,
    },
    change = {
      text = text_of(what, there),
      args = arguments_of(what, opts),
      recovery = "repeatable",
      predict = files.always,
      overlay = files.same,
      diff = diff_of(self, what, opts),
    },
    perform = function(transport, change)
      if there then
        return place.dress(transport, what)
      end
      return place.perform(transport, what, change and change.key)
    end,
  })
  if view then
    local text = not secret.is(content) and content or nil
    view:put(path, { type = "file", content = text, mode = what.mode })
  end
  return true
end
