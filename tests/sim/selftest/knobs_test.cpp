// SIM_CUDA_LOG, SIM_CUDA_FAIL and what cuInit can be made to do inside.
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "tests/gpu/support/inspect.h"

namespace sim {
namespace {

using gpu::Cuda;
using gpu::Environment;
using gpu::in_child;
using gpu::inspect_context;
using gpu::inspect_device;
using gpu::Report;
using gpu::Work;

class Log : public testing::Test {
  protected:
    void SetUp() override {
        char pattern[] = "/tmp/gpu-test-XXXXXX";
        ASSERT_NE(mkdtemp(pattern), nullptr);
        directory_ = pattern;
    }
    void TearDown() override { std::filesystem::remove_all(directory_); }
    // What the driver logs of `work`.
    std::string of(Environment environment, const Work& work) {
        environment.emplace_back("SIM_CUDA_LOG", directory_ + "/log");
        in_child(environment, work);
        std::ifstream file(directory_ + "/log");
        std::ostringstream text;
        text << file.rdbuf();
        return text.str();
    }
    std::string directory_;
};

bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

TEST_F(Log, HasALineForEachCallAndTheVariablesThatCuInitSaw) {
    const std::string log = of({{"CUDA_VISIBLE_DEVICES", "0"},
                                {"CUDA_MPS_ACTIVE_THREAD_PERCENTAGE", "25"},
                                {"CUDA_MPS_CLIENT_PRIORITY", "1"}},
                               [](Cuda& cuda, Report& found) {
                                   found.set("early", cuda.cuDeviceGet(nullptr, 0));
                                   inspect_context(cuda, found);
                               });
    EXPECT_TRUE(contains(log, " cuDeviceGet 3 device=0\n")) << log;
    EXPECT_TRUE(contains(log, " environment CUDA_VISIBLE_DEVICES=0\n")) << log;
    EXPECT_TRUE(contains(log, " environment CUDA_MPS_ACTIVE_THREAD_PERCENTAGE=25\n")) << log;
    EXPECT_TRUE(contains(log, " environment CUDA_MPS_CLIENT_PRIORITY=1\n")) << log;
    EXPECT_TRUE(contains(log, " environment CUDA_MPS_PINNED_DEVICE_MEM_LIMIT=(unset)\n")) << log;
    EXPECT_TRUE(contains(log, " cuInit 0 devices=1 mps=0 ")) << log;
    EXPECT_TRUE(contains(log, " cuDevicePrimaryCtxRetain 0 device=0 uses=1\n")) << log;
    std::istringstream lines(log);
    long pid = 0;
    long tid = 0;
    std::string line;
    while (std::getline(lines, line)) {
        EXPECT_TRUE(std::istringstream(line) >> pid >> tid) << line;
    }
    EXPECT_EQ(pid, tid) << "one thread";
}

TEST_F(Log, TellsWhomTheDriverFindsUnderItsOwnName) {
    const std::string log = of({{"SIM_CUDA_INIT_DLSYM", "1"}}, inspect_device);
    EXPECT_TRUE(contains(log, " dlsym handle=own default=own ")) << log;
}

TEST_F(Log, TellsHowAThreadInsideCuInitFared) {
    const std::string log = of({{"SIM_CUDA_INIT_THREAD", "1"}}, inspect_device);
    EXPECT_TRUE(contains(log, " thread cuInit=0 version=")) << log;
    EXPECT_FALSE(contains(log, "deadlock")) << log;
}

TEST(Fail, GivesTheErrorsThatAreAskedFor) {
    const Report report =
        in_child({{"SIM_CUDA_FAIL", "cuDevicePrimaryCtxRetain=2,cuDeviceGetCount=999"}},
                 [](Cuda& cuda, Report& found) {
                     int count = 0;
                     CUcontext context{};
                     found.set("init", cuda.cuInit(0));
                     found.set("count", cuda.cuDeviceGetCount(&count));
                     found.set("retain", cuda.cuDevicePrimaryCtxRetain(&context, 0));
                     found.set("create", cuda.cuCtxCreate_v2(&context, 0, 0));
                 });
    EXPECT_EQ(report["init"], CUDA_SUCCESS);
    EXPECT_EQ(report["count"], CUDA_ERROR_UNKNOWN);
    EXPECT_EQ(report["retain"], CUDA_ERROR_OUT_OF_MEMORY);
    EXPECT_EQ(report["create"], CUDA_SUCCESS);
}

TEST(Fail, IsReadAgainUntilCuInitSucceeds) {
    const Report report =
        in_child({{"SIM_CUDA_FAIL", "cuInit=999"}}, [](Cuda& cuda, Report& found) {
            found.set("first", cuda.cuInit(0));
            unsetenv("SIM_CUDA_FAIL");
            found.set("second", cuda.cuInit(0));
            setenv("SIM_CUDA_FAIL", "cuInit=999", 1);
            found.set("third", cuda.cuInit(0));
        });
    EXPECT_EQ(report["first"], CUDA_ERROR_UNKNOWN);
    EXPECT_EQ(report["second"], CUDA_SUCCESS);
    EXPECT_EQ(report["third"], CUDA_SUCCESS);
}

TEST(Delay, MakesTheFirstCuInitLast) {
    const Report report =
        in_child({{"SIM_CUDA_INIT_DELAY_US", "30000"}}, [](Cuda& cuda, Report& found) {
            const auto start = std::chrono::steady_clock::now();
            cuda.cuInit(0);
            const auto first = std::chrono::steady_clock::now();
            found.set("us", (first - start) / std::chrono::microseconds(1));
        });
    EXPECT_GE(report["us"], 30000);
}

}  // namespace
}  // namespace sim
