/* io/proc*.c: what only C can arrange around a child process. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "io/loop.h"
#include "io/proc.h"

#include "base/banned.h"

static struct plat_loop *loop;

static void on_resume(struct plat_op *op, void *arg)
{
    (void)op;
    plat_loop_stop(arg);
}

static void on_release(struct plat_op *op, void *arg)
{
    (void)op;
    (void)arg;
}

static int set_up(void **state)
{
    (void)state;
    loop = plat_loop_new();
    if (!loop)
        return -1;
    plat_loop_hooks(loop, on_resume, on_release, loop);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    plat_loop_free(loop);
    return 0;
}

static struct plat_proc *start(const char *script, bool collect)
{
    const char *argv[] = { "sh", "-c", script, NULL };
    struct plat_proc_opts opts = {
        .argv = argv,
        .envp = (const char *const *)environ,
        .collect = collect,
        .max_output = 1 << 20,
        .grace = 0.2,
    };
    struct plat_err err = { 0 };
    struct plat_proc *proc = plat_proc_start(loop, &opts, &err);

    if (!proc)
        fail_msg("%s", err.msg);
    return proc;
}

static void run_until(struct plat_proc_op *op)
{
    op->op.loop = loop;
    op->op.waiter = op;
    plat_op_start(&op->op, 0);
    plat_loop_run(loop);
    assert_int_equal(op->op.end, PLAT_END_OK);
}

static void await_end(struct plat_proc *proc)
{
    struct plat_proc_op op = { .op = { .cls = &plat_proc_wait_class }, .proc = proc };
    struct plat_err err;

    op.op.loop = loop;
    assert_true(plat_proc_await_end(proc, &op, &err));
    run_until(&op);
}

/* Lets the loop work for a while. */
static void turn(double seconds)
{
    static const struct plat_op_class pause_class = { .name = "test.pause" };
    struct plat_op op = { .cls = &pause_class, .loop = loop, .waiter = loop, .timeout = seconds };

    plat_op_start(&op, 0);
    plat_loop_run(loop);
}

static bool lives(pid_t pid)
{
    char path[64], state = 'Z';
    FILE *file;

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    file = fopen(path, "r");
    if (!file)
        return false;
    if (fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
        state = 'Z';
    fclose(file);
    return state != 'Z' && state != 'X';
}

static void await_death(pid_t pid)
{
    for (int i = 0; i < 500 && lives(pid); i++)
        usleep(10000);
    assert_false(lives(pid));
}

static void expect_output(const struct plat_proc *proc, int stream, const char *want)
{
    const struct plat_buf *out = plat_proc_output(proc, stream);

    assert_int_equal(out->len, strlen(want));
    assert_memory_equal(plat_buf_bytes(out), want, out->len);
}

static void collects_both_streams(void **state)
{
    struct plat_proc *proc = start("echo out; echo err >&2; exit 7", true);

    (void)state;
    await_end(proc);
    expect_output(proc, 0, "out\n");
    expect_output(proc, 1, "err\n");
    assert_int_equal(WEXITSTATUS(plat_proc_status(proc)), 7);
    plat_proc_free(proc);
}

/* A daemon may have been started without standard descriptors: pipes get their numbers then. */
static void works_without_standard_descriptors(void **state)
{
    int status;
    pid_t pid = fork();

    (void)state;
    if (pid == 0) {
        struct plat_proc *proc;

        close(0);
        close(1);
        close(2);
        proc = start("echo out; echo err >&2", true);
        await_end(proc);
        _exit(plat_proc_output(proc, 0)->len == 4 && plat_proc_output(proc, 1)->len == 4 ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void a_child_does_not_outlive_a_crash(void **state)
{
    int fds[2], status;
    pid_t pid, grandchild = 0;

    (void)state;
    assert_int_equal(pipe(fds), 0);
    pid = fork();
    if (pid == 0) {
        grandchild = plat_proc_pid(start("exec sleep 100", true));
        if (write(fds[1], &grandchild, sizeof(grandchild)) == (ssize_t)sizeof(grandchild))
            kill(getpid(), SIGKILL);
        _exit(1);
    }
    assert_int_equal(read(fds[0], &grandchild, sizeof(grandchild)), sizeof(grandchild));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    await_death(grandchild);
    close(fds[0]);
    close(fds[1]);
}

static void freeing_ends_it_in_the_background(void **state)
{
    struct plat_proc *proc = start("trap '' TERM; while :; do sleep 0.05; done", false);
    pid_t pid = plat_proc_pid(proc);

    (void)state;
    turn(0.1);
    plat_proc_free(proc);
    assert_true(lives(pid)); /* it ignores SIGTERM, and the grace has not passed */
    turn(1);
    assert_false(lives(pid));
    assert_int_equal(waitpid(pid, NULL, WNOHANG), -1); /* no zombie either */
    assert_int_equal(errno, ECHILD);
}

static void the_end_of_the_program_ends_all(void **state)
{
    struct plat_proc *polite = start("trap 'exit 0' TERM; while :; do sleep 0.05; done", false);
    struct plat_proc *stubborn = start("trap '' TERM; while :; do sleep 0.05; done", false);
    pid_t pids[] = { plat_proc_pid(polite), plat_proc_pid(stubborn) };

    (void)state;
    turn(0.1);
    plat_proc_end_all();
    for (int i = 0; i < 2; i++) {
        assert_false(lives(pids[i]));
        assert_int_equal(waitpid(pids[i], NULL, WNOHANG), -1);
    }
    plat_proc_end_all(); /* nobody is left */
    plat_proc_free(polite);
    plat_proc_free(stubborn);
    turn(0.01);
}

static void inherits_no_descriptor(void **state)
{
    int leak = open("/dev/null", O_RDONLY); /* not close-on-exec, as of a careless library */
    struct plat_proc *proc = start("exec ls /proc/self/fd", true);

    (void)state;
    await_end(proc);
    expect_output(proc, 0, "0\n1\n2\n3\n");
    plat_proc_free(proc);
    close(leak);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(collects_both_streams),
        cmocka_unit_test(works_without_standard_descriptors),
        cmocka_unit_test(a_child_does_not_outlive_a_crash),
        cmocka_unit_test(freeing_ends_it_in_the_background),
        cmocka_unit_test(inherits_no_descriptor),
        cmocka_unit_test(the_end_of_the_program_ends_all), /* last: it ends everything */
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
