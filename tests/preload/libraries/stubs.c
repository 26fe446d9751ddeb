/* A plugin with stubs of its own for the driver's functions, which load the driver when they are
 * called, as import libraries make them. */
#include <dlfcn.h>

int stub_calls;

int cuInit(unsigned flags) {
    ++stub_calls;
    void* driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    int (*real)(unsigned) = driver != 0 ? (int (*)(unsigned))dlsym(driver, "cuInit") : 0;
    return real != 0 ? real(flags) : 999;
}

/* Not a tail call: the caller of cuInit lies in here. */
int stubs_init(void) {
    const int result = cuInit(0);
    return result + 1000;
}

/* What a caller elsewhere calls: a function of the plugin's, as the plugin's own references have
 * it. */
int (*stubs_address(void))(unsigned) { return cuInit; }
