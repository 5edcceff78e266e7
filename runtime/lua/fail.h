/* The world's failures as Lua values: nil, { kind=, op=, msg=, code= }. */
#pragma once

#include <lua.h>

struct plat_err;

/* Pushes nil and the error table; returns 2, so that `return plat_fail(L, &err)` ends a binding. */
int plat_fail(lua_State *L, const struct plat_err *err);

/* Pushes the error table alone. */
void plat_push_err(lua_State *L, const struct plat_err *err);
