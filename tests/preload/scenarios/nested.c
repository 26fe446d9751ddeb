/* The driver, and a tool that it loads inside cuInit, reach the driver and not the hook again. */
#include <pthread.h>

#include "scenario.h"

static void* on_another_thread(void* unused) {
    (void)unused;
    CHECK(cuCtxSetCurrent(NULL) == 0); /* would hang if a lock were held across the real cuInit */
    return NULL;
}

static void injected(void) {
    fake_driver.during_init = NULL;
    CHECK(cuInit(0) == 0);
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, on_another_thread, NULL) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
}

int main(void) {
    alarm(20);
    fake_driver.during_init = injected;
    CHECK(cuInit(0) == 0);
    CHECK(fake_driver.init == 2);
    CHECK(engine()->nested == 1);
    CHECK(lies_in(fake_driver.own_init, getenv("SCENARIO_DRIVER_FINDS")));
    return 0;
}
