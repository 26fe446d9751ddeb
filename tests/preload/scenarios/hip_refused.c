/* Refused, each library fails with a code of its own, and the kernel's device file for whoever
 * comes to it by another way; no other file does. */
#include <linux/ioctl.h>
#include <sys/ioctl.h>

#include "fake/hip.h"
#include "scenario.h"

int main(void) {
    const int code = atoi(getenv("SCENARIO_CODE"));
    void* stream = NULL;
    CHECK(hipInit(0) == code);
    CHECK(hipInit(0) == code);
    CHECK(hipStreamCreate(&stream) == code);
    CHECK(fake_hip.init == (code == 0 ? 2 : 0));
    CHECK(hsa_init() == (code == 0 ? 0 : 0x1008));
    const int kfd = fake_kfd();
    errno = 0;
    CHECK(ioctl(kfd, _IOR('K', 1, int[2]), NULL) == (code == 0 ? 0 : -1));
    CHECK(errno == (code == 0 ? 0 : EPERM));
    const int other = dup(STDERR_FILENO);
    const unsigned long of_others = _IOR('K', 1, int[2]);
    int pipes[2], waiting = -1;
    CHECK(pipe(pipes) == 0 && write(pipes[1], "abc", 3) == 3);
    CHECK(ioctl(pipes[0], FIONREAD, &waiting) == 0 && waiting == 3);
    CHECK(ioctl(other, of_others, NULL) == 0); /* the fake kernel's answer */
    return 0;
}
