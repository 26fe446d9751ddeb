/* Signal handlers that leave look-ups by siglongjmp, again and again, leave nothing behind: another
 * thread walks over the loader's list, and forks are as fast as ever. (By cuGetProcAddress: a
 * handler that leaves libc's dlsym leaves libc's own lock behind, with us or without.) */
#include <link.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/time.h>

#include "scenario.h"

enum { kJumps = 300, kForks = 20 };

static sigjmp_buf back;
static volatile sig_atomic_t jumps;

static void jump(int signal) {
    (void)signal;
    ++jumps;
    siglongjmp(back, 1);
}

static int none(struct dl_phdr_info* info, size_t size, void* data) {
    (void)info;
    (void)size;
    (void)data;
    return 0;
}

static void* walk(void* unused) {
    (void)unused;
    dl_iterate_phdr(none, NULL);
    return NULL;
}

int main(void) {
    const struct itimerval often = {{0, 50}, {0, 50}};
    const struct itimerval never = {{0, 0}, {0, 0}};
    pthread_t thread;
    void* volatile function = NULL;
    alarm(60);
    CHECK(signal(SIGVTALRM, jump) != SIG_ERR);
    CHECK(cuInit(0) == 0);
    CHECK(setitimer(ITIMER_VIRTUAL, &often, NULL) == 0);
    sigsetjmp(back, 1);
    while (jumps < kJumps) {
        void* found = NULL;
        cuGetProcAddress("cuInit", &found, 11040, 0);
        function = found;
    }
    CHECK(setitimer(ITIMER_VIRTUAL, &never, NULL) == 0);
    signal(SIGVTALRM, SIG_IGN);
    CHECK(function != NULL);
    CHECK(pthread_create(&thread, NULL, walk, NULL) == 0 && pthread_join(thread, NULL) == 0);
    for (int i = 0; i < kForks; ++i) {
        const pid_t child = fork();
        if (child == 0) _exit(0);
        CHECK(exit_status_of(child) == 0);
    }
    return 0;
}
