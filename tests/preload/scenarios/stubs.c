/* A plugin's own stubs for a driver that is not loaded yet work as without us, whoever calls them,
 * and what they load is confined. */
#include "scenario.h"

int main(void) {
    void* plugin = dlopen(getenv("SCENARIO_STUBS"), RTLD_NOW | RTLD_LOCAL);
    CHECK(plugin != NULL);
    if (getenv("SCENARIO_FROM_ELSEWHERE") == NULL) {
        CHECK(((int (*)(void))dlsym(plugin, "stubs_init"))() == 1000);
    } else {
        int (*(*address)(void))(unsigned) =
            (int (*(*)(void))(unsigned))dlsym(plugin, "stubs_address");
        CHECK(lies_in((void*)address(), "libration.so"));
        CHECK(address()(0) == 0);
    }
    CHECK(*(int*)dlsym(plugin, "stub_calls") == 1);
    if (getenv("SCENARIO_HOOKED") != NULL) CHECK(engine()->installed == 1 && engine()->hooked == 1);
    return 0;
}
