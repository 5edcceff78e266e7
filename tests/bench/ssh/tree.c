/*
 * tree LOG COMMAND [ARGUMENT...]
 *
 * Runs a command, its output into the file LOG, and accounts for its whole tree: also for what it
 * left behind (the masters that ssh's ControlPersist detaches become children of this program and
 * are ended with it).  Prints one line: exit status, wall microseconds of the command, CPU
 * microseconds of the tree (user and system), the largest resident size of one process in KiB.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { GRACE = 3 }; /* seconds until SIGKILL */

static double seconds_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double micros(struct timeval t)
{
    return (double)t.tv_sec * 1e6 + (double)t.tv_usec;
}

static _Noreturn void become(const char *log, char **argv)
{
    int in = open("/dev/null", O_RDONLY);
    int out = open(log, O_WRONLY | O_CREAT | O_TRUNC, 0644);

    if (in < 0 || out < 0 || dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0)
        _exit(126);
    close(in);
    close(out);
    execvp(argv[0], argv);
    perror(argv[0]);
    _exit(127);
}

/* Signals the children: whoever lost its parent in this tree is one of them. */
static void signal_children(int signal)
{
    char path[64];
    FILE *file;
    int pid;

    snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
    file = fopen(path, "r");
    if (!file)
        return;
    while (fscanf(file, "%d", &pid) == 1)
        kill(pid, signal);
    fclose(file);
}

static void end_leftovers(void)
{
    const struct timespec pause = { .tv_nsec = 5000000 };
    double begin = seconds_now();

    for (;;) {
        pid_t pid = waitpid(-1, NULL, WNOHANG);

        if (pid < 0 && errno == ECHILD)
            return;
        if (pid == 0) {
            signal_children(seconds_now() - begin > GRACE ? SIGKILL : SIGTERM);
            nanosleep(&pause, NULL);
        }
    }
}

int main(int argc, char **argv)
{
    struct rusage used;
    double begin, wall;
    int status;
    pid_t pid, ended;

    if (argc < 3) {
        fputs("usage: tree LOG COMMAND [ARGUMENT...]\n", stderr);
        return 64;
    }
    if (prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) {
        perror("tree: prctl");
        return 1;
    }
    begin = seconds_now();
    pid = fork();
    if (pid == 0)
        become(argv[1], argv + 2);
    do /* others may end meanwhile */
        ended = waitpid(-1, &status, 0);
    while (ended != pid && (ended > 0 || errno == EINTR));
    if (ended != pid) {
        perror("tree: fork or wait");
        return 1;
    }
    wall = seconds_now() - begin;
    end_leftovers();
    getrusage(RUSAGE_CHILDREN, &used);
    printf("%d %.0f %.0f %ld\n", WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
           wall * 1e6, micros(used.ru_utime) + micros(used.ru_stime), used.ru_maxrss);
    return 0;
}
