/*
 * The Lua state of the program: which libraries exist, where `require` looks, what is locked away.
 */
#pragma once

#include <lua.h>

struct plat_loop;

/* A new state on this loop.  stdlib_dir (may be NULL) is looked into before the embedded modules:
 * for developing the stdlib.  NULL: out of memory. */
lua_State *plat_state_new(struct plat_loop *loop, const char *stdlib_dir);

/* Runs require("plat.main") with the arguments as a task and the loop until it ends.
 * Returns the process's exit status. */
int plat_state_main(lua_State *L, int argc, char **argv);
