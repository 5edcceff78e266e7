/* Shared by the files of prim.proc. */
#pragma once

#include <lua.h>

#include "io/proc.h"

/* Checks the list of strings at idx and pushes its array of pointers, ended by NULL.  The strings
 * are the list's. */
const char *const *prim_proc_argv(lua_State *L, int idx);

/* Pushes the environment that the options at idx ask for (env, clear_env): the table that holds the
 * strings, then the array of pointers to them. */
const char *const *prim_proc_env(lua_State *L, int opts);
