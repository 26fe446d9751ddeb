// The memory quota of this process: every allocation that is counted, and what is left.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "shim/cuda/quota/account.h"
#include "shim/cuda/quota/blocks.h"
#include "shim/cuda/quota/calls.h"
#include "shim/cuda/quota/charge.h"
#include "shim/cuda/quota/graphs.h"
#include "shim/cuda/quota/otherwise.h"
#include "shim/cuda/quota/owners.h"
#include "shim/cuda/quota/physical.h"
#include "shim/cuda/quota/pools.h"

namespace ration::cuda::quota {

// Charges before the driver's call and gives back if that fails; answers
// CUDA_ERROR_OUT_OF_MEMORY, as a full GPU does, where the charge would pass the quota. `call` is
// always the real entry point with the program's own arguments. A thread that is cancelled inside
// of it unwinds through here, and its charge is given back. No lock is held meanwhile.
//
// What is freed is looked up before the call and given back after it: once the driver has freed it
// another thread's allocation may get the same address.
class Ledger {
  public:
    // Accounts by ordinal; null: no quota. `say` is told once, with a line, when one is used up.
    using Accounts = std::vector<std::unique_ptr<Account>>;
    Ledger(const Calls& calls, Accounts accounts, std::function<void(const std::string&)> say)
        : calls_(calls), accounts_(std::move(accounts)), say_(std::move(say)), hoards_(size()) {}

    // Memory of the current context, which is new at `*pointer` after the call.
    template <class Pointer, class Call>
    CUresult linear(Pointer* pointer, std::uint64_t charge, Call call) {
        return counted(blocks_, pointer, charge, call);
    }

    // An array or mipmap.
    template <class Handle, class Call>
    CUresult array(Handle* handle, std::uint64_t charge, Call call) {
        return counted(arrays_, handle, charge, call);
    }

    // Linear memory whose pitch the driver chooses.
    template <class Pointer, class Pitch, class Call>
    CUresult pitched(Pointer* pointer, Pitch* pitch, std::size_t width, std::size_t height,
                     Call call) {
        const std::uint64_t charge = pitched_charge(usual_pitch(width), height);
        const CUresult result = linear(pointer, charge, call);
        if (result == CUDA_SUCCESS) correct(*pointer, pitched_charge(*pitch, height));
        return result;
    }

    // Stream-ordered memory of `pool`, null for the current one of the stream's device. What is
    // captured is no memory yet. `stream` is no 0 that means the per-thread stream.
    template <class Call>
    CUresult pooled(CUdeviceptr* pointer, std::size_t bytes, CUmemoryPool pool, CUstream stream,
                    Call call) {
        if (is_captured(stream)) return call();
        const Source source = source_of(pool, stream);
        if (source.account == nullptr) return call();
        Claim claim(*this, source, pooled_charge(bytes));
        if (!claim) return CUDA_ERROR_OUT_OF_MEMORY;
        const CUresult result = call();
        if (result == CUDA_SUCCESS) claim.keep(blocks_, *pointer);
        return result;
    }

    // Any memory with an address: linear or stream-ordered.
    template <class Call>
    CUresult free(CUdeviceptr pointer, Call call) {
        return freed(blocks_, pointer, call);
    }

    template <class Handle, class Call>
    CUresult free_array(Handle handle, Call call) {
        return freed(arrays_, reinterpret_cast<std::uint64_t>(handle), call);
    }

    // cuMemCreate, cuMemRelease, cuMemRetainAllocationHandle, cuMemMap and cuMemUnmap.
    template <class Call>
    CUresult create(Physical::Handle* handle, std::size_t bytes, const CUmemAllocationProp* wanted,
                    Call call) {
        const Source source = source_of(wanted);
        if (source.account == nullptr) return call();
        Claim claim(*this, source, bytes);
        if (!claim) return CUDA_ERROR_OUT_OF_MEMORY;
        const CUresult result = call();
        if (result == CUDA_SUCCESS) {
            physical_.created(*handle, {source.device, bytes});
            claim.keep();
        }
        return result;
    }

    template <class Call>
    CUresult release(Physical::Handle handle, Call call) {
        const Physical::Dropped dropped = physical_.drop(handle);
        Otherwise undo([&] { physical_.undo(handle, dropped); });
        const CUresult result = call();
        if (result != CUDA_SUCCESS) return result;
        undo.not_needed();
        give(dropped);
        return result;
    }

    template <class Call>
    CUresult retain(const Physical::Handle* handle, Call call) {
        const CUresult result = call();
        if (result == CUDA_SUCCESS) physical_.hold(*handle);
        return result;
    }

    template <class Call>
    CUresult map(CUdeviceptr address, const Physical::Mapping& mapping, Call call) {
        if (!physical_.hold(mapping.handle)) return call();
        Otherwise undo([&] { give(physical_.drop(mapping.handle)); });
        const CUresult result = call();
        if (result != CUDA_SUCCESS) return result;
        undo.not_needed();
        physical_.mapped(address, mapping);
        return result;
    }

    template <class Call>
    CUresult unmap(CUdeviceptr address, std::size_t size, Call call) {
        Physical::Mappings mappings = physical_.unmapped(address, size);
        Otherwise undo([&] { physical_.undo(std::move(mappings)); });
        const CUresult result = call();
        if (result != CUDA_SUCCESS) return result;
        undo.not_needed();
        for (const auto& [at, mapping] : mappings) give(physical_.drop(mapping.handle));
        return result;
    }

    // cuMemPoolCreate and cuMemPoolDestroy. A destroyed pool's allocations live on.
    template <class Call>
    CUresult make_pool(CUmemoryPool* pool, const CUmemPoolProps* wanted, Call call) {
        const CUresult result = call();
        if (result == CUDA_SUCCESS) pools_.made(*pool, device_of(wanted->location));
        return result;
    }

    template <class Call>
    CUresult destroy_pool(CUmemoryPool pool, Call call) {
        const unsigned number = pools_.destroyed(pool);
        if (number == 0) return call();
        Otherwise undo([&] { pools_.back(number, pool); });
        const CUresult result = call();
        if (result != CUDA_SUCCESS) return result;
        undo.not_needed();
        pool_ended(number);
        return result;
    }

    // Executable graphs: made, updated from a graph, and ended. What is uploaded as it is made
    // takes its memory then, as a launch in that stream does. Streams are no 0 that means the
    // per-thread stream.
    template <class Call>
    CUresult make_graph(CUgraphExec* exec, CUgraph graph, Call call) {
        const GraphNeeds needs = needs_of(calls_, graph);
        const CUresult result = call();
        if (result == CUDA_SUCCESS) graphs_.made(*exec, needs);
        return result;
    }

    template <class Call>
    CUresult make_uploaded_graph(CUgraphExec* exec, CUgraph graph, CUstream stream, Call call) {
        const GraphNeeds needs = needs_of(calls_, graph);
        const auto made = needs.empty() ? nullptr : std::make_shared<KnownGraph>(needs);
        GraphClaim claim(*this, made, stream);
        if (!claim) return refuse(claim.lacked(), stream, call);
        const CUresult result = call();
        claim.launched(result);
        if (result == CUDA_SUCCESS) graphs_.made(*exec, made);
        return result;
    }

    // Only what it allocates can change: a node's kind is the same as before (cuda.h).
    template <class Call>
    CUresult update_graph(CUgraphExec exec, CUgraph graph, Call call) {
        if (!graphs_.has(exec)) return call();
        const GraphNeeds needs = needs_of(calls_, graph);
        const CUresult result = call();
        if (result == CUDA_SUCCESS) graphs_.made(exec, needs);
        return result;
    }

    template <class Call>
    CUresult destroy_graph(CUgraphExec exec, Call call) {
        if (!graphs_.has(exec)) return call();
        const auto graph = graphs_.hide(exec);
        Otherwise undo([&] { graphs_.made(exec, graph); });
        const CUresult result = call();
        if (result == CUDA_SUCCESS) undo.not_needed();
        return result;
    }

    // A launch or an upload. What is captured takes nothing yet.
    template <class Call>
    CUresult launch_graph(CUgraphExec exec, CUstream stream, Call call) {
        if (!graphs_.has(exec) || is_captured(stream)) return call();
        GraphClaim claim(*this, graphs_.find(exec), stream);
        if (!claim) return refuse(claim.lacked(), stream, call);
        const CUresult result = call();
        claim.launched(result);
        return result;
    }

    // The program has had a device's memory for graphs trimmed.
    void graphs_trimmed(CUdevice device);

    // A context that the program made, and its end: the driver frees the context's memory, but not
    // what is stream-ordered or made by cuMemCreate (measured: H100, driver 580.159.04).
    void context_made(CUcontext context) { owners_.add(context); }

    template <class Call>
    CUresult destroy_context(CUcontext context, Call call) {
        const unsigned owner = owners_.hide(context);
        if (owner == 0) return call();
        Otherwise undo([&] { owners_.show(owner, context); });
        const CUresult result = call();
        if (result != CUDA_SUCCESS) return result;
        undo.not_needed();
        context_ended(owner);
        return result;
    }

    // Likewise of a primary context that was reset, or released for the last time.
    void primary_ended(CUdevice device);
    // After a release of the program's: whether it was the last one.
    void primary_released(CUdevice device);

    // What the program is told, in bytes: never more than the driver says.
    void narrow_info(std::uint64_t& free, std::uint64_t& total);
    void narrow_total(std::uint64_t& total, CUdevice device) const;

    // Null: no quota.
    Account* account(CUdevice device) const {
        const auto index = static_cast<std::size_t>(device);
        return device >= 0 && index < accounts_.size() ? accounts_[index].get() : nullptr;
    }

  private:
    // What is charged for an allocation.
    struct Source {
        Account* account = nullptr;
        CUdevice device = 0;
        unsigned owner = 0;
        unsigned pool = 0;
    };

    // A charge that is given back unless it is kept.
    class Claim {
      public:
        Claim(Ledger& ledger, const Source& source, std::uint64_t bytes)
            : ledger_(ledger), source_(source), bytes_(bytes), held_(ledger.take(source, bytes)) {}
        ~Claim() {
            if (held_) ledger_.give(source_, bytes_);
        }
        Claim(const Claim&) = delete;
        Claim& operator=(const Claim&) = delete;
        explicit operator bool() const { return held_; }
        void keep() { held_ = false; }
        void keep(Blocks& blocks, std::uint64_t key);

      private:
        Ledger& ledger_;
        const Source source_;
        const std::uint64_t bytes_;
        bool held_;
    };

    // What a graph may take of its devices at a launch; afterwards what it took is counted.
    class GraphClaim {
      public:
        // Without a graph it claims nothing.
        GraphClaim(Ledger& ledger, const std::shared_ptr<KnownGraph>& graph, CUstream stream);
        ~GraphClaim() noexcept(false);  // as Uncancelled's
        GraphClaim(const GraphClaim&) = delete;
        GraphClaim& operator=(const GraphClaim&) = delete;
        explicit operator bool() const { return held_; }
        const GraphNeed& lacked() const { return lacked_; }
        // What the driver said. Until then it may have begun.
        void launched(CUresult code) { launched_ = code == CUDA_SUCCESS; }

      private:
        Ledger& ledger_;
        // Names its flights, which own all else: a thread may leave by longjmp.
        std::uint64_t number_ = 0;
        std::uint64_t devices_ = 0;  // bit_of
        GraphNeed lacked_{};
        bool held_ = true;
        bool launched_ = true;
    };

    // A launch over the quota. What is wrong in another way the driver refuses before it looks for
    // memory, by its own code.
    template <class Call>
    CUresult refuse(const GraphNeed& lacked, CUstream stream, Call call) {
        CUstreamCaptureStatus status = CU_STREAM_CAPTURE_STATUS_NONE;
        const bool wrong = calls_.cuStreamIsCapturing != nullptr &&
                           calls_.cuStreamIsCapturing(stream, &status) != CUDA_SUCCESS;
        if (wrong) return call();
        say({account(lacked.device), lacked.device, 0, 0}, lacked.bytes);
        return CUDA_ERROR_OUT_OF_MEMORY;
    }

    template <class Handle, class Call>
    CUresult counted(Blocks& blocks, Handle* handle, std::uint64_t charge, Call call) {
        const Source source = source_here();
        if (source.account == nullptr) return call();
        Claim claim(*this, source, charge);
        if (!claim) return CUDA_ERROR_OUT_OF_MEMORY;
        const CUresult result = call();
        if (result == CUDA_SUCCESS) claim.keep(blocks, key_of(*handle));
        return result;
    }

    template <class Call>
    CUresult freed(Blocks& blocks, std::uint64_t key, Call call) {
        const std::optional<Note> note = blocks.extract(key);
        if (!note) return call();
        Otherwise undo([&] { blocks.insert(key, *note); });
        const CUresult result = call();
        if (result != CUDA_SUCCESS) return result;
        undo.not_needed();
        give(*note);
        return result;
    }

    // Also the 32-bit pointers of the first versions.
    static std::uint64_t key_of(std::uint64_t pointer) { return pointer; }
    static std::uint64_t key_of(const void* handle) {
        return reinterpret_cast<std::uint64_t>(handle);
    }
    static std::uint64_t pooled_charge(std::uint64_t bytes) { return usual_pitch(bytes); }

    static CUdevice device_of(const CUmemLocation& location) {
        return location.type == CU_MEM_LOCATION_TYPE_DEVICE ? location.id : Pools::kNoDevice;
    }

    // A bit may be that of several devices.
    static std::uint64_t bit_of(std::size_t device) { return std::uint64_t{1} << device % 64; }
    std::size_t size() const { return accounts_.size(); }
    Source source_here() const;
    Source source_of(CUmemoryPool pool, CUstream stream);
    Source source_of(const CUmemAllocationProp* wanted) const;
    bool is_captured(CUstream stream) const;
    GraphPlace place_of(CUstream stream) const;
    bool take(const Source& source, std::uint64_t bytes);
    bool try_take(const Source& source, std::uint64_t bytes);
    void give(const Source& source, std::uint64_t bytes);
    void give(Note note);
    void give(const Physical::Dropped& dropped);
    void correct(CUdeviceptr pointer, std::uint64_t charge);
    void sweep(const std::function<bool(Note)>& ended);
    void context_ended(unsigned owner);
    void pool_ended(unsigned number);
    bool claim_graph(const Flight& flight);
    bool try_claim(const Flight& flight);
    void end_flights(std::uint64_t number, std::uint64_t devices, bool launched);
    void settle(CUdevice device);
    struct Told;
    Told ask(CUdevice device, bool pools);
    void note(const Told& told);
    template <class Work>
    void asked(CUdevice device, bool pools, Work work);
    void changed() { notes_.fetch_add(1, std::memory_order_release); }
    void trim_pools(CUdevice device);
    void trim_graphs(CUdevice device);
    void say(const Source& source, std::uint64_t bytes);

    static constexpr std::size_t kBuckets = 8192;
    static constexpr std::size_t kArrayBuckets = 64;

    const Calls calls_;
    const Accounts accounts_;
    const std::function<void(const std::string&)> say_;
    std::atomic<bool> said_{false};
    Blocks blocks_{kBuckets};
    Blocks arrays_{kArrayBuckets};
    Physical physical_;
    Owners owners_;
    Pools pools_;
    Graphs graphs_;
    std::vector<GraphHoard> hoards_;          // of graphs, by device
    std::atomic<std::uint64_t> launches_{0};  // of graphs that allocate
    // Of the hoards, and of settling pools. Never held while the driver is called: a tool's
    // callback may come back here from there, or wait for another thread that does.
    std::mutex settling_;
    std::atomic<std::uint64_t> notes_{0};  // that changed something
};

}  // namespace ration::cuda::quota
