--- The contract of simulated hosts: each case of `cases` is performed on a model and on this
--- machine, in a temporary folder, and codes, outputs and the files left behind must be the same.
---
---   lua5.4 run.lua model|real [TEXT]     TEXT: only cases with this in their names
---
--- model: over `ansible_connection: local`; real: over a real sshd. The model is compared in both.
local root = arg[0]:match("^(.*)/[^/]*$") or "."
local only = arg[2] and " -k '" .. arg[2]:gsub("'", "'\\''") .. "'" or ""
local env = "LC_ALL=C TZ=UTC" .. (arg[1] == "real" and " PLATRUN_CONTRACT=ssh" or "")
local test = "build/platrun test%s tests/contract/host"
local ok, _, code = os.execute(("cd '%s/../../..' && %s " .. test):format(root, env, only))
os.exit(ok and 0 or code)
