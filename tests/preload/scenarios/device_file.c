/* How a request of the device file is known. Refused, they fail with EPERM; those of others reach
 * the fake kernel, which answers 0. */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "scenario.h"

static const unsigned long kVersion = _IOR('K', 1, int[2]);
static const unsigned long kNotOnTheList =
    _IOR('K', 0x7f, int[2]); /* known by its descriptor alone */

static int* without_proc;
static int* without_sysfs;

static int refused(int descriptor, unsigned long request) {
    errno = 77;
    const int result = ioctl(descriptor, request, NULL);
    CHECK(result == 0 ? errno == 77 : errno == EPERM);
    return result != 0;
}

static void see(int sysfs, int proc) {
    *without_sysfs = !sysfs;
    *without_proc = !proc;
}

static void check_others(void) {
    int pipes[2], sockets[2];
    CHECK(pipe(pipes) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) == 0);
    const int file = open("/proc/self/maps", O_RDONLY);
    for (int way = 0; way < 4; ++way) {
        see(way & 1, way & 2);
        CHECK(!refused(pipes[0], kVersion) && !refused(sockets[0], kVersion));
        CHECK(!refused(file, kVersion) && !refused(-1, kVersion) && !refused(1000000, kVersion));
    }
    /* Another device is told by the kernel; else by what is asked of it, whatever its name is. */
    const int null = open("/dev/null", O_RDWR);
    see(1, 1);
    CHECK(!refused(null, kVersion));
    see(1, 0);
    CHECK(!refused(null, kVersion));
    see(0, 1);
    CHECK(refused(null, kVersion) && !refused(null, kNotOnTheList));
}

static void check_the_device(int kfd) {
    see(1, 1);
    CHECK(refused(kfd, kVersion) && refused(kfd, kNotOnTheList));
    see(1, 0);
    CHECK(refused(kfd, kVersion) && refused(kfd, kNotOnTheList));
    see(0, 1);
    CHECK(refused(kfd, kVersion) && refused(kfd, kNotOnTheList));
    see(0, 0);
    CHECK(refused(kfd, kVersion));
    CHECK(refused(kfd, _IOWR('K', 0x19, long[2])));
    CHECK(!refused(kfd, kNotOnTheList) && !refused(kfd, _IOR('K', 0, int[2])));
    CHECK(!refused(kfd, _IOC(_IOC_NONE, 'K', 1, 8)));
}

/* What a thread sees whose main thread has ended: /proc/self has no descriptors any more. */
static void* alone(void* main_thread) {
    CHECK(pthread_join(*(pthread_t*)main_thread, NULL) == 0);
    while (access("/proc/self/fd/2", F_OK) == 0) sched_yield();
    check_the_device(open("/dev/zero", O_RDWR));
    _exit(0);
}

int main(void) {
    alarm(20);
    without_proc = (int*)dlsym(RTLD_DEFAULT, "kernel_without_proc");
    without_sysfs = (int*)dlsym(RTLD_DEFAULT, "kernel_without_sysfs");
    CHECK(without_proc != NULL && without_sysfs != NULL);
    /* Before the decision, which only a request of the device file brings about. */
    see(0, 0);
    CHECK(refused(open("/dev/zero", O_RDWR), kVersion));
    check_the_device(open("/dev/zero", O_RDWR));
    check_others();
    static pthread_t main_thread;
    main_thread = pthread_self();
    pthread_t other;
    CHECK(pthread_create(&other, NULL, alone, &main_thread) == 0);
    pthread_exit(NULL);
}
