/* The process and its environment: read only. */
#include <errno.h>
#include <lauxlib.h>
#include <limits.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "lua/embed.h"
#include "lua/fail.h"

#include "base/banned.h"

#ifndef PLATRUN_VERSION
#define PLATRUN_VERSION "unknown"
#endif

extern char **environ;

static int l_getenv(lua_State *L)
{
    lua_pushstring(L, getenv(luaL_checkstring(L, 1)));
    return 1;
}

static int l_environ(lua_State *L)
{
    lua_newtable(L);
    for (char **e = environ; e && *e; e++) {
        const char *eq = strchr(*e, '=');
        if (!eq)
            continue;
        lua_pushlstring(L, *e, (size_t)(eq - *e));
        lua_pushstring(L, eq + 1);
        lua_rawset(L, -3);
    }
    return 1;
}

static int l_pid(lua_State *L)
{
    lua_pushinteger(L, getpid());
    return 1;
}

static int l_uid(lua_State *L)
{
    lua_pushinteger(L, geteuid());
    return 1;
}

static int l_user(lua_State *L)
{
    struct passwd pw, *found = NULL;
    char text[1024];

    if (!getpwuid_r(geteuid(), &pw, text, sizeof(text), &found) && found)
        lua_pushstring(L, found->pw_name);
    else
        lua_pushfstring(L, "uid-%d", (int)geteuid());
    return 1;
}

/* home() -> the home directory by the environment, else by the user database, else nil */
static int l_home(lua_State *L)
{
    struct passwd pw, *found = NULL;
    char text[1024];
    const char *home = getenv("HOME");

    if (home && *home)
        lua_pushstring(L, home);
    else if (!getpwuid_r(geteuid(), &pw, text, sizeof(text), &found) && found)
        lua_pushstring(L, found->pw_dir);
    else
        lua_pushnil(L);
    return 1;
}

static int l_hostname(lua_State *L)
{
    char name[HOST_NAME_MAX + 1];

    if (gethostname(name, sizeof(name)))
        lua_pushliteral(L, "unknown");
    else
        lua_pushstring(L, name);
    return 1;
}

static int l_cwd(lua_State *L)
{
    char path[PATH_MAX];
    struct plat_err err;

    if (!getcwd(path, sizeof(path))) {
        plat_err_errno(&err, errno, "sys.cwd", "current directory");
        return plat_fail(L, &err);
    }
    lua_pushstring(L, path);
    return 1;
}

static int l_version(lua_State *L)
{
    lua_pushliteral(L, PLATRUN_VERSION);
    return 1;
}

/* modules([prefix]) -> sorted names of the embedded modules, less the prefix that chooses them */
static int l_modules(lua_State *L)
{
    size_t len, from = 0, to = plat_embeds_n;
    const char *prefix = luaL_optlstring(L, 1, "", &len);

    while (from < to) { /* the first that is not before the prefix */
        size_t middle = from + (to - from) / 2;

        if (strcmp(plat_embeds[middle].name, prefix) < 0)
            from = middle + 1;
        else
            to = middle;
    }
    lua_newtable(L);
    for (lua_Integer n = 1; from < plat_embeds_n; from++, n++) {
        if (strncmp(plat_embeds[from].name, prefix, len) != 0)
            break;
        lua_pushstring(L, plat_embeds[from].name + len);
        lua_rawseti(L, -2, n);
    }
    return 1;
}

/* doc(name) -> the docstrings and signatures of an embedded module, or nil */
static int l_doc(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);

    for (size_t i = 0; i < plat_docs_n; i++) {
        if (strcmp(plat_docs[i].name, name) == 0) {
            lua_pushstring(L, plat_docs[i].text);
            return 1;
        }
    }
    lua_pushnil(L);
    return 1;
}

static const luaL_Reg functions[] = {
    { "getenv", l_getenv }, { "environ", l_environ },   { "pid", l_pid },
    { "uid", l_uid },       { "user", l_user },         { "home", l_home },
    { "cwd", l_cwd },       { "hostname", l_hostname }, { "version", l_version },
    { "doc", l_doc },       { "modules", l_modules },   { NULL, NULL },
};

int luaopen_prim_sys(lua_State *L);

int luaopen_prim_sys(lua_State *L)
{
    luaL_newlib(L, functions);
    return 1;
}
