// The packet processor of SDMA queues: copies really happen. Packet formats: sdma_registers.h of
// ROCr.
#include <array>
#include <cstring>

#include "tests/sim/kfd/log.h"
#include "tests/sim/kfd/queue.h"

namespace sim::kfd {
namespace {

enum Operation : unsigned {
    kNop = 0,
    kCopy = 1,
    kFence = 5,
    kTrap = 6,
    kPoll = 8,
    kAtomic = 10,
    kFill = 11,
    kTimestamp = 13,
    kCacheFlush = 17,
};
constexpr unsigned kCopyLinear = 0;

// A packet, by 32-bit words.
class Packet {
  public:
    Packet(const std::uint32_t* words, Machine& machine) : words_(words), machine_(machine) {}

    std::uint32_t word(unsigned index) const { return words_[index]; }
    unsigned field(unsigned index, unsigned shift, unsigned bits) const {
        return words_[index] >> shift & ((1U << bits) - 1);
    }
    std::uint64_t address(unsigned index) const {
        return words_[index] | std::uint64_t{words_[index + 1]} << 32;
    }
    template <typename Type>
    Type* at(unsigned index) const {
        return static_cast<Type*>(machine_.memory.host(address(index)));
    }

  private:
    const std::uint32_t* words_;
    Machine& machine_;
};

void copy_linear(const Packet& packet) {
    std::memmove(packet.at<char>(5), packet.at<char>(3), std::size_t{packet.field(1, 0, 30)} + 1);
}

// One side of a rectangular copy: an address, the place within, pitch and slice in elements.
struct Side {
    char* base;
    std::uint64_t x, y, z, pitch, slice;

    Side(const Packet& packet, unsigned word)
        : base(packet.at<char>(word)),
          x(packet.field(word + 2, 0, 14)),
          y(packet.field(word + 2, 16, 14)),
          z(packet.field(word + 3, 0, 11)),
          pitch(std::uint64_t{packet.field(word + 3, 13, 19)} + 1),
          slice(std::uint64_t{packet.field(word + 4, 0, 28)} + 1) {}

    char* row(std::uint64_t element, std::uint64_t of_y, std::uint64_t of_z) const {
        return base + element * (x + pitch * (y + of_y) + slice * (z + of_z));
    }
};

void copy_rectangle(const Packet& packet) {
    const std::uint64_t element = std::uint64_t{1} << packet.field(0, 29, 3);
    const Side from(packet, 1);
    const Side to(packet, 6);
    const std::uint64_t width = packet.field(11, 0, 14) + 1;
    const unsigned height = packet.field(11, 16, 14) + 1;
    const unsigned depth = packet.field(12, 0, 11) + 1;
    for (unsigned z = 0; z < depth; ++z) {
        for (unsigned y = 0; y < height; ++y) {
            std::memmove(to.row(element, y, z), from.row(element, y, z), width * element);
        }
    }
}

void fill(const Packet& packet) {
    auto* word = packet.at<std::uint32_t>(1);
    const std::size_t words = (std::size_t{packet.field(4, 0, 30)} + 1) / 4;
    for (std::size_t i = 0; i < words; ++i) word[i] = packet.word(3);
}

bool poll_holds(const Packet& packet) {
    if (packet.field(0, 31, 1) == 0) return true;  // a register, not memory
    const std::uint32_t value = __atomic_load_n(packet.at<std::uint32_t>(1), __ATOMIC_ACQUIRE);
    return (value & packet.word(4)) == packet.word(3);
}

// Does what the packet says and returns its length in words; 0 if it has to wait.
unsigned execute(Queue& queue, const Packet& packet, Machine& machine) {
    switch (packet.field(0, 0, 8)) {
        case kNop:
            return 1 + packet.field(0, 16, 14);
        case kCopy: {
            ++queue.copies;
            const bool linear = packet.field(0, 8, 8) == kCopyLinear;
            linear ? copy_linear(packet) : copy_rectangle(packet);
            return linear ? 7 : 13;
        }
        case kFence:
            __atomic_store_n(packet.at<std::uint32_t>(1), packet.word(3), __ATOMIC_RELEASE);
            return 4;
        case kTrap:
            machine.events.set(packet.field(1, 0, 28));
            return 2;
        case kPoll:
            return poll_holds(packet) ? 6 : 0;
        case kAtomic:  // 64-bit addition is the one that ROCr uses
            __atomic_fetch_add(packet.at<std::uint64_t>(1), packet.address(3), __ATOMIC_ACQ_REL);
            return 8;
        case kFill:
            ++queue.copies;
            fill(packet);
            return 5;
        case kTimestamp:
            *packet.at<std::uint64_t>(1) = gpu_clock();
            return 3;
        case kCacheFlush:
            return 5;
        default:
            log("unknown_sdma_packet", {{"queue", queue.id}, {"operation", packet.field(0, 0, 8)}});
            return 1;
    }
}

}  // namespace

bool step_sdma(Queue& queue, Machine& machine) {
    const std::uint64_t next = __atomic_load_n(queue.read, __ATOMIC_ACQUIRE);
    if (next >= __atomic_load_n(queue.write, __ATOMIC_ACQUIRE)) return false;
    const auto* words = reinterpret_cast<std::uint32_t*>(queue.ring + next % queue.bytes);
    const unsigned length = execute(queue, Packet(words, machine), machine);
    if (length == 0) return false;
    __atomic_store_n(queue.read, next + 4 * std::uint64_t{length}, __ATOMIC_RELEASE);
    return true;
}

}  // namespace sim::kfd
