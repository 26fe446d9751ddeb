#include "shim/cuda/quota/ledger.h"

#include <pthread.h>

#include <algorithm>
#include <array>

#include "shim/host/undisturbed_lock.h"

namespace ration::cuda::quota {

void Ledger::Claim::keep(Blocks& blocks, std::uint64_t key) {
    // An allocation of nothing has no address.
    if (key == 0) return;
    Note note{};
    note.units = bytes_ / kUnit;
    note.device = static_cast<unsigned>(source_.device);
    note.is_pooled = source_.pool != 0;
    note.number = source_.pool != 0 ? source_.pool : source_.owner;
    held_ = false;
    if (const auto before = blocks.insert(key, note)) ledger_.give(*before);
}

Ledger::Source Ledger::source_here() const {
    CUdevice device = 0;
    // Without a context the driver refuses, and with one device there is no other.
    if (size() > 1 && calls_.cuCtxGetDevice(&device) != CUDA_SUCCESS) return {};
    Source source{account(device), device, 0, 0};
    if (source.account == nullptr || !owners_.any()) return source;
    CUcontext context = nullptr;
    calls_.cuCtxGetCurrent(&context);
    source.owner = owners_.number(context);
    return source;
}

// The pool's device, where it is known, else the stream's, else the current one.
Ledger::Source Ledger::source_of(CUmemoryPool pool, CUstream stream) {
    CUdevice device = 0;
    if (size() > 1) {
        const bool named =
            stream != nullptr && stream != CU_STREAM_LEGACY && stream != CU_STREAM_PER_THREAD;
        const bool told = named && calls_.cuStreamGetDevice != nullptr &&
                          calls_.cuStreamGetDevice(stream, &device) == CUDA_SUCCESS;
        if (!told && calls_.cuCtxGetDevice(&device) != CUDA_SUCCESS) return {};
    }
    if (pool == nullptr && calls_.cuDeviceGetMemPool != nullptr &&
        calls_.cuDeviceGetMemPool(&pool, device) != CUDA_SUCCESS) {
        pool = nullptr;
    }
    const unsigned number = pools_.number(pool, device);
    if (number != 0) device = pools_[number].device.load(std::memory_order_relaxed);
    return {account(device), device, 0, number};
}

Ledger::Source Ledger::source_of(const CUmemAllocationProp* wanted) const {
    if (wanted == nullptr) return {};
    const CUdevice device = device_of(wanted->location);
    return {account(device), device, 0, 0};
}

// The legacy default stream cannot be captured. An answer that is no answer means that a capture is
// in the way, and the driver refuses the allocation as well.
bool Ledger::is_captured(CUstream stream) const {
    if (stream == nullptr || stream == CU_STREAM_LEGACY || calls_.cuStreamIsCapturing == nullptr) {
        return false;
    }
    CUstreamCaptureStatus status = CU_STREAM_CAPTURE_STATUS_NONE;
    return calls_.cuStreamIsCapturing(stream, &status) == CUDA_SUCCESS &&
           status != CU_STREAM_CAPTURE_STATUS_NONE;
}

bool Ledger::try_take(const Source& source, std::uint64_t bytes) {
    if (source.pool == 0) return source.account->take(bytes);
    return pools_[source.pool].hoard.take(*source.account, bytes);
}

// Where memory is short the driver gives up what its pools keep for later (measured: H100, driver
// 580.159.04); so do we, before the quota counts as used up.
bool Ledger::take(const Source& source, std::uint64_t bytes) {
    if (bytes == 0 || try_take(source, bytes)) return true;
    if (bytes <= source.account->limit()) {
        settle(source.device);
        if (try_take(source, bytes)) return true;
        trim_pools(source.device);
        trim_graphs(source.device);
        settle(source.device);
        if (try_take(source, bytes)) return true;
    }
    say(source, bytes);
    return false;
}

void Ledger::give(const Source& source, std::uint64_t bytes) {
    if (source.pool != 0) {
        pools_[source.pool].hoard.give(bytes);
    } else {
        source.account->give(bytes);
    }
}

void Ledger::give(Note note) {
    const auto device = static_cast<CUdevice>(note.device);
    give({account(device), device, 0, note.pool()}, note.bytes());
}

void Ledger::give(const Physical::Dropped& dropped) {
    if (dropped.freed) account(dropped.freed->device)->give(dropped.freed->bytes);
}

void Ledger::correct(CUdeviceptr pointer, std::uint64_t charge) {
    auto note = blocks_.extract(pointer);
    if (!note) return;
    Account& account = *this->account(static_cast<CUdevice>(note->device));
    if (charge > note->bytes()) {
        account.overdraw(charge - note->bytes());
    } else {
        account.give(note->bytes() - charge);
    }
    note->units = charge / kUnit;
    blocks_.insert(pointer, *note);
}

// What the driver says that it has reserved.
struct Ledger::Told {
    CUdevice device = 0;
    std::uint64_t notes = 0;  // before it was asked
    std::vector<cuuint64_t> pools;
    std::optional<cuuint64_t> graphs;
};

Ledger::Told Ledger::ask(CUdevice device, bool pools) {
    Told told;
    told.device = device;
    told.notes = notes_.load(std::memory_order_acquire);
    if (pools) told.pools.resize(pools_.count());
    for (unsigned i = 0; i < told.pools.size(); ++i) {
        Pools::Pool& pool = pools_[i + 1];
        const CUmemoryPool handle = pool.handle.load(std::memory_order_acquire);
        if (handle == nullptr || calls_.cuMemPoolGetAttribute == nullptr ||
            pool.device.load(std::memory_order_relaxed) != device) {
            continue;
        }
        calls_.cuMemPoolGetAttribute(handle, CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT, &told.pools[i]);
    }
    cuuint64_t graphs = 0;
    if (calls_.cuDeviceGetGraphMemAttribute != nullptr &&
        calls_.cuDeviceGetGraphMemAttribute(device, CU_GRAPH_MEM_ATTR_RESERVED_MEM_CURRENT,
                                            &graphs) == CUDA_SUCCESS) {
        told.graphs = graphs;
    }
    return told;
}

// With the lock.
void Ledger::note(const Told& told) {
    Account& account = *this->account(told.device);
    bool changed = false;
    for (unsigned i = 0; i < told.pools.size(); ++i) {
        Pools::Pool& pool = pools_[i + 1];
        if (pool.device.load(std::memory_order_relaxed) != told.device) continue;
        const std::uint64_t before = pool.hoard.charged();
        pool.hoard.settle(account, told.pools[i]);
        changed |= pool.hoard.charged() != before;
    }
    GraphHoard& hoard = hoards_[static_cast<std::size_t>(told.device)];
    changed |= hoard.settle(account, told.graphs.value_or(hoard.charged()));
    if (changed) this->changed();
}

// Asks the driver, and then does the work, with the lock. Where others have noted something
// meanwhile the answer may be older than theirs: it is asked for again. Who never gets a new one
// goes by what they have noted.
template <class Work>
void Ledger::asked(CUdevice device, bool pools, Work work) {
    constexpr int kTries = 32;
    for (int tries = 1;; ++tries) {
        const Told told = ask(device, pools);
        const host::UndisturbedLock lock(settling_);
        const bool is_new = told.notes == notes_.load(std::memory_order_relaxed);
        if (!is_new && tries < kTries) continue;
        work(hoards_[static_cast<std::size_t>(device)], [&] {
            if (is_new) note(told);
        });
        return;
    }
}

// Counts the driver's pools, and its memory for graphs, as large as it says that they are.
void Ledger::settle(CUdevice device) {
    asked(device, true, [](GraphHoard&, auto note) { note(); });
}

void Ledger::graphs_trimmed(CUdevice device) {
    if (account(device) == nullptr) return;
    asked(device, false, [](GraphHoard&, auto note) { note(); });
}

GraphPlace Ledger::place_of(CUstream stream) const {
    GraphPlace place;
    if (stream != CU_STREAM_LEGACY) place.stream = stream;
    if (place.stream == CU_STREAM_PER_THREAD) place.thread = pthread_self();
    if (place.stream == nullptr || place.thread != 0) calls_.cuCtxGetCurrent(&place.context);
    return place;
}

bool Ledger::try_claim(const Flight& flight) {
    bool claimed = false;
    asked(flight.need->device, false, [&](GraphHoard& hoard, auto note) {
        if (hoard.end_left(flight.thread, flight.frame)) changed();
        note();
        claimed = hoard.claim(*account(flight.need->device), flight);
    });
    return claimed;
}

bool Ledger::claim_graph(const Flight& flight) {
    const KnownGraph::Need& need = *flight.need;
    Account* const account = this->account(need.device);
    if (account == nullptr || try_claim(flight)) return true;
    if (need.bytes <= account->limit()) {
        trim_graphs(need.device);
        if (try_claim(flight)) return true;
        trim_pools(need.device);
        settle(need.device);
        if (try_claim(flight)) return true;
    }
    return false;
}

// What was asked before this knows nothing of it.
void Ledger::end_flights(std::uint64_t number, std::uint64_t devices, bool launched) {
    for (std::size_t i = 0; i < size(); ++i) {
        if (accounts_[i] == nullptr || (devices & bit_of(i)) == 0) continue;
        asked(static_cast<CUdevice>(i), false, [&](GraphHoard& hoard, auto note) {
            hoard.end(number, launched);
            changed();
            note();
        });
    }
}

Ledger::GraphClaim::GraphClaim(Ledger& ledger, const std::shared_ptr<KnownGraph>& graph,
                               CUstream stream)
    : ledger_(ledger) {
    if (graph == nullptr) return;
    const host::Uncancelled uncancelled;
    number_ = ledger_.launches_.fetch_add(1, std::memory_order_relaxed) + 1;
    Flight flight;
    flight.graph = graph;
    flight.place = ledger_.place_of(stream);
    flight.number = number_;
    flight.thread = pthread_self();
    flight.frame = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
    for (KnownGraph::Need& need : graph->needs) {
        flight.need = &need;
        devices_ |= bit_of(static_cast<std::size_t>(need.device));
        held_ = ledger_.claim_graph(flight);
        if (!held_) break;
    }
    if (held_) return;
    lacked_ = *flight.need;
    ledger_.end_flights(number_, devices_, false);
}

// A signal or a cancellation waits until what it took is counted.
Ledger::GraphClaim::~GraphClaim() noexcept(false) {
    if (devices_ == 0 || !held_) return;
    const host::HeldSignals held(host::HeldSignals::Which::kAll);
    const host::Uncancelled uncancelled;
    ledger_.end_flights(number_, devices_, launched_);
}

void Ledger::trim_pools(CUdevice device) {
    for (unsigned number = 1; number <= pools_.count(); ++number) {
        Pools::Pool& pool = pools_[number];
        const CUmemoryPool handle = pool.handle.load(std::memory_order_acquire);
        if (handle == nullptr || calls_.cuMemPoolTrimTo == nullptr ||
            pool.device.load(std::memory_order_relaxed) != device) {
            continue;
        }
        calls_.cuMemPoolTrimTo(handle, 0);
    }
}

void Ledger::trim_graphs(CUdevice device) {
    if (calls_.cuDeviceGraphMemTrim != nullptr &&
        hoards_[static_cast<std::size_t>(device)].charged() != 0) {
        calls_.cuDeviceGraphMemTrim(device);
    }
}

void Ledger::pool_ended(unsigned number) {
    const CUdevice device = pools_[number].device.load(std::memory_order_relaxed);
    if (account(device) != nullptr) settle(device);
}

void Ledger::sweep(const std::function<bool(Note)>& ended) {
    for (Blocks* blocks : {&blocks_, &arrays_}) {
        blocks->sweep(ended, [this](Note note) { give(note); });
    }
}

void Ledger::context_ended(unsigned owner) {
    sweep([owner](Note note) { return note.owner() == owner; });
    owners_.show(owner, nullptr);
}

void Ledger::primary_ended(CUdevice device) {
    sweep([device](Note note) {
        return note.number == 0 && static_cast<CUdevice>(note.device) == device;
    });
}

void Ledger::primary_released(CUdevice device) {
    unsigned flags = 0;
    int active = 0;
    if (calls_.cuDevicePrimaryCtxGetState == nullptr ||
        calls_.cuDevicePrimaryCtxGetState(device, &flags, &active) != CUDA_SUCCESS || active != 0) {
        return;
    }
    primary_ended(device);
}

void Ledger::narrow_info(std::uint64_t& free, std::uint64_t& total) {
    const Source source = source_here();
    if (source.account == nullptr) return;
    settle(source.device);
    free = std::min(free, source.account->left());
    total = std::min(total, source.account->limit());
}

void Ledger::narrow_total(std::uint64_t& total, CUdevice device) const {
    if (const Account* const account = this->account(device)) {
        total = std::min(total, account->limit());
    }
}

void Ledger::say(const Source& source, std::uint64_t bytes) {
    constexpr std::uint64_t kMebibyte = 1ULL << 20;
    if (said_.exchange(true)) return;
    say_("the memory quota of " + std::to_string(source.account->limit() / kMebibyte) +
         " MiB of device " + std::to_string(source.device) + " is used up: this process has " +
         std::to_string(source.account->used() / kMebibyte) + " MiB and asked for " +
         std::to_string(bytes / kMebibyte) +
         " MiB more, which fails as on a full GPU; raise memory in the policy if it needs more");
}

}  // namespace ration::cuda::quota
