#include "io/work.h"

#include <stdlib.h>
#include <uv.h>

#include "io/loop.h"

#include "base/banned.h"

struct work {
    uv_work_t req;
    struct plat_op *op;
    void (*run)(struct plat_op *op);
};

static size_t under_way; /* of the one loop that there is */

static void on_pool(uv_work_t *req)
{
    struct work *work = req->data;

    work->run(work->op);
}

static void on_done(uv_work_t *req, int status)
{
    struct work *work = req->data;
    struct plat_op *op = work->op;

    (void)status; /* never cancelled: nobody else knows the request */
    free(work);
    under_way--;
    plat_op_ready(op);
    plat_op_release(op);
}

bool plat_work_start(struct plat_op *op, void (*run)(struct plat_op *op), struct plat_err *err)
{
    struct work *work = malloc(sizeof(*work));
    int rc = UV_ENOMEM;

    if (work) {
        work->req.data = work;
        work->op = op;
        work->run = run;
        rc = uv_queue_work(plat_loop_uv(op->loop), &work->req, on_pool, on_done);
        if (rc == 0) {
            under_way++;
            return true;
        }
    }
    free(work);
    plat_err_errno(err, -rc, op->cls->name, "cannot start work");
    plat_op_release(op);
    return false;
}

void plat_work_finish(struct plat_loop *loop)
{
    while (under_way)
        uv_run(plat_loop_uv(loop), UV_RUN_ONCE);
}
