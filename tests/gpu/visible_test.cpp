// CUDA_VISIBLE_DEVICES, on a node with any number of GPUs.
#include <gtest/gtest.h>

#include <string>

#include "tests/gpu/support/inspect.h"

namespace gpu {
namespace {

Report visible(const std::string& list) {
    return in_child({{"CUDA_VISIBLE_DEVICES", list}}, inspect_device);
}

// The number of devices, or minus the error that cuInit answers, twice.
long long devices(const std::string& list) {
    const Report report = visible(list);
    if (report["init"] == CUDA_SUCCESS) return report["count"];
    EXPECT_EQ(report["init"], report["again"]);
    return -report["init"];
}

constexpr long long kNone = -CUDA_ERROR_NO_DEVICE;
constexpr long long kTwice = -CUDA_ERROR_INVALID_DEVICE;

// The first index that names no GPU.
std::string beyond() { return std::to_string(part().count); }

TEST(Visible, AnEmptyListIsNoDevice) { EXPECT_EQ(devices(""), kNone); }

TEST(Visible, AnIndexNamesAGpu) {
    EXPECT_EQ(devices("0"), 1);
    EXPECT_EQ(devices(std::to_string(part().count - 1)), 1);
    EXPECT_EQ("GPU-" + visible("0").text("uuid"), part().uuid);
}

TEST(Visible, TheListEndsAtTheFirstItemThatNamesNothing) {
    EXPECT_EQ(devices(beyond()), kNone);
    EXPECT_EQ(devices("-1"), kNone);
    EXPECT_EQ(devices("abc"), kNone);
    EXPECT_EQ(devices("0," + beyond()), 1);
    EXPECT_EQ(devices(beyond() + ",0"), kNone);
    EXPECT_EQ(devices("0,-1"), 1);
}

TEST(Visible, BlanksAndHexadecimalAreRead) {
    EXPECT_EQ(devices(" 0"), 1);
    EXPECT_EQ(devices("0 "), 1);
    EXPECT_EQ(devices("0x0"), 1);
}

TEST(Visible, WhatFollowsANumberIsIgnored) {
    for (const char* list : {"0abc", "0.5", "0;1", "0,junk", "+0", "-0", "00"}) {
        EXPECT_EQ(devices(list), 1) << list;
    }
    EXPECT_EQ(devices(beyond() + "abc"), kNone);
}

TEST(Visible, ALeadingZeroMakesANumberOctal) {
    if (part().count > 8) GTEST_SKIP() << "has a device 8";
    EXPECT_EQ(devices("010"), kNone);
}

TEST(Visible, TheSameGpuTwiceIsAnError) {
    EXPECT_EQ(devices("0,0"), kTwice);
    EXPECT_EQ(devices(part().uuid + "," + part().uuid), kTwice);
}

TEST(Visible, AUuidNamesAGpuAndSoDoesItsBeginning) {
    EXPECT_EQ(devices(part().uuid), 1);
    EXPECT_EQ("GPU-" + visible(part().uuid).text("uuid"), part().uuid);
    EXPECT_EQ(devices(part().uuid.substr(0, 10)), 1);
}

TEST(Visible, AUuidThatIsNotThereOrNotWrittenSoNamesNothing) {
    EXPECT_EQ(devices("GPU-ffffffff"), kNone);
    EXPECT_EQ(devices("MIG-1234"), kNone);
    EXPECT_EQ(devices("GPU-"), kNone);
    EXPECT_EQ(devices("gpu-" + part().uuid.substr(4)), kNone);
}

TEST(Visible, TheOrderOfTheListIsTheOrderOfTheDevices) {
    if (part().count < 2) GTEST_SKIP() << "one GPU";
    const std::string last = std::to_string(part().count - 1);
    const std::string uuid = visible(last).text("uuid");
    const Report both = visible(last + ",0");
    EXPECT_EQ(both["count"], 2);
    EXPECT_EQ(both.text("uuid"), uuid);
    EXPECT_NE("GPU-" + uuid, part().uuid);
}

}  // namespace
}  // namespace gpu
