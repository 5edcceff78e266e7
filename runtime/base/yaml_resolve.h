/*
 * What an unquoted YAML scalar means.  Three dialects, because the programs whose files we read
 * differ: `yes` is text to YAML 1.2 and true to the other two, `0644` is 644, 420 and 420,
 * `22:22` is 1342 to Ansible alone.  tests/oracle/yaml_cases.json holds what those programs say.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum plat_yaml_dialect {
    PLAT_YAML_CORE,       /* the core schema of YAML 1.2, and `<<` */
    PLAT_YAML_ANSIBLE,    /* YAML 1.1 as PyYAML reads it */
    PLAT_YAML_KUBERNETES, /* go-yaml 2 by way of JSON, as kubectl reads manifests */
};
#define PLAT_YAML_DIALECTS 3

enum plat_yaml_kind {
    PLAT_YAML_TEXT,
    PLAT_YAML_NULL,
    PLAT_YAML_BOOL,
    PLAT_YAML_INT,
    PLAT_YAML_FLOAT,
    PLAT_YAML_MERGE, /* `<<` */
    PLAT_YAML_BAD,   /* no value can be given; why says so */
};

struct plat_yaml_scalar {
    enum plat_yaml_kind kind;
    bool boolean;
    int64_t integer;
    double number;
    const char *why; /* static */
};

/* Resolves plain text of len bytes (text[len] is 0). */
struct plat_yaml_scalar plat_yaml_resolve(enum plat_yaml_dialect dialect, const char *text,
                                          size_t len);

/* True if every dialect reads the text as itself: what need not be quoted, as far as the resolver
 * is concerned. */
bool plat_yaml_is_text(const char *text, size_t len);

/* "core", "ansible", "kubernetes"; false if it is none of them. */
bool plat_yaml_dialect_named(const char *name, enum plat_yaml_dialect *ret_dialect);

#define PLAT_YAML_KEY 40 /* bytes that any number fits in */

/* The text of a float that is used as a key: Python's repr, or Go's shortest float32. */
void plat_yaml_float_key(char out[PLAT_YAML_KEY], enum plat_yaml_dialect dialect, double value);
