/*
 * Scalars and tags.  The core schema's tags are known everywhere, !vault and !unsafe in Ansible's
 * files; of the others go-yaml takes the text, and the rest refuse them.
 */
#include <lauxlib.h>
#include <math.h>
#include <string.h>

#include "prim/yaml_decode.h"

#include "base/banned.h"

#define INT64_END 9223372036854775808.0 /* the first float that is no int64_t */

enum plat_yaml_tag plat_yaml_read_tag(const struct plat_yaml_reader *r, const char *tag,
                                      enum plat_yaml_kind *ret_kind)
{
    static const struct {
        const char *name;
        enum plat_yaml_tag tag;
        enum plat_yaml_kind kind;
    } known[] = {
        { "str", PLAT_YAML_TAG_STR, PLAT_YAML_TEXT },
        { "timestamp", PLAT_YAML_TAG_STR, PLAT_YAML_TEXT },
        { "null", PLAT_YAML_TAG_KIND, PLAT_YAML_NULL },
        { "bool", PLAT_YAML_TAG_KIND, PLAT_YAML_BOOL },
        { "int", PLAT_YAML_TAG_KIND, PLAT_YAML_INT },
        { "float", PLAT_YAML_TAG_KIND, PLAT_YAML_FLOAT },
        { "merge", PLAT_YAML_TAG_KIND, PLAT_YAML_MERGE },
        { "seq", PLAT_YAML_TAG_SEQ, PLAT_YAML_TEXT },
        { "map", PLAT_YAML_TAG_MAP, PLAT_YAML_TEXT },
    };
    static const char prefix[] = "tag:yaml.org,2002:";
    if (!tag || strcmp(tag, "!") == 0)
        return PLAT_YAML_TAG_NONE;
    if (r->dialect == PLAT_YAML_ANSIBLE && strcmp(tag, "!unsafe") == 0)
        return PLAT_YAML_TAG_UNSAFE;
    if (r->dialect == PLAT_YAML_ANSIBLE &&
        (strcmp(tag, "!vault") == 0 || strcmp(tag, "!vault-encrypted") == 0))
        return PLAT_YAML_TAG_VAULT;
    if (strncmp(tag, prefix, sizeof(prefix) - 1) != 0)
        return PLAT_YAML_TAG_UNKNOWN;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (strcmp(tag + sizeof(prefix) - 1, known[i].name) == 0) {
            *ret_kind = known[i].kind;
            return known[i].tag;
        }
    }
    return PLAT_YAML_TAG_UNKNOWN;
}

bool plat_yaml_fail_tag(struct plat_yaml_reader *r, const char *tag)
{
    return plat_yaml_fail(r, r->event.start_mark, "the tag %.60s is not known here", tag);
}

void plat_yaml_wrap_tag(lua_State *L, const char *tag)
{
    lua_createtable(L, 0, 2);
    lua_pushstring(L, tag);
    lua_setfield(L, -2, "__tag");
    lua_insert(L, -2);
    lua_setfield(L, -2, "value");
}

/* kubectl reads values through JSON, which writes 3.0 as 3 and has no infinity. */
static bool push_json_float(lua_State *L, struct plat_yaml_reader *r, double value)
{
    if (!isfinite(value))
        return plat_yaml_fail(r, r->event.start_mark, "JSON has no %s",
                              isnan(value) ? "NaN" : "infinity");
    if (value == trunc(value) && fabs(value) < INT64_END)
        lua_pushinteger(L, (lua_Integer)value);
    else
        lua_pushnumber(L, value);
    return true;
}

static bool push_scalar(lua_State *L, struct plat_yaml_reader *r, const struct plat_yaml_scalar *s,
                        bool is_key)
{
    const char *text = (const char *)r->event.data.scalar.value;
    switch (s->kind) {
    case PLAT_YAML_TEXT:
        lua_pushlstring(L, text, r->event.data.scalar.length);
        return true;
    case PLAT_YAML_NULL:
        lua_pushvalue(L, PLAT_YAML_SLOT_NULL);
        return true;
    case PLAT_YAML_BOOL:
        lua_pushboolean(L, s->boolean);
        return true;
    case PLAT_YAML_INT:
        lua_pushinteger(L, s->integer);
        return true;
    case PLAT_YAML_FLOAT:
        if (r->dialect == PLAT_YAML_KUBERNETES && !is_key)
            return push_json_float(L, r, s->number);
        lua_pushnumber(L, s->number);
        return true;
    case PLAT_YAML_MERGE:
        lua_pushnil(L);
        return true;
    case PLAT_YAML_BAD:
        break;
    }
    if (is_key && strcmp(text, "=") == 0) {
        lua_pushstring(L, text);
        return true;
    }
    return plat_yaml_fail(r, r->event.start_mark, "%.40s: %s", text, s->why);
}

/* A scalar with a tag like !!int must be one; the core schema's forms are taken as well. */
static bool push_tagged(lua_State *L, struct plat_yaml_reader *r, enum plat_yaml_kind want,
                        bool is_key)
{
    const char *text = (const char *)r->event.data.scalar.value;
    size_t len = r->event.data.scalar.length;
    struct plat_yaml_scalar s = plat_yaml_resolve(r->dialect, text, len);
    if (s.kind == PLAT_YAML_TEXT)
        s = plat_yaml_resolve(PLAT_YAML_CORE, text, len);
    if (want == PLAT_YAML_FLOAT && s.kind == PLAT_YAML_INT) {
        s.kind = PLAT_YAML_FLOAT;
        s.number = (double)s.integer;
    }
    if (s.kind != want && s.kind != PLAT_YAML_BAD)
        return plat_yaml_fail(r, r->event.start_mark, "\"%.40s\" does not fit the tag %.40s", text,
                              (const char *)r->event.data.scalar.tag);
    return push_scalar(L, r, &s, is_key);
}

bool plat_yaml_scalar_value(lua_State *L, struct plat_yaml_reader *r, bool is_key)
{
    const char *tag = (const char *)r->event.data.scalar.tag;
    const char *text = (const char *)r->event.data.scalar.value;
    size_t len = r->event.data.scalar.length;
    struct plat_yaml_scalar s = { .kind = PLAT_YAML_TEXT };
    enum plat_yaml_kind want = PLAT_YAML_TEXT;
    enum plat_yaml_tag what = plat_yaml_read_tag(r, tag, &want);
    switch (what) {
    case PLAT_YAML_TAG_NONE:
        if (r->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE)
            s = plat_yaml_resolve(r->dialect, text, len);
        return push_scalar(L, r, &s, is_key);
    case PLAT_YAML_TAG_KIND:
        return push_tagged(L, r, want, is_key);
    case PLAT_YAML_TAG_VAULT:
    case PLAT_YAML_TAG_UNSAFE:
        lua_pushlstring(L, text, len);
        plat_yaml_wrap_tag(L, what == PLAT_YAML_TAG_VAULT ? "!vault" : "!unsafe");
        return true;
    case PLAT_YAML_TAG_STR:
        break;
    case PLAT_YAML_TAG_UNKNOWN:
        if (r->dialect == PLAT_YAML_KUBERNETES && tag[0] == '!') /* as go-yaml does */
            break;
        return plat_yaml_fail_tag(r, tag);
    case PLAT_YAML_TAG_SEQ:
    case PLAT_YAML_TAG_MAP:
        return plat_yaml_fail_tag(r, tag);
    }
    return push_scalar(L, r, &s, is_key);
}
