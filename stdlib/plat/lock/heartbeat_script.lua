--- What the lock of plat.lock.heartbeat asks of a host: one line for a POSIX shell, busybox's too.

local command = require("plat.host.command")
local effect = require("plat.effect")
local hash = require("prim.hash")
local host = require("plat.host")

local M = {}

M.PREFIX = ".platrun-lock-"

-- Arguments: operation, directory, state that was read, token. A login shell that is no sh passes
-- it on as one word: so there is no newline in it.
local LINES = {
  "export LC_ALL=C; umask 022; op=$1; d=$2; from=$3; token=$4; now=$(date +%s) || exit 9;",
  'echo "now $now";',
  "generation() { g=${from#*.}; g=$((${g%%.*} + 1)); };",
  "look() {",
  '[ -d "$1" ] || { if [ -e "$1" ]; then echo other; else echo none; fi; return; };',
  '[ -w "$1" ] || echo "readonly $(ls -ld "$1" | while read -r a b c e; do echo "$c"; done)";',
  'for f in "$1"/held.* "$1"/free.*; do [ -e "$f" ] || continue; f=${f##*/};',
  'echo "state $f"; case $f in held.*) t=${f##*.};',
  'if read -r line <"$1/info.$t"; then echo "info $t $line"; fi;; esac; done;',
  '[ -z "$token" ] || ! read -r line 2>/dev/null <"$1/broken.$token" || echo "broken $line"; };',
  'move() { if mv "$d/$from" "$d/$1" 2>/dev/null; then echo "state $1";',
  "else echo gone; false; fi; };",
  "case $op in",
  'look) look "$d" 2>/dev/null;;',
  'list) for l in "$d"*; do [ -d "$l" ] || continue; echo "lock ${l##*/}"; look "$l" 2>/dev/null;',
  "done;;",
  'take) if [ "$from" = none ]; then from=free.0; n="$d.new.$token";',
  'mkdir "$n" && : >"$n/free.0" || exit 8; mv "$n" "$d" 2>/dev/null;',
  'rm -rf "$n" "$d/${n##*/}"; fi;',
  'cat >"$d/info.$token" || exit 8; now=$(date +%s);',
  'generation; if move "held.$g.$now.$token"; then',
  'case $from in held.*) rm -f "$d/info.${from##*.}";; esac;',
  'else rm -f "$d/info.$token"; fi;;',
  'renew) generation; move "held.$g.$now.$token" || :;;',
  'release) generation; if move "free.$g"; then rm -f "$d/info.$token" "$d"/broken.*; fi;;',
  'break) cat >"$d/broken.$token" || exit 8;',
  'generation; if move "free.$g"; then rm -f "$d/info.$token"; else rm -f "$d/broken.$token"; fi;;',
  "esac; exit 0",
}

local SCRIPT = table.concat(LINES, " ")

--- Returns the words of a question.
---@param op "look"|"list"|"take"|"renew"|"release"|"break"
---@param path string
---@param from string the state that was read
---@param token string
---@return string[]
function M.argv(op, path, from, token)
  return { "sh", "-c", SCRIPT, "platrun-lock", op, path, from, token }
end

--- Returns what tells one taking of a lock from all others.
---@return string
function M.token()
  return (hash.random(8):gsub(".", function(c)
    return ("%02x"):format(c:byte())
  end))
end

--- Runs it on a host.
---@async
---@param where plat.Host
---@param argv string[]
---@param opts { stdin: string?, timeout: number, looks: boolean? }
---@return prim.ssh.Output
function M.perform(where, argv, opts)
  local sent = { stdin = opts.stdin, timeout = opts.timeout }
  local text = host.quote(argv)
  local req = {
    target = "host " .. where.name,
    op = "run:lock",
    object = "sh",
    here = where:is_local(),
    call = {
      verb = "command",
      text = text,
      argv = argv,
      stdin = opts.stdin,
      timeout = opts.timeout,
    },
    perform = function()
      return command.perform(where, text, sent)
    end,
  }
  if opts.looks then
    req.read = "it only looks at a lock"
  else
    req.housekeeping = "the lock of a run: who works on this"
  end
  return effect.remote(req)
end

return M
