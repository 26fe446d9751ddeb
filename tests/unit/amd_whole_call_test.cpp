#include <gtest/gtest.h>

#include <array>

#include "shim/amd/whole_call.h"

namespace ration::amd::kfd {
namespace {

// As far as gpu_id: without the type of the queue and what follows.
using Short = std::array<char, 40>;
constexpr unsigned long kShort = AMDKFD_IOWR(0x02, Short);

kfd_ioctl_create_queue_args request() {
    kfd_ioctl_create_queue_args made{};
    made.gpu_id = 17;
    made.queue_type = KFD_IOC_QUEUE_TYPE_SDMA;
    made.queue_id = 99;
    return made;
}

TEST(WholeCall, LeavesAWholeOneAsItIs) {
    auto programs = request();
    const WholeCall whole({5, AMDKFD_IOC_CREATE_QUEUE, &programs});
    EXPECT_EQ(whole.call().argument, &programs);
    EXPECT_EQ(whole.call().number, AMDKFD_IOC_CREATE_QUEUE);
    const WholeCall other({5, AMDKFD_IOC_CREATE_EVENT, &programs});
    EXPECT_EQ(other.call().argument, &programs);
}

TEST(WholeCall, WhatAShortOneLacksIsZero) {
    auto programs = request();
    {
        const WholeCall whole({5, kShort, &programs});
        EXPECT_EQ(whole.call().descriptor, 5);
        EXPECT_EQ(whole.call().number, AMDKFD_IOC_CREATE_QUEUE);
        const auto& seen = whole.call().as<kfd_ioctl_create_queue_args>();
        EXPECT_EQ(seen.gpu_id, 17U);
        EXPECT_EQ(seen.queue_type, std::uint32_t{KFD_IOC_QUEUE_TYPE_COMPUTE});
        EXPECT_EQ(seen.queue_id, 0U);
    }
    EXPECT_EQ(programs.queue_type, std::uint32_t{KFD_IOC_QUEUE_TYPE_SDMA});
}

TEST(WholeCall, TheAnswerGoesBackAsFarAsThereIsRoom) {
    auto programs = request();
    {
        const WholeCall whole({5, kShort, &programs});
        auto& answer = whole.call().as<kfd_ioctl_create_queue_args>();
        answer.doorbell_offset = 4096;
        answer.queue_id = 3;
    }
    EXPECT_EQ(programs.doorbell_offset, 4096U);
    EXPECT_EQ(programs.queue_id, 99U);
}

TEST(WholeCall, WhatHasNoAnswerIsNotWrittenTo) {
    static constexpr kfd_ioctl_set_cu_mask_args kPrograms{4, 32, 1};
    const WholeCall whole(
        {5, AMDKFD_IOW(0x1A, std::uint64_t), const_cast<kfd_ioctl_set_cu_mask_args*>(&kPrograms)});
    EXPECT_EQ(whole.call().as<kfd_ioctl_set_cu_mask_args>().num_cu_mask, 32U);
    EXPECT_EQ(whole.call().as<kfd_ioctl_set_cu_mask_args>().cu_mask_ptr, 0U);
}

}  // namespace
}  // namespace ration::amd::kfd
