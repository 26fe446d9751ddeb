// Copies and fills without a stream argument: the stream that they are in, whether they wait until
// they are done, and what they do.
#include <gtest/gtest.h>

#include <array>
#include <numeric>

#include "tests/gpu/support/green.h"
#include "tests/gpu/support/inspect.h"
#include "tests/gpu/support/lab.h"

namespace gpu {
namespace {

constexpr std::size_t kWidth = 64;
constexpr std::size_t kHeight = 16;
constexpr std::size_t kBytes = kWidth * kHeight;

// What the calls work on.
struct Things {
    explicit Things(Lab& of) : lab(of) {
        Cuda& cuda = lab.cuda;
        cuda.cuMemAlloc_v2(&a, kBytes);
        cuda.cuMemAlloc_v2(&b, kBytes);
        const CUDA_ARRAY_DESCRIPTOR shape{kWidth, kHeight, CU_AD_FORMAT_UNSIGNED_INT8, 1};
        made = cuda.cuArrayCreate_v2(&array, &shape);
        cuda.cuArrayCreate_v2(&other, &shape);
        std::iota(host.begin(), host.end(), static_cast<unsigned char>(1));
    }
    CUdeviceptr host_pointer() { return reinterpret_cast<CUdeviceptr>(host.data()); }
    CUDA_MEMCPY3D box() {
        CUDA_MEMCPY3D shape{};
        shape.srcMemoryType = CU_MEMORYTYPE_DEVICE;
        shape.srcDevice = a;
        shape.srcPitch = kWidth;
        shape.srcHeight = kHeight;
        shape.dstMemoryType = CU_MEMORYTYPE_HOST;
        shape.dstHost = host.data();
        shape.dstPitch = kWidth;
        shape.dstHeight = kHeight;
        shape.WidthInBytes = kWidth;
        shape.Height = kHeight;
        shape.Depth = 1;
        return shape;
    }
    CUDA_MEMCPY2D flat() {
        CUDA_MEMCPY2D shape{};
        shape.srcMemoryType = CU_MEMORYTYPE_DEVICE;
        shape.srcDevice = a;
        shape.srcPitch = kWidth;
        shape.dstMemoryType = CU_MEMORYTYPE_HOST;
        shape.dstHost = host.data();
        shape.dstPitch = kWidth;
        shape.WidthInBytes = kWidth;
        shape.Height = kHeight;
        return shape;
    }
    CUDA_MEMCPY3D_PEER peer() {
        CUDA_MEMCPY3D_PEER shape{};
        shape.srcMemoryType = shape.dstMemoryType = CU_MEMORYTYPE_DEVICE;
        shape.srcContext = shape.dstContext = lab.primary;
        shape.srcDevice = a;
        shape.dstDevice = b;
        shape.srcPitch = shape.dstPitch = kWidth;
        shape.srcHeight = shape.dstHeight = kHeight;
        shape.WidthInBytes = kWidth;
        shape.Height = kHeight;
        shape.Depth = 1;
        return shape;
    }

    Lab& lab;
    CUresult made{};
    CUdeviceptr a = 0;
    CUdeviceptr b = 0;
    CUarray array = nullptr;
    CUarray other = nullptr;
    std::array<unsigned char, kBytes> host{};
};

struct Form {
    const char* name;
    bool waits;  // until it is done: a side is the host's
    std::function<CUresult(Things& things)> legacy;
    std::function<CUresult(Things& things)> per_thread;
};

#define BOTH(name, suffix, arguments)                            \
    [](Things& t) { return t.lab.cuda.name##suffix arguments; }, \
        [](Things& t) { return t.lab.cuda.name##suffix##_ptds arguments; }

// Of what lives until the call is over.
template <typename Shape>
const Shape* at(const Shape& shape) {
    return &shape;
}

// Neither its name nor its arguments say where the memory lies.
constexpr const char* kToBeAsked = "cuMemcpy on device";

const Form kForms[] = {
    {"cuMemcpyHtoD", true, BOTH(cuMemcpyHtoD, _v2, (t.a, t.host.data(), kBytes))},
    {"cuMemcpyDtoH", true, BOTH(cuMemcpyDtoH, _v2, (t.host.data(), t.a, kBytes))},
    {"cuMemcpyDtoD", false, BOTH(cuMemcpyDtoD, _v2, (t.b, t.a, kBytes))},
    {"cuMemcpy to host", true, BOTH(cuMemcpy, , (t.host_pointer(), t.a, kBytes))},
    {"cuMemcpy from host", true, BOTH(cuMemcpy, , (t.a, t.host_pointer(), kBytes))},
    {kToBeAsked, false, BOTH(cuMemcpy, , (t.b, t.a, kBytes))},
    {"cuMemcpyPeer", false, BOTH(cuMemcpyPeer, , (t.b, t.lab.primary, t.a, t.lab.primary, kBytes))},
    {"cuMemcpyAtoH", true, BOTH(cuMemcpyAtoH, _v2, (t.host.data(), t.array, 0, kWidth))},
    {"cuMemcpyHtoA", true, BOTH(cuMemcpyHtoA, _v2, (t.array, 0, t.host.data(), kWidth))},
    {"cuMemcpyAtoD", false, BOTH(cuMemcpyAtoD, _v2, (t.a, t.array, 0, kWidth))},
    {"cuMemcpyDtoA", false, BOTH(cuMemcpyDtoA, _v2, (t.array, 0, t.a, kWidth))},
    {"cuMemcpyAtoA", false, BOTH(cuMemcpyAtoA, _v2, (t.other, 0, t.array, 0, kWidth))},
    {"cuMemcpy2D", true, BOTH(cuMemcpy2D, _v2, (at(t.flat())))},
    {"cuMemcpy2DUnaligned", true, BOTH(cuMemcpy2DUnaligned, _v2, (at(t.flat())))},
    {"cuMemcpy3D", true, BOTH(cuMemcpy3D, _v2, (at(t.box())))},
    {"cuMemcpy3DPeer", false, BOTH(cuMemcpy3DPeer, , (at(t.peer())))},
    {"cuMemsetD8", false, BOTH(cuMemsetD8, _v2, (t.a, 1, kBytes))},
    {"cuMemsetD16", false, BOTH(cuMemsetD16, _v2, (t.a, 1, kBytes / 2))},
    {"cuMemsetD32", false, BOTH(cuMemsetD32, _v2, (t.a, 1, kBytes / 4))},
    {"cuMemsetD2D8", false, BOTH(cuMemsetD2D8, _v2, (t.a, kWidth, 1, 8, 4))},
    {"cuMemsetD2D16", false, BOTH(cuMemsetD2D16, _v2, (t.a, kWidth, 1, 8, 4))},
    {"cuMemsetD2D32", false, BOTH(cuMemsetD2D32, _v2, (t.a, kWidth, 1, 8, 4))},
};

// For every form: its result twice, and whether it waited for the stream.
Report each_form(CUstream stream, bool per_thread) {
    return in_child(Lab::environment(), [=](Cuda& cuda, Report& found) {
        Lab lab(cuda);
        Things things(lab);
        found.set("made", things.made);
        lab.write(stream, 7, 0);
        for (const Form& form : kForms) {
            const std::string name = form.name;
            const auto& call = per_thread ? form.per_thread : form.legacy;
            found.set(name + " first", call(things));
            cuda.cuCtxSynchronize();
            lab.renew();
            lab.close(stream);
            found.set(name + " waits", lab.waits([&] { found.set(name, call(things)); }));
            cuda.cuCtxSynchronize();
        }
    });
}

// `apart`: whether that form waits, another test asks.
void expect_waits(const Report& report, bool in_that_stream, const std::string& apart = "") {
    EXPECT_EQ(report["made"], CUDA_SUCCESS);
    for (const Form& form : kForms) {
        const std::string name = form.name;
        EXPECT_EQ(report[name + " first"], CUDA_SUCCESS) << name;
        EXPECT_EQ(report[name], CUDA_SUCCESS) << name;
        if (name == apart) continue;
        EXPECT_EQ(report[name + " waits"], form.waits && in_that_stream) << name;
    }
}

TEST(Copies, AreInTheLegacyStreamAndWaitWhereTheHostHasASide) {
    expect_waits(each_form(nullptr, false), true);
}

TEST(Copies, InPtdsAreInTheThreadsOwnStream) {
    expect_waits(each_form(CU_STREAM_PER_THREAD, true), true, kToBeAsked);
}

TEST(Copies, InPtdsThatTurnOutToBeWithinTheDeviceAreNotWaitedFor) {
    const Report report = each_form(CU_STREAM_PER_THREAD, true);
    EXPECT_EQ(report[std::string(kToBeAsked) + " waits"], false);
}

// Its own stream waits for no other one that isn't the legacy stream.
TEST(Copies, InPtdsWaitForNoOtherStream) {
    const Report report = in_child(Lab::environment(), [](Cuda& cuda, Report& found) {
        Lab lab(cuda);
        Things things(lab);
        CUstream blocking = lab.stream(CU_STREAM_DEFAULT);
        for (const Form& form : kForms) form.per_thread(things);
        cuda.cuCtxSynchronize();
        lab.close(blocking);
        found.set("waits", lab.waits([&] {
            for (const Form& form : kForms) form.per_thread(things);
        }));
        lab.close(blocking, 1);
        found.set("legacy waits", lab.waits([&] { kForms[1].legacy(things); }, 1));
    });
    EXPECT_FALSE(report["waits"]);
    EXPECT_TRUE(report["legacy waits"]);
}

TEST(Copies, InAGreenContextHaveTheNullStreamAndNoneInPtds) {
    if (!have_green()) GTEST_SKIP() << "CUDA " << part().driver;
    const Report report = in_child(Lab::environment(), [](Cuda& cuda, Report& found) {
        Lab lab(cuda);
        Things things(lab);
        const Green green = make_green(cuda, {split(cuda, sms_of_device(cuda), 8).groups[0]});
        cuda.cuCtxSetCurrent(green.context);
        for (const Form& form : kForms) {
            const std::string name = form.name;
            found.set(name + " first", form.legacy(things));
            cuda.cuCtxSynchronize();
            lab.renew();
            lab.close(nullptr);
            found.set(name + " waits", lab.waits([&] { found.set(name, form.legacy(things)); }));
            cuda.cuCtxSynchronize();
            found.set(name + " ptds", form.per_thread(things));
        }
    });
    for (const Form& form : kForms) {
        const std::string name = form.name;
        EXPECT_EQ(report[name], CUDA_SUCCESS) << name;
        EXPECT_EQ(report[name + " waits"], form.waits) << name;
        EXPECT_EQ(report[name + " ptds"], CUDA_ERROR_INVALID_HANDLE) << name;
    }
}

TEST(Copies, KeepShapes) {
    const Report report = in_child(Lab::environment(), [](Cuda& cuda, Report& found) {
        Lab lab(cuda);
        Things things(lab);
        // 8 bytes of each of 4 rows, from (16, 2) of the host to (4, 3) of the array and back.
        CUDA_MEMCPY2D shape{};
        shape.srcMemoryType = CU_MEMORYTYPE_HOST;
        shape.srcHost = things.host.data();
        shape.srcPitch = kWidth;
        shape.srcXInBytes = 16;
        shape.srcY = 2;
        shape.dstMemoryType = CU_MEMORYTYPE_ARRAY;
        shape.dstArray = things.array;
        shape.dstXInBytes = 4;
        shape.dstY = 3;
        shape.WidthInBytes = 8;
        shape.Height = 4;
        found.set("to array", cuda.cuMemcpy2D_v2(&shape));
        found.set("between", cuda.cuMemcpyAtoA_v2(things.other, 3 * kWidth, things.array,
                                                  3 * kWidth, 4 * kWidth));
        std::array<unsigned char, kBytes> back{};
        CUDA_MEMCPY3D box{};
        box.srcMemoryType = CU_MEMORYTYPE_ARRAY;
        box.srcArray = things.array;
        box.srcXInBytes = 4;
        box.srcY = 3;
        box.dstMemoryType = CU_MEMORYTYPE_HOST;
        box.dstHost = back.data();
        box.dstPitch = kWidth;
        box.dstHeight = kHeight;
        box.WidthInBytes = 8;
        box.Height = 4;
        box.Depth = 1;
        found.set("from array", cuda.cuMemcpy3D_v2(&box));
        bool same = true;
        for (std::size_t row = 0; row < 4; ++row) {
            for (std::size_t x = 0; x < 8; ++x) {
                same = same && back[row * kWidth + x] == things.host[(row + 2) * kWidth + x + 16];
            }
        }
        found.set("same", same);
        found.set("beside", back[8]);
    });
    EXPECT_EQ(report["to array"], CUDA_SUCCESS);
    EXPECT_EQ(report["from array"], CUDA_SUCCESS);
    EXPECT_TRUE(report["same"]);
    EXPECT_EQ(report["beside"], 0);
}

TEST(Fills, HaveValuesOfOneTwoAndFourBytes) {
    const Report report = in_child(Lab::environment(), [](Cuda& cuda, Report& found) {
        Lab lab(cuda);
        Things things(lab);
        cuda.cuMemsetD8_v2(things.a, 0, kBytes);
        found.set("16", cuda.cuMemsetD16_v2(things.a, 0x0201, 2));
        found.set("32", cuda.cuMemsetD32Async(things.a + 8, 0x06050403, 1, nullptr));
        found.set("rows", cuda.cuMemsetD2D16_v2(things.a + kWidth, kWidth, 0x0807, 2, 2));
        cuda.cuMemcpyDtoH_v2(things.host.data(), things.a, kBytes);
        const unsigned char* host = things.host.data();
        found.set("16 done", host[0] == 1 && host[3] == 2 && host[4] == 0);
        found.set("32 done", host[8] == 3 && host[11] == 6 && host[12] == 0);
        found.set("rows done", host[kWidth] == 7 && host[2 * kWidth + 3] == 8 &&
                                   host[kWidth + 4] == 0 && host[3 * kWidth] == 0);
        found.set("outside", cuda.cuMemsetD32_v2(things.a, 1, kBytes << 20));
    });
    for (const char* call : {"16", "32", "rows"}) EXPECT_EQ(report[call], CUDA_SUCCESS) << call;
    for (const char* what : {"16 done", "32 done", "rows done"}) EXPECT_TRUE(report[what]) << what;
    EXPECT_EQ(report["outside"], CUDA_ERROR_INVALID_VALUE);
}

// The forms with a stream argument: none waits, but for pageable memory that is written.
TEST(Copies, WithAStreamAreInItsOrder) {
    const Report report = in_child(Lab::environment(), [](Cuda& cuda, Report& found) {
        Lab lab(cuda);
        Things things(lab);
        CUstream stream = lab.stream(CU_STREAM_NON_BLOCKING);
        const std::pair<std::string, std::function<CUresult()>> kCalls[] = {
            {"cuMemcpyAsync",
             [&] { return cuda.cuMemcpyAsync(things.b, things.a, kBytes, stream); }},
            {"cuMemcpyPeerAsync",
             [&] {
                 return cuda.cuMemcpyPeerAsync(things.b, lab.primary, things.a, lab.primary, kBytes,
                                               stream);
             }},
            {"cuMemcpy3DPeerAsync",
             [&] { return cuda.cuMemcpy3DPeerAsync(at(things.peer()), stream); }},
            {"cuMemsetD16Async", [&] { return cuda.cuMemsetD16Async(things.a, 1, 8, stream); }},
            {"cuMemsetD2D8Async",
             [&] { return cuda.cuMemsetD2D8Async(things.a, kWidth, 1, 8, 4, stream); }},
            {"cuMemsetD2D32Async",
             [&] { return cuda.cuMemsetD2D32Async(things.a, kWidth, 1, 8, 4, stream); }}};
        for (const auto& [name, call] : kCalls) {
            call();
            cuda.cuCtxSynchronize();
            lab.renew();
            lab.close(stream);
            found.set(name + " waits",
                      lab.waits([&, &run = call, &as = name] { found.set(as, run()); }));
            cuda.cuCtxSynchronize();
        }
        cuda.cuMemcpy2DAsync_v2(at(things.flat()), stream);
        cuda.cuCtxSynchronize();
        cuda.cuMemsetD8_v2(things.a, 3, kBytes);
        cuda.cuCtxSynchronize();
        lab.renew();
        lab.close(stream);
        cuda.cuMemsetD8Async(things.a, 9, kBytes, stream);
        found.set("to pageable", lab.waits([&] {
            found.set("2D", cuda.cuMemcpy2DAsync_v2(at(things.flat()), stream));
        }));
        found.set("byte", things.host[5]);
    });
    for (const char* name : {"cuMemcpyAsync", "cuMemcpyPeerAsync", "cuMemcpy3DPeerAsync",
                             "cuMemsetD16Async", "cuMemsetD2D8Async", "cuMemsetD2D32Async"}) {
        EXPECT_EQ(report[name], CUDA_SUCCESS) << name;
        EXPECT_FALSE(report[std::string(name) + " waits"]) << name;
    }
    EXPECT_EQ(report["2D"], CUDA_SUCCESS);
    EXPECT_TRUE(report["to pageable"]);
    EXPECT_EQ(report["byte"], 9);
}

}  // namespace
}  // namespace gpu
