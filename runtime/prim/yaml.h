/* Private to prim.yaml: the two halves of yaml.c. */
#pragma once

#include <lua.h>

int plat_yaml_decode(lua_State *L); /* decode(text, opts?) -> documents | nil, err */
int plat_yaml_encode(lua_State *L); /* encode(value, opts?) -> text */

/* Registers the metatables of the boxes that own C memory while Lua may raise. */
void plat_yaml_decode_open(lua_State *L);
void plat_yaml_encode_open(lua_State *L);
