/*
 * Tasks: coroutines that wait for ops.  The only lua_yieldk and lua_resume of the program are in
 * task.c.  A task waits for exactly one op at a time; policy (groups, limits, retries) is Lua.
 */
#pragma once

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>

#include "io/op.h"

struct plat_loop;
struct plat_err;

/* The loop that belongs to this state. */
struct plat_loop *plat_loop_of(lua_State *L);

/* Pushes a new userdata of `size` bytes (zeroed) whose first member is a struct plat_op, NEW.
 * A held op is anchored from here until plat_op_release(): an engine whose start fails releases it.
 * What the engine allocates for an op, the engine frees at release; there is no __gc.
 * Raises outside a task, inside a coroutine of the user's own, and when the task was cancelled:
 * so call it after all argument checks and before the engine starts. */
void *plat_op_new(lua_State *L, size_t size, const struct plat_op_class *cls);

/*
 * Waits for the op, which must be in a stack slot of the calling function (plat_op_new pushed it)
 * and already started by its engine.  Always `return plat_await(L, op, k)`; do not allocate or
 * call anything that raises between the engine's start and this.
 *
 * When the engine has finished (PLAT_END_OK), or the op's own timeout has passed
 * (PLAT_END_TIMEOUT), or a deadline of the enclosing scope has (PLAT_END_DEADLINE), calls k(L,
 * LUA_YIELD, (lua_KContext)op) with the stack as it was.  k starts with `if (plat_op_failed(op,
 * &err))`. When the task was cancelled it raises the cancel and does not call k.
 */
int plat_await(lua_State *L, struct plat_op *op, lua_KFunction k);

/* True when the wait ended by a deadline; then *err says so: { timeout, op = class name }. */
bool plat_op_failed(const struct plat_op *op, struct plat_err *err);

/* Makes the main state's tasks possible: called by state.c. */
void plat_task_open(lua_State *L, struct plat_loop *loop);
