#include "io/fork.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/loop.h"

#include "base/banned.h"

#define OP "fork.start"

enum { MAX_SAID = 64 * 1024 * 1024, MAX_CHILDREN = 256, PIECE = 65536 };

static int result_to = -1; /* in a child: where its result goes */

/* ---- the child ---- */

static void be_child(struct plat_loop *loop, pid_t parent, const int *result, const int *output)
{
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

    if (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != parent)
        _exit(127);
    if (null < 0 || dup2(null, 0) < 0 || dup2(output[1], 1) < 0 || dup2(output[1], 2) < 0)
        _exit(127);
    close(null);
    close(result[0]);
    close(output[0]);
    close(output[1]);
    if (result_to >= 0)
        close(result_to);
    result_to = result[1];
    if (!plat_loop_forked(loop))
        _exit(127);
}

_Noreturn void plat_fork_finish(const char *text, size_t n, int status)
{
    while (n > 0 && result_to >= 0) {
        ssize_t done = write(result_to, text, n);

        if (done < 0 && errno != EINTR)
            _exit(127);
        if (done > 0) {
            text += done;
            n -= (size_t)done;
        }
    }
    _exit(status);
}

/* ---- the parent ---- */

static void close_pair(int *pair)
{
    close(pair[0]);
    close(pair[1]);
}

enum plat_fork_side plat_fork_start(struct plat_loop *loop, struct plat_child *child,
                                    struct plat_err *err)
{
    int result[2], output[2];
    pid_t parent = getpid(), pid;

    if (!plat_loop_is_quiet(loop)) {
        plat_err_set(err, PLAT_ERR_BUG, 0, OP, "something real is in flight");
        return PLAT_FORK_ERROR;
    }
    if (pipe2(result, O_CLOEXEC)) {
        plat_err_errno(err, errno, OP, "pipe");
        return PLAT_FORK_ERROR;
    }
    if (pipe2(output, O_CLOEXEC)) {
        plat_err_errno(err, errno, OP, "pipe");
        close_pair(result);
        return PLAT_FORK_ERROR;
    }
    pid = fork();
    if (pid == 0) {
        be_child(loop, parent, result, output);
        return PLAT_FORK_CHILD;
    }
    if (pid < 0) {
        plat_err_errno(err, errno, OP, "fork");
        close_pair(result);
        close_pair(output);
        return PLAT_FORK_ERROR;
    }
    close(result[1]);
    close(output[1]);
    *child = (struct plat_child){ .pid = pid, .result_fd = result[0], .output_fd = output[0] };
    plat_buf_init(&child->result, MAX_SAID);
    plat_buf_init(&child->output, MAX_SAID);
    return PLAT_FORK_PARENT;
}

/* Reads a piece; at the end the descriptor is closed and becomes -1. */
static void take(struct plat_child *child, int *fd, struct plat_buf *buf)
{
    static char piece[PIECE];
    ssize_t n = read(*fd, piece, sizeof(piece));

    if (n < 0 && errno == EINTR)
        return;
    if (n > 0) {
        if (!plat_buf_add(buf, piece, (size_t)n))
            child->too_much = true;
        return;
    }
    close(*fd);
    *fd = -1;
}

static bool has_ended(struct plat_child *child)
{
    if (child->pid <= 0 || child->result_fd >= 0 || child->output_fd >= 0)
        return false;
    while (waitpid(child->pid, &child->status, 0) < 0 && errno == EINTR) {
    }
    child->pid = 0;
    return true;
}

size_t plat_fork_wait(struct plat_child *const *children, size_t n, int ms)
{
    struct pollfd fds[2 * MAX_CHILDREN];

    if (n > MAX_CHILDREN)
        n = MAX_CHILDREN;
    for (size_t i = 0; i < n; i++) {
        fds[2 * i] = (struct pollfd){ .fd = children[i]->result_fd, .events = POLLIN };
        fds[2 * i + 1] = (struct pollfd){ .fd = children[i]->output_fd, .events = POLLIN };
    }
    if (n == 0 || poll(fds, 2 * n, ms) <= 0)
        return n;
    for (size_t i = 0; i < n; i++) {
        if (fds[2 * i].revents)
            take(children[i], &children[i]->result_fd, &children[i]->result);
        if (fds[2 * i + 1].revents)
            take(children[i], &children[i]->output_fd, &children[i]->output);
    }
    for (size_t i = 0; i < n; i++) {
        if (has_ended(children[i]))
            return i;
    }
    return n;
}

void plat_fork_done(struct plat_child *child)
{
    if (child->pid > 0) {
        kill(child->pid, SIGKILL);
        while (waitpid(child->pid, &child->status, 0) < 0 && errno == EINTR) {
        }
        child->pid = 0;
    }
    if (child->result_fd >= 0)
        close(child->result_fd);
    if (child->output_fd >= 0)
        close(child->output_fd);
    child->result_fd = child->output_fd = -1;
    plat_buf_done(&child->result);
    plat_buf_done(&child->output);
}
