// Memory made by cuMemCreate: it lives as long as a handle or a mapping of it does.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>

#include "shim/cuda/api.h"

namespace ration::cuda::quota {

struct PhysicalBlock {
    CUdevice device = 0;
    std::uint64_t bytes = 0;
};

// Counts handles and mappings. A handle is the same number as long as anything holds the memory,
// also when it is retained by an address after it was released (measured: H100, driver
// 580.159.04). What another process exported is unknown here: an importer is charged nothing, and
// whoever made it until its own handles and mappings are gone.
//
// A mapping that is being made is counted before the driver's call, and one that is being dropped
// is taken out before it: meanwhile another thread's call may end the memory, or get the same
// number for new memory.
class Physical {
  public:
    using Handle = CUmemGenericAllocationHandle;

    // Held once, by its handle. Where there is no memory to remember it, it stays charged.
    void created(Handle handle, PhysicalBlock block);

    // One more holder. False: unknown.
    bool hold(Handle handle);

    struct Dropped {
        bool known = false;
        std::optional<PhysicalBlock> freed;  // by the last holder
    };
    // One holder less.
    Dropped drop(Handle handle);
    // The driver has refused what was to be dropped.
    void undo(Handle handle, const Dropped& dropped);

    struct Mapping {
        std::size_t size = 0;
        Handle handle = 0;
    };
    using Mappings = std::map<CUdeviceptr, Mapping>;
    // Of memory that hold() has counted for it.
    void mapped(CUdeviceptr address, const Mapping& mapping);
    // Takes out the mappings that begin in the range; they hold their memory still.
    Mappings unmapped(CUdeviceptr address, std::size_t size);
    void undo(Mappings mappings);

  private:
    struct Entry {
        PhysicalBlock block;
        std::uint64_t holders = 0;
    };

    std::mutex mutex_;
    std::map<Handle, Entry> entries_;
    Mappings mappings_;
};

}  // namespace ration::cuda::quota
