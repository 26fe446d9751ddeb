// The per-thread default stream: CU_STREAM_PER_THREAD, and stream 0 of the entry points in _ptsz.
#include <gtest/gtest.h>

#include "tests/gpu/support/lab.h"

namespace gpu {
namespace {

Report in_lab(const std::function<void(Lab& lab, Report& found)>& work) {
    return in_child(Lab::environment(), [&](Cuda& cuda, Report& found) {
        Lab lab(cuda);
        // Made before a gate is closed.
        lab.write(CU_STREAM_PER_THREAD, 7, 0);
        lab.cuda.cuCtxSynchronize();
        work(lab, found);
        lab.cuda.cuCtxSynchronize();
    });
}

TEST(PerThreadStream, IsOneStreamByHandleAndByZero) {
    const Report report = in_lab([](Lab& lab, Report& found) {
        found.set("close", lab.close_ptsz(nullptr));
        found.set("handle", lab.cuda.cuStreamQuery(CU_STREAM_PER_THREAD));
        found.set("zero", lab.cuda.cuStreamQuery_ptsz(nullptr));
        found.set("explicit", lab.cuda.cuStreamQuery_ptsz(CU_STREAM_PER_THREAD));
        found.set("waits", lab.waits([&] { lab.cuda.cuStreamSynchronize_ptsz(nullptr); }));
        found.set("after", lab.cuda.cuStreamQuery(CU_STREAM_PER_THREAD));
        unsigned flags = 9;
        found.set("get", lab.cuda.cuStreamGetFlags_ptsz(nullptr, &flags));
        found.set("flags", flags);
    });
    EXPECT_EQ(report["close"], CUDA_SUCCESS);
    for (const char* name : {"handle", "zero", "explicit"}) {
        EXPECT_EQ(report[name], CUDA_ERROR_NOT_READY) << name;
    }
    EXPECT_TRUE(report["waits"]);
    EXPECT_EQ(report["after"], CUDA_SUCCESS);
    EXPECT_EQ(report["get"], CUDA_SUCCESS);
    EXPECT_EQ(report["flags"], CU_STREAM_DEFAULT);
}

TEST(PerThreadStream, IsAnotherInEachThread) {
    const Report report = in_lab([](Lab& lab, Report& found) {
        lab.close(CU_STREAM_PER_THREAD);
        in_thread(lab.cuda, lab.primary, [&] {
            found.set("query", lab.cuda.cuStreamQuery(CU_STREAM_PER_THREAD));
            lab.write(CU_STREAM_PER_THREAD, 0, 5);
            found.set("waits",
                      lab.waits([&] { lab.cuda.cuStreamSynchronize(CU_STREAM_PER_THREAD); }));
            found.set("written", lab.read(0));
        });
    });
    EXPECT_EQ(report["query"], CUDA_SUCCESS);
    EXPECT_FALSE(report["waits"]);
    EXPECT_EQ(report["written"], 5);
}

TEST(PerThreadStream, IsABlockingStream) {
    const Report report = in_lab([](Lab& lab, Report& found) {
        lab.close(CU_STREAM_PER_THREAD, 0);
        lab.write(nullptr, 0, 1);
        found.set("legacy waits", lab.waits([&] { lab.cuda.cuStreamSynchronize(nullptr); }, 0));
        lab.close(nullptr, 1);
        lab.cuda.cuMemsetD8Async_ptsz(lab.cell(1), 1, 1, nullptr);
        found.set("it waits",
                  lab.waits([&] { lab.cuda.cuStreamSynchronize(CU_STREAM_PER_THREAD); }, 1));
    });
    EXPECT_TRUE(report["legacy waits"]);
    EXPECT_TRUE(report["it waits"]);
}

TEST(PerThreadStream, HasTheWorkOfTheEntryPointsInPtds) {
    const Report report = in_lab([](Lab& lab, Report& found) {
        lab.close(CU_STREAM_PER_THREAD, 0);
        found.set("fill", lab.cuda.cuMemsetD8_v2_ptds(lab.cell(0), 3, 1));
        found.set("early", lab.read(0));
        char byte{};
        found.set(
            "waits",
            lab.waits(
                [&] { found.set("copy", lab.cuda.cuMemcpyDtoH_v2_ptds(&byte, lab.cell(0), 1)); },
                0));
        found.set("late", byte);
        // Another thread's calls wait for its own stream alone.
        lab.close(CU_STREAM_PER_THREAD, 1);
        in_thread(lab.cuda, lab.primary, [&] {
            lab.cuda.cuMemsetD8_v2_ptds(lab.cell(1), 4, 1);
            found.set("other waits",
                      lab.waits([&] { lab.cuda.cuMemcpyDtoH_v2_ptds(&byte, lab.cell(0), 1); }, 1));
        });
    });
    EXPECT_EQ(report["fill"], CUDA_SUCCESS);
    EXPECT_EQ(report["early"], 0);
    EXPECT_TRUE(report["waits"]);
    EXPECT_EQ(report["copy"], CUDA_SUCCESS);
    EXPECT_EQ(report["late"], 3);
    EXPECT_FALSE(report["other waits"]);
}

TEST(PerThreadStream, ZeroOfAnOrdinaryEntryPointIsTheLegacyStream) {
    const Report report = in_lab([](Lab& lab, Report& found) {
        CUstream free = lab.stream(CU_STREAM_NON_BLOCKING);
        CUevent event = lab.event();
        lab.close(free);
        lab.cuda.cuEventRecord(event, free);
        lab.cuda.cuStreamWaitEvent(CU_STREAM_PER_THREAD, event, 0);
        found.set("per thread", lab.cuda.cuStreamQuery_ptsz(nullptr));
        found.set("legacy by name",
                  lab.cuda.cuStreamQuery_ptsz(CU_STREAM_LEGACY) == lab.cuda.cuStreamQuery(nullptr));
        lab.open();
    });
    EXPECT_EQ(report["per thread"], CUDA_ERROR_NOT_READY);
    EXPECT_TRUE(report["legacy by name"]);
}

}  // namespace
}  // namespace gpu
