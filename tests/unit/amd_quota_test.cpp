#include <gmock/gmock.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>

#include <functional>
#include <thread>

#include "shim/amd/quota.h"
#include "tests/unit/amd_kernel.h"

namespace ration::amd {
namespace {

constexpr std::uint64_t kMiB = 1ULL << 20U;
constexpr std::uint32_t kGpu = 17;

class QuotaTest : public testing::Test {
  protected:
    QuotaTest() { kernel = &kernel_; }

    // The handle, or -errno.
    std::int64_t allocate(std::uint64_t bytes, std::uint32_t flags = KFD_IOC_ALLOC_MEM_FLAGS_VRAM,
                          std::uint32_t gpu = kGpu) {
        kfd_ioctl_alloc_memory_of_gpu_args request{};
        request.size = bytes;
        request.flags = flags;
        request.gpu_id = gpu;
        errno = 0;
        const int result = quota_.allocate({5, AMDKFD_IOC_ALLOC_MEMORY_OF_GPU, &request});
        return result == 0 ? static_cast<std::int64_t>(request.handle) : -errno;
    }

    int free(std::int64_t handle) {
        kfd_ioctl_free_memory_of_gpu_args request{static_cast<__u64>(handle)};
        errno = 0;
        return quota_.free({5, AMDKFD_IOC_FREE_MEMORY_OF_GPU, &request}) == 0 ? 0 : -errno;
    }

    std::uint64_t available(std::uint32_t gpu = kGpu) {
        kfd::AvailableMemory request{0, gpu, 0};
        EXPECT_EQ(quota_.available({5, AMDKFD_IOWR(0x23, kfd::AvailableMemory), &request}), 0);
        return request.available;
    }

    FakeKernel kernel_;
    static constexpr std::uint64_t kPage = 4096;
    Quota quota_{&fake_ioctl, {{kGpu, 10 * kMiB}}, kPage};
};

TEST_F(QuotaTest, AnswersLikeAFullGpuBeyondIt) {
    EXPECT_EQ(allocate(6 * kMiB), 1);
    EXPECT_EQ(allocate(5 * kMiB), -ENOMEM);
    EXPECT_EQ(kernel_.memory.size(), 1U) << "the kernel is not asked";
    EXPECT_EQ(allocate(4 * kMiB), 2) << "exactly full";
    EXPECT_EQ(allocate(1), -ENOMEM);
    EXPECT_EQ(allocate(UINT64_MAX), -ENOMEM);
    EXPECT_EQ(quota_.left(kGpu), 0U);
}

TEST_F(QuotaTest, CountsWholePages) {
    EXPECT_EQ(allocate(1), 1);
    EXPECT_EQ(quota_.left(kGpu), 10 * kMiB - kPage);
}

TEST_F(QuotaTest, CountsThePagesOfTheKernel) {
    Quota large(&fake_ioctl, {{kGpu, 10 * kMiB}}, 16 * kPage);
    kfd_ioctl_alloc_memory_of_gpu_args request{};
    request.gpu_id = kGpu;
    request.size = kPage + 1;
    request.flags = KFD_IOC_ALLOC_MEM_FLAGS_VRAM;
    ASSERT_EQ(large.allocate({5, AMDKFD_IOC_ALLOC_MEMORY_OF_GPU, &request}), 0);
    EXPECT_EQ(large.left(kGpu), 10 * kMiB - 16 * kPage);
}

TEST_F(QuotaTest, GivesFreedMemoryBack) {
    ASSERT_EQ(allocate(6 * kMiB), 1);
    EXPECT_EQ(free(1), 0);
    EXPECT_EQ(quota_.left(kGpu), 10 * kMiB);
    EXPECT_EQ(free(1), -EINVAL) << "twice counts once";
    EXPECT_EQ(quota_.left(kGpu), 10 * kMiB);
    EXPECT_EQ(allocate(10 * kMiB), 1);
}

TEST_F(QuotaTest, CountsOnlyTheGpusOwnMemory) {
    EXPECT_EQ(allocate(20 * kMiB, KFD_IOC_ALLOC_MEM_FLAGS_GTT), 1);
    EXPECT_EQ(allocate(20 * kMiB, KFD_IOC_ALLOC_MEM_FLAGS_USERPTR), 2);
    EXPECT_EQ(allocate(20 * kMiB, KFD_IOC_ALLOC_MEM_FLAGS_VRAM, 18), 3) << "another GPU";
    EXPECT_EQ(quota_.left(kGpu), 10 * kMiB);
    EXPECT_EQ(quota_.left(18), UINT64_MAX);
    EXPECT_EQ(free(1), 0);
    EXPECT_EQ(free(3), 0);
    EXPECT_EQ(quota_.left(kGpu), 10 * kMiB);
}

TEST_F(QuotaTest, CountsWhatTheKernelDid) {
    kernel_.fails = [](unsigned) { return ENOSPC; };
    EXPECT_EQ(allocate(6 * kMiB), -ENOSPC);
    EXPECT_EQ(quota_.left(kGpu), 10 * kMiB);
    kernel_.fails = nullptr;
    ASSERT_EQ(allocate(6 * kMiB), 1);
    kernel_.fails = [](unsigned) { return EBUSY; };
    EXPECT_EQ(free(1), -EBUSY);
    EXPECT_EQ(quota_.left(kGpu), 4 * kMiB) << "it is still there";
    kernel_.fails = nullptr;
    EXPECT_EQ(free(1), 0);
    EXPECT_EQ(quota_.left(kGpu), 10 * kMiB);
}

TEST_F(QuotaTest, TellsWhatIsLeft) {
    EXPECT_EQ(available(), 10 * kMiB);
    ASSERT_EQ(allocate(3 * kMiB), 1);
    EXPECT_EQ(available(), 7 * kMiB);
    kernel_.available = kMiB;
    EXPECT_EQ(available(), kMiB) << "others have taken the rest";
    EXPECT_EQ(available(18), kMiB);
}

TEST_F(QuotaTest, KeepsTheSecondBlockOfAHandle) {
    ASSERT_EQ(allocate(6 * kMiB), 1);
    kernel_.meanwhile = [this] { EXPECT_EQ(allocate(2 * kMiB), 1) << "the same handle"; };
    EXPECT_EQ(free(1), 0);
    EXPECT_EQ(quota_.left(kGpu), 8 * kMiB);
    EXPECT_EQ(free(1), 0);
    EXPECT_EQ(quota_.left(kGpu), 10 * kMiB);
}

volatile sig_atomic_t handled = 0;

// A handler that left by longjmp, or a cancellation, would leave memory counted that nobody has.
TEST_F(QuotaTest, NothingComesBetweenTheKernelAndTheCount) {
    bool early = false;
    bool interruptible = true;
    int cancelling = PTHREAD_CANCEL_ENABLE;
    kernel_.fails = [&](unsigned) {
        raise(SIGUSR1);
        early = early || handled != 0;
        sigset_t held{};
        pthread_sigmask(SIG_BLOCK, nullptr, &held);
        interruptible = interruptible && sigismember(&held, SIGINT) == 0;
        pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancelling);
        return 0;
    };
    signal(SIGUSR1, [](int) { handled = 1; });
    const auto waits = [&](const std::function<void()>& work) {
        handled = 0;
        early = false;
        work();
        poll(nullptr, 0, 0);  // ThreadSanitizer runs handlers at the next call that it knows
        return !early && handled == 1 && cancelling == PTHREAD_CANCEL_DISABLE;
    };
    EXPECT_TRUE(waits([&] { EXPECT_EQ(allocate(6 * kMiB), 1); }));
    EXPECT_TRUE(waits([&] { EXPECT_EQ(free(1), 0); }));
    EXPECT_TRUE(interruptible) << "by what nothing handles";
    EXPECT_FALSE(waits([&] { allocate(6 * kMiB, KFD_IOC_ALLOC_MEM_FLAGS_GTT); })) << "not counted";
    pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, nullptr);
    signal(SIGUSR1, SIG_DFL);
}

// Handles are used again at once.
TEST_F(QuotaTest, IsExactAmongThreads) {
    kernel_.fails = [calls = 0](unsigned) mutable { return ++calls % 7 == 0 ? EINTR : 0; };
    std::vector<std::thread> threads;
    for (int i = 0; i < 8; ++i) {
        threads.emplace_back([&] {
            for (int round = 0; round < 500; ++round) {
                const std::int64_t handle = allocate((1 + round % 4) * kMiB);
                if (handle < 0) continue;
                while (free(handle) == -EINTR) continue;
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(quota_.left(kGpu), 10 * kMiB);
    EXPECT_TRUE(kernel_.memory.empty());
}

}  // namespace
}  // namespace ration::amd
