/* A driver of a dozen functions for the front's tests: SONAME libcuda.so.1, every answer countable.
 * What the real driver does is the simulated driver's business (tests/sim); this one does what a
 * test needs. */
#include "driver.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct fake_driver fake_driver;

static pid_t initialised_by;

int cuInit(unsigned int flags) {
    (void)flags;
    ++fake_driver.init;
    /* Drivers look themselves up; without care that meets an interposed cuInit and never ends. */
    fake_driver.own_init = dlsym(RTLD_DEFAULT, "cuInit");
    if (fake_driver.during_init != NULL) fake_driver.during_init();
    if (getenv("FAKE_DRIVER_INIT_FAILS") != NULL) return 100;
    if (initialised_by != 0 && initialised_by != getpid()) return 3;
    initialised_by = getpid();
    return 0;
}

#define COUNTED(name, arguments) \
    int name arguments {         \
        ++fake_driver.contexts;  \
        return 0;                \
    }
COUNTED(cuCtxCreate, (void** context, unsigned flags, int device))
COUNTED(cuCtxCreate_v2, (void** context, unsigned flags, int device))
COUNTED(cuCtxCreate_v3, (void** context, void* params, int count, unsigned flags, int device))
COUNTED(cuDevicePrimaryCtxRetain, (void** context, int device))
COUNTED(cuCtxSetCurrent, (void* context))
COUNTED(cuCtxPushCurrent, (void* context))

/* Two entry points with different signatures folded into one body, as linkers do (--icf).
 * cuCtxCreate_v4 is missing: this driver is older than that. */
int cuCtxPushCurrent_v2(void* context) {
    (void)context;
    ++fake_driver.folded;
    return 0;
}
int cuModuleUnload(void* module) __attribute__((alias("cuCtxPushCurrent_v2")));

int cuLaunchKernel(void* function, unsigned grid_x, unsigned grid_y, unsigned grid_z,
                   unsigned block_x, unsigned block_y, unsigned block_z, unsigned shared,
                   void* stream, void** parameters, void** extra) {
    struct fake_launch* launch = &fake_driver.launch;
    const unsigned size[] = {grid_x, grid_y, grid_z, block_x, block_y, block_z};
    launch->function = function;
    memcpy(launch->size, size, sizeof size);
    launch->shared = shared;
    launch->stream = stream;
    launch->parameters = parameters;
    launch->extra = extra;
    return 0;
}

int cuGraphInstantiateWithFlags(void** executable, void* graph, unsigned long long flags) {
    (void)executable;
    (void)graph;
    (void)flags;
    return 0;
}

int cuDriverGetVersion(int* version) {
    *version = 13000;
    return 0;
}

static const struct {
    const char* family;
    int version;
    void* function;
} kTable[] = {
    {"cuInit", 2000, (void*)cuInit},
    {"cuCtxCreate", 11040, (void*)cuCtxCreate_v3},
    {"cuCtxCreate", 3020, (void*)cuCtxCreate_v2},
    {"cuCtxCreate", 2000, (void*)cuCtxCreate},
    {"cuDevicePrimaryCtxRetain", 7000, (void*)cuDevicePrimaryCtxRetain},
    {"cuCtxSetCurrent", 4000, (void*)cuCtxSetCurrent},
    {"cuCtxPushCurrent", 4000, (void*)cuCtxPushCurrent_v2},
    {"cuModuleUnload", 2000, (void*)cuModuleUnload},
    {"cuGraphInstantiate", 11040, (void*)cuGraphInstantiateWithFlags},
    {"cuGraphInstantiateWithFlags", 11040, (void*)cuGraphInstantiateWithFlags},
    {"cuDriverGetVersion", 2020, (void*)cuDriverGetVersion},
    {"cuGetProcAddress", 12000, (void*)cuGetProcAddress_v2},
    {"cuGetProcAddress", 11030, (void*)cuGetProcAddress},
};

int cuGetProcAddress_v2(const char* symbol, void** function, int version, unsigned long long flags,
                        int* status) {
    fake_driver.flags = flags;
    if (version > 13000) return 1;
    *function = NULL;
    if (status != NULL) *status = 1;
    for (unsigned i = 0; i < sizeof kTable / sizeof kTable[0]; ++i) {
        if (strcmp(kTable[i].family, symbol) != 0) continue;
        if (status != NULL) *status = 2;
        if (version < kTable[i].version) continue;
        *function = kTable[i].function;
        if (status != NULL) *status = 0;
        break;
    }
    return 0;
}

int cuGetProcAddress(const char* symbol, void** function, int version, unsigned long long flags) {
    void* found = NULL;
    const int result = cuGetProcAddress_v2(symbol, &found, version, flags, NULL);
    if (result != 0 || found == NULL) return 500;
    *function = found;
    return 0;
}
