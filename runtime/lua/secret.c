#include "lua/secret.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "base/redact.h"

#include "base/banned.h"

#define SECRET   "secret" /* what error messages call its type */
#define REDACTOR "plat.secret.redactor"
#define METHODS  "plat.secret.methods"

struct secret {
    char *value; /* len bytes and a zero byte */
    size_t len;
    bool derived; /* made of other secrets: the reference is JSON */
};

struct redactor_box {
    struct plat_redact *r;
};

/* ---- the type ---- */

static int l_gc(lua_State *L)
{
    struct secret *s = luaL_checkudata(L, 1, SECRET);

    if (s->value)
        explicit_bzero(s->value, s->len);
    free(s->value);
    s->value = NULL;
    s->len = 0;
    return 0;
}

static int l_text(lua_State *L)
{
    lua_pushliteral(L, "***");
    return 1;
}

static int l_teach(lua_State *L)
{
    return luaL_error(L, "%s", PLAT_SECRET_TEACH);
}

static int l_order(lua_State *L)
{
    return luaL_error(L, "a secret has no order; secret:equal(other) compares");
}

static int l_length(lua_State *L)
{
    return luaL_error(L, "the length of a secret is part of it; %s", PLAT_SECRET_TEACH);
}

static int l_newindex(lua_State *L)
{
    return luaL_error(L, "a secret has no fields");
}

/* Both are userdata, or this is not called. */
static int l_eq(lua_State *L)
{
    size_t a_len, b_len;
    const char *a = plat_secret_bytes(L, 1, &a_len), *b = plat_secret_bytes(L, 2, &b_len);
    unsigned char differ = 0;

    if (a && b && a_len == b_len) {
        for (size_t i = 0; i < a_len; i++) /* in a time that does not tell where they differ */
            differ |= (unsigned char)(a[i] ^ b[i]);
    }
    lua_pushboolean(L, a && b && a_len == b_len && !differ);
    return 1;
}

static int l_no_method(lua_State *L)
{
    return luaL_error(L, "a secret has no '%s'; %s", luaL_tolstring(L, 2, NULL), PLAT_SECRET_TEACH);
}

static const luaL_Reg meta[] = {
    { "__gc", l_gc },      { "__tostring", l_text },     { "__concat", l_teach },
    { "__len", l_length }, { "__lt", l_order },          { "__le", l_order },
    { "__eq", l_eq },      { "__newindex", l_newindex }, { NULL, NULL },
};

void plat_secret_push_methods(lua_State *L)
{
    if (luaL_getsubtable(L, LUA_REGISTRYINDEX, METHODS))
        return;
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, l_no_method);
    lua_setfield(L, -2, "__index");
    lua_setmetatable(L, -2);
}

static void push_meta(lua_State *L)
{
    if (!luaL_newmetatable(L, SECRET))
        return;
    luaL_setfuncs(L, meta, 0);
    plat_secret_push_methods(L);
    lua_setfield(L, -2, "__index");
    lua_pushliteral(L, "secret");
    lua_setfield(L, -2, "__metatable");
    lua_pushliteral(L, PLAT_SECRET_TEACH);
    lua_setfield(L, -2, "__unprintable"); /* string.format looks for it: plat.env */
}

/* ---- values ---- */

char *plat_secret_new(lua_State *L, size_t len)
{
    struct secret *s = lua_newuserdatauv(L, sizeof(*s), 1);

    *s = (struct secret){ .len = len };
    push_meta(L);
    lua_setmetatable(L, -2);
    s->value = calloc(1, len + 1);
    if (!s->value)
        luaL_error(L, "no memory for a secret");
    return s->value;
}

bool plat_secret_is(lua_State *L, int idx)
{
    return luaL_testudata(L, idx, SECRET) != NULL;
}

const char *plat_secret_bytes(lua_State *L, int idx, size_t *ret_len)
{
    const struct secret *s = luaL_testudata(L, idx, SECRET);

    if (!s)
        return NULL;
    *ret_len = s->len;
    return s->value;
}

const char *plat_secret_check_bytes(lua_State *L, int idx, size_t *ret_len)
{
    const char *s = plat_secret_bytes(L, idx, ret_len);

    return s ? s : luaL_checklstring(L, idx, ret_len);
}

void plat_secret_set_reference(lua_State *L, int idx, bool derived)
{
    struct secret *s = luaL_checkudata(L, idx, SECRET);

    s->derived = derived;
    lua_setiuservalue(L, idx, 1);
}

void plat_secret_push_reference(lua_State *L, int idx, bool *ret_derived)
{
    const struct secret *s = luaL_checkudata(L, idx, SECRET);

    *ret_derived = s->derived;
    if (lua_getiuservalue(L, idx, 1) == LUA_TSTRING)
        return;
    lua_pop(L, 1);
    lua_pushliteral(L, "unnamed");
}

/* ---- what is replaced in output ---- */

static int l_redactor_gc(lua_State *L)
{
    struct redactor_box *box = luaL_checkudata(L, 1, REDACTOR);

    plat_redact_free(box->r);
    box->r = NULL;
    return 0;
}

/* Memory of this process shall not reach the disk, nor another process of this user. */
static void forbid_dumps(void)
{
    const struct rlimit none = { 0, 0 };

    setrlimit(RLIMIT_CORE, &none);
    prctl(PR_SET_DUMPABLE, 0);
}

struct plat_redact *plat_secret_redactor(lua_State *L)
{
    const struct redactor_box *box;

    lua_getfield(L, LUA_REGISTRYINDEX, REDACTOR ".box");
    box = lua_touserdata(L, -1);
    lua_pop(L, 1);
    return box ? box->r : NULL;
}

static struct plat_redact *new_redactor(lua_State *L)
{
    struct redactor_box *box = lua_newuserdatauv(L, sizeof(*box), 0);

    box->r = NULL;
    if (luaL_newmetatable(L, REDACTOR)) {
        lua_pushcfunction(L, l_redactor_gc);
        lua_setfield(L, -2, "__gc");
    }
    lua_setmetatable(L, -2);
    box->r = plat_redact_new();
    lua_setfield(L, LUA_REGISTRYINDEX, REDACTOR ".box");
    forbid_dumps();
    return box->r;
}

void plat_secret_register(lua_State *L, const char *value, size_t len, bool lines)
{
    struct plat_redact *r = plat_secret_redactor(L);

    if (!r)
        r = new_redactor(L);
    if (!r || !plat_redact_add(r, value, len, lines))
        luaL_error(L, "no memory for the redaction of a secret");
}

void plat_secret_clean(lua_State *L, char *text)
{
    struct plat_redact *r = plat_secret_redactor(L);
    struct plat_redact_stream stream;
    size_t len = strlen(text);
    struct plat_buf out;
    bool ok;

    if (!r)
        return;
    plat_redact_begin(&stream, r);
    plat_buf_init(&out, len); /* a mask is shorter than what it stands for */
    ok = plat_redact_feed(&stream, text, len, &out) && plat_redact_finish(&stream, &out);
    if (ok && out.len)
        memcpy(text, plat_buf_bytes(&out), out.len);
    text[ok ? out.len : 0] = '\0';
    plat_redact_done(&stream);
    plat_buf_done(&out);
}
