#include "io/tty.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>
#include <uv.h>

#include "io/loop.h"

#include "base/banned.h"

bool plat_tty_write(int fd, const char *data, size_t len, struct plat_err *err)
{
    while (len > 0) {
        ssize_t n = write(fd, data, len);

        if (n >= 0) {
            data += n;
            len -= (size_t)n;
        } else if (errno == EAGAIN) {
            struct pollfd p = { .fd = fd, .events = POLLOUT };
            poll(&p, 1, -1); /* its failure shows in the next write */
        } else if (errno != EINTR) {
            return plat_err_errno(err, errno, "tty.write", "cannot write to descriptor %d", fd);
        }
    }
    return true;
}

bool plat_tty_size(int fd, int *ret_cols, int *ret_rows, struct plat_err *err)
{
    struct winsize ws;

    if (ioctl(fd, TIOCGWINSZ, &ws))
        return plat_err_errno(err, errno, "tty.size", "descriptor %d", fd);
    *ret_cols = ws.ws_col;
    *ret_rows = ws.ws_row;
    return true;
}

/* ---- echo: process-wide state, because the terminal is ---- */

static const int guarded[] = { SIGQUIT, SIGTSTP, SIGCONT };

enum { GUARDED = sizeof(guarded) / sizeof(*guarded) };

static struct {
    volatile sig_atomic_t hidden;
    int fd;
    struct termios shown;
    struct sigaction old[GUARDED];
} echo_state;

static void set_echo(bool on, int when)
{
    struct termios mode = echo_state.shown;

    if (!on)
        mode.c_lflag &= ~(tcflag_t)(ECHO | ECHONL);
    while (tcsetattr(echo_state.fd, when, &mode) && errno == EINTR)
        ;
}

static void on_guarded(int signo);

static void guard(int signo, int flags, struct sigaction *old)
{
    struct sigaction act = { .sa_handler = on_guarded, .sa_flags = flags };

    sigemptyset(&act.sa_mask);
    sigaction(signo, &act, old);
}

/* Only async-signal-safe calls.  SIGQUIT and SIGTSTP were reset to their default on entry, and act
 * when this returns. */
static void on_guarded(int signo)
{
    int code = errno;

    if (signo == SIGCONT) {
        guard(SIGTSTP, (int)SA_RESETHAND | SA_RESTART, NULL);
        set_echo(false, TCSANOW);
    } else {
        set_echo(true, TCSANOW);
        raise(signo);
    }
    errno = code;
}

static void show_echo(void)
{
    if (!echo_state.hidden)
        return;
    echo_state.hidden = 0;
    set_echo(true, TCSADRAIN);
    for (int i = 0; i < GUARDED; i++)
        sigaction(guarded[i], &echo_state.old[i], NULL);
}

static void hide_echo(int fd)
{
    static bool registered;

    if (tcgetattr(fd, &echo_state.shown))
        return; /* not a terminal: nothing echoes */
    if (!registered)
        registered = atexit(show_echo) == 0;
    echo_state.fd = fd;
    echo_state.hidden = 1;
    for (int i = 0; i < GUARDED; i++)
        guard(guarded[i], guarded[i] == SIGCONT ? SA_RESTART : (int)SA_RESETHAND | SA_RESTART,
              &echo_state.old[i]);
    set_echo(false, TCSAFLUSH);
}

/* ---- a line ---- */

struct reader {
    uv_poll_t poll;
    struct plat_tty_line *line;
    int fd;
    bool own_fd; /* a descriptor of our own, with its own O_NONBLOCK */
    int flags;   /* else: the flags to put back */
    bool hidden;
};

static struct reader *reading; /* one question at a time, because there is one person */

static void on_closed(uv_handle_t *handle)
{
    struct reader *r = handle->data;

    if (r->own_fd)
        close(r->fd);
    plat_op_release(&r->line->op);
    free(r);
}

/* The poll handle goes last: its descriptor must not be closed before. */
static void stop_reading(struct reader *r)
{
    reading = NULL;
    if (r->hidden)
        show_echo();
    if (!r->own_fd)
        fcntl(r->fd, F_SETFL, r->flags);
    if (r->poll.data)
        uv_close((uv_handle_t *)&r->poll, on_closed);
    else {
        r->poll.data = r;
        on_closed((uv_handle_t *)&r->poll);
    }
}

/* Byte by byte: what follows the newline belongs to the next reader.  True: the line has ended. */
static bool read_some(struct reader *r)
{
    struct plat_tty_line *line = r->line;

    for (;;) {
        char c;
        ssize_t n = read(r->fd, &c, 1);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return false;
        if (n < 0)
            plat_err_errno(&line->err, errno, "tty.read_line", "cannot read");
        else if (n == 0 && line->len == 0)
            plat_err_set(&line->err, PLAT_ERR_IO, 0, "tty.read_line", "end of input");
        else if (n == 1 && c != '\n' && line->len == sizeof(line->line))
            plat_err_set(&line->err, PLAT_ERR_REFUSED, 0, "tty.read_line",
                         "the line is longer than %d bytes", PLAT_TTY_LINE);
        else if (n == 1 && c != '\n') {
            line->line[line->len++] = c;
            continue;
        }
        return true;
    }
}

static void end_line(struct reader *r)
{
    plat_op_ready(&r->line->op);
    stop_reading(r);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct reader *r = poll->data;

    (void)events;
    if (status < 0)
        plat_err_errno(&r->line->err, -status, "tty.read_line", "cannot read");
    if (status < 0 || read_some(r))
        end_line(r);
}

static void cancel_line(struct plat_op *op)
{
    if (reading && op == &reading->line->op)
        stop_reading(reading);
}

const struct plat_op_class plat_tty_line_class = {
    .name = "tty.read_line", .real = true, .held = true, .cancel = cancel_line
};

/* O_NONBLOCK belongs to the open file, which the shell shares: so the same file is opened again
 * where that is possible.  Not for regular files, whose position would be lost. */
static void take_fd(struct reader *r, int fd)
{
    char path[40];

    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    r->flags = fcntl(fd, F_GETFL);
    r->fd =
        lseek(fd, 0, SEEK_CUR) >= 0 ? -1 : open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    r->own_fd = r->fd >= 0;
    if (!r->own_fd)
        r->fd = fd;
}

static bool refuse(struct plat_tty_line *line, enum plat_err_kind kind, const char *msg)
{
    plat_err_set(&line->err, kind, 0, "tty.read_line", "%s", msg);
    plat_op_release(&line->op);
    return false;
}

bool plat_tty_read_line(struct plat_tty_line *line, int fd, bool echo)
{
    struct reader *r;
    int rc;

    if (reading)
        return refuse(line, PLAT_ERR_REFUSED, "another question is open");
    r = calloc(1, sizeof(*r));
    if (!r)
        return refuse(line, PLAT_ERR_IO, "out of memory");
    reading = r;
    take_fd(r, fd);
    r->line = line;
    r->hidden = !echo;
    if (!echo)
        hide_echo(r->fd);
    rc = uv_poll_init(plat_loop_uv(line->op.loop), &r->poll, r->fd);
    if (rc == 0) {
        r->poll.data = r;
        rc = uv_poll_start(&r->poll, UV_READABLE, on_readable);
    }
    if (rc == 0)
        return true;
    if (rc == UV_EPERM && read_some(r)) { /* a regular file or /dev/null: never blocks */
        end_line(r);
        return true;
    }
    plat_err_errno(&line->err, -rc, "tty.read_line", "cannot wait for input");
    stop_reading(r);
    return false;
}
