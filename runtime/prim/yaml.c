/* prim.yaml: YAML text to plain data and back.  Parsing is libyaml's, meaning and writing ours. */
#include "prim/yaml.h"

#include <lauxlib.h>

#include "base/banned.h"

static const luaL_Reg functions[] = {
    { "decode", plat_yaml_decode },
    { "encode", plat_yaml_encode },
    { NULL, NULL },
};

int luaopen_prim_yaml(lua_State *L);

int luaopen_prim_yaml(lua_State *L)
{
    plat_yaml_decode_open(L);
    plat_yaml_encode_open(L);
    luaL_newlib(L, functions);
    return 1;
}
