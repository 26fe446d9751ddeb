/* Another preloaded library that has an ioctl, and looks for libc's in libc, not behind itself. */
#include <dlfcn.h>
#include <stdarg.h>

int own_ioctl_calls;

int ioctl(int descriptor, unsigned long request, ...) {
    va_list arguments;
    va_start(arguments, request);
    void* const third = va_arg(arguments, void*);
    va_end(arguments);
    static int (*real)(int, unsigned long, ...);
    ++own_ioctl_calls;
    if (real == 0) {
        real = (int (*)(int, unsigned long, ...))dlsym(dlopen("libc.so.6", RTLD_NOW), "ioctl");
    }
    return real(descriptor, request, third);
}
