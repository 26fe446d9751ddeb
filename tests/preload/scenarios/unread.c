/* A refusal that nobody reads: stderr is a pipe whose reader is gone, and SIGPIPE ends programs by
 * default. */
#include <signal.h>

#include "scenario.h"

int main(void) {
    int ends[2];
    sigset_t blocked;
    CHECK(signal(SIGPIPE, SIG_DFL) != SIG_ERR);
    CHECK(pipe(ends) == 0 && close(ends[0]) == 0 && dup2(ends[1], STDERR_FILENO) >= 0);
    if (cuInit(0) != 800) return 2;
    if (sigpending(&blocked) != 0 || sigismember(&blocked, SIGPIPE) != 0) return 3;
    if (sigprocmask(SIG_BLOCK, NULL, &blocked) != 0 || sigismember(&blocked, SIGPIPE) != 0)
        return 4;
    return 0;
}
