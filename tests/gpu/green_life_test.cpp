// The lives of green contexts and of the primary one beside them.
#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "tests/gpu/support/home.h"
#include "tests/gpu/support/inspect.h"

namespace gpu {
namespace {

class GreenLife : public testing::Test {
  protected:
    void SetUp() override {
        if (!have_green()) GTEST_SKIP() << "CUDA " << part().driver;
    }
};

void primary_state(Cuda& cuda, Report& found, const std::string& when) {
    unsigned flags = 99;
    int active = -1;
    found.set("state " + when, cuda.cuDevicePrimaryCtxGetState(0, &flags, &active));
    found.set("active " + when, active);
}

TEST_F(GreenLife, CanBeMadeWithNoContextAtAll) {
    const Report report = in_child({}, [](Cuda& cuda, Report& found) {
        cuda.cuInit(0);
        primary_state(cuda, found, "first");
        CUdevResource all{};
        found.set("resource", cuda.cuDeviceGetDevResource(0, &all, CU_DEV_RESOURCE_TYPE_SM));
        const Split made = split(cuda, all, 8);
        found.set("split", made.result);
        found.set("groups", static_cast<long long>(made.groups.size()));
        primary_state(cuda, found, "split");
        if (made.result != CUDA_SUCCESS) return;
        const Green green = make_green(cuda, {made.groups[0]});
        found.set("create", green.result);
        primary_state(cuda, found, "created");
        found.set("current", cuda.cuCtxSetCurrent(green.context));
        found.set("distinct", distinct_sms(cuda));
        found.set("wanted", made.groups[0].sm.smCount);
        CUcontext primary{};
        found.set("retain", cuda.cuDevicePrimaryCtxRetain(&primary, 0));
        found.set("other", primary != green.context);
        cuda.cuCtxSetCurrent(primary);
        found.set("all", distinct_sms(cuda));
        found.set("destroy", cuda.cuGreenCtxDestroy(green.handle));
        primary_state(cuda, found, "destroyed");
        found.set("release", cuda.cuDevicePrimaryCtxRelease_v2(0));
        primary_state(cuda, found, "released");
    });
    for (const char* call : {"resource", "split", "create", "current", "retain", "destroy",
                             "release", "state first", "state created"}) {
        EXPECT_EQ(report[call], CUDA_SUCCESS) << call;
    }
    EXPECT_EQ(report["active first"], 0);
    EXPECT_EQ(report["active split"], 0);
    EXPECT_EQ(report["active created"], 1);
    EXPECT_EQ(report["active destroyed"], 1);
    EXPECT_EQ(report["active released"], 0);
    EXPECT_EQ(report["distinct"], report["wanted"]);
    EXPECT_EQ(report["all"], part().sms);
}

TEST_F(GreenLife, APrimaryIsResetWhenTheHomeIsGoneAndStartsAfresh) {
    const Report report = in_child({}, [](Cuda& cuda, Report& found) {
        inspect_context(cuda, found);
        CUcontext first{};
        cuda.cuCtxGetCurrent(&first);
        unsigned long long id = 0;
        cuda.cuCtxGetId(first, &id);
        found.set("first id", static_cast<long long>(id));
        Home home = make_home(cuda);
        cuda.cuCtxSetCurrent(home.context());
        found.set("reset under it", cuda.cuDevicePrimaryCtxReset_v2(0));
        found.set("alive", distinct_sms(cuda) == home.sms);
        cuda.cuCtxSetCurrent(nullptr);
        found.set("destroy", cuda.cuGreenCtxDestroy(home.green.handle));
        found.set("again", cuda.cuGreenCtxDestroy(home.green.handle));
        found.set("reset", cuda.cuDevicePrimaryCtxReset_v2(0));
        primary_state(cuda, found, "reset");
        found.set("release after reset", cuda.cuDevicePrimaryCtxRelease_v2(0));
        CUcontext second{};
        found.set("retain", cuda.cuDevicePrimaryCtxRetain(&second, 0));
        found.set("same handle", first == second);
        cuda.cuCtxSetCurrent(second);
        cuda.cuCtxGetId(second, &id);
        found.set("second id", static_cast<long long>(id));
        home = make_home(cuda);
        found.set("home", home.green.result);
        cuda.cuCtxSetCurrent(home.context());
        found.set("confined", distinct_sms(cuda) == home.sms);
    });
    EXPECT_EQ(report["reset under it"], CUDA_ERROR_NOT_PERMITTED);
    EXPECT_TRUE(report["alive"]);
    EXPECT_EQ(report["destroy"], CUDA_SUCCESS);
    EXPECT_NE(report["again"], CUDA_SUCCESS);
    EXPECT_EQ(report["reset"], CUDA_SUCCESS);
    EXPECT_EQ(report["active reset"], 0);
    EXPECT_EQ(report["release after reset"], CUDA_SUCCESS) << "a reset releases nothing";
    EXPECT_EQ(report["retain"], CUDA_SUCCESS);
    EXPECT_TRUE(report["same handle"]);
    EXPECT_NE(report["first id"], report["second id"]);
    EXPECT_EQ(report["home"], CUDA_SUCCESS);
    EXPECT_TRUE(report["confined"]);
}

TEST_F(GreenLife, AReleasedPrimaryLivesOnAndIsRetainedAgain) {
    const Report report = in_child({}, [](Cuda& cuda, Report& found) {
        inspect_context(cuda, found);
        CUcontext first{};
        cuda.cuCtxGetCurrent(&first);
        const Home home = make_home(cuda);
        CUdeviceptr memory{};
        cuda.cuMemAlloc_v2(&memory, 4096);
        cuda.cuMemsetD8_v2(memory, 5, 4096);
        cuda.cuCtxSetCurrent(home.context());
        found.set("release", cuda.cuDevicePrimaryCtxRelease_v2(0));
        found.set("release again", cuda.cuDevicePrimaryCtxRelease_v2(0));
        char byte{};
        found.set("read", cuda.cuMemcpyDtoH_v2(&byte, memory, 1));
        found.set("byte", byte);
        CUcontext second{};
        found.set("retain", cuda.cuDevicePrimaryCtxRetain(&second, 0));
        found.set("same handle", first == second);
    });
    EXPECT_EQ(report["release"], CUDA_SUCCESS);
    EXPECT_EQ(report["release again"], CUDA_ERROR_NOT_PERMITTED);
    EXPECT_EQ(report["read"], CUDA_SUCCESS);
    EXPECT_EQ(report["byte"], 5);
    EXPECT_EQ(report["retain"], CUDA_SUCCESS);
    EXPECT_TRUE(report["same handle"]);
}

// A pool gives back what is free at a synchronisation of the home and of what the memory was freed
// in. At one of the home's NULL stream or of the primary it keeps that (measured: H100).
TEST_F(GreenLife, PoolsGiveBackAtASynchronisationOfTheHome) {
    constexpr long long kMost = 64;
    const std::pair<const char*, void (*)(Lab & lab, CUstream stream, CUevent event)> kWays[] = {
        {"stream", [](Lab& lab, CUstream s, CUevent) { lab.cuda.cuStreamSynchronize(s); }},
        {"event", [](Lab& lab, CUstream, CUevent e) { lab.cuda.cuEventSynchronize(e); }},
        {"home", [](Lab& lab, CUstream, CUevent) { lab.cuda.cuCtxSynchronize(); }},
    };
    const Report report = in_home([&](Lab& lab, const Home&, Report& found) {
        CUstream stream = lab.stream(CU_STREAM_NON_BLOCKING);
        CUevent event = lab.event();
        std::size_t total = 0;
        for (const auto& [name, wait] : kWays) {
            std::size_t before = 0;
            std::size_t after = 0;
            lab.cuda.cuMemGetInfo_v2(&before, &total);
            CUdeviceptr memory{};
            found.set(std::string("allocate ") + name,
                      lab.cuda.cuMemAllocAsync(&memory, std::size_t{512} << 20, stream));
            lab.cuda.cuMemFreeAsync(memory, stream);
            lab.cuda.cuEventRecord(event, stream);
            while (lab.cuda.cuEventQuery(event) == CUDA_ERROR_NOT_READY) {
            }
            wait(lab, stream, event);
            lab.cuda.cuMemGetInfo_v2(&after, &total);
            found.set(name,
                      (static_cast<long long>(before) - static_cast<long long>(after)) / kMiB);
        }
    });
    for (const auto& [name, wait] : kWays) {
        EXPECT_EQ(report[std::string("allocate ") + name], CUDA_SUCCESS);
        EXPECT_LE(report[name], kMost) << name;
    }
}

TEST_F(GreenLife, ItsEndWhileItIsCurrent) {
    const Report report = in_home([](Lab& lab, const Home& home, Report& found) {
        Cuda& cuda = lab.cuda;
        found.set("destroy", cuda.cuGreenCtxDestroy(home.green.handle));
        CUcontext current{};
        found.set("get", cuda.cuCtxGetCurrent(&current));
        found.set("still current", current == home.context());
        found.set("launch", lab.launch(nullptr));
        found.set("set", cuda.cuCtxSetCurrent(home.context()));
        found.set("primary", cuda.cuCtxSetCurrent(lab.primary));
        found.set("launch there", lab.launch(nullptr));
        found.set("synchronise", cuda.cuCtxSynchronize());
    });
    EXPECT_EQ(report["destroy"], CUDA_SUCCESS);
    EXPECT_TRUE(report["still current"]);
    EXPECT_EQ(report["launch"], CUDA_ERROR_CONTEXT_IS_DESTROYED);
    EXPECT_EQ(report["set"], CUDA_SUCCESS);
    EXPECT_EQ(report["launch there"], CUDA_SUCCESS);
    EXPECT_EQ(report["synchronise"], CUDA_SUCCESS);
}

TEST_F(GreenLife, TheLeftoverOfASplitGoesWithItsGroups) {
    const Report report = in_child({}, [](Cuda& cuda, Report& found) {
        inspect_context(cuda, found);
        Split made = split(cuda, sms_of_device(cuda), 8);
        const unsigned rest = made.rest.sm.smCount;
        found.set("rest", rest);
        std::vector<CUdevResource> all = made.groups;
        if (rest != 0) all.push_back(made.rest);
        const Green whole = make_green(cuda, all);
        found.set("whole", whole.result);
        cuda.cuCtxSetCurrent(whole.context);
        found.set("distinct", distinct_sms(cuda));
        std::vector<CUdevResource> some{made.groups[0]};
        if (rest != 0) some.push_back(made.rest);
        const Green part_of = make_green(cuda, some);
        found.set("some", part_of.result);
        cuda.cuCtxSetCurrent(part_of.context);
        found.set("some distinct", distinct_sms(cuda));
        found.set("some wanted", made.groups[0].sm.smCount + rest);
    });
    EXPECT_EQ(report["whole"], CUDA_SUCCESS);
    EXPECT_EQ(report["distinct"], part().sms);
    EXPECT_EQ(report["some"], CUDA_SUCCESS);
    EXPECT_EQ(report["some distinct"], report["some wanted"]);
}

TEST_F(GreenLife, StreamOrderedMemoryOutlivesTheHome) {
    const Report report = in_home([](Lab& lab, const Home& home, Report& found) {
        Cuda& cuda = lab.cuda;
        CUdeviceptr memory{};
        CUdeviceptr other{};
        found.set("allocate", cuda.cuMemAllocAsync(&memory, 1 << 20, nullptr));
        CUstream stream = lab.stream(CU_STREAM_NON_BLOCKING);
        found.set("in stream", cuda.cuMemAllocAsync(&other, 1 << 20, stream));
        cuda.cuMemsetD8Async(memory, 7, 1 << 20, nullptr);
        cuda.cuCtxSynchronize();
        cuda.cuCtxSetCurrent(lab.primary);
        found.set("destroy", cuda.cuGreenCtxDestroy(home.green.handle));
        char byte{};
        found.set("read", cuda.cuMemcpyDtoH_v2(&byte, memory, 1));
        found.set("byte", byte);
        found.set("free", cuda.cuMemFreeAsync(memory, nullptr));
        found.set("free other", cuda.cuMemFree_v2(other));
        found.set("end", cuda.cuCtxSynchronize());
    });
    for (const char* call :
         {"allocate", "in stream", "destroy", "read", "free", "free other", "end"}) {
        EXPECT_EQ(report[call], CUDA_SUCCESS) << call;
    }
    EXPECT_EQ(report["byte"], 7);
}

}  // namespace
}  // namespace gpu
