/* Private to prim.secret: redaction. */
#pragma once

#include <lua.h>

int plat_secret_redact(lua_State *L); /* redact(text) -> text with "***" for every secret in it */
int plat_secret_stream(lua_State *L); /* stream() -> stream */

void plat_secret_stream_open(lua_State *L); /* registers the metatable of streams */
