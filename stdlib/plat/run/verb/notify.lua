--- run:notify: tells people outside: by a program or a webhook of platrun.conf.

local check = require("plat.check")
local effect = require("plat.effect")
local fault = require("plat.fault")
local json = require("plat.json")
local out = require("plat.out")
local sys = require("prim.sys")

local WITHIN = 15 -- seconds; a run does not wait longer for those who only listen

local OPTIONS = check.options("run:notify", {
  level = { type = "enum", enum = { "info", "warning", "error" }, default = "info" },
  quiet = { type = "boolean", default = false, help = "nothing is said where nobody is told" },
})

local function conf_of(run)
  return require("plat.conf").load({
    path = (run.options or {}).config,
    playbook = (run.playbook or {}).path,
  })
end

local function message(run, text, level)
  return json.encode({
    schema = 1,
    text = text,
    level = level,
    run = run.id,
    playbook = run.name,
    target = run.target,
    user = sys.user(),
    host = sys.hostname(),
  }) .. "\n"
end

local function tell_program(argv, body)
  local output = effect.proc({
    argv = argv,
    op = "notify",
    object = argv[1],
    housekeeping = "people are told; nothing of the platform changes",
    opts = { stdin = body, timeout = WITHIN },
  })
  if output.code ~= 0 then
    local said = (output.stderr .. output.stdout):match("%S[^\n]*")
    fault.raise("exit", { op = "notify", object = argv[1] }, {
      msg = ("exit %d%s"):format(output.code, said and ": " .. said or ""),
    })
  end
  return true
end

local function tell_url(url, body)
  local place = url:match("^https?://[^/?#]+") or url -- what follows is often a secret
  local path = url:match("^%a+://[^/?]*(.*)$") or ""
  effect.declare_housekeeping({
    method = "POST",
    path = "^" .. path:gsub("%p", "%%%0") .. "$",
    reason = "run:notify",
  })
  local resp = effect.http({
    method = "POST",
    url = url,
    target = place,
    op = "notify",
    headers = { ["Content-Type"] = "application/json" },
    body = body,
    timeout = WITHIN,
    max_body = 1 << 20,
    housekeeping = "people are told; nothing of the platform changes",
  })
  if resp.status >= 300 then
    fault.raise("http", { op = "notify", target = place }, {
      msg = ("answered %d"):format(resp.status),
      code = resp.status,
    })
  end
  return true
end

--- Tells everybody, and returns to how many it was sent, and what failed.
local function tell_all(conf, body)
  local sent, failed = 0, {}
  local function attempt(fn, place)
    local ok, err = fault.try(fn, place, body)
    if ok then
      sent = sent + 1
    else
      failed[#failed + 1] = out.redact(tostring(err))
    end
  end
  if conf.notify and conf.notify[1] then
    attempt(tell_program, conf.notify)
  end
  for _, url in ipairs(conf.notify_url or {}) do
    attempt(tell_url, url)
  end
  return sent, failed
end

--- Returns whether an earlier process of this run has sent it: the playbook is run from its top.
local function was_sent(run, text, level)
  for _, record in ipairs((run.journal or {}).records or {}) do
    local n = record.type == "note" and record.notify
    if n and n.sent > 0 and n.level == level and record.text == text then
      return true
    end
  end
  return false
end

--- Tells people something: the program `notify:` of platrun.conf gets it as JSON on its standard
--- input, the addresses `notify_url:` by POST. Nobody who cannot be told fails the run: it is
--- warned of and recorded. A plan lists it, a sandbox does not send it, and a resumed run does not
--- send it again.
---@async
---@param run plat.Run
---@param text string
---@param opts? { level: "info"|"warning"|"error"? }
return function(run, text, opts)
  opts = OPTIONS(opts)
  if type(text) ~= "string" or text == "" then
    fault.raise("usage", { op = "run:notify" }, { msg = "a notification needs a text" })
  end
  local function tell(status, why)
    if status == "sent" or not opts.quiet then
      local e = { title = text, level = opts.level, status = status, reason = why }
      run.reporter:emit("notify", e)
    end
  end
  if run.planning then
    return tell("planned")
  elseif was_sent(run, text, opts.level) then
    return tell("skipped", "sent before")
  end
  local sent, failed, why = 0, {}, nil
  if effect.sandbox() then
    why = "the sandbox tells nobody"
  else
    local conf, err = fault.try(conf_of, run)
    if err then
      failed = { tostring(err) }
    elseif not conf.notify and not conf.notify_url then
      why = "platrun.conf has neither notify: nor notify_url:"
    else
      sent, failed = tell_all(conf, message(run, out.redact(text), opts.level))
    end
  end
  if why and opts.quiet then
    return
  end
  local problem = failed[1] and table.concat(failed, "; ") or nil
  run:record({
    type = "note",
    text = text,
    notify = { level = opts.level, sent = sent, failed = problem, skipped = why },
  })
  if problem then
    out.warn((sent > 0 and "not everybody" or "nobody") .. " was told: " .. problem)
  end
  tell(sent > 0 and "sent" or problem and "failed" or "skipped", problem or why)
end
