#!/usr/bin/env bash
# Secrets planted wherever one could come out again: nowhere on the terminal, in events, in what is
# kept of runs, in command lines. The files below hold the values that are looked for.
. "$(dirname "$0")/lib.sh"

planted=$work/planted said=$work/said
mkdir "$planted" "$said" "$work/inv" "$work/dir"
umask 077
printf '%s' 'tr0ub4dor & 3/"horse" s+t=y' >"$planted/token"
openssl genpkey -algorithm ed25519 -out "$planted/key" 2>/dev/null
printf '%s' '{"db":{"user":"u","password":"c0rrect\/b\u0061ttery"}}' >"$planted/document"
umask 022
cat >"$work/inv/inv.yaml" <<YAML
platrun:
  environment: test
  secrets:
    token: file:$planted/token
    key: file:$planted/key
    document: file:$planted/document
YAML
mkdir "$work/needles"
cp "$planted"/token "$planted"/key "$work/needles/"
printf '%s' 'c0rrect/battery' >"$work/needles/password"

coproc SERVER { exec python3 tests/fakes/http_fake.py; }
read -r port <&"${SERVER[0]}"
base=http://127.0.0.1:$port

# leak NAME ARGUMENTS...: runs the playbook; what it says goes to files that are looked at later.
leak() {
    local name=$1
    shift
    run -i "$work/inv" tests/e2e/secrets/leak.lua base="$base" dir="$work/dir" "$@"
    cp "$work/out" "$said/$name.out"
    cp "$work/err" "$said/$name.err"
}
clean() { # TITLE PATH...
    local found
    found=$(python3 tests/e2e/secrets/find.py "$work/needles" "${@:2}" 2>&1) && found=''
    result "$1" "$found"
}

# ---- the search finds what it looks for ----

forms=$work/forms
mkdir "$forms"
base64 "$planted/token" >"$forms/base64"
tail -n 2 "$planted/key" | head -n 1 >"$forms/line"
python3 -c 'import json,sys; print(json.dumps(sys.stdin.read()))' <"$planted/token" >"$forms/json"
for form in base64 line json; do
    if python3 tests/e2e/secrets/find.py "$work/needles" "$forms/$form" >/dev/null; then
        result "the search finds $form" "nothing found"
    else
        result "the search finds $form" ''
    fi
done

# ---- every end, at the highest verbosity ----

declare -A want=([well]=0 [exit]=2 [exit_out]=2 [http]=2 [text]=2 [fault]=2 [argv]=2 [concat]=2
    [returns]=0)
declare -A says=([argv]='can be read by everybody' [concat]='secret:format' [exit]='it was \*\*\*'
    [http]='answered 500: .*\*\*\*')
for how in well exit exit_out http text fault argv concat returns; do
    rm -f "$work/dir/delivered"
    leak "$how" how="$how" -vvvv
    expect "$how ends as it should" "${want[$how]}" "" "${says[$how]-}"
    for format in json jsonl; do
        leak "$how-$format" how="$how" -vvvv -o "$format"
    done
    leak "$how-plan" how="$how" -vvvv --check --diff
done
clean "nothing on stdout and stderr, in text and events" "$said"
clean "nothing in what is kept of the runs" "$XDG_STATE_HOME"
check "the journals hold references" grep -rqF "{\"\$secret\":\"token\"}" "$XDG_STATE_HOME"
check "what is kept can be read" python3 tests/e2e/secrets/whole.py "$XDG_STATE_HOME"
check "output was there to be redacted" grep -rqF '***' "$said"
check "a secret is delivered whole" cmp -s "$work/dir/delivered" \
    <(cat "$planted/token" && echo && cat "$planted/key")
check "for its owner alone" [ "$(stat -c %a "$work/dir/delivered")" = 600 ]

for command in "runs show" "runs list"; do
    # shellcheck disable=SC2086 # two words
    run $command -vvvv
    cp "$work/out" "$said/${command// /-}.out"
    cp "$work/err" "$said/${command// /-}.err"
done
clean "nothing when runs are looked at" "$said"

# ---- resumed ----

cat >"$work/twice.lua" <<'LUA'
local fs = require("plat.fs")
return {
  summary = "is stopped between two uses of a secret",
  risk = "safe",
  args = { dir = { type = "string", required = true } },
  run = function(run, args)
    local kept = run:keep("pw", function()
      return { pw = run:secret("token"):format("kept %s") }
    end)
    local made = run:step("make", { returns = true }, function()
      return run:secret("document"):field("db", "password")
    end)
    run:step("use", function()
      fs.write(args.dir .. "/begun", kept.pw)
      if not fs.exists(args.dir .. "/go") then
        require("plat.task").sleep(20)
      end
      fs.write(args.dir .. "/kept", kept.pw)
      fs.write(args.dir .. "/made", made)
    end)
  end,
}
LUA
mkdir "$work/twice"
"$platrun" -i "$work/inv" "$work/twice.lua" dir="$work/twice" >"$said/twice.out" 2>&1 </dev/null &
pid=$!
wait_until 10 [ -e "$work/twice/begun" ]
kill -9 "$pid"
wait "$pid" 2>/dev/null
touch "$work/twice/go"
run resume -vvvv
cp "$work/out" "$said/resume.out"
cp "$work/err" "$said/resume.err"
expect "a killed run goes on" 0
check "with the kept secret" cmp -s "$work/twice/kept" <(printf 'kept %s' "$(cat "$planted/token")")
check "and the one that a step returned" cmp -s "$work/twice/made" "$work/needles/password"
clean "nothing of them is said or kept" "$said" "$XDG_STATE_HOME"

# ---- command lines ----

cat >"$work/slow.lua" <<'LUA'
return {
  summary = "starts programs with secrets",
  risk = "safe",
  run = function(run)
    local token = run:secret("token")
    run:step("slow", function()
      require("plat.proc").run({ "sh", "-c", "cat >/dev/null; sleep 1" }, {
        stdin = token,
        env = { TOKEN = token },
      })
    end)
  end,
}
LUA
"$platrun" -i "$work/inv" "$work/slow.lua" >"$said/slow.out" 2>&1 </dev/null &
pid=$!
wait_until 10 pgrep -P "$pid" >"$work/children"
mkdir "$work/cmdlines"
for file in /proc/[0-9]*/cmdline; do
    [ -d "${file%/*}" ] || continue
    number=${file//[^0-9]/}
    cat "$file" >"$work/cmdlines/$number" 2>/dev/null
done
check "a program with a secret was running" [ -s "$work/children" ]
check "its command line was looked at" grep -qzF 'cat >/dev/null' -r "$work/cmdlines"
clean "nothing in the command lines of all processes" "$work/cmdlines"
check "no core dump would hold it" grep -qE '^Max core file size +0 ' "/proc/$pid/limits"
check "the slow one ends well" wait "$pid"

# ---- the sandbox writes its world down ----

cat >"$work/world.lua" <<'LUA'
local k8s = require("plat.k8s")
return {
  summary = "puts a secret into the sandbox",
  risk = "safe",
  run = function(run)
    local token = run:secret("env:TOKEN")
    local client = k8s.connect(run:cluster().kubernetes)
    run:step("create", function()
      client:create({
        apiVersion = "v1",
        kind = "Secret",
        metadata = { name = "planted", namespace = "data-platform" },
        data = { token = token:base64() },
        stringData = { plain = token },
      })
    end)
    print(client:get("secret", "data-platform", "planted").data.token)
  end,
}
LUA
TOKEN=$(cat "$planted/token") run --sandbox "$work/world.lua" -vvvv
cp "$work/out" "$said/world.out"
cp "$work/err" "$said/world.err"
expect "a secret reaches a simulated cluster" 0 '^\*\*\*$'
clean "nothing of it in the sandbox's files" "$XDG_STATE_HOME" "$said/world.out" "$said/world.err"
TOKEN=$(cat "$planted/token") run --sandbox "$work/world.lua"
expect "the sandbox is read again, and has it" 2 '' 'already exists'

# ---- a user who is not root: no dumps, and everything works ----

if [ "$(id -u)" -eq 0 ] && getent passwd nobody >/dev/null; then
    home=$(mktemp -d /tmp/platrun-nobody.XXXXXX) # $work may be below a folder of ours alone
    trap 'rm -rf "$work" "$home"' EXIT
    cp "$platrun" "$home/program"
    cp "$work/slow.lua" "$planted/token" "$home/"
    printf 'platrun:\n  secrets:\n    token: file:token\n' >"$home/inv.yaml"
    chmod 600 "$home/token"
    chown -R nobody "$home"
    HOME=$home XDG_STATE_HOME=$home XDG_CONFIG_HOME=$home setpriv --reuid nobody \
        --regid nogroup --clear-groups "$home/program" -i "$home/inv.yaml" "$home/slow.lua" \
        >"$work/out" 2>"$work/err" </dev/null
    status=$? out=$(cat "$work/out") err=$(cat "$work/err")
    expect "another user's run with a secret works" 0 'ok=|changed='
fi

kill "$SERVER_PID"
done_testing
