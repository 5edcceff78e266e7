/* io/sftp*.c: servers that break the rules. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "io/sftp.h"

#include "base/banned.h"

static const struct plat_op_class test_class = { .name = "test" };

static struct plat_op new_op(void)
{
    return (struct plat_op){ .cls = &test_class };
}

#define VERSION "\0\0\0\5\2\0\0\0\3"

struct broken {
    const char *bytes; /* after the version, and an open as request 1 */
    size_t len;
    const char *why;
};

#define CASE(text, words)                                                                          \
    {                                                                                              \
        text, sizeof(text) - 1, words                                                              \
    }

static void test_broken(void **state)
{
    static const struct broken cases[] = {
        CASE("\0\0\0\0", "nothing in it"),
        CASE("\0\4\0\1", "too long"),
        CASE("\0\0\0\1\145", "ends too early"),
        CASE("\0\0\0\5\177\0\0\0\1", "no answer"),
        CASE("\0\0\0\12\146\0\0\0\1\0\0\0\1", NULL), /* not all of it came: it waits */
        CASE("\0\0\0\12\146\0\0\0\1\0\0\0\2x", "ends too early"),
        CASE("\0\0\0\12\146\0\0\0\2\0\0\0\1x", "nobody asked"),
        CASE("\0\0\0\11\145\0\0\0\1\0\0\0\0", "wrong kind"), /* opened, and no handle */
        CASE("\0\0\0\12\147\0\0\0\1\0\0\0\1x", "wrong kind"),
        CASE("\0\0\0\11\146\0\0\0\1\0\0\0\0", "ends too early"), /* an empty handle */
        CASE("\0\0\0\13\146\0\0\0\1\0\0\0\1xy", "more in it"),
        CASE("\0\0\0\11\151\0\0\0\1\0\0\1\0", "ends too early"), /* an attribute from nowhere */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (size_t step = 1; step < 32; step *= 5) { /* in pieces, too */
            struct plat_sftp *s = plat_sftp_new(NULL, NULL);
            struct plat_sftp_ask what = { .what = PLAT_SFTP_OPEN, .path = "/f", .path_len = 2 };
            struct plat_op op = new_op();
            struct plat_err err = { .kind = PLAT_OK };
            struct plat_sftp_call *call;

            plat_sftp_feed(s, VERSION, sizeof(VERSION) - 1);
            call = plat_sftp_ask(s, &what, &op, &err);
            assert_non_null(call);
            for (size_t at = 0; at < cases[i].len; at += step)
                plat_sftp_feed(s, cases[i].bytes + at,
                               cases[i].len - at < step ? cases[i].len - at : step);
            assert_int_equal(plat_sftp_failed(s, &err), cases[i].why != NULL);
            if (cases[i].why && !strstr(err.msg, cases[i].why))
                fail_msg("case %zu: %s", i, err.msg);
            assert_int_equal(op.state, cases[i].why ? PLAT_OP_READY : PLAT_OP_NEW);
            plat_sftp_call_free(call);
            plat_sftp_free(s);
        }
    }
}

static void test_versions(void **state)
{
    static const struct broken cases[] = {
        CASE("\0\0\0\5\2\0\0\0\2", "speaks SFTP version 2"),
        CASE("\0\0\0\5\145\0\0\0\3", "something else than its version"),
        CASE("\0\0\0\11\2\0\0\0\3\0\0\0\1", "version that ends too early"),
        CASE("This account is not available.\n", "too long"),
        CASE("\0\0\0\3\2\0\0", "something else than its version"),
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct plat_sftp *s = plat_sftp_new(NULL, NULL);
        struct plat_op op = new_op();
        struct plat_err err = { .kind = PLAT_OK };

        plat_sftp_await_ready(s, &op);
        plat_sftp_feed(s, cases[i].bytes, cases[i].len);
        assert_int_equal(op.state, PLAT_OP_READY);
        assert_true(plat_sftp_failed(s, &err));
        if (!strstr(err.msg, cases[i].why))
            fail_msg("case %zu: %s", i, err.msg);
        plat_sftp_free(s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_broken),
        cmocka_unit_test(test_versions),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
