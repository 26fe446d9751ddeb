/* A plugin with a function of a listed name, in the global scope: it keeps its own, the driver's
 * stays the driver's, and closing it takes nothing along. */
#include "scenario.h"

typedef int (*Init)(unsigned);
typedef int (*One)(void*);

int main(void) {
    void* driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    struct fake_driver* counts = (struct fake_driver*)dlsym(driver, "fake_driver");
    Init init = (Init)dlsym(driver, "cuInit");
    One set = (One)dlsym(driver, "cuCtxSetCurrent");
    void* plugin = dlopen(getenv("SCENARIO_PLUGIN"), RTLD_NOW | RTLD_GLOBAL);
    One other = (One)dlsym(plugin, "cuCtxSetCurrent");
    CHECK(lies_in((void*)other, "libplugin.so") && other(NULL) == 5);
    CHECK(dlsym(RTLD_DEFAULT, "cuCtxSetCurrent") == (void*)other);
    if (getenv("SCENARIO_INITIALISED") != NULL) CHECK(init(0) == 0);
    CHECK(dlclose(plugin) == 0);
    CHECK(!is_mapped("libplugin.so"));
    CHECK(init(0) == 0);
    CHECK(set(NULL) == 0 && counts->contexts == 1);
    CHECK(lies_in((void*)set, "libration.so"));
    return 0;
}
