// SMs as resources, and the green contexts that are made of them.
#include "tests/gpu/support/green.h"

#include <gtest/gtest.h>

#include <thread>

#include "tests/gpu/support/daemon.h"
#include "tests/gpu/support/inspect.h"

namespace gpu {
namespace {

constexpr unsigned kFine = CU_DEV_SM_RESOURCE_SPLIT_IGNORE_SM_COSCHEDULING;

class GreenContext : public testing::Test {
  protected:
    void SetUp() override {
        if (!have_green()) GTEST_SKIP() << "CUDA " << part().driver;
    }
    // With the primary context of device 0 current.
    static Report ask(const Work& work, const Environment& environment = {}) {
        return in_child(environment, [&work](Cuda& cuda, Report& found) {
            inspect_context(cuda, found);
            work(cuda, found);
        });
    }
};

TEST(GreenNames, AreThereFrom12Point4On) {
    const Report report = in_child({}, [](Cuda& cuda, Report& found) {
        found.set("create", cuda.cuGreenCtxCreate != nullptr);
        found.set("split", cuda.cuDevSmResourceSplitByCount != nullptr);
        found.set("stream", cuda.cuGreenCtxStreamCreate != nullptr);
    });
    EXPECT_EQ(report["create"], part().driver >= 12040);
    EXPECT_EQ(report["split"], part().driver >= 12040);
    EXPECT_EQ(report["stream"], part().driver >= 12050);
}

TEST_F(GreenContext, SmsOfTheDeviceAreAResource) {
    const Report report = ask([](Cuda& cuda, Report& found) {
        found.set("count", sms_of_device(cuda).sm.smCount);
        CUdevResource other{};
        found.set("type", cuda.cuDeviceGetDevResource(0, &other, CU_DEV_RESOURCE_TYPE_INVALID));
        found.set("device", cuda.cuDeviceGetDevResource(99, &other, CU_DEV_RESOURCE_TYPE_SM));
    });
    EXPECT_EQ(report["count"], part().sms);
    EXPECT_EQ(report["type"], CUDA_ERROR_INVALID_RESOURCE_TYPE);
    EXPECT_EQ(report["device"], CUDA_ERROR_INVALID_DEVICE);
}

// Reports groups, size (of each), rest, and foretold (the number that a split into nothing tells).
void split_all(Cuda& cuda, Report& found, unsigned least, unsigned flags) {
    const CUdevResource all = sms_of_device(cuda);
    unsigned foretold = 0;
    cuda.cuDevSmResourceSplitByCount(nullptr, &foretold, &all, nullptr, flags, least);
    const Split made = split(cuda, all, least, flags);
    found.set("result", made.result);
    found.set("groups", static_cast<long long>(made.groups.size()));
    found.set("foretold", foretold);
    found.set("rest", made.rest.sm.smCount);
    long long sum = made.rest.sm.smCount;
    bool equal = true;
    for (const CUdevResource& group : made.groups) {
        sum += group.sm.smCount;
        equal = equal && group.sm.smCount == made.groups[0].sm.smCount;
    }
    found.set("sum", sum);
    found.set("size", equal && !made.groups.empty() ? made.groups[0].sm.smCount : 0);
}

TEST_F(GreenContext, GroupsAreEqualAndTheRestIsToldToo) {
    for (const unsigned least : {1U, 16U, 20U}) {
        const Report report =
            ask([least](Cuda& cuda, Report& found) { split_all(cuda, found, least, 0); });
        EXPECT_EQ(report["result"], CUDA_SUCCESS);
        EXPECT_GE(report["size"], least);
        EXPECT_EQ(report["sum"], part().sms);
        EXPECT_EQ(report["foretold"], report["groups"]);
    }
}

TEST_F(GreenContext, GroupsMeasuredOnAnH100) {
    if (!part().measured()) GTEST_SKIP() << part().name;
    const Report whole = ask([](Cuda& cuda, Report& found) { split_all(cuda, found, 8, 0); });
    EXPECT_EQ(whole["groups"], 15) << "132 / 8 would be 16";
    EXPECT_EQ(whole["size"], 8);
    EXPECT_EQ(whole["rest"], 12);
    const Report fine = ask([](Cuda& cuda, Report& found) { split_all(cuda, found, 2, kFine); });
    EXPECT_EQ(fine["groups"], 66);
    EXPECT_EQ(fine["size"], 2);
    EXPECT_EQ(fine["rest"], 0);
}

TEST_F(GreenContext, WhatASplitGaveIsNotSplitAgainButAContextsIs) {
    const Report report = ask([](Cuda& cuda, Report& found) {
        const Split first = split(cuda, sms_of_device(cuda), 16, 0, 2);
        found.set("group", split(cuda, first.groups[0], 8).result);
        // A part whose SMs all are in groups has none.
        const bool left = first.rest.sm.smCount != 0;
        found.set("rest", left ? split(cuda, first.rest, 8).result
                               : CUDA_ERROR_INVALID_RESOURCE_CONFIGURATION);
        const Green green = make_green(cuda, {first.groups[0]});
        CUdevResource own{};
        found.set("own",
                  cuda.cuGreenCtxGetDevResource(green.handle, &own, CU_DEV_RESOURCE_TYPE_SM));
        const Split second = split(cuda, own, 8);
        found.set("again", second.result);
        found.set("larger", own.sm.smCount < second.groups[0].sm.smCount);
    });
    EXPECT_EQ(report["group"], CUDA_ERROR_INVALID_RESOURCE_CONFIGURATION);
    EXPECT_EQ(report["rest"], CUDA_ERROR_INVALID_RESOURCE_CONFIGURATION);
    EXPECT_EQ(report["own"], CUDA_SUCCESS);
    EXPECT_EQ(report["again"], CUDA_SUCCESS);
    EXPECT_FALSE(report["larger"]);
}

TEST_F(GreenContext, ADescriptionIsOfWhatSplitsMade) {
    const Report report = ask([](Cuda& cuda, Report& found) {
        Split first = split(cuda, sms_of_device(cuda), 8);
        Split second = split(cuda, sms_of_device(cuda), 8);
        CUdevResourceDesc description{};
        CUdevResource mixed[] = {first.groups[0], second.groups[1]};
        found.set("mixed", cuda.cuDevResourceGenerateDesc(&description, mixed, 2));
        CUdevResource same[] = {first.groups[0], first.groups[2], first.rest};
        const unsigned given = first.rest.sm.smCount != 0 ? 3 : 2;
        found.set("same", cuda.cuDevResourceGenerateDesc(&description, same, given));
        CUgreenCtx green{};
        found.set("flags", cuda.cuGreenCtxCreate(&green, description, 0, 0));
    });
    EXPECT_EQ(report["mixed"], CUDA_SUCCESS);
    EXPECT_EQ(report["same"], CUDA_SUCCESS);
    EXPECT_NE(report["flags"], CUDA_SUCCESS) << "CU_GREEN_CTX_DEFAULT_STREAM is required";
}

void run_on_groups(Cuda& cuda, Report& found, unsigned least, unsigned flags) {
    const Split made = split(cuda, sms_of_device(cuda), least, flags);
    const Green some = make_green(cuda, {made.groups[0], made.groups[2]});
    const Green others = make_green(cuda, {made.groups[1]});
    found.set("made", some.result == CUDA_SUCCESS && others.result == CUDA_SUCCESS);
    cuda.cuCtxSetCurrent(some.context);
    CUdevResource resource{};
    cuda.cuCtxGetDevResource(some.context, &resource, CU_DEV_RESOURCE_TYPE_SM);
    const SmMask first = sms_of(cuda, nullptr);
    found.set("told", resource.sm.smCount);
    found.set("wanted", made.groups[0].sm.smCount + made.groups[2].sm.smCount);
    found.set("distinct", static_cast<long long>(first.count()));
    int attribute = 0;
    cuda.cuDeviceGetAttribute(&attribute, CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, 0);
    found.set("attribute", attribute);
    cuda.cuCtxSetCurrent(others.context);
    const SmMask second = sms_of(cuda, nullptr);
    found.set("second wanted", made.groups[1].sm.smCount);
    found.set("second", static_cast<long long>(second.count()));
    found.set("shared", static_cast<long long>((first & second).count()));
}

TEST_F(GreenContext, RunsOnItsSmsAlone) {
    for (const unsigned flags : {0U, kFine}) {
        const Report report = ask([flags](Cuda& cuda, Report& found) {
            run_on_groups(cuda, found, flags == 0 ? 8 : 2, flags);
        });
        EXPECT_TRUE(report["made"]);
        EXPECT_EQ(report["told"], report["wanted"]);
        EXPECT_EQ(report["distinct"], report["wanted"]);
        EXPECT_EQ(report["second"], report["second wanted"]);
        EXPECT_EQ(report["shared"], 0);
        EXPECT_EQ(report["attribute"], part().sms) << "it stays the device's";
    }
}

TEST_F(GreenContext, BoundsCooperativeLaunchesByItsSms) {
    const Report report = ask([](Cuda& cuda, Report& found) {
        const CUdevResource group = split(cuda, sms_of_device(cuda), 8).groups[0];
        const int granted = static_cast<int>(group.sm.smCount);
        SmProbe probe(cuda);
        found.set("all", probe.launch_cooperatively(nullptr, part().sms));
        found.set("more", probe.launch_cooperatively(nullptr, part().sms, 1));
        cuda.cuCtxSetCurrent(make_green(cuda, {group}).context);
        found.set("all there", probe.launch_cooperatively(nullptr, part().sms));
        found.set("more there", probe.launch_cooperatively(nullptr, granted, 1));
        found.set("granted there", probe.launch_cooperatively(nullptr, granted));
        found.set("end", cuda.cuCtxSynchronize());
    });
    EXPECT_EQ(report["all"], CUDA_SUCCESS);
    EXPECT_EQ(report["more"], CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE);
    EXPECT_EQ(report["all there"], CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE);
    EXPECT_EQ(report["more there"], CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE);
    EXPECT_EQ(report["granted there"], CUDA_SUCCESS);
    EXPECT_EQ(report["end"], CUDA_SUCCESS);
}

TEST_F(GreenContext, CanBeCurrentInTwoThreads) {
    const Report report = ask([](Cuda& cuda, Report& found) {
        const Split made = split(cuda, sms_of_device(cuda), 8);
        const Green green = make_green(cuda, {made.groups[0]});
        found.set("set", cuda.cuCtxSetCurrent(green.context));
        std::thread([&] {
            found.set("other", cuda.cuCtxSetCurrent(green.context));
            found.set("distinct", distinct_sms(cuda));
        }).join();
        found.set("wanted", made.groups[0].sm.smCount);
        CUcontext current{};
        cuda.cuCtxGetCurrent(&current);
        found.set("current", current == green.context);
    });
    EXPECT_EQ(report["set"], CUDA_SUCCESS);
    EXPECT_EQ(report["other"], CUDA_SUCCESS);
    EXPECT_EQ(report["distinct"], report["wanted"]);
    EXPECT_TRUE(report["current"]);
}

TEST_F(GreenContext, KeepsThePrimaryContextAlive) {
    const Report report = ask([](Cuda& cuda, Report& found) {
        const Green green = make_green(cuda, {split(cuda, sms_of_device(cuda), 8).groups[0]});
        unsigned flags = 0;
        int active = -1;
        found.set("release", cuda.cuDevicePrimaryCtxRelease_v2(0));
        cuda.cuDevicePrimaryCtxGetState(0, &flags, &active);
        found.set("active", active);
        found.set("reset", cuda.cuDevicePrimaryCtxReset_v2(0));
        found.set("destroy", cuda.cuGreenCtxDestroy(green.handle));
        cuda.cuDevicePrimaryCtxGetState(0, &flags, &active);
        found.set("active after", active);
        found.set("reset after", cuda.cuDevicePrimaryCtxReset_v2(0));
    });
    EXPECT_EQ(report["release"], CUDA_SUCCESS);
    EXPECT_EQ(report["active"], 1);
    EXPECT_EQ(report["reset"], CUDA_ERROR_NOT_PERMITTED);
    EXPECT_EQ(report["destroy"], CUDA_SUCCESS);
    EXPECT_EQ(report["active after"], 0);
    EXPECT_EQ(report["reset after"], CUDA_SUCCESS);
}

TEST_F(GreenContext, WantsTheWholeDeviceOfAnMpsClient) {
    if (!have_mps()) GTEST_SKIP() << "no nvidia-cuda-mps-control on PATH";
    const MpsDaemon daemon;
    ASSERT_TRUE(daemon.started());
    const auto try_it = [](Cuda& cuda, Report& found) {
        const Split made = split(cuda, sms_of_device(cuda), 8);
        found.set("split", made.result);
        if (made.result != CUDA_SUCCESS) return;
        const Green green = make_green(cuda, {made.groups[0]});
        cuda.cuCtxSetCurrent(green.context);
        found.set("distinct", distinct_sms(cuda));
        found.set("wanted", made.groups[0].sm.smCount);
    };
    const auto percent = [&](const char* value) {
        return ask(try_it, daemon.client({{"CUDA_MPS_ACTIVE_THREAD_PERCENTAGE", value}}));
    };
    EXPECT_EQ(percent("50")["split"], CUDA_ERROR_INVALID_RESOURCE_CONFIGURATION);
    const Report whole = percent("100");
    EXPECT_EQ(whole["split"], CUDA_SUCCESS);
    EXPECT_EQ(whole["distinct"], whole["wanted"]);
}

}  // namespace
}  // namespace gpu
