/* Another preloaded library that wraps cuGetProcAddress_v2. */
#include <dlfcn.h>

int get_proc_calls;

typedef int (*Get)(const char*, void**, int, unsigned long long, int*);
int cuGetProcAddress_v2(const char* symbol, void** function, int version, unsigned long long flags,
                        int* status) {
    Get next = (Get)dlsym(RTLD_NEXT, "cuGetProcAddress_v2");
    ++get_proc_calls;
    return next != 0 ? next(symbol, function, version, flags, status) : 999;
}
