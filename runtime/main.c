/*
 * Starts the loop and the Lua state and hands the arguments to plat.main.  The only exit() is
 * here.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "io/loop.h"
#include "io/proc.h"
#include "io/work.h"
#include "lua/state.h"

#include <lua.h>

#include "base/banned.h"

/* As many descriptors as the hard limit allows: a fleet needs one socket a host. */
static void raise_descriptors(void)
{
    struct rlimit lim;

    if (!getrlimit(RLIMIT_NOFILE, &lim) && lim.rlim_cur < lim.rlim_max) {
        lim.rlim_cur = lim.rlim_max < 1048576 ? lim.rlim_max : 1048576;
        setrlimit(RLIMIT_NOFILE, &lim);
    }
}

int main(int argc, char **argv)
{
    const char *stdlib_dir = getenv("PLATRUN_STDLIB"); /* for developing the stdlib */
    struct plat_loop *loop;
    lua_State *L;
    int status;

    signal(SIGPIPE, SIG_IGN);
    raise_descriptors();
    /* Of 4 threads libuv lets 2 look names up: two dead names would hold up every other. */
    setenv("UV_THREADPOOL_SIZE", "16", 0);
    loop = plat_loop_new();
    if (!loop) {
        fputs("platrun: cannot start: out of memory or file descriptors\n", stderr);
        return EXIT_FAILURE;
    }
    L = plat_state_new(loop, stdlib_dir);
    if (!L)
        return EXIT_FAILURE;
    status = plat_state_main(L, argc, argv);
    fflush(stdout);
    plat_proc_end_all();
    plat_work_finish(loop);
    if (!getenv("PLATRUN_CLEAN_EXIT"))
        _exit(status); /* the kernel frees faster than we do */
    lua_close(L);
    plat_loop_free(loop);
    return status;
}
