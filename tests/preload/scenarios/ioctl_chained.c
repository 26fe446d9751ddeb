/* Another preloaded library with an ioctl of its own is called once for each call, whichever of us
 * comes first. */
#include <linux/kd.h>
#include <sys/ioctl.h>

#include "scenario.h"

int main(void) {
    alarm(20);
    int* calls = (int*)dlsym(RTLD_DEFAULT, "own_ioctl_calls");
    CHECK(calls != NULL);
    const int before = *calls;
    int pipes[2], waiting = -1;
    CHECK(pipe(pipes) == 0 && write(pipes[1], "abc", 3) == 3);
    CHECK(ioctl(pipes[0], FIONREAD, &waiting) == 0 && waiting == 3);
    CHECK(ioctl(pipes[0], KDGETMODE, &waiting) == -1 && errno == ENOTTY);
    CHECK(*calls == before + 2);
    return 0;
}
