---@meta prim.ssh

local M = {}

---@class prim.ssh.ConnectOptions
---@field host string a name or an address
---@field port? integer 22
---@field host_keys? string types in the order wanted, "ssh-ed25519,ecdsa-sha2-nistp256"
---@field kex? string key exchanges in the order wanted; `ciphers` and `macs` likewise
---@field ciphers? string
---@field macs? string
---@field family? "inet"|"inet6"|"any" of the addresses that are tried
---@field via? prim.ssh.Session connects from there: a session that is logged in (ProxyJump)
---@field proxy? string the way is stdin and stdout of this command, run by $SHELL (ProxyCommand)
---@field connect_timeout? number seconds for the name and all its addresses, 10
---@field handshake_timeout? number seconds for the banner and the key exchange, 15
---@field alive_interval? number seconds of silence until the server is asked for a sign, 30
---@field alive_count? integer questions without an answer until the session is lost, 3

---@class prim.ssh.AuthOptions
---@field method "none"|"password"|"keyboard-interactive"|"publickey"|"agent"|"offer"
---@field user string
---@field password? string|plat.Secret of "password", and the answer to the first hidden question
---@field key? prim.ssh.Key of "publickey"
---@field agent? string path of the agent's socket
---@field blob? string the public key that the agent shall use, or that "offer" asks about
---@field certificate? string of the key: sent instead of its public half
---@field rsa_sha256? boolean RSA keys sign with SHA-256 instead of SHA-512
---@field timeout? number seconds, 60

---@class prim.ssh.ExecOptions
---@field stdin? string|plat.Secret sent, then closed; default: nothing
---@field leash? boolean the input does not end before the channel is closed or the connection lost
---@field pty? boolean on a terminal: all is `stdout`, and a cancel is a hangup for the command
---@field max_output? integer ceiling of each stream, 16 MiB
---@field timeout? number seconds; then the channel is closed, and the error is kind `timeout`

---@class prim.ssh.OpenOptions: prim.ssh.ExecOptions
---@field input? boolean the input goes on after `stdin`, by `write`, until `finish`

---@class prim.ssh.Output
---@field code integer exit status; 128 when a signal ended it
---@field signal? string "SIGKILL"
---@field stdout string
---@field stderr string

---@class prim.ssh.Session one connection, closed by `<close>`; once lost it stays lost
local Session = {}

---@class prim.ssh.Command a command, subsystem or connection in pieces, given up by `<close>`
local Command = {}

---@class prim.ssh.Sftp files over a session, any number of requests at once; closed by `<close>`
local Sftp = {}

---@class prim.ssh.SftpFile a file or directory that is open, closed by `<close>`
local SftpFile = {}

---@class prim.ssh.SftpAttrs what the server tells
---@field type? string as prim.fs has it
---@field size? integer
---@field mode? integer permission bits
---@field uid? integer
---@field gid? integer
---@field atime? integer unix seconds
---@field mtime? integer

---@class prim.ssh.ForwardOptions
---@field unix? string path of a unix socket there
---@field host? string of a host as the server knows it, with `port`
---@field port? integer
---@field listen? string path of the unix socket here; default: a free port of 127.0.0.1

---@class prim.ssh.Forward a listener here, ended by `<close>` or with its session
local Forward = {}

---@class prim.ssh.Key a private key, for any number of sessions
local Key = {}

--- Connects, up to the point where the server's key is known. An error has `mismatch` where the
--- server and we have nothing in common: "cipher", "MAC", "key exchange", "type of host key"; its
--- code is -2 where the server is full, or goes away without a word.
---@async
---@param opts prim.ssh.ConnectOptions
---@return prim.ssh.Session? session
---@return table? err
function M.connect(opts) end

--- Reads a private key in OpenSSH's format or PEM. An error of kind `auth`: the passphrase is
--- missing or wrong.
---@async
---@param text string|plat.Secret
---@param passphrase? string|plat.Secret
---@return prim.ssh.Key? key
---@return table? err
function M.key(text, passphrase) end

--- Lists the public keys that an agent holds.
---@async
---@param path string of its socket
---@return { blob: string, comment: string }[]? keys
---@return table? err
function M.agent_keys(path) end

--- Returns what may be negotiated, with commas between: what libssh2 has and is sound, best first.
---@return { kex: string, host_keys: string, ciphers: string, macs: string }
function M.algorithms() end

--- Returns the version of libssh2 that is in use.
---@return string
function M.version() end

--- Returns the server's public key as it goes over the wire.
---@return string? blob
---@return table? err
function Session:host_key() end

--- Says that the host key is the right one: before, `auth` refuses.
function Session:trust() end

--- Returns why it is lost; nil: it is not.
---@return table? err
function Session:lost() end

--- Returns the server's first line, "SSH-2.0-OpenSSH_9.2p1".
---@return string? banner
function Session:banner() end

--- Returns what the server has said for people to read while we log in, as lines: its banner, why
--- an account may not log in. Empty: nothing.
---@return string
function Session:notice() end

--- Gives a variable to all commands that begin after this, where the server takes it (AcceptEnv).
--- Each costs a command one round trip.
---@param name string
---@param value string
function Session:setenv(name, value) end

--- Makes one attempt to log in. After an error of kind `auth` another may follow. The error has
--- `methods`, what the server takes from now on; `partial`: this was right, and the server wants
--- one of `methods` as well; `key_taken`: the server knows the key (which is all that "offer"
--- asks), and refused what followed; `answered`: a question got the password; `question`: what the
--- server asked and nobody answered.
---@async
---@param opts prim.ssh.AuthOptions
---@return true? ok
---@return table? err
function Session:auth(opts) end

--- Runs a command by the login shell, at most eight at once: more wait. An error has `sent` (the
--- server may have begun the command) and what came of `stdout` and `stderr`. A command that is
--- cancelled is not told so by the server.
---@async
---@param command string|plat.Secret
---@param opts? prim.ssh.ExecOptions
---@return prim.ssh.Output? output
---@return table? err
function Session:exec(command, opts) end

--- Starts a command whose output is read in pieces; `timeout` does not count. Nobody reads: the
--- server waits, after `max_output` (256 KiB) of each stream and its window of 2 MiB.
---@param command string|plat.Secret
---@param opts? prim.ssh.OpenOptions
---@return prim.ssh.Command? command
---@return table? err
function Session:open(command, opts) end

--- Starts a subsystem, "sftp"; waits until the server has agreed. Its input ends by `finish`.
---@async
---@param name string
---@return prim.ssh.Command? subsystem
---@return table? err of kind `refused`: the server has none
function Session:subsystem(name) end

--- Opens SFTP; waits until the server has said what it can do. Its channel is given to a command
--- that waits for one, when nothing is open: then `failed` says so, and another is opened.
---@async
---@return prim.ssh.Sftp? sftp
---@return table? err of kind `refused`: the server has none
function Session:sftp() end

--- Connects from the server to a host and port; waits until it is done. Connections do not count
--- for the eight commands at once. `read` gives nil when the other side has ended; `finish`
--- ends ours; there is no status.
---@async
---@param host string a name or an address, as the server knows it
---@param port integer
---@return prim.ssh.Command? connection
---@return table? err of kind `refused`; `code` 1: the server forbids it, 2: it could not
function Session:tcp(host, port) end

--- Connects from the server to a unix socket there; all else is as for `tcp`.
---@async
---@param path string
---@return prim.ssh.Command? connection
---@return table? err
function Session:unix(path) end

--- Waits for output; nil at the end of the command, or of what a connection receives.
---@async
---@return string? chunk
---@return "stdout"|"stderr"|table? which or err
function Command:read() end

--- Sends input; waits until all of it is on its way, so long as the server takes no more. A write
--- that is cancelled may have sent a part: no other may follow it.
---@async
---@param data string|plat.Secret
---@return true? ok
---@return table? err of kind `io`: the command has ended
function Command:write(data) end

--- Ends the input, after what is being written. Output goes on. Twice is fine.
function Command:finish() end

--- Listens here for connections, and carries each to a socket there, with both halves and
--- back-pressure; 256 at once, more wait.
---@param opts prim.ssh.ForwardOptions
---@return prim.ssh.Forward? forward
---@return table? err
function Session:forward(opts) end

--- Returns the port here.
---@return integer? port nil: it is a unix socket
function Forward:port() end

--- Returns why the last connection failed that did; nil: none has.
---@return table? err
function Forward:problem() end

--- Ends the listener and the connections through it. Twice is fine.
function Forward:close() end

--- Returns how it ended; nil before.
---@return { code: integer, signal: string? }? status
---@return table? err
function Command:status() end

--- Returns whether the server may have begun it.
---@return boolean
function Command:sent() end

--- Gives the command up: closes its channel. Twice is fine.
function Command:close() end

--- Ends the session and what runs in it. Twice is fine.
function Session:close() end

--- Asks for one thing: `"stat"`, `"lstat"` give attributes; `"realpath"`, `"readlink"` a path;
--- `"space"` the bytes that are free; `"open"` (with `{ read, write, create, truncate, exclusive,
--- mode }`) and `"opendir"` a file; `"setstat"` and `"mkdir"` take attributes; `"rename"` (never
--- replaces), `"rename_over"` and `"link"` the other path; `"remove"`, `"rmdir"` nothing. An error
--- of kind `io` is the server's answer; its `code` is an errno, where SFTP has one: 2, 13, 95.
---@async
---@param what string
---@param path string
---@param more? string|table
---@return any result true where there is none
---@return table? err
function Sftp:ask(what, path, more) end

--- Returns what the server offers beyond the protocol.
---@return { rename_over: boolean, sync: boolean, space: boolean, link: boolean }
function Sftp:offers() end

--- Returns why it cannot be used any more; nil: it can.
---@return table? err
function Sftp:failed() end

--- Ends it, and what is under way. Twice is fine.
function Sftp:close() end

--- Asks for one thing: `"stat"`, `"setstat"` (with attributes), `"readdir"` (the next names with
--- their attributes, none at the end), `"sync"`, `"close"`.
---@async
---@param what string
---@param attrs? table
---@return any result
---@return table? err
function SftpFile:ask(what, attrs) end

--- Sends all of a text, or of the local file `from`, at constant memory.
---@async
---@param content string|plat.Secret|{ from: string }
---@return integer? size
---@return table? err
function SftpFile:put(content) end

--- Fetches all of it: its content, at most `max` (64 MiB), or into the new local file `to`. A right
--- guess of the size (`expect`) saves a round trip.
---@async
---@param opts { max?: integer, expect?: integer, to?: string, mode?: integer } mode of `to`
---@return string|integer|nil content or the size of `to`
---@return table? err
function SftpFile:get(opts) end

--- Returns "ssh-ed25519", "ssh-rsa", "ecdsa-sha2-nistp256".
---@return string
function Key:type() end

--- Returns the public half as it goes over the wire.
---@return string
function Key:blob() end

return M
