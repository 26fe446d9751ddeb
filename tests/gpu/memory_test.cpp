// Device memory: what is free, and CUDA_MPS_PINNED_DEVICE_MEM_LIMIT.
#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "tests/gpu/support/daemon.h"
#include "tests/gpu/support/inspect.h"

namespace gpu {
namespace {

constexpr const char* kLimit = "CUDA_MPS_PINNED_DEVICE_MEM_LIMIT";
constexpr long long kTwoGiB = 2048;  // MiB

// inspect_context, then allocations of 64 MiB until one fails: steps, last, free_after_mib.
void fill(Cuda& cuda, Report& found) {
    inspect_context(cuda, found);
    constexpr std::size_t kStep = std::size_t{64} << 20;
    CUdeviceptr pointer{};
    CUresult result = CUDA_SUCCESS;
    int steps = 0;
    constexpr int kEnough = 4096;
    while (steps < kEnough && (result = cuda.cuMemAlloc_v2(&pointer, kStep)) == CUDA_SUCCESS) {
        ++steps;
    }
    found.set("steps", steps);
    found.set("last", result);
    std::size_t free = 0;
    std::size_t total = 0;
    cuda.cuMemGetInfo_v2(&free, &total);
    found.set("free_after_mib", static_cast<long long>(free) / kMiB);
}

class Limit : public testing::Test {
  protected:
    static void SetUpTestSuite() {
        if (have_mps()) daemon_.emplace();
    }
    static void TearDownTestSuite() { daemon_.reset(); }
    void SetUp() override {
        if (!daemon_) GTEST_SKIP() << "no nvidia-cuda-mps-control on PATH";
        ASSERT_TRUE(daemon_->started());
    }
    static Report with(const std::string& limit, const Work& work = inspect_context,
                       const Environment& more = {}) {
        Environment environment = daemon_->client(more);
        environment.emplace_back(kLimit, limit);
        return in_child(environment, work);
    }
    // Whether a client sees a limit of 2 GiB.
    static bool two_gib(const Report& report) {
        EXPECT_EQ(report["retain"], CUDA_SUCCESS);
        return report["free_mib"] < kTwoGiB && report["free_mib"] > kTwoGiB / 4;
    }
    static inline std::optional<MpsDaemon> daemon_;
};

TEST_F(Limit, TakesUnitsByOneOrTwoLettersAndDevicesByIndexOrUuid) {
    for (const std::string& limit :
         {std::string("0=2G"), std::string("0=2048M"), std::string("0=2GB"), part().uuid + "=2G"}) {
        const Report report = with(limit);
        EXPECT_TRUE(two_gib(report)) << limit << ": " << report["free_mib"];
        EXPECT_EQ(report["info_total_mib"], part().total_mib) << "the total stays the device's";
    }
}

TEST_F(Limit, IsSilentlyIgnoredWhenItCantBeRead) {
    const std::string missing = std::to_string(part().count);
    for (const std::string& limit : {std::string("2G"), missing + "=2G", "0=2G," + missing + "=1G",
                                     std::string("0=2147483648"), std::string("0=2097152K")}) {
        const Report report = with(limit);
        EXPECT_EQ(report["retain"], CUDA_SUCCESS) << limit;
        EXPECT_GT(report["free_mib"], part().total_mib / 2) << limit;
    }
}

TEST_F(Limit, WithAFractionOrTooSmallForAContextFailsThere) {
    for (const char* limit : {"0=2.5G", "0=10M"}) {
        const Report report = with(limit);
        EXPECT_EQ(report["init"], CUDA_SUCCESS) << limit;
        EXPECT_EQ(report["retain"], CUDA_ERROR_OUT_OF_MEMORY) << limit;
    }
}

TEST_F(Limit, CountsTheContextItselfWhichIsSmallerOnFewerSms) {
    const auto free_mib = [](const char* limit, const char* percentage) {
        const Report report =
            with(limit, inspect_context, {{"CUDA_MPS_ACTIVE_THREAD_PERCENTAGE", percentage}});
        EXPECT_EQ(report["retain"], CUDA_SUCCESS) << limit;
        return report["free_mib"];
    };
    EXPECT_LT(free_mib("0=2G", "100"), kTwoGiB);
    EXPECT_LT(free_mib("0=2G", "100"), free_mib("0=2G", "25"));
    if (!part().measured()) return;
    const struct {
        const char* limit;
        const char* percentage;
        int mib;
    } kMeasured[] = {{"0=2G", "8", 1983},  {"0=2G", "25", 1903},  {"0=2G", "50", 1777},
                     {"0=2G", "75", 1659}, {"0=2G", "100", 1534}, {"0=200M", "25", 55},
                     {"0=600M", "25", 455}};
    for (const auto& each : kMeasured) {
        EXPECT_NEAR(free_mib(each.limit, each.percentage), each.mib, 4) << each.percentage;
    }
}

TEST_F(Limit, SmallerThanTheContextFailsThere) {
    if (!part().measured()) GTEST_SKIP() << part().name;
    EXPECT_EQ(with("0=300M")["retain"], CUDA_ERROR_OUT_OF_MEMORY);
    EXPECT_EQ(
        with("0=100M", inspect_context, {{"CUDA_MPS_ACTIVE_THREAD_PERCENTAGE", "25"}})["retain"],
        CUDA_ERROR_OUT_OF_MEMORY);
}

TEST_F(Limit, HoldsForAllocations) {
    const Report report = with("0=2G", fill);
    EXPECT_EQ(report["last"], CUDA_ERROR_OUT_OF_MEMORY);
    EXPECT_LE(report["steps"] * 64, report["free_mib"]);
    EXPECT_GT((report["steps"] + 2) * 64, report["free_mib"]);
    EXPECT_LT(report["free_after_mib"], 128);
}

TEST_F(Limit, WorksBesideAPercentageAndAVisibleDeviceByUuid) {
    const Report report =
        with(part().uuid + "=2G", fill,
             {{"CUDA_VISIBLE_DEVICES", part().uuid}, {"CUDA_MPS_ACTIVE_THREAD_PERCENTAGE", "25"}});
    EXPECT_LT(report["sms"], part().sms);
    EXPECT_TRUE(two_gib(report));
    EXPECT_EQ(report["last"], CUDA_ERROR_OUT_OF_MEMORY);
}

TEST(Memory, ALimitDoesNothingWithoutADaemon) {
    const Report report = in_child({{kLimit, "0=2G"}}, inspect_context);
    EXPECT_EQ(report["retain"], CUDA_SUCCESS);
    EXPECT_GT(report["free_mib"], part().total_mib / 2);
}

TEST(Memory, AnAllocationIsTakenFromWhatIsFreeAndGivenBack) {
    const Report report = in_child({}, [](Cuda& cuda, Report& found) {
        inspect_context(cuda, found);
        constexpr std::size_t kSize = std::size_t{1} << 30;
        std::size_t before = 0;
        std::size_t during = 0;
        std::size_t after = 0;
        std::size_t total = 0;
        CUdeviceptr pointer{};
        cuda.cuMemGetInfo_v2(&before, &total);
        found.set("allocate", cuda.cuMemAlloc_v2(&pointer, kSize));
        cuda.cuMemGetInfo_v2(&during, &total);
        found.set("free", cuda.cuMemFree_v2(pointer));
        cuda.cuMemGetInfo_v2(&after, &total);
        found.set("taken_mib", static_cast<long long>(before - during) / kMiB);
        found.set("left_mib", static_cast<long long>(before - after) / kMiB);
        found.set("too_much", cuda.cuMemAlloc_v2(&pointer, total));
    });
    EXPECT_EQ(report["allocate"], CUDA_SUCCESS);
    EXPECT_EQ(report["free"], CUDA_SUCCESS);
    EXPECT_EQ(report["taken_mib"], 1024);
    EXPECT_EQ(report["left_mib"], 0);
    EXPECT_EQ(report["too_much"], CUDA_ERROR_OUT_OF_MEMORY);
}

TEST(Memory, HoldsWhatIsCopiedThere) {
    const Report report = in_child({}, [](Cuda& cuda, Report& found) {
        inspect_context(cuda, found);
        CUdeviceptr pointer{};
        cuda.cuMemAlloc_v2(&pointer, 4096);
        cuda.cuMemsetD8_v2(pointer, 7, 4096);
        const char in[4] = {1, 2, 3, 4};
        cuda.cuMemcpyHtoD_v2(pointer + 8, in, sizeof in);
        char out[16]{};
        found.set("result", cuda.cuMemcpyDtoH_v2(out, pointer, sizeof out));
        found.set("bytes", out[7] * 100 + out[8] * 10 + out[12]);
    });
    EXPECT_EQ(report["result"], CUDA_SUCCESS);
    EXPECT_EQ(report["bytes"], 717);
}

}  // namespace
}  // namespace gpu
