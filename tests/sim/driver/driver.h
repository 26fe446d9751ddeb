// The state of the initialised driver: one object per process, made by the first successful cuInit
// and never destroyed, since entry points may run until the very end of the process.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "tests/sim/driver/api.h"
#include "tests/sim/driver/mps_client.h"
#include "tests/sim/driver/sm_set.h"
#include "tests/sim/driver/streams.h"
#include "tests/sim/driver/virtual_memory.h"
#include "tests/sim/driver/visible.h"
#include "tests/sim/driver/work.h"
#include "tests/sim/node/node.h"

namespace sim {

// What a program can set in a context.
struct Settable {
    std::map<CUlimit, std::size_t> limits = {};
    CUfunc_cache cache = CU_FUNC_CACHE_PREFER_NONE;
    std::set<CUdevice> peers = {};
};

}  // namespace sim

// The handles' types are cuda.h's, so they live outside the namespace.
struct CUctx_st {
    CUdevice device;
    unsigned flags;
    unsigned api_version;
    unsigned long long id;
    int affinity_sms;  // what cuCtxGetExecAffinity answers
    int usable_sms;    // how many a kernel runs on
    int mps_id;
    std::uint64_t own_bytes;
    bool primary;
    sim::SmSet sms;  // as %smid numbers them: from 0 within an MPS client's part
    sim::SmGrain grain;

    CUcontext root = nullptr;    // the primary context that a green one belongs to, or itself
    CUgreenCtx green = nullptr;  // if it is one
    std::unique_ptr<CUstream_st> legacy = nullptr;                          // the NULL stream
    std::map<unsigned long, std::unique_ptr<CUstream_st>> per_thread = {};  // by number of thread
    std::set<CUstream> streams = {};                                        // the program's own
    std::vector<sim::Leftover> leftovers = {};
    sim::Settable settable = {};     // of a green one: its root's
    sim::WorkPtr barrier = nullptr;  // what all its streams wait for (cuCtxWaitEvent)
};

namespace sim {

// A device as the program sees it: a GPU or a MIG instance.
struct Device {
    std::string name;
    std::string uuid;         // its own: "MIG-..." for an instance
    std::string parent_uuid;  // the GPU's
    const Gpu* gpu;
    int sm_total;
    int sm_granted;
    std::uint64_t memory;
    std::optional<std::uint64_t> limit;  // CUDA_MPS_PINNED_DEVICE_MEM_LIMIT
    std::uint64_t used = 0;              // by this process: contexts and allocations
    std::uint64_t small = 0;             // bytes of allocations that share blocks

    CUcontext primary = nullptr;         // null while it isn't active
    CUcontext primary_handle = nullptr;  // the same each time
    int primary_uses = 0;
    unsigned primary_flags = 0;
    int greens = 0;  // green contexts that keep the primary alive

    CUmemoryPool default_pool = nullptr;  // made when it is first asked for
    CUmemoryPool pool = nullptr;          // that cuMemAllocAsync takes from; null: the default one
    GraphPool graphs = {};
};

// What memory was made by, and so what gives it back.
enum class MemoryKind { Device, Managed, Host, Array, Pool, Mapping, Graph };

struct Allocation {
    MemoryKind kind;
    CUdevice device;
    CUcontext context;  // whose end ends it; null for what outlives contexts
    std::size_t bytes;
    std::size_t charged;          // to the device, and
    std::size_t small;            // in blocks that it shares
    std::size_t mapped;           // address space behind it
    CUmemoryPool pool = nullptr;  // that it came from
    bool freeing = false;         // cuMemFreeAsync was called, and its turn may come yet
    CUmemGenericAllocationHandle handle = 0;  // of the physical memory behind a mapping
    bool accessible = true;
};

class Driver {
  public:
    // Null before cuInit has succeeded, and in a child forked after that.
    static Driver* get();
    // Reads the environment. On success the driver is what get() answers.
    static CUresult initialise();

    // Every member below is guarded by this, but for what never changes after cuInit.
    std::mutex mutex;
    Worker worker{mutex};
    Node node;
    std::vector<Device> devices;
    MpsClient mps;
    bool mps_enabled = false;
    int client_priority = 0;
    std::set<CUcontext> contexts;
    std::set<CUcontext> destroyed;  // kept, so that an old handle never names a new context
    std::set<CUstream> streams;     // of all contexts
    std::set<CUevent> events;
    std::set<CUgreenCtx> greens;  // the destroyed ones too
    std::set<CUdevResourceDesc> descriptions;
    unsigned splits = 0;            // of resources, so far
    std::set<CapturePtr> captures;  // that have begun and not ended
    unsigned long long last_capture = 0;
    std::set<CUgraph> graphs;
    std::set<CUgraphExec> execs;
    std::map<CUdeviceptr, GraphBlock*> graph_blocks;
    std::vector<GraphUsePtr> graph_uses;
    std::vector<UnfreedPtr> unfreed;  // allocations of graphs
    std::map<CUdeviceptr, Allocation> allocations;
    std::set<CUarray> arrays;
    std::set<CUmipmappedArray> mipmaps;
    std::set<CUmemoryPool> pools;
    std::map<CUmemGenericAllocationHandle, Physical> physicals;
    CUmemGenericAllocationHandle last_physical = 0;
    std::map<CUdeviceptr, std::size_t> reservations;  // of address space

    bool valid(CUdevice device) const {
        return device >= 0 && static_cast<std::size_t>(device) < devices.size();
    }
    Device& at(CUdevice device) { return devices[static_cast<std::size_t>(device)]; }

    // The calling thread's current context, or null and why it can't be used.
    CUcontext usable_context(CUresult& why) const;

    // Context life. Without an affinity a context has all that the client was granted.
    CUresult create_context(CUdevice device, unsigned flags, unsigned api_version,
                            const std::optional<Affinity>& affinity, bool primary,
                            CUcontext& context);
    void destroy_context(CUcontext context);
    // The device's primary context, made if there is none.
    CUresult need_primary(CUdevice device);
    void end_primary(Device& device);
    // The same if nobody uses it.
    void end_unused_primary(Device& device);
    CUresult create_green(const CUdevResourceDesc_st& description, CUcontext& context);
    void destroy_green(CUcontext context);

    // Streams. A handle may be one of the special ones; null and why if it names none.
    CUstream find_stream(CUstream handle, CUresult& why);
    // Whether the handle is that of a stream that the program made, and its context lives.
    CUresult check_stream(CUstream stream) const;
    // In a green context every stream is a non-blocking one (measured). Priorities are clamped.
    CUstream add_stream(CUcontext context, unsigned flags, int priority);
    void remove_stream(CUstream stream);
    // Appends a task to what the stream has to do, and what CUDA's rules for the legacy default
    // stream put before it. It also waits for `other`.
    CUresult enqueue(CUstream stream, Task task, const WorkPtr& other = nullptr);
    // What must be done before a stream counts as idle.
    std::vector<WorkPtr> unfinished(CUstream stream) const;
    // The same for all streams of a context, and of a primary context's green ones.
    std::vector<WorkPtr> unfinished(CUcontext context) const;
    // Lets go of the lock until all of it is done.
    void wait(std::unique_lock<std::mutex>& lock, const std::vector<WorkPtr>& works);

    // Bytes still free on the device for this process.
    std::uint64_t free_bytes(const Device& device) const;
    // Charges the device, or answers CUDA_ERROR_OUT_OF_MEMORY.
    CUresult charge(CUdevice device, std::uint64_t bytes);
    // Device memory takes as much as `taken` bytes take, if those are more.
    CUresult allocate(CUcontext context, std::size_t bytes, MemoryKind kind, CUdeviceptr& pointer,
                      std::size_t taken = 0);
    // Gives memory of that kind back; CUDA_ERROR_INVALID_VALUE if there is none at the pointer.
    CUresult release(CUdeviceptr pointer, MemoryKind kind);
    // Whether [pointer, pointer + bytes) lies in one allocation, on the device or pinned.
    bool covers(CUdeviceptr pointer, std::size_t bytes) const;
    // Whether the pointer is into pinned memory.
    bool on_host(CUdeviceptr pointer) const;

  private:
    CUresult read_environment();
    void add_device(const VisibleDevice& visible);
    void apply_limits();

    unsigned long long next_context_id_ = 1;
    unsigned long long next_stream_id_ = 1;
};

// The calling thread's stack of current contexts.
CUcontext current_context();
bool push_current(CUcontext context);
CUcontext pop_current();
void set_current(CUcontext context);
// A number of the calling thread that no other thread of the process ever has.
unsigned long thread_number();
// The calling thread's mode (cuThreadExchangeStreamCaptureMode).
CUstreamCaptureMode& capture_mode();

}  // namespace sim
