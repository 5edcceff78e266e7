--- The text that a login shell is given so that a command there ends with whoever asked for it.
---
--- The command keeps the process that sshd started: its status and its signal arrive as they are.
--- Beside it a shell of ours, the leash, reads the channel's input, on which nothing comes: its end
--- says that platrun has cancelled, died or lost the connection, and then the group is ended (TERM,
--- 5 seconds later KILL). It ends when the command has ended as well; then sshd has reaped the
--- command before it closes the input, and so nothing is signalled that was left behind on purpose.
---
--- Two forks make the leash nobody's child: a `wait` of the command must not wait for it.

local hash = require("prim.hash")
local list = require("plat.list")

local M = {}

local WATCH = "read -r x <&3; kill -0 $$ && { kill -s TERM 0; sleep 5; kill -s KILL 0; }"

local function leash(before)
  return '( ( trap "" HUP INT TERM; exec >/dev/null 2>&1; ' .. before .. WATCH .. " ) & );"
end

local PLAIN = "exec 3<&0 </dev/null; " .. leash("") .. " exec 3<&-; "

--- Login shells that read the text as it is meant; others are only asked to run sh. ksh93 makes no
--- process of an outer subshell, and so its `wait` would wait for the leash.
local POSIX = { bash = true, dash = true, ash = true, sh = true, mksh = true, zsh = true }

--- How much input waits in a pipe without anybody reading it, on every kernel in use: the leash is
--- watched then, although the command has not read its input.
M.PIPE = 32 * 1024

--- Returns a word of a POSIX shell.
---@param word string
---@return string
function M.quote(word)
  return "'" .. word:gsub("'", "'\\''") .. "'"
end

--- Returns whether a login shell of this name is given texts directly.
---@param shell string? "bash"
---@return boolean
function M.is_posix(shell)
  return POSIX[shell] == true
end

--- What a shell can do and no program: without a process of its own.
local BUILTIN = {}
for word in
  (
    ". : alias bg break cd command continue eval exec exit export fg getopts hash jobs local read"
    .. " readonly return set shift source times trap type ulimit umask unalias unset wait"
  ):gmatch("%S+")
do
  BUILTIN[word] = true
end

--- Returns a text that runs another one in a folder, with variables.
---@param text string
---@param opts { cwd: string?, env: table<string, string|false>?, effect: string?, argv: string[]? }
---  argv: the text is this program's words alone: it takes the shell's place
---@return string
function M.compose(text, opts)
  local words = {}
  if opts.effect then -- so that a later process can see whether it still runs
    words[1] = "export PLATRUN_EFFECT=" .. M.quote(opts.effect) .. "; "
  end
  for _, name in ipairs(opts.env and list.keys(opts.env) or {}) do
    local value = opts.env[name]
    words[#words + 1] = value and ("export %s=%s; "):format(name, M.quote(value))
      or ("unset %s; "):format(name)
  end
  if opts.cwd then
    words[#words + 1] = ("cd -- %s || exit; "):format(M.quote(opts.cwd))
  end
  if opts.argv and not BUILTIN[opts.argv[1]] and not opts.argv[1]:find("=", 1, true) then
    words[#words + 1] = "exec "
  end
  return table.concat(words) .. text
end

--- Returns the text for a POSIX login shell, for a command without input.
---@param text string
---@return string
function M.direct(text)
  return PLAIN .. text
end

--- Returns a word for any login shell, csh and fish too: no newline, backslash, `!` or quote is in
--- it any more. True: it is for printf, which makes the text of it.
local function word_of(text)
  if not text:find("[\n\\!']") then
    return "'" .. text .. "'", false
  end
  local safe = text:gsub("[%c\\!'%%]", function(c)
    return c == "%" and "%%" or ("\\%03o"):format(c:byte())
  end)
  return "'" .. safe .. "'", true
end

--- Input that is small enough for a pipe: the leash passes it on first. The pipe is
--- a named one, because the command must keep its process.
local function piped(path, size)
  return table.concat({
    ('p_f=%s; mkfifo -m 600 "$p_f" || exit 71; '):format(path),
    'exec 3<&0 4<>"$p_f" 5>"$p_f" <"$p_f"; rm -f "$p_f"; exec 4<&-; BEGUN; ',
    leash(("head -c %d <&3 >&5; exec 5>&-; "):format(size)),
    " exec 3<&- 5>&-; ",
  })
end

--- Any other input is in a file without a name before the command begins: so the leash is watched
--- while it runs, and an input that was cut off is never taken for a whole one.
local function spooled(path, size)
  return table.concat({
    ('p_f=%s; ( umask 077; : >"$p_f" ) || exit 71; '):format(path),
    'exec 3<&0 4>"$p_f" 5<"$p_f" <"$p_f"; rm -f "$p_f"; ',
    ("head -c %d <&3 >&4 || exit 71; exec 4>&-; "):format(size),
    ('[ "$(wc -c <&5)" -eq %d ] || exit 72; exec 5<&-; '):format(size),
    "BEGUN; " .. leash("") .. " exec 3<&-; ",
  })
end

local function input_of(token, size)
  if not size then
    return "exec 3<&0 </dev/null; BEGUN; " .. leash("") .. " exec 3<&-; "
  end
  local path = ('"${TMPDIR:-/tmp}/.platrun-%s"'):format(token)
  return (size <= M.PIPE and piped or spooled)(path, size)
end

local LOGIN =
  "case ${SHELL##*/} in bash|dash|ash|sh|ksh|ksh93|mksh|zsh) p_s=$SHELL;; *) p_s=sh;; esac; "

---@class plat.host.Marked for any login shell: `sh -c SCRIPT sh WORD`
---@field script string
---@field word string
---@field token string what it prints on stderr when the command begins

--- Returns what sh is given so that it says when the command begins.
---@param text string
---@param opts { size: integer?, skip: boolean?, tty: boolean?, login: boolean? }
---  size: of the input; skip: lines may come before the input, up to one with the token; login: by
---  the login shell, if that is a POSIX one
---@return plat.host.Marked
function M.marked(text, opts)
  local token = hash.random(16):gsub(".", function(c)
    return ("%02x"):format(c:byte())
  end)
  local word, coded = word_of(text)
  local begun = ('echo "%s ${SHELL##*/}" >&2'):format(token)
  local script = {
    opts.skip and ('while read -r p_x && [ "$p_x" != %s ]; do :; done; '):format(token) or "",
    opts.tty and "stty -echo -opost; " or "",
    (input_of(token, opts.size):gsub("BEGUN", function()
      return begun
    end)),
    coded and 'p_t=$(printf "$1."); ' or "",
    opts.login and LOGIN or "p_s=sh; ",
    coded and 'exec "$p_s" -c "${p_t%.}"' or 'exec "$p_s" -c "$1"',
  }
  return { script = "'" .. table.concat(script) .. "'", word = word, token = token }
end

--- Takes the mark out of what a command has printed, with what stood before it.
---@param text string
---@param token string
---@return string text what the command has printed
---@return string? shell the name of the login shell; nil: the command never began
---@return string before what others said before it began
function M.unmark(text, token)
  local first, last, shell = text:find(token .. " ([^\r\n]*)\r?\n")
  if not first then
    return text, nil, text
  end
  return text:sub(last + 1), shell, text:sub(1, first - 1)
end

return M
