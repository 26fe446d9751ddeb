// The packet processors, and that a queue is emptied by the kernel's thread.
#include <hsa/amd_hsa_signal.h>
#include <hsa/hsa.h>

#include <cstring>

#include "tests/sim/kfd/selftest/kernel_test.h"

namespace sim::kfd {
namespace {

class PacketsTest : public KernelTest {
  protected:
    void begin(unsigned type) {
        start("mi210");
        args = queue_args(0, type);
        ASSERT_EQ(kernel->ioctl(AMDKFD_IOC_CREATE_QUEUE, &args), 0);
    }
    std::byte* ring() { return reinterpret_cast<std::byte*>(args.ring_base_address); }
    std::uint64_t* write() { return reinterpret_cast<std::uint64_t*>(args.write_pointer_address); }
    void ring_doorbell(std::uint64_t value) {
        __atomic_store_n(kernel->devices.doorbell(args.queue_id), value, __ATOMIC_RELEASE);
    }
    static std::int64_t value_of(amd_signal_t& signal) {
        return __atomic_load_n(&signal.value, __ATOMIC_ACQUIRE);
    }
    kfd_ioctl_create_queue_args args{};
};

hsa_signal_t handle_of(amd_signal_t& signal) { return {reinterpret_cast<std::uint64_t>(&signal)}; }

// A barrier that waits for `gate` if there is one.
void put_barrier(std::byte* place, amd_signal_t* gate, amd_signal_t& done) {
    hsa_barrier_and_packet_t packet{};
    if (gate != nullptr) packet.dep_signal[0] = handle_of(*gate);
    packet.completion_signal = handle_of(done);
    packet.header = HSA_PACKET_TYPE_BARRIER_AND;
    std::memcpy(place, &packet, sizeof packet);
}

TEST_F(PacketsTest, AqlSignalsCompletionAndSetsTheEvent) {
    begin(KFD_IOC_QUEUE_TYPE_COMPUTE_AQL);
    std::uint64_t mailbox = 0;
    amd_signal_t done{};
    done.value = 1;
    done.event_id = kernel->events.create(true);
    done.event_mailbox_ptr = reinterpret_cast<std::uint64_t>(&mailbox);
    put_barrier(ring(), nullptr, done);
    __atomic_store_n(write(), 1, __ATOMIC_RELEASE);
    ring_doorbell(0);
    std::vector<Events::Awaited> awaited{{done.event_id, 0}};
    EXPECT_EQ(kernel->events.wait(awaited, false, Events::kForever), Events::Wait::Complete);
    EXPECT_EQ(value_of(done), 0);
    EXPECT_EQ(__atomic_load_n(&mailbox, __ATOMIC_ACQUIRE), done.event_id);
}

TEST_F(PacketsTest, AqlWaitsForTheDoorbellAndForBarriers) {
    begin(KFD_IOC_QUEUE_TYPE_COMPUTE_AQL);
    amd_signal_t gate{};
    amd_signal_t done{};
    gate.value = 1;
    done.value = 1;
    put_barrier(ring(), &gate, done);
    __atomic_store_n(write(), 1, __ATOMIC_RELEASE);
    Queue queue;
    queue.gpu = kernel->node.gpus.data();
    queue.type = KFD_IOC_QUEUE_TYPE_COMPUTE_AQL;
    queue.ring = ring();
    queue.bytes = 4096;
    std::uint64_t read = 0;
    std::uint64_t doorbell = ~std::uint64_t{0};
    queue.read = &read;
    queue.write = write();
    queue.doorbell = &doorbell;
    Machine machine{kernel->memory, kernel->events};
    EXPECT_FALSE(step_aql(queue, machine));
    doorbell = 0;
    EXPECT_FALSE(step_aql(queue, machine));
    gate.value = 0;
    EXPECT_TRUE(step_aql(queue, machine));
    EXPECT_EQ(value_of(done), 0);
    EXPECT_EQ(read, 1U);
    EXPECT_FALSE(step_aql(queue, machine));
}

TEST_F(PacketsTest, SdmaCopies) {
    begin(KFD_IOC_QUEUE_TYPE_SDMA);
    const char from[] = "copied by the simulated engine";
    char to[sizeof from] = {};
    std::uint32_t fence = 0;
    const auto low = [](const void* p) {
        return static_cast<std::uint32_t>(reinterpret_cast<std::uint64_t>(p));
    };
    const auto high = [](const void* p) {
        return static_cast<std::uint32_t>(reinterpret_cast<std::uint64_t>(p) >> 32);
    };
    const std::uint32_t packets[] = {1,         sizeof from - 1, 0,
                                     low(from), high(from),      low(to),
                                     high(to),  // linear copy
                                     5,         low(&fence),     high(&fence),
                                     77};  // fence
    std::memcpy(ring(), packets, sizeof packets);
    __atomic_store_n(write(), sizeof packets, __ATOMIC_RELEASE);
    while (__atomic_load_n(&fence, __ATOMIC_ACQUIRE) != 77) sched_yield();
    EXPECT_STREQ(to, from);
}

}  // namespace
}  // namespace sim::kfd
