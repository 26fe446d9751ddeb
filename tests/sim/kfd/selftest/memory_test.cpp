#include <cerrno>
#include <cstring>

#include "tests/sim/kfd/selftest/kernel_test.h"

namespace sim::kfd {
namespace {

constexpr std::uint64_t kGiB = std::uint64_t{1} << 30;
constexpr std::uint64_t kAddress = std::uint64_t{1} << 40;

class MemoryTest : public KernelTest {
  protected:
    // The handle; 0 and `error` if there is none to be had.
    std::uint64_t allocate(std::uint64_t bytes, std::uint64_t address = kAddress, unsigned gpu = 0,
                           std::uint32_t flags = KFD_IOC_ALLOC_MEM_FLAGS_VRAM) {
        kfd_ioctl_alloc_memory_of_gpu_args args{};
        args.va_addr = address;
        args.size = bytes;
        args.gpu_id = kernel->node.gpus[gpu].gpu_id;
        args.flags = flags;
        error = kernel->ioctl(AMDKFD_IOC_ALLOC_MEMORY_OF_GPU, &args);
        return error == 0 ? args.handle : 0;
    }
    int release(std::uint64_t handle) {
        kfd_ioctl_free_memory_of_gpu_args args{handle};
        return kernel->ioctl(AMDKFD_IOC_FREE_MEMORY_OF_GPU, &args);
    }
    std::uint64_t available(unsigned gpu = 0) {
        kfd_ioctl_get_available_memory_args args{0, kernel->node.gpus[gpu].gpu_id, 0};
        EXPECT_EQ(kernel->ioctl(AMDKFD_IOC_AVAILABLE_MEMORY, &args), 0);
        return args.available;
    }
    int error = 0;
};

TEST_F(MemoryTest, IsAccountedForOnEachGpu) {
    start("mi210,mi210");
    const std::uint64_t handle = allocate(kGiB);
    EXPECT_EQ(available(0), 63 * kGiB);
    EXPECT_EQ(available(1), 64 * kGiB);
    EXPECT_EQ(release(handle), 0);
    EXPECT_EQ(available(0), 64 * kGiB);
    EXPECT_EQ(release(handle), -EINVAL);
}

TEST_F(MemoryTest, CountsInStepsOfTwoMiB) {
    start("mi210");
    allocate(1);
    EXPECT_EQ(available(), 64 * kGiB - (std::uint64_t{2} << 20));
}

TEST_F(MemoryTest, EndsWhereVramEnds) {
    start("navi21");
    EXPECT_NE(allocate(16 * kGiB), 0U);
    EXPECT_EQ(allocate(1, 2 * kAddress), 0U);
    EXPECT_EQ(error, -ENOMEM);
}

TEST_F(MemoryTest, HostMemoryIsNotVram) {
    start("mi210");
    EXPECT_NE(allocate(kGiB, kAddress, 0, KFD_IOC_ALLOC_MEM_FLAGS_GTT), 0U);
    EXPECT_EQ(available(), 64 * kGiB);
}

TEST_F(MemoryTest, IsFoundByItsAddress) {
    start("mi210");
    const std::uint64_t handle = allocate(kGiB);
    void* first = kernel->memory.host(kAddress);
    EXPECT_NE(first, reinterpret_cast<void*>(kAddress));
    EXPECT_EQ(kernel->memory.host(kAddress + 100), static_cast<char*>(first) + 100);
    EXPECT_EQ(kernel->memory.host(kAddress + kGiB), reinterpret_cast<void*>(kAddress + kGiB));
    std::memset(first, 1, 4096);
    EXPECT_EQ(release(handle), 0);
    EXPECT_EQ(kernel->memory.host(kAddress), reinterpret_cast<void*>(kAddress));
}

}  // namespace
}  // namespace sim::kfd
