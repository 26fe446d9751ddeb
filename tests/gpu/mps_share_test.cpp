// CUDA_MPS_ACTIVE_THREAD_PERCENTAGE: how many SMs a client gets, and what says so.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>

#include "tests/gpu/support/daemon.h"
#include "tests/gpu/support/inspect.h"

namespace gpu {
namespace {

constexpr const char* kPercentage = "CUDA_MPS_ACTIVE_THREAD_PERCENTAGE";

// One daemon for all tests here: none of them changes it.
class Share : public testing::Test {
  protected:
    static void SetUpTestSuite() {
        if (have_mps()) daemon_.emplace();
    }
    static void TearDownTestSuite() { daemon_.reset(); }
    void SetUp() override {
        if (!daemon_) GTEST_SKIP() << "no nvidia-cuda-mps-control on PATH";
        ASSERT_TRUE(daemon_->started());
        if (!knows_mps_attribute()) GTEST_SKIP() << "the driver can't say whether MPS is on";
    }
    static bool knows_mps_attribute() { return part().driver >= 12020; }
    static Report with(const std::string& percentage, const Work& work = inspect_device) {
        return in_child(daemon_->client({{kPercentage, percentage}}), work);
    }
    static int sms(const std::string& percentage) {
        const Report report = with(percentage);
        EXPECT_EQ(report["init"], CUDA_SUCCESS);
        EXPECT_EQ(report["mps"], 1);
        return static_cast<int>(report["sms"]);
    }
    static inline std::optional<MpsDaemon> daemon_;
};

TEST_F(Share, WithoutOneAClientHasTheWholeDevice) {
    const Report report = in_child(daemon_->client(), inspect_context);
    EXPECT_EQ(report["mps"], 1);
    EXPECT_EQ(report["sms"], part().sms);
    EXPECT_EQ(report["affinity"], part().sms);
}

TEST_F(Share, RoundsDownToAnEvenCount) {
    for (const int percent : {25, 50, 75, 99}) {
        const int granted = sms(std::to_string(percent));
        EXPECT_EQ(granted % 2, 0) << percent;
        EXPECT_LE(granted * 100, part().sms * percent) << percent;
        EXPECT_GT((granted + 2) * 100, part().sms * percent) << percent;
    }
}

TEST_F(Share, HasAFloor) {
    EXPECT_EQ(sms("1"), sms("2"));
    EXPECT_GE(sms("1"), 2);
}

TEST_F(Share, MeasuredOnAnH100) {
    if (!part().measured()) GTEST_SKIP() << part().name;
    EXPECT_EQ(sms("1"), 8);
    EXPECT_EQ(sms("5"), 8);
    EXPECT_EQ(sms("10"), 12);
    EXPECT_EQ(sms("25"), 32);
    EXPECT_EQ(sms("25.5"), 32);
    EXPECT_EQ(sms("33.3"), 42);
    EXPECT_EQ(sms("50"), 66);
    EXPECT_EQ(sms("75"), 98);
    EXPECT_EQ(sms("99"), 130);
}

TEST_F(Share, WhatIsNoPercentageIsTheWholeDevice) {
    for (const char* text : {"0", "-5", "abc", "", "100", "140", "nan", "inf"}) {
        EXPECT_EQ(sms(text), part().sms) << '"' << text << '"';
    }
}

TEST_F(Share, IsReadAsByStrtod) {
    for (const char* text : {"25%", "25,5", " 25", "+25", "025", "2.5e1", "0x19"}) {
        EXPECT_EQ(sms(text), sms("25")) << '"' << text << '"';
    }
    EXPECT_EQ(sms("1e-9"), sms("1"));
}

TEST_F(Share, AttributeAffinityAndSmsThatRunAgree) {
    for (const char* percentage : {"25", "50", "100"}) {
        const Report report = with(percentage, [](Cuda& cuda, Report& found) {
            inspect_context(cuda, found);
            found.set("distinct", distinct_sms(cuda));
        });
        EXPECT_EQ(report["affinity_result"], CUDA_SUCCESS);
        EXPECT_EQ(report["affinity"], report["sms"]) << percentage;
        EXPECT_EQ(report["sms_after"], report["sms"]) << percentage;
        EXPECT_EQ(report["distinct"], report["sms"]) << percentage;
    }
}

TEST_F(Share, IsReadInsideCuInitAndKeptWhenTheVariableChanges) {
    const Report report = with("25", [](Cuda& cuda, Report& found) {
        found.set("init", cuda.cuInit(0));
        setenv(kPercentage, "75", 1);
        inspect_context(cuda, found);
        found.set("distinct", distinct_sms(cuda));
    });
    EXPECT_EQ(report["sms"], sms("25"));
    EXPECT_EQ(report["affinity"], sms("25"));
    EXPECT_EQ(report["distinct"], sms("25"));
}

TEST_F(Share, TotalMemoryStaysTheDevices) { EXPECT_EQ(with("25")["total_mib"], part().total_mib); }

TEST(NoDaemon, APercentageDoesNothingAndNobodySaysSo) {
    const Report report = in_child({{kPercentage, "25"}}, [](Cuda& cuda, Report& found) {
        inspect_context(cuda, found);
        found.set("distinct", distinct_sms(cuda));
    });
    EXPECT_EQ(report["init"], CUDA_SUCCESS);
    EXPECT_EQ(report["sms"], part().sms);
    EXPECT_EQ(report["affinity"], part().sms);
    EXPECT_EQ(report["distinct"], part().sms);
    if (part().driver >= 12020) {
        EXPECT_EQ(report["mps"], 0);
    }
}

TEST(NoDaemon, AnEmptyPipeDirectoryIsNone) {
    char pattern[] = "/tmp/gpu-test-XXXXXX";
    ASSERT_NE(mkdtemp(pattern), nullptr);
    const Report report =
        in_child({{"CUDA_MPS_PIPE_DIRECTORY", pattern}, {kPercentage, "25"}}, inspect_device);
    EXPECT_EQ(report["init"], CUDA_SUCCESS);
    EXPECT_EQ(report["sms"], part().sms);
    std::filesystem::remove_all(pattern);
}

}  // namespace
}  // namespace gpu
