/* The contract between libration.so (the front, which every process loads) and libration-engine.so
 * (which only GPU programs load). C, versioned, nothing thrown across it.
 *
 * The front looks up RATION_ENGINE_ATTACH in the engine that lies beside it and calls it once per
 * process, at the first driver call, with no driver call under way in this thread. The engine decides
 * and routes the hooks it needs; what it does not route stays the driver's own.
 */
#pragma once

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Raised with every change of this file. An upgrade can put a new engine beside an old front that
 * is already mapped into a running job: both sides refuse a number that is not their own. */
#define RATION_ENGINE_ABI 1u

#define RATION_ENGINE_FILE "libration-engine.so"
#define RATION_ENGINE_ATTACH "ration_engine_attach"

/* What the front offers. Valid for the life of the process. Hooks are numbered by the HOOK rows of
 * shim/preload/hooks.def. */
typedef struct ration_front {
    uint32_t abi;
    uint32_t hook_count;

    /* The next definition of a hooked entry point after the front: the driver's, or that of another
     * preloaded library. NULL if this driver has none. */
    void* (*real)(uint32_t hook);

    /* Any other symbol of the driver library. NULL if it has none. */
    void* (*driver_symbol)(const char* name);

    /* From now on calls of `hook` go to `target`; NULL means the real function. Threads that are
     * inside the old target finish there. */
    void (*route)(uint32_t hook, void* target);

    /* Depth of driver calls that this thread is inside of through a hook: a hook that finds it above
     * zero was called by the driver, or by a tool that the driver loads, and passes through. */
    int* (*depth)(void);
} ration_front;

/* Returns 0, or a CUresult with which every hooked call is to fail; in that case `reason` (of
 * `capacity` bytes) holds one line without a newline. */
typedef int (*ration_engine_attach_fn)(const ration_front* front, char* reason, uint32_t capacity);

int ration_engine_attach(const ration_front* front, char* reason, uint32_t capacity);

#ifdef __cplusplus
}
#endif
