/* Another preloaded library with an ioctl of its own is called once for each call, whichever of us
 * comes first, and whoever asks it for its own gets that. */
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
    CHECK(asks_console(pipes[0]));
    CHECK(*calls == before + 2);

    Dl_info info;
    CHECK(dladdr(calls, &info) != 0);
    void* const library = dlopen(info.dli_fname, RTLD_NOW | RTLD_NOLOAD);
    CHECK(library != NULL);
    void* const its_own = dlsym(library, "ioctl");
    CHECK(lies_in(its_own, "libioctl_of_its_own.so"));
    CHECK(((int (*)(int, unsigned long, ...))its_own)(pipes[0], FIONREAD, &waiting) == 0);
    CHECK(*calls == before + 3);
    CHECK(lies_in(dlsym(dlopen("libc.so.6", RTLD_NOW), "ioctl"), "libration.so"));
    CHECK(dlsym(RTLD_DEFAULT, "ioctl") == (void*)&ioctl);
    return 0;
}
