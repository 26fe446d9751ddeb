/* Functions since glibc 2.33; before, <sys/stat.h> called __xstat and its like with a version
 * number. The kernel's struct stat is libc's on 64-bit machines, with and without large files, so
 * that nothing here needs to look into it. */
#include <fcntl.h>
#include <sys/syscall.h>

long syscall(long number, ...);

int fstatat(int directory, const char* path, void* info, int flags) {
    return (int)syscall(SYS_newfstatat, directory, path, info, flags);
}
int stat(const char* path, void* info) { return fstatat(AT_FDCWD, path, info, 0); }
int lstat(const char* path, void* info) {
    return fstatat(AT_FDCWD, path, info, AT_SYMLINK_NOFOLLOW);
}
int fstat(int fd, void* info) { return (int)syscall(SYS_fstat, fd, info); }

int fstatat64(int, const char*, void*, int) __attribute__((alias("fstatat")));
int stat64(const char*, void*) __attribute__((alias("stat")));
int lstat64(const char*, void*) __attribute__((alias("lstat")));
int fstat64(int, void*) __attribute__((alias("fstat")));
