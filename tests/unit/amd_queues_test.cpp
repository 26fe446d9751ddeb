#include <gmock/gmock.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <functional>
#include <random>
#include <thread>

#include "shim/amd/queues.h"
#include "tests/unit/amd_kernel.h"
#include "tests/unit/amd_models.h"

namespace ration::amd {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class QueuesTest : public testing::Test {
  protected:
    QueuesTest() {
        kernel = &kernel_;
        limit_ = {mi210(), {0x000000ff, 0, 0, 0}, 8, std::nullopt};
        limit_.gpu.gpu_id = 17;
    }

    Queues& queues() {
        if (!queues_) {
            queues_.emplace(
                &fake_ioctl,
                [this](int descriptor) { return !kernel_.closed.contains(descriptor); },
                std::vector{limit_},
                Queues::Events{[this] { ++masked_; },
                               [this](const std::string& line) { lines_.push_back(line); },
                               [this](const std::string& line) { lines_.push_back(line); }},
                unmasked_too_);
        }
        return *queues_;
    }

    // The answer, or -errno.
    int create(std::uint32_t type = KFD_IOC_QUEUE_TYPE_COMPUTE_AQL, std::uint32_t gpu = 17) {
        kfd_ioctl_create_queue_args request{};
        request.queue_type = type;
        request.gpu_id = gpu;
        errno = 0;
        const int result = queues().create({descriptor_, AMDKFD_IOC_CREATE_QUEUE, &request});
        return result == 0 ? static_cast<int>(request.queue_id) : -errno;
    }

    int set(std::uint32_t queue, const Mask& mask) {
        kfd_ioctl_set_cu_mask_args request{queue, static_cast<__u32>(mask.size() * 32),
                                           reinterpret_cast<__u64>(mask.data())};
        return set(request);
    }
    int set(kfd_ioctl_set_cu_mask_args request) {
        errno = 0;
        return queues().set_mask({descriptor_, AMDKFD_IOC_SET_CU_MASK, &request}) == 0 ? 0 : -errno;
    }

    int destroy(std::uint32_t queue) {
        kfd_ioctl_destroy_queue_args request{queue, 0};
        errno = 0;
        return queues().destroy({descriptor_, AMDKFD_IOC_DESTROY_QUEUE, &request}) == 0 ? 0
                                                                                        : -errno;
    }

    void fail(unsigned long number, int error, int times) {
        kernel_.fails = [nr = _IOC_NR(number), error, times](unsigned asked) mutable {
            return asked == nr && times-- > 0 ? error : 0;
        };
    }

    FakeKernel kernel_;
    DeviceLimit limit_;
    int descriptor_ = 5;
    bool unmasked_too_ = false;
    std::optional<Queues> queues_;
    int masked_ = 0;
    std::vector<std::string> lines_;
};

TEST_F(QueuesTest, MasksAQueueBeforeItIsHandedOut) {
    EXPECT_EQ(create(), 0);
    EXPECT_EQ(kernel_.queues.at(0), limit_.mask);
    EXPECT_EQ(create(KFD_IOC_QUEUE_TYPE_COMPUTE), 1);
    EXPECT_EQ(kernel_.queues.at(1), limit_.mask);
    EXPECT_EQ(masked_, 2);
    EXPECT_EQ(queues().live(), 2U);
}

TEST_F(QueuesTest, LeavesDmaQueuesAlone) {
    EXPECT_EQ(create(KFD_IOC_QUEUE_TYPE_SDMA), 0);
    EXPECT_EQ(create(KFD_IOC_QUEUE_TYPE_SDMA_XGMI), 1);
    EXPECT_EQ(create(4), 2) << "KFD_IOC_QUEUE_TYPE_SDMA_BY_ENG_ID";
    EXPECT_THAT(kernel_.masks, IsEmpty());
    EXPECT_EQ(queues().live(), 0U);
}

TEST_F(QueuesTest, MasksAQueueOfATypeThatIsNotKnown) {
    EXPECT_EQ(create(5), 0);
    EXPECT_EQ(kernel_.queues.at(0), limit_.mask);
}

TEST_F(QueuesTest, DestroysAQueueThatCannotBeMasked) {
    fail(AMDKFD_IOC_SET_CU_MASK, EBUSY, 1);
    EXPECT_EQ(create(), -EBUSY);
    EXPECT_THAT(kernel_.queues, IsEmpty());
    EXPECT_THAT(lines_, ElementsAre(AllOf(HasSubstr("refuses the CU mask"), HasSubstr("busy"))));
    EXPECT_EQ(queues().live(), 0U);
    EXPECT_EQ(create(), 0) << "the next one may do better";
    kernel_.fails = [](unsigned nr) {
        if (nr == _IOC_NR(AMDKFD_IOC_SET_CU_MASK)) return EBUSY;
        return nr == _IOC_NR(AMDKFD_IOC_DESTROY_QUEUE) ? EINVAL : 0;
    };
    EXPECT_EQ(create(), -EBUSY) << "whatever else fails then";
}

TEST_F(QueuesTest, KeepsAnUnmaskedQueueWhereThatIsWanted) {
    unmasked_too_ = true;
    fail(AMDKFD_IOC_SET_CU_MASK, EINVAL, 1);
    EXPECT_EQ(create(), 0);
    EXPECT_THAT(kernel_.queues.at(0), IsEmpty());
    EXPECT_EQ(lines_.size(), 1U);
}

TEST_F(QueuesTest, PassesAFailedCreationOn) {
    fail(AMDKFD_IOC_CREATE_QUEUE, ENOMEM, 1);
    EXPECT_EQ(create(), -ENOMEM);
    EXPECT_THAT(kernel_.masks, IsEmpty());
    EXPECT_THAT(lines_, IsEmpty());
}

TEST_F(QueuesTest, RefusesAQueueOnAGpuThatWasNotGranted) {
    EXPECT_EQ(create(KFD_IOC_QUEUE_TYPE_COMPUTE_AQL, 18), -EPERM);
    EXPECT_THAT(kernel_.queues, IsEmpty());
    EXPECT_THAT(lines_, ElementsAre(HasSubstr("KFD id 18")));
}

TEST_F(QueuesTest, RetriesWhatWasInterrupted) {
    fail(AMDKFD_IOC_SET_CU_MASK, EINTR, 3);
    EXPECT_EQ(create(), 0);
    EXPECT_EQ(kernel_.queues.at(0), limit_.mask);
    fail(AMDKFD_IOC_SET_CU_MASK, EAGAIN, 3);
    EXPECT_EQ(set(0, {0x0f}), 0);
    EXPECT_EQ(kernel_.queues.at(0), (Mask{0x0f, 0, 0, 0}));
}

// The thunk would repeat EINTR and EAGAIN for ever.
TEST_F(QueuesTest, TurnsEndlessInterruptionsIntoAnError) {
    constexpr int kAlways = 1'000'000'000;
    ASSERT_EQ(create(), 0);
    kernel_.calls = 0;
    fail(AMDKFD_IOC_SET_CU_MASK, EINTR, kAlways);
    EXPECT_EQ(create(), -EIO);
    fail(AMDKFD_IOC_SET_CU_MASK, EAGAIN, kAlways);
    EXPECT_EQ(set(0, {0x0f}), -EBUSY);
    EXPECT_LT(kernel_.calls, 1000) << "with a pause between the tries";
    limit_.mask = {0x0f, 0, 0, 0};
    const auto replaced = queues().replace({limit_});
    ASSERT_EQ(replaced.failed.size(), 1U);
    EXPECT_EQ(replaced.failed.front().error, EBUSY);
}

TEST_F(QueuesTest, AndsAMaskFromAboveWithTheGrant) {
    ASSERT_EQ(create(), 0);
    EXPECT_EQ(set(0, {0xf0f0f0f0, 0xffffffff, 0, 0}), 0);
    EXPECT_EQ(kernel_.queues.at(0), (Mask{0xf0, 0, 0, 0}));
    EXPECT_EQ(set(0, {0xffffffff, 0xffffffff, 0xffffffff, 0xff}), 0);
    EXPECT_EQ(kernel_.queues.at(0), limit_.mask);
}

TEST_F(QueuesTest, KeepsItsMaskWhereNothingWouldBeLeft) {
    ASSERT_EQ(create(), 0);
    EXPECT_EQ(set(0, {0xffffff00, 0, 0, 0}), -EINVAL);
    EXPECT_EQ(kernel_.queues.at(0), limit_.mask);
    EXPECT_EQ(set(0, {0, 0, 0, 0}), -EINVAL);
    EXPECT_EQ(kernel_.masks.size(), 1U);
    EXPECT_THAT(lines_.front(), HasSubstr("leaves nothing"));
}

TEST_F(QueuesTest, LeavesWhatIsMalformedToTheKernel) {
    ASSERT_EQ(create(), 0);
    std::uint32_t words[64] = {1};
    const auto pointer = reinterpret_cast<__u64>(words);
    EXPECT_EQ(set({0, 0, pointer}), -EINVAL);
    EXPECT_EQ(set({0, 33, pointer}), -EINVAL);
    EXPECT_EQ(set({0, 32, 0}), -EFAULT);
    EXPECT_EQ(set({7, 32, pointer}), -EFAULT) << "no such queue";
    EXPECT_EQ(set({0, 32, 8}), -EFAULT) << "not a pointer";
    EXPECT_EQ(kernel_.masks.size(), 1U);
    EXPECT_THAT(lines_, IsEmpty());
    // The kernel looks at 1024 bits of a longer one.
    EXPECT_EQ(set({0, 64 * 32, pointer}), 0);
    EXPECT_EQ(set({0, 0xffffffe0, pointer}), 0) << "and neither do we";
    EXPECT_EQ(kernel_.queues.at(0), (Mask{1, 0, 0, 0}));
}

// Made by a system call that passes by, say.
TEST_F(QueuesTest, RefusesAMaskForAQueueThatItDoesNotKnow) {
    const std::uint32_t unknown = kernel_.create();
    EXPECT_EQ(set(unknown, {0xffffffff, 0, 0, 0}), -EFAULT);
    EXPECT_THAT(kernel_.masks, IsEmpty());
}

TEST_F(QueuesTest, LeavesAQueueThatItDoesNotKnowAloneWhereThePolicyHasNoMask) {
    limit_.mask.clear();
    const std::uint32_t unknown = kernel_.create();
    EXPECT_EQ(set(unknown, {0xff00}), 0);
    EXPECT_EQ(kernel_.queues.at(unknown), Mask{0xff00});
}

TEST_F(QueuesTest, TakesAnyMaskWhereThePolicyHasNone) {
    limit_.mask.clear();
    ASSERT_EQ(create(), 0);
    EXPECT_THAT(kernel_.queues.at(0), IsEmpty());
    EXPECT_EQ(set(0, {0xff00}), 0);
    EXPECT_EQ(kernel_.queues.at(0), Mask{0xff00});
}

TEST_F(QueuesTest, ForgetsADestroyedQueue) {
    ASSERT_EQ(create(), 0);
    fail(AMDKFD_IOC_DESTROY_QUEUE, EINTR, 1);
    EXPECT_EQ(destroy(0), -EINTR);
    EXPECT_EQ(queues().live(), 1U) << "it lives";
    EXPECT_EQ(destroy(0), 0);
    EXPECT_EQ(queues().live(), 0U);
    EXPECT_EQ(destroy(0), -EINVAL);
}

TEST_F(QueuesTest, ReplacesTheMasksOfLiveQueues) {
    ASSERT_EQ(create(), 0);
    ASSERT_EQ(create(), 1);
    ASSERT_EQ(create(), 2);
    ASSERT_EQ(set(1, {0xffff, 0, 0, 0}), 0);
    ASSERT_EQ(set(2, {0x03, 0, 0, 0}), 0);
    limit_.mask = {0xff00, 0, 0, 0};
    const auto replaced = queues().replace({limit_});
    EXPECT_EQ(replaced.changed, 3U);
    EXPECT_THAT(replaced.failed, IsEmpty());
    EXPECT_EQ(kernel_.queues.at(0), limit_.mask);
    EXPECT_EQ(kernel_.queues.at(1), (Mask{0xff00, 0, 0, 0}))
        << "what it asked, within the new grant";
    EXPECT_EQ(kernel_.queues.at(2), limit_.mask) << "never without a CU";
    EXPECT_EQ(queues().replace({limit_}).changed, 0U) << "nothing is halted for nothing";
    ASSERT_EQ(create(), 3);
    EXPECT_EQ(kernel_.queues.at(3), limit_.mask) << "holds for later queues";

    limit_.mask = {0xffff, 0, 0, 0};
    EXPECT_EQ(queues().replace({limit_}).changed, 4U);
    EXPECT_EQ(kernel_.queues.at(2), (Mask{0x03, 0, 0, 0})) << "what it asked is not forgotten";
}

TEST_F(QueuesTest, ReplacesMasksByADescriptorThatIsStillOpen) {
    ASSERT_EQ(create(), 0);
    descriptor_ = 6;
    ASSERT_EQ(create(), 1);
    descriptor_ = 7;
    ASSERT_EQ(create(), 2);
    ASSERT_EQ(destroy(2), 0);
    descriptor_ = 8;
    fail(AMDKFD_IOC_CREATE_QUEUE, EBADF, 1);
    ASSERT_EQ(create(), -EBADF) << "another process's, say";
    for (const int closed : {5, 7}) {
        kernel_.closed.insert(closed);
        limit_.mask = {closed == 5 ? 0x0fU : 0x0cU, 0, 0, 0};
        EXPECT_THAT(queues().replace({limit_}).failed, IsEmpty());
        EXPECT_EQ(kernel_.queues.at(0), limit_.mask);
        EXPECT_EQ(kernel_.queues.at(1), limit_.mask);
    }
    kernel_.closed.insert(6);
    limit_.mask = {0x03, 0, 0, 0};
    const auto replaced = queues().replace({limit_});
    ASSERT_EQ(replaced.failed.size(), 2U);
    EXPECT_EQ(replaced.failed.front().error, EBADF);
    EXPECT_EQ(replaced.changed, 0U);
}

TEST_F(QueuesTest, ReportsQueuesThatKeepTheirMask) {
    ASSERT_EQ(create(), 0);
    ASSERT_EQ(create(), 1);
    limit_.mask = {0x0f, 0, 0, 0};
    fail(AMDKFD_IOC_SET_CU_MASK, EBUSY, 1);
    const auto replaced = queues().replace({limit_});
    EXPECT_EQ(replaced.changed, 1U);
    ASSERT_EQ(replaced.failed.size(), 1U);
    EXPECT_EQ(replaced.failed.front().queue, 0U);
    EXPECT_EQ(replaced.failed.front().gpu_id, 17U);
    EXPECT_EQ(replaced.failed.front().error, EBUSY);
    EXPECT_EQ(queues().replace({limit_}).changed, 1U) << "a second call tries it again";
    EXPECT_EQ(kernel_.queues.at(0), limit_.mask);
}

// Whatever a program asks: the kernel sees no mask beyond the grant, and none that would hang a
// queue.
TEST_F(QueuesTest, NeverLetsABadMaskThrough) {
    std::mt19937 random(20240611);
    for (const Gpu& gpu : {mi210(), mi300x(), navi21()}) {
        kernel_.queues.clear();
        queues_.reset();
        limit_.gpu = gpu;
        limit_.gpu.gpu_id = 17;
        ASSERT_EQ(limit_.mask.empty(), false);
        limit_.mask = lone(gpu, policy::Distribution::kEven, gpu.cus / 3.0).mask;
        ASSERT_EQ(create(), 0);
        for (int round = 0; round < 3000; ++round) {
            Mask asked(1 + random() % 34);
            for (auto& word : asked) word = random() % 3 == 0 ? 0 : random() & random();
            kernel_.masks.clear();
            const int result = set(0, asked);
            ASSERT_EQ(result == 0, kernel_.masks.size() == 1U);
            if (result == 0) {
                const Mask& sent = kernel_.masks.front();
                ASSERT_TRUE(every_xcc_has_cus(sent, gpu)) << hexadecimal(sent);
                ASSERT_GT(count_cus(sent, gpu), 0U);
                for (std::size_t i = 0; i < sent.size(); ++i) {
                    ASSERT_EQ(sent[i] & ~limit_.mask[i], 0U) << hexadecimal(sent);
                    ASSERT_EQ(sent[i] & ~(i < asked.size() ? asked[i] : 0), 0U);
                }
            } else {
                ASSERT_EQ(result, -EINVAL);
            }
        }
    }
}

volatile sig_atomic_t handled = 0;

// A handler that left by longjmp would leave the lock behind, and a queue without its mask.
TEST_F(QueuesTest, HandlersWaitWhileAQueueIsAtWork) {
    ASSERT_EQ(create(), 0);
    signal(SIGUSR1, [](int) { handled = 1; });
    bool early = false;
    kernel_.fails = [&](unsigned) {
        raise(SIGUSR1);
        early = early || handled != 0;
        return 0;
    };
    const auto waits = [&](const std::function<void()>& work) {
        handled = 0;
        early = false;
        work();
        poll(nullptr, 0, 0);  // ThreadSanitizer runs handlers at the next call that it knows
        return !early && handled == 1;
    };
    EXPECT_TRUE(waits([&] { EXPECT_EQ(create(), 1); }));
    EXPECT_TRUE(waits([&] { EXPECT_EQ(set(0, {0xf, 0, 0, 0}), 0); }));
    EXPECT_TRUE(waits([&] { EXPECT_EQ(destroy(1), 0); }));
    DeviceLimit changed = limit_;
    changed.mask = {0x3, 0, 0, 0};
    EXPECT_TRUE(waits([&] { EXPECT_EQ(queues().replace({changed}).changed, 1U); }));
    signal(SIGUSR1, SIG_DFL);
}

// Numbers are used again at once, so a queue that one thread destroys and another makes is the same
// number: whoever lives at the end must have the last grant.
TEST_F(QueuesTest, KeepsNumbersApartAmongThreads) {
    queues();
    std::vector<std::thread> threads;
    for (int i = 0; i < 8; ++i) {
        threads.emplace_back([&, i] {
            for (int round = 0; round < 300; ++round) {
                const int queue = create();
                ASSERT_GE(queue, 0);
                // Nothing may be left of what it asks.
                if (round % 3 == 0) {
                    ASSERT_THAT(set(queue, {0x0f + (i % 2) * 0x10U, 0, 0, 0}),
                                testing::AnyOf(0, -EINVAL));
                }
                if (round % 50 != 0) {
                    ASSERT_EQ(destroy(queue), 0);
                }
            }
        });
    }
    Mask last;
    for (unsigned round = 0; round < 100; ++round) {
        DeviceLimit changed = limit_;
        changed.mask = last = {0xffU << (round % 8), 0, 0, 0};
        EXPECT_THAT(queues().replace({changed}).failed, IsEmpty());
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(queues().live(), kernel_.queues.size());
    EXPECT_EQ(kernel_.queues.size(), 8 * 6U);
    for (const auto& [number, mask] : kernel_.queues) {
        EXPECT_EQ(mask[0] & ~last[0], 0U) << number;
        EXPECT_NE(mask[0], 0U) << number;
    }
}

}  // namespace
}  // namespace ration::amd
