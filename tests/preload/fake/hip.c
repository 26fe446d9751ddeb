/* SONAME libamdhip64.so.6. Like ROCm 7's it calls symbols that it exports itself, and they bind to
 * whatever was preloaded. */
#include "hip.h"

#include <string.h>

struct fake_hip fake_hip;

int hipInit(unsigned flags) {
    (void)flags;
    ++fake_hip.init;
    return hsa_init() == 0 ? 0 : 100;
}

int hipStreamCreateWithFlags(void** stream, unsigned flags) {
    ++fake_hip.streams;
    *stream = &fake_hip;
    return flags > 1 ? 1 : 0;
}

int hipStreamCreate(void** stream) {
    ++fake_hip.outside;
    return hipStreamCreateWithFlags(stream, 0);
}

int hipMalloc(void** pointer, size_t bytes) {
    *pointer = NULL;
    return bytes > 0 && hsa_init() == 0 ? 0 : 100;
}

int hipMemGetInfo(size_t* available, size_t* total) {
    *available = *total = 1 << 20;
    return 0;
}

int hipGetProcAddress(const char* symbol, void** function, int version, uint64_t flags,
                      int* status) {
    static const struct {
        const char* name;
        void* function;
    } kTable[] = {
        {"hipInit", (void*)hipInit},
        {"hipMalloc", (void*)hipMalloc},
        {"hipMemGetInfo", (void*)hipMemGetInfo},
        {"hipGetProcAddress", (void*)hipGetProcAddress},
    };
    (void)flags;
    fake_hip.last_version = version;
    for (unsigned i = 0; i < sizeof kTable / sizeof kTable[0]; ++i) {
        if (strcmp(kTable[i].name, symbol) != 0) continue;
        *function = kTable[i].function;
        if (status != NULL) *status = 0;
        return 0;
    }
    *function = NULL;
    if (status != NULL) *status = 1;
    return 1;
}
