/* A thread is in its first call and waits for the loader's lock. Another holds that lock, in a
 * library's constructor, and makes a first call too: it must not wait for the first thread. With
 * SCENARIO_DECIDED the decision has been made before, by a cuInit that failed: then the grant is
 * read back in both. With SCENARIO_FORKS the constructor forks as well: forks wait for first calls,
 * but not for ever. */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <time.h>

#include "scenario.h"

static atomic_int tid;
static atomic_int go;
static atomic_int done;

static void* first_call(void* unused) {
    (void)unused;
    tid = (int)syscall(SYS_gettid);
    while (!go) sched_yield();
    CHECK(cuInit(0) == 0);
    done = 1;
    return NULL;
}

static void let_it_begin(void) {
    go = 1;
    /* One whose call needs no lock is soon through. Seen asleep some times in a row, it is not in
     * between. */
    for (int in_a_row = 0; !done && in_a_row < 50; in_a_row = thread_sleeps(tid) ? in_a_row + 1 : 0)
        sched_yield();
    if (getenv("SCENARIO_FORKS") == NULL) return;
    const pid_t child = fork();
    if (child == 0) _exit(0);
    CHECK(exit_status_of(child) == 0);
}
void (*in_constructor)(void) = let_it_begin;

int main(int count, char** arguments) {
    pthread_t thread;
    alarm(30);
    if (getenv("SCENARIO_DECIDED") != NULL) CHECK(cuInit(1) != 0);
    CHECK(pthread_create(&thread, NULL, first_call, NULL) == 0);
    while (!tid) sched_yield();
    void* library =
        dlopen(count > 1 ? arguments[1] : getenv("SCENARIO_CONSTRUCTOR"), RTLD_NOW | RTLD_LOCAL);
    CHECK(library != NULL);
    CHECK(*(int*)dlsym(library, "constructed_with") == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    if (getenv("SCENARIO_HOOKED") != NULL) CHECK(engine()->installed == 1 && engine()->hooked == 2);
    return 0;
}
