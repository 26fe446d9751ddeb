#include "shim/cuda/quota/physical.h"

#include <new>

#include "shim/host/undisturbed_lock.h"

namespace ration::cuda::quota {

void Physical::created(Handle handle, PhysicalBlock block) {
    const host::UndisturbedLock lock(mutex_);
    try {
        entries_.insert_or_assign(handle, Entry{block, 1});
    } catch (const std::bad_alloc&) {
    }
}

bool Physical::hold(Handle handle) {
    const host::UndisturbedLock lock(mutex_);
    const auto found = entries_.find(handle);
    if (found == entries_.end()) return false;
    ++found->second.holders;
    return true;
}

Physical::Dropped Physical::drop(Handle handle) {
    const host::UndisturbedLock lock(mutex_);
    const auto found = entries_.find(handle);
    if (found == entries_.end()) return {};
    if (--found->second.holders > 0) return {true, std::nullopt};
    const Dropped last{true, found->second.block};
    entries_.erase(found);
    return last;
}

void Physical::undo(Handle handle, const Dropped& dropped) {
    if (dropped.freed) {
        created(handle, *dropped.freed);
    } else if (dropped.known) {
        hold(handle);
    }
}

void Physical::mapped(CUdeviceptr address, const Mapping& mapping) {
    const host::UndisturbedLock lock(mutex_);
    try {
        mappings_.insert_or_assign(address, mapping);
    } catch (const std::bad_alloc&) {
    }
}

// Nodes are moved: no memory is needed for that.
Physical::Mappings Physical::unmapped(CUdeviceptr address, std::size_t size) {
    const host::UndisturbedLock lock(mutex_);
    Mappings taken;
    auto next = mappings_.lower_bound(address);
    while (next != mappings_.end() && next->first - address < size) {
        taken.insert(mappings_.extract(next++));
    }
    return taken;
}

void Physical::undo(Mappings mappings) {
    const host::UndisturbedLock lock(mutex_);
    mappings_.merge(mappings);
}

}  // namespace ration::cuda::quota
