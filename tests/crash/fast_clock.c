/* LD_PRELOAD: the clocks of the process run $FAST_CLOCK times as fast as real ones, and its waits
 * end as much sooner: a run that polls a server for minutes is tested in seconds.  Processes with
 * the same $FAST_CLOCK_FROM (unix seconds) agree on real time. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { SECOND = 1000000000 };

static long speed(void)
{
    static long known;

    if (!known) {
        const char *text = getenv("FAST_CLOCK");

        known = text && atol(text) > 0 ? atol(text) : 1;
    }
    return known;
}

static int64_t start(void)
{
    const char *text = getenv("FAST_CLOCK_FROM");

    return text ? atol(text) * (int64_t)SECOND : 0;
}

/* The monotonic clocks start with the machine, so a factor is enough. */
int clock_gettime(clockid_t id, struct timespec *ret)
{
    int64_t ns;

    if (syscall(SYS_clock_gettime, id, ret) != 0)
        return -1;
    ns = (int64_t)ret->tv_sec * SECOND + ret->tv_nsec;
    if (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE) {
        ns = start() + (ns - start()) * speed();
    } else if (id == CLOCK_MONOTONIC || id == CLOCK_MONOTONIC_COARSE || id == CLOCK_BOOTTIME) {
        ns *= speed();
    } else {
        return 0;
    }
    ret->tv_sec = ns / SECOND;
    ret->tv_nsec = ns % SECOND;
    return 0;
}

static int shorter(int timeout)
{
    return timeout > 0 ? (int)((timeout + speed() - 1) / speed()) : timeout;
}

int epoll_pwait(int fd, struct epoll_event *events, int max, int timeout, const sigset_t *mask)
{
    static int (*real)(int, struct epoll_event *, int, int, const sigset_t *);

    if (!real)
        real = dlsym(RTLD_NEXT, "epoll_pwait");
    return real(fd, events, max, shorter(timeout), mask);
}

int epoll_wait(int fd, struct epoll_event *events, int max, int timeout)
{
    return epoll_pwait(fd, events, max, timeout, NULL);
}
