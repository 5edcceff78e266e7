/* base/redact: known values in text, whole, escaped, and in pieces. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/redact.h"

#include "base/banned.h"

static struct plat_redact *r;

static int set_up(void **state)
{
    (void)state;
    r = plat_redact_new();
    return r ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    plat_redact_free(r);
    return 0;
}

static void add(const char *value)
{
    assert_true(plat_redact_add(r, value, strlen(value), true));
}

/* Feeds the text in pieces of `size` bytes and returns what comes out; to be freed. */
static char *redact(const char *text, size_t size)
{
    struct plat_redact_stream s;
    struct plat_buf out;
    size_t len = strlen(text);
    char *result;

    plat_redact_begin(&s, r);
    plat_buf_init(&out, SIZE_MAX);
    for (size_t i = 0; i < len; i += size)
        assert_true(plat_redact_feed(&s, text + i, len - i < size ? len - i : size, &out));
    assert_true(plat_redact_finish(&s, &out));
    plat_redact_done(&s);
    result = strndup(plat_buf_bytes(&out), out.len);
    plat_buf_done(&out);
    return result;
}

/* The text gives `want` however it is cut. */
static void expect(const char *text, const char *want)
{
    for (size_t size = 1; size <= strlen(text) + 1; size++) {
        char *got = redact(text, size);

        assert_string_equal(got, want);
        free(got);
    }
    assert_int_equal(plat_redact_finds(r, text, strlen(text)), strcmp(text, want) != 0);
}

static void test_raw(void **state)
{
    (void)state;
    expect("nothing is known yet", "nothing is known yet");
    add("hunter2hunter");
    expect("", "");
    expect("hunter2hunter", "***");
    expect("a hunter2hunter b", "a *** b");
    expect("hunter2hunterhunter2hunter", "***");
    expect("hunter2hunte", "hunter2hunte");
    expect("hunter2hunter2hunter", "***"); /* they overlap */
    expect("hunter2 hunter2hunter", "hunter2 ***");
}

static void test_several(void **state)
{
    (void)state;
    add("abcdef");
    add("bcdefghij");
    add("abcdefgh");
    add("ghijkl");
    expect("xabcdefx", "x***x");
    expect("xabcdefghx", "x***x");
    expect("xabcdefghijx", "x***x");
    expect("abcdefghijkl", "***");
    expect("abcde fghij", "abcde fghij");
    expect("ghijk abcdef ghijkl", "ghijk *** ***");
}

static void test_forms(void **state)
{
    (void)state;
    add("p@ss w\"rd/1&<\xc3\xa4>'x");
    expect("=p%40ss%20w%22rd%2F1%26%3C%C3%A4%3E%27x=", "=***=");
    expect("=p%40ss%20w%22rd%2f1%26%3c%c3%a4%3e%27x=", "=***=");
    expect("=p%40ss+w%22rd%2F1%26%3C%C3%A4%3E%27x=", "=***=");
    expect("\"p@ss w\\\"rd/1&<\xc3\xa4>'x\"", "\"***\"");
    expect("\"p@ss w\\\"rd\\/1&<\\u00e4>'x\"", "\"***\"");
    expect("\"p@ss w\\\"rd/1\\u0026\\u003c\xc3\xa4\\u003e'x\"", "\"***\"");
    expect("\"p@ss w\\\\\\\"rd/1&<\xc3\xa4>'x\"", "\"***\"");
    expect("'p@ss w\"rd/1&<\xc3\xa4>'\\''x'", "'***'");
    expect("cEBzcyB3InJkLzEmPMOkPid4", "***");
}

/* base64 of "?", "??" or "???" before the value, and something behind it */
static void test_base64(void **state)
{
    (void)state;
    add("sEcret-value");
    expect("c0VjcmV0LXZhbHVl", "***");
    expect("P3NFY3JldC12YWx1ZT8=", "P3***T8=");
    expect("Pz9zRWNyZXQtdmFsdWU/", "Pz9***U/");
    expect("Pz8/c0VjcmV0LXZhbHVlPw==", "Pz8/***Pw==");
}

static void test_lines(void **state)
{
    (void)state;
    add("-----BEGIN-----\nfirst line\nab\r\nlast line here\n");
    expect("  | first line\n  | ab\n  | last line here", "  | ***\n  | ab\n  | ***");
    expect("x -----BEGIN-----\nfirst line\nab\r\nlast line here y", "x *** y");
    expect("\"-----BEGIN-----\\nfirst line\\nab\\r\\nlast line here\\n\"", "\"***\"");
}

static void test_short(void **state)
{
    (void)state;
    add("abcde");
    add("");
    add("a\nbc\nde");
    expect("abcde bc de", "abcde bc de");
    expect("a\nbc\nde", "***");
}

static void test_added_meanwhile(void **state)
{
    struct plat_redact_stream s;
    struct plat_buf out;

    (void)state;
    add("first-value");
    plat_redact_begin(&s, r);
    plat_buf_init(&out, SIZE_MAX);
    assert_true(plat_redact_feed(&s, "a first-va", 10, &out));
    assert_int_equal(out.len, 2);
    add("first-vampire");
    add("st-value-two");
    assert_true(plat_redact_feed(&s, "lue-two b", 9, &out));
    assert_true(plat_redact_finish(&s, &out));
    assert_int_equal(out.len, 7);
    assert_memory_equal(plat_buf_bytes(&out), "a *** b", 7);
    plat_buf_done(&out);
    plat_redact_done(&s);
}

/* Against the plainest search there is. */
static void test_random(void **state)
{
    char text[200], want[200], value[3][16];
    unsigned seed = 1;

    (void)state;
    for (int i = 0; i < 3; i++) {
        size_t len = 6 + (size_t)rand_r(&seed) % 5;

        for (size_t k = 0; k < len; k++)
            value[i][k] = (char)('a' + rand_r(&seed) % 2);
        value[i][len] = '\0';
        assert_true(plat_redact_pattern(r, value[i], len));
    }
    for (int round = 0; round < 2000; round++) {
        size_t len = 1 + (size_t)rand_r(&seed) % 150, n = 0;
        bool hit[200] = { false };
        char *got;

        for (size_t k = 0; k < len; k++)
            text[k] = (char)('a' + rand_r(&seed) % 2);
        text[len] = '\0';
        for (int i = 0; i < 3; i++) {
            for (size_t k = 0; k + strlen(value[i]) <= len; k++) {
                if (!strncmp(text + k, value[i], strlen(value[i])))
                    memset(hit + k, true, strlen(value[i]));
            }
        }
        for (size_t k = 0; k < len; k++) {
            if (!hit[k])
                want[n++] = text[k];
            else if (k == 0 || !hit[k - 1])
                memset(want + n, '*', 3), n += 3;
        }
        want[n] = '\0';
        got = redact(text, 1 + (size_t)rand_r(&seed) % 40);
        assert_string_equal(got, want);
        free(got);
    }
}

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Text that almost matches everywhere costs no more than other text. */
static void test_linear(void **state)
{
    enum { LEN = 1 << 20 };
    char *text = malloc(LEN + 1);
    char value[1001];
    double began;

    (void)state;
    memset(value, 'a', 1000);
    value[999] = 'b';
    value[1000] = '\0';
    assert_true(plat_redact_pattern(r, value, 1000));
    for (int i = 0; i < 1000; i++) {
        char many[40];

        snprintf(many, sizeof(many), "aaaaaaaa%08daaaaaaaaaaaaa", i);
        assert_true(plat_redact_add(r, many, strlen(many), true));
    }
    assert_non_null(text);
    memset(text, 'a', LEN);
    text[LEN] = '\0';
    began = now();
    for (size_t size = 64; size <= LEN; size *= 128) {
        char *got = redact(text, size);

        assert_string_equal(got, text);
        free(got);
    }
    assert_true(now() - began < 5); /* a quadratic search takes minutes */
    free(text);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(test_raw),   T(test_several), T(test_forms),           T(test_base64), T(test_lines),
        T(test_short), T(test_random),  T(test_added_meanwhile), T(test_linear),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
