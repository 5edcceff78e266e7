-- platrun against Ansible itself: see tests/real/inventory/run.
local fault = require("plat.fault")
local fs = require("prim.fs")
local json = require("plat.json")
local list = require("plat.list")
local proc = require("prim.proc")
local sys = require("prim.sys")

local HERE = "tests/real/inventory/"
local BIN = sys.getenv("ANSIBLE_BIN")
local PLATRUN = fs.realpath(sys.getenv("PLATRUN") or "build/platrun")
local GENERATED = 60

local function include(name)
  return assert(load(assert(fs.read(HERE .. name)), "@" .. HERE .. name))()
end

local function run(argv, opts)
  return fault.must({ op = argv[1] }, proc.run(argv, list.merge({ timeout = 300 }, opts)))
end

--- Writes the files of a case and returns what the oracle is asked.
local function prepare(dir, case)
  assert(fs.mkdir(dir, { parents = true }))
  for path, text in pairs(case.files) do
    local full = dir .. "/" .. path
    assert(fs.mkdir(full:match("^(.*)/"), { parents = true }))
    assert(fs.write(full, text, { mode = text:find("^#!") and 493 or 420 })) -- 0755, 0644
  end
  local args = {}
  for _, path in ipairs(case.inv or { "hosts" }) do
    table.move({ "-i", path }, 1, 2, #args + 1, args)
  end
  if case.playbook_dir then
    table.move({ "--playbook-dir", case.playbook_dir }, 1, 2, #args + 1, args)
  end
  case.dir, case.args = dir, args
  return {
    dir = dir,
    args = args,
    patterns = json.array(case.patterns or {}),
    limits = json.array(case.limits or {}),
  }
end

local function ours(case, ...)
  local argv = { PLATRUN, "inventory", ... }
  table.move(case.args, 1, #case.args, #argv + 1, argv)
  return run(argv, { cwd = case.dir })
end

local function lines_of(text)
  local lines = {}
  for line in text:gmatch("[^\n]+") do
    lines[#lines + 1] = line
  end
  return lines
end

--- Compares what a pattern selects; where it matches nothing, both refuse it.
local function check_hosts(t, case, pattern, want, ...)
  local out = ours(case, ...)
  if want == json.null then
    return t.equal({ pattern, out.code }, { pattern, 64 }, out.stdout)
  end
  local got = lines_of(out.stdout)
  if case.nested then
    got, want = list.sort_by(got), list.sort_by(want)
  end
  t.equal({ pattern, got, out.stderr }, { pattern, want, "" })
end

local function check_case(t, case, answer)
  local out = ours(case, "--list")
  if case.refused then
    t.ok(answer.error and answer.error ~= json.null, "Ansible takes it")
    t.ok(out.code ~= 0 and out.stderr ~= "", "platrun takes it: " .. out.stdout)
    return
  end
  t.ok(not answer.error, "Ansible refuses it: " .. tostring(answer.error))
  t.equal({ out.code, out.stderr }, { 0, "" })
  t.equal(out.stdout, answer.list .. "\n")
  t.equal(ours(case, "--list", "--export").stdout, answer.export .. "\n")
  t.equal(ours(case, "--graph").stdout, answer.graph .. "\n")
  for i, pattern in ipairs(case.patterns or {}) do
    check_hosts(t, case, pattern, answer.patterns[i], "--hosts=" .. pattern)
  end
  for i, limit in ipairs(case.limits or {}) do
    check_hosts(t, case, limit, answer.limits[i], "--hosts=all", "--limit=" .. limit)
  end
end

local by_name, names = {}, {}
for _, file in ipairs({ "cases_ini.lua", "cases.lua", "cases_patterns.lua" }) do
  for name, case in pairs(include(file)) do
    by_name[name], names[#names + 1] = case, name
  end
end
for n = 1, GENERATED do
  local name = ("generated %02d"):format(n)
  by_name[name], names[#names + 1] = include("generate.lua").case(n), name
end

--- All cases are asked about in one process, by the first test.
local answers
local function answer_of(t, name)
  if not answers then
    local root = sys.getenv("CASES_DIR")
    local questions = list.map(names, function(each)
      return prepare(("%s/%s"):format(root, each:gsub("%W+", "-")), by_name[each])
    end)
    assert(fs.write(root .. "/password", "sesame", { mode = 384 }))
    local out = run({ BIN .. "/python", HERE .. "oracle.py" }, {
      stdin = json.encode(questions),
      env = { ANSIBLE_VAULT_PASSWORD_FILE = root .. "/password" },
    })
    t.equal({ out.code, out.stderr }, { 0, "" })
    answers = {}
    for i, answer in ipairs(json.decode(out.stdout)) do
      answers[names[i]] = answer
    end
  end
  return answers[name]
end

local tests = {}

for _, name in ipairs(names) do
  tests[name] = function(t)
    check_case(t, by_name[name], answer_of(t, name))
  end
end

tests["the process that is asked answers as the program does"] = function(t)
  for _, name in ipairs({ "ini: values of groups", "yaml: a tree", "generated 07" }) do
    local answer, case = answer_of(t, name), by_name[name]
    for flag, field in pairs({ ["--list"] = "list", ["--graph"] = "graph" }) do
      local argv = { BIN .. "/ansible-inventory", flag }
      table.move(case.args, 1, #case.args, #argv + 1, argv)
      local out = run(argv, { cwd = case.dir })
      t.equal(out.stdout, answer[field] .. "\n", name)
    end
  end
end

tests["one host, as the program prints it"] = function(t)
  answer_of(t, names[1])
  for name, host in pairs({ ["yaml: a tree"] = "w2", ["vars: beside the playbook"] = "h" }) do
    local case = by_name[name]
    local argv = { BIN .. "/ansible-inventory", "--host", host }
    table.move(case.args, 1, #case.args, #argv + 1, argv)
    t.equal(ours(case, "--host", host).stdout, run(argv, { cwd = case.dir }).stdout, name)
  end
end

tests["a file that is encrypted as a whole"] = function(t)
  local case =
    { files = { hosts = "h\n", ["host_vars/h.yml"] = "a: sesame-seed\nb: {c: [1234567]}\n" } }
  prepare(t.tmp() .. "/case", case)
  local password = t.tmp() .. "/password"
  assert(fs.write(password, "sesame", { mode = 384 }))
  local env = { ANSIBLE_VAULT_PASSWORD_FILE = password }
  local vars = case.dir .. "/host_vars/h.yml"
  t.equal(run({ BIN .. "/ansible-vault", "encrypt", vars }, { env = env }).code, 0)
  local want = run({ BIN .. "/ansible-inventory", "-i", "hosts", "--host", "h" }, {
    cwd = case.dir,
    env = env,
  })
  t.equal(json.decode(want.stdout), { a = "sesame-seed", b = { c = { 1234567 } } })
  local got = run({ PLATRUN, "inventory", "-i", "hosts", "--host", "h" }, {
    cwd = case.dir,
    env = env,
  })
  t.equal(json.decode(got.stdout), {
    a = { ["$secret"] = "ansible:./host_vars/h.yml#a" },
    b = { c = { { ["$secret"] = "ansible:./host_vars/h.yml#b.c.0" } } },
  })
end

return tests
