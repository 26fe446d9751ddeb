// Stream capture: what it forbids, and the graphs that it makes.
#include <gtest/gtest.h>

#include "tests/gpu/support/green.h"
#include "tests/gpu/support/inspect.h"
#include "tests/gpu/support/lab.h"

namespace gpu {
namespace {

constexpr auto kGlobal = CU_STREAM_CAPTURE_MODE_GLOBAL;
constexpr auto kRelaxed = CU_STREAM_CAPTURE_MODE_RELAXED;

Report in_lab(const std::function<void(Lab& lab, Report& found)>& work) {
    return in_child(Lab::environment(), [&](Cuda& cuda, Report& found) {
        Lab lab(cuda);
        work(lab, found);
    });
}

// Ends the capture: reports end (its result) and nodes (-1 without a graph).
CUgraph end_capture(Lab& lab, CUstream stream, Report& found) {
    CUgraph graph{};
    found.set("end", lab.cuda.cuStreamEndCapture(stream, &graph));
    std::size_t nodes = 0;
    if (graph != nullptr) lab.cuda.cuGraphGetNodes(graph, nullptr, &nodes);
    found.set("nodes", graph != nullptr ? static_cast<long long>(nodes) : -1);
    return graph;
}

long long status_of(Lab& lab, CUstream stream) {
    CUstreamCaptureStatus status{};
    const CUresult result = lab.cuda.cuStreamIsCapturing(stream, &status);
    return result == CUDA_SUCCESS ? status : -result;
}

TEST(Capture, DoesNothingUntilTheGraphIsLaunched) {
    const Report report = in_lab([](Lab& lab, Report& found) {
        CUstream stream = lab.stream(CU_STREAM_DEFAULT);
        found.set("before", status_of(lab, stream));
        found.set("begin", lab.cuda.cuStreamBeginCapture_v2(stream, kGlobal));
        found.set("during", status_of(lab, stream));
        found.set("write", lab.write(stream, 0, 5));
        found.set("launch", lab.launch(stream));
        CUgraph graph = end_capture(lab, stream, found);
        found.set("after", status_of(lab, stream));
        lab.cuda.cuStreamSynchronize(stream);
        found.set("early", lab.read(0));
        CUgraphExec exec{};
        found.set("instantiate", lab.cuda.cuGraphInstantiateWithFlags(&exec, graph, 0));
        found.set("destroy", lab.cuda.cuGraphDestroy(graph));
        found.set("run", lab.cuda.cuGraphLaunch(exec, stream));
        found.set("wait", lab.cuda.cuStreamSynchronize(stream));
        found.set("late", lab.read(0));
        found.set("destroy exec", lab.cuda.cuGraphExecDestroy(exec));
    });
    for (const char* step : {"begin", "write", "launch", "end", "instantiate", "destroy", "run",
                             "wait", "destroy exec"}) {
        EXPECT_EQ(report[step], CUDA_SUCCESS) << step;
    }
    EXPECT_EQ(report["before"], CU_STREAM_CAPTURE_STATUS_NONE);
    EXPECT_EQ(report["during"], CU_STREAM_CAPTURE_STATUS_ACTIVE);
    EXPECT_EQ(report["after"], CU_STREAM_CAPTURE_STATUS_NONE);
    EXPECT_EQ(report["nodes"], 2);
    EXPECT_EQ(report["early"], 0);
    EXPECT_EQ(report["late"], 5);
}

TEST(Capture, TellsWhatItHasSoFar) {
    const Report report = in_lab([](Lab& lab, Report& found) {
        CUstream stream = lab.stream(CU_STREAM_NON_BLOCKING);
        cuuint64_t ids[2]{};
        for (cuuint64_t& id : ids) {
            lab.cuda.cuStreamBeginCapture_v2(stream, kGlobal);
            lab.launch(stream);
            lab.launch(stream);
            CUstreamCaptureStatus status{};
            CUgraph graph{};
            const CUgraphNode* last = nullptr;
            std::size_t count = 0;
            found.set("info", lab.cuda.cuStreamGetCaptureInfo_v2(stream, &status, &id, &graph,
                                                                 &last, &count));
            found.set("status", status);
            found.set("last", static_cast<long long>(count));
            found.set("same", end_capture(lab, stream, found) == graph);
        }
        found.set("new id", ids[0] != ids[1]);
    });
    EXPECT_EQ(report["info"], CUDA_SUCCESS);
    EXPECT_EQ(report["status"], CU_STREAM_CAPTURE_STATUS_ACTIVE);
    EXPECT_EQ(report["last"], 1) << "what the next node comes after";
    EXPECT_EQ(report["nodes"], 2);
    EXPECT_TRUE(report["same"]);
    EXPECT_TRUE(report["new id"]);
}

TEST(Capture, GraphsKeepTheLegacyStreamsOrder) {
    const Report report = in_lab([](Lab& lab, Report& found) {
        CUstream stream = lab.stream(CU_STREAM_DEFAULT);
        lab.cuda.cuStreamBeginCapture_v2(stream, kGlobal);
        lab.write(stream, 0, 5);
        CUgraphExec exec{};
        lab.cuda.cuGraphInstantiateWithFlags(&exec, end_capture(lab, stream, found), 0);
        lab.cuda.cuGraphLaunch(exec, stream);
        lab.cuda.cuCtxSynchronize();
        lab.write(stream, 0, 0);
        lab.close(nullptr);
        found.set("run", lab.cuda.cuGraphLaunch(exec, stream));
        found.set("waits", lab.waits([&] { lab.cuda.cuStreamSynchronize(stream); }));
        found.set("late", lab.read(0));
    });
    EXPECT_EQ(report["run"], CUDA_SUCCESS);
    EXPECT_TRUE(report["waits"]);
    EXPECT_EQ(report["late"], 5);
}

TEST(Capture, OfABlockingStreamIsSpoiltByTheLegacyStream) {
    for (CUstream legacy : {CUstream{}, CU_STREAM_LEGACY}) {
        const Report report = in_lab([legacy](Lab& lab, Report& found) {
            CUstream stream = lab.stream(CU_STREAM_DEFAULT);
            lab.cuda.cuStreamBeginCapture_v2(stream, kGlobal);
            lab.launch(stream);
            found.set("asked", status_of(lab, legacy));
            found.set("unspoilt", status_of(lab, stream));
            found.set("legacy", lab.launch(legacy));
            found.set("status", status_of(lab, stream));
            found.set("next", lab.launch(stream));
            end_capture(lab, stream, found);
            found.set("afterwards", lab.launch(legacy));
            found.set("again", lab.launch(stream));
        });
        EXPECT_EQ(report["asked"], -CUDA_ERROR_STREAM_CAPTURE_IMPLICIT);
        EXPECT_EQ(report["unspoilt"], CU_STREAM_CAPTURE_STATUS_ACTIVE);
        EXPECT_EQ(report["legacy"], CUDA_ERROR_STREAM_CAPTURE_IMPLICIT);
        EXPECT_EQ(report["status"], CU_STREAM_CAPTURE_STATUS_INVALIDATED);
        EXPECT_EQ(report["next"], CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
        EXPECT_EQ(report["end"], CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
        EXPECT_EQ(report["nodes"], -1);
        EXPECT_EQ(report["afterwards"], CUDA_SUCCESS);
        EXPECT_EQ(report["again"], CUDA_SUCCESS);
    }
}

// What the legacy stream is given, or asked, beside a captured blocking stream.
struct Beside {
    CUevent done;  // recorded and done
    CUevent never;
    CUgraphExec graph;
};
using Legacy = CUresult (*)(Lab& lab, const Beside& beside);
const std::pair<const char*, Legacy> kLegacy[] = {
    {"record",
     [](Lab& lab, const Beside& it) { return lab.cuda.cuEventRecord(it.never, nullptr); }},
    {"wait for an event",
     [](Lab& lab, const Beside& it) { return lab.cuda.cuStreamWaitEvent(nullptr, it.done, 0); }},
    {"wait for an event that was never recorded",
     [](Lab& lab, const Beside& it) { return lab.cuda.cuStreamWaitEvent(nullptr, it.never, 0); }},
    {"host function",
     [](Lab& lab, const Beside&) {
         return lab.cuda.cuLaunchHostFunc(
             nullptr, [](void*) {}, nullptr);
     }},
    {"callback",
     [](Lab& lab, const Beside&) {
         return lab.cuda.cuStreamAddCallback(
             nullptr, [](CUstream, CUresult, void*) {}, nullptr, 0);
     }},
    {"fill", [](Lab& lab, const Beside&) { return lab.write(nullptr, 0, 1); }},
    {"fill at once",
     [](Lab& lab, const Beside&) { return lab.cuda.cuMemsetD8_v2(lab.cell(0), 1, 16); }},
    {"copy at once",
     [](Lab& lab, const Beside&) {
         char byte{};
         return lab.cuda.cuMemcpyDtoH_v2(&byte, lab.cell(0), 1);
     }},
    {"allocate",
     [](Lab& lab, const Beside&) {
         CUdeviceptr memory{};
         return lab.cuda.cuMemAllocAsync(&memory, 4096, nullptr);
     }},
    {"graph", [](Lab& lab, const Beside& it) { return lab.cuda.cuGraphLaunch(it.graph, nullptr); }},
    {"query", [](Lab& lab, const Beside&) { return lab.cuda.cuStreamQuery(nullptr); }},
    {"synchronise", [](Lab& lab, const Beside&) { return lab.cuda.cuStreamSynchronize(nullptr); }},
};

Report beside_a_capture(Legacy call) {
    return in_lab([call](Lab& lab, Report& found) {
        CUstream stream = lab.stream(CU_STREAM_DEFAULT);
        Beside beside{lab.event(), lab.event(), nullptr};
        lab.cuda.cuStreamBeginCapture_v2(stream, kRelaxed);
        lab.launch(stream);
        lab.cuda.cuGraphInstantiateWithFlags(&beside.graph, end_capture(lab, stream, found), 0);
        lab.cuda.cuEventRecord(beside.done, nullptr);
        lab.cuda.cuCtxSynchronize();
        lab.cuda.cuStreamBeginCapture_v2(stream, kRelaxed);
        lab.launch(stream);
        found.set("call", call(lab, beside));
        end_capture(lab, stream, found);
    });
}

TEST(Capture, OfABlockingStreamIsSpoiltByWhateverTheLegacyStreamIsGiven) {
    for (const auto& [name, call] : kLegacy) {
        const Report report = beside_a_capture(call);
        EXPECT_EQ(report["call"], CUDA_ERROR_STREAM_CAPTURE_IMPLICIT) << name;
        EXPECT_EQ(report["end"], CUDA_ERROR_STREAM_CAPTURE_INVALIDATED) << name;
    }
}

TEST(Capture, IsSpoiltByWaitingForTheContext) {
    for (const auto flags : {CU_STREAM_DEFAULT, CU_STREAM_NON_BLOCKING}) {
        const Report report = in_lab([flags](Lab& lab, Report& found) {
            CUstream stream = lab.stream(flags);
            lab.cuda.cuStreamBeginCapture_v2(stream, kRelaxed);
            found.set("call", lab.cuda.cuCtxSynchronize());
            end_capture(lab, stream, found);
        });
        EXPECT_EQ(report["call"], CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED) << flags;
        EXPECT_EQ(report["end"], CUDA_ERROR_STREAM_CAPTURE_INVALIDATED) << flags;
    }
}

TEST(Capture, BeginsOnceAndEndsOnce) {
    const Report report = in_lab([](Lab& lab, Report& found) {
        CUstream stream = lab.stream(CU_STREAM_NON_BLOCKING);
        end_capture(lab, stream, found);
        found.set("early end", found["end"]);
        found.set("begin", lab.cuda.cuStreamBeginCapture_v2(stream, kRelaxed));
        found.set("begin twice", lab.cuda.cuStreamBeginCapture_v2(stream, kRelaxed));
        end_capture(lab, stream, found);
    });
    EXPECT_EQ(report["early end"], CUDA_ERROR_ILLEGAL_STATE);
    EXPECT_EQ(report["begin"], CUDA_SUCCESS);
    EXPECT_EQ(report["begin twice"], CUDA_ERROR_ILLEGAL_STATE);
    EXPECT_EQ(report["end"], CUDA_SUCCESS);
}

TEST(Capture, OfANonBlockingStreamLeavesTheLegacyStreamFree) {
    const Report report = in_lab([](Lab& lab, Report& found) {
        CUstream stream = lab.stream(CU_STREAM_NON_BLOCKING);
        lab.cuda.cuStreamBeginCapture_v2(stream, kGlobal);
        lab.launch(stream);
        found.set("legacy", lab.launch(nullptr));
        found.set("blocking", lab.launch(CU_STREAM_PER_THREAD));
        end_capture(lab, stream, found);
    });
    EXPECT_EQ(report["legacy"], CUDA_SUCCESS);
    EXPECT_EQ(report["blocking"], CUDA_SUCCESS);
    EXPECT_EQ(report["end"], CUDA_SUCCESS);
    EXPECT_EQ(report["nodes"], 1);
}

TEST(Capture, OfTheLegacyStreamIsRefused) {
    const Report report = in_lab([](Lab& lab, Report& found) {
        found.set("null", lab.cuda.cuStreamBeginCapture_v2(nullptr, kGlobal));
        found.set("legacy", lab.cuda.cuStreamBeginCapture_v2(CU_STREAM_LEGACY, kRelaxed));
        found.set("per thread", lab.cuda.cuStreamBeginCapture_v2(CU_STREAM_PER_THREAD, kGlobal));
        end_capture(lab, CU_STREAM_PER_THREAD, found);
    });
    EXPECT_EQ(report["null"], CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
    EXPECT_EQ(report["legacy"], CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
    EXPECT_EQ(report["per thread"], CUDA_SUCCESS);
    EXPECT_EQ(report["end"], CUDA_SUCCESS);
}

TEST(Capture, IsSpoiltByAskingForTheStreamsProgress) {
    const std::pair<const char*, std::function<CUresult(Lab&, CUstream)>> kCalls[] = {
        {"synchronise", [](Lab& lab, CUstream s) { return lab.cuda.cuStreamSynchronize(s); }},
        {"query", [](Lab& lab, CUstream s) { return lab.cuda.cuStreamQuery(s); }}};
    for (const auto& [name, call] : kCalls) {
        const Report report = in_lab([&call = call](Lab& lab, Report& found) {
            CUstream stream = lab.stream(CU_STREAM_NON_BLOCKING);
            lab.cuda.cuStreamBeginCapture_v2(stream, kRelaxed);
            found.set("call", call(lab, stream));
            end_capture(lab, stream, found);
        });
        EXPECT_EQ(report["call"], CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED) << name;
        EXPECT_EQ(report["end"], CUDA_ERROR_STREAM_CAPTURE_INVALIDATED) << name;
    }
}

TEST(Capture, SpreadsByEventsAndWantsToBeJoined) {
    for (const bool join : {true, false}) {
        const Report report = in_lab([join](Lab& lab, Report& found) {
            CUstream stream = lab.stream(CU_STREAM_NON_BLOCKING);
            CUstream side = lab.stream(CU_STREAM_NON_BLOCKING);
            CUevent fork = lab.event();
            CUevent back = lab.event();
            lab.cuda.cuStreamBeginCapture_v2(stream, kGlobal);
            lab.launch(stream);
            lab.cuda.cuEventRecord(fork, stream);
            found.set("wait", lab.cuda.cuStreamWaitEvent(side, fork, 0));
            found.set("side", status_of(lab, side));
            found.set("work", lab.launch(side));
            lab.cuda.cuEventRecord(back, side);
            if (join) lab.cuda.cuStreamWaitEvent(stream, back, 0);
            end_capture(lab, stream, found);
            found.set("side after", status_of(lab, side));
        });
        EXPECT_EQ(report["wait"], CUDA_SUCCESS);
        EXPECT_EQ(report["side"], CU_STREAM_CAPTURE_STATUS_ACTIVE);
        EXPECT_EQ(report["work"], CUDA_SUCCESS);
        EXPECT_EQ(report["end"], join ? CUDA_SUCCESS : CUDA_ERROR_STREAM_CAPTURE_UNJOINED);
        EXPECT_EQ(report["nodes"], join ? 2 : -1);
        EXPECT_EQ(report["side after"], CU_STREAM_CAPTURE_STATUS_NONE);
    }
}

TEST(Capture, IsSpoiltByAnEndInAnotherStream) {
    const Report report = in_lab([](Lab& lab, Report& found) {
        CUstream stream = lab.stream(CU_STREAM_NON_BLOCKING);
        CUstream side = lab.stream(CU_STREAM_NON_BLOCKING);
        CUevent fork = lab.event();
        lab.cuda.cuStreamBeginCapture_v2(stream, kGlobal);
        lab.cuda.cuEventRecord(fork, stream);
        lab.cuda.cuStreamWaitEvent(side, fork, 0);
        CUgraph none{};
        found.set("other end", lab.cuda.cuStreamEndCapture(side, &none));
        end_capture(lab, stream, found);
    });
    EXPECT_EQ(report["other end"], CUDA_ERROR_STREAM_CAPTURE_UNMATCHED);
    EXPECT_EQ(report["end"], CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
}

TEST(Capture, KeepsItsEvents) {
    const Report report = in_lab([](Lab& lab, Report& found) {
        CUstream stream = lab.stream(CU_STREAM_NON_BLOCKING);
        CUevent outside = lab.event();
        CUevent inside = lab.event();
        lab.cuda.cuEventRecord(outside, stream);
        lab.cuda.cuStreamBeginCapture_v2(stream, kRelaxed);
        lab.cuda.cuEventRecord(inside, stream);
        found.set("inside", lab.cuda.cuEventQuery(inside));
        end_capture(lab, stream, found);
        found.set("inside end", found["end"]);
        lab.cuda.cuStreamBeginCapture_v2(stream, kRelaxed);
        found.set("outside", lab.cuda.cuStreamWaitEvent(stream, outside, 0));
        end_capture(lab, stream, found);
    });
    EXPECT_EQ(report["inside"], CUDA_ERROR_CAPTURED_EVENT);
    EXPECT_EQ(report["inside end"], CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
    EXPECT_EQ(report["outside"], CUDA_ERROR_STREAM_CAPTURE_ISOLATION);
    EXPECT_EQ(report["end"], CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
}

TEST(Capture, EndsInAnotherThreadToo) {
    const Report report = in_lab([](Lab& lab, Report& found) {
        CUstream stream = lab.stream(CU_STREAM_NON_BLOCKING);
        lab.cuda.cuStreamBeginCapture_v2(stream, kGlobal);
        in_thread(lab.cuda, lab.primary, [&] {
            CUgraph none{};
            found.set("thread", lab.cuda.cuStreamEndCapture(stream, &none));
        });
        found.set("after", status_of(lab, stream));
        end_capture(lab, stream, found);
    });
    EXPECT_EQ(report["thread"], CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD);
    EXPECT_EQ(report["after"], CU_STREAM_CAPTURE_STATUS_NONE);
    EXPECT_EQ(report["end"], CUDA_ERROR_ILLEGAL_STATE);
}

TEST(Capture, ForbidsToAskForOtherEventsByItsMode) {
    for (const bool allowed : {false, true}) {
        const Report report = in_lab([allowed](Lab& lab, Report& found) {
            CUstream stream = lab.stream(CU_STREAM_NON_BLOCKING);
            CUevent other = lab.event();
            lab.cuda.cuStreamBeginCapture_v2(stream, allowed ? kRelaxed : kGlobal);
            found.set("event", lab.cuda.cuEventQuery(other));
            end_capture(lab, stream, found);
        });
        EXPECT_EQ(report["event"], allowed ? CUDA_SUCCESS : CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
        EXPECT_EQ(report["end"], allowed ? CUDA_SUCCESS : CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
    }
}

// cuMemAlloc is the header's example of a potentially unsafe call.
TEST(Capture, ForbidsUnsafeCallsByItsModeAndTheThreads) {
    const struct {
        CUstreamCaptureMode capture;
        CUstreamCaptureMode thread;
        bool same_thread;
        bool allowed;
    } kCases[] = {
        {kGlobal, kGlobal, true, false},
        {kGlobal, kGlobal, false, false},
        {kGlobal, kRelaxed, true, true},
        {kRelaxed, kGlobal, true, true},
        {CU_STREAM_CAPTURE_MODE_THREAD_LOCAL, kGlobal, true, false},
        {CU_STREAM_CAPTURE_MODE_THREAD_LOCAL, kGlobal, false, true},
        {kGlobal, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL, false, true},
    };
    for (const auto& each : kCases) {
        const Report report = in_lab([&each](Lab& lab, Report& found) {
            CUstream stream = lab.stream(CU_STREAM_NON_BLOCKING);
            lab.cuda.cuStreamBeginCapture_v2(stream, each.capture);
            const auto allocate = [&] {
                CUstreamCaptureMode mode = each.thread;
                lab.cuda.cuThreadExchangeStreamCaptureMode(&mode);
                found.set("was", mode);
                CUdeviceptr memory{};
                found.set("allocate", lab.cuda.cuMemAlloc_v2(&memory, 4096));
                lab.cuda.cuThreadExchangeStreamCaptureMode(&mode);
                found.set("is", mode);
            };
            if (each.same_thread) {
                allocate();
            } else {
                in_thread(lab.cuda, lab.primary, allocate);
            }
            end_capture(lab, stream, found);
        });
        const std::string name = std::to_string(each.capture) + std::to_string(each.thread) +
                                 (each.same_thread ? " same" : " other");
        EXPECT_EQ(report["was"], kGlobal) << name;
        EXPECT_EQ(report["is"], each.thread) << name;
        EXPECT_EQ(report["allocate"],
                  each.allowed ? CUDA_SUCCESS : CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED)
            << name;
        EXPECT_EQ(report["end"],
                  each.allowed ? CUDA_SUCCESS : CUDA_ERROR_STREAM_CAPTURE_INVALIDATED)
            << name;
    }
}

// All that may wait for the device.
TEST(Capture, CountsPinnedMemoryAndFreeingAmongUnsafeCalls) {
    const std::pair<const char*, CUresult (*)(Cuda & cuda, CUdeviceptr memory, void* pinned)>
        kCalls[] = {
            {"free",
             [](Cuda& cuda, CUdeviceptr memory, void*) { return cuda.cuMemFree_v2(memory); }},
            {"pinned",
             [](Cuda& cuda, CUdeviceptr, void*) {
                 void* more = nullptr;
                 return cuda.cuMemHostAlloc(&more, 4096, 0);
             }},
            {"free pinned",
             [](Cuda& cuda, CUdeviceptr, void* pinned) { return cuda.cuMemFreeHost(pinned); }},
        };
    for (const auto& [name, call] : kCalls) {
        const Report report = in_lab([&call = call](Lab& lab, Report& found) {
            CUstream stream = lab.stream(CU_STREAM_NON_BLOCKING);
            CUdeviceptr memory{};
            void* pinned = nullptr;
            lab.cuda.cuMemAlloc_v2(&memory, 4096);
            lab.cuda.cuMemHostAlloc(&pinned, 4096, 0);
            lab.cuda.cuStreamBeginCapture_v2(stream, kGlobal);
            found.set("call", call(lab.cuda, memory, pinned));
            end_capture(lab, stream, found);
        });
        EXPECT_EQ(report["call"], CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED) << name;
        EXPECT_EQ(report["end"], CUDA_ERROR_STREAM_CAPTURE_INVALIDATED) << name;
    }
}

TEST(GreenCapture, AllowsWhatIsRefusedElsewhere) {
    if (!have_green()) GTEST_SKIP() << "CUDA " << part().driver;
    const Report report = in_lab([](Lab& lab, Report& found) {
        const Green green =
            make_green(lab.cuda, {split(lab.cuda, sms_of_device(lab.cuda), 8).groups[0]});
        lab.cuda.cuCtxSetCurrent(green.context);
        CUstream stream = lab.stream(CU_STREAM_DEFAULT);
        lab.cuda.cuStreamBeginCapture_v2(stream, kGlobal);
        lab.launch(stream);
        found.set("null", lab.launch(nullptr));
        end_capture(lab, stream, found);
        found.set("first end", found["end"]);
        found.set("begin null", lab.cuda.cuStreamBeginCapture_v2(nullptr, kGlobal));
        lab.launch(nullptr);
        end_capture(lab, nullptr, found);
    });
    EXPECT_EQ(report["null"], CUDA_SUCCESS);
    EXPECT_EQ(report["first end"], CUDA_SUCCESS);
    EXPECT_EQ(report["begin null"], CUDA_SUCCESS);
    EXPECT_EQ(report["end"], CUDA_SUCCESS);
    EXPECT_EQ(report["nodes"], 1);
}

TEST(GreenCapture, GraphsRunWhereTheyWereCaptured) {
    if (!have_green()) GTEST_SKIP() << "CUDA " << part().driver;
    const Report report = in_lab([](Lab& lab, Report& found) {
        Cuda& cuda = lab.cuda;
        const Split made = split(cuda, sms_of_device(cuda), 8);
        const Green a = make_green(cuda, {made.groups[0]});
        const Green b = make_green(cuda, {made.groups[1], made.groups[2]});
        cuda.cuCtxSetCurrent(a.context);
        SmProbe probe(cuda);
        CUstream stream = lab.stream(CU_STREAM_NON_BLOCKING);
        cuda.cuStreamBeginCapture_v2(stream, kGlobal);
        found.set("captured", probe.launch(stream));
        CUgraphExec exec{};
        cuda.cuGraphInstantiateWithFlags(&exec, end_capture(lab, stream, found), 0);
        const SmMask of_a = sms_of(cuda, nullptr);
        cuda.cuCtxSetCurrent(b.context);
        found.set("launch", cuda.cuGraphLaunch(exec, nullptr));
        cuda.cuStreamSynchronize(nullptr);
        found.set("in a", probe.marked() == of_a && of_a.any());
    });
    EXPECT_EQ(report["captured"], CUDA_SUCCESS);
    EXPECT_EQ(report["launch"], CUDA_SUCCESS);
    EXPECT_TRUE(report["in a"]);
}

// What a confined program is told, and where its nodes run, is no other than this.
TEST(Graph, KernelNodesNameThePrimaryContextAndRunOnItsSms) {
    const Report report = in_lab([](Lab& lab, Report& found) {
        Cuda& cuda = lab.cuda;
        if (cuda.cuGraphKernelNodeSetParams_v2 == nullptr) return found.set("absent", 1);
        SmProbe probe(cuda);
        CUstream stream = lab.stream(CU_STREAM_NON_BLOCKING);
        cuda.cuStreamBeginCapture_v2(stream, kGlobal);
        probe.launch(stream);
        CUgraph graph = end_capture(lab, stream, found);
        CUgraphNode nodes[2]{};
        std::size_t count = 2;
        cuda.cuGraphGetNodes(graph, nodes, &count);
        CUDA_KERNEL_NODE_PARAMS parameters{};
        CUgraphNode kernel = nodes[1];
        found.set("get", cuda.cuGraphKernelNodeGetParams_v2(kernel, &parameters));
        found.set("primary", parameters.ctx == lab.primary);
        const auto sms = [&](CUgraph launched) {
            CUgraphExec exec{};
            cuda.cuGraphInstantiateWithFlags(&exec, launched, 0);
            cuda.cuGraphLaunch(exec, stream);
            cuda.cuStreamSynchronize(stream);
            return static_cast<long long>(probe.marked().count());
        };
        found.set("captured", sms(graph));
        parameters.ctx = lab.primary;
        found.set("set", cuda.cuGraphKernelNodeSetParams_v2(kernel, &parameters));
        found.set("after it", sms(graph));
        // What they point to is the node's, and was replaced.
        cuda.cuGraphKernelNodeGetParams_v2(kernel, &parameters);
        CUgraph built{};
        CUgraphNode node{};
        cuda.cuGraphCreate(&built, 0);
        found.set("add", cuda.cuGraphAddKernelNode_v2(&node, built, nullptr, 0, &parameters));
        found.set("added", sms(built));
        CUgraphExec exec{};
        cuda.cuGraphInstantiateWithFlags(&exec, graph, 0);
        found.set("set executable",
                  cuda.cuGraphExecKernelNodeSetParams_v2(exec, kernel, &parameters));
        cuda.cuGraphLaunch(exec, stream);
        cuda.cuStreamSynchronize(stream);
        found.set("executed", static_cast<long long>(probe.marked().count()));
    });
    if (report.has("absent")) GTEST_SKIP() << "this driver lacks an entry point of the question";
    for (const char* call : {"get", "set", "add", "set executable"}) {
        EXPECT_EQ(report[call], CUDA_SUCCESS) << call;
    }
    EXPECT_TRUE(report["primary"]);
    for (const char* graph : {"captured", "after it", "added", "executed"}) {
        EXPECT_EQ(report[graph], part().sms) << graph;
    }
}

}  // namespace
}  // namespace gpu
