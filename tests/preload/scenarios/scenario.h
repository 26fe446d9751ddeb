/* A scenario is one process under LD_PRELOAD=libration.so: exit 0 if all is as it should be. */
#pragma once

#include <dlfcn.h>
#include <errno.h>
#include <linux/kd.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fake/driver.h"
#include "fake/engine.h"

#define CHECK(condition)                                                            \
    do {                                                                            \
        if (!(condition)) {                                                         \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
            _exit(1);                                                               \
        }                                                                           \
    } while (0)

/* The file that an address belongs to, without its folder. */
static inline const char* file_of(const void* address) {
    Dl_info info;
    CHECK(dladdr(address, &info) != 0);
    const char* slash = strrchr(info.dli_fname, '/');
    return slash != NULL ? slash + 1 : info.dli_fname;
}

static inline int lies_in(const void* address, const char* file) {
    return address != NULL && strcmp(file_of(address), file) == 0;
}

/* The loaded fake engine's counters; null while it is not loaded. */
static inline struct FakeEngine* engine(void) {
    void* handle = dlopen(getenv("FAKE_ENGINE_PATH"), RTLD_NOW | RTLD_NOLOAD);
    return handle != NULL ? (struct FakeEngine*)dlsym(handle, "fake_engine") : NULL;
}

static inline int is_mapped(const char* name) {
    char line[4096];
    int found = 0;
    FILE* maps = fopen("/proc/self/maps", "re");
    CHECK(maps != NULL);
    while (fgets(line, sizeof line, maps) != NULL) found |= strstr(line, name) != NULL;
    fclose(maps);
    return found;
}

static inline int exit_status_of(pid_t child) {
    int status = 0;
    CHECK(waitpid(child, &status, 0) == child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* A decision that a thread is in the middle of: it waits there until it is let go. */
struct Held {
    pthread_t thread;
    int says[2];
    int waits[2];
};

static inline void hold_decision(struct Held* held, void* (*first_call)(void*)) {
    char number[16];
    char byte = 0;
    CHECK(pipe(held->says) == 0 && pipe(held->waits) == 0);
    snprintf(number, sizeof number, "%d", held->says[1]);
    setenv("FAKE_ENGINE_SAYS", number, 1);
    snprintf(number, sizeof number, "%d", held->waits[0]);
    setenv("FAKE_ENGINE_WAITS", number, 1);
    setenv("FAKE_ENGINE", "wait", 1);
    CHECK(pthread_create(&held->thread, NULL, first_call, NULL) == 0);
    CHECK(read(held->says[0], &byte, 1) == 1); /* the engine is being attached now */
}

static inline void let_go(struct Held* held) {
    CHECK(write(held->waits[1], "g", 1) == 1);
    CHECK(pthread_join(held->thread, NULL) == 0);
}

/* Whether a thread of this process sleeps; -1 if there is none. */
static inline int thread_sleeps(int tid) {
    char path[64];
    char text[512] = "";
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", tid);
    FILE* stat = fopen(path, "re");
    if (stat == NULL) return -1;
    const size_t length = fread(text, 1, sizeof text - 1, stat);
    fclose(stat);
    const char* state = length > 0 ? strrchr(text, ')') : NULL;
    return state != NULL && state[2] == 'S';
}

/* A request of the console, which has KFD's type, fails as it does without anything in between.
 * (Emulators have answers of their own.) */
static inline int asks_console(int descriptor) {
    int mode = 0;
    const long directly = syscall(SYS_ioctl, descriptor, KDGETMODE, &mode);
    const int error = errno;
    errno = 0;
    return directly == -1 && ioctl(descriptor, KDGETMODE, &mode) == -1 && errno == error;
}
