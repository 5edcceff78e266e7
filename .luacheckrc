std = "lua54"
max_line_length = 100
-- Builtins that the runtime adds to playbooks and the standard library.
read_globals = { "try" }
-- `self` is part of a method's signature whether it is used or not.
self = false
exclude_files = { "build" }
files["stdlib/meta"] = { ignore = { "111", "112", "113", "131", "212", "241" } }
files["tests/lua"] = { max_line_length = 120 }
