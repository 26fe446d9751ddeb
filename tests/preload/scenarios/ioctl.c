/* ioctl serves all programs. What is not for /dev/kfd reaches the next one as it was called, before
 * and after the decision, errno and all, and decides nothing. */
#include <fcntl.h>
#include <stdint.h>
#include <sys/ioctl.h>

#include "scenario.h"

int main(void) {
    alarm(20);
    int* others = (int*)dlsym(RTLD_DEFAULT, "kernel_others");
    int* kfd_type = (int*)dlsym(RTLD_DEFAULT, "kernel_kfd_requests");
    int* third = (int*)dlsym(RTLD_DEFAULT, "kernel_third");
    const long* rest = (const long*)dlsym(RTLD_DEFAULT, "kernel_rest");
    CHECK(rest != NULL && others != NULL && kfd_type != NULL && third != NULL);
    const int before = *others;
    int pipes[2], waiting = -1;
    CHECK(pipe(pipes) == 0 && write(pipes[1], "abc", 3) == 3);
    errno = 77;
    /* The first of the process: every register that may pass an argument is as it was. */
    CHECK(ioctl(pipes[0], FIONREAD, &waiting, 4L, 5L, 6L) == 0 && waiting == 3 && errno == 77);
    CHECK(rest[0] == 4 && rest[1] == 5 && rest[2] == 6);
    CHECK(ioctl(pipes[0], FIONREAD, &waiting, 7L, 8L, 9L) == 0);
    CHECK(rest[0] == 7 && rest[1] == 8 && rest[2] == 9);
    CHECK(ioctl(pipes[0], FIOCLEX) == 0); /* no third argument */
    CHECK(ioctl(pipes[0], FIONBIO, &waiting) == 0);
    CHECK(ioctl(pipes[0], TIOCGWINSZ, &waiting) == -1 && errno == ENOTTY);
    CHECK(ioctl(pipes[0], 0x12345678UL, 4711) == -1 && *third == 4711);
    CHECK(*others == before + 6 && *kfd_type == 0);

    /* The console's requests are of KFD's type. */
    CHECK(asks_console(pipes[0]));
    CHECK(asks_console(-1));
    CHECK(ioctl(1000000, _IOR('K', 1, int[2]), &waiting) == 0);
    CHECK(*kfd_type == 3);
    CHECK(!is_mapped("libration-engine.so"));

    /* Programs that look it up get the same. */
    CHECK(lies_in((void*)&ioctl, "libration.so"));
    CHECK(dlsym(RTLD_DEFAULT, "ioctl") == (void*)&ioctl);
    CHECK(dlsym(dlopen("libc.so.6", RTLD_NOW), "ioctl") == (void*)&ioctl);

    /* The device file decides, without HIP or HSA: whoever has them linked in comes by nothing
     * else. */
    const int kfd = open("/dev/zero", O_RDWR);
    errno = 77;
    CHECK(ioctl(kfd, _IOR('K', 1, int[2]), &waiting) == 0 && errno == 77);
    CHECK(engine()->amd_attached == 1 && engine()->amd_ioctls == 1 && *kfd_type == 4);
    CHECK(asks_console(pipes[0]));
    CHECK(ioctl(pipes[0], FIONREAD, &waiting) == 0 && waiting == 3);
    CHECK(engine()->amd_attached == 1);
    CHECK(engine()->amd_ioctls ==
          1); /* the engine sees what may be KFD's alone: not the console's */
    CHECK(ioctl(pipes[0], _IOR('K', 1, int[2]), &waiting) == 0);
    CHECK(engine()->amd_ioctls == 2);
    return 0;
}
