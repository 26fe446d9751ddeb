/* The contract between libration.so (the front, which every process loads) and libration-engine.so
 * (which only GPU programs load). C, versioned, nothing thrown across it.
 *
 * The front looks up the vendor's entry in the engine that lies beside it and calls it at the first
 * call of one of the vendor's libraries, with no such call under way in this thread: once in a
 * process, and again in each forked child that comes to a first call of its own. Threads that come
 * to the first call together all call it, since whoever waited for another might wait for the
 * loader's lock: each works the decision out without any effect on the process and hands it to
 * install(), which obeys the first. The two vendors are decided on independently.
 */
#pragma once

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Raised with every change of this file, and of the rows in the midst of hooks.def, which number
 * the hooks. An upgrade can put a new engine beside an old front that is already mapped into a
 * running job: the engine refuses a number that is not its own. */
#define RATION_ENGINE_ABI 6u

#define RATION_ENGINE_FILE "libration-engine.so"
#define RATION_ENGINE_ATTACH "ration_engine_attach"
#define RATION_ENGINE_ATTACH_AMD "ration_engine_attach_amd"

/* What the front offers. Valid for the life of the process. Hooks are numbered by the HOOK rows of
 * shim/preload/hooks.def, libraries as Library of shim/preload/hooks.h is. */
typedef struct ration_front {
    uint32_t abi;
    uint32_t hook_count;

    /* The next definition of a hooked entry point after the front: the library's, or that of
     * another preloaded library. NULL if the library has none, or is not loaded yet. Searched for
     * by each call; waits for no lock of the loader's that is held while others run. */
    void* (*real)(uint32_t hook);

    /* Any other symbol of a library. NULL if it has none, or is not loaded yet. */
    void* (*find)(uint32_t library, const char* name);

    /* After the decision: from now on calls of `hook` go to `target`; NULL means the real function,
     * which the front looks up at the next call. Threads that are inside the old target finish
     * there. Waits for nobody. */
    void (*route)(uint32_t hook, void* target);

    /* Depth of a library's calls that this thread is inside of through a hook: a hook that finds it
     * above zero was called by the library, or by a tool that the library loads, and passes
     * through. */
    int* (*depth)(uint32_t library);

    /* A word of this thread's own for the engine, zero in a new thread. Both words lie at the same
     * distance from the thread pointer in every thread. */
    void** (*word)(void);

    /* For a hook that finds itself in a forked child: makes the decision of this process on a
     * vendor (Vendor of shim/preload/hooks.h) if it has not been made. 1 once it is made; 0 in a
     * thread that is about it: the call comes from the work on the decision, and passes through. */
    int (*decide)(uint32_t vendor);

    /* Ends a vendor's decision: 1 for the first of the process. Then calls of each hook go to its
     * `targets` (`hook_count` of them; NULL: the real function), and before any other thread gets
     * on `commit(state)` has been called, with signals blocked: it must not wait, nor call the
     * loader, nor throw. 0, and nothing is done, if another thread was first. */
    int (*install)(uint32_t vendor, void* const* targets, void (*commit)(void* state), void* state);
} ration_front;

/* Returns 0, or what every hooked call of the vendor is to fail with: a CUresult of NVIDIA's, a
 * hipError_t of AMD's. In that case `reason` (of `capacity` bytes) holds one line without a
 * newline, and install() has not been called. Where it returns 0 without having called it, every
 * hook is the library's own. */
typedef int (*ration_engine_attach_fn)(const ration_front* front, char* reason, uint32_t capacity);

int ration_engine_attach(const ration_front* front, char* reason, uint32_t capacity);
int ration_engine_attach_amd(const ration_front* front, char* reason, uint32_t capacity);

#ifdef __cplusplus
}
#endif
