// The rules of the ioctls for queues and masks.
#include "tests/sim/kfd/selftest/kernel_test.h"

#include <cerrno>

namespace sim::kfd {
namespace {

TEST_F(KernelTest, NumbersOfQueuesComeBack) {
    start("mi210,mi210");
    EXPECT_EQ(create(0), 0);
    EXPECT_EQ(create(1), 1);
    EXPECT_EQ(destroy(0), 0);
    EXPECT_EQ(create(1), 0);
    EXPECT_EQ(destroy(7), -EINVAL);
}

TEST_F(KernelTest, RefusesQueuesThatMakeNoSense) {
    start("mi210");
    auto args = queue_args(0, KFD_IOC_QUEUE_TYPE_COMPUTE_AQL);
    args.gpu_id = 1;
    EXPECT_EQ(kernel->ioctl(AMDKFD_IOC_CREATE_QUEUE, &args), -EINVAL);
    args = queue_args(0, KFD_IOC_QUEUE_TYPE_COMPUTE_AQL);
    args.queue_priority = 16;
    EXPECT_EQ(kernel->ioctl(AMDKFD_IOC_CREATE_QUEUE, &args), -EINVAL);
    args = queue_args(0, KFD_IOC_QUEUE_TYPE_COMPUTE_AQL);
    args.queue_percentage = 101;
    EXPECT_EQ(kernel->ioctl(AMDKFD_IOC_CREATE_QUEUE, &args), -EINVAL);
    args = queue_args(0, KFD_IOC_QUEUE_TYPE_COMPUTE_AQL);
    args.ring_size = 4095;
    EXPECT_EQ(kernel->ioctl(AMDKFD_IOC_CREATE_QUEUE, &args), -EINVAL);
}

TEST_F(KernelTest, MasksFollowTheKernelsRules) {
    start("mi210");
    ASSERT_EQ(create(), 0);
    EXPECT_EQ(set_mask(0, {1}, 32), 0);
    EXPECT_EQ(set_mask(0, {1}, 31), -EINVAL);
    EXPECT_EQ(set_mask(0, {1}, 0), -EINVAL);
    EXPECT_EQ(set_mask(0, {0}, 32), 0);
    EXPECT_EQ(set_mask(0, Mask(64, 1), 2048), 0);
    EXPECT_EQ(set_mask(1, {1}, 32), -EFAULT);
}

TEST_F(KernelTest, PairsAreAskedForOnTheGpuOfTheQueue) {
    start("mi210,navi21");
    ASSERT_EQ(create(0), 0);
    ASSERT_EQ(create(1), 1);
    EXPECT_EQ(set_mask(0, {1}, 32), 0);
    EXPECT_EQ(set_mask(1, {1}, 32), -EINVAL);
    EXPECT_EQ(set_mask(1, {3}, 32), 0);
}

TEST_F(KernelTest, InjectedErrorsComeBeforeAnyEffect) {
    start("mi210", "CREATE_QUEUE=ENOMEM*1,SET_CU_MASK=EBUSY*1");
    EXPECT_EQ(create(), -ENOMEM);
    ASSERT_EQ(create(), 0);
    EXPECT_EQ(set_mask(0, {1}, 31), -EBUSY);
    EXPECT_EQ(set_mask(0, {1}, 31), -EINVAL);
}

TEST_F(KernelTest, AMaskThatIsRefusedIsThatOfAQueue) {
    start("mi210", "SET_CU_MASK=EBUSY*1");
    EXPECT_EQ(set_mask(0, {1}, 32), -EFAULT);
    ASSERT_EQ(create(), 0);
    EXPECT_EQ(set_mask(0, {1}, 32), -EBUSY);
    EXPECT_EQ(set_mask(0, {1}, 32), 0);
}

TEST_F(KernelTest, UnknownIoctlsAreRefused) {
    start("mi210");
    std::uint64_t argument = 0;
    EXPECT_EQ(kernel->ioctl(AMDKFD_IOWR(0x7f, std::uint64_t), &argument), -EINVAL);
}

// What a runtime of another age passes is filled up or cut.
TEST_F(KernelTest, ArgumentsMayBeShorterOrLonger) {
    start("mi210");
    struct Longer {
        kfd_ioctl_get_version_args args;
        std::uint64_t more;
    } longer{{}, 5};
    EXPECT_EQ(kernel->ioctl(AMDKFD_IOWR(0x01, Longer), &longer), 0);
    EXPECT_EQ(longer.args.major_version, 1U);
    EXPECT_EQ(longer.more, 5U);
    std::uint32_t major = 0;
    EXPECT_EQ(kernel->ioctl(AMDKFD_IOR(0x01, std::uint32_t), &major), 0);
    EXPECT_EQ(major, 1U);
}

}  // namespace
}  // namespace sim::kfd
