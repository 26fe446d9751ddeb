// Streams: what waits for what.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "tests/gpu/support/lab.h"

namespace gpu {
namespace {

Report in_lab(const std::function<void(Lab& lab, Report& found)>& work) {
    return in_child(Lab::environment(), [&](Cuda& cuda, Report& found) {
        Lab lab(cuda);
        work(lab, found);
    });
}

// With a gate closed in `first`, writes a cell in `then`, waits until that is done or the gate is
// found to hold it up, and reports: held (1 or 0), early (the cell then), late (when all is done).
void write_after_gate(Lab& lab, CUstream first, CUstream then, Report& found) {
    found.set("close", lab.close(first));
    found.set("write", lab.write(then, 0, 7));
    CUevent event = lab.event();
    found.set("record", lab.cuda.cuEventRecord(event, then));
    const bool held = lab.waits([&] { found.set("wait", lab.cuda.cuEventSynchronize(event)); });
    found.set("held", held);
    found.set("late", lab.read(0));
    found.set("end", lab.cuda.cuCtxSynchronize());
}

void expect_order(const Report& report, bool held) {
    for (const char* step : {"close", "write", "record", "wait", "end"}) {
        EXPECT_EQ(report[step], CUDA_SUCCESS) << step;
    }
    EXPECT_EQ(report["held"], held);
    EXPECT_EQ(report["late"], 7);
}

TEST(Streams, DoTheirWorkInOrderAndLater) {
    const Report report = in_lab([](Lab& lab, Report& found) {
        CUstream stream = lab.stream(CU_STREAM_NON_BLOCKING);
        found.set("idle", lab.cuda.cuStreamQuery(stream));
        lab.close(stream);
        lab.write(stream, 0, 1);
        found.set("busy", lab.cuda.cuStreamQuery(stream));
        found.set("early", lab.read(0));
        found.set("waits", lab.waits([&] { lab.cuda.cuStreamSynchronize(stream); }));
        found.set("late", lab.read(0));
        found.set("after", lab.cuda.cuStreamQuery(stream));
    });
    EXPECT_EQ(report["idle"], CUDA_SUCCESS);
    EXPECT_EQ(report["busy"], CUDA_ERROR_NOT_READY);
    EXPECT_EQ(report["early"], 0);
    EXPECT_TRUE(report["waits"]);
    EXPECT_EQ(report["late"], 1);
    EXPECT_EQ(report["after"], CUDA_SUCCESS);
}

TEST(Streams, AreIndependentOfEachOther) {
    expect_order(in_lab([](Lab& lab, Report& found) {
                     write_after_gate(lab, lab.stream(CU_STREAM_DEFAULT),
                                      lab.stream(CU_STREAM_DEFAULT), found);
                 }),
                 false);
}

class LegacyStream : public testing::TestWithParam<CUstream> {};

INSTANTIATE_TEST_SUITE_P(ByHandle, LegacyStream, testing::Values(nullptr, CU_STREAM_LEGACY),
                         [](const auto& each) {
                             return each.param == nullptr ? "Null" : "LegacyHandle";
                         });

TEST_P(LegacyStream, WaitsForBlockingStreams) {
    expect_order(in_lab([](Lab& lab, Report& found) {
                     write_after_gate(lab, lab.stream(CU_STREAM_DEFAULT), GetParam(), found);
                 }),
                 true);
}

TEST_P(LegacyStream, IsWaitedForByBlockingStreams) {
    expect_order(in_lab([](Lab& lab, Report& found) {
                     write_after_gate(lab, GetParam(), lab.stream(CU_STREAM_DEFAULT), found);
                 }),
                 true);
}

TEST_P(LegacyStream, DoesNotWaitForNonBlockingStreams) {
    expect_order(in_lab([](Lab& lab, Report& found) {
                     write_after_gate(lab, lab.stream(CU_STREAM_NON_BLOCKING), GetParam(), found);
                 }),
                 false);
}

TEST_P(LegacyStream, IsNotWaitedForByNonBlockingStreams) {
    expect_order(in_lab([](Lab& lab, Report& found) {
                     write_after_gate(lab, GetParam(), lab.stream(CU_STREAM_NON_BLOCKING), found);
                 }),
                 false);
}

TEST_P(LegacyStream, OrdersTheStreamsOfOtherThreads) {
    expect_order(in_lab([](Lab& lab, Report& found) {
                     CUstream stream{};
                     in_thread(lab.cuda, lab.primary,
                               [&] { stream = lab.stream(CU_STREAM_DEFAULT); });
                     in_thread(lab.cuda, lab.primary,
                               [&] { write_after_gate(lab, stream, GetParam(), found); });
                 }),
                 true);
}

// What comes before legacy work in one blocking stream comes before what follows it in another.
TEST_P(LegacyStream, OrdersBlockingStreamsWithEachOther) {
    const Report report = in_lab([](Lab& lab, Report& found) {
        CUstream then = lab.stream(CU_STREAM_DEFAULT);
        lab.close(lab.stream(CU_STREAM_DEFAULT));
        lab.write(GetParam(), 0, 1);
        lab.write(then, 1, 2);
        found.set("query", lab.cuda.cuStreamQuery(then));
        found.set("waits", lab.waits([&] { lab.cuda.cuStreamSynchronize(then); }));
        found.set("late", lab.read(0) * 10 + lab.read(1));
    });
    EXPECT_EQ(report["query"], CUDA_ERROR_NOT_READY);
    EXPECT_TRUE(report["waits"]);
    EXPECT_EQ(report["late"], 12);
}

TEST(LegacyStreams, WaitForStreamsThatWereDestroyedBusy) {
    const Report report = in_lab([](Lab& lab, Report& found) {
        CUstream stream = lab.stream(CU_STREAM_DEFAULT);
        lab.close(stream);
        lab.write(stream, 0, 3);
        found.set("destroy", lab.cuda.cuStreamDestroy_v2(stream));
        lab.write(nullptr, 1, 4);
        found.set("query", lab.cuda.cuStreamQuery(nullptr));
        found.set("early", lab.read(0) + lab.read(1));
        found.set("waits", lab.waits([&] { lab.cuda.cuStreamSynchronize(nullptr); }));
        found.set("late", lab.read(0) * 10 + lab.read(1));
    });
    EXPECT_EQ(report["destroy"], CUDA_SUCCESS) << "and at once";
    EXPECT_EQ(report["query"], CUDA_ERROR_NOT_READY);
    EXPECT_EQ(report["early"], 0);
    EXPECT_TRUE(report["waits"]);
    EXPECT_EQ(report["late"], 34);
}

// Copies to the host, and whatever waits for the whole context.
TEST(Waiting, IsDoneByCallsThatPromiseIt) {
    const std::pair<const char*, std::function<void(Lab&)>> kCalls[] = {
        {"copy",
         [](Lab& lab) {
             char byte{};
             lab.cuda.cuMemcpyDtoH_v2(&byte, lab.cell(1), 1);
         }},
        {"legacy", [](Lab& lab) { lab.cuda.cuStreamSynchronize(nullptr); }},
        {"context", [](Lab& lab) { lab.cuda.cuCtxSynchronize(); }},
    };
    for (const auto& [name, call] : kCalls) {
        const Report report = in_lab([&call = call](Lab& lab, Report& found) {
            lab.close(lab.stream(CU_STREAM_DEFAULT));
            found.set("waits", lab.waits([&] { call(lab); }));
        });
        EXPECT_TRUE(report["waits"]) << name;
    }
}

TEST(Waiting, IsDoneForNonBlockingStreamsByTheContextAndByFreeing) {
    const Report report = in_lab([](Lab& lab, Report& found) {
        CUdeviceptr memory{};
        lab.cuda.cuMemAlloc_v2(&memory, 4096);
        CUstream stream = lab.stream(CU_STREAM_NON_BLOCKING);
        lab.close(stream, 0);
        found.set("legacy", lab.waits([&] { lab.cuda.cuStreamSynchronize(nullptr); }, 0));
        lab.close(stream, 1);
        found.set("context", lab.waits([&] { lab.cuda.cuCtxSynchronize(); }, 1));
        lab.close(stream, 2);
        found.set("free", lab.waits([&] { lab.cuda.cuMemFree_v2(memory); }, 2));
    });
    EXPECT_FALSE(report["legacy"]);
    EXPECT_TRUE(report["context"]);
    EXPECT_TRUE(report["free"]);
}

// One of several threads that use streams of every kind at once.
void use_streams(Lab& lab, int rounds, std::atomic<int>& ran, std::atomic<int>& errors) {
    Cuda& cuda = lab.cuda;
    const auto count = [&](CUresult result) { errors += result != CUDA_SUCCESS; };
    for (int i = 0; i < rounds; ++i) {
        CUstream stream = lab.stream(i % 2 == 0 ? CU_STREAM_DEFAULT : CU_STREAM_NON_BLOCKING);
        CUevent event = lab.event();
        count(lab.write(stream, 0, i));
        count(cuda.cuLaunchHostFunc(
            stream, [](void* data) { ++*static_cast<std::atomic<int>*>(data); }, &ran));
        count(cuda.cuEventRecord(event, stream));
        count(cuda.cuStreamWaitEvent(CU_STREAM_PER_THREAD, event, 0));
        count(lab.write(nullptr, 1, i));
        count(lab.write(CU_STREAM_PER_THREAD, 2, i));
        count(cuda.cuStreamDestroy_v2(stream));
        count(cuda.cuEventDestroy_v2(event));
        if (i % 8 == 0) count(cuda.cuStreamSynchronize(CU_STREAM_PER_THREAD));
    }
}

TEST(Streams, CanBeUsedByManyThreadsAtOnce) {
    constexpr int kThreads = 4;
    constexpr int kRounds = 64;
    const Report report = in_lab([](Lab& lab, Report& found) {
        std::atomic<int> ran{0};
        std::atomic<int> errors{0};
        std::vector<std::thread> threads;
        for (int i = 0; i < kThreads; ++i) {
            threads.emplace_back([&] {
                errors += lab.cuda.cuCtxSetCurrent(lab.primary) != CUDA_SUCCESS;
                use_streams(lab, kRounds, ran, errors);
            });
        }
        for (std::thread& thread : threads) thread.join();
        found.set("end", lab.cuda.cuCtxSynchronize());
        found.set("errors", errors);
        found.set("ran", ran);
    });
    EXPECT_EQ(report["end"], CUDA_SUCCESS);
    EXPECT_EQ(report["errors"], 0);
    EXPECT_EQ(report["ran"], kThreads * kRounds);
}

TEST(Streams, AnswerWhatTheyAre) {
    const Report report = in_lab([](Lab& lab, Report& found) {
        CUstream blocking = lab.stream(CU_STREAM_DEFAULT);
        CUstream free = lab.stream(CU_STREAM_NON_BLOCKING);
        CUstream urgent{};
        int least = 1;
        int greatest = 1;
        lab.cuda.cuCtxGetStreamPriorityRange(&least, &greatest);
        lab.cuda.cuStreamCreateWithPriority(&urgent, CU_STREAM_NON_BLOCKING, greatest - 1);
        int priority = 1;
        lab.cuda.cuStreamGetPriority(urgent, &priority);
        found.set("clamped", priority == greatest && greatest < least && least == 0);
        lab.cuda.cuStreamGetPriority(blocking, &priority);
        found.set("priority", priority);
        unsigned flags = 9;
        lab.cuda.cuStreamGetFlags(blocking, &flags);
        found.set("blocking", flags);
        lab.cuda.cuStreamGetFlags(free, &flags);
        found.set("free", flags);
        for (CUstream special : {CUstream{}, CU_STREAM_LEGACY, CU_STREAM_PER_THREAD}) {
            flags = 9;
            found.set("special", lab.cuda.cuStreamGetFlags(special, &flags));
            found.set("special flags", flags);
            CUcontext context{};
            lab.cuda.cuStreamGetCtx(special, &context);
            found.set("special context", context == lab.primary);
        }
        CUcontext context{};
        lab.cuda.cuStreamGetCtx(blocking, &context);
        found.set("context", context == lab.primary);
        found.set("bad flags", lab.cuda.cuStreamCreate(&free, 2));
    });
    EXPECT_TRUE(report["clamped"]);
    EXPECT_EQ(report["priority"], 0);
    EXPECT_EQ(report["blocking"], CU_STREAM_DEFAULT);
    EXPECT_EQ(report["free"], CU_STREAM_NON_BLOCKING);
    EXPECT_EQ(report["special"], CUDA_SUCCESS);
    EXPECT_EQ(report["special flags"], CU_STREAM_DEFAULT);
    EXPECT_TRUE(report["special context"]);
    EXPECT_TRUE(report["context"]);
    EXPECT_EQ(report["bad flags"], CUDA_ERROR_INVALID_VALUE);
}

TEST(Streams, HaveAnIdOfTheirOwn) {
    const Report report = in_lab([](Lab& lab, Report& found) {
        if (lab.cuda.cuStreamGetId == nullptr) return found.set("different", 1);
        unsigned long long ids[4]{};
        CUstream streams[] = {nullptr, CU_STREAM_PER_THREAD, lab.stream(CU_STREAM_DEFAULT),
                              lab.stream(CU_STREAM_NON_BLOCKING)};
        bool different = true;
        for (int i = 0; i < 4; ++i) {
            if (lab.cuda.cuStreamGetId(streams[i], &ids[i]) != CUDA_SUCCESS) different = false;
            for (int j = 0; j < i; ++j) different = different && ids[i] != ids[j];
        }
        unsigned long long legacy{};
        lab.cuda.cuStreamGetId(CU_STREAM_LEGACY, &legacy);
        found.set("different", different && legacy == ids[0]);
    });
    EXPECT_TRUE(report["different"]);
}

}  // namespace
}  // namespace gpu
