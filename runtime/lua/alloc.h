/*
 * Memory of the Lua state: small blocks come from lists of free ones by size, which malloc is
 * several times slower at.  They are reused, and never given back to the system.
 *
 * Plain malloc serves a state that will be closed (PLATRUN_CLEAN_EXIT: leaks, failing allocations)
 * and builds with sanitizers, so that these see each block.
 */
#pragma once

#include <lua.h>

lua_State *plat_alloc_state(void); /* a new state, without libraries; NULL: no memory */
