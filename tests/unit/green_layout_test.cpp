// How the driver's split is read, and what is said where there is none.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "shim/cuda/green/layout.h"
#include "tests/unit/green_driver.h"

namespace ration::cuda::green {
namespace {

using policy::SmGranularity;
using testing::HasSubstr;

std::string refused(const Calls& calls) {
    const auto layout = read_layout(calls, 0, "GPU-1", SmGranularity::kGroup);
    const Refusal* const refusal = refusal_of(layout);
    EXPECT_NE(refusal, nullptr);
    return refusal == nullptr ? "" : refusal->line;
}

TEST(GreenLayout, IsWhatTheDriverSplits) {
    const auto read = read_layout(fake_green_calls(), 0, "GPU-1", SmGranularity::kGroup);
    const Layout& layout = std::get<Layout>(read);
    EXPECT_EQ(layout.groups.size(), 15U) << "not 132 / 8";
    EXPECT_EQ(layout.size(), 8U);
    EXPECT_EQ(layout.total, 132U);
    EXPECT_EQ(layout.rest, 12U);
    EXPECT_FALSE(layout.fine());
}

TEST(GreenLayout, IsFinerIfAsked) {
    const auto read = read_layout(fake_green_calls(), 0, "GPU-1", SmGranularity::kFine);
    const Layout& layout = std::get<Layout>(read);
    EXPECT_EQ(layout.groups.size(), 66U);
    EXPECT_EQ(layout.size(), 2U);
    EXPECT_EQ(layout.rest, 0U);
    EXPECT_TRUE(layout.fine());
}

TEST(GreenLayout, AnOlderDriverIsNamedWithWhatIsPossible) {
    Calls calls = fake_green_calls();
    fake_green().version = 12020;
    calls.cuGreenCtxCreate = nullptr;
    const std::string line = refused(calls);
    EXPECT_THAT(line, HasSubstr("CUDA 12.4 or newer"));
    EXPECT_THAT(line, HasSubstr("this one is of CUDA 12.2"));
    EXPECT_THAT(line, HasSubstr("\"mps\""));
}

TEST(GreenLayout, APercentageOfTheDaemonIsNamed) {
    const Calls calls = fake_green_calls();
    fake_green().split = CUDA_ERROR_INVALID_RESOURCE_CONFIGURATION;
    const std::string line = refused(calls);
    EXPECT_THAT(line, HasSubstr("GPU-1 (error 915)"));
    EXPECT_THAT(line, HasSubstr("percentage"));
    EXPECT_THAT(line, HasSubstr("\"mps\""));
}

TEST(GreenLayout, ADeviceWithoutSuchResourcesIsRefusedToo) {
    const Calls calls = fake_green_calls();
    fake_green().query = CUDA_ERROR_NOT_SUPPORTED;
    EXPECT_THAT(refused(calls), HasSubstr("error 801"));
}

}  // namespace
}  // namespace ration::cuda::green
