#include <gtest/gtest.h>

#include "shim/host/device_list.h"

namespace ration::host {
namespace {

TEST(SamePci, ComparesNumbersAndNotText) {
    EXPECT_TRUE(same_pci("00000000:1A:00.0", "0000:1a:00.0"));
    EXPECT_TRUE(same_pci("00000000:1A:00.0", "1a:00.0"));
    EXPECT_TRUE(same_pci("1a:00.0", "0000:1a:00.0"));
    EXPECT_FALSE(same_pci("00000000:1A:00.0", "0001:1a:00.0"));
    EXPECT_FALSE(same_pci("00000000:1A:00.0", "1b:00.0"));
    EXPECT_FALSE(same_pci("00000000:1A:00.0", "here"));
    EXPECT_FALSE(same_pci("", ""));
}

TEST(GivenList, IsWhatStoodThereBeforeRationNarrowedIt) {
    EXPECT_EQ(given_list("GPU-b", "0,1", "GPU-b"), "0,1");
    EXPECT_EQ(given_list("GPU-b", "all", "GPU-b"), std::nullopt);
}

TEST(GivenList, IsTheVariableIfSomebodyChangedItSince) {
    EXPECT_EQ(given_list("GPU-c", "0,1", "GPU-b"), "GPU-c");
    EXPECT_EQ(given_list(std::nullopt, "0,1", "GPU-b"), std::nullopt);
    EXPECT_EQ(given_list("", "0,1", "GPU-b"), "");
}

TEST(GivenList, IsTheVariableWhereNothingWasNarrowed) {
    EXPECT_EQ(given_list("0", std::nullopt, std::nullopt), "0");
    EXPECT_EQ(given_list(std::nullopt, std::nullopt, std::nullopt), std::nullopt);
}

TEST(DescribeList, IsOneShortLineWhateverTheValueIs) {
    EXPECT_EQ(describe_list("V", "0,1"), "V=0,1");
    EXPECT_EQ(describe_list("V", std::nullopt), "V is not set");
    EXPECT_EQ(describe_list("V", "7\nration: all is well\x1b[2J"),
              "V=7\\x0aration: all is well\\x1b[2J");
    EXPECT_LT(describe_list("V", std::string(100000, '0')).size(), 300U);
}

}  // namespace
}  // namespace ration::host
