/* Private to prim.json: the two halves of json.c. */
#pragma once

#include <lua.h>

int plat_json_decode(lua_State *L);  /* decode(text, opts?) -> value | nil, err */
int plat_json_encode(lua_State *L);  /* encode(value, opts?) -> text */
int plat_json_encoder(lua_State *L); /* encoder(opts?) -> encode with them, for much to write */

/* Registers the metatables of the boxes that own C memory while Lua may raise. */
void plat_json_decode_open(lua_State *L);
void plat_json_encode_open(lua_State *L);
