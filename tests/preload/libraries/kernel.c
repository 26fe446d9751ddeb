/* A kernel with a KFD driver: preloaded behind libration.so, where libc would be. */
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int kernel_kfd_requests; /* requests of type 'K' that arrived */
int kernel_others;
int kernel_third;    /* the third argument of the last request that was not KFD's */
long kernel_rest[3]; /* and what was passed behind it */

/* File systems that are not there. */
int kernel_without_proc;
int kernel_without_sysfs;

static ssize_t answer(char* buffer, size_t size, const char* text) {
    const size_t length = strlen(text) < size ? strlen(text) : size;
    memcpy(buffer, text, length);
    return (ssize_t)length;
}

/* /dev/zero is the device file, by either of its names. */
ssize_t readlink(const char* path, char* buffer, size_t size) {
    static const char kDevice[] = "../../devices/virtual/mem/zero";
    static const char kFile[] = "/dev/zero";
    const int hidden = (kernel_without_proc && strncmp(path, "/proc/", 6) == 0) ||
                       (kernel_without_sysfs && strncmp(path, "/sys/", 5) == 0);
    const ssize_t length = syscall(SYS_readlinkat, -100, hidden ? "/nowhere" : path, buffer, size);
    if (length == sizeof kDevice - 1 && memcmp(buffer, kDevice, sizeof kDevice - 1) == 0) {
        return answer(buffer, size, "../../devices/virtual/kfd/kfd");
    }
    if (length == sizeof kFile - 1 && memcmp(buffer, kFile, sizeof kFile - 1) == 0) {
        return answer(buffer, size, "/dev/kfd");
    }
    return length;
}

int ioctl(int descriptor, unsigned long request, ...) {
    va_list arguments;
    va_start(arguments, request);
    void* const third = va_arg(arguments, void*);
    long rest[3];
    for (int i = 0; i < 3; ++i) rest[i] = va_arg(arguments, long);
    va_end(arguments);
    if ((request >> 8 & 0xff) == 'K') {
        __atomic_add_fetch(&kernel_kfd_requests, 1, __ATOMIC_RELAXED);
        if (request >> 16 != 0) return 0; /* the console's numbers carry no size */
    } else {
        __atomic_add_fetch(&kernel_others, 1, __ATOMIC_RELAXED);
        kernel_third = (int)(long)third;
        memcpy(kernel_rest, rest, sizeof rest);
    }
    return (int)syscall(SYS_ioctl, descriptor, request, third);
}
