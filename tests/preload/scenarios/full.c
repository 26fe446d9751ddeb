/* A refusal that has no room: stderr is a file at its size limit, and SIGXFSZ ends programs by
 * default. */
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>

#include "scenario.h"

int main(void) {
    sigset_t signals;
    const struct rlimit none = {0, 0};
    char name[] = "/tmp/ration-full-XXXXXX";
    const int file = mkstemp(name);
    CHECK(file >= 0 && unlink(name) == 0);
    CHECK(signal(SIGXFSZ, SIG_DFL) != SIG_ERR);
    CHECK(setrlimit(RLIMIT_FSIZE, &none) == 0 && dup2(file, STDERR_FILENO) >= 0);
    if (cuInit(0) != 800) return 2;
    if (sigpending(&signals) != 0 || sigismember(&signals, SIGXFSZ) != 0) return 3;
    if (sigprocmask(SIG_BLOCK, NULL, &signals) != 0 || sigismember(&signals, SIGXFSZ) != 0)
        return 4;
    return 0;
}
