--- What people are told about input that is wrong: file, line, hint and exit status.

local cli = require("plat.cli")
local effect = require("plat.effect")
local exit = require("plat.run.exit")
local fault = require("plat.fault")
local fs = require("prim.fs")
local k8s = require("plat.k8s")
local playbooks = require("plat.playbook")
local stub = load(assert(fs.read("tests/lua/k8s_stub.lua")), "@k8s_stub.lua")()

local function put(path, text)
  assert(fs.write(path, text))
  return path
end

--- Loads a playbook that is refused; returns the message after its path.
local function load_bad(t, text)
  local path = put(t.tmp() .. "/p.lua", text)
  local err = t.fails("parse", playbooks.load, path)
  t.ok(err.hint, "a hint for: " .. text)
  return (err.msg:gsub("^.*/p%.lua", "p.lua"))
end

local function with_arg(decl)
  return 'return {\n  summary = "x", risk = "safe", run = function() end,\n  args = {\n    n = '
    .. decl
    .. ",\n  },\n}\n"
end

return {
  ["exit statuses where nothing was changed"] = function(t)
    local cases = {
      { 64, "usage" },
      { 1, "parse" },
      { 1, "bug" },
      { 1, "io" }, -- a file of ours
      { 2, "io", { step = "write" } },
      { 4, "connect" },
      { 4, "timeout", { phase = "http.connect" } },
      { 2, "timeout" }, -- of a step
      { 4, "auth", { phase = "http.request", code = 18 } }, -- TLS
      { 1, "auth", { code = 58 } }, -- a key of another certificate, found by the TLS library
      { 1, "auth" }, -- an expired certificate in a kubeconfig
      { 2, "auth", { code = 401 } }, -- the server's answer
      { 2, "http", { code = 403 } },
      { 2, "failed" },
      { 6, "refused" },
      { 6, "refused", { cause = fault.new("http", nil, { code = 500 }) } },
      { 4, "refused", { cause = fault.new("connect") } },
      { 1, "refused", { cause = fault.new("bug") } },
      { 75, "refused", { exit = 75 } },
      { 130, "cancelled", { signal = 2 } },
      { 124, "timeout", { run_deadline = true } },
    }
    for i, case in ipairs(cases) do
      t.equal(exit.of(fault.new(case[2], nil, case[3]), 0), case[1], ("case %d"):format(i))
    end
  end,

  ["after a change everything but usage, signals and the deadline is a failure"] = function(t)
    for _, kind in ipairs({ "connect", "refused", "parse", "bug", "io", "auth" }) do
      t.equal(exit.of(fault.new(kind), 1), 2, kind)
    end
    t.equal(exit.of(fault.new("cancelled", nil, { signal = 15 }), 1), 143)
    t.ok(exit.is_unreachable(fault.new("connect")))
    t.ok(not exit.is_unreachable(fault.new("http")))
    t.ok(not exit.is_unreachable(nil))
  end,

  ["playbooks that are none"] = function(t)
    t.equal(load_bad(t, "local x = 1\n"), "p.lua:1: it returns no table")
    t.equal(load_bad(t, "local M = {}\n\nreturn 3\n"), "p.lua:3: it returns no table")
    t.match(load_bad(t, "return {\n,,}"), "^p.lua:2: unexpected symbol near ','$")
    t.equal(
      load_bad(t, 'local M = { risk = "safe" }\nreturn M\n'),
      'p.lua:2: the field "summary" must be a text'
    )
    t.equal(
      load_bad(t, 'return {\n  summary = "x",\n  risk = "high",\n}\n'),
      'p.lua:3: field "risk": "high" is none of safe, disruptive, destructive'
    )
    t.equal(
      load_bad(t, 'return { summary = "x" }\n'),
      'p.lua:1: field "risk": one of safe, disruptive, destructive is required'
    )
    t.equal(
      load_bad(t, 'return { summary = "x",\n risk = "safe" }\n'),
      'p.lua:1: the function "run" is missing'
    )
    t.equal(
      load_bad(t, 'local M = {}\nM.sumary = "x"\nreturn M\n'),
      'p.lua:2: unknown field "sumary" (did you mean "summary"?)'
    )
  end,

  ["arguments that are declared in a wrong way"] = function(t)
    local cases = {
      ['{ type = "int" }'] = 'there is no type "int" (did you mean "integer"?)',
      ["{}"] = "it has no type",
      ["3"] = 'write NAME = { type = "string" }',
      ['{ type = "integer", defualt = 1 }'] = 'unknown field "defualt" (did you mean "default"?)',
      ['{ type = "integer", default = "x" }'] = 'its default: "x" is not a whole number',
      ['{ type = "enum" }'] = 'an enum lists its words: enum = { "a", "b" }',
      ['{ type = "string", min = 1 }'] = "min is a number, and goes with integer, number, "
        .. "duration and bytes",
    }
    for decl, msg in pairs(cases) do
      t.equal(load_bad(t, with_arg(decl)), 'p.lua:4: argument "n": ' .. msg, decl)
    end
  end,

  ["a module that is not there is one line"] = function(t)
    local path = put(t.tmp() .. "/p.lua", 'local k = require("plat.k9s")\nreturn k\n')
    local err = t.fails("bug", playbooks.load, path)
    t.equal(err.msg, 'no module "plat.k9s" (did you mean "plat.k8s"?); `platrun doc` lists them')
    t.match(err.where, "p.lua:1$")
  end,

  ["a function of ours that is called in a wrong way names the caller"] = function(t)
    local err = t.fails("bug", function()
      local run = { log = require("plat.run").new({}).log }
      run.log("no self")
    end)
    t.match(err.where, "^plat/run.lua:")
    t.match(fault.text(err), "^tests/lua/badinput_test.lua:%d+: .* %(in plat/run.lua:%d+%)$")
  end,

  ["text from a server cannot move the cursor"] = function(t)
    local err = fault.new("http", { target = "x" }, { msg = "a\27[2Jb\rc", where = "" })
    t.equal(fault.text(err), "x: a?[2Jb?c")
  end,

  ["too many words on the command line"] = function(t)
    local _, words = cli.parse({ "a" }, {}, 1)
    t.equal(words, { "a" })
    t.equal(t.fails("usage", cli.parse, { "a", "b" }, {}, 1).msg, '"b" is one argument too many')
    t.fails("usage", cli.time, "--sandbox-time", "yesterday")
  end,

  ["answers that no API server gives"] = function(t)
    local path = "/api/v1/namespaces/data/configmaps"
    local function get(body)
      stub.open(t, { ["GET " .. path .. "/c"] = { body = body } })
      local api = k8s.connect({ server = "https://stub:6443", name = "stub" })
      return t.fails("parse", api.get, api, "configmap", "data", "c")
    end
    t.match(get("[1]").msg, "^200: this is not a Kubernetes API server: it answered with %[1%]$")
    t.match(get('{"hello": 1}').msg, 'answered with {"hello": 1}$')
    t.match(get('{"kind": "ConfigMap"}').msg, "not a Kubernetes API server")
    t.match(get("\200\201\202").msg, "answered with 3 bytes that are no text$")
    t.match(get("<title>Sign\n in</title>").msg, 'answered with a web page %("Sign in"%)$')
    local half = get('{"kind": "ConfigMap", "meta')
    t.match(half.msg, "^200: the answer is not whole JSON: line 1 column 27")
    t.match(half.hint, "proxy")
  end,

  ["an answer that is no list does not pass for an empty one"] = function(t)
    local path = "/api/v1/namespaces/data/pods"
    local function list(body)
      stub.open(t, { ["GET " .. path] = { body = body } })
      return k8s.connect({ server = "https://stub:6443", name = "stub" })
    end
    local api = list('{"kind": "Pod", "metadata": {}}')
    t.match(t.fails("parse", api.list, api, "pod", "data").msg, "not a Kubernetes API server")
    api = list('{"kind": "PodList", "metadata": {}, "items": null}')
    t.equal(#api:list("pod", "data"), 0)
  end,

  ["a declared read is one below a path too"] = function(t)
    effect.open({
      mode = "run",
      world = {
        request = function()
          return { status = 200, headers = {}, body = "{}" }
        end,
      },
    })
    local req = {
      method = "POST",
      url = "http://proxy/dremio/apiv2/login",
      base = "http://proxy/dremio",
      op = "x",
      read = "login",
    }
    require("plat.dremio")
    t.equal(effect.http(req).status, 200)
    req.base = nil
    t.fails("not declared as a read", effect.http, req)
    effect.close()
  end,

  ["the hint of a cause is told where there is no nearer one"] = function(t)
    local cause = fault.new("http", nil, { msg = "b", hint = "do this", where = "" })
    local err = fault.new("refused", nil, { msg = "a", cause = cause, where = "" })
    t.equal(fault.text(err), "a\n  because: b\nhint: do this")
  end,
}
