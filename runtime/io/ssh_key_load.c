/* Parsing keys on libuv's pool.  Who stops waiting leaves the work behind. */
#include <errno.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "io/loop.h"
#include "io/op.h"
#include "io/ssh_key.h"

#include "base/banned.h"

struct plat_ssh_key_load {
    uv_work_t req;
    struct plat_ssh_key_slot *slot; /* NULL: nobody waits any more */
    struct plat_op *op;
    struct plat_ssh_key *key;
    struct plat_err err;
    size_t len, pass_len;
    bool has_pass;
    char bytes[]; /* the text, the passphrase */
};

static void on_pool(uv_work_t *req)
{
    struct plat_ssh_key_load *load = req->data;
    const char *pass = load->has_pass ? load->bytes + load->len : NULL;

    load->key = plat_ssh_key_parse(load->bytes, load->len, pass, load->pass_len, &load->err);
}

static void on_done(uv_work_t *req, int status)
{
    struct plat_ssh_key_load *load = req->data;

    (void)status; /* never cancelled: nobody else knows the request */
    if (load->slot) {
        load->slot->load = NULL;
        load->slot->key = load->key;
        load->slot->err = load->err;
        plat_op_ready(load->op);
    } else {
        plat_ssh_key_unref(load->key);
    }
    OPENSSL_cleanse(load->bytes, load->len + load->pass_len);
    free(load);
}

bool plat_ssh_key_load(struct plat_loop *loop, const char *text, size_t len, const char *pass,
                       size_t pass_len, struct plat_ssh_key_slot *slot, struct plat_op *op,
                       struct plat_err *err)
{
    struct plat_ssh_key_load *load = calloc(1, sizeof(*load) + len + pass_len + 1);
    int rc = UV_ENOMEM;

    if (load) {
        load->req.data = load;
        load->slot = slot;
        load->op = op;
        load->len = len;
        load->pass_len = pass_len;
        load->has_pass = pass != NULL;
        memcpy(load->bytes, text, len);
        if (pass_len)
            memcpy(load->bytes + len, pass, pass_len);
        rc = uv_queue_work(plat_loop_uv(loop), &load->req, on_pool, on_done);
    }
    if (rc) {
        free(load);
        return plat_err_errno(err, -rc, "ssh.key", "cannot read the key");
    }
    slot->load = load;
    return true;
}

void plat_ssh_key_drop(struct plat_ssh_key_slot *slot)
{
    if (slot->load)
        slot->load->slot = NULL;
    slot->load = NULL;
    plat_ssh_key_unref(slot->key);
    slot->key = NULL;
}
