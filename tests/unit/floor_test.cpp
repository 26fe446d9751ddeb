// What shim/cmake/libc_floor puts in place of a newer libc works, in a program with a libstdc++ of
// its own. That nothing newer is referenced is checked on the files
// (tests/integration/objects_test.py).
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <stdexcept>
#include <thread>
#include <vector>

namespace {

class LibcFloor : public testing::Test {
  protected:
    void SetUp() override {
        handle_ = dlopen(FLOOR_PROBE, RTLD_NOW | RTLD_LOCAL);
        ASSERT_NE(handle_, nullptr) << dlerror();
    }
    template <typename... Arguments>
    int call(const char* name, Arguments... arguments) const {
        auto* function = reinterpret_cast<int (*)(Arguments...)>(dlsym(handle_, name));
        return function != nullptr ? function(arguments...) : -1000;
    }

  private:
    void* handle_ = nullptr;
};

TEST_F(LibcFloor, Exceptions) {
    EXPECT_EQ(call("probe_throw"), 9);
    EXPECT_EQ(call("probe_uncaught"), 10);
    EXPECT_EQ(call("probe_thread"), 1);
    try {
        throw std::runtime_error("the program's own");
    } catch (const std::exception&) {
        EXPECT_EQ(call("probe_throw"), 9) << "within a handler of another libstdc++";
        EXPECT_EQ(call("probe_uncaught"), 10);
    }
}

TEST_F(LibcFloor, ExceptionsInManyThreads) {
    std::vector<std::thread> threads;
    for (int i = 0; i < 8; ++i) {
        threads.emplace_back([this] {
            for (int k = 0; k < 200; ++k) ASSERT_EQ(call("probe_throw"), 9);
        });
    }
    for (auto& thread : threads) thread.join();
}

TEST_F(LibcFloor, Numbers) { EXPECT_EQ(call<const char*>("probe_numbers", "4711"), 4711); }

TEST_F(LibcFloor, Stat) {
    FILE* file = fopen(FLOOR_PROBE, "r");
    ASSERT_NE(file, nullptr);
    EXPECT_EQ((call<const char*, int>("probe_stat", FLOOR_PROBE, fileno(file))), 0);
    fclose(file);
}

TEST_F(LibcFloor, Random) { EXPECT_EQ(call("probe_random"), 0); }

}  // namespace
