/* The loop without Lua: timers in order, both clocks, endings of operations. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "io/heap.h"
#include "io/loop.h"

#include "base/banned.h"

enum { MANY = 2000 };

static struct plat_op *woken[16];
static int woken_n, releases;

static void resume(struct plat_op *op, void *arg)
{
    (void)arg;
    if (woken_n < 16)
        woken[woken_n] = op;
    woken_n++;
}

static void release(struct plat_op *op, void *arg)
{
    (void)op;
    (void)arg;
    releases++;
}

static struct plat_loop *new_loop(void)
{
    struct plat_loop *loop = plat_loop_new();

    assert_non_null(loop);
    plat_loop_hooks(loop, resume, release, NULL);
    woken_n = releases = 0;
    return loop;
}

static const struct plat_op_class sleep_class = { .name = "test.sleep" };
static const struct plat_op_class real_class = { .name = "test.real", .real = true };

static int cancels;

static void on_cancel(struct plat_op *op)
{
    cancels++;
    plat_op_release(op);
}

static const struct plat_op_class held_class = {
    .name = "test.held",
    .held = true,
    .cancel = on_cancel,
};

static struct plat_op new_op(struct plat_loop *loop, const struct plat_op_class *cls,
                             double timeout)
{
    return (struct plat_op){ .cls = cls, .loop = loop, .timeout = timeout };
}

static void heap_gives_timers_in_order(void **state)
{
    struct plat_heap heap = { 0 };
    struct plat_timer *timers = calloc(MANY, sizeof(*timers));
    uint64_t last_at = 0, last_seq = 0;
    int left = MANY;

    (void)state;
    assert_non_null(timers);
    assert_true(plat_heap_reserve(&heap, MANY));
    srand(7);
    for (int i = 0; i < MANY; i++) {
        timers[i].at = (uint64_t)(rand() % 100);
        timers[i].seq = (uint64_t)i;
        plat_heap_push(&heap, &timers[i]);
    }
    for (int i = 0; i < MANY; i += 3) { /* removal from the middle keeps the order */
        plat_heap_remove(&heap, &timers[i]);
        assert_int_equal(timers[i].index, 0);
        left--;
    }
    while (left-- > 0) {
        struct plat_timer *top = plat_heap_top(&heap);
        assert_non_null(top);
        assert_true(top->at > last_at || (top->at == last_at && top->seq >= last_seq));
        last_at = top->at;
        last_seq = top->seq;
        plat_heap_remove(&heap, top);
    }
    assert_null(plat_heap_top(&heap));
    plat_heap_done(&heap);
    free(timers);
}

static void virtual_time_jumps_and_nothing_waits(void **state)
{
    struct plat_loop *loop = new_loop();
    struct plat_op day = new_op(loop, &sleep_class, 86400), hour = new_op(loop, &sleep_class, 3600);
    uint64_t t0;

    (void)state;
    plat_loop_virtual(loop, 1000000.0, 0);
    t0 = plat_loop_now(loop);
    plat_op_start(&day, 0);
    plat_op_start(&hour, 0);
    assert_int_equal(plat_loop_run(loop), PLAT_LOOP_STUCK);
    assert_int_equal(woken_n, 2);
    assert_ptr_equal(woken[0], &hour);
    assert_ptr_equal(woken[1], &day);
    assert_int_equal(day.end, PLAT_END_TIMEOUT);
    assert_int_equal(plat_loop_now(loop) - t0, 86400ull * 1000000000ull);
    assert_true(plat_loop_wall(loop) == 1086400.0);
    plat_loop_free(loop);
}

static void the_shortest_wait_moves_virtual_time(void **state)
{
    struct plat_loop *loop = new_loop();
    struct plat_op op = new_op(loop, &sleep_class, 1e-10);
    uint64_t t0;

    (void)state;
    plat_loop_virtual(loop, 0, 0);
    t0 = plat_loop_now(loop);
    plat_op_start(&op, 0);
    plat_loop_run(loop);
    assert_int_equal(op.end, PLAT_END_TIMEOUT);
    assert_int_equal(plat_loop_now(loop) - t0, 1);
    plat_loop_free(loop);
}

static void virtual_time_stands_still_while_a_real_operation_is_in_flight(void **state)
{
    struct plat_loop *loop = new_loop();
    struct plat_op real = new_op(loop, &real_class, 0.02), hour = new_op(loop, &sleep_class, 3600);

    (void)state;
    plat_loop_virtual(loop, 0, 0);
    plat_op_start(&hour, 0);
    plat_op_start(&real, 0);
    assert_int_equal(plat_loop_run(loop), PLAT_LOOP_STUCK);
    assert_ptr_equal(woken[0], &real); /* its deadline is real: it came first all the same */
    assert_ptr_equal(woken[1], &hour);
    plat_loop_free(loop);
}

static void the_earlier_of_own_timeout_and_scope_counts(void **state)
{
    struct plat_loop *loop = new_loop();
    struct plat_op own = new_op(loop, &sleep_class, 1), scope = new_op(loop, &sleep_class, 100);
    uint64_t at;

    (void)state;
    plat_loop_virtual(loop, 0, 0);
    at = plat_loop_now(loop) + 5000000000ull;
    plat_op_start(&own, at);
    plat_op_start(&scope, at);
    plat_loop_run(loop);
    assert_int_equal(own.end, PLAT_END_TIMEOUT);
    assert_int_equal(scope.end, PLAT_END_DEADLINE);
    plat_loop_free(loop);
}

static void an_engine_may_be_faster_than_the_wait(void **state)
{
    struct plat_loop *loop = new_loop();
    struct plat_op op = new_op(loop, &sleep_class, 100);

    (void)state;
    plat_op_ready(&op);
    plat_op_start(&op, 0);
    plat_op_ready(&op); /* late completions are ignored */
    plat_op_cancel(&op, PLAT_END_CANCELLED);
    assert_int_equal(plat_loop_run(loop), PLAT_LOOP_STUCK);
    assert_int_equal(woken_n, 1);
    assert_int_equal(op.end, PLAT_END_OK);
    plat_loop_free(loop);
}

static void cancel_ends_once_and_releases_once(void **state)
{
    struct plat_loop *loop = new_loop();
    struct plat_op op = new_op(loop, &held_class, 0);

    (void)state;
    cancels = 0;
    plat_op_start(&op, 0);
    plat_op_cancel(&op, PLAT_END_CANCELLED);
    plat_op_cancel(&op, PLAT_END_TIMEOUT);
    plat_op_ready(&op);
    plat_op_release(&op);
    assert_int_equal(op.end, PLAT_END_CANCELLED);
    assert_int_equal(cancels, 1);
    assert_int_equal(releases, 1);
    plat_loop_run(loop);
    assert_int_equal(woken_n, 1);
    plat_loop_free(loop);
}

static void buffers_keep_their_ceiling(void **state)
{
    struct plat_buf buf;

    (void)state;
    plat_buf_init(&buf, 10);
    assert_true(plat_buf_add(&buf, "12345678", 8));
    assert_false(plat_buf_add(&buf, "abc", 3));
    assert_int_equal(buf.len, 8);
    plat_buf_drop(&buf, 6);
    assert_true(plat_buf_add(&buf, "abcdefgh", 8));
    assert_false(plat_buf_add(&buf, "x", 1));
    assert_memory_equal(plat_buf_bytes(&buf), "78abcdefgh", 10);
    assert_false(plat_buf_add(&buf, "x", SIZE_MAX));
    plat_buf_clear(&buf);
    assert_true(plat_buf_addf(&buf, "%s-%d", "n", 42));
    assert_memory_equal(plat_buf_bytes(&buf), "n-42", 4);
    plat_buf_done(&buf);
    plat_buf_done(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heap_gives_timers_in_order),
        cmocka_unit_test(virtual_time_jumps_and_nothing_waits),
        cmocka_unit_test(the_shortest_wait_moves_virtual_time),
        cmocka_unit_test(virtual_time_stands_still_while_a_real_operation_is_in_flight),
        cmocka_unit_test(the_earlier_of_own_timeout_and_scope_counts),
        cmocka_unit_test(an_engine_may_be_faster_than_the_wait),
        cmocka_unit_test(cancel_ends_once_and_releases_once),
        cmocka_unit_test(buffers_keep_their_ceiling),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
