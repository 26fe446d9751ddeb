// A kernel of its own for each test, and queues in this process's memory.
#pragma once
#include <gtest/gtest.h>
#include <linux/kfd_ioctl.h>

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "tests/sim/kfd/kernel.h"

namespace sim::kfd {

class KernelTest : public ::testing::Test {
  protected:
    // Kernels are never destroyed, because their threads never end; nor is what these look at.
    void start(const std::string& gpus, const std::string& faults = "") {
        kernel = keep(new Kernel(gpus, faults));
    }

    int set_mask(unsigned queue, const Mask& mask, unsigned bits) {
        kfd_ioctl_set_cu_mask_args args{queue, bits, reinterpret_cast<std::uintptr_t>(mask.data())};
        return kernel->ioctl(AMDKFD_IOC_SET_CU_MASK, &args);
    }

    struct Ring {
        alignas(64) std::array<std::byte, 4096> packets{};
        std::uint64_t read = 0;
        std::uint64_t write = 0;
    };

    kfd_ioctl_create_queue_args queue_args(unsigned gpu, unsigned type) {
        Ring& ring = *keep(new Ring);
        kfd_ioctl_create_queue_args args{};
        args.ring_base_address = reinterpret_cast<std::uintptr_t>(ring.packets.data());
        args.read_pointer_address = reinterpret_cast<std::uintptr_t>(&ring.read);
        args.write_pointer_address = reinterpret_cast<std::uintptr_t>(&ring.write);
        args.ring_size = ring.packets.size();
        args.gpu_id = kernel->node.gpus.at(gpu).gpu_id;
        args.queue_type = type;
        args.queue_percentage = 100;
        args.queue_priority = 7;
        return args;
    }

    // The queue's number, or -errno.
    int create(unsigned gpu = 0, unsigned type = KFD_IOC_QUEUE_TYPE_COMPUTE_AQL) {
        auto args = queue_args(gpu, type);
        const int result = kernel->ioctl(AMDKFD_IOC_CREATE_QUEUE, &args);
        return result != 0 ? result : static_cast<int>(args.queue_id);
    }

    int destroy(unsigned queue) {
        kfd_ioctl_destroy_queue_args args{queue, 0};
        return kernel->ioctl(AMDKFD_IOC_DESTROY_QUEUE, &args);
    }

    // Reachable for ever, for the leak checker.
    template <typename Type>
    static Type* keep(Type* object) {
        static auto& kept = *new std::vector<Type*>;
        kept.push_back(object);
        return object;
    }

    Kernel* kernel = nullptr;
};

}  // namespace sim::kfd
