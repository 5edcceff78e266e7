/* What task.c shares with prim/task.c and prim/time.c: the task object. */
#pragma once

#include <lua.h>
#include <stdbool.h>

#include "io/op.h"
#include "lua/task.h"

#define PLAT_TASK "plat.task"

struct plat_gate;

struct plat_task {
    struct plat_op own;     /* the op of waits that need no engine: start, sleep, gate */
    lua_State *co;          /* kept alive by the task's user value 1 */
    struct plat_op *op;     /* what it waits for, NULL: runs, is ready or is dead */
    struct plat_gate *gate; /* when it waits for a gate */
    uint64_t deadline;      /* loop clock, 0: none */
    int shield;             /* > 0: a cancel is not felt */
    int self;               /* registry reference while alive */
    bool cancelled, dead;
    struct plat_task *prev, *next; /* all that are alive */
};

/* Everything that belongs to one Lua state; its address is in the state's extra space. */
struct plat_runtime {
    struct plat_loop *loop;
    lua_State *L; /* the main thread */
    struct plat_task *current;
    struct plat_task all;   /* list head */
    struct plat_task *main; /* when it ends, the loop stops */
    int on_signal;          /* registry reference of a function(signal name), 0: none */
    int on_busy;            /* registry reference of a function(text), 0: none */
    double busy_since; /* CPU seconds when the current task was resumed, about; 0: no look yet */
    bool busy_said;
    char busy_where[200]; /* found by the count hook, told after the resume */
    char fatal[400];      /* an error that no task caught */
};

struct plat_runtime *plat_runtime_of(lua_State *L);

/* Makes a task of the function and nargs arguments on top of L's stack, pops them and pushes the
 * task, which starts in the loop's next turn. */
struct plat_task *plat_task_spawn(lua_State *L, int nargs);

/* Cancels; the reason (any value) is at stack index idx of L, 0: a plain one. */
void plat_task_cancel(lua_State *L, struct plat_task *task, int task_idx, int reason_idx);

/* Prepares the task's own op for a wait of the given class.  Raises as plat_op_new does. */
struct plat_op *plat_task_own_op(lua_State *L, const struct plat_op_class *cls, double timeout);

struct plat_task *plat_task_check(lua_State *L, int idx);
