// What the program is told about its streams, and the stand-ins for threads' default streams.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "shim/cuda/stream/domain.h"
#include "shim/cuda/stream/stand_in.h"
#include "tests/unit/stream_lab.h"

namespace ration::cuda::stream {
namespace {

TEST(StreamAnswers, NameThePrimaryContextAndNoGreenOne) {
    const Report report = confined([](Lab& lab, Report& found) {
        const CUstream streams[] = {nullptr, CU_STREAM_LEGACY, CU_STREAM_PER_THREAD,
                                    lab.stream(CU_STREAM_DEFAULT),
                                    lab.stream(CU_STREAM_NON_BLOCKING)};
        int right = 0;
        for (CUstream each : streams) {
            CUcontext context{};
            CUcontext root{};
            auto green = reinterpret_cast<CUgreenCtx>(1);
            auto alone = reinterpret_cast<CUgreenCtx>(1);
            lab.cuda.cuStreamGetCtx(each, &context);
            lab.cuda.cuStreamGetCtx_v2(each, &root, &green);
            lab.cuda.cuStreamGetGreenCtx(each, &alone);
            right += context == home().primary && root == home().primary && green == nullptr &&
                     alone == nullptr;
        }
        found.set("right", right);
    });
    EXPECT_EQ(report["right"], 5);
}

TEST(StreamAnswers, ToCallbacksNameTheStreamAsTheProgramDid) {
    const Report report = confined([](Lab& lab, Report& found) {
        CUstream heard[2]{nullptr, CU_STREAM_LEGACY};
        const auto hear = [](CUstream stream, CUresult, void* told) {
            *static_cast<CUstream*>(told) = stream;
        };
        found.set("add", lab.cuda.cuStreamAddCallback(CU_STREAM_PER_THREAD, hear, &heard[0], 0));
        found.set("add_ptsz",
                  program<Entry::cuStreamAddCallback_ptsz>()(nullptr, hear, &heard[1], 0));
        found.set("refused", lab.cuda.cuStreamAddCallback(CU_STREAM_PER_THREAD, hear, nullptr, 7));
        lab.cuda.cuStreamSynchronize(CU_STREAM_PER_THREAD);
        found.set("heard", heard[0] == CU_STREAM_PER_THREAD && heard[1] == nullptr);
    });
    EXPECT_EQ(report["add"], CUDA_SUCCESS);
    EXPECT_EQ(report["add_ptsz"], CUDA_SUCCESS);
    EXPECT_EQ(report["refused"], CUDA_ERROR_INVALID_VALUE);
    EXPECT_TRUE(report["heard"]);
}

// A thread's stand-in is another's when the thread has ended, unless it is still busy.
TEST(StreamAnswers, StandInsServeOneThreadAfterTheOther) {
    const Report report = confined([](Lab& lab, Report& found) {
        const auto id_in_thread = [&](bool leave_busy) {
            unsigned long long id = 0;
            gpu::in_thread(lab.cuda, lab.primary, [&] {
                lab.cuda.cuStreamGetId(CU_STREAM_PER_THREAD, &id);
                if (leave_busy) lab.close(CU_STREAM_PER_THREAD);
            });
            return id;
        };
        const auto first = id_in_thread(false);
        const auto second = id_in_thread(true);
        const auto third = id_in_thread(false);
        lab.open();
        found.set("same", first == second);
        found.set("other", third != second);
        unsigned long long own = 0;
        lab.cuda.cuStreamGetId(CU_STREAM_PER_THREAD, &own);
        unsigned long long again = 0;
        lab.cuda.cuStreamGetId(CU_STREAM_PER_THREAD, &again);
        found.set("stays", own == again);
    });
    EXPECT_TRUE(report["same"]);
    EXPECT_TRUE(report["other"]);
    EXPECT_TRUE(report["stays"]);
}

TEST(StreamAnswers, LaunchConfigurationsStayTheProgramsOwn) {
    const Report report = confined([](Lab& lab, Report& found) {
        const auto launch = program<Entry::cuLaunchKernelEx_ptsz>();
        CUlaunchConfig config{};
        config.gridDimX = config.gridDimY = config.gridDimZ = 1;
        config.blockDimX = config.blockDimY = config.blockDimZ = 1;
        lab.close(nullptr);
        found.set("bad", launch(&config, nullptr, nullptr, nullptr));
        found.set("none", launch(nullptr, nullptr, nullptr, nullptr));
        found.set("stream", config.hStream == nullptr);
        config.hStream = CU_STREAM_PER_THREAD;
        launch(&config, nullptr, nullptr, nullptr);
        found.set("handle", config.hStream == CU_STREAM_PER_THREAD);
        lab.open();
    });
    EXPECT_EQ(report["bad"], CUDA_ERROR_INVALID_HANDLE) << "of the kernel, for the stream is there";
    EXPECT_EQ(report["none"], CUDA_ERROR_INVALID_VALUE);
    EXPECT_TRUE(report["stream"]);
    EXPECT_TRUE(report["handle"]);
}

// The layer's own streams and events are made while the program captures in the strictest mode.
TEST(StreamAnswers, CapturesAreNotSpoiltByWhatTheLayerMakes) {
    const Report report = confined([](Lab& lab, Report& found) {
        CUstream other = lab.stream(CU_STREAM_DEFAULT);
        CUstream stream = lab.stream(CU_STREAM_NON_BLOCKING);
        lab.cuda.cuStreamBeginCapture_v2(stream, CU_STREAM_CAPTURE_MODE_GLOBAL);
        lab.launch(stream);
        found.set("write", lab.write(other, 0, 1) + lab.write(nullptr, 0, 2) +
                               lab.write(CU_STREAM_PER_THREAD, 0, 3));
        CUgraph graph{};
        found.set("end", lab.cuda.cuStreamEndCapture(stream, &graph));
        std::size_t nodes = 0;
        lab.cuda.cuGraphGetNodes(graph, nullptr, &nodes);
        found.set("nodes", static_cast<long long>(nodes));
    });
    EXPECT_EQ(report["write"], CUDA_SUCCESS);
    EXPECT_EQ(report["end"], CUDA_SUCCESS);
    EXPECT_EQ(report["nodes"], 1);
}

// The NULL stream's operations before a capture are not brought into it.
TEST(StreamAnswers, CapturesOfBlockingStreamsHaveNoEventsOfTheLayers) {
    const Report report = confined([](Lab& lab, Report& found) {
        CUstream stream = lab.stream(CU_STREAM_DEFAULT);
        lab.write(nullptr, 0, 1);
        lab.cuda.cuStreamBeginCapture_v2(stream, CU_STREAM_CAPTURE_MODE_GLOBAL);
        found.set("launch", lab.launch(stream));
        CUgraph graph{};
        found.set("end", lab.cuda.cuStreamEndCapture(stream, &graph));
        std::size_t nodes = 0;
        lab.cuda.cuGraphGetNodes(graph, nullptr, &nodes);
        found.set("nodes", static_cast<long long>(nodes));
    });
    EXPECT_EQ(report["launch"], CUDA_SUCCESS);
    EXPECT_EQ(report["end"], CUDA_SUCCESS);
    EXPECT_EQ(report["nodes"], 1);
}

// An event brings a capture into a blocking stream: then the NULL stream cannot be used either.
TEST(StreamAnswers, CapturesThatSpreadForbidTheNullStream) {
    const Report report = confined([](Lab& lab, Report& found) {
        CUstream stream = lab.stream(CU_STREAM_NON_BLOCKING);
        CUstream side = lab.stream(CU_STREAM_DEFAULT);
        CUevent fork = lab.event();
        lab.write(side, 0, 1);
        lab.cuda.cuStreamBeginCapture_v2(stream, CU_STREAM_CAPTURE_MODE_GLOBAL);
        lab.cuda.cuEventRecord(fork, stream);
        found.set("before", lab.write(nullptr, 0, 2));
        lab.cuda.cuStreamWaitEvent(side, fork, 0);
        found.set("launch", lab.launch(side));
        found.set("null", lab.write(nullptr, 0, 3));
        CUgraph graph{};
        found.set("end", lab.cuda.cuStreamEndCapture(stream, &graph));
        found.set("after", lab.write(nullptr, 0, 4));
    });
    EXPECT_EQ(report["before"], CUDA_SUCCESS);
    EXPECT_EQ(report["launch"], CUDA_SUCCESS);
    EXPECT_EQ(report["null"], CUDA_ERROR_STREAM_CAPTURE_IMPLICIT);
    EXPECT_EQ(report["end"], CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
    EXPECT_EQ(report["after"], CUDA_SUCCESS);
}

TEST(StreamAnswers, EventsDoNotBringACaptureIntoTheNullStream) {
    const Report report = confined([](Lab& lab, Report& found) {
        CUstream stream = lab.stream(CU_STREAM_NON_BLOCKING);
        CUevent inside = lab.event();
        CUevent outside = lab.event();
        lab.cuda.cuStreamBeginCapture_v2(stream, CU_STREAM_CAPTURE_MODE_GLOBAL);
        lab.cuda.cuEventRecord(inside, stream);
        found.set("outside", lab.cuda.cuStreamWaitEvent(nullptr, outside, 0));
        CUstreamCaptureStatus status{};
        lab.cuda.cuStreamIsCapturing(stream, &status);
        found.set("status", status);
        found.set("inside", lab.cuda.cuStreamWaitEvent(nullptr, inside, 0));
        CUgraph graph{};
        found.set("end", lab.cuda.cuStreamEndCapture(stream, &graph));
    });
    EXPECT_EQ(report["outside"], CUDA_SUCCESS);
    EXPECT_EQ(report["status"], CU_STREAM_CAPTURE_STATUS_ACTIVE);
    EXPECT_EQ(report["inside"], CUDA_ERROR_STREAM_CAPTURE_IMPLICIT);
    EXPECT_EQ(report["end"], CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
}

}  // namespace
}  // namespace ration::cuda::stream
