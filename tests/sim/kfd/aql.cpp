// The packet processor of AQL queues. Kernels are not executed: a dispatch is counted, logged and
// complete at once. Packet and signal formats: hsa.h and amd_hsa_signal.h.
#include <hsa/amd_hsa_signal.h>
#include <hsa/hsa.h>

#include <cstring>

#include "tests/sim/kfd/log.h"
#include "tests/sim/kfd/queue.h"

namespace sim::kfd {
namespace {

constexpr std::uint64_t kPacketBytes = 64;
static_assert(sizeof(hsa_kernel_dispatch_packet_t) == kPacketBytes);
static_assert(sizeof(hsa_barrier_and_packet_t) == kPacketBytes);
static_assert(offsetof(hsa_kernel_dispatch_packet_t, completion_signal) ==
              offsetof(hsa_barrier_and_packet_t, completion_signal));

template <typename Value>
Value load(const Value* from) {
    return __atomic_load_n(from, __ATOMIC_ACQUIRE);
}

template <typename Value>
void store(Value* to, Value value) {
    __atomic_store_n(to, value, __ATOMIC_RELEASE);
}

amd_signal_t* signal_at(hsa_signal_t signal) {
    return reinterpret_cast<amd_signal_t*>(signal.handle);
}

void complete(hsa_signal_t handle, std::uint64_t start, Machine& machine) {
    if (handle.handle == 0) return;
    amd_signal_t* signal = signal_at(handle);
    signal->start_ts = start;
    signal->end_ts = gpu_clock();
    // Once the value has changed the program may destroy the signal.
    const std::uint64_t mailbox = signal->event_mailbox_ptr;
    const std::uint32_t event = signal->event_id;
    __atomic_fetch_sub(&signal->value, 1, __ATOMIC_ACQ_REL);
    if (mailbox == 0) return;
    store(static_cast<std::uint64_t*>(machine.memory.host(mailbox)), std::uint64_t{event});
    machine.events.set(event);
}

std::uint64_t groups(std::uint32_t grid, std::uint16_t group) {
    return group == 0 ? 0 : (std::uint64_t{grid} + group - 1) / group;
}

void dispatch(Queue& queue, const std::byte* packet) {
    hsa_kernel_dispatch_packet_t kernel;
    std::memcpy(&kernel, packet, sizeof kernel);
    ++queue.dispatches;
    log("dispatch", {{"queue", queue.id},
                     {"gpu", queue.gpu->index},
                     {"groups", groups(kernel.grid_size_x, kernel.workgroup_size_x) *
                                    groups(kernel.grid_size_y, kernel.workgroup_size_y) *
                                    groups(kernel.grid_size_z, kernel.workgroup_size_z)},
                     {"mask", queue.mask.empty() ? "" : hex(queue.mask)}});
}

// True when what the barrier waits for has happened.
bool passes(const std::byte* packet, bool all) {
    hsa_barrier_and_packet_t barrier;
    std::memcpy(&barrier, packet, sizeof barrier);
    unsigned signals = 0;
    unsigned zero = 0;
    for (const hsa_signal_t signal : barrier.dep_signal) {
        if (signal.handle == 0) continue;
        ++signals;
        zero += load(&signal_at(signal)->value) == 0 ? 1 : 0;
    }
    return signals == 0 || (all ? zero == signals : zero > 0);
}

}  // namespace

bool step_aql(Queue& queue, Machine& machine) {
    const std::uint64_t next = load(queue.read);
    // The doorbell holds the last packet that was rung for, -1 at first.
    const auto rung = static_cast<std::int64_t>(load(queue.doorbell));
    if (next >= load(queue.write) || rung < static_cast<std::int64_t>(next)) return false;
    std::byte* packet = queue.ring + next % (queue.bytes / kPacketBytes) * kPacketBytes;
    auto* header = reinterpret_cast<std::uint16_t*>(packet);
    const unsigned type = load(header) & 0xff;
    if (type == HSA_PACKET_TYPE_INVALID) return false;

    const std::uint64_t start = gpu_clock();
    if (type == HSA_PACKET_TYPE_BARRIER_AND || type == HSA_PACKET_TYPE_BARRIER_OR) {
        if (!passes(packet, type == HSA_PACKET_TYPE_BARRIER_AND)) return false;
        ++queue.barriers;
    } else if (type == HSA_PACKET_TYPE_KERNEL_DISPATCH) {
        dispatch(queue, packet);
    }  // Vendor-specific packets (cache flushes) have nothing to do on a coherent host.
    hsa_signal_t completion;
    std::memcpy(&completion, packet + offsetof(hsa_barrier_and_packet_t, completion_signal),
                sizeof completion);
    store(header, static_cast<std::uint16_t>(HSA_PACKET_TYPE_INVALID));
    store(queue.read, next + 1);
    complete(completion, start, machine);
    return true;
}

}  // namespace sim::kfd
