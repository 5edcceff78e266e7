#include "lua/state.h"

#include <lauxlib.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/loop.h"
#include "lua/alloc.h"
#include "lua/embed.h"
#include "lua/secret.h"
#include "lua/task_impl.h"
#include "lua/watch.h"

#include "base/banned.h"

/* ---- require ---- */

static int by_name(const void *key, const void *item)
{
    return strcmp(key, ((const struct plat_embed *)item)->name);
}

static int search_prim(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);

    for (const luaL_Reg *reg = plat_prims; reg->name; reg++) {
        if (strcmp(reg->name, name) == 0) {
            lua_pushcfunction(L, reg->func);
            lua_pushliteral(L, "prim");
            return 2;
        }
    }
    lua_pushfstring(L, "no primitive '%s'", name);
    return 1;
}

/* plat.a.b in DIR/plat/a/b.lua; upvalue 1 is DIR */
static int search_dir(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);
    const char *dir = lua_tostring(L, lua_upvalueindex(1));
    const char *path = lua_pushfstring(L, "%s/%s.lua", dir, luaL_gsub(L, name, ".", "/"));
    FILE *file = fopen(path, "re");

    if (!file) {
        lua_pushfstring(L, "no file '%s'", path);
        return 1;
    }
    fclose(file);
    if (luaL_loadfilex(L, path, "t"))
        return lua_error(L);
    lua_pushstring(L, path);
    return 2;
}

static int search_embedded(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);
    const struct plat_embed *found =
        bsearch(name, plat_embeds, plat_embeds_n, sizeof(*plat_embeds), by_name);

    if (!found) {
        lua_pushfstring(L, "no module '%s'", name);
        return 1;
    }
    if (luaL_loadbufferx(L, (const char *)found->bytes, found->size, name, "b"))
        return lua_error(L);
    lua_pushfstring(L, "embedded:%s", name);
    return 2;
}

static void set_searchers(lua_State *L, const char *stdlib_dir)
{
    int n = 0;

    lua_getglobal(L, "package");
    lua_newtable(L);
    lua_getfield(L, -2, "searchers");
    lua_rawgeti(L, -1, 1); /* package.preload: for tests that replace a module */
    lua_rawseti(L, -3, ++n);
    lua_pop(L, 1);
    lua_pushcfunction(L, search_prim);
    lua_rawseti(L, -2, ++n);
    if (stdlib_dir) {
        lua_pushstring(L, stdlib_dir);
        lua_pushcclosure(L, search_dir, 1);
        lua_rawseti(L, -2, ++n);
    }
    lua_pushcfunction(L, search_embedded);
    lua_rawseti(L, -2, ++n);
    lua_setfield(L, -2, "searchers");
    lua_pushnil(L);
    lua_setfield(L, -2, "loadlib");
    lua_pushnil(L);
    lua_setfield(L, -2, "searchpath");
    lua_pushliteral(L, "");
    lua_setfield(L, -2, "path");
    lua_pushliteral(L, "");
    lua_setfield(L, -2, "cpath");
    lua_pop(L, 1);
}

/* ---- the environment ---- */

/* load, text only: bytecode can crash the virtual machine */
static int l_load(lua_State *L)
{
    size_t n;
    const char *text = luaL_checklstring(L, 1, &n);
    const char *name = luaL_optstring(L, 2, text);
    bool has_env = !lua_isnone(L, 4);

    if (luaL_loadbufferx(L, text, n, name, "t")) {
        lua_pushnil(L);
        lua_insert(L, -2);
        return 2;
    }
    if (has_env) {
        lua_pushvalue(L, 4);
        if (!lua_setupvalue(L, -2, 1))
            lua_pop(L, 1);
    }
    return 1;
}

static const luaL_Reg libraries[] = {
    { LUA_GNAME, luaopen_base },
    { LUA_LOADLIBNAME, luaopen_package },
    { LUA_COLIBNAME, luaopen_coroutine },
    { LUA_TABLIBNAME, luaopen_table },
    { LUA_STRLIBNAME, luaopen_string },
    { LUA_MATHLIBNAME, luaopen_math },
    { LUA_UTF8LIBNAME, luaopen_utf8 },
    { LUA_DBLIBNAME, luaopen_debug },
    { NULL, NULL },
};

static int open_all(lua_State *L)
{
    const char *stdlib_dir = lua_touserdata(L, 2);

    plat_task_open(L, lua_touserdata(L, 1));
    for (const luaL_Reg *lib = libraries; lib->name; lib++) {
        luaL_requiref(L, lib->name, lib->func, 1);
        lua_pop(L, 1);
    }
    plat_watch_coroutines(L);
    set_searchers(L, stdlib_dir);
    lua_pushcfunction(L, l_load);
    lua_setglobal(L, "load");
    lua_getglobal(L, "require");
    lua_pushliteral(L, "plat.env"); /* the rest of the environment is made in Lua */
    lua_call(L, 1, 0);
    return 0;
}

static void die(lua_State *L, const char *what)
{
    char text[1000];

    snprintf(text, sizeof(text), "%s", luaL_tolstring(L, -1, NULL));
    plat_secret_clean(L, text);
    fprintf(stderr, "platrun: %s: %s\n", what, text);
}

lua_State *plat_state_new(struct plat_loop *loop, const char *stdlib_dir)
{
    lua_State *L = plat_alloc_state();

    if (!L)
        return NULL;
    /* Tasks are many: a generational collector would look at every stack each time. */
    lua_gc(L, LUA_GCINC, 200, 400, 13);
    /* What a run loads stays: the first MB is not searched for garbage. (A step of minus so many
     * KiB is a debt that far below zero.) */
    lua_gc(L, LUA_GCSTEP, -1024);
    lua_pushcfunction(L, open_all);
    lua_pushlightuserdata(L, loop);
    lua_pushlightuserdata(L, (void *)stdlib_dir);
    if (lua_pcall(L, 2, 0, 0)) {
        die(L, "cannot start");
        lua_close(L);
        return NULL;
    }
    return L;
}

/* Loads plat.main and spawns it with the arguments; leaves the task on the stack. */
static int start_main(lua_State *L)
{
    int argc = (int)lua_tointeger(L, 1);
    char **argv = lua_touserdata(L, 2);
    struct plat_runtime *rt = plat_runtime_of(L);

    lua_getglobal(L, "require");
    lua_pushliteral(L, "plat.main");
    lua_call(L, 1, 1);
    lua_createtable(L, argc, 0);
    for (int i = 0; i < argc; i++) {
        lua_pushstring(L, argv[i]);
        lua_rawseti(L, -2, i);
    }
    lua_newtable(L); /* where the task leaves its exit status */
    lua_pushvalue(L, -1);
    lua_insert(L, 1);
    rt->main = plat_task_spawn(L, 2);
    lua_settop(L, 1);
    return 1;
}

int plat_state_main(lua_State *L, int argc, char **argv)
{
    struct plat_runtime *rt = plat_runtime_of(L);
    bool stuck_before = false;
    int status;

    lua_pushcfunction(L, start_main);
    lua_pushinteger(L, argc);
    lua_pushlightuserdata(L, argv);
    if (lua_pcall(L, 2, 1, 0)) {
        die(L, "internal error");
        return 1;
    }
    while (plat_loop_run(rt->loop) == PLAT_LOOP_STUCK) {
        if (stuck_before) {
            fprintf(stderr,
                    "platrun: internal error: cleanup waits for something that nobody does\n");
            return 1;
        }
        stuck_before = true;
        lua_getglobal(L, "require");
        lua_pushliteral(L, "plat.stuck");
        if (lua_pcall(L, 1, 1, 0) || lua_pcall(L, 0, 0, 0)) {
            die(L, "internal error");
            return 1;
        }
    }
    if (rt->fatal[0]) {
        plat_secret_clean(L, rt->fatal);
        fprintf(stderr, "platrun: internal error: %s\n", rt->fatal);
        return 1;
    }
    lua_getfield(L, -1, "status");
    status = (int)lua_tointeger(L, -1);
    lua_pop(L, 2);
    return status;
}
