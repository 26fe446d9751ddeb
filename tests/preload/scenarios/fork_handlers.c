/* Forks and look-ups take turns: a look-up that comes while another thread forks waits until it
 * has. The program's own fork handlers may look up too, at once: it is their thread that forks.
 * (The alarm would come if each of these forks waited until patience is at its end.) */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "scenario.h"

enum { kForks = 20 };

static atomic_int tid;
static atomic_int forking;
static atomic_int forked;
static atomic_int looked_up;

static void look_up(void) { dlsym(RTLD_DEFAULT, "cuInit"); }

static void* look_up_beside_fork(void* unused) {
    (void)unused;
    tid = (int)syscall(SYS_gettid);
    while (!forking) sched_yield();
    look_up();
    CHECK(forked);
    looked_up = 1;
    return NULL;
}

/* Registered before ration's own, so it runs when forks are announced already. */
static void prepare(void) {
    look_up();
    if (!tid || forking) return;
    forking = 1;
    for (int in_a_row = 0; !looked_up && in_a_row < 50;
         in_a_row = thread_sleeps(tid) ? in_a_row + 1 : 0) {
        sched_yield();
    }
}

static void in_parent(void) {
    look_up();
    if (forking) forked = 1;
}

static pid_t fork_and_end(void) {
    const pid_t child = fork();
    if (child == 0) _exit(0);
    return child;
}

int main(void) {
    pthread_t thread;
    alarm(20);
    CHECK(pthread_atfork(prepare, in_parent, look_up) == 0);
    look_up();
    for (int i = 0; i < kForks; ++i) CHECK(exit_status_of(fork_and_end()) == 0);
    CHECK(pthread_create(&thread, NULL, look_up_beside_fork, NULL) == 0);
    while (!tid) sched_yield();
    CHECK(exit_status_of(fork_and_end()) == 0);
    CHECK(pthread_join(thread, NULL) == 0 && looked_up);
    return 0;
}
