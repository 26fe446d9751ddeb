// The other ways to device memory: pools and stream-ordered allocation, physical memory that is
// mapped, arrays, managed and pinned memory; and what each takes of what is free.
#include <gtest/gtest.h>

#include <cstring>

#include "tests/gpu/support/inspect.h"
#include "tests/gpu/support/lab.h"

namespace gpu {
namespace {

constexpr std::size_t kSize = std::size_t{512} << 20;
constexpr long long kSizeMib = 512;
constexpr long long kSlackMib = 64;  // what a driver may keep for itself

// With the primary context of device 0 current.
Report ask(const Work& work) {
    return in_child({}, [&work](Cuda& cuda, Report& found) {
        inspect_context(cuda, found);
        work(cuda, found);
    });
}

// MiB that are free fewer than at the first call.
class Taken {
  public:
    explicit Taken(Cuda& cuda) : cuda_(cuda), before_(free_mib()) {}
    long long mib() const { return before_ - free_mib(); }

  private:
    long long free_mib() const {
        std::size_t free = 0;
        std::size_t total = 0;
        cuda_.cuMemGetInfo_v2(&free, &total);
        return static_cast<long long>(free) / kMiB;
    }
    Cuda& cuda_;
    long long before_;
};

class Pools : public testing::Test {
  protected:
    void SetUp() override {
        constexpr int kFirst = 11020;
        if (part().driver < kFirst) GTEST_SKIP() << "CUDA " << part().driver;
    }
};

long long pool_value(Cuda& cuda, CUmemoryPool pool, CUmemPool_attribute attribute) {
    cuuint64_t value = 0;
    cuda.cuMemPoolGetAttribute(pool, attribute, &value);
    return static_cast<long long>(value);
}

TEST_F(Pools, KeepMemoryUntilSomebodySynchronises) {
    const Report report = ask([](Cuda& cuda, Report& found) {
        CUmemoryPool pool{};
        found.set("default", cuda.cuDeviceGetDefaultMemPool(&pool, 0));
        CUmemoryPool current{};
        cuda.cuDeviceGetMemPool(&current, 0);
        found.set("current", current == pool);
        const Taken taken(cuda);
        CUdeviceptr memory{};
        found.set("allocate", cuda.cuMemAllocAsync(&memory, kSize, nullptr));
        found.set("fill", cuda.cuMemsetD8Async(memory + kSize - 1, 7, 1, nullptr));
        cuda.cuStreamSynchronize(nullptr);
        found.set("taken", taken.mib());
        found.set("used", pool_value(cuda, pool, CU_MEMPOOL_ATTR_USED_MEM_CURRENT) / kMiB);
        found.set("reserved", pool_value(cuda, pool, CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT) / kMiB);
        found.set("free", cuda.cuMemFreeAsync(memory, nullptr));
        cuda.cuStreamSynchronize(nullptr);
        found.set("left", taken.mib());
        found.set("used then", pool_value(cuda, pool, CU_MEMPOOL_ATTR_USED_MEM_CURRENT));
        found.set("high", pool_value(cuda, pool, CU_MEMPOOL_ATTR_USED_MEM_HIGH) / kMiB);
    });
    for (const char* call : {"default", "allocate", "fill", "free"}) {
        EXPECT_EQ(report[call], CUDA_SUCCESS) << call;
    }
    EXPECT_TRUE(report["current"]);
    EXPECT_GE(report["taken"], kSizeMib);
    EXPECT_EQ(report["used"], kSizeMib);
    EXPECT_GE(report["reserved"], kSizeMib);
    EXPECT_LE(report["left"], kSlackMib);
    EXPECT_EQ(report["used then"], 0);
    EXPECT_EQ(report["high"], kSizeMib);
}

TEST_F(Pools, KeepAsMuchAsTheirThresholdSays) {
    const Report report = ask([](Cuda& cuda, Report& found) {
        CUmemoryPool pool{};
        cuda.cuDeviceGetDefaultMemPool(&pool, 0);
        cuuint64_t all = UINT64_MAX;
        found.set("set", cuda.cuMemPoolSetAttribute(pool, CU_MEMPOOL_ATTR_RELEASE_THRESHOLD, &all));
        const Taken taken(cuda);
        CUdeviceptr memory{};
        cuda.cuMemAllocAsync(&memory, kSize, nullptr);
        cuda.cuMemFreeAsync(memory, nullptr);
        cuda.cuStreamSynchronize(nullptr);
        found.set("kept", taken.mib());
        std::size_t free = 0;
        std::size_t total = 0;
        cuda.cuMemGetInfo_v2(&free, &total);
        CUdeviceptr rest{};
        found.set("needed", cuda.cuMemAlloc_v2(&rest, free + kSize / 2));
        cuda.cuMemFree_v2(rest);
        cuda.cuMemAllocAsync(&memory, kSize, nullptr);
        cuda.cuMemFreeAsync(memory, nullptr);
        cuda.cuStreamSynchronize(nullptr);  // what is not freed yet is not trimmed
        found.set("trim", cuda.cuMemPoolTrimTo(pool, 0));
        found.set("left", taken.mib());
    });
    EXPECT_EQ(report["set"], CUDA_SUCCESS);
    EXPECT_GE(report["kept"], kSizeMib);
    EXPECT_EQ(report["needed"], CUDA_SUCCESS) << "a pool gives up what somebody needs";
    EXPECT_EQ(report["trim"], CUDA_SUCCESS);
    EXPECT_LE(report["left"], kSlackMib);
}

TEST_F(Pools, OfTheProgramEndWithTheLastOfTheirMemory) {
    const Report report = ask([](Cuda& cuda, Report& found) {
        CUmemPoolProps properties{};
        properties.allocType = CU_MEM_ALLOCATION_TYPE_PINNED;
        properties.location = {CU_MEM_LOCATION_TYPE_DEVICE, {0}};
        const Taken taken(cuda);
        CUmemoryPool pool{};
        CUmemoryPool standard{};
        CUmemoryPool current{};
        cuda.cuDeviceGetDefaultMemPool(&standard, 0);
        found.set("create", cuda.cuMemPoolCreate(&pool, &properties));
        found.set("set", cuda.cuDeviceSetMemPool(0, pool));
        CUdeviceptr memory{};
        CUdeviceptr other{};
        cuda.cuMemAllocAsync(&memory, kSize, nullptr);
        cuda.cuMemAllocFromPoolAsync(&other, kSize, pool, nullptr);
        found.set("used", pool_value(cuda, pool, CU_MEMPOOL_ATTR_USED_MEM_CURRENT) / kMiB);
        found.set("destroy", cuda.cuMemPoolDestroy(pool));
        cuda.cuDeviceGetMemPool(&current, 0);
        found.set("default again", current == standard);
        found.set("default's end", cuda.cuMemPoolDestroy(standard));
        found.set("still taken", taken.mib());
        found.set("fill", cuda.cuMemsetD8_v2(memory, 1, 4096));
        cuda.cuMemFreeAsync(memory, nullptr);
        found.set("free", cuda.cuMemFree_v2(other));
        cuda.cuCtxSynchronize();
        found.set("left", taken.mib());
    });
    for (const char* call : {"create", "set", "destroy", "fill", "free"}) {
        EXPECT_EQ(report[call], CUDA_SUCCESS) << call;
    }
    EXPECT_EQ(report["used"], 2 * kSizeMib);
    EXPECT_TRUE(report["default again"]);
    EXPECT_NE(report["default's end"], CUDA_SUCCESS);
    EXPECT_GE(report["still taken"], 2 * kSizeMib);
    EXPECT_LE(report["left"], kSlackMib);
}

TEST_F(Pools, GiveAndTakeInTheStreamsOrder) {
    const Report report = in_child(Lab::environment(), [](Cuda& cuda, Report& found) {
        Lab lab(cuda);
        CUdeviceptr memory{};
        cuda.cuMemAllocAsync(&memory, 4096, nullptr);
        cuda.cuCtxSynchronize();
        lab.close(nullptr);
        cuda.cuMemsetD8Async(memory, 5, 4096, nullptr);
        found.set("waits",
                  lab.waits([&] { found.set("free", cuda.cuMemFreeAsync(memory, nullptr)); }));
        found.set("end", cuda.cuCtxSynchronize());
        std::size_t free = 0;
        std::size_t total = 0;
        cuda.cuMemGetInfo_v2(&free, &total);
        found.set("too much", cuda.cuMemAllocAsync(&memory, total, nullptr));
        found.set("unknown", cuda.cuMemFreeAsync(0x1234, nullptr));
        found.set("none", cuda.cuMemAllocAsync(&memory, 0, nullptr));
        found.set("null", memory == 0);
        found.set("free null", cuda.cuMemFreeAsync(0, nullptr));
        cuda.cuMemAlloc_v2(&memory, 4096);
        found.set("free other", cuda.cuMemFreeAsync(memory, nullptr));
        cuda.cuCtxSynchronize();
        found.set("is gone", cuda.cuMemFree_v2(memory));
    });
    EXPECT_FALSE(report["waits"]);
    EXPECT_EQ(report["free"], CUDA_SUCCESS);
    EXPECT_EQ(report["end"], CUDA_SUCCESS);
    EXPECT_EQ(report["too much"], CUDA_ERROR_OUT_OF_MEMORY);
    EXPECT_EQ(report["unknown"], CUDA_ERROR_INVALID_VALUE);
    for (const char* call : {"none", "free null", "free other"}) {
        EXPECT_EQ(report[call], CUDA_SUCCESS) << call;
    }
    EXPECT_TRUE(report["null"]);
    EXPECT_EQ(report["is gone"], CUDA_ERROR_INVALID_VALUE);
}

// Of mapped memory: a handle, its size (two units), and address space for `slots` times that size.
struct Space {
    Space(Cuda& driver, std::size_t slots) : cuda(driver) {
        properties.type = CU_MEM_ALLOCATION_TYPE_PINNED;
        properties.location = {CU_MEM_LOCATION_TYPE_DEVICE, {0}};
        cuda.cuMemGetAllocationGranularity(&unit, &properties, CU_MEM_ALLOC_GRANULARITY_MINIMUM);
        size = kSize / unit * unit;
        bytes = slots * size;
        reserved = cuda.cuMemAddressReserve(&start, bytes, 0, 0, 0);
    }
    CUdeviceptr slot(std::size_t number) const { return start + number * size; }
    CUresult create(CUmemGenericAllocationHandle& handle) {
        return cuda.cuMemCreate(&handle, size, &properties, 0);
    }
    CUresult map(std::size_t number, CUmemGenericAllocationHandle handle) {
        return cuda.cuMemMap(slot(number), size, 0, handle, 0);
    }
    CUresult open(std::size_t first, std::size_t count) {
        CUmemAccessDesc access{properties.location, CU_MEM_ACCESS_FLAGS_PROT_READWRITE};
        return cuda.cuMemSetAccess(slot(first), count * size, &access, 1);
    }

    Cuda& cuda;
    CUmemAllocationProp properties{};
    std::size_t unit = 1;
    std::size_t size = 0;
    std::size_t bytes = 0;
    CUdeviceptr start = 0;
    CUresult reserved{};
};

TEST(MappedMemory, IsTakenWhenItIsMadeAndGivenBackWithTheLastHandleAndMapping) {
    const Report report = ask([](Cuda& cuda, Report& found) {
        const Taken taken(cuda);
        Space space(cuda, 1);
        found.set("reserve", space.reserved);
        found.set("for addresses", taken.mib());
        CUmemGenericAllocationHandle handle{};
        found.set("create", space.create(handle));
        found.set("taken", taken.mib());
        found.set("map", space.map(0, handle));
        found.set("access", space.open(0, 1));
        found.set("fill", cuda.cuMemsetD8_v2(space.start + space.size - 2, 9, 2));
        char byte{};
        cuda.cuMemcpyDtoH_v2(&byte, space.start + space.size - 1, 1);
        found.set("byte", byte);
        found.set("release", cuda.cuMemRelease(handle));
        found.set("mapped", taken.mib());
        found.set("part", cuda.cuMemUnmap(space.start, space.unit));
        found.set("not linear", cuda.cuMemFree_v2(space.start));
        found.set("busy", cuda.cuMemAddressFree(space.start, space.bytes));
        found.set("unmap", cuda.cuMemUnmap(space.start, space.bytes));
        found.set("left", taken.mib());
        found.set("gone", cuda.cuMemRelease(handle));
        found.set("nothing there", cuda.cuMemUnmap(space.start, space.bytes));
        found.set("free", cuda.cuMemAddressFree(space.start, space.bytes));
    });
    for (const char* call :
         {"reserve", "create", "map", "access", "fill", "release", "unmap", "free"}) {
        EXPECT_EQ(report[call], CUDA_SUCCESS) << call;
    }
    EXPECT_EQ(report["for addresses"], 0);
    EXPECT_EQ(report["taken"], kSizeMib);
    EXPECT_EQ(report["byte"], 9);
    EXPECT_EQ(report["mapped"], kSizeMib);
    EXPECT_NE(report["busy"], CUDA_SUCCESS);
    EXPECT_EQ(report["part"], CUDA_ERROR_INVALID_VALUE);
    EXPECT_EQ(report["not linear"], CUDA_ERROR_INVALID_VALUE);
    EXPECT_EQ(report["nothing there"], CUDA_SUCCESS);
    EXPECT_EQ(report["left"], 0);
    EXPECT_EQ(report["gone"], CUDA_ERROR_INVALID_VALUE);
}

TEST(MappedMemory, CanHaveSeveralAddressesAndNeighboursAreOneRange) {
    const Report report = ask([](Cuda& cuda, Report& found) {
        Space space(cuda, 3);
        CUmemGenericAllocationHandle first{};
        CUmemGenericAllocationHandle second{};
        space.create(first);
        space.create(second);
        found.set("map", space.map(0, first) + space.map(1, second) + space.map(2, first));
        found.set("taken twice", space.map(1, first));
        found.set("access", space.open(0, 3));
        found.set("fill", cuda.cuMemsetD8_v2(space.slot(1) - 4, 3, 8));
        char bytes[8]{};
        found.set("read", cuda.cuMemcpyDtoH_v2(bytes, space.slot(1) - 4, sizeof bytes));
        found.set("across", bytes[3] + bytes[4]);
        cuda.cuMemcpyDtoH_v2(bytes, space.slot(3) - 1, 1);
        found.set("elsewhere", bytes[0]);
        CUmemGenericAllocationHandle again{};
        found.set("retain", cuda.cuMemRetainAllocationHandle(
                                &again, reinterpret_cast<void*>(space.slot(2) + 5)));
        found.set("same", again == first);
        found.set("releases", cuda.cuMemRelease(first) + cuda.cuMemRelease(again));
        found.set("one unmapped", cuda.cuMemUnmap(space.slot(2), space.size));
        found.set("stays", cuda.cuMemcpyDtoH_v2(bytes, space.slot(1) - 4, 1));
    });
    for (const char* call :
         {"map", "access", "fill", "read", "retain", "releases", "one unmapped", "stays"}) {
        EXPECT_EQ(report[call], CUDA_SUCCESS) << call;
    }
    EXPECT_NE(report["taken twice"], CUDA_SUCCESS);
    EXPECT_EQ(report["across"], 6);
    EXPECT_EQ(report["elsewhere"], 3);
    EXPECT_TRUE(report["same"]);
}

TEST(MappedMemory, ComesInWholeUnitsAndNotInExcess) {
    const Report report = ask([](Cuda& cuda, Report& found) {
        Space space(cuda, 1);
        CUmemGenericAllocationHandle handle{};
        found.set("half", cuda.cuMemCreate(&handle, space.unit / 2, &space.properties, 0));
        space.create(handle);
        found.set("offset", cuda.cuMemMap(space.start, space.unit, space.unit, handle, 0));
        cuda.cuMemRelease(handle);
        CUmemAllocationProp other = space.properties;
        other.location.id = 99;
        found.set("device", cuda.cuMemCreate(&handle, space.unit, &other, 0));
        std::size_t free = 0;
        std::size_t total = 0;
        cuda.cuMemGetInfo_v2(&free, &total);
        found.set("too much",
                  cuda.cuMemCreate(&handle, total / space.unit * space.unit, &space.properties, 0));
    });
    EXPECT_EQ(report["half"], CUDA_ERROR_INVALID_VALUE);
    EXPECT_EQ(report["offset"], CUDA_ERROR_NOT_SUPPORTED);
    EXPECT_NE(report["device"], CUDA_SUCCESS);
    EXPECT_EQ(report["too much"], CUDA_ERROR_OUT_OF_MEMORY);
}

// cuda.h of cuCtxDestroy: what came from cuMemCreate and cuMemAllocAsync is not the context's.
TEST_F(Pools, AndMappedMemoryOutliveTheContextTheyWereAskedForIn) {
    const Report report = ask([](Cuda& cuda, Report& found) {
        CUcontext primary{};
        cuda.cuCtxGetCurrent(&primary);
        CUcontext own{};
        found.set("create", cuda.cuCtxCreate_v2(&own, 0, 0));
        CUdeviceptr memory{};
        CUmemGenericAllocationHandle handle{};
        Space space(cuda, 1);
        found.set("allocate", cuda.cuMemAllocAsync(&memory, 4096, nullptr));
        found.set("handle", space.create(handle));
        found.set("fill", cuda.cuMemsetD8Async(memory, 7, 4096, nullptr));
        cuda.cuCtxSynchronize();
        found.set("destroy", cuda.cuCtxDestroy_v2(own));
        cuda.cuCtxSetCurrent(primary);
        char byte{};
        found.set("read", cuda.cuMemcpyDtoH_v2(&byte, memory, 1));
        found.set("byte", byte);
        found.set("map", space.map(0, handle));
    });
    for (const char* call : {"create", "allocate", "handle", "fill", "destroy", "read", "map"}) {
        EXPECT_EQ(report[call], CUDA_SUCCESS) << call;
    }
    EXPECT_EQ(report["byte"], 7);
}

// 512 MiB: 16384 times 8192 texels of 4 bytes.
CUDA_ARRAY3D_DESCRIPTOR flat_shape() { return {16384, 8192, 0, CU_AD_FORMAT_FLOAT, 1, 0}; }

TEST(Arrays, AreTakenFromWhatIsFree) {
    const Report report = ask([](Cuda& cuda, Report& found) {
        const Taken taken(cuda);
        const CUDA_ARRAY3D_DESCRIPTOR shape = flat_shape();
        const CUDA_ARRAY_DESCRIPTOR flat{shape.Width, shape.Height, shape.Format, 1};
        CUarray array{};
        found.set("create", cuda.cuArrayCreate_v2(&array, &flat));
        found.set("flat", taken.mib());
        found.set("destroy", cuda.cuArrayDestroy(array));
        found.set("flat left", taken.mib());
        const CUDA_ARRAY3D_DESCRIPTOR cube{512, 512, 512, CU_AD_FORMAT_HALF, 2, 0};
        found.set("create 3D", cuda.cuArray3DCreate_v2(&array, &cube));
        found.set("cube", taken.mib());
        cuda.cuArrayDestroy(array);
        found.set("cube left", taken.mib());
    });
    for (const char* call : {"create", "destroy", "create 3D"}) {
        EXPECT_EQ(report[call], CUDA_SUCCESS) << call;
    }
    EXPECT_GE(report["flat"], kSizeMib);
    EXPECT_GE(report["cube"], kSizeMib);
    EXPECT_LE(report["flat left"], kSlackMib);
    EXPECT_LE(report["cube left"], kSlackMib);
}

TEST(Arrays, WithLevelsTakeThemAllAtOnce) {
    const Report report = ask([](Cuda& cuda, Report& found) {
        const Taken taken(cuda);
        const CUDA_ARRAY3D_DESCRIPTOR shape = flat_shape();
        CUmipmappedArray mipmap{};
        found.set("create", cuda.cuMipmappedArrayCreate(&mipmap, &shape, 3));
        found.set("taken", taken.mib());
        CUarray level{};
        found.set("level", cuda.cuMipmappedArrayGetLevel(&level, mipmap, 2));
        found.set("a level's end", cuda.cuArrayDestroy(level));
        found.set("beyond", cuda.cuMipmappedArrayGetLevel(&level, mipmap, 3));
        found.set("destroy", cuda.cuMipmappedArrayDestroy(mipmap));
        found.set("left", taken.mib());
    });
    for (const char* call : {"create", "level", "destroy"}) {
        EXPECT_EQ(report[call], CUDA_SUCCESS) << call;
    }
    EXPECT_EQ(report["a level's end"], CUDA_SUCCESS);
    EXPECT_NE(report["beyond"], CUDA_SUCCESS);
    EXPECT_GE(report["taken"], kSizeMib + kSizeMib / 4 + kSizeMib / 16);
    EXPECT_LE(report["left"], kSlackMib);
}

// cuda.h: clamped to between one and those down to one texel.
TEST(Arrays, HaveNoFewerLevelsThanOneAndNoMoreThanThereCanBe) {
    const Report report = ask([](Cuda& cuda, Report& found) {
        const CUDA_ARRAY3D_DESCRIPTOR shape{64, 16, 0, CU_AD_FORMAT_FLOAT, 1, 0};
        CUmipmappedArray mipmap{};
        CUarray level{};
        found.set("none", cuda.cuMipmappedArrayCreate(&mipmap, &shape, 0));
        found.set("first", cuda.cuMipmappedArrayGetLevel(&level, mipmap, 0));
        found.set("no second", cuda.cuMipmappedArrayGetLevel(&level, mipmap, 1));
        cuda.cuMipmappedArrayDestroy(mipmap);
        found.set("many", cuda.cuMipmappedArrayCreate(&mipmap, &shape, 1000));
        found.set("seventh", cuda.cuMipmappedArrayGetLevel(&level, mipmap, 6));
        found.set("no eighth", cuda.cuMipmappedArrayGetLevel(&level, mipmap, 7));
        cuda.cuMipmappedArrayDestroy(mipmap);
    });
    for (const char* call : {"none", "first", "many", "seventh"}) {
        EXPECT_EQ(report[call], CUDA_SUCCESS) << call;
    }
    EXPECT_NE(report["no second"], CUDA_SUCCESS);
    EXPECT_NE(report["no eighth"], CUDA_SUCCESS);
}

TEST(Arrays, ArePadded) {
    if (!part().measured()) GTEST_SKIP() << part().name;
    const struct {
        CUDA_ARRAY3D_DESCRIPTOR shape;
        long long mib;
    } kMeasured[] = {
        {{1000, 777, 5, CU_AD_FORMAT_FLOAT, 4, CUDA_ARRAY3D_LAYERED}, 70},
        {{1000, 1000, 0, CU_AD_FORMAT_FLOAT, 4, 0}, 16},
        {{100, 100, 100, CU_AD_FORMAT_FLOAT, 1, 0}, 6},
        {{4096, 4096, 0, CU_AD_FORMAT_FLOAT, 1, 0}, 64},
    };
    for (const auto& each : kMeasured) {
        const Report report = ask([&each](Cuda& cuda, Report& found) {
            const Taken taken(cuda);
            CUarray array{};
            found.set("create", cuda.cuArray3DCreate_v2(&array, &each.shape));
            found.set("taken", taken.mib());
        });
        EXPECT_EQ(report["create"], CUDA_SUCCESS);
        EXPECT_EQ(report["taken"], each.mib);
    }
}

TEST(Arrays, ThatDontFitAreRefused) {
    const Report report = ask([](Cuda& cuda, Report& found) {
        const CUDA_ARRAY_DESCRIPTOR large{32768, 32768, CU_AD_FORMAT_FLOAT, 4};  // 16 GiB
        CUresult result = CUDA_SUCCESS;
        for (int i = 0; i < 32 && result == CUDA_SUCCESS; ++i) {
            CUarray array{};
            result = cuda.cuArrayCreate_v2(&array, &large);
        }
        found.set("last", result);
    });
    EXPECT_EQ(report["last"], CUDA_ERROR_OUT_OF_MEMORY);
}

// How much of the device goes with what is asked for.
TEST(Memory, ComesInUnits) {
    const Report report = ask([](Cuda& cuda, Report& found) {
        const auto taken_by = [&](const std::string& name, std::size_t bytes, int times) {
            std::size_t before = 0;
            std::size_t after = 0;
            std::size_t total = 0;
            cuda.cuMemGetInfo_v2(&before, &total);
            for (int i = 0; i < times; ++i) {
                CUdeviceptr memory{};
                cuda.cuMemAlloc_v2(&memory, bytes);
            }
            cuda.cuMemGetInfo_v2(&after, &total);
            found.set(name, static_cast<long long>(before - after));
        };
        taken_by("1 byte", 1, 1);
        taken_by("1024 times 1 KiB", 1024, 1024);
        taken_by("1 MiB", 1 << 20, 1);
        taken_by("1 MiB and 1", (1 << 20) + 1, 1);
        taken_by("3 MiB", 3 << 20, 1);
        taken_by("16 times 3 MiB", 3 << 20, 16);
        taken_by("64 MiB", 64 << 20, 1);
        const auto pool_takes = [&](const std::string& name, std::size_t bytes) {
            std::size_t before = 0;
            std::size_t after = 0;
            std::size_t total = 0;
            cuda.cuMemGetInfo_v2(&before, &total);
            CUdeviceptr memory{};
            cuda.cuMemAllocAsync(&memory, bytes, nullptr);
            cuda.cuCtxSynchronize();
            cuda.cuMemGetInfo_v2(&after, &total);
            found.set(name, static_cast<long long>(before - after));
        };
        pool_takes("pool 1 byte", 1);
        pool_takes("pool 40 MiB", 40 << 20);
        pool_takes("pool 40 MiB more", 40 << 20);
    });
    if (!part().measured()) GTEST_SKIP() << part().name;
    const struct {
        const char* name;
        long long mib;
    } kMeasured[] = {
        {"1 byte", 2},       {"1024 times 1 KiB", 0}, {"1 MiB", 2},   {"1 MiB and 1", 2},
        {"3 MiB", 4},        {"16 times 3 MiB", 64},  {"64 MiB", 64}, {"pool 1 byte", 32},
        {"pool 40 MiB", 32}, {"pool 40 MiB more", 32}};
    for (const auto& each : kMeasured) EXPECT_EQ(report[each.name], each.mib * kMiB) << each.name;
}

TEST(OtherMemory, IsOnTheDeviceOrNot) {
    const Report report = ask([](Cuda& cuda, Report& found) {
        const Taken taken(cuda);
        CUdeviceptr pitched{};
        std::size_t pitch = 0;
        found.set("pitch", cuda.cuMemAllocPitch_v2(&pitched, &pitch, 1000, 512 << 10, 4));
        found.set("pitched", taken.mib());
        found.set("wide", pitch >= 1000);
        cuda.cuMemFree_v2(pitched);
        void* pinned{};
        found.set("host", cuda.cuMemHostAlloc(&pinned, std::size_t{64} << 20, 0));
        found.set("pinned", taken.mib());
        cuda.cuMemFreeHost(pinned);
        CUdeviceptr managed{};
        found.set("manage", cuda.cuMemAllocManaged(&managed, kSize, CU_MEM_ATTACH_GLOBAL));
        found.set("managed", taken.mib());
        found.set("free", cuda.cuMemFree_v2(managed));
    });
    for (const char* call : {"pitch", "host", "manage", "free"}) {
        EXPECT_EQ(report[call], CUDA_SUCCESS) << call;
    }
    EXPECT_TRUE(report["wide"]);
    EXPECT_GE(report["pitched"], 500);
    EXPECT_LE(report["pinned"], kSlackMib / 2);
    EXPECT_LE(report["managed"], kSlackMib) << "taken where it is touched";
}

}  // namespace
}  // namespace gpu
