/* libstdc++ keeps the exceptions in flight of a thread in a thread-local variable, the only one
 * that it brings in. Here they hang on a key instead: without a TLS segment the library can be
 * loaded late into any process, and no access to it allocates behind the program's back. Itanium
 * C++ ABI, 2.2.2: struct __cxa_eh_globals. */
#include <pthread.h>
#include <stdlib.h>

struct eh_globals {
    void* caught;
    unsigned int uncaught;
};

static pthread_key_t key;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void make_key(void) {
    if (pthread_key_create(&key, free) != 0) abort();
}

struct eh_globals* __cxa_get_globals(void) {
    pthread_once(&once, make_key);
    struct eh_globals* globals = pthread_getspecific(key);
    if (!globals) {
        globals = calloc(1, sizeof *globals);
        if (!globals || pthread_setspecific(key, globals) != 0) abort();
    }
    return globals;
}

struct eh_globals* __cxa_get_globals_fast(void) {
    return __cxa_get_globals();
}
