/* Checked fields of an option table at stack index idx.  A missing or nil field gives the default;
 * a wrong type raises "bad option 'name' (number expected, got string)". */
#pragma once

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>

double plat_args_number(lua_State *L, int idx, const char *name, double def);
lua_Integer plat_args_integer(lua_State *L, int idx, const char *name, lua_Integer def);
bool plat_args_bool(lua_State *L, int idx, const char *name, bool def);

/* The string stays valid while the table holds it: copy it if it must survive a wait. */
const char *plat_args_string(lua_State *L, int idx, const char *name, const char *def);

/* The bytes of a string or a secret. */
const char *plat_args_bytes(lua_State *L, int idx, const char *name, const char *def,
                            size_t *ret_len);
