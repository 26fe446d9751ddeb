// What a program can tell a green context by, where it is current in the primary one's place.
#include <gtest/gtest.h>

#include <string>

#include "tests/gpu/support/daemon.h"
#include "tests/gpu/support/home.h"
#include "tests/gpu/support/inspect.h"

namespace gpu {
namespace {

class GreenIdentity : public testing::Test {
  protected:
    void SetUp() override {
        if (!have_green()) GTEST_SKIP() << "CUDA " << part().driver;
    }
};

TEST_F(GreenIdentity, TheLegacyHandleIsTheHomesNullStream) {
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
    EXPECT_EQ(report["legacy flags"], CU_STREAM_NON_BLOCKING);
    EXPECT_EQ(report["null flags"], CU_STREAM_NON_BLOCKING);
    EXPECT_EQ(report["context of null"], CUDA_SUCCESS);
    EXPECT_TRUE(report["is home"]);
    EXPECT_EQ(report["context of per thread"], CUDA_ERROR_INVALID_HANDLE);
}

TEST_F(GreenIdentity, EntryPointsInPtdsHaveNoStream) {
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

TEST_F(GreenIdentity, WhatCanBeAskedOfTheContext) {
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
    for (const char* what : {"id", "flags", "device", "version", "memory"}) {
        EXPECT_EQ(report[std::string("home ") + what + " result"], CUDA_SUCCESS) << what;
    }
    EXPECT_NE(report["home id"], report["primary id"]);
    for (const char* what : {"flags", "device", "version", "sms of device", "free", "total"}) {
        EXPECT_EQ(report[std::string("home ") + what], report[std::string("primary ") + what])
            << what;
    }
    EXPECT_EQ(report["home affinity result"], CUDA_ERROR_INVALID_CONTEXT);
    EXPECT_EQ(report["primary affinity result"], CUDA_SUCCESS);
    EXPECT_EQ(report["destroy"], CUDA_ERROR_INVALID_CONTEXT);
}

TEST_F(GreenIdentity, LimitsAndConfigurationsAreThePrimarys) {
    const Report report = in_home([](Lab& lab, const Home& home, Report& found) {
        Cuda& cuda = lab.cuda;
        if (cuda.cuCtxSetLimit == nullptr || cuda.cuCtxSetCacheConfig == nullptr) {
            lacks_entry_point(found);
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
    SKIP_WITHOUT_ENTRY_POINT(report);
    for (const int limit : {0, 1, 2}) {
        const std::string name = std::to_string(limit);
        EXPECT_EQ(report["set " + name], CUDA_SUCCESS) << name;
        EXPECT_TRUE(report["kept " + name]) << name;
        EXPECT_TRUE(report["shared " + name]) << name;
    }
    EXPECT_EQ(report["config"], CUDA_SUCCESS);
    EXPECT_EQ(report["config here"], report["config there"]);
}

TEST_F(GreenIdentity, FlagsAreThePrimarys) {
    const Report report = in_home([](Lab& lab, const Home&, Report& found) {
        Cuda& cuda = lab.cuda;
        if (cuda.cuCtxSetFlags == nullptr) {
            lacks_entry_point(found);
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
    SKIP_WITHOUT_ENTRY_POINT(report);
    EXPECT_EQ(report["set"], CUDA_SUCCESS);
    EXPECT_EQ(report["here"], report["there"]);
    EXPECT_EQ(report["here"], CU_CTX_SCHED_BLOCKING_SYNC | CU_CTX_MAP_HOST);
}

TEST_F(GreenIdentity, AContextOfTheProgramsOwnHasTheWholeDevice) {
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
        for (const char* peer : {"peer primary", "peer home", "peer itself"}) {
            EXPECT_EQ(report[peer], CUDA_ERROR_PEER_ACCESS_UNSUPPORTED) << peer;
        }
    }
}

TEST_F(GreenIdentity, AnAffinityContextBesideItUnderMps) {
    if (!have_mps()) GTEST_SKIP() << "no nvidia-cuda-mps-control on PATH";
    const MpsDaemon daemon;
    ASSERT_TRUE(daemon.started());
    const Report report = in_child(daemon.client({}), [](Cuda& cuda, Report& found) {
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
    });
    EXPECT_EQ(report["home"], CUDA_SUCCESS);
    EXPECT_EQ(report["create"], CUDA_SUCCESS);
    EXPECT_EQ(report["own"], 20);
    EXPECT_EQ(report["distinct"], report["wanted"]);
}

TEST_F(GreenIdentity, SynchronisingByContext) {
    const Report report = in_home([](Lab& lab, const Home& home, Report& found) {
        Cuda& cuda = lab.cuda;
        if (cuda.cuCtxSynchronize_v2 == nullptr) {
            lacks_entry_point(found);
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
    SKIP_WITHOUT_ENTRY_POINT(report);
    EXPECT_FALSE(report["home for primary's"]);
    EXPECT_EQ(report["result"], CUDA_SUCCESS);
    EXPECT_TRUE(report["primary for home's"]);
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

TEST_F(GreenIdentity, CallbacksGetTheHandleThatWasNamed) {
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
    EXPECT_EQ(report["primary per thread by ptsz"], 0) << "0 was named";
    EXPECT_EQ(report["home null"], 0);
    EXPECT_EQ(report["home legacy"], 1);
    EXPECT_EQ(report["home per thread result"], CUDA_ERROR_INVALID_HANDLE);
}

TEST_F(GreenIdentity, HandlesForOtherProcesses) {
    const Report report = in_home([](Lab& lab, const Home&, Report& found) {
        Cuda& cuda = lab.cuda;
        if (cuda.cuIpcGetMemHandle == nullptr) {
            lacks_entry_point(found);
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
    SKIP_WITHOUT_ENTRY_POINT(report);
    for (const char* call : {"memory", "event", "event handle", "record"}) {
        EXPECT_EQ(report[call], CUDA_SUCCESS) << call;
    }
}

}  // namespace
}  // namespace gpu
