#!/usr/bin/env bash
# The command line as a person and as cron use it: exit statuses, streams, refusals, signals.
. "$(dirname "$0")/lib.sh"

playbook() { # NAME: a playbook whose run() is standard input
    {
        echo 'local task = require("plat.task")'
        echo 'return { summary = "Test", risk = "safe",'
        echo '  args = { n = { type = "integer", default = 1, min = 1, max = 9 } },'
        echo '  run = function(run, args) local _ = task, args'
        cat
        echo '  end }'
    } >"$work/$1.lua"
}

# shellcheck disable=SC2317 # called through check
jq_true() { # jq arguments...: about the last output
    jq -e "$@" "$work/out" >/dev/null
}

mkdir "$work/inventory"
cat >"$work/inventory/platform.yaml" <<'YAML'
platrun:
  environment: development
YAML
real=(-i "$work/inventory")

run version
expect "version" 0 '^platrun [0-9]+\.[0-9]+\.[0-9]+'
run help
expect "help" 0 'platrun PLAYBOOK'
run
expect "no argument prints help" 0 'platrun PLAYBOOK'
run verison
expect "a misspelt command is told" 64 '' 'did you mean "?version'

playbook ok <<<'run:step("do it", {}, function() end)'
run "$work/ok.lua" "${real[@]}"
expect "a playbook runs" 0 'ok=1 .*failed=0'
run "$work/ok.lua" --help
expect "a playbook's help comes from its arguments" 0 '^ *n +integer'
run "$work/ok.lua" "${real[@]}" n=0
expect "an argument below its minimum" 64 '' 'n'
run "$work/ok.lua" "${real[@]}" m=1
expect "an unknown argument" 64 '' 'm'
run "$work/ok.lua" "${real[@]}" --chekc
expect "an unknown flag" 64 '' 'did you mean "--check"'
run "$work/ok.lua" "${real[@]}" --syntax-check
expect "--syntax-check" 0 'ok'
run "$work/missing.lua"
expect "a missing playbook" 64 '' 'missing.lua'

playbook fails <<<'run:step("break", {}, function() error("broken on purpose") end)'
run "$work/fails.lua" "${real[@]}"
check "a failing step is not 0" test "$status" -ne 0
check "the cause is told" grep -q 'broken on purpose' <<<"$out$err"

playbook slow <<<'run:step("wait", {}, function() task.sleep(60) end)'
run "$work/slow.lua" "${real[@]}" --deadline 300ms
expect "--deadline" 124
for signal in INT:130 TERM:143; do
    # a shell starts background commands with SIGINT ignored, and platrun respects that
    env --default-signal=INT "$platrun" "$work/slow.lua" "${real[@]}" \
        >"$work/out" 2>"$work/err" </dev/null &
    pid=$!
    check "the run has begun" wait_until 10 grep -q 'slow: Test' "$work/out"
    kill -"${signal%:*}" "$pid"
    wait "$pid"
    status=$? out=$(cat "$work/out") err=$(cat "$work/err")
    expect "SIG${signal%:*} during a wait" "${signal#*:}"
done

run tests/bench/empty.lua -q
expect "the sandbox says so, with -q too" 0 '' 'nothing real is touched'
run tests/bench/empty.lua -o json
expect "the sandbox says so in JSON" 0
check "as a field" jq_true '.sandbox == true'
run tests/bench/empty.lua --cron
expect "cron does not scale the sandbox by mistake" 64
run "$work/ok.lua" "${real[@]}" -o jsonl
expect "-o jsonl" 0 '"schema"'
check "every line of it is JSON" jq_true -s 'length > 0'

chmod 666 "$work/ok.lua"
run "$work/ok.lua" "${real[@]}"
check "a world-writable playbook is refused" test "$status" -ne 0
chmod 644 "$work/ok.lua"
chmod 777 "$work/inventory/platform.yaml"
run "$work/ok.lua" "${real[@]}"
check "a world-writable inventory is refused" test "$status" -ne 0
chmod 644 "$work/inventory/platform.yaml"

timeout 10 "$platrun" "$work/ok.lua" "${real[@]}" 2>/dev/null | true
status=${PIPESTATUS[0]}
check "a closed pipe ends the program by itself" test "$status" -lt 124
"$platrun" version >/dev/full 2>"$work/err"
status=$?
check "a full disk is noticed" test "$status" -ne 0

done_testing
