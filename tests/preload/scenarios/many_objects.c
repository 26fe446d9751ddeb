/* What a look-up by cuGetProcAddress costs does not grow with the number of loaded objects,
 * be the name on the list or not: programs make hundreds of look-ups, and have hundreds of objects.
 */
#include <time.h>

#include "scenario.h"

/* Not linked against the driver, which then stands in front of all objects: the reference means
 * libration.so. */
#pragma weak cuGetProcAddress_v2

enum { kLookups = 400, kRounds = 15, kObjects = 150 };

/* CPU time of the look-ups in ns, at best. */
static long best_of_rounds(void) {
    long best = -1;
    for (int round = 0; round < kRounds; ++round) {
        struct timespec begin;
        struct timespec end;
        void* found = NULL;
        int status = 0;
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &begin);
        for (int i = 0; i < kLookups; ++i) {
            const char* name = i % 2 == 0 ? "cuDriverGetVersion" : "cuCtxSetCurrent";
            CHECK(cuGetProcAddress_v2(name, &found, 12000, 0, &status) == 0 && found != NULL);
        }
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &end);
        const long taken = (end.tv_sec - begin.tv_sec) * 1000000000L + end.tv_nsec - begin.tv_nsec;
        if (best < 0 || taken < best) best = taken;
    }
    return best;
}

static void copy(const char* from, const char* to) {
    char buffer[65536];
    size_t got;
    FILE* in = fopen(from, "rbe");
    FILE* out = fopen(to, "wbe");
    CHECK(in != NULL && out != NULL);
    while ((got = fread(buffer, 1, sizeof buffer, in)) > 0)
        CHECK(fwrite(buffer, 1, got, out) == got);
    CHECK(fclose(in) == 0 && fclose(out) == 0);
}

static void load_objects(void) {
    char folder[] = "/tmp/ration-many-XXXXXX";
    char path[sizeof folder + 16];
    CHECK(mkdtemp(folder) != NULL);
    for (int i = 0; i < kObjects; ++i) {
        snprintf(path, sizeof path, "%s/%d.so", folder, i);
        copy(getenv("SCENARIO_PLUGIN"), path);
        const int loaded = dlopen(path, RTLD_NOW | RTLD_LOCAL) != NULL;
        unlink(path);
        CHECK(loaded);
    }
    rmdir(folder);
}

static long best_with_driver(void) {
    CHECK(dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL) != NULL);
    return best_of_rounds();
}

int main(void) {
    int ends[2];
    long few = 0;
    CHECK(pipe(ends) == 0);
    const pid_t child = fork();
    if (child == 0) {
        few = best_with_driver();
        _exit(write(ends[1], &few, sizeof few) == sizeof few ? 0 : 1);
    }
    CHECK(exit_status_of(child) == 0 && read(ends[0], &few, sizeof few) == sizeof few);
    load_objects();
    const long many = best_with_driver();
    fprintf(stderr, "%d look-ups: %ld ns, with %d objects more %ld ns\n", kLookups, few, kObjects,
            many);
    CHECK(many < 2 * few + 40000);
    return 0;
}
