/* The first GPU call of a program that loads the driver last, as those in Python do: CPU time of
 * cuInit in ns.
 *
 * usage: late_call OBJECT... : what is loaded before the driver. */
#include <dlfcn.h>
#include <stdio.h>
#include <time.h>

static long long cpu(void) {
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static void* load(const char* file) {
    void* const library = dlopen(file, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) fprintf(stderr, "%s\n", dlerror());
    return library;
}

int main(int count, char** arguments) {
    int (*init)(unsigned) = NULL;
    for (int i = 1; i < count; ++i) {
        if (load(arguments[i]) == NULL) return 1;
    }
    void* const driver = load("libcuda.so.1");
    if (driver != NULL) *(void**)&init = dlsym(driver, "cuInit");
    if (init == NULL) return 1;
    const long long begin = cpu();
    const int result = init(0);
    printf("%lld\n", cpu() - begin);
    return result;
}
