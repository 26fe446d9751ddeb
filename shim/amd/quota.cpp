#include "shim/amd/quota.h"

#include <errno.h>

#include <algorithm>

#include "shim/host/undisturbed_lock.h"

namespace ration::amd {
namespace {

// From what is counted to what the kernel made of it.
struct Undisturbed {
    const host::HeldSignals held{host::HeldSignals::Which::kHandled};
    const host::Uncancelled uncancelled;
};

}  // namespace

std::uint64_t Quota::in_pages(std::uint64_t bytes) const {
    return bytes > UINT64_MAX - page_ ? bytes : (bytes + page_ - 1) / page_ * page_;
}

bool Quota::reserve(const Block& block) {
    const host::UndisturbedLock lock(mutex_);
    std::uint64_t& used = used_[block.gpu_id];
    if (block.bytes > limits_.at(block.gpu_id) - used) return false;
    used += block.bytes;
    return true;
}

void Quota::release(const Block& block) {
    const host::UndisturbedLock lock(mutex_);
    used_[block.gpu_id] -= block.bytes;
}

int Quota::allocate(const kfd::Call& call) {
    const auto& request = call.as<kfd_ioctl_alloc_memory_of_gpu_args>();
    const bool is_counted = (request.flags & KFD_IOC_ALLOC_MEM_FLAGS_VRAM) != 0 &&
                            limits_.find(request.gpu_id) != limits_.end();
    if (!is_counted) return kfd::pass(real_, call);
    const Block block{request.gpu_id, in_pages(request.size)};
    const Undisturbed undisturbed;
    if (!reserve(block)) {
        errno = ENOMEM;
        return -1;
    }
    const int result = kfd::pass(real_, call);
    if (result < 0) {
        const int error = errno;
        release(block);
        errno = error;
        return result;
    }
    const host::UndisturbedLock lock(mutex_);
    blocks_.insert_or_assign(request.handle, block);
    return result;
}

bool Quota::knows(std::uint64_t handle) const {
    const host::UndisturbedLock lock(mutex_);
    return blocks_.contains(handle);
}

// What is remembered of a handle goes first: as soon as the kernel has freed it, another thread's
// allocation may get the same one.
int Quota::free(const kfd::Call& call) {
    const std::uint64_t handle = call.as<kfd_ioctl_free_memory_of_gpu_args>().handle;
    if (!knows(handle)) return kfd::pass(real_, call);
    const Undisturbed undisturbed;
    std::map<std::uint64_t, Block>::node_type block;
    {
        const host::UndisturbedLock lock(mutex_);
        block = blocks_.extract(handle);
    }
    const int result = kfd::pass(real_, call);
    if (block.empty()) return result;
    const int error = errno;
    if (result >= 0) {
        release(block.mapped());
    } else {
        const host::UndisturbedLock lock(mutex_);
        blocks_.insert(std::move(block));
    }
    errno = error;
    return result;
}

int Quota::available(const kfd::Call& call) {
    const int result = kfd::pass(real_, call);
    auto& request = call.as<kfd::AvailableMemory>();
    if (result >= 0) request.available = std::min<__u64>(request.available, left(request.gpu_id));
    return result;
}

std::uint64_t Quota::left(std::uint32_t gpu_id) const {
    const host::UndisturbedLock lock(mutex_);
    const auto limit = limits_.find(gpu_id);
    if (limit == limits_.end()) return UINT64_MAX;
    const auto used = used_.find(gpu_id);
    return limit->second - (used == used_.end() ? 0 : used->second);
}

}  // namespace ration::amd
