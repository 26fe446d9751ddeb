// Streams in green contexts: where they run, and which of CUDA's rules are lost there.
#include <gtest/gtest.h>

#include "tests/gpu/support/green.h"
#include "tests/gpu/support/inspect.h"
#include "tests/gpu/support/lab.h"

namespace gpu {
namespace {

// Two green contexts on SMs of their own.
struct Pair {
    Green a;
    Green b;
};

class GreenStreams : public testing::Test {
  protected:
    void SetUp() override {
        if (!have_green()) GTEST_SKIP() << "CUDA " << part().driver;
    }
    // With `a` current.
    static Report ask(const std::function<void(Lab& lab, const Pair& pair, Report& found)>& work) {
        const Report report = in_child(Lab::environment(), [&work](Cuda& cuda, Report& found) {
            Lab lab(cuda);
            const Split made = split(cuda, sms_of_device(cuda), 8);
            const Pair pair{make_green(cuda, {made.groups[0]}),
                            make_green(cuda, {made.groups[1], made.groups[2]})};
            found.set("made", pair.a.result == CUDA_SUCCESS && pair.b.result == CUDA_SUCCESS);
            for (CUcontext context : {pair.b.context, pair.a.context}) {
                cuda.cuCtxSetCurrent(context);
                lab.write(nullptr, 7, 0);
                cuda.cuCtxSynchronize();
            }
            work(lab, pair, found);
            cuda.cuCtxSetCurrent(lab.primary);
            cuda.cuCtxSynchronize();
        });
        EXPECT_TRUE(report["made"]);
        return report;
    }
};

TEST_F(GreenStreams, AreNonBlockingWhateverWasAsked) {
    const Report report = ask([](Lab& lab, const Pair&, Report& found) {
        CUstream stream = lab.stream(CU_STREAM_DEFAULT);
        unsigned flags = 9;
        lab.cuda.cuStreamGetFlags(stream, &flags);
        found.set("flags", flags);
        lab.close(stream, 0);
        lab.write(nullptr, 0, 1);
        found.set("legacy waits", lab.waits([&] { lab.cuda.cuStreamSynchronize(nullptr); }, 0));
        lab.close(nullptr, 1);
        lab.write(stream, 1, 1);
        found.set("it waits", lab.waits([&] { lab.cuda.cuStreamSynchronize(stream); }, 1));
    });
    EXPECT_EQ(report["flags"], CU_STREAM_NON_BLOCKING);
    EXPECT_FALSE(report["legacy waits"]);
    EXPECT_FALSE(report["it waits"]);
}

TEST_F(GreenStreams, HaveNoPerThreadDefaultStream) {
    const Report report = ask([](Lab& lab, const Pair&, Report& found) {
        found.set("query", lab.cuda.cuStreamQuery(CU_STREAM_PER_THREAD));
        found.set("query_ptsz", lab.cuda.cuStreamQuery_ptsz(nullptr));
        found.set("synchronise", lab.cuda.cuStreamSynchronize(CU_STREAM_PER_THREAD));
        found.set("write", lab.write(CU_STREAM_PER_THREAD, 0, 1));
        found.set("launch", lab.close_ptsz(nullptr));
    });
    for (const char* call : {"query", "query_ptsz", "synchronise", "write", "launch"}) {
        EXPECT_EQ(report[call], CUDA_ERROR_INVALID_HANDLE) << call;
    }
}

TEST_F(GreenStreams, NullStreamsOfTwoContextsAreOrderedByEventsAlone) {
    const Report report = ask([](Lab& lab, const Pair& pair, Report& found) {
        Cuda& cuda = lab.cuda;
        CUevent event = lab.event();
        for (CUcontext other : {pair.b.context, lab.primary}) {
            const std::string name = other == lab.primary ? "primary" : "b";
            const int gate = other == lab.primary ? 1 : 0;
            cuda.cuCtxSetCurrent(pair.a.context);
            lab.close(nullptr, gate);
            cuda.cuCtxSetCurrent(other);
            lab.write(nullptr, gate, 1);
            found.set(name, lab.waits([&] { cuda.cuStreamSynchronize(nullptr); }, gate));
        }
        cuda.cuCtxSetCurrent(pair.a.context);
        lab.close(nullptr, 2);
        found.set("record", cuda.cuEventRecord(event, nullptr));
        cuda.cuCtxSetCurrent(pair.b.context);
        found.set("wait", cuda.cuStreamWaitEvent(nullptr, event, 0));
        lab.write(nullptr, 2, 1);
        found.set("by event", lab.waits([&] { cuda.cuStreamSynchronize(nullptr); }, 2));
    });
    EXPECT_FALSE(report["b"]);
    EXPECT_FALSE(report["primary"]);
    EXPECT_EQ(report["record"], CUDA_SUCCESS);
    EXPECT_EQ(report["wait"], CUDA_SUCCESS);
    EXPECT_TRUE(report["by event"]);
}

TEST_F(GreenStreams, RunWhereTheyWereMade) {
    const Report report = ask([](Lab& lab, const Pair& pair, Report& found) {
        Cuda& cuda = lab.cuda;
        CUstream stream = lab.stream(CU_STREAM_NON_BLOCKING);
        const SmMask a = sms_of(cuda, nullptr);
        for (CUcontext other : {pair.b.context, lab.primary}) {
            cuda.cuCtxSetCurrent(other);
            found.set(other == lab.primary ? "under primary" : "under b",
                      sms_of(cuda, stream) == a && a.any());
        }
        CUcontext context{};
        found.set("context", cuda.cuStreamGetCtx(stream, &context));
        found.set("is a", context == pair.a.context);
        CUgreenCtx green{};
        found.set("green", cuda.cuStreamGetGreenCtx(stream, &green));
        found.set("is green a", green == pair.a.handle);
        cuda.cuStreamGetGreenCtx(nullptr, &green);
        found.set("primary has none", green == nullptr);
    });
    for (const char* name :
         {"under b", "under primary", "is a", "is green a", "primary has none"}) {
        EXPECT_TRUE(report[name]) << name;
    }
    EXPECT_EQ(report["context"], CUDA_SUCCESS);
    EXPECT_EQ(report["green"], CUDA_SUCCESS);
}

TEST_F(GreenStreams, CanBeMadeInAContextThatIsNotCurrent) {
    if (part().driver < 12050) GTEST_SKIP() << "CUDA " << part().driver;
    const Report report = ask([](Lab& lab, const Pair& pair, Report& found) {
        Cuda& cuda = lab.cuda;
        cuda.cuCtxSetCurrent(pair.b.context);
        const SmMask b = sms_of(cuda, nullptr);
        cuda.cuCtxSetCurrent(pair.a.context);
        CUstream stream{};
        found.set("create",
                  cuda.cuGreenCtxStreamCreate(&stream, pair.b.handle, CU_STREAM_NON_BLOCKING, 0));
        found.set("runs", sms_of(cuda, stream) == b && b.any());
        CUcontext context{};
        CUgreenCtx green{};
        found.set("contexts", cuda.cuStreamGetCtx_v2(stream, &context, &green));
        found.set("both", context == lab.primary && green == pair.b.handle);
        found.set("blocking", cuda.cuGreenCtxStreamCreate(&stream, pair.b.handle, 0, 0));
    });
    EXPECT_EQ(report["create"], CUDA_SUCCESS);
    EXPECT_TRUE(report["runs"]);
    EXPECT_EQ(report["contexts"], CUDA_SUCCESS);
    EXPECT_TRUE(report["both"]);
    EXPECT_EQ(report["blocking"], CUDA_ERROR_INVALID_VALUE);
}

TEST_F(GreenStreams, AreWaitedForByThePrimaryAndByFreeingButNotByEachOther) {
    const Report report = ask([](Lab& lab, const Pair& pair, Report& found) {
        Cuda& cuda = lab.cuda;
        CUdeviceptr memory{};
        cuda.cuMemAlloc_v2(&memory, 4096);
        CUstream stream = lab.stream(CU_STREAM_NON_BLOCKING);
        lab.close(stream, 0);
        found.set("own", lab.waits([&] { cuda.cuCtxSynchronize(); }, 0));
        cuda.cuCtxSetCurrent(pair.b.context);
        lab.close(stream, 1);
        found.set("other", lab.waits([&] { cuda.cuCtxSynchronize(); }, 1));
        lab.close(stream, 2);
        found.set("free", lab.waits([&] { cuda.cuMemFree_v2(memory); }, 2));
        cuda.cuCtxSetCurrent(lab.primary);
        lab.close(stream, 3);
        found.set("primary", lab.waits([&] { cuda.cuCtxSynchronize(); }, 3));
    });
    EXPECT_TRUE(report["own"]);
    EXPECT_FALSE(report["other"]);
    EXPECT_TRUE(report["free"]);
    EXPECT_TRUE(report["primary"]);
}

// Events of whole contexts: a green context's are its own, the primary's are everybody's.
TEST_F(GreenStreams, AreInTheEventsOfTheirContexts) {
    if (part().driver < 12050) GTEST_SKIP() << "CUDA " << part().driver;
    const Report report = ask([](Lab& lab, const Pair& pair, Report& found) {
        Cuda& cuda = lab.cuda;
        CUstream stream = lab.stream(CU_STREAM_NON_BLOCKING);
        CUevent of_a = lab.event();
        CUevent of_b = lab.event();
        CUevent of_all = lab.event();
        lab.close(stream);
        found.set("record", cuda.cuGreenCtxRecordEvent(pair.a.handle, of_a) +
                                cuda.cuCtxRecordEvent(pair.b.context, of_b) +
                                cuda.cuCtxRecordEvent(lab.primary, of_all));
        found.set("a", cuda.cuEventQuery(of_a));
        found.set("b", cuda.cuEventQuery(of_b));
        found.set("all", cuda.cuEventQuery(of_all));
        found.set("wait", cuda.cuGreenCtxWaitEvent(pair.b.handle, of_a));
        cuda.cuCtxSetCurrent(pair.b.context);
        lab.write(nullptr, 0, 1);
        found.set("waits", lab.waits([&] { cuda.cuStreamSynchronize(nullptr); }));
        found.set("late", lab.read(0));
        lab.close(stream, 1);
        cuda.cuGreenCtxRecordEvent(pair.a.handle, of_a);
        found.set("all wait", cuda.cuCtxWaitEvent(lab.primary, of_a));
        lab.write(nullptr, 0, 2);
        found.set("b too", lab.waits([&] { cuda.cuStreamSynchronize(nullptr); }, 1));
    });
    EXPECT_EQ(report["all wait"], CUDA_SUCCESS);
    EXPECT_TRUE(report["b too"]);
    EXPECT_EQ(report["record"], CUDA_SUCCESS);
    EXPECT_EQ(report["a"], CUDA_ERROR_NOT_READY);
    EXPECT_EQ(report["b"], CUDA_SUCCESS);
    EXPECT_EQ(report["all"], CUDA_ERROR_NOT_READY);
    EXPECT_EQ(report["wait"], CUDA_SUCCESS);
    EXPECT_TRUE(report["waits"]);
    EXPECT_EQ(report["late"], 1);
}

TEST_F(GreenStreams, AnswerThatTheirContextIsDestroyed) {
    const Report report = ask([](Lab& lab, const Pair& pair, Report& found) {
        Cuda& cuda = lab.cuda;
        CUstream stream = lab.stream(CU_STREAM_NON_BLOCKING);
        CUevent event = lab.event();
        lab.write(stream, 0, 1);
        cuda.cuEventRecord(event, stream);
        cuda.cuCtxSetCurrent(lab.primary);
        found.set("destroy", cuda.cuGreenCtxDestroy(pair.a.handle));
        found.set("stream", cuda.cuStreamQuery(stream));
        found.set("write", lab.write(stream, 0, 2));
        found.set("event", cuda.cuEventSynchronize(event));
        found.set("wait", cuda.cuStreamWaitEvent(nullptr, event, 0));
        found.set("written", lab.read(0));
    });
    EXPECT_EQ(report["destroy"], CUDA_SUCCESS);
    EXPECT_EQ(report["stream"], CUDA_ERROR_CONTEXT_IS_DESTROYED);
    EXPECT_EQ(report["write"], CUDA_ERROR_CONTEXT_IS_DESTROYED);
    EXPECT_EQ(report["event"], CUDA_SUCCESS) << "events recorded there stay valid";
    EXPECT_EQ(report["wait"], CUDA_SUCCESS);
    EXPECT_EQ(report["written"], 1);
}

}  // namespace
}  // namespace gpu
