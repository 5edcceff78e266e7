--- What is asked of hosts. `@` stands for a folder of the case's own. A case is a list of commands:
--- one is a list of words, or a table: `argv`, `stdin`, `as` (another user: needs root), and what
--- may differ: `loose` (a list of "stdout", "stderr") or `shape` (numbers and widths).
local cases = {}

--- Makes a case of single commands.
local function case(name, commands)
  cases[name] = commands
end

local LOGIN_SHELL = { "stderr" } -- builtin in some shells, which then name themselves

case("true, false", { { "true" }, { "false" } })
case("echo", { { "echo", "a  b", "c" }, { "echo", "-n", "x" }, { "echo" } })
case("printf", {
  { "printf", "%s|%d\\n", "a b", "7" },
  { "printf", "%s,", "1", "2", "3" },
  { "printf", "100%%\\n" },
})
case("cat", {
  { "cat", "/etc/debian_version/nope" },
  { argv = { "tee", "@/a" }, stdin = "one\ntwo\n" },
  { "cat", "@/a" },
  { "cat", "@/a", "@/missing", "@/a" },
  { argv = { "cat" }, stdin = "in" },
  { argv = { "cat", "@/a", "-" }, stdin = "in" },
  { "cat", "@" },
})
case("tee", {
  { argv = { "tee", "@/a" }, stdin = "1\n" },
  { argv = { "tee", "-a", "@/a" }, stdin = "2\n" },
  { "cat", "@/a" },
  { argv = { "tee", "@/no/x" }, stdin = "3\n" },
  { argv = { "tee", "@" }, stdin = "4\n" },
  { argv = { "tee", "@/b", "@/c" }, stdin = "\0\255\n" },
})
case("head, tail, wc", {
  { argv = { "tee", "@/a" }, stdin = ("x%s\n"):rep(30) },
  { "head", "-n", "2", "@/a" },
  { "head", "@/a" },
  { "head", "-c", "5", "@/a" },
  { "tail", "-n", "2", "@/a" },
  { "tail", "@/a", "-c", "3" },
  { "tail", "-n", "1", "@/a", "@/a" },
  { "head", "-n1", "@/missing" },
  { "tail", "-n1", "@/missing" },
  { "wc", "-l", "@/a" },
  { argv = { "wc", "-c" }, stdin = "12345" },
  { "wc", "-l", "@/missing" },
})
case("grep", {
  { argv = { "tee", "@/a" }, stdin = "max_connections = 10\n# Max\nport = 1\n" },
  { "grep", "max", "@/a" },
  { "grep", "-c", "m", "@/a" },
  { "grep", "-i", "^# max$", "@/a" },
  { "grep", "-v", "max", "@/a" },
  { "grep", "-x", "port = 1", "@/a" },
  { "grep", "-q", "nothing", "@/a" },
  { "grep", "-F", "a.b", "@/a" },
  { "grep", "port", "@/a", "@/a" },
  { "grep", "x", "@/missing" },
  { argv = { "grep", "-q", "y" }, stdin = "x\ny\n" },
})
case("seq", { { "seq", "3" }, { "seq", "2", "4" }, { "seq", "1", "0" } })
case("test: what there is", {
  { argv = { "tee", "@/f" }, stdin = "x" },
  { "touch", "@/empty" },
  { "ln", "-s", "nowhere", "@/l" },
  { "test", "-e", "@/f" },
  { "test", "-e", "@/no" },
  { "test", "-e", "@/l" },
  { "test", "-L", "@/l" },
  { "test", "-f", "@" },
  { "test", "-d", "@" },
  { "test", "-s", "@/empty" },
  { "test", "-s", "@/f" },
  { "test", "-x", "@/f" },
  { "test", "!", "-e", "@/f" },
  { "[", "-f", "@/f", "]" },
})
case("test: words and numbers", {
  { "test", "a", "=", "a" },
  { "test", "a", "!=", "a" },
  { "test", "-z", "" },
  { "test", "-n", "" },
  { "test", "" },
  { "test", "x" },
  { "test" },
  { "test", "2", "-gt", "1" },
  { "test", "2", "-le", "1" },
  { argv = { "test", "x", "-eq", "1" }, loose = LOGIN_SHELL },
})
case("mkdir", {
  { "mkdir", "@/a" },
  { "mkdir", "@/a" },
  { "mkdir", "@/b/c" },
  { "mkdir", "-p", "@/b/c/d" },
  { "mkdir", "-p", "@/b/c/d" },
  { "mkdir", "-m", "0700", "@/m" },
  { "mkdir", "-m", "u=rwx,go=", "@/n" },
  { "mkdir", "-p", "-m", "750", "@/p/q" },
  { "touch", "@/f" },
  { "mkdir", "@/f/x" },
  { "mkdir", "-p", "@/f/x" },
  { "mkdir", "-m", "9", "@/z" },
})
case("rm, rmdir", {
  { "mkdir", "-p", "@/d/e" },
  { "touch", "@/d/x", "@/d/e/y" },
  { "rm", "@/d" },
  { "rmdir", "@/d" },
  { "rm", "@/d/missing" },
  { "rm", "-f", "@/d/missing" },
  { "rm", "@/d/x" },
  { "rmdir", "@/d/e/y" },
  { "rm", "-r", "@/d" },
  { "rmdir", "@/d" },
  { "mkdir", "@/g" },
  { "rmdir", "@/g" },
  { "touch", "@/h" },
  { "rm", "@/h/i" },
})
case("mv", {
  { argv = { "tee", "@/a" }, stdin = "a" },
  { "mv", "@/a", "@/b" },
  { "mv", "@/a", "@/b" },
  { "mkdir", "@/d" },
  { "mv", "@/b", "@/d" },
  { "mv", "@/d", "@/e" },
  { "touch", "@/f" },
  { "mv", "@/f", "@/e/b" },
  { "mv", "@/e/b", "@/no/x" },
  { "mv", "-n", "@/e/b", "@/e/b2" },
  { "mv", "@/e", "@/e/b2" },
  { "mv", "@/e", "@/e/sub" },
  { "mkdir", "-p", "@/x/e" },
  { "mv", "-T", "@/e", "@/x/e" },
})
case("cp", {
  { argv = { "tee", "@/a" }, stdin = "hello\n" },
  { "chmod", "0640", "@/a" },
  { "cp", "@/a", "@/b" },
  { "cp", "-p", "@/a", "@/c" },
  { "cp", "@/missing", "@/d" },
  { "mkdir", "@/d" },
  { "cp", "@/a", "@/d" },
  { "cp", "@/d", "@/e" },
  { "cp", "-r", "@/d", "@/e" },
  { "cp", "-r", "@/d", "@/e" },
  { "ln", "-s", "a", "@/l" },
  { "cp", "@/l", "@/m" },
  { "cp", "-a", "@/l", "@/n" },
  { "cp", "@/a", "@/no/x" },
  { "cp", "@/a", "@/b", "@/nodir" },
})
case("ln, readlink, realpath", {
  { "touch", "@/f" },
  { "ln", "-s", "f", "@/l" },
  { "ln", "-s", "f", "@/l" },
  { "ln", "-sf", "g", "@/l" },
  { "readlink", "@/l" },
  { "readlink", "@/f" },
  { "readlink", "-f", "@/l" },
  { "mkdir", "@/d" },
  { "ln", "-s", "../f", "@/d/up" },
  { "readlink", "-f", "@/d/up" },
  { "realpath", "@/d/../d/up" },
  { "ln", "-s", "loop", "@/loop" },
  { "cat", "@/loop" },
  { "ln", "-s", "d", "@/dl" },
  { "ls", "@/dl" },
  { "ln", "-sfn", "f", "@/dl" },
})
case("touch", {
  { "touch", "@/a", "@/b" },
  { "touch", "-c", "@/c" },
  { "touch", "@/no/x" },
  { "touch", "@" },
})
case("chmod", {
  { "touch", "@/a" },
  { "mkdir", "-p", "@/d/e" },
  { "touch", "@/d/x" },
  { "chmod", "600", "@/a" },
  { "chmod", "u+x,g+r", "@/a" },
  { "chmod", "a-r", "@/a" },
  { "chmod", "+x", "@/a" },
  { "chmod", "go=", "@/a" },
  { "chmod", "1777", "@/d" },
  { "chmod", "-R", "u=rwX,go=rX", "@/d" },
  { "chmod", "4755", "@/a" },
  { "stat", "-c", "%A %a", "@/a", "@/d" },
  { "chmod", "9", "@/a" },
  { "chmod", "600", "@/missing" },
})
case("chown", {
  root = true,
  { "touch", "@/a" },
  { "mkdir", "@/d" },
  { "touch", "@/d/x" },
  { "chown", "nobody", "@/a" },
  { "chown", "nobody:nogroup", "@/a" },
  { "chown", "root:", "@/a" },
  { "chown", ":daemon", "@/a" },
  { "chown", "-R", "daemon:daemon", "@/d" },
  { "chown", "12345:54321", "@/a" },
  { "stat", "-c", "%u %g", "@/a" },
  { "chgrp", "daemon", "@/a" },
  { "chown", "nosuchuser", "@/a" },
  { "chown", "root:nosuchgroup", "@/a" },
  { "chgrp", "nosuchgroup", "@/a" },
  { "chown", "root", "@/missing" },
})
case("what another user may do", {
  root = true,
  { argv = { "tee", "@/secret" }, stdin = "s" },
  { "chmod", "600", "@/secret" },
  { "mkdir", "-m", "700", "@/closed" },
  { "touch", "@/closed/x" },
  { "mkdir", "-m", "1777", "@/open" },
  { "touch", "@/open/roots" },
  { argv = { "cat", "@/secret" }, as = "nobody" },
  { argv = { "ls", "@/closed" }, as = "nobody" },
  { argv = { "cat", "@/closed/x" }, as = "nobody" },
  { argv = { "touch", "@/new" }, as = "nobody" },
  { argv = { "touch", "@/open/mine" }, as = "nobody" },
  { argv = { "rm", "-f", "@/open/roots" }, as = "nobody" },
  { argv = { "mv", "@/open/roots", "@/open/x" }, as = "nobody" },
  { argv = { "chmod", "777", "@/secret" }, as = "nobody" },
  { argv = { "chown", "nobody", "@/secret" }, as = "nobody" },
  { argv = { "mkdir", "@/sub" }, as = "nobody" },
  { argv = { "tee", "@/secret" }, stdin = "t", as = "nobody" },
  { argv = { "cp", "@/secret", "@/open/copy" }, as = "nobody" },
  { argv = { "test", "-r", "@/secret" }, as = "nobody" },
  { argv = { "whoami" }, as = "nobody" },
})
case("stat", {
  { argv = { "tee", "@/a" }, stdin = "12345" },
  { "touch", "@/empty" },
  { "ln", "-s", "a", "@/l" },
  { "stat", "-c", "%a %U:%G %s %F", "@/a" },
  { "stat", "-c", "%F %n", "@/empty", "@/l", "@" },
  { "stat", "-L", "-c", "%F %s", "@/l" },
  { "stat", "-c", "%s%%", "@/a" },
  { "stat", "-c", "%s", "@/missing" },
  { "stat", "-c", "%F", "/dev/null" },
})
case("ls", {
  { "mkdir", "@/d" },
  { "touch", "@/d/b", "@/d/a", "@/d/.hidden", "@/f" },
  { "ls", "@/d" },
  { "ls", "-1", "-A", "@/d" },
  { "ls", "-a", "@/d" },
  { "ls", "-d", "@/d" },
  { "ls", "@/f" },
  { "ls", "@/f", "@/d" },
  { "ls", "@/missing" },
})
case("digests", {
  { argv = { "tee", "@/a" }, stdin = "hello\n" },
  { "sha256sum", "@/a" },
  { "md5sum", "@/a" },
  { "sha1sum", "@/a" },
  { "sha512sum", "@/a" },
  { argv = { "sha256sum" }, stdin = "" },
  { "sha256sum", "@/missing" },
})
case("basename, dirname", {
  { "basename", "/a/b/" },
  { "basename", "b" },
  { "basename", "/" },
  { "dirname", "/a/b/" },
  { "dirname", "b" },
  { "dirname", "/a" },
})
case("df", {
  { argv = { "df", "-P", "/" }, shape = true },
  { argv = { "df", "-P", "-k", "/" }, shape = true },
  { argv = { "df", "-P", "-B1", "/" }, shape = true },
  { "df", "-P", "@/missing" },
})
case("who", {
  { "whoami" },
  { "id", "-u" },
  { "id", "-un" },
  { "id", "-g" },
  { "id", "-gn" },
  { "id", "nobody" },
  { "id", "-u", "daemon" },
  { "id", "nosuchuser" },
  { "getent", "passwd", "nosuchuser" },
  { "getent", "group", "daemon" },
  { "getent", "passwd", "0" },
})
case("the machine", {
  { "uname" },
  { "uname", "-s" },
  { "uname", "-r" },
  { "uname", "-m" },
  { "uname", "-rm" },
  { "uname", "-sn" },
  { "hostname" },
  { "hostname", "-s" },
  { "nproc" },
  { "getconf", "_NPROCESSORS_ONLN" },
  { "getconf", "PAGESIZE" },
  { argv = { "uptime", "-s" }, shape = true },
  { argv = { "cat", "/proc/uptime" }, shape = true },
  { argv = { "cat", "/proc/sys/kernel/random/boot_id" }, shape = true },
  { argv = { "cat", "/sys/devices/system/cpu/online" } },
})
case("date", {
  { "date", "-u", "-d", "@0", "+%Y-%m-%dT%H:%M:%SZ" },
  { "date", "-u", "-d", "@1700000000", "+%F %T %s %a %b %e %j %y" },
  { "date", "-u", "-d", "@1700000000", "+%Z %z" },
  { argv = { "date", "+%s" }, shape = true },
  { argv = { "date", "-u" }, shape = true },
})
case("processes", {
  { argv = { "ps", "-o", "pid=", "-p", "1" }, shape = true }, -- as wide as pid_max has digits
  { argv = { "ps", "-o", "pid,user", "-p", "1" }, shape = true },
  { "ps", "-o", "pid=", "-p", "4194000" },
  { argv = { "ps", "-o", "pid,comm", "-p", "4194000" }, shape = true },
  { "pgrep", "-x", "nosuchprogram" },
  { "pgrep", "-c", "nosuchprogram" },
  { argv = { "kill", "-0", "4194000" }, loose = LOGIN_SHELL },
  { argv = { "kill", "4194000" }, loose = LOGIN_SHELL },
  { "pkill", "-x", "nosuchprogram" },
})
case("packages", {
  { "dpkg-query", "-W", "coreutils" },
  { "dpkg-query", "-W", "-f", "${Package} ${Version} ${Status}\\n", "coreutils" },
  { "dpkg-query", "-W", "-f=${db:Status-Status}", "bash" },
  { "dpkg-query", "-W", "-f=${db:Status-Abbrev}|\\n", "bash" },
  { "dpkg-query", "-W", "nosuchpackage" },
  { argv = { "dpkg", "-s", "nosuchpackage" }, loose = { "stderr" } }, -- it adds advice
  { "apt-cache", "policy", "nosuchpackage" },
  { argv = { "apt-get", "install", "-y", "nosuchpackage" }, loose = { "stdout" }, root = true },
})
case("programs that run others", {
  { "env", "A=1", "echo", "x" },
  { "timeout", "5", "echo", "x" },
  { "nice", "echo", "x" },
  { "sh", "-c", "echo x" },
  { "sh", "-c", "uname -s" },
})
case("temporary files", {
  { argv = { "mktemp", "@/x.XXXXXX" }, random = true },
  { argv = { "mktemp", "-d", "@/d.XXXXXXXX" }, random = true },
  { "mktemp", "@/no/x.XXXXXX" },
})

return cases
