#include <gtest/gtest.h>

#include <map>
#include <string>
#include <thread>
#include <vector>

#include "shim/cuda/quota/ledger.h"
#include "tests/unit/cancelled.h"

namespace ration::cuda::quota {
namespace {

constexpr std::uint64_t kMiB = 1ULL << 20;

CUmemoryPool pool_at(std::uintptr_t number) { return reinterpret_cast<CUmemoryPool>(number); }
CUcontext context_at(std::uintptr_t number) { return reinterpret_cast<CUcontext>(number); }
CUstream stream_at(std::uintptr_t number) { return reinterpret_cast<CUstream>(number); }

// What the ledger asks the driver of its own.
struct FakeDriver {
    CUdevice device = 0;
    CUcontext context = nullptr;
    CUmemoryPool current_pool = pool_at(0x100);
    std::map<CUmemoryPool, std::uint64_t> reserved, trimmed_to;
    std::uint64_t graphs = 0;
    CUstream captured = nullptr;
    std::map<CUstream, CUdevice> streams;
    bool primary_active = true;
};
FakeDriver* fake = nullptr;

Calls calls() {
    Calls calls;
    calls.cuCtxGetDevice = [](CUdevice* device) {
        *device = fake->device;
        return fake->device < 0 ? CUDA_ERROR_INVALID_CONTEXT : CUDA_SUCCESS;
    };
    calls.cuCtxGetCurrent = [](CUcontext* context) {
        *context = fake->context;
        return CUDA_SUCCESS;
    };
    calls.cuDevicePrimaryCtxGetState = [](CUdevice, unsigned*, int* active) {
        *active = fake->primary_active ? 1 : 0;
        return CUDA_SUCCESS;
    };
    calls.cuStreamIsCapturing = [](CUstream stream, CUstreamCaptureStatus* status) {
        *status = stream == fake->captured ? CU_STREAM_CAPTURE_STATUS_ACTIVE
                                           : CU_STREAM_CAPTURE_STATUS_NONE;
        return CUDA_SUCCESS;
    };
    calls.cuStreamGetDevice = [](CUstream stream, CUdevice* device) {
        *device = fake->streams[stream];
        return CUDA_SUCCESS;
    };
    calls.cuDeviceGetMemPool = [](CUmemoryPool* pool, CUdevice device) {
        *pool = device == 0 ? fake->current_pool : pool_at(0x200);
        return CUDA_SUCCESS;
    };
    calls.cuMemPoolGetAttribute = [](CUmemoryPool pool, CUmemPool_attribute attribute,
                                     void* value) {
        EXPECT_EQ(attribute, CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT);
        *static_cast<cuuint64_t*>(value) = fake->reserved[pool];
        return CUDA_SUCCESS;
    };
    calls.cuMemPoolTrimTo = [](CUmemoryPool pool, std::size_t keep) {
        EXPECT_EQ(keep, 0U);
        fake->reserved[pool] = fake->trimmed_to[pool];
        return CUDA_SUCCESS;
    };
    calls.cuDeviceGetGraphMemAttribute = [](CUdevice, CUgraphMem_attribute, void* value) {
        *static_cast<cuuint64_t*>(value) = fake->graphs;
        return CUDA_SUCCESS;
    };
    calls.cuDeviceGraphMemTrim = [](CUdevice) {
        fake->graphs = 0;
        return CUDA_SUCCESS;
    };
    return calls;
}

class LedgerTest : public testing::Test {
  protected:
    explicit LedgerTest(std::vector<std::uint64_t> limits = {100 * kMiB})
        : ledger_(calls(), accounts(limits),
                  [this](const std::string& line) { said_.push_back(line); }) {
        fake = &driver_;
    }

    static Ledger::Accounts accounts(const std::vector<std::uint64_t>& limits) {
        Ledger::Accounts result;
        for (const std::uint64_t limit : limits) {
            result.push_back(limit == 0 ? nullptr : std::make_unique<Account>(limit));
        }
        return result;
    }

    // The address of the new memory, or minus the error.
    long allocate(std::uint64_t bytes) {
        CUdeviceptr pointer = 0;
        const CUresult code =
            ledger_.linear(&pointer, linear_charge(bytes), [&] { return make(pointer); });
        return code == CUDA_SUCCESS ? static_cast<long>(pointer) : -code;
    }
    long allocate_async(std::uint64_t bytes, CUmemoryPool pool = nullptr,
                        CUstream stream = nullptr) {
        CUdeviceptr pointer = 0;
        const CUresult code =
            ledger_.pooled(&pointer, bytes, pool, stream, [&] { return make(pointer); });
        return code == CUDA_SUCCESS ? static_cast<long>(pointer) : -code;
    }
    CUresult make(CUdeviceptr& pointer) {
        ++asked_;
        if (driver_says_ == CUDA_SUCCESS) pointer = next_ += 4096;
        return driver_says_;
    }
    void make_pool(CUmemoryPool number, const CUmemLocation& location) {
        CUmemoryPool pool = nullptr;
        CUmemPoolProps wanted{};
        wanted.location = location;
        ledger_.make_pool(&pool, &wanted, [&] {
            pool = number;
            return CUDA_SUCCESS;
        });
    }
    CUresult destroy_pool(CUmemoryPool pool) {
        return ledger_.destroy_pool(pool, [this] { return driver_says_; });
    }
    CUresult end(CUcontext context) {
        return ledger_.destroy_context(context, [this] { return driver_says_; });
    }
    CUresult free(long pointer) {
        return ledger_.free(static_cast<CUdeviceptr>(pointer), [this] { return driver_says_; });
    }

    // What the program is told that is free of 1000 MiB; asks the driver how large its pools are.
    std::uint64_t left() {
        std::uint64_t free = 1000 * kMiB;
        std::uint64_t total = 1000 * kMiB;
        ledger_.narrow_info(free, total);
        return free;
    }
    std::uint64_t used(CUdevice device = 0) { return ledger_.account(device)->used(); }

    FakeDriver driver_;
    CUresult driver_says_ = CUDA_SUCCESS;
    CUdeviceptr next_ = 0x7000'0000;
    int asked_ = 0;
    std::vector<std::string> said_;
    Ledger ledger_;
};

TEST_F(LedgerTest, AnswersLikeAFullGpuBeyondTheQuota) {
    EXPECT_GT(allocate(60 * kMiB), 0);
    EXPECT_EQ(allocate(42 * kMiB), -CUDA_ERROR_OUT_OF_MEMORY);
    EXPECT_EQ(asked_, 1) << "the driver is not asked";
    EXPECT_GT(allocate(40 * kMiB), 0) << "exactly full";
    EXPECT_EQ(allocate(1), -CUDA_ERROR_OUT_OF_MEMORY);
    EXPECT_EQ(allocate(UINT64_MAX), -CUDA_ERROR_OUT_OF_MEMORY);
    ASSERT_EQ(said_.size(), 1U) << "said once";
    EXPECT_NE(said_[0].find("100 MiB of device 0"), std::string::npos) << said_[0];
}

TEST_F(LedgerTest, GivesFreedMemoryBackOnce) {
    const long pointer = allocate(60 * kMiB);
    EXPECT_EQ(free(pointer), CUDA_SUCCESS);
    EXPECT_EQ(used(), 0U);
    EXPECT_EQ(free(pointer), CUDA_SUCCESS) << "what the driver says of a second free";
    EXPECT_EQ(free(0x1234000), CUDA_SUCCESS) << "imported memory, say";
    EXPECT_EQ(free(0), CUDA_SUCCESS);
    EXPECT_EQ(used(), 0U);
    EXPECT_GT(allocate(100 * kMiB), 0);
}

TEST_F(LedgerTest, CountsWhatTheDriverDid) {
    driver_says_ = CUDA_ERROR_ILLEGAL_ADDRESS;
    EXPECT_EQ(allocate(60 * kMiB), -CUDA_ERROR_ILLEGAL_ADDRESS);
    EXPECT_EQ(used(), 0U);
    driver_says_ = CUDA_SUCCESS;
    const long pointer = allocate(60 * kMiB);
    driver_says_ = CUDA_ERROR_ILLEGAL_ADDRESS;
    EXPECT_EQ(free(pointer), CUDA_ERROR_ILLEGAL_ADDRESS);
    EXPECT_EQ(used(), 60 * kMiB) << "it is still there";
    driver_says_ = CUDA_SUCCESS;
    EXPECT_EQ(free(pointer), CUDA_SUCCESS);
    EXPECT_EQ(used(), 0U);
}

TEST_F(LedgerTest, FreesBeforeAnotherThreadMayGetTheAddress) {
    const long pointer = allocate(60 * kMiB);
    next_ = static_cast<CUdeviceptr>(pointer) - 4096;
    ledger_.free(static_cast<CUdeviceptr>(pointer), [&] {
        EXPECT_EQ(allocate(20 * kMiB), pointer) << "the same one";
        return CUDA_SUCCESS;
    });
    EXPECT_EQ(used(), 20 * kMiB);
    free(pointer);
    EXPECT_EQ(used(), 0U);
}

// A thread ended inside the driver's call: it gives back what it held.
TEST_F(LedgerTest, KeepsNoChargeOfACancelledThread) {
    const long pointer = allocate(10 * kMiB);
    const bool cancelled = cancelled_in([this] {
        CUdeviceptr none = 0;
        ledger_.linear(&none, 60 * kMiB, [] {
            pthread_testcancel();
            return CUDA_SUCCESS;
        });
    });
    EXPECT_TRUE(cancelled);
    EXPECT_EQ(used(), 10 * kMiB);
    EXPECT_TRUE(cancelled_in([this, pointer] {
        ledger_.free(static_cast<CUdeviceptr>(pointer), [] {
            pthread_testcancel();
            return CUDA_SUCCESS;
        });
    }));
    EXPECT_EQ(used(), 10 * kMiB) << "nobody knows whether it was freed";
    EXPECT_EQ(free(pointer), CUDA_SUCCESS);
    EXPECT_EQ(used(), 0U);
}

TEST_F(LedgerTest, CountsAnAddressThatWasFreedPastIt) {
    const long pointer = allocate(60 * kMiB);
    next_ = static_cast<CUdeviceptr>(pointer) - 4096;
    EXPECT_EQ(allocate(10 * kMiB), pointer);
    EXPECT_EQ(used(), 10 * kMiB);
}

TEST_F(LedgerTest, CorrectsThePitchAfterwards) {
    CUdeviceptr pointer = 0;
    std::size_t pitch = 0;
    const auto with_pitch = [&](std::size_t chosen) {
        return ledger_.pitched(&pointer, &pitch, 1000, 4096, [&] {
            pitch = chosen;
            return make(pointer);
        });
    };
    EXPECT_EQ(with_pitch(1024), CUDA_SUCCESS);
    EXPECT_EQ(used(), 4 * kMiB);
    EXPECT_EQ(with_pitch(2048), CUDA_SUCCESS);
    EXPECT_EQ(used(), 12 * kMiB);
    free(static_cast<long>(pointer));
    EXPECT_EQ(used(), 4 * kMiB);
}

TEST_F(LedgerTest, CountsArraysApartFromAddresses) {
    CUarray array = nullptr;
    CUdeviceptr pointer = 0;
    const std::uintptr_t same = 0x5000;
    ledger_.array(&array, 20 * kMiB, [&] {
        array = reinterpret_cast<CUarray>(same);
        return CUDA_SUCCESS;
    });
    ledger_.linear(&pointer, 2 * kMiB, [&] {
        pointer = same;
        return CUDA_SUCCESS;
    });
    EXPECT_EQ(used(), 22 * kMiB);
    ledger_.free_array(array, [] { return CUDA_SUCCESS; });
    EXPECT_EQ(used(), 2 * kMiB);
    ledger_.free(pointer, [] { return CUDA_SUCCESS; });
    EXPECT_EQ(used(), 0U);
}

TEST_F(LedgerTest, ChargesAPoolForWhatItHolds) {
    const long pointer = allocate_async(40 * kMiB);
    EXPECT_EQ(used(), 64 * kMiB) << "pools grow by 32 MiB";
    driver_.reserved[driver_.current_pool] = 64 * kMiB;
    free(pointer);
    EXPECT_EQ(left(), 36 * kMiB) << "the pool has it still";
    driver_.reserved[driver_.current_pool] = 0;
    EXPECT_EQ(left(), 100 * kMiB) << "after a synchronisation";
    EXPECT_EQ(used(), 0U);
}

TEST_F(LedgerTest, TrimsPoolsBeforeItRefuses) {
    free(allocate_async(90 * kMiB));
    driver_.reserved[driver_.current_pool] = 96 * kMiB;
    EXPECT_GT(allocate(80 * kMiB), 0);
    EXPECT_EQ(driver_.reserved[driver_.current_pool], 0U);
    EXPECT_EQ(used(), 80 * kMiB);
    driver_.trimmed_to[driver_.current_pool] = 32 * kMiB;
    driver_.reserved[driver_.current_pool] = 32 * kMiB;
    EXPECT_EQ(allocate(22 * kMiB), -CUDA_ERROR_OUT_OF_MEMORY) << "the pool needs it itself";
    EXPECT_EQ(used(), 112 * kMiB) << "what the driver took counts";
}

TEST_F(LedgerTest, CountsGraphMemoryAsTheDriverDoes) {
    driver_.graphs = 90 * kMiB;
    EXPECT_EQ(left(), 10 * kMiB);
    EXPECT_GT(allocate(80 * kMiB), 0) << "it is trimmed";
    EXPECT_EQ(driver_.graphs, 0U);
}

TEST_F(LedgerTest, ChargesNothingForWhatIsCaptured) {
    driver_.captured = stream_at(0x500);
    EXPECT_GT(allocate_async(400 * kMiB, nullptr, driver_.captured), 0);
    EXPECT_EQ(used(), 0U);
    EXPECT_EQ(allocate_async(400 * kMiB, nullptr, stream_at(0x600)), -CUDA_ERROR_OUT_OF_MEMORY);
}

TEST_F(LedgerTest, FreesStreamOrderedMemoryByEitherCall) {
    const long one = allocate_async(10 * kMiB);
    const long other = allocate(10 * kMiB);
    EXPECT_EQ(used(), 42 * kMiB);
    free(one);
    free(other);
    EXPECT_EQ(used(), 32 * kMiB);
    EXPECT_GT(allocate_async(32 * kMiB), 0) << "what was freed is the pool's";
    EXPECT_EQ(used(), 32 * kMiB);
}

TEST_F(LedgerTest, TakesNoNoteOfAnAllocationOfNothing) {
    CUdeviceptr pointer = 1;
    EXPECT_EQ(ledger_.pooled(&pointer, 0, nullptr, nullptr,
                             [&] {
                                 pointer = 0;
                                 return CUDA_SUCCESS;
                             }),
              CUDA_SUCCESS);
    EXPECT_EQ(used(), 0U);
}

TEST_F(LedgerTest, KnowsThePoolsThatTheProgramMakes) {
    make_pool(pool_at(0x300), {CU_MEM_LOCATION_TYPE_DEVICE, {0}});
    make_pool(pool_at(0x400), {CU_MEM_LOCATION_TYPE_HOST, {0}});
    EXPECT_GT(allocate_async(400 * kMiB, pool_at(0x400)), 0) << "host memory";
    EXPECT_EQ(used(), 0U);
    const long pointer = allocate_async(8 * kMiB, pool_at(0x300));
    EXPECT_EQ(used(), 32 * kMiB);
    driver_says_ = CUDA_ERROR_INVALID_VALUE;
    EXPECT_EQ(destroy_pool(pool_at(0x300)), CUDA_ERROR_INVALID_VALUE);
    driver_says_ = CUDA_SUCCESS;
    EXPECT_EQ(used(), 32 * kMiB) << "it is still there";
    destroy_pool(pool_at(0x300));
    EXPECT_EQ(used(), 8 * kMiB) << "its allocation lives on";
    make_pool(pool_at(0x300), {CU_MEM_LOCATION_TYPE_DEVICE, {0}});
    EXPECT_GT(allocate_async(8 * kMiB, pool_at(0x300)), 0);
    driver_.reserved[pool_at(0x300)] = 64 * kMiB;
    left();
    EXPECT_EQ(used(), 72 * kMiB) << "another pool of the same handle";
    free(pointer);
    left();
    EXPECT_EQ(used(), 64 * kMiB);
}

// Handles and mappings.
class PhysicalTest : public LedgerTest {
  protected:
    static constexpr CUmemGenericAllocationHandle kHandle = 0x9000;
    static constexpr CUdeviceptr kAddress = 0x10000000;
    static constexpr CUmemAllocationProp on(CUmemLocationType type) {
        CUmemAllocationProp wanted{};
        wanted.location = {type, {0}};
        return wanted;
    }
    CUresult create(std::uint64_t bytes, CUmemGenericAllocationHandle number = kHandle,
                    CUmemLocationType type = CU_MEM_LOCATION_TYPE_DEVICE) {
        CUmemGenericAllocationHandle handle = 0;
        const CUmemAllocationProp wanted = on(type);
        return ledger_.create(&handle, bytes, &wanted, [&] {
            handle = number;
            return driver_says_;
        });
    }
    CUresult release(CUmemGenericAllocationHandle handle = kHandle) {
        return ledger_.release(handle, [this] { return driver_says_; });
    }
    CUresult map(CUdeviceptr address, std::size_t size,
                 CUmemGenericAllocationHandle handle = kHandle) {
        return ledger_.map(address, {size, handle}, [this] { return driver_says_; });
    }
    CUresult unmap(CUdeviceptr address, std::size_t size) {
        return ledger_.unmap(address, size, [this] { return driver_says_; });
    }
};

TEST_F(PhysicalTest, LivesAsLongAsItsHandle) {
    EXPECT_EQ(create(60 * kMiB), CUDA_SUCCESS);
    EXPECT_EQ(create(60 * kMiB), CUDA_ERROR_OUT_OF_MEMORY);
    EXPECT_EQ(used(), 60 * kMiB);
    EXPECT_EQ(release(), CUDA_SUCCESS);
    EXPECT_EQ(used(), 0U);
    EXPECT_EQ(release(), CUDA_SUCCESS) << "an unknown one";
    EXPECT_EQ(used(), 0U);
}

TEST_F(PhysicalTest, LivesAsLongAsItsMappings) {
    create(20 * kMiB);
    map(kAddress, 20 * kMiB);
    map(kAddress + 20 * kMiB, 20 * kMiB);
    release();
    EXPECT_EQ(used(), 20 * kMiB) << "mapped still";
    unmap(kAddress, 20 * kMiB);
    EXPECT_EQ(used(), 20 * kMiB) << "mapped twice";
    unmap(kAddress, 20 * kMiB);
    EXPECT_EQ(used(), 20 * kMiB) << "that one is gone already";
    unmap(kAddress + 20 * kMiB, 20 * kMiB);
    EXPECT_EQ(used(), 0U);
}

TEST_F(PhysicalTest, LivesOnInARetainedHandle) {
    create(20 * kMiB);
    map(kAddress, 20 * kMiB);
    release();
    const CUmemGenericAllocationHandle same = kHandle;
    ledger_.retain(&same, [] { return CUDA_SUCCESS; });
    ledger_.retain(&same, [] { return CUDA_ERROR_INVALID_VALUE; });
    unmap(kAddress, 20 * kMiB);
    EXPECT_EQ(used(), 20 * kMiB);
    release();
    EXPECT_EQ(used(), 0U);
}

TEST_F(PhysicalTest, GoesWithSeveralMappingsAtOnce) {
    create(10 * kMiB, 1);
    create(20 * kMiB, 2);
    map(kAddress, 10 * kMiB, 1);
    map(kAddress + 10 * kMiB, 20 * kMiB, 2);
    release(1);
    release(2);
    unmap(kAddress, 30 * kMiB);
    EXPECT_EQ(used(), 0U);
}

TEST_F(PhysicalTest, StaysWhereTheDriverRefuses) {
    create(20 * kMiB);
    driver_says_ = CUDA_ERROR_INVALID_VALUE;
    create(20 * kMiB, 0x9001);
    map(kAddress, 20 * kMiB);
    release();
    EXPECT_EQ(used(), 20 * kMiB);
    driver_says_ = CUDA_SUCCESS;
    map(kAddress, 20 * kMiB);
    driver_says_ = CUDA_ERROR_INVALID_VALUE;
    unmap(kAddress, kMiB);
    driver_says_ = CUDA_SUCCESS;
    release();
    EXPECT_EQ(used(), 20 * kMiB);
    unmap(kAddress, 20 * kMiB);
    EXPECT_EQ(used(), 0U);
}

TEST_F(PhysicalTest, IsFreeOfChargeOnTheHostAndForImporters) {
    EXPECT_EQ(create(400 * kMiB, kHandle, CU_MEM_LOCATION_TYPE_HOST), CUDA_SUCCESS);
    map(kAddress, 400 * kMiB, 0x8888);
    unmap(kAddress, 400 * kMiB);
    release(0x8888);
    EXPECT_EQ(used(), 0U);
}

TEST_F(PhysicalTest, IsThereUntilTheDriverHasLetGo) {
    create(20 * kMiB);
    ledger_.release(kHandle, [this] {
        EXPECT_EQ(used(), 20 * kMiB);
        EXPECT_EQ(create(30 * kMiB), CUDA_SUCCESS) << "another thread gets the same number";
        return CUDA_SUCCESS;
    });
    EXPECT_EQ(used(), 30 * kMiB);
    release();
    EXPECT_EQ(used(), 0U);
}

// A release of another thread, while a mapping is being made.
TEST_F(PhysicalTest, IsHeldByAMappingInTheMaking) {
    create(20 * kMiB);
    ledger_.map(kAddress, {20 * kMiB, kHandle}, [this] {
        release();
        return CUDA_SUCCESS;
    });
    EXPECT_EQ(used(), 20 * kMiB);
    unmap(kAddress, 20 * kMiB);
    EXPECT_EQ(used(), 0U);
}

TEST_F(LedgerTest, ForgetsWhatAContextTakesWithIt) {
    const CUcontext own = context_at(0xc0);
    allocate(10 * kMiB);
    ledger_.context_made(own);
    driver_.context = own;
    allocate(20 * kMiB);
    CUarray array = nullptr;
    ledger_.array(&array, 4 * kMiB, [&] {
        array = reinterpret_cast<CUarray>(0x5000);
        return CUDA_SUCCESS;
    });
    const long pooled = allocate_async(16 * kMiB);
    driver_.reserved[driver_.current_pool] = 32 * kMiB;
    EXPECT_EQ(used(), 66 * kMiB);
    driver_says_ = CUDA_ERROR_INVALID_CONTEXT;
    EXPECT_EQ(end(own), CUDA_ERROR_INVALID_CONTEXT);
    driver_says_ = CUDA_SUCCESS;
    EXPECT_EQ(used(), 66 * kMiB);
    EXPECT_EQ(end(own), CUDA_SUCCESS);
    EXPECT_EQ(used(), 42 * kMiB) << "but for the primary's and the pool's";
    end(own);
    end(context_at(0xdd));
    EXPECT_EQ(used(), 42 * kMiB);
    ledger_.primary_ended(0);
    EXPECT_EQ(used(), 32 * kMiB);
    driver_.reserved.clear();
    left();
    EXPECT_EQ(used(), 16 * kMiB) << "the pool's is the program's still";
    EXPECT_EQ(free(pooled), CUDA_SUCCESS);
    left();
    EXPECT_EQ(used(), 0U);
}

TEST_F(LedgerTest, KeepsANewContextsMemoryOfAnEndedOnesHandle) {
    const CUcontext same = context_at(0xc0);
    ledger_.context_made(same);
    driver_.context = same;
    allocate(20 * kMiB);
    ledger_.destroy_context(same, [&] {
        ledger_.context_made(same);
        allocate(30 * kMiB);
        return CUDA_SUCCESS;
    });
    EXPECT_EQ(used(), 30 * kMiB) << "of another thread's context, which got the same handle";
    end(same);
    EXPECT_EQ(used(), 0U);
}

TEST_F(LedgerTest, ForgetsThePrimarysMemoryWithItsLastRelease) {
    allocate(20 * kMiB);
    driver_.primary_active = true;
    ledger_.primary_released(0);
    EXPECT_EQ(used(), 20 * kMiB);
    driver_.primary_active = false;
    ledger_.primary_released(0);
    EXPECT_EQ(used(), 0U);
}

TEST_F(LedgerTest, KeepsThePrimarysMemoryApartFromAContextsOwn) {
    const CUcontext own = context_at(0xc0);
    ledger_.context_made(own);
    driver_.context = own;
    allocate(20 * kMiB);
    driver_.context = context_at(0xaa);
    allocate(10 * kMiB);
    ledger_.primary_ended(0);
    EXPECT_EQ(used(), 20 * kMiB);
}

TEST_F(LedgerTest, TellsTheSmallerOfQuotaAndDevice) {
    allocate(60 * kMiB);
    std::uint64_t free = 1000 * kMiB;
    std::uint64_t total = 2000 * kMiB;
    ledger_.narrow_info(free, total);
    EXPECT_EQ(free, 40 * kMiB);
    EXPECT_EQ(total, 100 * kMiB);
    free = 10 * kMiB;
    total = 50 * kMiB;
    ledger_.narrow_info(free, total);
    EXPECT_EQ(free, 10 * kMiB) << "others have taken the rest";
    EXPECT_EQ(total, 50 * kMiB);
    total = 2000 * kMiB;
    ledger_.narrow_total(total, 0);
    EXPECT_EQ(total, 100 * kMiB);
    ledger_.narrow_total(total, 7);
    EXPECT_EQ(total, 100 * kMiB) << "no such device";
}

class ManyPools : public LedgerTest {
  protected:
    static constexpr std::uintptr_t kPools = 600;
    ManyPools() : LedgerTest({(kPools + 2) * 32 * kMiB}) {}
};

TEST_F(ManyPools, AreChargedEachForWhatItHolds) {
    for (std::uintptr_t i = 1; i <= kPools; ++i) {
        CUmemoryPool const pool = pool_at(0x1000 * i);
        make_pool(pool, {CU_MEM_LOCATION_TYPE_DEVICE, {0}});
        EXPECT_EQ(free(allocate_async(kMiB, pool)), CUDA_SUCCESS);
        driver_.reserved[pool] = 32 * kMiB;
        ASSERT_EQ(used(), i * 32 * kMiB) << "pool " << i << " has it still";
    }
    EXPECT_EQ(left(), 64 * kMiB);
    EXPECT_GT(allocate(80 * kMiB), 0) << "pools are trimmed";
    EXPECT_EQ(used(), 80 * kMiB);
}

class TwoDevices : public LedgerTest {
  protected:
    TwoDevices() : LedgerTest({0, 100 * kMiB}) {}
};

TEST_F(TwoDevices, CountEachByItself) {
    EXPECT_GT(allocate(400 * kMiB), 0) << "no quota there";
    driver_.device = 1;
    EXPECT_EQ(allocate(400 * kMiB), -CUDA_ERROR_OUT_OF_MEMORY);
    const long pointer = allocate(60 * kMiB);
    EXPECT_EQ(used(1), 60 * kMiB);
    driver_.device = 0;
    EXPECT_EQ(free(pointer), CUDA_SUCCESS) << "under another device's context";
    EXPECT_EQ(used(1), 0U);
    ledger_.primary_ended(0);
    driver_.device = -1;
    driver_says_ = CUDA_ERROR_INVALID_CONTEXT;
    EXPECT_EQ(allocate(400 * kMiB), -CUDA_ERROR_INVALID_CONTEXT) << "the driver's own answer";
}

TEST_F(TwoDevices, ChargeTheDeviceOfTheStreamOrThePool) {
    driver_.streams[stream_at(0x700)] = 1;
    EXPECT_GT(allocate_async(10 * kMiB, nullptr, stream_at(0x700)), 0);
    EXPECT_EQ(used(1), 32 * kMiB);
    make_pool(pool_at(0x300), {CU_MEM_LOCATION_TYPE_DEVICE, {1}});
    EXPECT_GT(allocate_async(10 * kMiB, pool_at(0x300)), 0);
    EXPECT_EQ(used(1), 64 * kMiB);
    EXPECT_GT(allocate_async(10 * kMiB), 0);
    EXPECT_EQ(used(1), 64 * kMiB);
}

TEST_F(LedgerTest, IsExactAmongThreads) {
    std::atomic<CUdeviceptr> address{0x1000000};
    std::atomic<std::uint64_t> now{0};
    std::atomic<bool> over{false};
    const auto drop = [&](CUdeviceptr pointer) {
        ledger_.free(pointer, [&] {
            now -= (pointer & 511) * kMiB;
            return CUDA_SUCCESS;
        });
    };
    const auto work = [&](unsigned t) {
        std::vector<CUdeviceptr> mine;
        for (unsigned round = 0; round < 2000; ++round) {
            CUdeviceptr pointer = 0;
            const std::uint64_t bytes = (2 + 2 * ((round + t) % 15)) * kMiB;
            const CUresult code = ledger_.linear(&pointer, bytes, [&] {
                if (now.fetch_add(bytes) + bytes > 100 * kMiB) over = true;
                if (round % 7 == 0) {
                    now -= bytes;
                    return CUDA_ERROR_UNKNOWN;
                }
                pointer = (address += 512) | (bytes / kMiB);
                return CUDA_SUCCESS;
            });
            if (code == CUDA_SUCCESS) mine.push_back(pointer);
            if (mine.size() > 2 || (code != CUDA_SUCCESS && !mine.empty())) {
                drop(mine.back());
                mine.pop_back();
            }
        }
        for (const CUdeviceptr pointer : mine) drop(pointer);
    };
    std::vector<std::thread> threads;
    for (unsigned t = 0; t < 4; ++t) threads.emplace_back(work, t);
    for (std::thread& thread : threads) thread.join();
    EXPECT_FALSE(over) << "the driver was never asked for more than the quota";
    EXPECT_EQ(used(), 0U);
    EXPECT_EQ(ledger_.account(0)->left(), 100 * kMiB);
}

}  // namespace
}  // namespace ration::cuda::quota
