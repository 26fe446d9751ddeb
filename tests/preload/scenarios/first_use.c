/* The first use of a row that needs no hook: all arguments arrive, those in registers and those on
 * the stack, whether the call decides or comes after the decision. It waits for no lock of the
 * loader's: a constructor, which has that, may wait for the thread that makes the call. */
#include <pthread.h>

#include "scenario.h"

static int launch_arrives(void) {
    void* parameters[1];
    void* extra[1];
    int function = 0;
    int stream = 0;
    struct fake_launch sent;
    memset(&sent, 0, sizeof sent); /* its padding too */
    sent.function = &function;
    for (unsigned i = 0; i < 6; ++i) sent.size[i] = i + 1;
    sent.shared = 7;
    sent.stream = &stream;
    sent.parameters = parameters;
    sent.extra = extra;
    memset(&fake_driver.launch, 0, sizeof fake_driver.launch);
    CHECK(cuLaunchKernel(sent.function, sent.size[0], sent.size[1], sent.size[2], sent.size[3],
                         sent.size[4], sent.size[5], sent.shared, sent.stream, sent.parameters,
                         sent.extra) == 0);
    return memcmp(&fake_driver.launch, &sent, sizeof sent) == 0;
}

static void* first_use(void* unused) {
    (void)unused;
    CHECK(cuCtxPushCurrent(NULL) == 0);
    CHECK(cuCtxCreate_v4 == NULL || cuCtxCreate_v4(NULL, NULL, 0, 0) == 801); /* it has none */
    return NULL;
}

static void use_in_thread(void) {
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, first_use, NULL) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
}
void (*in_constructor)(void) = use_in_thread;

int main(void) {
    alarm(30);
    errno = EXDEV;
    CHECK(launch_arrives()); /* decides */
    CHECK(errno == EXDEV);
    CHECK(launch_arrives());
    CHECK(fake_driver.contexts == 0);
    void* library = dlopen(getenv("SCENARIO_CONSTRUCTOR"), RTLD_NOW | RTLD_LOCAL);
    CHECK(library != NULL);
    CHECK(fake_driver.contexts == 1);
    return 0;
}
