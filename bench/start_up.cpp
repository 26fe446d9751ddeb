// How long a program takes from its start to its end, with each of several preloaded objects in
// turn.
//
// usage: start_up ROUNDS PROGRAM [OBJECT...]
// Prints a line of nanoseconds for each round: bare, then with each OBJECT.
#include <sched.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

namespace {

long long now() {
    timespec time{};
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

struct Times {
    long long wall = 0;
    long long cpu = 0;
};

long long nanoseconds(const timeval& time) {
    return time.tv_sec * 1000000000LL + time.tv_usec * 1000LL;
}

// False if the program failed.
bool run(const char* program, const std::string& preload, Times& times) {
    std::string variable = "LD_PRELOAD=" + preload;
    char* const arguments[] = {const_cast<char*>(program), nullptr};
    char* const environment[] = {preload.empty() ? nullptr : variable.data(), nullptr};
    const long long begin = now();
    pid_t child = 0;
    int status = -1;
    rusage usage{};
    // posix_spawn shares our memory until exec, so that our own size is not measured.
    if (posix_spawn(&child, program, nullptr, nullptr, arguments, environment) != 0) return false;
    if (wait4(child, &status, 0, &usage) != child || status != 0) return false;
    times.wall = now() - begin;
    times.cpu = nanoseconds(usage.ru_utime) + nanoseconds(usage.ru_stime);
    return true;
}

// Parent and child on one processor: no migration, and no second one that must first wake up.
void stay_on_one_processor() {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(sched_getcpu(), &one);
    sched_setaffinity(0, sizeof one, &one);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 3) return std::fputs("usage: start_up ROUNDS PROGRAM [OBJECT...]\n", stderr), 2;
    std::vector<std::string> objects = {""};
    objects.insert(objects.end(), argv + 3, argv + argc);
    std::vector<std::size_t> order(objects.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
    stay_on_one_processor();
    std::minstd_rand random(1);
    std::vector<Times> times(objects.size());
    for (int round = std::atoi(argv[1]); round > 0; --round) {
        // In another order each time: whoever comes first pays for what others left in the caches.
        std::shuffle(order.begin(), order.end(), random);
        for (const std::size_t i : order) {
            if (!run(argv[2], objects[i], times[i])) {
                return std::fputs("start_up: the program failed\n", stderr), 1;
            }
        }
        for (const Times& time : times) std::printf("%lld %lld ", time.wall, time.cpu);
        std::puts("");
    }
    return 0;
}
