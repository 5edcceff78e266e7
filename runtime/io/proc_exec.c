#include "io/proc_exec.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"

#include "base/banned.h"

#define OP           "proc.start"
#define DEFAULT_PATH "/usr/local/bin:/usr/bin:/bin"

enum stage { STAGE_CHDIR, STAGE_EXEC, STAGE_SETUP };

struct report { /* what a child that could not start tells */
    enum stage stage;
    int code;
};

static const char *path_of(const char *const *envp)
{
    for (; *envp; envp++) {
        if (!strncmp(*envp, "PATH=", 5))
            return *envp + 5;
    }
    return DEFAULT_PATH;
}

static bool is_program(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

/* Writes the program's file to ret[PATH_MAX].  An empty element of PATH would be the current
 * directory: skipped, a program is not taken from where somebody happens to stand. */
static bool find_program(const char *name, const char *path, char *ret, struct plat_err *err)
{
    if (strchr(name, '/')) {
        if (snprintf(ret, PATH_MAX, "%s", name) >= PATH_MAX)
            return plat_err_errno(err, ENAMETOOLONG, OP, "\"%.60s...\"", name);
        return true;
    }
    for (const char *p = path, *end; *p; p = *end ? end + 1 : end) {
        end = strchrnul(p, ':');
        if (end > p && snprintf(ret, PATH_MAX, "%.*s/%s", (int)(end - p), p, name) < PATH_MAX &&
            is_program(ret))
            return true;
    }
    return plat_err_set(err, PLAT_ERR_IO, ENOENT, OP, "no program \"%s\" in PATH %s", name, path);
}

static _Noreturn void give_up(int report_fd, enum stage stage)
{
    struct report report = { .stage = stage, .code = errno };
    ssize_t n = write(report_fd, &report, sizeof(report));

    (void)n;
    _exit(127);
}

/* Between vfork and exec: only async-signal-safe calls, and no writes to the parent's memory. */
static _Noreturn void be_child(const struct plat_proc_plan *plan, const char *file, pid_t parent,
                               int report_fd)
{
    struct sigaction act = { .sa_handler = SIG_DFL };
    sigset_t none;

    for (int signo = 1; signo < NSIG; signo++)
        sigaction(signo, &act, NULL); /* fails for KILL and STOP */
    if (setpgid(0, 0) || prctl(PR_SET_PDEATHSIG, SIGTERM))
        give_up(report_fd, STAGE_SETUP);
    if (getppid() != parent) /* died before the line above */
        _exit(127);
    for (int i = 0; i < 3; i++) {
        if (dup2(plan->fds[i], i) < 0)
            give_up(report_fd, STAGE_SETUP);
    }
    /* whatever some library opened without O_CLOEXEC does not leak either */
    if (syscall(SYS_close_range, 3u, ~0u, CLOSE_RANGE_CLOEXEC))
        give_up(report_fd, STAGE_SETUP);
    if (plan->cwd && chdir(plan->cwd))
        give_up(report_fd, STAGE_CHDIR);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execve(file, (char *const *)plan->argv, (char *const *)plan->envp);
    give_up(report_fd, STAGE_EXEC);
}

/* noinline: the frame that both processes use must hold nothing else. */
static __attribute__((noinline)) pid_t fork_quietly(const struct plat_proc_plan *plan,
                                                    const char *file, int report_fd)
{
    sigset_t all, old;
    pid_t parent = getpid(), pid;
    int code;

    sigfillset(&all); /* our handlers must not run in the child */
    sigprocmask(SIG_SETMASK, &all, &old);
    /* not fork: copying our page tables takes three times as long as the rest.  be_child does not
     * return and changes nothing of ours but errno. */
    pid = vfork(); /* NOLINT(clang-analyzer-security.insecureAPI.vfork) */
    if (pid == 0)
        be_child(plan, file, parent, report_fd); /* NOLINT(clang-analyzer-unix.Vfork) */
    code = errno;
    sigprocmask(SIG_SETMASK, &old, NULL);
    errno = code;
    return pid;
}

static bool explain(const struct plat_proc_plan *plan, const struct report *report,
                    struct plat_err *err)
{
    if (report->stage == STAGE_CHDIR)
        return plat_err_errno(err, report->code, OP, "cannot go to \"%s\"", plan->cwd);
    if (report->stage == STAGE_SETUP)
        return plat_err_errno(err, report->code, OP, "cannot prepare \"%s\"", plan->argv[0]);
    return plat_err_errno(err, report->code, OP, "cannot execute \"%s\"", plan->argv[0]);
}

static void reap(pid_t pid)
{
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

bool plat_proc_exec(const struct plat_proc_plan *plan, pid_t *ret_pid, int *ret_pidfd,
                    struct plat_err *err)
{
    char file[PATH_MAX];
    struct report report;
    int pipe_fds[2], pidfd;
    ssize_t n;
    pid_t pid;

    if (!find_program(plan->argv[0], path_of(plan->envp), file, err))
        return false;
    if (pipe2(pipe_fds, O_CLOEXEC))
        return plat_err_errno(err, errno, OP, "cannot start \"%s\"", plan->argv[0]);
    pid = fork_quietly(plan, file, pipe_fds[1]);
    if (pid < 0)
        plat_err_errno(err, errno, OP, "cannot start \"%s\"", plan->argv[0]);
    close(pipe_fds[1]);
    do
        n = pid < 0 ? 0 : read(pipe_fds[0], &report, sizeof(report));
    while (n < 0 && errno == EINTR);
    close(pipe_fds[0]);
    if (pid < 0)
        return false;
    if (n == (ssize_t)sizeof(report)) {
        reap(pid);
        return explain(plan, &report, err);
    }
    pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (pidfd < 0) {
        plat_err_errno(err, errno, OP, "cannot watch \"%s\" (Linux 5.3 is needed)", plan->argv[0]);
        kill(-pid, SIGKILL);
        reap(pid);
        return false;
    }
    *ret_pid = pid;
    *ret_pidfd = pidfd;
    return true;
}

/* Moves a descriptor out of the way of 0, 1 and 2, which may be closed in this process. */
static bool lift(int *fd)
{
    int high, code;

    if (*fd > STDERR_FILENO)
        return true;
    high = fcntl(*fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    code = errno;
    close(*fd);
    *fd = high;
    errno = code;
    return high >= 0;
}

static bool open_pipe(bool input, int fds[2])
{
    int pair[2];

    if (pipe2(pair, O_CLOEXEC))
        return false;
    fds[PLAT_PROC_OURS] = pair[input];
    fds[PLAT_PROC_THEIRS] = pair[!input];
    return lift(&fds[PLAT_PROC_OURS]) && lift(&fds[PLAT_PROC_THEIRS]) &&
           fcntl(fds[PLAT_PROC_OURS], F_SETFL, O_NONBLOCK) == 0;
}

static void none_open(int fds[3][2])
{
    for (int i = 0; i < 3; i++)
        fds[i][PLAT_PROC_OURS] = fds[i][PLAT_PROC_THEIRS] = -1;
}

bool plat_proc_open_socket(int fds[3][2])
{
    int *ours = &fds[0][PLAT_PROC_OURS], *theirs = &fds[0][PLAT_PROC_THEIRS], pair[2];

    none_open(fds);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
        return false;
    *ours = pair[0];
    *theirs = pair[1];
    if (!lift(ours) || !lift(theirs) || fcntl(*ours, F_SETFL, O_NONBLOCK))
        return false;
    fds[1][PLAT_PROC_THEIRS] = fcntl(*theirs, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    return fds[1][PLAT_PROC_THEIRS] >= 0 && open_pipe(false, fds[2]);
}

bool plat_proc_open_fds(bool pipe_stdin, int fds[3][2])
{
    none_open(fds);
    if (!pipe_stdin) {
        fds[0][PLAT_PROC_THEIRS] = open("/dev/null", O_RDONLY | O_CLOEXEC);
        if (fds[0][PLAT_PROC_THEIRS] < 0 || !lift(&fds[0][PLAT_PROC_THEIRS]))
            return false;
    }
    return (!pipe_stdin || open_pipe(true, fds[0])) && open_pipe(false, fds[1]) &&
           open_pipe(false, fds[2]);
}

void plat_proc_close_fds(int fds[3][2])
{
    for (int i = 0; i < 3; i++) {
        for (int end = PLAT_PROC_OURS; end <= PLAT_PROC_THEIRS; end++) {
            if (fds[i][end] >= 0)
                close(fds[i][end]);
            fds[i][end] = -1;
        }
    }
}
