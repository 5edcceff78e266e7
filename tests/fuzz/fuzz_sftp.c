/*
 * SFTP: whatever a server sends, the session lives on or ends with a reason, each wait ends with
 * it, and nobody is told of bytes that did not come.  The first byte chooses what is under way;
 * half of the runs are made to begin with a proper version.
 */
#include <string.h>

#include "fuzz.h"
#include "io/sftp.h"

enum { N = 6 };

static const char version[] = "\0\0\0\5\2\0\0\0\3";

struct world {
    struct plat_sftp *s;
    struct plat_op ready, ops[N], copy_op;
    struct plat_sftp_call *calls[N];
    struct plat_sftp_file *file;
    struct plat_sftp_copy *copy;
};

static const struct plat_op_class fuzz_class = { .name = "fuzz" };

static void ask_all(struct world *w, unsigned choice)
{
    static const enum plat_sftp_what whats[] = { PLAT_SFTP_OPEN,     PLAT_SFTP_STAT,
                                                 PLAT_SFTP_REALPATH, PLAT_SFTP_REMOVE,
                                                 PLAT_SFTP_OPENDIR,  PLAT_SFTP_SPACE };
    struct plat_err err = { .kind = PLAT_OK };

    for (int i = 0; i < N; i++) {
        struct plat_sftp_ask ask = { .what = whats[i], .path = "/f", .path_len = 2 };

        if (!(choice >> i & 1))
            continue;
        w->ops[i] = (struct plat_op){ .cls = &fuzz_class };
        w->calls[i] = plat_sftp_ask(w->s, &ask, &w->ops[i], &err);
        if (!w->calls[i] && !err.kind)
            fuzz_fail("nothing was asked, for no reason", NULL);
    }
}

/* What the answers made possible: a copy, names, and giving up. */
static void go_on(struct world *w, bool put)
{
    static char data[100000];
    struct plat_sftp_attrs attrs;
    struct plat_err err;
    const char *name;
    size_t len;

    if (w->calls[0] && w->ops[0].state == PLAT_OP_READY && !w->file) {
        struct plat_sftp_copy_opts opts = {
            .put = put, .data = data, .len = sizeof(data), .fd = -1, .expect = 9, .max = 300000
        };

        opts.file = w->file = plat_sftp_call_file(w->calls[0]);
        w->copy_op = (struct plat_op){ .cls = &fuzz_class };
        if (w->file)
            w->copy = plat_sftp_copy_new(w->s, &opts, &w->copy_op, &err);
    }
    while (w->calls[2] && w->ops[2].state == PLAT_OP_READY &&
           plat_sftp_call_name(w->calls[2], &name, &len, &attrs))
        if (!len || memchr(name, '\0', len))
            fuzz_fail("a name that is none", NULL);
    plat_buf_clear(plat_sftp_output(w->s)); /* all is sent */
    plat_sftp_sent(w->s);
}

static void check_end(struct world *w)
{
    struct plat_err err = { .kind = PLAT_OK };
    uint64_t size;

    if (!plat_sftp_failed(w->s, &err))
        return;
    if (!err.msg[0])
        fuzz_fail("lost for no reason", NULL);
    for (int i = 0; i < N; i++)
        if (w->calls[i] && w->ops[i].state != PLAT_OP_READY)
            fuzz_fail("a call waits for a lost session", NULL);
    if (w->copy && w->copy_op.state != PLAT_OP_READY)
        fuzz_fail("a copy waits for a lost session", NULL);
    if (w->copy && plat_sftp_copy_result(w->copy, &size, &err) &&
        plat_sftp_copy_bytes(w->copy)->len > size)
        fuzz_fail("a copy has bytes that did not come", NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct world w = { .ready = { .cls = &fuzz_class } };
    unsigned choice = size ? *data : 0;
    size_t at = size ? 1 : 0, step = choice & 64 ? 7 : 100000;

    w.s = plat_sftp_new(NULL, NULL);
    if (!w.s)
        abort();
    plat_sftp_await_ready(w.s, &w.ready);
    if (choice & 1)
        plat_sftp_feed(w.s, version, sizeof(version) - 1);
    ask_all(&w, choice);
    for (; at < size; at += step) {
        plat_sftp_feed(w.s, (const char *)data + at, size - at < step ? size - at : step);
        go_on(&w, choice & 128);
    }
    check_end(&w);
    if (choice & 32)
        plat_sftp_copy_free(w.copy);
    for (int i = 0; i < N; i++)
        plat_sftp_call_free(w.calls[i]);
    plat_sftp_free(w.s);
    if (!(choice & 32))
        plat_sftp_copy_free(w.copy);
    plat_sftp_file_free(w.file);
    return 0;
}
