#!/usr/bin/env bash
# Bad input in files and on the command line: each is told in one line with file, line and hint.
# What servers do wrong is in badserver.sh.
. "$(dirname "$0")/lib.sh"
. tests/e2e/badinput/told.sh

play=playbooks/scale-dremio.lua
hello=examples/hello.lua

# ---- the command line ----

cli() { # TITLE PATTERN ARGUMENTS...
    local title=$1 pattern=$2
    shift 2
    run "$@"
    told "$title" 64 "$pattern"
}

cli "an unknown option alone" 'unknown option "--nope"' --nope
cli "an unknown short option" 'unknown option "-Z"' -Z
cli "an option without a playbook" 'which playbook\?' --sandbox
cli "an unknown option of a run" 'unknown option "--tags"' "$play" --tags x
cli "a misspelt option" 'did you mean "--check"' "$play" --chekc
cli "a missing value" '-i needs a value' "$play" -i
cli "a value too many" '--check takes no value' "$play" --check=yes
cli "an unknown format" '"yaml" is none of text, json, jsonl' "$play" -o yaml
cli "a deadline that is none" '"soon" is not a duration' "$play" --deadline soon
cli "no forks" '--forks: 0 is less than 1' "$play" --forks 0
cli "an unknown command" 'no command "playbooks"' playbooks
cli "an empty command" 'no command ""' ''
cli "a missing playbook" 'nope.lua: no such playbook' plan nope.lua
cli "a misspelt playbook" 'did you mean playbooks/scale-dremio.lua' playbooks/scale-dremo.lua
cli "a folder as playbook" 'is a directory' ./playbooks/
cli "plan without a playbook" 'which playbook\?' plan
cli "plan with an unknown option" 'unknown option "--nope"' plan "$play" --nope

cli "an unknown argument" 'unknown argument "exeutors" \(did you mean "executors"' \
    "$play" exeutors=3
cli "an argument of a wrong type" 'executors: "many" is not a whole number' "$play" executors=many
cli "an argument below its minimum" 'executors: 0 is less than 1' "$play" executors=0
cli "a word that is no argument" '"extra" is not an argument' "$play" extra
cli "an unknown cluster" 'no cluster "mian"' "$play" cluster=mian --sandbox
cli "an unknown fault" 'no fault "nope"' "$play" --fault nope
cli "a fault without the sandbox" 'works on the sandbox only' "$play" --fault watch-410 \
    -i inventory/production
cli "a time that is none" '"yesterday" is not a time' "$play" --sandbox-time yesterday
cli "an override without a reason" 'needs --reason' "$play" --override minimum

cli "broken JSON after -e" 'error: -e:1:14: unexpected token' "$play" -e '{"executors":}'
cli "a list after -e" 'is not an argument' "$play" -e '[1, 2]'
cli "a missing file after -e" 'cannot read "/none"' "$play" -e @/none
cli "no file after -e" 'which file\?' "$play" -e @
printf '{"executors": 3,\n "drain" "5m"}\n' >"$work/x.json"
run "$play" -e "@$work/x.json"
told "broken JSON in a file of arguments" 1 "error: $work/x.json:2:[0-9]+: "
printf 'executors: 3\n  drain: [1\n' >"$work/x.yml"
run "$play" -e "@$work/x.yml"
told "broken YAML in a file of arguments" 1 "error: $work/x.yml:2:[0-9]+: mapping values"
printf -- '- 3\n' >"$work/list.yml"
cli "a list in a file of arguments" 'mapping of names to values' "$play" -e "@$work/list.yml"

cli "inventory: nothing asked" 'say --list' inventory
cli "inventory: an unknown option" 'unknown option "--foo"' inventory --foo
cli "inventory: an unknown host" 'no host or group matches "nope"' inventory --host nope
cli "inventory: a word" '"x" is not understood' inventory x
cli "sandbox: nothing asked" 'what shall be done' sandbox
cli "sandbox: an unknown action" 'does not know "rest" \(did you mean "reset"' sandbox rest
cli "sandbox: an unknown option" 'unknown option "--foo"' sandbox reset --foo
cli "sandbox: a port that is none" '--port: "x" is not a whole number' sandbox serve --port x
cli "sandbox: a time that is none" 'is not a time' sandbox reset --sandbox-time x
cli "sandbox: a word too many" '"extra" is one argument too many' sandbox status extra
cli "doc: an unknown module" 'no module "plat.k9s" \(did you mean "plat.k8s"' doc plat.k9s
cli "doc: an unknown option" 'unknown option "--nope"' doc --nope
cli "doc: a word too many" 'one argument too many' doc plat.k8s extra
cli "test: a missing file" 'cannot look at "none.lua"' test none.lua
cli "test: an unknown option" 'unknown option "--nope"' test --nope
cli "test: a missing value" '-k needs a value' test -k
cli "version: a word too many" 'one argument too many' version extra
cli "help: an unknown command" 'no command "nope"' help nope

# ---- playbooks ----

book() { # TITLE STATUS PATTERN < the playbook; "PB" in the pattern is its path
    cat >"$work/pb.lua"
    run "$work/pb.lua" --sandbox
    told "playbook: $1" "$2" "${3//PB/$work/pb.lua}"
}

book "a syntax error" 1 "error: PB:2: unexpected symbol near ','" <<<$'return {\n,, }'
book "no table" 1 'error: PB:1: it returns no table' <<<'local x = 1'
book "a number" 1 'error: PB:3: it returns no table' <<<$'local x = 1\n\nreturn 42'
book "an empty file" 1 'error: PB:1: it returns no table' </dev/null
head=$'return { summary = "x", risk = "safe",\n  run = function() end,\n'
book "no summary" 1 'PB:1: the field "summary"' <<<'return { risk = "safe", run = print }'
book "no risk" 1 'PB:1: field "risk"' <<<'return { summary = "x", run = print }'
book "an unknown risk" 1 '"high" is none of safe' <<<'return { summary = "x", risk = "high" }'
book "no run" 1 'PB:1: the function "run"' <<<'return { summary = "x", risk = "safe" }'
book "an unknown field" 1 'PB:3: unknown field "sumary"' <<<"$head  sumary = 'y' }"
book "arguments that are no table" 1 'PB:3: field "args" must' <<<"$head  args = 'y' }"
book "an unknown type" 1 'PB:3: argument "n": .*"integer"' \
    <<<"$head  args = { n = { type = 'int' } } }"
book "a bad default" 1 'PB:3: argument "n": its default: "x"' \
    <<<"$head  args = { n = { type = 'integer', default = 'x' } } }"
hint=no
book "an error while it loads" 1 "error: PB:2: attempt to index" <<<$'local x\nreturn x.y'
book "an undefined variable" 1 "error: PB:1: undefined variable 'foo'" <<<'foo()'
book "an unknown module" 1 'error: PB:1: no module "plat.k9s"' <<<'local _ = require("plat.k9s")'
book "a primitive" 1 'error: PB:1: .*plat\.\* only' <<<'local _ = require("prim.http")'
head=$'return { summary = "x", risk = "safe", run = function(run)\n  run:log("a")\n'
book "an error while it runs" 1 'failed: PB:3: attempt to index a nil' \
    <<<"$head local x; x.y = 1 end }"
book "an error in a step" 1 'failed: s: PB:3: attempt to index a nil' \
    <<<"$head run:step('s', {}, function() local x; x.y = 1 end) end }"
book "an unknown option of a step" 1 'PB:3: run:step: unknown option "timout" .*"timeout"' \
    <<<"$head run:step('s', { timout = 3 }, print) end }"
book "an unknown method" 1 "failed: PB:3: attempt to call a nil value \(method 'stepp'\)" \
    <<<"$head run:stepp('s') end }"
book "its own error" 1 'failed: PB:3: stop here' <<<"$head error('stop here') end }"
unset hint

cp "$hello" "$work/open.lua"
chmod 666 "$work/open.lua"
run "$work/open.lua"
told "playbook: anybody may write to it" 6 "error: $work/open.lua: everybody may write"

# ---- inventories ----

inventory() { # TITLE FILE PATTERN < the inventory; "INV" in the pattern is its path
    mkdir -p "$work/inv"
    cat >"$work/inv/$2"
    run inventory -i "$work/inv/$2" --list
    told "inventory: $1" 1 "^error: ${3//INV/$work/inv/$2}"
    rm "$work/inv/$2"
}

cluster=$'platrun:\n  clusters:\n    main: {kubernetes: {server: "https://x"}}\n'
cluster+=$'  dremio:\n    main:\n'
window=$'      executors:\n        tz: Europe/Berlin\n        otherwise: 2\n        day: '
inventory "broken YAML" a.yaml 'INV:3:13: mapping values' \
    <<<$'platrun:\n  environment: x\n   protected: y'
inventory "a tab" a.yaml 'INV:2:1: found character' <<<$'platrun:\n\tenvironment: x'
inventory "a key twice" a.yaml 'INV:2:1: duplicate key "a"' <<<$'a: {}\na: {}'
inventory "broken JSON" a.json 'INV:2:1: did not find' <<<'{"all": {"hosts": {"a": {}}, }'
inventory "a list" a.yaml 'INV:1: an inventory holds groups' <<<'- a'
inventory "an unknown key" a.yaml 'INV:2: unknown key "environmnt" in platrun .*"environment"' \
    <<<$'platrun:\n  environmnt: x'
inventory "platrun: is a list" a.yaml 'INV:1: "platrun" must hold' <<<'platrun: []'
inventory "an unknown key of a cluster" a.yaml 'INV:4: unknown key "namspace" in main' \
    <<<$'platrun:\n  clusters:\n    main:\n      namspace: x'
inventory "no kubeconfig" a.yaml 'INV:2: kubernetes: kubeconfig or server is required' \
    <<<$'platrun:\n  clusters: {main: {kubernetes: {context: x}}}'
inventory "a server that is no URL" a.yaml 'INV:2: server: "x:6443" is not a URL' \
    <<<$'platrun:\n  clusters: {main: {kubernetes: {server: "x:6443"}}}'
inventory "no url" a.yaml 'INV:5: dremio main: url is missing' <<<"$cluster      user: a"
inventory "an unknown cluster" a.yaml 'INV:5: dremio main: no cluster "man" .*"main"' \
    <<<"$cluster      {url: http://x, cluster: man}"
cluster+=$'      url: http://x\n'
inventory "an unknown zone" a.yaml 'INV:8: executors: tz: unknown time zone "Mars"' \
    <<<"$cluster      executors:"$'\n        tz: Mars\n        otherwise: 2'
inventory "a time without quotes" a.yaml 'INV:10: executors: day: from: write the time in quotes' \
    <<<"$cluster$window{from: 7:30, to: 20:00, executors: 6}"
inventory "an unknown day" a.yaml 'INV:10: executors: day: days: "monday" is not a day' \
    <<<"$cluster$window{days: monday, from: '07:30', to: '20:00', executors: 6}"
inventory "a bracket too few" a.ini 'INV:1: a group stands in brackets' <<<$'[web\na'
inventory "an unknown section" a.ini 'INV:1: \[web:chldren\]' <<<$'[web:chldren]\na'
inventory "an open quote" a.ini 'INV:2: a quote is not closed' <<<$'[web]\na b="c'
inventory "a word that is no variable" a.ini 'INV:2: expected KEY=VALUE, got "b"' <<<$'[web]\na b'
inventory "half a range" a.ini 'INV:2: .*a range needs both brackets' <<<$'[web]\na[1:'
inventory "a program" a 'INV:1: a program that is not executable' <<<$'#!/bin/sh\necho {}'

run "$hello" -i /none
told "inventory: missing, in the root" 64 'inventory: cannot look at "/none"'
run "$hello" -i ''
told "inventory: an empty path" 64 'the path is empty'
run "$hello" -i inventory/producton
told "inventory: misspelt" 64 'did you mean "production"'
echo a >"$work/inv/open.ini"
chmod 666 "$work/inv/open.ini"
run "$hello" -i "$work/inv"
told "inventory: anybody may write to it" 6 "error: inventory $work/inv/open.ini: everybody"
rm "$work/inv/open.ini"
run "$play" -i "$work/inv"
told "inventory: no cluster in it" 64 'the inventory names no cluster'

# ---- platrun.conf ----

conf() { # TITLE PATTERN < the file
    mkdir -p "$work/conf"
    cp "$hello" "$work/conf/hello.lua"
    cat >"$work/conf/platrun.conf"
    run "$work/conf/hello.lua"
    told "configuration: $1" 1 "^error: $work/conf/platrun.conf:$2"
}

conf "broken YAML" '2:1: did not find' <<<'inventory: [a'
conf "an unknown key" '1: unknown key "inventry" \(did you mean "inventory"' <<<'inventry: a'
conf "a mapping for a path" '1: inventory: expected a path' <<<'inventory: {a: b}'
conf "a list" '1: expected lines of KEY: VALUE' <<<'- a'
echo 'inventory: x' >"$work/conf/platrun.conf"
chmod 666 "$work/conf/platrun.conf"
run "$work/conf/hello.lua"
told "configuration: anybody may write to it" 6 'everybody may write'
run "$hello" --config /none
told "configuration: missing" 64 'configuration: cannot read "/none"'

# ---- more than a person wants to see ----

echo 'return { summary = "x", risk = "safe", run = function() error("here") end }' >"$work/v.lua"
run "$work/v.lua" --sandbox -vvv
expect "-vvv shows the traceback" 1 '' 'stack traceback'

done_testing
