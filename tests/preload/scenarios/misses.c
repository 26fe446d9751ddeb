/* Every name that is not exactly on the list behaves as without us, and so do dlerror and errno. */
#include "scenario.h"

int (*plugin_asks)(const char* name);

int main(void) {
    void* libc = dlopen("libc.so.6", RTLD_NOW);
    void* plugin = dlopen(getenv("SCENARIO_PLUGIN"), RTLD_NOW | RTLD_LOCAL);
    CHECK(plugin != NULL);

    /* RTLD_DEFAULT from an RTLD_LOCAL plugin sees the plugin's own scope; from here it does not. */
    int (*ask)(const char*) = (int (*)(const char*))dlsym(plugin, "plugin_finds_by_default");
    CHECK(ask("curl_easy_init") == 1 && ask("cudnnCreate") == 1 && ask("cuFFTNothing") == 0);
    CHECK(dlsym(RTLD_DEFAULT, "curl_easy_init") == NULL);

    /* RTLD_NEXT from a preloaded library finds what follows that library. */
    CHECK(getppid() > 0);
    int* next_calls = (int*)dlsym(RTLD_DEFAULT, "interposer_calls");
    CHECK(next_calls != NULL && *next_calls == 1);

    /* Names that only begin like ours, or are ours with a suffix. */
    CHECK(lies_in(dlsym(plugin, "cuInitialise"), "libplugin.so"));
    CHECK(lies_in(dlsym(plugin, "cuIni"), "libplugin.so"));

    errno = 77;
    (void)dlerror();
    CHECK(dlsym(libc, "no_such_name") == NULL);
    const char* error = dlerror();
    CHECK(error != NULL && strstr(error, "no_such_name") != NULL);
    CHECK(dlsym(libc, "cuInit") == NULL);
    error = dlerror();
    CHECK(error != NULL && strstr(error, "cuInit") != NULL);
    CHECK(dlsym(libc, "getpid") != NULL && dlerror() == NULL);
    CHECK(errno == 77);

    /* A library that is not the driver may have a symbol of the name: it stays that library's. */
    CHECK(lies_in(dlsym(plugin, "cuCtxSetCurrent"), "libplugin.so"));
    CHECK(dlerror() == NULL);
    CHECK(!is_mapped("libration-engine.so"));
    return 0;
}
