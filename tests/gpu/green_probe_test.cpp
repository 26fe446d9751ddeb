// What a program can tell a green context by, where it is current in the primary one's place. Each
// question prints what was answered.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>
#include <initializer_list>
#include <string>

#include "tests/gpu/support/daemon.h"
#include "tests/gpu/support/green.h"
#include "tests/gpu/support/inspect.h"
#include "tests/gpu/support/lab.h"

namespace gpu {
namespace {

constexpr unsigned kFine = CU_DEV_SM_RESOURCE_SPLIT_IGNORE_SM_COSCHEDULING;

// One green context on the first group, and the group's SMs.
struct Home {
    Green green;
    int sms;
    CUcontext context() const { return green.context; }
};

Home make_home(Cuda& cuda) {
    const Split made = split(cuda, sms_of_device(cuda), 8);
    return {make_green(cuda, {made.groups[0]}), static_cast<int>(made.groups[0].sm.smCount)};
}

// In one line: "key=value; ...".
void print(const Report& report) {
    std::string line;
    bool key = true;
    for (const char each : report.packed()) {
        if (each != '\n') {
            line += each;
        } else {
            line += key ? "=" : "; ";
            key = !key;
        }
    }
    std::printf("answers: %s\n", line.c_str());
    std::fflush(stdout);
}

class GreenProbe : public testing::Test {
  protected:
    void SetUp() override {
        if (!have_green()) GTEST_SKIP() << "CUDA " << part().driver;
    }
    // With the home current.
    static Report in_home(
        const std::function<void(Lab& lab, const Home& home, Report& found)>& work) {
        const Report report = in_child(Lab::environment(), [&work](Cuda& cuda, Report& found) {
            Lab lab(cuda);
            const Home home = make_home(cuda);
            found.set("made", home.green.result);
            cuda.cuCtxSetCurrent(home.context());
            lab.write(nullptr, 7, 0);
            cuda.cuCtxSynchronize();
            work(lab, home, found);
        });
        EXPECT_EQ(report["made"], CUDA_SUCCESS);
        print(report);
        return report;
    }
    static Report bare(const Work& work, const Environment& environment = {}) {
        const Report report = in_child(environment, work);
        print(report);
        return report;
    }
};

#define SKIP_WITHOUT(report) \
    if ((report).has("absent")) GTEST_SKIP() << "this driver lacks an entry point of the question"

TEST_F(GreenProbe, TheLegacyHandleIsTheHomesNullStream) {
    const Report report = in_home([](Lab& lab, const Home&, Report& found) {
        const SmMask null = sms_of(lab.cuda, nullptr);
        found.set("same sms", sms_of(lab.cuda, CU_STREAM_LEGACY) == null && null.any());
        lab.close(nullptr);
        found.set("query", lab.cuda.cuStreamQuery(CU_STREAM_LEGACY));
        lab.open();
        lab.cuda.cuCtxSynchronize();
        unsigned flags = 9;
        found.set("flags of legacy", lab.cuda.cuStreamGetFlags(CU_STREAM_LEGACY, &flags));
        found.set("legacy flags", flags);
        lab.cuda.cuStreamGetFlags(nullptr, &flags);
        found.set("null flags", flags);
        CUcontext context{};
        found.set("context of null", lab.cuda.cuStreamGetCtx(nullptr, &context));
        found.set("is home", context != lab.primary && context != nullptr);
        found.set("context of per thread", lab.cuda.cuStreamGetCtx(CU_STREAM_PER_THREAD, &context));
    });
    EXPECT_TRUE(report["same sms"]);
    EXPECT_EQ(report["query"], CUDA_ERROR_NOT_READY);
    EXPECT_EQ(report["flags of legacy"], CUDA_SUCCESS);
    EXPECT_EQ(report["legacy flags"], report["null flags"]);
    EXPECT_EQ(report["context of null"], CUDA_SUCCESS);
    EXPECT_TRUE(report["is home"]);
    EXPECT_EQ(report["context of per thread"], CUDA_ERROR_INVALID_HANDLE);
}

TEST_F(GreenProbe, EntryPointsInPtdsHaveNoStream) {
    const Report report = in_home([](Lab& lab, const Home&, Report& found) {
        char byte{};
        found.set("fill", lab.cuda.cuMemsetD8_v2_ptds(lab.cell(0), 3, 1));
        found.set("copy", lab.cuda.cuMemcpyDtoH_v2_ptds(&byte, lab.cell(0), 1));
        if (lab.cuda.cuMemAllocAsync_ptsz != nullptr) {
            CUdeviceptr memory{};
            found.set("allocate", lab.cuda.cuMemAllocAsync_ptsz(&memory, 4096, nullptr));
        }
        found.set("legacy by name", lab.cuda.cuStreamQuery_ptsz(CU_STREAM_LEGACY));
    });
    EXPECT_EQ(report["fill"], CUDA_ERROR_INVALID_HANDLE);
    EXPECT_EQ(report["copy"], CUDA_ERROR_INVALID_HANDLE);
    EXPECT_EQ(report["allocate"], CUDA_ERROR_INVALID_HANDLE);
    EXPECT_EQ(report["legacy by name"], CUDA_SUCCESS);
}

TEST_F(GreenProbe, WhatCanBeAskedOfTheContext) {
    const Report report = in_home([](Lab& lab, const Home& home, Report& found) {
        Cuda& cuda = lab.cuda;
        for (CUcontext context : {home.context(), lab.primary}) {
            const std::string of = context == lab.primary ? "primary " : "home ";
            cuda.cuCtxSetCurrent(context);
            unsigned long long id = 0;
            found.set(of + "id result", cuda.cuCtxGetId(context, &id));
            found.set(of + "id", static_cast<long long>(id));
            unsigned flags = 99;
            found.set(of + "flags result", cuda.cuCtxGetFlags(&flags));
            found.set(of + "flags", flags);
            CUdevice device = -1;
            found.set(of + "device result", cuda.cuCtxGetDevice(&device));
            found.set(of + "device", device);
            unsigned version = 0;
            found.set(of + "version result", cuda.cuCtxGetApiVersion(context, &version));
            found.set(of + "version", version);
            CUexecAffinityParam affinity{};
            found.set(of + "affinity result",
                      cuda.cuCtxGetExecAffinity(&affinity, CU_EXEC_AFFINITY_TYPE_SM_COUNT));
            found.set(of + "affinity", affinity.param.smCount.val);
            CUdevResource resource{};
            cuda.cuDeviceGetDevResource(0, &resource, CU_DEV_RESOURCE_TYPE_SM);
            found.set(of + "sms of device", resource.sm.smCount);
            std::size_t free = 0;
            std::size_t total = 0;
            found.set(of + "memory result", cuda.cuMemGetInfo_v2(&free, &total));
            found.set(of + "free", static_cast<long long>(free) / kMiB);
            found.set(of + "total", static_cast<long long>(total) / kMiB);
        }
        cuda.cuCtxSetCurrent(lab.primary);
        found.set("destroy", cuda.cuCtxDestroy_v2(home.context()));
    });
    for (const char* what : {"id", "flags", "device", "version", "affinity", "memory"}) {
        EXPECT_EQ(report[std::string("home ") + what + " result"], CUDA_SUCCESS) << what;
    }
    EXPECT_NE(report["home id"], report["primary id"]);
    for (const char* what :
         {"flags", "device", "version", "affinity", "sms of device", "free", "total"}) {
        EXPECT_EQ(report[std::string("home ") + what], report[std::string("primary ") + what])
            << what;
    }
    EXPECT_EQ(report["destroy"], CUDA_ERROR_INVALID_CONTEXT);
}

void primary_state(Cuda& cuda, Report& found, const std::string& when) {
    unsigned flags = 99;
    int active = -1;
    found.set("state " + when, cuda.cuDevicePrimaryCtxGetState(0, &flags, &active));
    found.set("active " + when, active);
}

TEST_F(GreenProbe, CanBeMadeWithNoContextAtAll) {
    const Report report = bare([](Cuda& cuda, Report& found) {
        cuda.cuInit(0);
        primary_state(cuda, found, "first");
        CUdevResource all{};
        found.set("resource", cuda.cuDeviceGetDevResource(0, &all, CU_DEV_RESOURCE_TYPE_SM));
        const Split made = split(cuda, all, 8);
        found.set("split", made.result);
        found.set("groups", static_cast<long long>(made.groups.size()));
        primary_state(cuda, found, "split");
        if (made.result != CUDA_SUCCESS) return;
        const auto start = std::chrono::steady_clock::now();
        const Green green = make_green(cuda, {made.groups[0]});
        const auto spent = std::chrono::steady_clock::now() - start;
        found.set("create", green.result);
        found.set("create microseconds",
                  std::chrono::duration_cast<std::chrono::microseconds>(spent).count());
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

TEST_F(GreenProbe, APrimaryIsResetWhenTheHomeIsGoneAndStartsAfresh) {
    const Report report = bare([](Cuda& cuda, Report& found) {
        inspect_context(cuda, found);
        CUcontext first{};
        cuda.cuCtxGetCurrent(&first);
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
    EXPECT_EQ(report["release after reset"], CUDA_ERROR_INVALID_CONTEXT);
    EXPECT_EQ(report["retain"], CUDA_SUCCESS);
    EXPECT_EQ(report["home"], CUDA_SUCCESS);
    EXPECT_TRUE(report["confined"]);
}

TEST_F(GreenProbe, AReleasedPrimaryLivesOnAndIsRetainedAgain) {
    const Report report = bare([](Cuda& cuda, Report& found) {
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
    EXPECT_EQ(report["release again"], CUDA_ERROR_INVALID_CONTEXT);
    EXPECT_EQ(report["read"], CUDA_SUCCESS);
    EXPECT_EQ(report["byte"], 5);
    EXPECT_EQ(report["retain"], CUDA_SUCCESS);
    EXPECT_TRUE(report["same handle"]);
}

TEST_F(GreenProbe, ItsEndWhileItIsCurrent) {
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
    EXPECT_NE(report["set"], CUDA_SUCCESS);
    EXPECT_EQ(report["launch there"], CUDA_SUCCESS);
    EXPECT_EQ(report["synchronise"], CUDA_SUCCESS);
}

TEST_F(GreenProbe, TheLeftoverOfASplitGoesWithItsGroups) {
    const Report report = bare([](Cuda& cuda, Report& found) {
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

TEST_F(GreenProbe, EventsGoAcrossContexts) {
    const Report report = in_home([](Lab& lab, const Home& home, Report& found) {
        Cuda& cuda = lab.cuda;
        CUevent of_home = lab.event(0);
        CUstream in_home = lab.stream(CU_STREAM_NON_BLOCKING);
        cuda.cuCtxSetCurrent(lab.primary);
        CUevent of_primary = lab.event(0);
        CUstream in_primary = lab.stream(CU_STREAM_NON_BLOCKING);
        found.set("home's in primary", cuda.cuEventRecord(of_home, in_primary));
        found.set("primary's in home", cuda.cuEventRecord(of_primary, in_home));
        cuda.cuCtxSynchronize();
        float time = 0;
        found.set("elapsed", cuda.cuEventElapsedTime(&time, of_home, of_primary));
        cuda.cuCtxSetCurrent(home.context());
        found.set("null in home", cuda.cuEventRecord(of_primary, nullptr));
        found.set("wait", cuda.cuStreamWaitEvent(in_primary, of_primary, 0));
        found.set("in primary's stream", static_cast<long long>(sms_of(cuda, in_primary).count()));
    });
    for (const char* call :
         {"home's in primary", "primary's in home", "elapsed", "null in home", "wait"}) {
        EXPECT_EQ(report[call], CUDA_SUCCESS) << call;
    }
    EXPECT_EQ(report["in primary's stream"], part().sms);
}

TEST_F(GreenProbe, StreamOrderedMemoryOutlivesTheHome) {
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

TEST_F(GreenProbe, LimitsAndConfigurationsAreThePrimarys) {
    const Report report = in_home([](Lab& lab, const Home& home, Report& found) {
        Cuda& cuda = lab.cuda;
        if (cuda.cuCtxSetLimit == nullptr || cuda.cuCtxSetCacheConfig == nullptr) {
            found.set("absent", 1);
            return;
        }
        for (const CUlimit limit :
             {CU_LIMIT_STACK_SIZE, CU_LIMIT_PRINTF_FIFO_SIZE, CU_LIMIT_MALLOC_HEAP_SIZE}) {
            const std::string name = std::to_string(limit);
            cuda.cuCtxSetCurrent(home.context());
            std::size_t was = 0;
            found.set("get " + name, cuda.cuCtxGetLimit(&was, limit));
            found.set("set " + name, cuda.cuCtxSetLimit(limit, was * 2));
            std::size_t here = 0;
            cuda.cuCtxGetLimit(&here, limit);
            cuda.cuCtxSetCurrent(lab.primary);
            std::size_t there = 0;
            cuda.cuCtxGetLimit(&there, limit);
            found.set("kept " + name, here >= was * 2);
            found.set("shared " + name, here == there);
        }
        cuda.cuCtxSetCurrent(home.context());
        found.set("config", cuda.cuCtxSetCacheConfig(CU_FUNC_CACHE_PREFER_SHARED));
        CUfunc_cache here{};
        cuda.cuCtxGetCacheConfig(&here);
        cuda.cuCtxSetCurrent(lab.primary);
        CUfunc_cache there{};
        cuda.cuCtxGetCacheConfig(&there);
        found.set("config here", here);
        found.set("config there", there);
    });
    SKIP_WITHOUT(report);
    for (const int limit : {0, 1, 2}) {
        const std::string name = std::to_string(limit);
        EXPECT_EQ(report["set " + name], CUDA_SUCCESS) << name;
        EXPECT_TRUE(report["kept " + name]) << name;
        EXPECT_TRUE(report["shared " + name]) << name;
    }
    EXPECT_EQ(report["config"], CUDA_SUCCESS);
    EXPECT_EQ(report["config here"], report["config there"]);
}

TEST_F(GreenProbe, FlagsAreThePrimarys) {
    const Report report = in_home([](Lab& lab, const Home&, Report& found) {
        Cuda& cuda = lab.cuda;
        if (cuda.cuCtxSetFlags == nullptr) {
            found.set("absent", 1);
            return;
        }
        found.set("set", cuda.cuCtxSetFlags(CU_CTX_SCHED_BLOCKING_SYNC));
        unsigned here = 0;
        cuda.cuCtxGetFlags(&here);
        cuda.cuCtxSetCurrent(lab.primary);
        unsigned there = 0;
        cuda.cuCtxGetFlags(&there);
        found.set("here", here);
        found.set("there", there);
    });
    SKIP_WITHOUT(report);
    EXPECT_EQ(report["set"], CUDA_SUCCESS);
    EXPECT_EQ(report["here"], report["there"]);
}

// Captured in a stream of the current context.
CUgraph captured(Lab& lab, SmProbe& probe, CUstream stream) {
    lab.cuda.cuStreamBeginCapture_v2(stream, CU_STREAM_CAPTURE_MODE_GLOBAL);
    probe.launch(stream);
    CUgraph graph{};
    lab.cuda.cuStreamEndCapture(stream, &graph);
    return graph;
}

TEST_F(GreenProbe, APrimarysGraphOnTheHomesNullStream) {
    const Report report = in_home([](Lab& lab, const Home& home, Report& found) {
        Cuda& cuda = lab.cuda;
        cuda.cuCtxSetCurrent(lab.primary);
        SmProbe probe(cuda);
        CUgraph graph = captured(lab, probe, lab.stream(CU_STREAM_NON_BLOCKING));
        CUgraphExec exec{};
        found.set("instantiate", cuda.cuGraphInstantiateWithFlags(&exec, graph, 0));
        cuda.cuCtxSetCurrent(home.context());
        found.set("launch", cuda.cuGraphLaunch(exec, nullptr));
        found.set("synchronise", cuda.cuStreamSynchronize(nullptr));
        found.set("distinct", static_cast<long long>(probe.marked().count()));
        CUgraphExec second{};
        cuda.cuGraphInstantiateWithFlags(&second, graph, 0);
        cuda.cuGraphLaunch(second, nullptr);
        cuda.cuStreamSynchronize(nullptr);
        found.set("made there", static_cast<long long>(probe.marked().count()));
    });
    EXPECT_EQ(report["instantiate"], CUDA_SUCCESS);
    EXPECT_EQ(report["launch"], CUDA_SUCCESS);
    EXPECT_EQ(report["distinct"], part().sms);
    EXPECT_EQ(report["made there"], part().sms);
}

TEST_F(GreenProbe, ANodeTellsTheContextOfItsCapture) {
    const Report report = in_home([](Lab& lab, const Home& home, Report& found) {
        Cuda& cuda = lab.cuda;
        if (cuda.cuGraphKernelNodeGetParams_v2 == nullptr || cuda.cuGraphNodeGetType == nullptr) {
            found.set("absent", 1);
            return;
        }
        SmProbe probe(cuda);
        CUgraph graph = captured(lab, probe, lab.stream(CU_STREAM_NON_BLOCKING));
        CUgraphNode nodes[4]{};
        std::size_t count = 4;
        cuda.cuGraphGetNodes(graph, nodes, &count);
        found.set("nodes", static_cast<long long>(count));
        for (std::size_t i = 0; i < count && i < 4; ++i) {
            CUgraphNodeType type{};
            cuda.cuGraphNodeGetType(nodes[i], &type);
            if (type != CU_GRAPH_NODE_TYPE_KERNEL) continue;
            CUDA_KERNEL_NODE_PARAMS parameters{};
            found.set("get", cuda.cuGraphKernelNodeGetParams_v2(nodes[i], &parameters));
            found.set("is home", parameters.ctx == home.context());
            found.set("is primary", parameters.ctx == lab.primary);
            found.set("is null", parameters.ctx == nullptr);
            found.set("has func", parameters.func != nullptr);
            found.set("has kern", parameters.kern != nullptr);
        }
    });
    SKIP_WITHOUT(report);
    EXPECT_EQ(report["get"], CUDA_SUCCESS);
    EXPECT_TRUE(report["is home"]);
    EXPECT_TRUE(report["has func"]);
}

constexpr const char* kNothing = R"(.version 7.8
.target sm_90
.address_size 64
.visible .entry nothing()
{
    ret;
}
)";

// Launches `blocks` blocks in clusters of `size`.
CUresult launch_cluster(Cuda& cuda, CUfunction kernel, unsigned blocks, unsigned size) {
    CUlaunchAttribute attribute{};
    attribute.id = CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION;
    attribute.value.clusterDim = {size, 1, 1};
    CUlaunchConfig config{};
    config.gridDimX = blocks;
    config.gridDimY = config.gridDimZ = 1;
    config.blockDimX = 64;
    config.blockDimY = config.blockDimZ = 1;
    config.attrs = &attribute;
    config.numAttrs = 1;
    const CUresult result = cuda.cuLaunchKernelEx(&config, kernel, nullptr, nullptr);
    return result == CUDA_SUCCESS ? cuda.cuCtxSynchronize() : result;
}

int most_clusters(Cuda& cuda, CUfunction kernel, unsigned size) {
    CUlaunchAttribute attribute{};
    attribute.id = CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION;
    attribute.value.clusterDim = {size, 1, 1};
    CUlaunchConfig config{};
    config.gridDimX = 64 * size;
    config.gridDimY = config.gridDimZ = 1;
    config.blockDimX = 1024;
    config.blockDimY = config.blockDimZ = 1;
    config.attrs = &attribute;
    config.numAttrs = 1;
    int clusters = -1;
    const CUresult result = cuda.cuOccupancyMaxActiveClusters(&clusters, kernel, &config);
    return result == CUDA_SUCCESS ? clusters : -static_cast<int>(result);
}

struct Nothing {
    explicit Nothing(Cuda& cuda) {
        loaded = cuda.cuModuleLoadData(&module, kNothing);
        if (loaded == CUDA_SUCCESS) cuda.cuModuleGetFunction(&kernel, module, "nothing");
    }
    CUresult loaded;
    CUmodule module = nullptr;
    CUfunction kernel = nullptr;
};

bool clusters_can_be_asked(Cuda& cuda) {
    int major = 0;
    cuda.cuDeviceGetAttribute(&major, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, 0);
    return major >= 9 && cuda.cuOccupancyMaxActiveClusters != nullptr;
}

// Groups as the first split makes them, and 2 SMs.
TEST_F(GreenProbe, ClustersFitIntoCoscheduledGroups) {
    const Report report = bare([](Cuda& cuda, Report& found) {
        inspect_context(cuda, found);
        if (!clusters_can_be_asked(cuda)) {
            found.set("absent", 1);
            return;
        }
        const Nothing nothing(cuda);
        found.set("loaded", nothing.loaded);
        const Split coarse = split(cuda, sms_of_device(cuda), 8);
        const Split fine = split(cuda, sms_of_device(cuda), 2, kFine);
        const std::pair<std::string, std::vector<CUdevResource>> kHomes[] = {
            {"whole", {}},
            {"one group", {coarse.groups[0]}},
            {"two groups", {coarse.groups[0], coarse.groups[1]}},
            {"far groups", {coarse.groups[0], coarse.groups[7]}},
            {"four groups",
             {coarse.groups[0], coarse.groups[1], coarse.groups[2], coarse.groups[3]}},
            {"rest", {coarse.rest}},
            {"fine", {fine.groups[0]}},
            {"four fine", {fine.groups[0], fine.groups[1], fine.groups[2], fine.groups[3]}}};
        for (const auto& [name, groups] : kHomes) {
            if (!groups.empty()) {
                const Green green = make_green(cuda, groups);
                found.set(name + " made", green.result);
                if (green.result != CUDA_SUCCESS) continue;
                cuda.cuCtxSetCurrent(green.context);
            }
            for (const unsigned size : {1U, 2U, 4U, 8U}) {
                const std::string what = name + " " + std::to_string(size);
                found.set(what, launch_cluster(cuda, nothing.kernel, 64, size));
                found.set(what + " most", most_clusters(cuda, nothing.kernel, size));
            }
        }
    });
    SKIP_WITHOUT(report);
    for (const char* size : {"1", "2", "4", "8"}) {
        for (const char* name : {"whole ", "one group ", "two groups ", "four groups "}) {
            EXPECT_EQ(report[std::string(name) + size], CUDA_SUCCESS) << name << size;
        }
    }
    EXPECT_EQ(report["fine 2"], CUDA_SUCCESS);
    EXPECT_EQ(report["fine 4"], CUDA_ERROR_INVALID_CLUSTER_SIZE);
    EXPECT_EQ(report["fine 8"], CUDA_ERROR_INVALID_CLUSTER_SIZE);
    EXPECT_LT(report["one group 8 most"], report["whole 8 most"]);
}

TEST_F(GreenProbe, LargeClustersNeedMoreThanAGroup) {
    const Report report = bare([](Cuda& cuda, Report& found) {
        inspect_context(cuda, found);
        if (!clusters_can_be_asked(cuda) || cuda.cuFuncSetAttribute == nullptr) {
            found.set("absent", 1);
            return;
        }
        const Nothing nothing(cuda);
        found.set("allow",
                  cuda.cuFuncSetAttribute(nothing.kernel,
                                          CU_FUNC_ATTRIBUTE_NON_PORTABLE_CLUSTER_SIZE_ALLOWED, 1));
        found.set("whole", launch_cluster(cuda, nothing.kernel, 64, 16));
        const Split coarse = split(cuda, sms_of_device(cuda), 8);
        const Split wide = split(cuda, sms_of_device(cuda), 16);
        const Split marked = split(cuda, sms_of_device(cuda), 16,
                                   CU_DEV_SM_RESOURCE_SPLIT_MAX_POTENTIAL_CLUSTER_SIZE);
        found.set("groups of 16", static_cast<long long>(wide.groups.size()));
        found.set("marked groups", static_cast<long long>(marked.groups.size()));
        found.set("marked size", marked.groups.empty() ? 0 : marked.groups[0].sm.smCount);
        const std::pair<std::string, std::vector<CUdevResource>> kHomes[] = {
            {"one group", {coarse.groups[0]}},
            {"two groups", {coarse.groups[0], coarse.groups[1]}},
            {"wide", {wide.groups[0]}}};
        for (const auto& [name, groups] : kHomes) {
            cuda.cuCtxSetCurrent(make_green(cuda, groups).context);
            found.set(name, launch_cluster(cuda, nothing.kernel, 64, 16));
        }
    });
    SKIP_WITHOUT(report);
    EXPECT_EQ(report["allow"], CUDA_SUCCESS);
    EXPECT_EQ(report["whole"], CUDA_SUCCESS);
    EXPECT_NE(report["one group"], CUDA_SUCCESS);
}

TEST_F(GreenProbe, OccupancyIsTheDevices) {
    const Report report = in_home([](Lab& lab, const Home& home, Report& found) {
        Cuda& cuda = lab.cuda;
        if (cuda.cuOccupancyMaxPotentialBlockSize == nullptr) {
            found.set("absent", 1);
            return;
        }
        CUmodule module{};
        cuda.cuModuleLoadData(&module, kNothing);
        CUfunction kernel{};
        found.set("function", cuda.cuModuleGetFunction(&kernel, module, "nothing"));
        for (CUcontext context : {home.context(), lab.primary}) {
            const std::string of = context == lab.primary ? "primary " : "home ";
            cuda.cuCtxSetCurrent(context);
            int grid = -1;
            int block = -1;
            found.set(of + "result",
                      cuda.cuOccupancyMaxPotentialBlockSize(&grid, &block, kernel, nullptr, 0, 0));
            found.set(of + "grid", grid);
            found.set(of + "block", block);
            int blocks = -1;
            cuda.cuOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, kernel, 256, 0);
            found.set(of + "blocks", blocks);
        }
        if (cuda.cuFuncGetModule != nullptr) {
            cuda.cuCtxSetCurrent(home.context());
            CUmodule of_kernel{};
            found.set("get module", cuda.cuFuncGetModule(&of_kernel, kernel));
            found.set("same module", of_kernel == module);
        }
    });
    SKIP_WITHOUT(report);
    EXPECT_EQ(report["home result"], CUDA_SUCCESS);
    EXPECT_EQ(report["home grid"], report["primary grid"]);
    EXPECT_EQ(report["home block"], report["primary block"]);
    EXPECT_EQ(report["home blocks"], report["primary blocks"]);
}

TEST_F(GreenProbe, AContextOfTheProgramsOwnHasTheWholeDevice) {
    const Report report = in_home([](Lab& lab, const Home& home, Report& found) {
        Cuda& cuda = lab.cuda;
        CUcontext own{};
        found.set("create", cuda.cuCtxCreate_v2(&own, 0, 0));
        found.set("own", distinct_sms(cuda));
        CUdevResource resource{};
        found.set("resource", cuda.cuCtxGetDevResource(own, &resource, CU_DEV_RESOURCE_TYPE_SM));
        found.set("sms", resource.sm.smCount);
        cuda.cuCtxSetCurrent(home.context());
        found.set("home", distinct_sms(cuda));
        found.set("wanted", home.sms);
        found.set("destroy", cuda.cuCtxDestroy_v2(own));
        if (cuda.cuCtxEnablePeerAccess == nullptr) return;
        found.set("peer primary", cuda.cuCtxEnablePeerAccess(lab.primary, 0));
        cuda.cuCtxSetCurrent(lab.primary);
        found.set("peer home", cuda.cuCtxEnablePeerAccess(home.context(), 0));
        found.set("peer itself", cuda.cuCtxEnablePeerAccess(lab.primary, 0));
    });
    EXPECT_EQ(report["create"], CUDA_SUCCESS);
    EXPECT_EQ(report["own"], part().sms);
    EXPECT_EQ(report["sms"], part().sms);
    EXPECT_EQ(report["home"], report["wanted"]);
    EXPECT_EQ(report["destroy"], CUDA_SUCCESS);
    if (report.has("peer home")) {
        EXPECT_EQ(report["peer primary"], report["peer itself"]);
        EXPECT_EQ(report["peer home"], report["peer itself"]);
    }
}

TEST_F(GreenProbe, AnAffinityContextBesideItUnderMps) {
    if (!have_mps()) GTEST_SKIP() << "no nvidia-cuda-mps-control on PATH";
    const MpsDaemon daemon;
    ASSERT_TRUE(daemon.started());
    const Report report = bare(
        [](Cuda& cuda, Report& found) {
            inspect_context(cuda, found);
            const Home home = make_home(cuda);
            found.set("home", home.green.result);
            CUexecAffinityParam affinity{};
            affinity.type = CU_EXEC_AFFINITY_TYPE_SM_COUNT;
            affinity.param.smCount.val = 20;
            CUcontext own{};
            found.set("create", cuda.cuCtxCreate_v3(&own, &affinity, 1, 0, 0));
            if (found["create"] == CUDA_SUCCESS) {
                found.set("own", distinct_sms(cuda));
                CUdevResource resource{};
                found.set("resource",
                          cuda.cuCtxGetDevResource(own, &resource, CU_DEV_RESOURCE_TYPE_SM));
                found.set("sms", resource.sm.smCount);
            }
            cuda.cuCtxSetCurrent(home.context());
            found.set("distinct", distinct_sms(cuda));
            found.set("wanted", home.sms);
        },
        daemon.client({}));
    EXPECT_EQ(report["home"], CUDA_SUCCESS);
    EXPECT_EQ(report["create"], CUDA_SUCCESS);
    EXPECT_EQ(report["own"], 20);
    EXPECT_EQ(report["distinct"], report["wanted"]);
}

TEST_F(GreenProbe, SynchronisingByContext) {
    const Report report = in_home([](Lab& lab, const Home& home, Report& found) {
        Cuda& cuda = lab.cuda;
        if (cuda.cuCtxSynchronize_v2 == nullptr) {
            found.set("absent", 1);
            return;
        }
        cuda.cuCtxSetCurrent(lab.primary);
        CUstream stream = lab.stream(CU_STREAM_NON_BLOCKING);
        lab.write(stream, 1, 0);
        cuda.cuCtxSynchronize();
        cuda.cuCtxSetCurrent(home.context());
        lab.close(stream, 0);
        found.set("home for primary's", lab.waits([&] { cuda.cuCtxSynchronize(); }, 0));
        lab.close(nullptr, 1);
        found.set(
            "primary for home's",
            lab.waits([&] { found.set("result", cuda.cuCtxSynchronize_v2(lab.primary)); }, 1));
    });
    SKIP_WITHOUT(report);
    EXPECT_FALSE(report["home for primary's"]);
    EXPECT_EQ(report["result"], CUDA_SUCCESS);
    EXPECT_TRUE(report["primary for home's"]);
}

TEST_F(GreenProbe, CapturesToAGraphAndTheirDependencies) {
    const Report report = in_home([](Lab& lab, const Home&, Report& found) {
        Cuda& cuda = lab.cuda;
        if (cuda.cuStreamBeginCaptureToGraph == nullptr ||
            cuda.cuStreamUpdateCaptureDependencies == nullptr || cuda.cuGraphCreate == nullptr) {
            found.set("absent", 1);
            return;
        }
        CUgraph graph{};
        found.set("create", cuda.cuGraphCreate(&graph, 0));
        CUstream stream = lab.stream(CU_STREAM_NON_BLOCKING);
        found.set("begin", cuda.cuStreamBeginCaptureToGraph(stream, graph, nullptr, nullptr, 0,
                                                            CU_STREAM_CAPTURE_MODE_GLOBAL));
        found.set("launch", lab.launch(stream));
        CUgraphNode node{};
        std::size_t count = 1;
        cuda.cuGraphGetNodes(graph, &node, &count);
        found.set("nodes", static_cast<long long>(count));
        found.set("update", cuda.cuStreamUpdateCaptureDependencies(
                                stream, nullptr, 0, CU_STREAM_SET_CAPTURE_DEPENDENCIES));
        found.set("next", lab.launch(stream));
        found.set("back", cuda.cuStreamUpdateCaptureDependencies(
                              stream, &node, 1, CU_STREAM_ADD_CAPTURE_DEPENDENCIES));
        CUgraph ended{};
        found.set("end", cuda.cuStreamEndCapture(stream, &ended));
        found.set("same", ended == graph);
        found.set("null", cuda.cuStreamBeginCaptureToGraph(nullptr, graph, nullptr, nullptr, 0,
                                                           CU_STREAM_CAPTURE_MODE_GLOBAL));
        cuda.cuStreamEndCapture(nullptr, &ended);
        cuda.cuCtxSetCurrent(lab.primary);
        found.set("primary's null",
                  cuda.cuStreamBeginCaptureToGraph(nullptr, graph, nullptr, nullptr, 0,
                                                   CU_STREAM_CAPTURE_MODE_GLOBAL));
    });
    SKIP_WITHOUT(report);
    for (const char* call :
         {"create", "begin", "launch", "update", "next", "back", "end", "null"}) {
        EXPECT_EQ(report[call], CUDA_SUCCESS) << call;
    }
    EXPECT_EQ(report["nodes"], 1);
    EXPECT_TRUE(report["same"]);
    EXPECT_EQ(report["primary's null"], CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
}

// The stream that a callback is given, for each way to name it.
struct Given {
    CUstream stream = reinterpret_cast<CUstream>(0x99);
    static void CUDA_CB note(CUstream stream, CUresult, void* self) {
        static_cast<Given*>(self)->stream = stream;
    }
    long long number() const {
        return static_cast<long long>(reinterpret_cast<std::uintptr_t>(stream));
    }
};

TEST_F(GreenProbe, CallbacksGetTheHandleThatWasNamed) {
    const Report report = in_home([](Lab& lab, const Home& home, Report& found) {
        Cuda& cuda = lab.cuda;
        for (CUcontext context : {lab.primary, home.context()}) {
            const std::string of = context == lab.primary ? "primary " : "home ";
            cuda.cuCtxSetCurrent(context);
            Given null;
            Given legacy;
            Given own;
            Given own_ptsz;
            found.set(of + "result", cuda.cuStreamAddCallback(nullptr, Given::note, &null, 0));
            cuda.cuStreamAddCallback(CU_STREAM_LEGACY, Given::note, &legacy, 0);
            found.set(of + "per thread result",
                      cuda.cuStreamAddCallback(CU_STREAM_PER_THREAD, Given::note, &own, 0));
            cuda.cuStreamAddCallback_ptsz(nullptr, Given::note, &own_ptsz, 0);
            cuda.cuCtxSynchronize();
            found.set(of + "null", null.number());
            found.set(of + "legacy", legacy.number());
            found.set(of + "per thread", own.number());
            found.set(of + "per thread by ptsz", own_ptsz.number());
        }
    });
    EXPECT_EQ(report["primary null"], 0);
    EXPECT_EQ(report["primary legacy"], 1);
    EXPECT_EQ(report["primary per thread"], 2);
    EXPECT_EQ(report["primary per thread by ptsz"], 2);
    EXPECT_EQ(report["home null"], 0);
    EXPECT_EQ(report["home legacy"], 1);
    EXPECT_EQ(report["home per thread result"], CUDA_ERROR_INVALID_HANDLE);
}

TEST_F(GreenProbe, HandlesForOtherProcesses) {
    const Report report = in_home([](Lab& lab, const Home&, Report& found) {
        Cuda& cuda = lab.cuda;
        if (cuda.cuIpcGetMemHandle == nullptr) {
            found.set("absent", 1);
            return;
        }
        CUdeviceptr memory{};
        cuda.cuMemAlloc_v2(&memory, 4 << 20);
        CUipcMemHandle of_memory{};
        found.set("memory", cuda.cuIpcGetMemHandle(&of_memory, memory));
        CUevent event{};
        found.set("event",
                  cuda.cuEventCreate(&event, CU_EVENT_DISABLE_TIMING | CU_EVENT_INTERPROCESS));
        CUipcEventHandle of_event{};
        found.set("event handle", cuda.cuIpcGetEventHandle(&of_event, event));
        found.set("record", cuda.cuEventRecord(event, nullptr));
    });
    SKIP_WITHOUT(report);
    for (const char* call : {"memory", "event", "event handle", "record"}) {
        EXPECT_EQ(report[call], CUDA_SUCCESS) << call;
    }
}

// How much of the device's memory goes with what is asked for.
TEST_F(GreenProbe, MemoryComesInUnits) {
    const Report report = bare([](Cuda& cuda, Report& found) {
        inspect_context(cuda, found);
        const auto taken_by = [&](const std::string& name, std::size_t bytes, int times) {
            std::size_t before = 0;
            std::size_t after = 0;
            std::size_t total = 0;
            cuda.cuMemGetInfo_v2(&before, &total);
            for (int i = 0; i < times; ++i) {
                CUdeviceptr memory{};
                cuda.cuMemAlloc_v2(&memory, bytes);
            }
            cuda.cuMemGetInfo_v2(&after, &total);
            found.set(name, static_cast<long long>(before - after));
        };
        taken_by("1 byte", 1, 1);
        taken_by("1024 times 1 KiB", 1024, 1024);
        taken_by("1 MiB", 1 << 20, 1);
        taken_by("1 MiB and 1", (1 << 20) + 1, 1);
        taken_by("3 MiB", 3 << 20, 1);
        taken_by("16 times 3 MiB", 3 << 20, 16);
        taken_by("64 MiB", 64 << 20, 1);
        const auto pool_takes = [&](const std::string& name, std::size_t bytes) {
            std::size_t before = 0;
            std::size_t after = 0;
            std::size_t total = 0;
            cuda.cuMemGetInfo_v2(&before, &total);
            CUdeviceptr memory{};
            cuda.cuMemAllocAsync(&memory, bytes, nullptr);
            cuda.cuCtxSynchronize();
            cuda.cuMemGetInfo_v2(&after, &total);
            found.set(name, static_cast<long long>(before - after));
        };
        pool_takes("pool 1 byte", 1);
        pool_takes("pool 40 MiB", 40 << 20);
        pool_takes("pool 40 MiB more", 40 << 20);
        const Home home = make_home(cuda);
        std::size_t before = 0;
        std::size_t after = 0;
        std::size_t total = 0;
        cuda.cuMemGetInfo_v2(&before, &total);
        const Home second = make_home(cuda);
        cuda.cuMemGetInfo_v2(&after, &total);
        found.set("green context", static_cast<long long>(before - after));
        found.set("made", home.green.result + second.green.result);
    });
    EXPECT_EQ(report["made"], CUDA_SUCCESS);
    EXPECT_GE(report["64 MiB"], 64 * kMiB);
}

}  // namespace
}  // namespace gpu
