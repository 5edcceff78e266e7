/*
 * Decoding: libyaml's events to tables.  A userdata holds the parser and its current event, so that
 * Lua may raise anywhere.  Aliases are copied, within a budget: no two places share a table.
 */
#include "prim/yaml_decode.h"

#include <lauxlib.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lua/args.h"
#include "lua/fail.h"
#include "lua/plain.h"
#include "prim/yaml.h"

#include "base/banned.h"

#define BOX       "plat.yaml.reader"
#define OP        "yaml.decode"
#define MAX_NODES 100000
#define MAX_SIZE  (64 << 20)

static void reader_close(struct plat_yaml_reader *r)
{
    if (r->event_open)
        yaml_event_delete(&r->event);
    if (r->parser_open)
        yaml_parser_delete(&r->parser);
    r->event_open = r->parser_open = false;
}

static int reader_gc(lua_State *L)
{
    reader_close(luaL_checkudata(L, 1, BOX));
    return 0;
}

bool plat_yaml_fail(struct plat_yaml_reader *r, yaml_mark_t at, const char *fmt, ...)
{
    char msg[160];
    va_list args;
    va_start(args, fmt);
    vsnprintf(msg, sizeof(msg), fmt, args);
    va_end(args);
    for (char *p = msg; *p; p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7F)
            *p = '?';
    }
    return plat_err_set(&r->err, PLAT_ERR_PARSE, 0, OP, "%.100s:%zu:%zu: %s", r->name, at.line + 1,
                        at.column + 1, msg);
}

/* libyaml's reader knows the byte offset of what it refuses, not the line. */
static bool fail_reader(struct plat_yaml_reader *r)
{
    yaml_mark_t at = { 0 };
    for (size_t i = 0; i < r->parser.problem_offset && i < r->len; i++) {
        at.column += ((unsigned char)r->text[i] & 0xC0) != 0x80;
        if (r->text[i] == '\n') {
            at.line++;
            at.column = 0;
        }
    }
    return plat_yaml_fail(r, at, "%s (0x%02X)", r->parser.problem,
                          (unsigned)r->parser.problem_value);
}

static bool fail_parser(struct plat_yaml_reader *r)
{
    const yaml_parser_t *p = &r->parser;
    if (p->error == YAML_MEMORY_ERROR)
        return plat_err_set(&r->err, PLAT_ERR_IO, 0, OP, "%.100s: out of memory", r->name);
    if (p->error == YAML_READER_ERROR && p->problem)
        return fail_reader(r);
    const char *problem = p->problem ? p->problem : "cannot be parsed";
    if (!p->context)
        return plat_yaml_fail(r, p->problem_mark, "%s", problem);
    return plat_yaml_fail(r, p->problem_mark, "%s, %s that starts on line %zu", problem, p->context,
                          p->context_mark.line + 1);
}

bool plat_yaml_next(struct plat_yaml_reader *r)
{
    if (r->event_open)
        yaml_event_delete(&r->event);
    r->event_open = yaml_parser_parse(&r->parser, &r->event);
    return r->event_open || fail_parser(r);
}

/* ---- aliases ---- */

/* [-0, +1] Pushes a deep copy of the value at idx. */
static bool push_copy(lua_State *L, struct plat_yaml_reader *r, int idx, int depth)
{
    if (r->budget-- == 0)
        return plat_yaml_fail(r, r->event.start_mark, "aliases expand to more than %lld nodes",
                              (long long)r->max_nodes);
    if (!lua_istable(L, idx)) {
        lua_pushvalue(L, idx);
        return true;
    }
    if (depth == r->max_depth)
        return plat_yaml_fail(r, r->event.start_mark, "nested deeper than %d", r->max_depth);
    luaL_checkstack(L, 8, "nested YAML");
    lua_newtable(L);
    int into = lua_gettop(L);
    if (lua_getmetatable(L, idx))
        lua_setmetatable(L, into);
    if (lua_istable(L, PLAT_YAML_SLOT_PLACES)) {
        lua_pushvalue(L, into);
        lua_pushvalue(L, idx);
        lua_rawget(L, PLAT_YAML_SLOT_PLACES);
        lua_rawset(L, PLAT_YAML_SLOT_PLACES);
    }
    lua_pushnil(L);
    while (lua_next(L, idx)) {
        lua_pushvalue(L, -2);
        if (!push_copy(L, r, into + 2, depth + 1))
            return false;
        lua_rawset(L, into);
        lua_pop(L, 1);
    }
    return true;
}

bool plat_yaml_alias(lua_State *L, struct plat_yaml_reader *r, int depth)
{
    const char *name = (const char *)r->event.data.alias.anchor;
    if (lua_getfield(L, PLAT_YAML_SLOT_ANCHORS, name) == LUA_TNIL)
        return plat_yaml_fail(r, r->event.start_mark, "no anchor &%.60s above this alias", name);
    if (lua_touserdata(L, -1) == r)
        return plat_yaml_fail(r, r->event.start_mark, "the anchor &%.60s contains itself", name);
    if (!push_copy(L, r, lua_gettop(L), depth))
        return false;
    lua_remove(L, -2);
    return true;
}

bool plat_yaml_remember(lua_State *L, struct plat_yaml_reader *r)
{
    const char *anchor = (const char *)r->event.data.scalar.anchor;
    if (anchor) {
        lua_pushvalue(L, -1);
        lua_setfield(L, PLAT_YAML_SLOT_ANCHORS, anchor);
    }
    return true;
}

/* ---- nodes ---- */

static bool read_sequence(lua_State *L, struct plat_yaml_reader *r, int depth)
{
    lua_newtable(L);
    lua_pushvalue(L, PLAT_YAML_SLOT_ARRAY);
    lua_setmetatable(L, -2);
    for (lua_Integer i = 1;; i++) {
        if (!plat_yaml_next(r))
            return false;
        if (r->event.type == YAML_SEQUENCE_END_EVENT)
            return true;
        if (!plat_yaml_node(L, r, depth))
            return false;
        lua_rawseti(L, -2, i);
    }
}

static bool read_collection(lua_State *L, struct plat_yaml_reader *r, int depth)
{
    bool is_map = r->event.type == YAML_MAPPING_START_EVENT;
    const char *tag =
        (const char *)(is_map ? r->event.data.mapping_start.tag : r->event.data.sequence_start.tag);
    enum plat_yaml_kind kind;
    enum plat_yaml_tag what = plat_yaml_read_tag(r, tag, &kind);
    bool known = what == PLAT_YAML_TAG_NONE || what == PLAT_YAML_TAG_UNSAFE ||
                 what == (is_map ? PLAT_YAML_TAG_MAP : PLAT_YAML_TAG_SEQ);
    if (!known && r->dialect != PLAT_YAML_KUBERNETES) /* go-yaml ignores them */
        return plat_yaml_fail_tag(r, tag);
    if (depth == r->max_depth)
        return plat_yaml_fail(r, r->event.start_mark, "nested deeper than %d", r->max_depth);
    luaL_checkstack(L, LUA_MINSTACK, "nested YAML");
    if (!(is_map ? plat_yaml_mapping(L, r, depth + 1) : read_sequence(L, r, depth + 1)))
        return false;
    if (what == PLAT_YAML_TAG_UNSAFE)
        plat_yaml_wrap_tag(L, "!unsafe");
    return true;
}

/* A plain `<<` that is no key: an error to PyYAML, text to the others. */
static bool lone_merge(lua_State *L, struct plat_yaml_reader *r)
{
    if (r->dialect == PLAT_YAML_ANSIBLE)
        return plat_yaml_fail(r, r->event.start_mark, "a plain `<<` has no value here: quote it");
    lua_pop(L, 1);
    lua_pushliteral(L, "<<");
    return true;
}

static bool read_scalar(lua_State *L, struct plat_yaml_reader *r)
{
    if (!plat_yaml_scalar_value(L, r, false))
        return false;
    return !lua_isnil(L, -1) || lone_merge(L, r);
}

bool plat_yaml_node(lua_State *L, struct plat_yaml_reader *r, int depth)
{
    const yaml_char_t *anchor;
    if (r->event.type == YAML_ALIAS_EVENT)
        return plat_yaml_alias(L, r, depth);
    if (r->event.type == YAML_SCALAR_EVENT)
        return read_scalar(L, r) && plat_yaml_remember(L, r);
    if (r->event.type == YAML_SEQUENCE_START_EVENT)
        anchor = r->event.data.sequence_start.anchor;
    else
        anchor = r->event.data.mapping_start.anchor;
    if (!anchor)
        return read_collection(L, r, depth);

    lua_pushstring(L, (const char *)anchor); /* the event goes, the name stays */
    lua_pushvalue(L, -1);
    lua_pushlightuserdata(L, r);
    lua_rawset(L, PLAT_YAML_SLOT_ANCHORS);
    if (!read_collection(L, r, depth))
        return false;
    lua_insert(L, -2); /* value name */
    lua_pushvalue(L, -2);
    lua_rawset(L, PLAT_YAML_SLOT_ANCHORS);
    return true;
}

static bool read_stream(lua_State *L, struct plat_yaml_reader *r)
{
    if (!plat_yaml_next(r))
        return false;
    for (lua_Integer n = 1;; n++) {
        if (!plat_yaml_next(r))
            return false;
        if (r->event.type == YAML_STREAM_END_EVENT)
            return true;
        lua_newtable(L); /* anchors live in one document */
        lua_replace(L, PLAT_YAML_SLOT_ANCHORS);
        if (!plat_yaml_next(r) || !plat_yaml_node(L, r, 0) || !plat_yaml_next(r))
            return false;
        lua_rawseti(L, PLAT_YAML_SLOT_DOCUMENTS, n);
    }
}

static struct plat_yaml_reader *new_reader(lua_State *L)
{
    struct plat_yaml_reader *r = lua_newuserdatauv(L, sizeof(*r), 0);
    *r = (struct plat_yaml_reader){ .dialect = PLAT_YAML_CORE };
    luaL_setmetatable(L, BOX);
    r->text = luaL_checklstring(L, 1, &r->len);
    r->name = plat_args_string(L, 2, "name", "yaml");
    const char *dialect = plat_args_string(L, 2, "dialect", "core");
    if (!plat_yaml_dialect_named(dialect, &r->dialect))
        luaL_error(L, "bad option 'dialect' (core, ansible or kubernetes expected)");
    lua_Integer depth = plat_args_integer(L, 2, "max_depth", PLAT_PLAIN_DEPTH);
    luaL_argcheck(L, depth >= 1 && depth <= PLAT_PLAIN_DEPTH, 2, "bad max_depth");
    r->max_depth = (int)depth;
    r->max_nodes = plat_args_integer(L, 2, "max_nodes", MAX_NODES);
    luaL_argcheck(L, r->max_nodes >= 0, 2, "bad max_nodes");
    r->budget = r->max_nodes;
    return r;
}

int plat_yaml_decode(lua_State *L)
{
    lua_settop(L, 2);
    struct plat_yaml_reader *r = new_reader(L);
    lua_Integer max_size = plat_args_integer(L, 2, "max_size", MAX_SIZE);
    if ((lua_Unsigned)r->len > (lua_Unsigned)max_size) {
        plat_yaml_fail(r, (yaml_mark_t){ 0 }, "%zu bytes are more than max_size (%lld)", r->len,
                       (long long)max_size);
        return plat_fail(L, &r->err);
    }
    plat_plain_push_array_meta(L);
    plat_plain_push_null(L);
    lua_newtable(L);
    lua_newtable(L);
    lua_pushvalue(L, PLAT_YAML_SLOT_ARRAY);
    lua_setmetatable(L, PLAT_YAML_SLOT_DOCUMENTS);
    if (plat_args_bool(L, 2, "places", false))
        lua_newtable(L);
    else
        lua_pushnil(L);

    r->parser_open = yaml_parser_initialize(&r->parser);
    if (!r->parser_open)
        return luaL_error(L, "out of memory");
    yaml_parser_set_encoding(&r->parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&r->parser, (const unsigned char *)r->text, r->len);
    bool read = read_stream(L, r);
    reader_close(r);
    if (!read)
        return plat_fail(L, &r->err);
    lua_pushvalue(L, PLAT_YAML_SLOT_DOCUMENTS);
    lua_pushvalue(L, PLAT_YAML_SLOT_PLACES);
    return 2;
}

void plat_yaml_decode_open(lua_State *L)
{
    luaL_newmetatable(L, BOX);
    lua_pushcfunction(L, reader_gc);
    lua_setfield(L, -2, "__gc");
    lua_pop(L, 1);
}
