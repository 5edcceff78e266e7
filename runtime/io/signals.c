#include "io/signals.h"

#include <signal.h>
#include <unistd.h>
#include <uv.h>

#include "io/loop.h"

#include "base/banned.h"

static volatile sig_atomic_t seen; /* the signal that is not yet told */
static volatile sig_atomic_t count;
static uv_async_t poke;
static volatile sig_atomic_t poke_open;
static void (*told)(int signo, void *arg);
static void *told_arg;

static void on_signal(int signo)
{
    static const char forced[] =
        "\nplatrun: second signal: ended at once, cleanup was not finished\n";

    if (++count > 1) {
        ssize_t n = write(STDERR_FILENO, forced, sizeof(forced) - 1);
        (void)n;
        _exit(128 + signo);
    }
    seen = signo;
    if (poke_open)
        uv_async_send(&poke); /* documented as safe in a signal handler */
}

static void on_poke(uv_async_t *handle)
{
    int signo = seen;

    (void)handle;
    seen = 0;
    if (signo)
        told(signo, told_arg);
}

bool plat_signals_start(struct plat_loop *loop, void (*fn)(int signo, void *arg), void *arg,
                        struct plat_err *err)
{
    struct sigaction act = { .sa_handler = on_signal };

    if (uv_async_init(plat_loop_uv(loop), &poke, on_poke))
        return plat_err_set(err, PLAT_ERR_BUG, 0, "signals", "out of file descriptors");
    uv_unref((uv_handle_t *)&poke); /* listening for signals is no reason to stay */
    told = fn;
    told_arg = arg;
    poke_open = 1;
    sigemptyset(&act.sa_mask);
    if (sigaction(SIGINT, &act, NULL) || sigaction(SIGTERM, &act, NULL) ||
        sigaction(SIGHUP, &act, NULL))
        return plat_err_set(err, PLAT_ERR_BUG, 0, "signals", "sigaction failed");
    return true;
}

void plat_signals_stop(void)
{
    if (!poke_open)
        return;
    poke_open = 0;
    uv_close((uv_handle_t *)&poke, NULL);
}
