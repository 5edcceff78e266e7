/* bare_json FILE TIMES: decodes a file with jansson alone.  The peer of json.lua. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

static char *read_all(const char *path, size_t *ret_size)
{
    FILE *file = fopen(path, "rb");
    char *text = NULL;
    long size;

    if (!file)
        return NULL;
    if (fseek(file, 0, SEEK_END) == 0 && (size = ftell(file)) >= 0) {
        rewind(file);
        text = malloc((size_t)size + 1);
        if (text)
            *ret_size = fread(text, 1, (size_t)size, file);
    }
    fclose(file);
    return text;
}

int main(int argc, char **argv)
{
    size_t size = 0;
    char *text = argc > 2 ? read_all(argv[1], &size) : NULL;

    if (!text) {
        fputs("usage: bare_json FILE TIMES\n", stderr);
        return 1;
    }
    for (int i = atoi(argv[2]); i > 0; i--) {
        json_error_t error;
        json_t *value = json_loadb(text, size, JSON_DECODE_ANY, &error);

        if (!value) {
            fprintf(stderr, "%s\n", error.text);
            return 1;
        }
        json_decref(value);
    }
    free(text);
    return 0;
}
