/* io/tty.c: lines with and without echo, on a pseudo terminal. */
#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <cmocka.h>

#include "io/loop.h"
#include "io/tty.h"

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

static void start(struct plat_tty_line *line, int fd, bool echo)
{
    *line = (struct plat_tty_line){ .op = { .cls = &plat_tty_line_class, .loop = loop } };
    line->op.waiter = line;
    if (plat_tty_read_line(line, fd, echo))
        plat_op_start(&line->op, 0);
}

static void expect_line(int fd, const char *want)
{
    struct plat_tty_line line;

    start(&line, fd, true);
    plat_loop_run(loop);
    if (line.err.kind)
        fail_msg("%s", line.err.msg);
    assert_int_equal(line.len, strlen(want));
    assert_memory_equal(line.line, want, line.len);
}

static void expect_end(int fd)
{
    struct plat_tty_line line;

    start(&line, fd, true);
    plat_loop_run(loop);
    assert_int_equal(line.err.kind, PLAT_ERR_IO);
    assert_string_equal(line.err.msg, "end of input");
}

static bool echoes(int fd)
{
    struct termios mode;

    assert_int_equal(tcgetattr(fd, &mode), 0);
    return mode.c_lflag & ECHO;
}

/* Waits until the terminal echoes, or does not. */
static void await_echo(int fd, bool want)
{
    for (int i = 0; i < 500 && echoes(fd) != want; i++)
        usleep(10000);
    assert_int_equal(echoes(fd), want);
}

static void put(int fd, const char *text)
{
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static void leaves_the_next_line_of_a_pipe(void **state)
{
    int fds[2];

    (void)state;
    assert_int_equal(pipe(fds), 0);
    put(fds[1], "one\ntwo\nlast");
    close(fds[1]);
    expect_line(fds[0], "one");
    assert_int_equal(fcntl(fds[0], F_GETFL) & O_NONBLOCK, 0); /* others share the open file */
    expect_line(fds[0], "two");
    expect_line(fds[0], "last");
    expect_end(fds[0]);
    close(fds[0]);
}

static void reads_files_and_dev_null(void **state)
{
    char path[] = "/tmp/test_tty.XXXXXX";
    int fd = mkstemp(path), null = open("/dev/null", O_RDONLY);

    (void)state;
    unlink(path);
    put(fd, "one\ntwo\n");
    lseek(fd, 0, SEEK_SET);
    expect_line(fd, "one");
    expect_line(fd, "two");
    expect_end(fd);
    expect_end(null);
    close(fd);
    close(null);
}

static void refuses_a_line_without_end(void **state)
{
    static char big[PLAT_TTY_LINE + 1];
    struct plat_tty_line line;
    int fds[2];

    (void)state;
    memset(big, 'x', sizeof(big));
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(write(fds[1], big, sizeof(big)), sizeof(big));
    start(&line, fds[0], true);
    plat_loop_run(loop);
    assert_int_equal(line.err.kind, PLAT_ERR_REFUSED);
    close(fds[0]);
    close(fds[1]);
}

static void hides_what_is_typed(void **state)
{
    struct plat_tty_line line, second;
    int master, slave;
    char shown[64] = "";

    (void)state;
    assert_int_equal(openpty(&master, &slave, NULL, NULL, NULL), 0);
    start(&line, slave, false);
    assert_false(echoes(slave));
    start(&second, slave, false);
    assert_int_equal(second.err.kind, PLAT_ERR_REFUSED); /* one question at a time */
    put(master, "s3cret\n");
    plat_loop_run(loop);
    assert_int_equal(line.len, 6);
    assert_memory_equal(line.line, "s3cret", 6);
    assert_true(echoes(slave));
    fcntl(master, F_SETFL, O_NONBLOCK);
    assert_true(read(master, shown, sizeof(shown)) <= 0 || !strstr(shown, "s3cret"));
    close(master);
    close(slave);
}

static void a_cancel_shows_again(void **state)
{
    struct plat_tty_line line;
    int master, slave;

    (void)state;
    assert_int_equal(openpty(&master, &slave, NULL, NULL, NULL), 0);
    start(&line, slave, false);
    assert_false(echoes(slave));
    plat_op_cancel(&line.op, PLAT_END_CANCELLED);
    assert_true(echoes(slave));
    plat_loop_run(loop);
    put(master, "next\n");
    expect_line(slave, "next");
    close(master);
    close(slave);
}

/* In a child: asks for a hidden line.  Its group is not ours, so that it can be stopped. */
static pid_t fork_asker(int slave)
{
    pid_t pid = fork();

    if (pid == 0) {
        struct plat_tty_line line;

        setpgid(0, 0);
        start(&line, slave, false);
        plat_loop_run(loop);
        _exit(line.len == 4 && !memcmp(line.line, "word", 4) ? 0 : 1);
    }
    setpgid(pid, pid);
    return pid;
}

static void quitting_shows_again(void **state)
{
    int master, slave, status;
    pid_t pid;

    (void)state;
    assert_int_equal(openpty(&master, &slave, NULL, NULL, NULL), 0);
    pid = fork_asker(slave);
    await_echo(slave, false);
    kill(pid, SIGQUIT);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGQUIT);
    assert_true(echoes(slave));
    close(master);
    close(slave);
}

static void stopping_shows_and_going_on_hides(void **state)
{
    int master, slave, status;
    pid_t pid;

    (void)state;
    assert_int_equal(openpty(&master, &slave, NULL, NULL, NULL), 0);
    pid = fork_asker(slave);
    for (int i = 0; i < 2; i++) {
        await_echo(slave, false);
        kill(pid, SIGTSTP);
        assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
        assert_true(WIFSTOPPED(status));
        assert_true(echoes(slave));
        kill(pid, SIGCONT);
    }
    await_echo(slave, false);
    put(master, "word\n");
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_true(echoes(slave));
    close(master);
    close(slave);
}

static void writes_all_to_a_slow_reader(void **state)
{
    enum { SIZE = 1 << 20 };
    static char data[SIZE], piece[4096];
    struct plat_err err;
    size_t got = 0;
    ssize_t n;
    int fds[2], status;
    pid_t pid;

    (void)state;
    assert_int_equal(pipe2(fds, O_NONBLOCK), 0);
    pid = fork();
    if (pid == 0) {
        close(fds[0]);
        _exit(plat_tty_write(fds[1], data, SIZE, &err) ? 0 : 1);
    }
    close(fds[1]);
    fcntl(fds[0], F_SETFL, 0);
    while ((n = read(fds[0], piece, sizeof(piece))) > 0)
        got += (size_t)n;
    assert_int_equal(got, SIZE);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    close(fds[0]);
    assert_int_equal(pipe(fds), 0);
    close(fds[0]);
    assert_false(plat_tty_write(fds[1], "x", 1, &err));
    assert_int_equal(err.code, EPIPE);
    close(fds[1]);
}

static void knows_the_size(void **state)
{
    struct winsize ws = { .ws_row = 24, .ws_col = 80 };
    struct plat_err err;
    int master, slave, cols, rows;

    (void)state;
    assert_int_equal(openpty(&master, &slave, NULL, NULL, &ws), 0);
    assert_true(plat_tty_size(slave, &cols, &rows, &err));
    assert_int_equal(cols, 80);
    assert_int_equal(rows, 24);
    close(slave);
    assert_false(plat_tty_size(slave, &cols, &rows, &err));
    close(master);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(leaves_the_next_line_of_a_pipe),
        cmocka_unit_test(reads_files_and_dev_null),
        cmocka_unit_test(refuses_a_line_without_end),
        cmocka_unit_test(hides_what_is_typed),
        cmocka_unit_test(a_cancel_shows_again),
        cmocka_unit_test(quitting_shows_again),
        cmocka_unit_test(stopping_shows_and_going_on_hides),
        cmocka_unit_test(writes_all_to_a_slow_reader),
        cmocka_unit_test(knows_the_size),
    };

    signal(SIGPIPE, SIG_IGN); /* as the loop does */
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
