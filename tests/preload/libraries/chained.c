/* Another preloaded library that wraps the driver, as profilers and other tools do. */
#include <dlfcn.h>

int chained_calls;

int cuCtxSetCurrent(void* context) {
    int (*next)(void*) = (int (*)(void*))dlsym(RTLD_NEXT, "cuCtxSetCurrent");
    ++chained_calls;
    return next != 0 && next != cuCtxSetCurrent ? next(context) : 999;
}
