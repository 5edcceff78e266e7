--- Credentials of a Dremio session, and what is said of answers that say no.
local effect = require("plat.effect")
local fs = require("prim.fs")
local help = load(assert(fs.read("tests/lua/dremio_help.lua")), "@dremio_help.lua")()
local list = require("plat.list")
local session = require("plat.dremio.session")
local sys = require("prim.sys")

local CA = "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"

--- Opens the door onto scripted answers, by "METHOD path"; returns the requests.
local function open(t, answers)
  local world = { requests = {} }
  function world:request(_, req)
    local path = req.url:match("^%a+://[^/]+([^?]*)")
    table.insert(self.requests, list.merge(req, { path = path }))
    local answer = answers[req.method .. " " .. path]
    if type(answer) == "function" then
      answer = answer(req)
    end
    return list.merge({ status = 200, headers = {}, body = "" }, answer)
  end
  effect.open({ mode = "run", world = world })
  t.defer(function()
    effect.open({ mode = "run", world = false })
  end)
  return world.requests
end

local function connect(conf)
  return session.new(list.merge({ name = "main", url = "http://dremio:9047//", user = "u" }, conf))
end

local LOGIN = "POST /apiv2/login"
local JOB = "GET /api/v3/job/1"

local function call(self)
  return self:call({ path = "/api/v3/job/1", op = "dremio.job", needs = { "jobState" } })
end

--- The authorization that a job is asked for with.
local function authorization(t, conf)
  local requests = open(t, {
    [LOGIN] = { body = '{"token":"tkn"}' },
    [JOB] = { body = '{"jobState":"RUNNING"}' },
  })
  t.equal(call(connect(conf)).jobState, "RUNNING")
  return requests[#requests].headers.Authorization, requests[1]
end

local tests = {
  ["a password: given, in a file, in the environment"] = function(t)
    local path = t.tmp() .. "/password"
    assert(fs.write(path, "from file\nnot this\n", { mode = 384 }))
    local getenv = sys.getenv
    function sys.getenv(name)
      return name == "DREMIO_PW" and "from env" or getenv(name)
    end
    t.defer(function()
      sys.getenv = getenv
    end)
    for password, conf in pairs({
      ["given"] = { password = "given" },
      ["from file"] = { password_file = path },
      ["from env"] = { password_env = "DREMIO_PW" },
    }) do
      local header, login = authorization(t, conf)
      t.equal(header, "_dremiotkn")
      t.equal({ login.connect_timeout, login.timeout }, { 5, 30 }, "nobody waits for ever")
      t.equal(login.path, "/apiv2/login", "one slash, though the address ends with two")
      t.match(login.body, '"password":"' .. password .. '"')
      t.match(login.body, '"userName":"u"')
    end
  end,

  ["a token needs no login"] = function(t)
    local path = t.tmp() .. "/token"
    assert(fs.write(path, "pat\n", { mode = 384 }))
    local header, first = authorization(t, { token_file = path, user = nil })
    t.equal({ header, first.path }, { "Bearer pat", "/api/v3/job/1" })
  end,

  ["credentials that are missing are named by their field"] = function(t)
    local dir = t.tmp()
    assert(fs.write(dir .. "/empty", "\nsecond line\n", { mode = 384 }))
    assert(fs.write(dir .. "/open", "x\n", { mode = 416 })) -- 0640
    open(t, {})
    local function fails(kind, conf)
      local self = connect(conf)
      return t.fails(kind, self.login, self)
    end
    local err = fails("auth", {})
    t.equal(err.msg, "no password is given")
    t.match(err.hint, "^set password_file, password_env or token_file")
    err = fails("auth", { password_file = dir .. "/none" })
    t.match(err.msg, "^password_file: .*none")
    t.equal(err.hint, "check password_file of dremio main in the inventory")
    t.match(fails("auth", { token_file = dir .. "/none" }).msg, "^token_file: ")
    t.match(fails("auth", { password_file = dir .. "/empty" }).msg, "^password_file: .* is empty$")
    t.match(fails("refused", { password_file = dir .. "/open" }).msg, "mode 0640")
    err = fails("auth", { password_env = "NOT_SET_ANYWHERE" })
    t.equal(err.msg, "password_env: $NOT_SET_ANYWHERE is not set")
    local nobody = session.new({ url = "http://dremio:9047", password = "x" })
    err = t.fails("auth", nobody.login, nobody)
    t.equal({ err.msg, err.hint, err.target }, {
      "no user is given",
      "set user in the inventory",
      "dremio dremio",
    })
  end,

  ["credentials are kept out of the output, but for those of the sandbox"] = function(t)
    local registered, secrets = {}, require("plat.secret")
    local register, sandbox = secrets.register, effect.sandbox
    secrets.register = function(text)
      registered[#registered + 1] = text
    end
    t.defer(function()
      secrets.register, effect.sandbox = register, sandbox
    end)
    open(t, { [LOGIN] = { body = '{"token":"tkn"}' } })
    effect.sandbox = function()
      return false
    end
    connect({ password = "s3cr3t" }):login()
    t.equal(registered, { "s3cr3t", "tkn" })
    effect.sandbox = function()
      return true
    end
    connect({ password = "s3cr3t" }):login()
    t.equal(#registered, 2)
  end,

  ["the authority's certificate is read once; what is no PEM is refused"] = function(t)
    local path = t.tmp() .. "/ca.pem"
    assert(fs.write(path, CA))
    local requests = open(t, {
      [LOGIN] = { body = '{"token":"tkn"}' },
      [JOB] = { body = '{"jobState":"RUNNING"}' },
    })
    local self = connect({
      password = "x",
      ca_file = path,
      server_name = "dremio.internal",
      proxy = "http://proxy:3128",
    })
    self:login()
    assert(fs.remove(path))
    call(self)
    local endpoint = { ca = CA, server_name = "dremio.internal", proxy = "http://proxy:3128" }
    t.equal({ requests[1].endpoint, requests[2].endpoint }, { endpoint, endpoint })
    local bad = connect({ password = "x", ca_file = path })
    t.match(t.fails("auth", bad.login, bad).msg, "^ca_file: .*ca%.pem")
    assert(fs.write(path, "no PEM"))
    local err = t.fails("auth", bad.login, bad)
    t.equal(err.msg, "ca_file: " .. path .. " is not a PEM certificate")
    local most = CA .. ("#"):rep(1024 * 1024 - #CA)
    assert(fs.write(path, most))
    connect({ password = "x", ca_file = path }):login()
    assert(fs.write(path, most .. "#"))
    t.match(t.fails("auth", bad.login, bad).msg, "^ca_file: ", "no certificates are that long")
    local open_door = connect({ password = "x", insecure = true })
    open_door:login()
    t.equal(requests[#requests].endpoint, { insecure = true })
  end,

  ["a login that is refused, by either word of HTTP for it"] = function(t)
    for _, status in ipairs({ 401, 403 }) do
      open(t, { [LOGIN] = { status = status, body = '{"errorMessage":"Bad credentials"}' } })
      local self = connect({ password = "x" })
      local err = t.fails("auth", self.login, self)
      t.equal({ err.code, err.msg }, {
        status,
        ('user "u" is refused: HTTP %d: Bad credentials'):format(status),
      })
      t.equal(err.hint, "check user and password of dremio main in the inventory")
    end
    open(t, { [LOGIN] = { status = 503, body = '{"errorMessage":"starting"}' } })
    local self = connect({ password = "x" })
    local err = t.fails("http", self.login, self)
    t.equal({ err.code, err.msg }, { 503, "HTTP 503: starting" })
    t.match(err.hint, "^the coordinator is starting, or in trouble")
    open(t, { [LOGIN] = { body = '{"no":"token"}' } })
    t.match(t.fails("parse", self.login, self).msg, 'it answered with {"no":"token"}$')
  end,

  ["answers that say no: what kind of failure, and a hint where there is one"] = function(t)
    local function failure(status, body)
      open(t, {
        [LOGIN] = { body = '{"token":"tkn"}' },
        [JOB] = { status = status, body = body },
      })
      local self = connect({ password = "x" })
      local ok, err = pcall(call, self)
      t.ok(not ok)
      return { err.kind, err.code, err.msg, err.hint and err.hint:match("^[^:,]*") }
    end
    local said = '{"errorMessage":"no"}'
    t.equal(failure(403, said), { "auth", 403, "HTTP 403: no", nil })
    t.equal(failure(401, said), { "auth", 401, "HTTP 401: no", nil })
    t.equal(failure(404, said), { "http", 404, "HTTP 404: no", nil })
    t.equal(failure(404, "<html>"), {
      "http",
      404,
      "HTTP 404: it answered with a web page",
      "is it the coordinator? check url in the inventory",
    })
    t.equal(failure(400, '""'), { "http", 400, "HTTP 400", nil })
    t.equal(failure(500, ""), {
      "http",
      500,
      "HTTP 500: it answered with an empty body",
      "the coordinator is starting",
    })
  end,

  ["a server that cannot be reached: whose address it is"] = function(t)
    local self =
      session.new({ name = "main", url = "http://127.0.0.1:1", user = "u", password = "x" })
    effect.open({ mode = "run", world = false })
    local err = t.fails("connect", self.status, self)
    t.equal(err.hint, "the address http://127.0.0.1:1 is url of dremio main in the inventory")
  end,
}

for title, fn in pairs(tests) do
  tests[title] = help.with_world(fn)
end
return tests
