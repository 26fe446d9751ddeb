// What a program is told of its contexts: the same whether it has the whole device or a part of it.
#include <gtest/gtest.h>

#include <array>
#include <future>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/gpu/support/inspect.h"

namespace gpu {
namespace {

class Contexts : public testing::Test {
  protected:
    // With the primary context of device 0 retained once and current.
    static Report ask(
        const std::function<void(Cuda& cuda, CUcontext primary, Report& found)>& work) {
        return in_child({}, [&work](Cuda& cuda, Report& found) {
            cuda.cuInit(0);
            CUcontext primary{};
            cuda.cuDevicePrimaryCtxRetain(&primary, 0);
            cuda.cuCtxSetCurrent(primary);
            work(cuda, primary, found);
        });
    }

    static CUcontext current(Cuda& cuda) {
        CUcontext context{};
        cuda.cuCtxGetCurrent(&context);
        return context;
    }

    static int active(Cuda& cuda) {
        unsigned flags = 0;
        int active = -1;
        cuda.cuDevicePrimaryCtxGetState(0, &flags, &active);
        return active;
    }
};

TEST_F(Contexts, TheOneThatWasMadeCurrentIsCurrent) {
    const Report report = ask([](Cuda& cuda, CUcontext primary, Report& found) {
        found.set("set", current(cuda) == primary);
        cuda.cuCtxSetCurrent(nullptr);
        found.set("none", current(cuda) == nullptr);
        found.set("push", cuda.cuCtxPushCurrent_v2(primary));
        found.set("pushed", current(cuda) == primary);
        CUcontext popped{};
        found.set("pop", cuda.cuCtxPopCurrent_v2(&popped));
        found.set("popped", popped == primary);
        found.set("none again", current(cuda) == nullptr);
        std::thread([&] {
            found.set("other thread", current(cuda) == nullptr);
            cuda.cuCtxSetCurrent(primary);
            found.set("there too", current(cuda) == primary);
        }).join();
    });
    for (const char* name :
         {"set", "none", "pushed", "popped", "none again", "other thread", "there too"}) {
        EXPECT_TRUE(report[name]) << name;
    }
    EXPECT_EQ(report["push"], CUDA_SUCCESS);
    EXPECT_EQ(report["pop"], CUDA_SUCCESS);
}

TEST_F(Contexts, ThePrimaryIsOneHandleForAll) {
    const Report report = ask([](Cuda& cuda, CUcontext primary, Report& found) {
        CUcontext again{};
        cuda.cuDevicePrimaryCtxRetain(&again, 0);
        found.set("same", again == primary);
        CUstream stream{};
        CUcontext of_stream{};
        cuda.cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING);
        cuda.cuStreamGetCtx(stream, &of_stream);
        found.set("stream", of_stream == primary);
        cuda.cuStreamGetCtx(nullptr, &of_stream);
        found.set("null stream", of_stream == primary);
    });
    EXPECT_TRUE(report["same"]);
    EXPECT_TRUE(report["stream"]);
    EXPECT_TRUE(report["null stream"]);
}

TEST_F(Contexts, CountsOfSmsAgreeWithWhereKernelsRun) {
    const Report report = ask([](Cuda& cuda, CUcontext primary, Report& found) {
        int told = 0;
        cuda.cuDeviceGetAttribute(&told, CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, 0);
        found.set("told", told);
        found.set("null stream", distinct_sms(cuda));
        CUstream stream{};
        cuda.cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING);
        found.set("stream", static_cast<long long>(sms_of(cuda, stream).count()));
        CUexecAffinityParam affinity{};
        found.set("affinity result",
                  cuda.cuCtxGetExecAffinity(&affinity, CU_EXEC_AFFINITY_TYPE_SM_COUNT));
        found.set("affinity", affinity.param.smCount.val);
        SmProbe probe(cuda);
        found.set("cooperative", probe.launch_cooperatively(nullptr, told));
        found.set("too many", probe.launch_cooperatively(nullptr, told, 1));
        cuda.cuCtxSynchronize();
        if (cuda.cuCtxGetDevResource == nullptr) return;
        CUdevResource of_context{};
        CUdevResource of_device{};
        cuda.cuCtxGetDevResource(primary, &of_context, CU_DEV_RESOURCE_TYPE_SM);
        cuda.cuDeviceGetDevResource(0, &of_device, CU_DEV_RESOURCE_TYPE_SM);
        found.set("context", of_context.sm.smCount);
        found.set("device", of_device.sm.smCount);
    });
    for (const char* name : {"null stream", "stream", "affinity"}) {
        EXPECT_EQ(report[name], report["told"]) << name;
    }
    EXPECT_EQ(report["cooperative"], CUDA_SUCCESS);
    EXPECT_EQ(report["too many"], CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE);
    if (report.has("context")) {
        EXPECT_EQ(report["context"], report["told"]);
        EXPECT_EQ(report["device"], report["told"]);
    }
}

TEST_F(Contexts, ThePrimaryLivesAsLongAsItIsRetained) {
    const Report report = ask([](Cuda& cuda, CUcontext primary, Report& found) {
        CUcontext again{};
        cuda.cuDevicePrimaryCtxRetain(&again, 0);
        found.set("first", cuda.cuDevicePrimaryCtxRelease_v2(0));
        found.set("lives", active(cuda));
        found.set("second", cuda.cuDevicePrimaryCtxRelease_v2(0));
        found.set("ended", active(cuda));
        found.set("third", cuda.cuDevicePrimaryCtxRelease_v2(0));
        found.set("current", current(cuda) == primary);
        CUdeviceptr memory{};
        found.set("useless", cuda.cuMemAlloc_v2(&memory, 4096));
        cuda.cuDevicePrimaryCtxRetain(&again, 0);
        cuda.cuCtxSetCurrent(again);
        found.set("useful", cuda.cuMemAlloc_v2(&memory, 4096));
        int told = 0;
        cuda.cuDeviceGetAttribute(&told, CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, 0);
        found.set("confined", distinct_sms(cuda) == told);
    });
    EXPECT_EQ(report["first"], CUDA_SUCCESS);
    EXPECT_EQ(report["lives"], 1);
    EXPECT_EQ(report["second"], CUDA_SUCCESS);
    EXPECT_EQ(report["ended"], 0);
    EXPECT_EQ(report["third"], CUDA_ERROR_INVALID_CONTEXT);
    EXPECT_TRUE(report["current"]);
    EXPECT_EQ(report["useless"], CUDA_ERROR_CONTEXT_IS_DESTROYED);
    EXPECT_EQ(report["useful"], CUDA_SUCCESS);
    EXPECT_TRUE(report["confined"]);
}

TEST_F(Contexts, AResetEndsThePrimary) {
    const Report report = ask([](Cuda& cuda, CUcontext, Report& found) {
        found.set("reset", cuda.cuDevicePrimaryCtxReset_v2(0));
        found.set("ended", active(cuda));
        CUcontext again{};
        cuda.cuDevicePrimaryCtxRetain(&again, 0);
        cuda.cuCtxSetCurrent(again);
        CUdeviceptr memory{};
        found.set("useful", cuda.cuMemAlloc_v2(&memory, 4096));
    });
    EXPECT_EQ(report["reset"], CUDA_SUCCESS);
    EXPECT_EQ(report["ended"], 0);
    EXPECT_EQ(report["useful"], CUDA_SUCCESS);
}

constexpr const char* kNothing = R"(.version 6.3
.target sm_75
.address_size 64
.visible .entry nothing()
{
    ret;
}
)";

// What a thread calls first that has had the primary context current since before it ended, with
// what another has made since.
using First = CUresult (*)(Cuda& cuda, CUstream stream, CUdeviceptr memory);
const std::pair<const char*, First> kFirsts[] = {
    {"allocate",
     [](Cuda& cuda, CUstream, CUdeviceptr) {
         CUdeviceptr own{};
         return cuda.cuMemAlloc_v2(&own, 4096);
     }},
    {"free", [](Cuda& cuda, CUstream, CUdeviceptr memory) { return cuda.cuMemFree_v2(memory); }},
    {"free memory",
     [](Cuda& cuda, CUstream, CUdeviceptr) {
         std::size_t free = 0;
         std::size_t total = 0;
         return cuda.cuMemGetInfo_v2(&free, &total);
     }},
    {"stream",
     [](Cuda& cuda, CUstream, CUdeviceptr) {
         CUstream own{};
         return cuda.cuStreamCreate(&own, CU_STREAM_DEFAULT);
     }},
    {"fill",
     [](Cuda& cuda, CUstream, CUdeviceptr memory) { return cuda.cuMemsetD8_v2(memory, 1, 16); }},
    {"fill in a stream",
     [](Cuda& cuda, CUstream stream, CUdeviceptr memory) {
         return cuda.cuMemsetD8Async(memory, 1, 16, stream);
     }},
    {"fill in its own stream",
     [](Cuda& cuda, CUstream, CUdeviceptr memory) {
         return cuda.cuMemsetD8Async(memory, 1, 16, CU_STREAM_PER_THREAD);
     }},
    {"copy",
     [](Cuda& cuda, CUstream, CUdeviceptr memory) {
         char byte{};
         return cuda.cuMemcpyDtoH_v2(&byte, memory, 1);
     }},
    {"wait for a stream",
     [](Cuda& cuda, CUstream stream, CUdeviceptr) { return cuda.cuStreamSynchronize(stream); }},
    {"wait for the legacy stream",
     [](Cuda& cuda, CUstream, CUdeviceptr) { return cuda.cuStreamSynchronize(nullptr); }},
    {"device",
     [](Cuda& cuda, CUstream, CUdeviceptr) {
         CUdevice device = -1;
         const CUresult result = cuda.cuCtxGetDevice(&device);
         return device == 0 ? result : CUDA_ERROR_INVALID_DEVICE;
     }},
    {"limit",
     [](Cuda& cuda, CUstream, CUdeviceptr) {
         std::size_t bytes = 0;
         return cuda.cuCtxGetLimit(&bytes, CU_LIMIT_STACK_SIZE);
     }},
    {"priorities",
     [](Cuda& cuda, CUstream, CUdeviceptr) {
         int least = 0;
         int greatest = 0;
         return cuda.cuCtxGetStreamPriorityRange(&least, &greatest);
     }},
    {"event",
     [](Cuda& cuda, CUstream, CUdeviceptr) {
         CUevent event{};
         return cuda.cuEventCreate(&event, CU_EVENT_DEFAULT);
     }},
    {"module",
     [](Cuda& cuda, CUstream, CUdeviceptr) {
         CUmodule module{};
         return cuda.cuModuleLoadData(&module, kNothing);
     }},
    {"pinned",
     [](Cuda& cuda, CUstream, CUdeviceptr) {
         void* memory = nullptr;
         return cuda.cuMemHostAlloc(&memory, 4096, 0);
     }},
    {"wait for all", [](Cuda& cuda, CUstream, CUdeviceptr) { return cuda.cuCtxSynchronize(); }},
    {"current",
     [](Cuda& cuda, CUstream, CUdeviceptr memory) {
         CUcontext now{};
         cuda.cuCtxGetCurrent(&now);
         return now == nullptr ? CUDA_ERROR_INVALID_CONTEXT : cuda.cuMemsetD8_v2(memory, 1, 16);
     }},
};

// One after the other, each by a thread of its own.
void call_first(Cuda& cuda, CUcontext primary, Report& found,
                const std::function<CUresult()>& end) {
    for (const auto& [name, call] : kFirsts) {
        std::promise<void> ready;
        std::promise<std::pair<CUstream, CUdeviceptr>> go;
        std::thread other([&, call = call, name = name] {
            CUdeviceptr before{};
            cuda.cuCtxSetCurrent(primary);
            cuda.cuMemAlloc_v2(&before, 4096);
            ready.set_value();
            const auto [stream, memory] = go.get_future().get();
            found.set(name, call(cuda, stream, memory));
        });
        ready.get_future().wait();
        CUdeviceptr memory{};
        CUstream stream{};
        found.set(std::string("end ") + name, end());
        found.set(std::string("useless ") + name, cuda.cuMemAlloc_v2(&memory, 4096));
        CUdevice device = -1;
        found.set(std::string("device ") + name, cuda.cuCtxGetDevice(&device) + device);
        CUcontext again{};
        cuda.cuDevicePrimaryCtxRetain(&again, 0);
        found.set(std::string("same ") + name, again == primary);
        found.set(std::string("useful ") + name, cuda.cuMemAlloc_v2(&memory, 4096));
        cuda.cuStreamCreate(&stream, CU_STREAM_DEFAULT);
        go.set_value({stream, memory});
        other.join();
    }
}

void expect_all_work(const Report& report) {
    for (const auto& [name, call] : kFirsts) {
        EXPECT_EQ(report[std::string("end ") + name], CUDA_SUCCESS);
        EXPECT_EQ(report[std::string("useless ") + name], CUDA_ERROR_CONTEXT_IS_DESTROYED);
        EXPECT_EQ(report[std::string("device ") + name], 0);
        EXPECT_TRUE(report[std::string("same ") + name]);
        EXPECT_EQ(report[std::string("useful ") + name], CUDA_SUCCESS);
        EXPECT_EQ(report[name], CUDA_SUCCESS) << name;
    }
}

TEST_F(Contexts, AfterAResetAndARetainEveryThreadWorksOn) {
    expect_all_work(ask([](Cuda& cuda, CUcontext primary, Report& found) {
        call_first(cuda, primary, found, [&] { return cuda.cuDevicePrimaryCtxReset_v2(0); });
    }));
}

TEST_F(Contexts, AfterTheLastReleaseAndARetainEveryThreadWorksOn) {
    expect_all_work(ask([](Cuda& cuda, CUcontext primary, Report& found) {
        call_first(cuda, primary, found, [&] { return cuda.cuDevicePrimaryCtxRelease_v2(0); });
    }));
}

// The primary context lies twice on the thread's stack, and both times it has ended meanwhile.
TEST_F(Contexts, AfterAResetAndARetainAThreadWorksInWhatAPopUncovers) {
    const Report report = ask([](Cuda& cuda, CUcontext primary, Report& found) {
        std::promise<void> ready;
        std::promise<void> go;
        std::thread other([&] {
            CUcontext popped{};
            CUevent event{};
            cuda.cuCtxPushCurrent_v2(primary);
            cuda.cuCtxPushCurrent_v2(primary);
            found.set("before", cuda.cuEventCreate(&event, CU_EVENT_DEFAULT));
            ready.set_value();
            go.get_future().wait();
            found.set("above", cuda.cuEventCreate(&event, CU_EVENT_DEFAULT) +
                                   cuda.cuEventCreate(&event, CU_EVENT_DEFAULT));
            found.set("pop", cuda.cuCtxPopCurrent_v2(&popped));
            found.set("below", cuda.cuEventCreate(&event, CU_EVENT_DEFAULT));
            found.set("another pop", cuda.cuCtxPopCurrent_v2(&popped));
            found.set("none", cuda.cuEventCreate(&event, CU_EVENT_DEFAULT));
            cuda.cuCtxSetCurrent(primary);
            found.set("set", cuda.cuEventCreate(&event, CU_EVENT_DEFAULT));
        });
        ready.get_future().wait();
        CUcontext again{};
        found.set("reset", cuda.cuDevicePrimaryCtxReset_v2(0));
        cuda.cuDevicePrimaryCtxRetain(&again, 0);
        go.set_value();
        other.join();
    });
    for (const char* step : {"before", "reset", "above", "pop", "below", "another pop", "set"}) {
        EXPECT_EQ(report[step], CUDA_SUCCESS) << step;
    }
    EXPECT_EQ(report["none"], CUDA_ERROR_INVALID_CONTEXT);
}

// Another home ends after the thread has found the one before replaced.
TEST_F(Contexts, AThreadWorksOnAfterEachOfTwoResets) {
    const Report report = ask([](Cuda& cuda, CUcontext primary, Report& found) {
        std::array<std::promise<void>, 3> steps;
        std::array<std::promise<void>, 3> done;
        std::thread other([&] {
            CUevent event{};
            cuda.cuCtxSetCurrent(primary);
            for (std::size_t i = 0; i < steps.size(); ++i) {
                steps[i].get_future().wait();
                found.set("events " + std::to_string(i),
                          cuda.cuEventCreate(&event, CU_EVENT_DEFAULT) +
                              cuda.cuEventCreate(&event, CU_EVENT_DEFAULT));
                done[i].set_value();
            }
        });
        for (std::size_t i = 0; i < steps.size(); ++i) {
            CUcontext again{};
            if (i != 0) cuda.cuDevicePrimaryCtxReset_v2(0);
            if (i != 0) cuda.cuDevicePrimaryCtxRetain(&again, 0);
            steps[i].set_value();
            done[i].get_future().wait();
        }
        other.join();
    });
    for (const char* step : {"events 0", "events 1", "events 2"}) {
        EXPECT_EQ(report[step], CUDA_SUCCESS) << step;
    }
}

TEST_F(Contexts, IdsAreThePrimarys) {
    const Report report = ask([](Cuda& cuda, CUcontext primary, Report& found) {
        const auto ask_id = reinterpret_cast<decltype(&::cuCtxGetId)>(cuda.symbol("cuCtxGetId"));
        if (ask_id == nullptr) return;
        unsigned long long by_handle = 0;
        unsigned long long by_null = 1;
        found.set("result", ask_id(primary, &by_handle) + ask_id(nullptr, &by_null));
        found.set("same", by_handle == by_null);
    });
    if (!report.has("same")) GTEST_SKIP() << "no cuCtxGetId before CUDA 12.0";
    EXPECT_EQ(report["result"], CUDA_SUCCESS);
    EXPECT_TRUE(report["same"]);
}

}  // namespace
}  // namespace gpu
