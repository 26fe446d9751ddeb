// Events, and the program's own functions in a stream.
#include <gtest/gtest.h>

#include <atomic>
#include <vector>

#include "tests/gpu/support/lab.h"

namespace gpu {
namespace {

Report in_lab(const std::function<void(Lab& lab, Report& found)>& work) {
    return in_child(Lab::environment(), [&](Cuda& cuda, Report& found) {
        Lab lab(cuda);
        work(lab, found);
        lab.cuda.cuCtxSynchronize();
    });
}

TEST(Events, AreDoneWhenTheWorkBeforeThemIs) {
    const Report report = in_lab([](Lab& lab, Report& found) {
        CUstream stream = lab.stream(CU_STREAM_NON_BLOCKING);
        CUevent event = lab.event();
        found.set("never", lab.cuda.cuEventQuery(event));
        lab.close(stream);
        found.set("record", lab.cuda.cuEventRecord(event, stream));
        found.set("busy", lab.cuda.cuEventQuery(event));
        found.set("waits", lab.waits([&] { lab.cuda.cuEventSynchronize(event); }));
        found.set("after", lab.cuda.cuEventQuery(event));
        found.set("destroy", lab.cuda.cuEventDestroy_v2(event));
    });
    EXPECT_EQ(report["never"], CUDA_SUCCESS);
    EXPECT_EQ(report["record"], CUDA_SUCCESS);
    EXPECT_EQ(report["busy"], CUDA_ERROR_NOT_READY);
    EXPECT_TRUE(report["waits"]);
    EXPECT_EQ(report["after"], CUDA_SUCCESS);
    EXPECT_EQ(report["destroy"], CUDA_SUCCESS);
}

TEST(Events, OrderStreamsAsTheyWereWhenWaitedFor) {
    const Report report = in_lab([](Lab& lab, Report& found) {
        CUstream first = lab.stream(CU_STREAM_NON_BLOCKING);
        CUstream then = lab.stream(CU_STREAM_NON_BLOCKING);
        CUevent event = lab.event();
        lab.close(first, 0);
        lab.cuda.cuEventRecord(event, first);
        found.set("wait", lab.cuda.cuStreamWaitEvent(then, event, 0));
        // Neither a later recording nor the event's end changes what was waited for.
        lab.close(first, 1);
        lab.cuda.cuEventRecord(event, first);
        found.set("destroy", lab.cuda.cuEventDestroy_v2(event));
        lab.write(then, 0, 1);
        found.set("early", lab.read(0));
        found.set("waits", lab.waits([&] { lab.cuda.cuStreamSynchronize(then); }, 0));
        found.set("late", lab.read(0));
        found.set("first", lab.cuda.cuStreamQuery(first));
        lab.open(1);
    });
    EXPECT_EQ(report["wait"], CUDA_SUCCESS);
    EXPECT_EQ(report["destroy"], CUDA_SUCCESS);
    EXPECT_EQ(report["early"], 0);
    EXPECT_TRUE(report["waits"]);
    EXPECT_EQ(report["late"], 1);
    EXPECT_EQ(report["first"], CUDA_ERROR_NOT_READY);
}

TEST(Events, TellTheTimeBetweenThem) {
    const Report report = in_lab([](Lab& lab, Report& found) {
        CUstream stream = lab.stream(CU_STREAM_NON_BLOCKING);
        CUevent start = lab.event(CU_EVENT_DEFAULT);
        CUevent end = lab.event(CU_EVENT_DEFAULT);
        CUevent untimed = lab.event();
        float ms = -1;
        found.set("never", lab.cuda.cuEventElapsedTime(&ms, start, end));
        lab.cuda.cuEventRecord(start, stream);
        lab.close(stream);
        lab.cuda.cuEventRecord(end, stream);
        lab.cuda.cuEventRecord(untimed, stream);
        found.set("pending", lab.cuda.cuEventElapsedTime(&ms, start, end));
        lab.waits([&] { lab.cuda.cuEventSynchronize(untimed); });
        found.set("untimed", lab.cuda.cuEventElapsedTime(&ms, start, untimed));
        found.set("done", lab.cuda.cuEventElapsedTime(&ms, start, end));
        found.set("positive", ms > 0);
    });
    EXPECT_EQ(report["never"], CUDA_ERROR_INVALID_HANDLE);
    EXPECT_EQ(report["pending"], CUDA_ERROR_NOT_READY);
    EXPECT_EQ(report["untimed"], CUDA_ERROR_INVALID_HANDLE);
    EXPECT_EQ(report["done"], CUDA_SUCCESS);
    EXPECT_TRUE(report["positive"]);
}

// What the functions of one test tell it.
struct Heard {
    std::vector<int> order;
    CUstream stream = nullptr;
    CUresult status = CUDA_ERROR_UNKNOWN;
    std::atomic<bool> go{false};
};

TEST(HostFunctions, RunInTheStreamsOrder) {
    const Report report = in_lab([](Lab& lab, Report& found) {
        CUstream stream = lab.stream(CU_STREAM_DEFAULT);
        Heard heard;
        lab.close(stream);
        found.set(
            "launch",
            lab.cuda.cuLaunchHostFunc(
                stream, [](void* data) { static_cast<Heard*>(data)->order.push_back(1); }, &heard));
        found.set("add", lab.cuda.cuStreamAddCallback(
                             stream,
                             [](CUstream s, CUresult status, void* data) {
                                 auto* told = static_cast<Heard*>(data);
                                 told->order.push_back(2);
                                 told->stream = s;
                                 told->status = status;
                             },
                             &heard, 0));
        lab.write(nullptr, 0, 1);
        found.set("waits", lab.waits([&] { lab.cuda.cuStreamSynchronize(nullptr); }));
        found.set("order", heard.order == std::vector<int>{1, 2});
        found.set("stream", heard.stream == stream);
        found.set("status", heard.status);
        found.set("null", lab.cuda.cuLaunchHostFunc(stream, nullptr, nullptr));
    });
    EXPECT_EQ(report["launch"], CUDA_SUCCESS);
    EXPECT_EQ(report["add"], CUDA_SUCCESS);
    EXPECT_TRUE(report["waits"]);
    EXPECT_TRUE(report["order"]);
    EXPECT_TRUE(report["stream"]) << "a callback gets the handle that the program gave";
    EXPECT_EQ(report["status"], CUDA_SUCCESS);
    EXPECT_EQ(report["null"], CUDA_ERROR_INVALID_VALUE);
}

TEST(HostFunctions, HoldTheirStreamUpAndNoOther) {
    const Report report = in_lab([](Lab& lab, Report& found) {
        CUstream stream = lab.stream(CU_STREAM_NON_BLOCKING);
        CUstream other = lab.stream(CU_STREAM_NON_BLOCKING);
        Heard heard;
        lab.cuda.cuLaunchHostFunc(
            stream,
            [](void* data) {
                auto* told = static_cast<Heard*>(data);
                told->go.wait(false);
                told->order.push_back(1);
            },
            &heard);
        lab.write(stream, 0, 1);
        lab.write(other, 1, 2);
        found.set("other", lab.cuda.cuStreamSynchronize(other));
        found.set("busy", lab.cuda.cuStreamQuery(stream));
        found.set("early", lab.read(0) * 10 + lab.read(1));
        heard.go = true;
        heard.go.notify_all();
        found.set("end", lab.cuda.cuStreamSynchronize(stream));
        found.set("late", lab.read(0) * 10 + lab.read(1));
        found.set("ran", static_cast<long long>(heard.order.size()));
    });
    EXPECT_EQ(report["other"], CUDA_SUCCESS);
    EXPECT_EQ(report["busy"], CUDA_ERROR_NOT_READY);
    EXPECT_EQ(report["early"], 2);
    EXPECT_EQ(report["end"], CUDA_SUCCESS);
    EXPECT_EQ(report["late"], 12);
    EXPECT_EQ(report["ran"], 1);
}

}  // namespace
}  // namespace gpu
