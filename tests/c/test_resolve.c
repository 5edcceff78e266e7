/* The resolver: addresses are their own answer, names are asked once and can be abandoned. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <uv.h>

#include "io/loop.h"
#include "io/resolve.h"

#include "base/banned.h"

static int answers, failures;
static size_t found;

static void on_answer(struct plat_resolve_wait *wait, const struct plat_addrs *addrs,
                      const struct plat_err *err)
{
    (void)wait;
    answers++;
    if (addrs)
        found = addrs->n;
    else if (err->kind == PLAT_ERR_CONNECT)
        failures++;
}

static int setup(void **state)
{
    *state = plat_loop_new();
    answers = failures = 0;
    found = 0;
    return *state ? 0 : -1;
}

static int teardown(void **state)
{
    plat_resolve_forget();
    plat_loop_free(*state);
    return 0;
}

static void turn(void **state)
{
    uv_run(plat_loop_uv(*state), UV_RUN_DEFAULT);
}

static void addresses(void **state)
{
    static const char *const list[][2] = {
        { "127.0.0.1", "127.0.0.1" },
        { "::1", "::1" },
        { "[::1]", "::1" },
        { "[fe80::1%lo]", "fe80::1%lo" },
    };
    struct plat_resolve_wait wait = { .done = on_answer };
    const struct plat_addrs *addrs = NULL;
    struct plat_err err;
    size_t i;

    for (i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
        assert_int_equal(plat_resolve(*state, list[i][0], &wait, &addrs, &err), PLAT_RESOLVE_KNOWN);
        assert_int_equal(addrs->n, 1);
        assert_string_equal(addrs->text[0], list[i][1]);
    }
    assert_true(plat_resolve_is_address("10.0.0.1"));
    assert_false(plat_resolve_is_address("10.0.0"));
    assert_false(plat_resolve_is_address(""));
}

static void no_names(void **state)
{
    static const char *const list[] = { "", "a b", "a\n", "\xc3\xa4.test" };
    struct plat_resolve_wait wait = { .done = on_answer };
    const struct plat_addrs *addrs = NULL;
    struct plat_err err;
    char too_long[300];
    size_t i;

    for (i = 0; i < sizeof(list) / sizeof(list[0]); i++)
        assert_int_equal(plat_resolve(*state, list[i], &wait, &addrs, &err), PLAT_RESOLVE_FAILED);
    memset(too_long, 'a', sizeof(too_long));
    too_long[sizeof(too_long) - 1] = '\0';
    assert_int_equal(plat_resolve(*state, too_long, &wait, &addrs, &err), PLAT_RESOLVE_FAILED);
    assert_int_equal(err.kind, PLAT_ERR_CONNECT);
}

static void shared_and_kept(void **state)
{
    struct plat_resolve_wait one = { .done = on_answer }, two = { .done = on_answer };
    struct plat_resolve_wait gone = { .done = on_answer };
    const struct plat_addrs *addrs = NULL;
    struct plat_err err;

    assert_int_equal(plat_resolve(*state, "localhost", &one, &addrs, &err), PLAT_RESOLVE_WAIT);
    assert_int_equal(plat_resolve(*state, "LOCALHOST", &two, &addrs, &err), PLAT_RESOLVE_WAIT);
    assert_int_equal(plat_resolve(*state, "localhost", &gone, &addrs, &err), PLAT_RESOLVE_WAIT);
    plat_resolve_abandon(&gone);
    plat_resolve_abandon(&gone);
    turn(state);
    assert_int_equal(answers, 2);
    assert_true(found > 0);
    assert_int_equal(plat_resolve(*state, "localhost", &one, &addrs, &err), PLAT_RESOLVE_KNOWN);
    assert_int_equal(addrs->n, found);
    plat_resolve_forget();
    assert_int_equal(plat_resolve(*state, "localhost", &one, &addrs, &err), PLAT_RESOLVE_WAIT);
    plat_resolve_abandon(&one);
    turn(state); /* nobody waits, and the answer is kept all the same */
    assert_int_equal(answers, 2);
    assert_int_equal(plat_resolve(*state, "localhost", &one, &addrs, &err), PLAT_RESOLVE_KNOWN);
}

static struct plat_loop *again_loop;
static struct plat_resolve_wait again_wait;

static void on_failure_ask_again(struct plat_resolve_wait *wait, const struct plat_addrs *addrs,
                                 const struct plat_err *err)
{
    const struct plat_addrs *known = NULL;
    struct plat_err why;

    (void)wait;
    (void)err;
    assert_null(addrs);
    again_wait.done = on_answer;
    assert_int_equal(plat_resolve(again_loop, "no.such.name.invalid", &again_wait, &known, &why),
                     PLAT_RESOLVE_WAIT);
}

static void failures_are_not_kept(void **state)
{
    struct plat_resolve_wait wait = { .done = on_failure_ask_again };
    const struct plat_addrs *addrs = NULL;
    struct plat_err err;

    again_loop = *state;
    assert_int_equal(plat_resolve(*state, "no.such.name.invalid", &wait, &addrs, &err),
                     PLAT_RESOLVE_WAIT);
    turn(state);
    assert_int_equal(failures, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(addresses, setup, teardown),
        cmocka_unit_test_setup_teardown(no_names, setup, teardown),
        cmocka_unit_test_setup_teardown(shared_and_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(failures_are_not_kept, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
