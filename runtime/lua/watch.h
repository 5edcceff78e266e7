/*
 * Notices Lua code that computes for long without waiting: its line is told after half a second,
 * and after 20 its task is ended, since every other task stands still meanwhile.
 *
 * A count hook costs each instruction of the virtual machine a look.  So a timer of the thread's
 * CPU time puts it in place, only on a task that is still running then, until it waits.
 */
#pragma once

#include <lua.h>

struct plat_runtime;

void plat_watch_open(lua_State *L);

/* A task's coroutine was made, perhaps by a thread that has the hook. */
void plat_watch_task(lua_State *co);

/* A coroutine is about to be resumed; it has returned. */
void plat_watch_begin(struct plat_runtime *rt, lua_State *co);
void plat_watch_end(struct plat_runtime *rt, lua_State *co);

/* Replaces coroutine.create and wrap, once the library is there: coroutines of the user's own keep
 * the hook, because the timer does not know them. */
void plat_watch_coroutines(lua_State *L);
