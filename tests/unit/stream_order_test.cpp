// The order between the NULL stream and blocking streams, where the conformance programs of
// tests/gpu do not ask.
#include <gtest/gtest.h>
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <thread>
#include <vector>

#include "shim/cuda/stream/capture.h"
#include "shim/cuda/stream/dormancy.h"
#include "shim/cuda/stream/thread.h"
#include "tests/unit/stream_lab.h"

namespace ration::cuda::stream {
namespace {

void count(void* data) { ++*static_cast<std::atomic<int>*>(data); }

TEST(StreamOrder, SleepsUntilTheFirstBlockingStream) {
    const Report report = confined([](Lab& lab, Report& found) {
        lab.write(nullptr, 0, 1);
        lab.write(lab.stream(CU_STREAM_NON_BLOCKING), 0, 1);
        lab.cuda.cuStreamSynchronize(nullptr);
        found.set("before", dormant());
        lab.stream(CU_STREAM_DEFAULT);
        found.set("after", dormant());
    });
    EXPECT_TRUE(report["before"]);
    EXPECT_FALSE(report["after"]);
}

// membarrier answers EPERM until the process is registered, which takes 10 ms once it has threads.
TEST(StreamOrder, IsReadyForTheFirstBlockingStreamWhileThereIsOneThread) {
#ifdef __SANITIZE_THREAD__
    GTEST_SKIP() << "its runtime has a thread of its own";
#endif
    const Report report = confined([](Lab&, Report& found) {
        found.set("asleep", dormant());
        found.set("barrier", syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0);
    });
    if (!report["asleep"]) GTEST_SKIP() << "this kernel has no membarrier";
    EXPECT_TRUE(report["barrier"]);
}

// What the NULL stream was given before the layer woke is waited for as well.
TEST(StreamOrder, HoldsForWorkFromBeforeTheFirstBlockingStream) {
    const Report report = confined([](Lab& lab, Report& found) {
        lab.close(nullptr);
        CUstream stream = lab.stream(CU_STREAM_DEFAULT);
        lab.write(stream, 0, 1);
        found.set("waits", lab.waits([&] { lab.cuda.cuStreamSynchronize(stream); }));
    });
    EXPECT_TRUE(report["waits"]);
}

// A question puts what blocking streams do before the NULL stream; that is no operation, and other
// blocking streams do not wait for it.
TEST(StreamOrder, IsNotMadeByAskingTheNullStream) {
    const Report report = confined([](Lab& lab, Report& found) {
        CUstream first = lab.stream(CU_STREAM_DEFAULT);
        CUstream other = lab.stream(CU_STREAM_DEFAULT);
        lab.write(nullptr, 0, 1);
        lab.close(first);
        found.set("query", lab.cuda.cuStreamQuery(nullptr));
        lab.write(other, 1, 2);
        found.set("other", lab.cuda.cuStreamQuery(other));
        found.set("waits", lab.waits([&] { lab.cuda.cuStreamSynchronize(nullptr); }));
    });
    EXPECT_EQ(report["query"], CUDA_ERROR_NOT_READY);
    EXPECT_EQ(report["other"], CUDA_SUCCESS);
    EXPECT_TRUE(report["waits"]);
}

TEST(StreamOrder, LeavesBlockingStreamsIndependentOfEachOther) {
    const Report report = confined([](Lab& lab, Report& found) {
        CUstream first = lab.stream(CU_STREAM_DEFAULT);
        CUstream other = lab.stream(CU_STREAM_DEFAULT);
        lab.close(first);
        lab.write(other, 0, 1);
        found.set("other", lab.cuda.cuStreamQuery(other));
        lab.open();
    });
    EXPECT_EQ(report["other"], CUDA_SUCCESS);
}

// In a context that is no home the driver's own rules hold: they are whole there.
TEST(StreamOrder, IsTheDriversInOtherContexts) {
    const Report report = confined([](Lab& lab, Report& found) {
        lab.stream(CU_STREAM_DEFAULT);  // awake
        bare().cuCtxSetCurrent(home().primary);
        CUstream stream = lab.stream(CU_STREAM_DEFAULT);
        lab.close(stream);
        lab.write(nullptr, 0, 1);
        found.set("null", lab.cuda.cuStreamQuery(nullptr));
        found.set("own", lab.write(CU_STREAM_PER_THREAD, 1, 1));
        unsigned flags = 9;
        lab.cuda.cuStreamGetFlags(stream, &flags);
        found.set("flags", flags);
        found.set("waits", lab.waits([&] { lab.cuda.cuStreamSynchronize(nullptr); }));
    });
    EXPECT_EQ(report["null"], CUDA_ERROR_NOT_READY);
    EXPECT_EQ(report["own"], CUDA_SUCCESS);
    EXPECT_EQ(report["flags"], CU_STREAM_DEFAULT);
    EXPECT_TRUE(report["waits"]);
}

TEST(StreamOrder, HoldsOnADeviceThatIsNotCurrent) {
    const Report report = confined(
        [](Lab& lab, Report& found) {
            const Home second = make_home(1);
            bare().cuCtxSetCurrent(second.context);
            CUstream stream = lab.stream(CU_STREAM_DEFAULT);
            lab.close(nullptr);
            bare().cuCtxSetCurrent(home().context);
            found.set("write", lab.write(stream, 0, 5));
            found.set("query", lab.cuda.cuStreamQuery(stream));
            found.set("null", lab.cuda.cuStreamQuery(nullptr));
            found.set("waits", lab.waits([&] { lab.cuda.cuStreamSynchronize(stream); }));
            found.set("late", lab.read(0));
            CUcontext current{};
            bare().cuCtxGetCurrent(&current);
            found.set("current", current == home().context);
        },
        {{"SIM_CUDA_GPUS", "h100,h100"}});
    EXPECT_EQ(report["write"], CUDA_SUCCESS);
    EXPECT_EQ(report["query"], CUDA_ERROR_NOT_READY);
    EXPECT_EQ(report["null"], CUDA_SUCCESS) << "the other device's";
    EXPECT_TRUE(report["waits"]);
    EXPECT_EQ(report["late"], 5);
    EXPECT_TRUE(report["current"]);
}

TEST(StreamOrder, HoldsForStreamsThatWereDestroyedBusy) {
    const Report report = confined([](Lab& lab, Report& found) {
        CUstream stream = lab.stream(CU_STREAM_DEFAULT);
        lab.close(stream);
        found.set("destroy", lab.cuda.cuStreamDestroy_v2(stream));
        lab.write(nullptr, 0, 1);
        found.set("waits", lab.waits([&] { lab.cuda.cuStreamSynchronize(nullptr); }));
        found.set("again", lab.cuda.cuStreamQuery(nullptr));
    });
    EXPECT_EQ(report["destroy"], CUDA_SUCCESS);
    EXPECT_TRUE(report["waits"]);
    EXPECT_EQ(report["again"], CUDA_SUCCESS);
}

TEST(StreamOrder, HoldsForStreamsThatWereDestroyedWhileCaptured) {
    const Report report = confined([](Lab& lab, Report& found) {
        CUstream stream = lab.stream(CU_STREAM_DEFAULT);
        lab.close(stream);
        found.set("begin",
                  lab.cuda.cuStreamBeginCapture_v2(stream, CU_STREAM_CAPTURE_MODE_RELAXED));
        found.set("destroy", lab.cuda.cuStreamDestroy_v2(stream));
        found.set("write", lab.write(nullptr, 0, 1));
        found.set("waits", lab.waits([&] { lab.cuda.cuStreamSynchronize(nullptr); }));
    });
    EXPECT_EQ(report["begin"], CUDA_SUCCESS);
    EXPECT_EQ(report["destroy"], CUDA_SUCCESS);
    EXPECT_EQ(report["write"], CUDA_SUCCESS);
    EXPECT_TRUE(report["waits"]);
}

// Events of the layer's own that there are, while real.* is set to these.
std::atomic<int> events{0};
void count_events() {
    real.cuEventCreate = [](CUevent* event, unsigned flags) {
        ++events;
        return bare().cuEventCreate(event, flags);
    };
    real.cuEventDestroy_v2 = [](CUevent event) {
        --events;
        return bare().cuEventDestroy_v2(event);
    };
}

unsigned long records_of(const Domain& domain) {
    unsigned long found = 0;
    for (const Record* each = domain.records; each != nullptr; each = each->next_in_domain) ++found;
    return found;
}

constexpr int kRequests = 200;
constexpr int kMostLeft = 20;

// A server that makes a stream for each request, and never uses the NULL stream.
TEST(StreamOrder, KeepsNothingOfStreamsThatWereDestroyedIdle) {
    const Report report = confined([](Lab& lab, Report& found) {
        count_events();
        for (int i = 0; i < kRequests; ++i) {
            CUstream stream = lab.stream(CU_STREAM_DEFAULT);
            lab.write(stream, 0, i);
            lab.cuda.cuStreamSynchronize(stream);
            lab.cuda.cuStreamDestroy_v2(stream);
        }
        found.set("events", events);
        found.set("records", records_of(*home().domain));
        found.set("null", lab.write(nullptr, 0, 1));
        found.set("left", records_of(*home().domain));
    });
    EXPECT_LE(report["events"], 1) << "the NULL stream's own";
    EXPECT_LE(report["records"], kMostLeft);
    EXPECT_EQ(report["null"], CUDA_SUCCESS);
    EXPECT_EQ(report["left"], 0);
}

TEST(StreamOrder, DropsWhatDestroyedStreamsHaveDone) {
    const Report report = confined([](Lab& lab, Report& found) {
        count_events();
        for (int i = 0; i < kRequests; ++i) {
            CUstream stream = lab.stream(CU_STREAM_DEFAULT);
            lab.close(stream);
            lab.cuda.cuStreamDestroy_v2(stream);
            lab.open();
            lab.cuda.cuCtxSynchronize();
            lab.renew();
        }
        found.set("events", events);
        found.set("records", records_of(*home().domain));
    });
    EXPECT_GE(report["events"], 1);
    EXPECT_LE(report["events"], kMostLeft);
    EXPECT_LE(report["records"], kMostLeft);
}

TEST(StreamOrder, KeepsWhatManyDestroyedStreamsHaveYetToDo) {
    const Report report = confined([](Lab& lab, Report& found) {
        CUstream first = lab.stream(CU_STREAM_DEFAULT);
        lab.close(first);
        lab.cuda.cuStreamDestroy_v2(first);
        for (int i = 0; i < kRequests; ++i) {
            CUstream stream = lab.stream(CU_STREAM_DEFAULT);
            lab.write(stream, 0, i);
            lab.cuda.cuStreamDestroy_v2(stream);
        }
        lab.write(nullptr, 0, 1);
        found.set("waits", lab.waits([&] { lab.cuda.cuStreamSynchronize(nullptr); }));
    });
    EXPECT_TRUE(report["waits"]);
}

// A stream that is behind a gate holds up the NULL stream, and that every blocking stream: whatever
// the threads do at once, nothing that follows a NULL operation runs before the gate is open.
TEST(StreamOrder, HoldsAmongManyThreads) {
    constexpr int kThreads = 4;
    constexpr int kRounds = 60;
    const Report report = confined([](Lab& lab, Report& found) {
        std::atomic<int> early{0};
        std::atomic<int> late{0};
        std::atomic<int> errors{0};
        const auto expect = [&](CUresult result) { errors += result != CUDA_SUCCESS; };
        lab.close(lab.stream(CU_STREAM_DEFAULT));
        std::vector<std::thread> threads;
        for (int i = 0; i < kThreads; ++i) {
            threads.emplace_back([&] {
                expect(lab.cuda.cuCtxSetCurrent(lab.primary));
                CUstream own = lab.stream(CU_STREAM_DEFAULT);
                expect(lab.cuda.cuLaunchHostFunc(nullptr, &count, &late));
                for (int round = 0; round < kRounds; ++round) {
                    CUstream stream = lab.stream(CU_STREAM_DEFAULT);
                    expect(lab.cuda.cuLaunchHostFunc(stream, &count, &late));
                    expect(lab.cuda.cuLaunchHostFunc(own, &count, &late));
                    expect(lab.cuda.cuLaunchHostFunc(nullptr, &count, &late));
                    expect(lab.cuda.cuStreamDestroy_v2(stream));
                    if (lab.cuda.cuStreamQuery(nullptr) == CUDA_SUCCESS) ++early;
                }
            });
        }
        for (std::thread& thread : threads) thread.join();
        found.set("early", early + late);
        found.set("waits", lab.waits([&] { lab.cuda.cuStreamSynchronize(nullptr); }));
        lab.cuda.cuCtxSynchronize();
        found.set("late", late);
        found.set("errors", errors);
    });
    EXPECT_EQ(report["early"], 0);
    EXPECT_TRUE(report["waits"]);
    EXPECT_EQ(report["late"], kThreads * (1 + 3 * kRounds));
    EXPECT_EQ(report["errors"], 0);
}

// A home that ends takes its streams along, and another may come.
TEST(StreamOrder, BeginsAnewWithAnotherHome) {
    const Report report = confined([](Lab& lab, Report& found) {
        CUstream stream = lab.stream(CU_STREAM_DEFAULT);
        lab.write(stream, 0, 1);
        lab.write(CU_STREAM_PER_THREAD, 1, 1);
        bare().cuCtxSetCurrent(home().primary);
        close(home().domain);
        bare().cuGreenCtxDestroy(home().green);
        found.set("gone", lab.cuda.cuStreamQuery(stream));
        home() = make_home(0);
        lab.cuda.cuCtxSetCurrent(home().primary);
        lab.close(lab.stream(CU_STREAM_DEFAULT));
        found.set("own", lab.write(CU_STREAM_PER_THREAD, 1, 1));
        lab.write(nullptr, 0, 2);
        found.set("waits", lab.waits([&] { lab.cuda.cuStreamSynchronize(nullptr); }));
    });
    EXPECT_EQ(report["gone"], CUDA_ERROR_CONTEXT_IS_DESTROYED);
    EXPECT_EQ(report["own"], CUDA_SUCCESS);
    EXPECT_TRUE(report["waits"]);
}

// Whoever forks before cuInit has children with a GPU. What the parent's other threads were inside
// of stays as it was: here a lock, and a call that never ends.
TEST(StreamOrder, BeginsAnewInAForkedChild) {
    const auto leave_taken = [] {
        std::thread([] { this_thread().calls = 1; }).join();
        registry().lock();
        captures = 1;
        awake = kBlocking;
    };
    const Report report = confined_in_child(leave_taken, [](Lab& lab, Report& found) {
        found.set("dormant", dormant() || awake == kUnfenced);
        found.set("captures", captures);
        CUstream stream = lab.stream(CU_STREAM_DEFAULT);
        unsigned flags = 9;
        lab.cuda.cuStreamGetFlags(stream, &flags);
        found.set("flags", flags);
        CUcontext context{};
        lab.cuda.cuStreamGetCtx(stream, &context);
        found.set("context", context == lab.primary);
        found.set("own", lab.write(CU_STREAM_PER_THREAD, 0, 1));
        lab.close(nullptr);
        lab.write(stream, 1, 1);
        found.set("query", lab.cuda.cuStreamQuery(stream));
        found.set("waits", lab.waits([&] { lab.cuda.cuStreamSynchronize(stream); }));
    });
    EXPECT_TRUE(report["dormant"]);
    EXPECT_EQ(report["captures"], 0);
    EXPECT_EQ(report["flags"], CU_STREAM_DEFAULT);
    EXPECT_TRUE(report["context"]);
    EXPECT_EQ(report["own"], CUDA_SUCCESS);
    EXPECT_EQ(report["query"], CUDA_ERROR_NOT_READY);
    EXPECT_TRUE(report["waits"]);
}

}  // namespace
}  // namespace ration::cuda::stream
