/* Starts the loop and the Lua state and hands the arguments to plat.main.  The only exit() is here. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/loop.h"
#include "io/proc.h"
#include "io/work.h"
#include "lua/state.h"

#include <lua.h>

#include "base/banned.h"

int main(int argc, char **argv)
{
    const char *stdlib_dir = getenv("PLATRUN_STDLIB"); /* for developing the stdlib */
    struct plat_loop *loop;
    lua_State *L;
    int status;

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
