#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/yaml_resolve.h"

#include "base/banned.h"

bool plat_yaml_dialect_named(const char *name, enum plat_yaml_dialect *ret_dialect)
{
    static const char *const names[PLAT_YAML_DIALECTS] = {
        [PLAT_YAML_CORE] = "core",
        [PLAT_YAML_ANSIBLE] = "ansible",
        [PLAT_YAML_KUBERNETES] = "kubernetes",
    };
    for (int i = 0; i < PLAT_YAML_DIALECTS; i++) {
        if (strcmp(name, names[i]) == 0) {
            *ret_dialect = (enum plat_yaml_dialect)i;
            return true;
        }
    }
    return false;
}

static const char *endless_key(double value, bool go)
{
    if (isnan(value))
        return go ? ".nan" : "NaN";
    if (value < 0)
        return go ? "-.inf" : "-Infinity";
    return go ? ".inf" : "Infinity";
}

void plat_yaml_float_key(char out[PLAT_YAML_KEY], enum plat_yaml_dialect dialect, double value)
{
    bool go = dialect == PLAT_YAML_KUBERNETES;
    char text[32]; /* -d.ddde-xxx with as few digits as say the same float */
    int digits = 1;
    if (go)
        value = (double)(float)value;
    if (!isfinite(value)) {
        snprintf(out, PLAT_YAML_KEY, "%s", endless_key(value, go));
        return;
    }
    for (; digits <= 17; digits++) {
        snprintf(text, sizeof(text), "%.*e", digits - 1, value);
        if (go ? strtof(text, NULL) == (float)value : strtod(text, NULL) == value)
            break;
    }
    int exponent = (int)strtol(strchr(text, 'e') + 1, NULL, 10);
    if (exponent < -4 || exponent >= (go ? 6 : 16)) {
        snprintf(out, PLAT_YAML_KEY, "%s", text);
        return;
    }
    int decimals = digits - 1 - exponent;
    snprintf(out, PLAT_YAML_KEY, "%.*f", decimals > 0 ? decimals : go ? 0 : 1, value);
}
