/* Private to prim.yaml: what the reader of nodes and the reader of mappings share. */
#pragma once

#include <lua.h>
#include <stdbool.h>
#include <yaml.h>

#include "base/err.h"
#include "base/yaml_resolve.h"

struct plat_yaml_reader {
    yaml_parser_t parser;
    yaml_event_t event; /* the current one */
    bool parser_open, event_open;
    enum plat_yaml_dialect dialect;
    const char *name; /* of the file, for messages; a string on the Lua stack */
    const char *text;
    size_t len;
    lua_Integer budget; /* nodes that aliases may still make */
    lua_Integer max_nodes;
    int max_depth;
    struct plat_err err; /* set when a function below answers false */
};

/* Fixed stack slots while documents are read. */
enum {
    PLAT_YAML_SLOT_READER = 3,
    PLAT_YAML_SLOT_ARRAY,   /* metatable of arrays */
    PLAT_YAML_SLOT_NULL,    /* null */
    PLAT_YAML_SLOT_ANCHORS, /* name to value; the reader's address while the node is being read */
    PLAT_YAML_SLOT_DOCUMENTS,
    PLAT_YAML_SLOT_PLACES, /* mapping to { key, line, key, line, ... }; nil: nobody asks */
};

enum plat_yaml_tag {
    PLAT_YAML_TAG_NONE,
    PLAT_YAML_TAG_STR,
    PLAT_YAML_TAG_KIND, /* !!int and the like: the scalar must be of that kind */
    PLAT_YAML_TAG_SEQ,
    PLAT_YAML_TAG_MAP,
    PLAT_YAML_TAG_VAULT,
    PLAT_YAML_TAG_UNSAFE,
    PLAT_YAML_TAG_UNKNOWN,
};

/* Fills r->err with "NAME:LINE:COLUMN: message"; false. */
bool plat_yaml_fail(struct plat_yaml_reader *r, yaml_mark_t at, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Goes to the next event. */
bool plat_yaml_next(struct plat_yaml_reader *r);

/* [-0, +1, m] Pushes the value of the node that starts at the current event; its last event is the
 * current one then.  On false the stack is anyhow. */
bool plat_yaml_node(lua_State *L, struct plat_yaml_reader *r, int depth);

/* [-0, +1, m] Pushes the value of the current scalar event; nil stands for a plain `<<`.  A key may
 * be what a value may not. */
bool plat_yaml_scalar_value(lua_State *L, struct plat_yaml_reader *r, bool is_key);

/* Gives the current scalar event's anchor, if it has one, the value on top.  True. */
bool plat_yaml_remember(lua_State *L, struct plat_yaml_reader *r);

/* What a tag (NULL: none) means in the dialect; PLAT_YAML_TAG_KIND sets *ret_kind. */
enum plat_yaml_tag plat_yaml_read_tag(const struct plat_yaml_reader *r, const char *tag,
                                      enum plat_yaml_kind *ret_kind);
bool plat_yaml_fail_tag(struct plat_yaml_reader *r, const char *tag);

/* [-1, +1, m] Replaces the value on top by { __tag = tag, value = value }. */
void plat_yaml_wrap_tag(lua_State *L, const char *tag);

/* [-0, +1, m] Pushes a copy of what the current alias event names. */
bool plat_yaml_alias(lua_State *L, struct plat_yaml_reader *r, int depth);

/* [-0, +1, m] Pushes the mapping that starts at the current event. */
bool plat_yaml_mapping(lua_State *L, struct plat_yaml_reader *r, int depth);
