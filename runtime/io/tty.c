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

static struct reader {
    uv_poll_t poll;
    struct plat_tty_line *line; /* NULL: no read is under way */
    int fd;
    bool own_fd; /* a descriptor of our own, with its own O_NONBLOCK */
    int flags;   /* else: the flags to put back */
    bool hidden;
    bool polling;
} reader;

static void let_go(void)
{
    struct plat_tty_line *line = reader.line;

    if (reader.hidden)
        show_echo();
    if (reader.own_fd)
        close(reader.fd);
    else
        fcntl(reader.fd, F_SETFL, reader.flags);
    reader.line = NULL;
    plat_op_release(&line->op);
}

static void on_closed(uv_handle_t *handle)
{
    (void)handle;
    let_go();
}

/* The descriptor may be closed only after the poll handle. */
static void stop_reading(void)
{
    if (reader.hidden)
        show_echo();
    reader.hidden = false;
    if (reader.polling)
        uv_close((uv_handle_t *)&reader.poll, on_closed);
    else
        let_go();
    reader.polling = false;
}

static void end_line(void)
{
    struct plat_tty_line *line = reader.line;

    plat_op_ready(&line->op);
    stop_reading();
}

/* Byte by byte: what follows the newline belongs to the next reader.  True: the line has ended. */
static bool read_some(struct plat_tty_line *line)
{
    for (;;) {
        char c;
        ssize_t n = read(reader.fd, &c, 1);

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

static void on_readable(uv_poll_t *poll, int status, int events)
{
    (void)poll;
    (void)events;
    if (status < 0)
        plat_err_errno(&reader.line->err, -status, "tty.read_line", "cannot read");
    if (status < 0 || read_some(reader.line))
        end_line();
}

static void cancel_line(struct plat_op *op)
{
    if (reader.line && op == &reader.line->op)
        stop_reading();
}

const struct plat_op_class plat_tty_line_class = {
    .name = "tty.read_line", .real = true, .held = true, .cancel = cancel_line
};

/* O_NONBLOCK belongs to the open file, which the shell shares: so the same file is opened again
 * where that is possible.  Not for regular files, whose position would be lost. */
static void take_fd(int fd)
{
    char path[40];

    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    reader.flags = fcntl(fd, F_GETFL);
    reader.fd =
        lseek(fd, 0, SEEK_CUR) >= 0 ? -1 : open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    reader.own_fd = reader.fd >= 0;
    if (!reader.own_fd)
        reader.fd = fd;
}

bool plat_tty_read_line(struct plat_tty_line *line, int fd, bool echo)
{
    int rc;

    if (reader.line || reader.polling) {
        plat_err_set(&line->err, PLAT_ERR_REFUSED, 0, "tty.read_line", "another question is open");
        plat_op_release(&line->op);
        return false;
    }
    take_fd(fd);
    reader.line = line;
    reader.hidden = !echo;
    if (!echo)
        hide_echo(reader.fd);
    rc = uv_poll_init(plat_loop_uv(line->op.loop), &reader.poll, reader.fd);
    if (rc == 0) {
        reader.polling = true;
        rc = uv_poll_start(&reader.poll, UV_READABLE, on_readable);
    }
    if (rc == 0)
        return true;
    if (rc == UV_EPERM && read_some(line)) { /* a regular file or /dev/null: never blocks */
        end_line();
        return true;
    }
    if (!line->err.kind)
        plat_err_errno(&line->err, -rc, "tty.read_line", "cannot wait for input");
    stop_reading();
    return false;
}
