/* A program with no policy, or with no GPU call, stays as it was. */
#include <signal.h>
#include <sys/stat.h>

#include "scenario.h"

int main(void) {
    const int driver_wanted = getenv("SCENARIO_WITH_DRIVER") != NULL;
    if (driver_wanted) {
        void* driver = dlopen("libcuda.so.1", RTLD_NOW);
        CHECK(((int (*)(unsigned))dlsym(driver, "cuInit"))(0) == 0);
        CHECK(lies_in(dlsym(driver, "cuInit"), "libcuda.so.1"));
        CHECK(lies_in(dlsym(driver, "cuCtxSetCurrent"), "libcuda.so.1"));
    }
    CHECK(!is_mapped("libration-engine.so"));
    for (int signal_number = 1; signal_number < 32; ++signal_number) {
        struct sigaction action;
        if (sigaction(signal_number, NULL, &action) != 0) continue;
        CHECK(action.sa_handler == SIG_DFL || action.sa_handler == SIG_IGN);
    }
    const mode_t mask = umask(022);
    CHECK(mask == 022 || mask == 0 || mask == 077 || mask == 002);
    char path[64];
    snprintf(path, sizeof path, "/proc/self/task/%d", (int)getpid());
    struct stat only;
    CHECK(stat("/proc/self/task", &only) == 0 &&
          only.st_nlink == 3); /* one thread: ., .., itself */
    return 0;
}
