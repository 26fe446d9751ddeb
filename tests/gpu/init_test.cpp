// cuInit: what holds before it, after it failed, after it succeeded, and in a forked child.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <thread>
#include <vector>

#include "tests/gpu/support/inspect.h"

namespace gpu {
namespace {

TEST(Init, NothingWorksBefore) {
    const Report report = in_child({}, [](Cuda& cuda, Report& found) {
        int count = -1;
        CUcontext context{};
        found.set("count_result", cuda.cuDeviceGetCount(&count));
        found.set("count", count);
        found.set("retain", cuda.cuDevicePrimaryCtxRetain(&context, 0));
        int version = 0;
        found.set("version_result", cuda.cuDriverGetVersion(&version));
        found.set("version", version);
        const char* name = nullptr;
        found.set("name_result", cuda.cuGetErrorName(CUDA_ERROR_NO_DEVICE, &name));
        found.set("name", std::string(name != nullptr ? name : ""));
    });
    EXPECT_EQ(report["count_result"], CUDA_ERROR_NOT_INITIALIZED);
    EXPECT_EQ(report["count"], -1) << "left alone";
    EXPECT_EQ(report["retain"], CUDA_ERROR_NOT_INITIALIZED);
    EXPECT_EQ(report["version_result"], CUDA_SUCCESS) << "needs no cuInit";
    EXPECT_GE(report["version"], 11000);
    EXPECT_EQ(report.text("name"), "CUDA_ERROR_NO_DEVICE");
}

TEST(Init, FlagsMustBeZero) {
    const Report report = in_child({}, [](Cuda& cuda, Report& found) {
        CUcontext context{};
        found.set("flags", cuda.cuInit(1));
        found.set("retain", cuda.cuDevicePrimaryCtxRetain(&context, 0));
        found.set("second", cuda.cuInit(0));
        found.set("third", cuda.cuInit(0));
    });
    EXPECT_EQ(report["flags"], CUDA_ERROR_INVALID_VALUE);
    EXPECT_EQ(report["retain"], CUDA_ERROR_NOT_INITIALIZED);
    EXPECT_EQ(report["second"], CUDA_SUCCESS) << "a failed cuInit may be repeated";
    EXPECT_EQ(report["third"], CUDA_SUCCESS) << "so may one that succeeded";
}

TEST(Init, AForkedChildCanNeitherUseNorRepeatIt) {
    const Report report = in_child({}, [](Cuda& cuda, Report& found) {
        found.set("init", cuda.cuInit(0));
        int results[2];
        if (pipe(results) != 0) return;
        const pid_t pid = fork();
        if (pid == 0) {
            int count = -1;
            CUcontext context{};
            const int values[] = {cuda.cuInit(0), cuda.cuDeviceGetCount(&count), count,
                                  cuda.cuDevicePrimaryCtxRetain(&context, 0)};
            _exit(write(results[1], values, sizeof values) == sizeof values ? 0 : 1);
        }
        int values[4]{};
        if (read(results[0], values, sizeof values) != sizeof values) return;
        waitpid(pid, nullptr, 0);
        found.set("child_init", values[0]);
        found.set("child_count_result", values[1]);
        found.set("child_count", values[2]);
        found.set("child_retain", values[3]);
        CUcontext context{};
        found.set("parent_retain", cuda.cuDevicePrimaryCtxRetain(&context, 0));
    });
    EXPECT_EQ(report["init"], CUDA_SUCCESS);
    EXPECT_EQ(report["child_init"], CUDA_ERROR_NOT_INITIALIZED);
    EXPECT_EQ(report["child_count_result"], CUDA_ERROR_NOT_INITIALIZED);
    EXPECT_EQ(report["child_count"], -1);
    EXPECT_EQ(report["child_retain"], CUDA_ERROR_NOT_INITIALIZED);
    EXPECT_EQ(report["parent_retain"], CUDA_SUCCESS);
}

TEST(Init, AChildForkedBeforeItIsFree) {
    const Report report = in_child({}, [](Cuda& cuda, Report& found) {
        int version = 0;
        cuda.cuDriverGetVersion(&version);
        const pid_t pid = fork();
        if (pid == 0) _exit(cuda.cuInit(0) == CUDA_SUCCESS ? 0 : 1);
        int status = -1;
        waitpid(pid, &status, 0);
        found.set("status", status);
        found.set("init", cuda.cuInit(0));
    });
    EXPECT_EQ(report["status"], 0);
    EXPECT_EQ(report["init"], CUDA_SUCCESS);
}

TEST(Init, TheEnvironmentIsReadOnce) {
    const Report report = in_child({}, [](Cuda& cuda, Report& found) {
        found.set("init", cuda.cuInit(0));
        setenv("CUDA_VISIBLE_DEVICES", "", 1);
        int count = -1;
        cuda.cuDeviceGetCount(&count);
        found.set("count", count);
        found.set("again", cuda.cuInit(0));
    });
    EXPECT_EQ(report["init"], CUDA_SUCCESS);
    EXPECT_EQ(report["count"], part().count);
    EXPECT_EQ(report["again"], CUDA_SUCCESS);
}

// A failed cuInit keeps nothing of what it read.
TEST(Init, AFailedOneReadsTheEnvironmentAgain) {
    const Report report = in_child({{"CUDA_VISIBLE_DEVICES", ""}}, [](Cuda& cuda, Report& found) {
        found.set("first", cuda.cuInit(0));
        found.set("second", cuda.cuInit(0));
    });
    EXPECT_EQ(report["first"], CUDA_ERROR_NO_DEVICE);
    EXPECT_EQ(report["second"], CUDA_ERROR_NO_DEVICE);
}

TEST(Init, ThreadsMayRaceIntoIt) {
    // The simulated driver alone is too quick for a race; the real one knows no such variable.
    const Environment slow{{"SIM_CUDA_INIT_DELAY_US", "20000"}};
    const Report report = in_child(slow, [](Cuda& cuda, Report& found) {
        std::vector<CUresult> results(8, CUDA_ERROR_UNKNOWN);
        std::vector<CUresult> counts(8, CUDA_ERROR_UNKNOWN);
        std::vector<std::thread> threads;
        for (std::size_t i = 0; i < results.size(); ++i) {
            threads.emplace_back([&, i] {
                int count = 0;
                results[i] = cuda.cuInit(0);
                counts[i] = cuda.cuDeviceGetCount(&count);
            });
        }
        for (std::thread& thread : threads) thread.join();
        long long bad = 0;
        for (std::size_t i = 0; i < results.size(); ++i) {
            bad += results[i] != CUDA_SUCCESS || counts[i] != CUDA_SUCCESS ? 1 : 0;
        }
        found.set("bad", bad);
    });
    EXPECT_EQ(report["bad"], 0);
}

}  // namespace
}  // namespace gpu
