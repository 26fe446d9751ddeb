// Words of memory that streams write and wait for, and calls on streams that are hints.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "tests/gpu/support/green.h"
#include "tests/gpu/support/inspect.h"
#include "tests/gpu/support/lab.h"

namespace gpu {
namespace {

class StreamValues : public testing::Test {
  protected:
    void SetUp() override {
        constexpr int kFirst = 11070;
        if (part().driver < kFirst) GTEST_SKIP() << "CUDA " << part().driver;
    }
};

// Two words of pinned memory.
unsigned* pinned_words(Cuda& cuda) {
    void* words = nullptr;
    cuda.cuMemHostAlloc(&words, 16, 0);
    unsigned* made = static_cast<unsigned*>(words);
    made[0] = made[1] = 0;
    return made;
}

CUdeviceptr address(unsigned* word) { return reinterpret_cast<CUdeviceptr>(word); }

TEST_F(StreamValues, AreWrittenInTheStreamsOrder) {
    const Report report = in_child(Lab::environment(), [](Cuda& cuda, Report& found) {
        Lab lab(cuda);
        unsigned* words = pinned_words(cuda);
        CUstream stream = lab.stream(CU_STREAM_NON_BLOCKING);
        lab.close(stream);
        found.set("write", cuda.cuStreamWriteValue32_v2(stream, address(words), 7, 0));
        found.set("early", std::atomic_ref<unsigned>(words[0]).load());
        lab.open();
        cuda.cuStreamSynchronize(stream);
        found.set("late", std::atomic_ref<unsigned>(words[0]).load());
        found.set("null", cuda.cuStreamWriteValue32_v2(nullptr, address(words), 8, 0));
        cuda.cuStreamSynchronize(nullptr);
        found.set("in null", std::atomic_ref<unsigned>(words[0]).load());
        found.set("own", cuda.cuStreamWriteValue32_v2_ptsz(nullptr, address(words), 9, 0));
        cuda.cuStreamSynchronize(CU_STREAM_PER_THREAD);
        found.set("in own", std::atomic_ref<unsigned>(words[0]).load());
    });
    for (const char* call : {"write", "null", "own"}) EXPECT_EQ(report[call], CUDA_SUCCESS) << call;
    EXPECT_EQ(report["early"], 0);
    EXPECT_EQ(report["late"], 7);
    EXPECT_EQ(report["in null"], 8);
    EXPECT_EQ(report["in own"], 9);
}

// CU_STREAM_WAIT_VALUE_GEQ of cuda.h: (int32_t)(*addr - value) >= 0.
TEST_F(StreamValues, AreComparedAcrossTheirWrap) {
    const Report report = in_child(Lab::environment(), [](Cuda& cuda, Report& found) {
        Lab lab(cuda);
        unsigned* words = pinned_words(cuda);
        CUstream stream = lab.stream(CU_STREAM_NON_BLOCKING);
        words[0] = 1;  // two more than the greatest number
        found.set("wait", cuda.cuStreamWaitValue32_v2(stream, address(words), ~0U,
                                                      CU_STREAM_WAIT_VALUE_GEQ));
        for (int i = 0; i < 1000 && cuda.cuStreamQuery(stream) == CUDA_ERROR_NOT_READY; ++i) {
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
        found.set("reached", cuda.cuStreamQuery(stream));
        std::atomic_ref<unsigned>(words[0]).store(~0U);  // if it waits all the same
        cuda.cuStreamSynchronize(stream);
    });
    EXPECT_EQ(report["wait"], CUDA_SUCCESS);
    EXPECT_EQ(report["reached"], CUDA_SUCCESS);
}

TEST_F(StreamValues, HoldAStreamUntilTheyAreThere) {
    const Report report = in_child(Lab::environment(), [](Cuda& cuda, Report& found) {
        Lab lab(cuda);
        unsigned* words = pinned_words(cuda);
        CUstream stream = lab.stream(CU_STREAM_NON_BLOCKING);
        const auto wait = [&](const char* name, unsigned value, unsigned how, unsigned set) {
            std::atomic_ref<unsigned>(words[0]).store(0);
            found.set(name, cuda.cuStreamWaitValue32_v2(stream, address(words), value, how));
            found.set(std::string(name) + " early", cuda.cuStreamQuery(stream));
            std::atomic_ref<unsigned>(words[0]).store(set);
            found.set(std::string(name) + " late", cuda.cuStreamSynchronize(stream));
        };
        wait("reached", 5, CU_STREAM_WAIT_VALUE_GEQ, 6);
        wait("equal", 5, CU_STREAM_WAIT_VALUE_EQ, 5);
        wait("and", 6, CU_STREAM_WAIT_VALUE_AND, 4);
        found.set("odd", cuda.cuStreamWaitValue32_v2(stream, address(words) + 1, 0, 0));
    });
    for (const char* name : {"reached", "equal", "and"}) {
        EXPECT_EQ(report[name], CUDA_SUCCESS) << name;
        EXPECT_EQ(report[std::string(name) + " early"], CUDA_ERROR_NOT_READY) << name;
        EXPECT_EQ(report[std::string(name) + " late"], CUDA_SUCCESS) << name;
    }
    EXPECT_EQ(report["odd"], CUDA_ERROR_INVALID_VALUE);
}

TEST_F(StreamValues, OfOneStreamReleaseAnotherInABatch) {
    const Report report = in_child(Lab::environment(), [](Cuda& cuda, Report& found) {
        Lab lab(cuda);
        CUstream first = lab.stream(CU_STREAM_NON_BLOCKING);
        CUstream second = lab.stream(CU_STREAM_NON_BLOCKING);
        const CUdeviceptr word = lab.cell(1);
        lab.write(first, 0, 0);
        cuda.cuMemsetD8Async(word, 0, 8, first);
        cuda.cuCtxSynchronize();
        CUstreamBatchMemOpParams wait[1]{};
        wait[0].operation = CU_STREAM_MEM_OP_WAIT_VALUE_32;
        wait[0].waitValue.address = word;
        wait[0].waitValue.value = 2;
        wait[0].waitValue.flags = CU_STREAM_WAIT_VALUE_EQ;
        found.set("wait", cuda.cuStreamBatchMemOp_v2(second, 1, wait, 0));
        lab.write(second, 0, 4);
        found.set("early", cuda.cuStreamQuery(second));
        CUstreamBatchMemOpParams write[2]{};
        for (unsigned i = 0; i < 2; ++i) {
            write[i].operation = CU_STREAM_MEM_OP_WRITE_VALUE_32;
            write[i].writeValue.address = word;
            write[i].writeValue.value = i + 1;
        }
        found.set("write", cuda.cuStreamBatchMemOp_v2(first, 2, write, 0));
        found.set("late", cuda.cuStreamSynchronize(second));
        found.set("written", lab.read(0));
    });
    EXPECT_EQ(report["wait"], CUDA_SUCCESS);
    EXPECT_EQ(report["write"], CUDA_SUCCESS);
    EXPECT_EQ(report["early"], CUDA_ERROR_NOT_READY);
    EXPECT_EQ(report["late"], CUDA_SUCCESS);
    EXPECT_EQ(report["written"], 4);
}

TEST_F(StreamValues, AreInTheHomesStreamsToo) {
    if (!have_green()) GTEST_SKIP() << "CUDA " << part().driver;
    const Report report = in_child(Lab::environment(), [](Cuda& cuda, Report& found) {
        Lab lab(cuda);
        unsigned* words = pinned_words(cuda);
        const Green green = make_green(cuda, {split(cuda, sms_of_device(cuda), 8).groups[0]});
        cuda.cuCtxSetCurrent(green.context);
        found.set("write", cuda.cuStreamWriteValue32_v2(nullptr, address(words), 7, 0));
        cuda.cuStreamSynchronize(nullptr);
        found.set("written", std::atomic_ref<unsigned>(words[0]).load());
        found.set("own", cuda.cuStreamWriteValue32_v2_ptsz(nullptr, address(words), 9, 0));
    });
    EXPECT_EQ(report["write"], CUDA_SUCCESS);
    EXPECT_EQ(report["written"], 7);
    EXPECT_EQ(report["own"], CUDA_ERROR_INVALID_HANDLE);
}

TEST(StreamHints, ArePutIntoStreams) {
    const Report report = in_child(Lab::environment(), [](Cuda& cuda, Report& found) {
        Lab lab(cuda);
        CUdeviceptr managed{};
        cuda.cuMemAllocManaged(&managed, 1 << 20, CU_MEM_ATTACH_GLOBAL);
        CUstream stream = lab.stream(CU_STREAM_NON_BLOCKING);
        found.set("prefetch", cuda.cuMemPrefetchAsync(managed, 1 << 20, 0, stream));
        found.set("to host", cuda.cuMemPrefetchAsync(managed, 1 << 20, CU_DEVICE_CPU, stream));
        found.set("attach", cuda.cuStreamAttachMemAsync(stream, managed, 0, CU_MEM_ATTACH_GLOBAL));
        found.set("nothing", cuda.cuMemPrefetchAsync(managed, 0, 0, stream));
        found.set("end", cuda.cuStreamSynchronize(stream));
    });
    for (const char* call : {"prefetch", "to host", "attach", "end"}) {
        EXPECT_EQ(report[call], CUDA_SUCCESS) << call;
    }
    EXPECT_EQ(report["nothing"], CUDA_ERROR_INVALID_VALUE);
}

TEST(StreamAttributes, AreKeptAndCopied) {
    const Report report = in_child(Lab::environment(), [](Cuda& cuda, Report& found) {
        Lab lab(cuda);
        CUstream stream = lab.stream(CU_STREAM_NON_BLOCKING);
        CUstream other = lab.stream(CU_STREAM_NON_BLOCKING);
        constexpr auto kPolicy = CU_STREAM_ATTRIBUTE_SYNCHRONIZATION_POLICY;
        CUstreamAttrValue value{};
        value.syncPolicy = CU_SYNC_POLICY_YIELD;
        found.set("set", cuda.cuStreamSetAttribute(stream, kPolicy, &value));
        CUstreamAttrValue got{};
        found.set("get", cuda.cuStreamGetAttribute(stream, kPolicy, &got));
        found.set("policy", got.syncPolicy);
        found.set("copy", cuda.cuStreamCopyAttributes(other, stream));
        got = {};
        cuda.cuStreamGetAttribute(other, kPolicy, &got);
        found.set("copied", got.syncPolicy);
        found.set("null", cuda.cuStreamGetAttribute(nullptr, kPolicy, &got));
    });
    for (const char* call : {"set", "get", "copy", "null"}) {
        EXPECT_EQ(report[call], CUDA_SUCCESS) << call;
    }
    EXPECT_EQ(report["policy"], CU_SYNC_POLICY_YIELD);
    EXPECT_EQ(report["copied"], CU_SYNC_POLICY_YIELD);
}

}  // namespace
}  // namespace gpu
