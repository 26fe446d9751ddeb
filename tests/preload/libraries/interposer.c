/* Another preloaded library that looks for what comes after it. */
#include <dlfcn.h>
#include <sys/types.h>

int interposer_calls;

pid_t getppid(void) {
    pid_t (*next)(void) = (pid_t(*)(void))dlsym(RTLD_NEXT, "getppid");
    ++interposer_calls;
    return next();
}
