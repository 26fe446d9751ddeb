#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <barrier>
#include <set>
#include <thread>
#include <vector>

#include "shim/host/generation.h"

namespace ration::host {
namespace {

// What `body` returns in a forked child, which must lie below 256.
template <class Body>
int in_child(Body body) {
    const pid_t child = fork();
    if (child == 0) _exit(body());
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(Generation, StaysInAProcess) {
    const std::uint32_t first = generation();
    EXPECT_NE(first, 0U);
    EXPECT_EQ(in_child([] { return 0; }), 0);
    EXPECT_EQ(generation(), first);
}

TEST(Generation, DiffersInEachDescendant) {
    const std::uint32_t parent = generation();
    EXPECT_EQ(in_child([&] {
                  const std::uint32_t child = generation();
                  return child != parent && child != 0 && generation() == child &&
                                 in_child([&] {
                                     return generation() == child || generation() == parent;
                                 }) == 0
                             ? 0
                             : 1;
              }),
              0);
    EXPECT_EQ(in_child([&] { return in_child([&] { return generation() == parent; }); }), 0)
        << "of a child that never asked";
}

TEST(Generation, IsOneForTheThreadsOfAProcess) {
    EXPECT_EQ(in_child([] {
                  constexpr int kThreads = 8;
                  std::barrier together(kThreads);
                  std::vector<std::uint32_t> seen(kThreads);
                  std::vector<std::thread> threads;
                  for (int i = 0; i < kThreads; ++i) {
                      threads.emplace_back([&, i] {
                          together.arrive_and_wait();
                          seen[i] = generation();
                      });
                  }
                  for (std::thread& thread : threads) thread.join();
                  return static_cast<int>(std::set(seen.begin(), seen.end()).size());
              }),
              1);
}

}  // namespace
}  // namespace ration::host
