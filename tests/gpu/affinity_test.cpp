// Contexts that ask for a number of SMs (CU_EXEC_AFFINITY_TYPE_SM_COUNT).
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "tests/gpu/support/daemon.h"
#include "tests/gpu/support/inspect.h"

namespace gpu {
namespace {

CUresult create(Cuda& cuda, CUexecAffinityParam* parameters, int count) {
    CUcontext context{};
    return cuda.cuCtxCreate_v3(&context, parameters, count, 0, 0);
}

// Reports "K result", "K granted" and "K distinct" (SMs that a kernel ran on) for a context that
// asks for K SMs, for each K.
Work ask_for(const std::vector<unsigned>& counts) {
    return [counts](Cuda& cuda, Report& found) {
        inspect_device(cuda, found);
        for (const unsigned count : counts) {
            CUexecAffinityParam asked{};
            asked.type = CU_EXEC_AFFINITY_TYPE_SM_COUNT;
            asked.param.smCount.val = count;
            CUcontext context{};
            const CUresult result = cuda.cuCtxCreate_v3(&context, &asked, 1, 0, 0);
            CUexecAffinityParam granted{};
            if (result == CUDA_SUCCESS) {
                cuda.cuCtxGetExecAffinity(&granted, CU_EXEC_AFFINITY_TYPE_SM_COUNT);
                found.set(std::to_string(count) + " distinct", distinct_sms(cuda));
                cuda.cuCtxDestroy_v2(context);
            }
            found.set(std::to_string(count) + " result", result);
            found.set(std::to_string(count) + " granted", granted.param.smCount.val);
        }
        int sms = 0;
        cuda.cuDeviceGetAttribute(&sms, CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, 0);
        found.set("sms_after", sms);
    };
}

// Corners of the parameter list.
void ask_oddly(Cuda& cuda, Report& found) {
    inspect_device(cuda, found);
    CUexecAffinityParam two[2]{};
    for (CUexecAffinityParam& each : two) {
        each.type = CU_EXEC_AFFINITY_TYPE_SM_COUNT;
        each.param.smCount.val = 16;
    }
    found.set("two", create(cuda, two, 2));
    found.set("zero", create(cuda, two, 0));
    found.set("null", create(cuda, nullptr, 1));
    set_number(two[0].type, 7);
    found.set("type", create(cuda, two, 1));
    CUcontext context{};
    found.set("plain", cuda.cuCtxCreate_v2(&context, 0, 0));
    CUexecAffinityParam granted{};
    cuda.cuCtxGetExecAffinity(&granted, CU_EXEC_AFFINITY_TYPE_SM_COUNT);
    found.set("plain granted", granted.param.smCount.val);
    found.set("v4", cuda.cuCtxCreate_v4 != nullptr ? cuda.cuCtxCreate_v4(&context, nullptr, 0, 0)
                                                   : CUDA_SUCCESS);
}

class Affinity : public testing::Test {
  protected:
    static void SetUpTestSuite() {
        if (have_mps()) daemon_.emplace();
    }
    static void TearDownTestSuite() { daemon_.reset(); }
    void SetUp() override {
        if (!daemon_) GTEST_SKIP() << "no nvidia-cuda-mps-control on PATH";
        ASSERT_TRUE(daemon_->started());
    }
    static Environment percent(const char* value) {
        return daemon_->client({{"CUDA_MPS_ACTIVE_THREAD_PERCENTAGE", value}});
    }
    static inline std::optional<MpsDaemon> daemon_;
};

TEST_F(Affinity, RoundsUpToAnEvenCountAboveTheFloor) {
    const Report report = in_child(daemon_->client(), ask_for({1, 2, 8, 9, 16, 20, 31, 33}));
    for (const int count : {1, 2, 8}) {
        EXPECT_EQ(report[std::to_string(count) + " granted"], report["1 granted"]) << count;
    }
    for (const int count : {9, 16, 20, 31, 33}) {
        EXPECT_EQ(report[std::to_string(count) + " result"], CUDA_SUCCESS) << count;
        EXPECT_EQ(report[std::to_string(count) + " granted"], (count + 1) / 2 * 2) << count;
        EXPECT_EQ(report[std::to_string(count) + " distinct"], (count + 1) / 2 * 2) << count;
    }
    EXPECT_EQ(report["sms_after"], part().sms)
        << "the attribute is the client's, not the context's";
}

TEST_F(Affinity, MeasuredOnAnH100) {
    if (!part().measured()) GTEST_SKIP() << part().name;
    const Report report = in_child(daemon_->client(), ask_for({1, 66, 100, 132}));
    EXPECT_EQ(report["1 granted"], 8);
    EXPECT_EQ(report["66 granted"], 66);
    EXPECT_EQ(report["100 granted"], 100);
    EXPECT_EQ(report["132 granted"], 132);
}

TEST_F(Affinity, NoneAndMoreThanThereIsAreRefused) {
    const auto all = static_cast<unsigned>(part().sms);
    const Report report = in_child(daemon_->client(), ask_for({0, all, all + 1, 1000}));
    EXPECT_EQ(report["0 result"], CUDA_ERROR_UNSUPPORTED_EXEC_AFFINITY);
    EXPECT_EQ(report[std::to_string(all) + " result"], CUDA_SUCCESS);
    EXPECT_EQ(report[std::to_string(all + 1) + " result"], CUDA_ERROR_UNSUPPORTED_EXEC_AFFINITY);
    EXPECT_EQ(report["1000 result"], CUDA_ERROR_UNSUPPORTED_EXEC_AFFINITY);
}

TEST_F(Affinity, IsBoundedByTheClientsShare) {
    const auto granted = static_cast<unsigned>(in_child(percent("25"), inspect_device)["sms"]);
    const Report report = in_child(percent("25"), ask_for({9, granted + 1, 1000}));
    EXPECT_EQ(report["9 granted"], 10);
    EXPECT_EQ(report[std::to_string(granted + 1) + " result"],
              CUDA_ERROR_UNSUPPORTED_EXEC_AFFINITY);
    EXPECT_EQ(report["1000 result"], CUDA_ERROR_UNSUPPORTED_EXEC_AFFINITY);
    EXPECT_EQ(report["sms_after"], granted);
}

// So an affinity read back may be more than the grant: the attribute is what to trust.
TEST_F(Affinity, AskingForTheWholeShareReadsBackAsTheWholeDevice) {
    const auto granted = static_cast<unsigned>(in_child(percent("25"), inspect_device)["sms"]);
    const Report report = in_child(percent("25"), ask_for({granted - 1, granted}));
    for (const unsigned count : {granted - 1, granted}) {
        EXPECT_EQ(report[std::to_string(count) + " result"], CUDA_SUCCESS);
        EXPECT_EQ(report[std::to_string(count) + " granted"], part().sms);
        // 30 and 10 of 32 were seen: what an earlier context of the process had.
        EXPECT_LE(report[std::to_string(count) + " distinct"], granted) << "yet it has no more";
    }
    EXPECT_EQ(report["sms_after"], granted);
}

TEST_F(Affinity, OddParameterLists) {
    const Report report = in_child(percent("25"), ask_oddly);
    EXPECT_EQ(report["two"], CUDA_SUCCESS);
    EXPECT_EQ(report["zero"], CUDA_SUCCESS);
    EXPECT_EQ(report["null"], CUDA_ERROR_INVALID_VALUE);
    EXPECT_EQ(report["type"], CUDA_ERROR_UNSUPPORTED_EXEC_AFFINITY);
    EXPECT_EQ(report["plain"], CUDA_SUCCESS);
    EXPECT_EQ(report["plain granted"], report["sms"]);
    EXPECT_EQ(report["v4"], CUDA_SUCCESS);
}

TEST(AffinityAlone, IsRefusedWithoutMps) {
    const auto all = static_cast<unsigned>(part().sms);
    const Report report = in_child({}, ask_for({0, 1, 32, all, all + 1}));
    for (const unsigned count : {0U, 1U, 32U, all, all + 1}) {
        EXPECT_EQ(report[std::to_string(count) + " result"], CUDA_ERROR_UNSUPPORTED_EXEC_AFFINITY)
            << count;
    }
}

TEST(AffinityAlone, OddParameterLists) {
    const Report report = in_child({}, ask_oddly);
    EXPECT_EQ(report["two"], CUDA_ERROR_UNSUPPORTED_EXEC_AFFINITY);
    EXPECT_EQ(report["zero"], CUDA_SUCCESS);
    EXPECT_EQ(report["null"], CUDA_ERROR_INVALID_VALUE);
    EXPECT_EQ(report["type"], CUDA_ERROR_UNSUPPORTED_EXEC_AFFINITY);
    EXPECT_EQ(report["plain"], CUDA_SUCCESS);
    EXPECT_EQ(report["plain granted"], part().sms);
    EXPECT_EQ(report["v4"], CUDA_SUCCESS);
}

}  // namespace
}  // namespace gpu
