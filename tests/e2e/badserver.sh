#!/usr/bin/env bash
# Servers that are down, are somebody else, break off or never end, and credentials that cannot be
# used: each is told in one line, nothing is changed, and no traceback is shown.
. "$(dirname "$0")/lib.sh"
. tests/e2e/badinput/told.sh

# ---- certificates ----

tls=$work/tls
mkdir "$tls"
issue() { # NAME SUBJECT [openssl ca arguments...]: a certificate of the authority "ca"
    local name=$1 subject=$2
    shift 2
    openssl req -newkey rsa:2048 -nodes -subj "$subject" -keyout "$tls/$name.key" -out "$tls/req"
    openssl ca -batch -config "$tls/ca.conf" -in "$tls/req" -out "$tls/$name.crt" "$@"
}
cat >"$tls/ca.conf" <<CONF
[ca]
default_ca = it
[it]
dir = $tls
database = $tls/index
rand_serial = yes
new_certs_dir = $tls
certificate = $tls/ca.crt
private_key = $tls/ca.key
default_md = sha256
default_days = 30
policy = any
unique_subject = no
[any]
commonName = supplied
[server]
subjectAltName = DNS:localhost
CONF
{
    : >"$tls/index"
    for name in ca other; do
        openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj "/CN=$name" \
            -keyout "$tls/$name.key" -out "$tls/$name.crt"
    done
    issue server /CN=localhost -extensions server
    issue jane /CN=jane
    issue expired /CN=jane -startdate 20200101000000Z -enddate 20200201000000Z
    issue future /CN=jane -startdate 20400101000000Z -enddate 20410101000000Z
} 2>"$tls/log" >&2 || {
    cat "$tls/log"
    exit 1
}

# ---- two servers, without and with TLS; both end with this script's descriptors ----

requests=$work/requests
: >"$requests"
serve() { # ARGUMENTS...: prints nothing; sets $port
    mkfifo "$work/ask" "$work/port"
    python3 tests/e2e/badinput/server.py "$requests" "$@" <"$work/ask" >"$work/port" &
    # shellcheck disable=SC2034 # open until the end of this script
    exec {hold}>"$work/ask"
    read -r port <"$work/port"
    rm "$work/ask" "$work/port"
}
serve
plain=http://127.0.0.1:$port plain_port=$port
serve "$tls/server.crt" "$tls/server.key"
secure=https://localhost:$port secure_port=$port

# ---- the runs ----

cat >"$work/scale.lua" <<'LUA'
local k8s = require("plat.k8s")
return { summary = "Scale web", risk = "safe", run = function(run)
  local web = k8s.connect(run:cluster().kubernetes):stateful_set("data-platform", "web")
  local n = web:get().replicas
  run:step("grow", {}, function() web:scale(n + 1) end)
end }
LUA
cat >"$work/list.lua" <<'LUA'
local k8s = require("plat.k8s")
return { summary = "No pods, then grow", risk = "safe", run = function(run)
  local api = k8s.connect(run:cluster().kubernetes)
  run:guard("no pods", function() return #api:list("pod", "data-platform") == 0 end)
  run:step("grow", {}, function() api:scale("sts", "data-platform", "web", 9) end)
end }
LUA
cat >"$work/count.lua" <<'LUA'
local dremio = require("plat.dremio")
return { summary = "Count executors", risk = "safe", run = function(run)
  run:log("%d executors", #dremio.connect(run:cluster().dremio):executors())
end }
LUA

inventory() { # KUBERNETES [DREMIO]: flow mappings' insides
    inv=$(mktemp -d "$work/inv.XXXX")
    printf 'platrun:\n  clusters: {main: {namespace: data-platform, kubernetes: {%s}}}\n' "$1" \
        >"$inv/platform.yaml"
    [ -z "${2-}" ] || printf '  dremio: {main: {%s}}\n' "$2" >>"$inv/platform.yaml"
}

k8s() { # TITLE STATUS PATTERN KUBERNETES [FLAGS...]
    local title=$1 want=$2 pattern=$3
    inventory "$4"
    shift 4
    run -i "$inv" "$work/scale.lua" "$@"
    told "$title" "$want" "^failed: cluster main: .*$pattern"
}

dremio() { # TITLE STATUS PATTERN DREMIO
    inventory "server: $plain/html" "$4"
    run -i "$inv" "$work/count.lua"
    told "dremio: $1" "$2" "^failed: dremio main: .*$3"
}

# Those that are asked again take seconds: they run beside the rest.
start() { # NAME KUBERNETES
    inventory "$2"
    {
        "$platrun" -i "$inv" "$work/scale.lua" >"$work/$1.out" 2>"$work/$1.err" </dev/null
        echo $? >"$work/$1.status"
    } &
}
finish() { # NAME TITLE STATUS PATTERN
    wait_until 60 test -s "$work/$1.status"
    status=$(cat "$work/$1.status") out=$(cat "$work/$1.out") err=$(cat "$work/$1.err")
    told "$2" "$3" "^failed: cluster main: .*$4"
}
start refused "server: 'http://127.0.0.1:1'"
start silent "server: $plain/silent"
start html503 "server: $plain/html503"
start notls "server: 'https://127.0.0.1:$plain_port'"

# ---- servers ----

object='k8s.get statefulset data-platform/web: '
stranger="${object}[0-9]+: this is not a Kubernetes API server: it answered with"
k8s "a web page" 1 "$stranger a web page \\(\"Sign in\"\\)" "server: $plain/html"
k8s "a redirect to a login page" 1 "$stranger" "server: $plain/redirect"
k8s "an array" 1 "$stranger \\[1, 2\\]" "server: $plain/array"
k8s "another program's JSON" 1 "$stranger \\{\"hello\"" "server: $plain/other"
k8s "an empty answer" 1 "$stranger an empty body" "server: $plain/empty"
k8s "bytes" 1 "$stranger 1024 bytes that are no text" "server: $plain/binary"
k8s "half a JSON" 1 "the answer is not whole JSON: line 1 column 56" "server: $plain/half"
k8s "JSON without an end to its depth" 1 "not whole JSON: .*deeper than" "server: $plain/deep"
k8s "a plain 404" 2 "404 Not Found: 404 page not found" "server: $plain/text404"
k8s "a body that is cut" 2 "body ended after 56 of 4000 bytes" "server: $plain/short"
k8s "a chunked body that is cut" 2 "body ended after 56 bytes, before" "server: $plain/chunked"
k8s "a length that lies" 2 "body ended after 56 of 99999999999999" "server: $plain/lying"
k8s "an answer that ends in its headers" 2 "ended inside its headers" "server: $plain/headless"
k8s "garbage" 2 "the answer is not HTTP" "server: $plain/garbage"
k8s "an SSH server" 2 "the answer is not HTTP" "server: $plain/ssh"
k8s "credentials that are not accepted" 2 "401 Unauthorized" "server: $plain/401"
k8s "a right that is missing" 2 "403 Forbidden: user \"ada\" cannot get" "server: $plain/403"
check "and how to get it" grep -q 'kubectl create role .*--verb=get' <<<"$err"
k8s "an error inside the API server" 2 "500 .*etcdserver" "server: $plain/500"
k8s "a name that does not exist" 4 'cannot resolve "none.invalid"' "server: 'https://none.invalid'"
k8s "a port that cannot be" 1 "host:99999: no such port" "server: 'https://host:99999'"
for mode in other pod; do
    inventory "server: $plain/$mode"
    run -i "$inv" "$work/list.lua"
    told "no list is not an empty list ($mode)" 6 'because: .*not a Kubernetes API server'
done
inventory "server: $plain/half"
run -i "$inv" "$work/scale.lua" --cron
told "with --cron" 1 'failed: cluster main: .*not whole JSON'
run -i "$inv" "$work/scale.lua" -o json
expect "with -o json" 1
check "the document is whole" jq empty "$work/out"
check "and tells it" grep -q 'the answer is not whole JSON' "$work/out"

old=$platrun
platrun=$work/limited # a quarter of a GiB for everything
printf '#!/bin/sh\nulimit -v 262144\nexec "%s" "$@"\n' "$old" >"$platrun"
chmod +x "$platrun"
began=$SECONDS
k8s "a body without an end" 2 "body over 64 MiB" "server: $plain/endless"
check "is left early" test $((SECONDS - began)) -lt 20
platrun=$old
hint=no
for mode in drip hang; do
    inventory "server: $plain/$mode"
    run -i "$inv" "$work/scale.lua" --deadline 300ms
    told "a body that never comes to its end ($mode)" 124 'the run.*300 ?ms|the run.*0\.3'
done
unset hint

# ---- TLS ----

ca="ca: $tls/ca.crt"
k8s "an authority that is not known" 4 "signed by a CA that is not" "server: $secure/html"
k8s "another authority" 4 "signed by a CA that is not" "server: $secure/html, ca: $tls/other.crt"
k8s "a certificate for another name" 4 "for another name: not for 127.0.0.1" \
    "server: 'https://127.0.0.1:$secure_port/html', $ca"
k8s "the right authority" 1 "$stranger a web page" "server: $secure/html, $ca"
k8s "an authority's file that is missing" 1 "certificate-authority: cannot read \"$tls/none\"" \
    "server: $secure/html, ca: $tls/none"
k8s "an authority's file that is none" 1 "$work/scale.lua is not a PEM certificate" \
    "server: $secure/html, ca: $work/scale.lua"
k8s "a client certificate without a key" 1 "a client certificate without a key" \
    "server: $secure/html, $ca, cert: $tls/jane.crt"
k8s "a key of another certificate" 1 "client certificate or its key cannot be used" \
    "server: $secure/html, $ca, cert: $tls/jane.crt, key: $tls/other.key"
k8s "a client certificate that has expired" 1 "in $tls/expired.crt expired on 2020-02-01" \
    "server: $secure/html, $ca, cert: $tls/expired.crt, key: $tls/expired.key"
k8s "a client certificate of the future" 1 "is not valid before 2040-01-01" \
    "server: $secure/html, $ca, cert: $tls/future.crt, key: $tls/future.key"
k8s "a token's file that is missing" 1 "token file: cannot read \"$tls/none\"" \
    "server: $secure/html, $ca, token_file: $tls/none"
: >"$tls/empty"
k8s "a token's file that is empty" 1 "token file $tls/empty is empty" \
    "server: $secure/html, $ca, token_file: $tls/empty"

# ---- kubeconfigs ----

kubeconfig() { # TITLE STATUS PATTERN [CONTEXT] < the file; "KC" in the pattern is its path
    cat >"$work/kubeconfig"
    inventory "kubeconfig: $work/kubeconfig${4:+, context: $4}"
    run -i "$inv" "$work/scale.lua"
    told "kubeconfig: $1" "$2" "^failed: .*${3//KC/$work/kubeconfig}"
}

inventory "kubeconfig: $work/none"
run -i "$inv" "$work/scale.lua"
told "kubeconfig: missing" 1 "^failed: k8s.kubeconfig: cannot read \"$work/none\""
kubeconfig "broken YAML" 1 'KC:4:1: did not find' <<<$'kind: Config\nclusters: [a\n'
kubeconfig "a manifest" 1 'KC:2: kind is "Pod"' <<<$'apiVersion: v1\nkind: Pod'
kubeconfig "empty" 1 'KC names no current-context' </dev/null
good=$(
    cat <<YAML
kind: Config
clusters: [{name: c, cluster: {server: "$plain/html"}}]
users: [{name: jane, user: {}}]
contexts: [{name: blue, context: {cluster: c, user: jane}}]
YAML
)
kubeconfig "no current-context" 1 'KC names no current-context' <<<"$good"
kubeconfig "an unknown context" 1 'no context "bleu" in KC' bleu <<<"$good"
kubeconfig "an unknown cluster" 1 'no cluster "c" in KC' blue <<<"${good/name: c,/name: d,}"
kubeconfig "an unknown user" 1 'no user "jane" in KC' blue <<<"${good/name: jane,/name: joe,}"
kubeconfig "no server" 1 'cluster "c" of KC has no server' blue <<<"${good/server/sever}"
kubeconfig "data that is not base64" 1 'certificate-authority-data in KC is not base64' blue \
    <<<"${good/server:/certificate-authority-data: a*a, server:}"
kubeconfig "data that is no certificate" 1 'certificate-authority in KC is not a PEM' blue \
    <<<"${good/server:/certificate-authority-data: aGVsbG8=, server:}"
dates="client-certificate-data: $(base64 -w0 "$tls/expired.crt")"
dates+=", client-key-data: $(base64 -w0 "$tls/expired.key")"
kubeconfig "a certificate that has expired" 1 'of user jane in KC expired on 2020-02-01' blue \
    <<<"${good/user: \{\}/user: \{$dates\}}"
chmod 666 "$work/kubeconfig"
inventory "kubeconfig: $work/kubeconfig, context: blue"
run -i "$inv" "$work/scale.lua"
told "kubeconfig: anybody may write to it" 6 'anybody on this machine may write this kubeconfig'

# ---- Dremio ----

who="user: platrun, password: x"
dremio "a web page" 1 '200: this is not a Dremio coordinator: .*"Sign in"' "url: $plain/html, $who"
dremio "half a JSON" 1 'this is not a Dremio coordinator' "url: $plain/half, $who"
dremio "a plain 404" 2 'HTTP 404: it answered with 404 page not found' "url: $plain/text404, $who"
dremio "a wrong password" 2 'user "platrun" is refused: .*Login failed' \
    "url: $plain/dremio401, $who"
dremio "a coordinator that is down" 2 'HTTP 503: MASTER_DOWN' "url: $plain/dremio503, $who"
dremio "a body without an end" 2 'body over 64 MiB' "url: $plain/endless, $who"
dremio "nobody there" 4 'cannot connect to 127.0.0.1:1: .*refused' "url: 'http://127.0.0.1:1', $who"
dremio "no password" 1 'no password is given' "url: $plain/html, user: a"
dremio "a password's variable that is not set" 1 'password_env: .NONE is not set' \
    "url: $plain/html, user: a, password_env: NONE"
dremio "a password's file that is missing" 1 "password_file: cannot look at \"$tls/none\"" \
    "url: $plain/html, user: a, password_file: $tls/none"
echo secret-word >"$tls/password"
dremio "a password that others can read" 6 'others can read the secret' \
    "url: $plain/html, user: a, password_file: $tls/password"
check "the password is not told" test -z "$(grep -o secret-word <<<"$out$err")"
dremio "a token that others can read" 6 'others can read the secret' \
    "url: $plain/html, token_file: $tls/password"
dremio "an authority's file that is none" 1 "ca_file: $work/scale.lua is not a PEM" \
    "url: $secure/html, ca_file: $work/scale.lua, $who"
inventory "server: $plain/html" "url: $plain/html, $who"
run -i "$inv" playbooks/scale-dremio.lua executors=3
told "scale-dremio: its guard tells why" 6 'because: dremio main: .*not a Dremio coordinator'
inventory "server: $plain/html" "url: 'http://127.0.0.1:1', $who"
run -i "$inv" playbooks/scale-dremio.lua executors=3
told "scale-dremio: nobody there" 4 'because: dremio main: .*connection refused'

# ---- what was asked again ----

finish refused "nobody there" 4 'cannot connect to 127.0.0.1:1: connection refused \(asked 5 times'
check "it counts as unreachable" grep -q 'unreachable=1 failed=0' <<<"$out"
finish silent "a server that hangs up" 4 'closed the connection without an answer \(asked 5 times'
finish html503 "a load balancer without a server" 1 '503: this is not a Kubernetes API server'
finish notls "a server that speaks no TLS" 4 "no connection to 127.0.0.1:$plain_port in 5 s"

check "every server was asked" test "$(wc -l <"$requests")" -ge 40
check "nothing was changed anywhere" test -z \
    "$(grep -vE '^(GET /|POST /[a-z0-9]+/apiv2/login$)' "$requests")"

done_testing
