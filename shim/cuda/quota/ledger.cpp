#include "shim/cuda/quota/ledger.h"

#include <pthread.h>

#include <algorithm>

#include "shim/host/undisturbed_lock.h"

namespace ration::cuda::quota {

void Ledger::Claim::keep(Blocks& blocks, std::uint64_t key) {
    // An allocation of nothing has no address.
    if (key == 0) return;
    Note note{};
    note.units = bytes_ / kUnit;
    note.device = static_cast<unsigned>(source_.device);
    note.owner = source_.owner;
    note.pool = source_.pool;
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
        trim(source.device);
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
    give({account(device), device, 0, static_cast<unsigned>(note.pool)}, note.bytes());
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

// Counts the driver's pools as large as it says that they are.
void Ledger::settle(CUdevice device) {
    Account& account = *this->account(device);
    const host::UndisturbedLock lock(settling_);
    for (unsigned number = 1; number <= pools_.count(); ++number) {
        Pools::Pool& pool = pools_[number];
        if (pool.device.load(std::memory_order_relaxed) != device) continue;
        const CUmemoryPool handle = pool.handle.load(std::memory_order_acquire);
        cuuint64_t reserved = 0;
        if (handle != nullptr && calls_.cuMemPoolGetAttribute != nullptr) {
            calls_.cuMemPoolGetAttribute(handle, CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT, &reserved);
        }
        pool.hoard.settle(account, reserved);
    }
    settle_graphs(device, 0);
}

// With the lock: what the driver says is counted before anybody else asks.
void Ledger::settle_graphs(CUdevice device, std::uint64_t done) {
    GraphHoard& hoard = hoards_[static_cast<std::size_t>(device)];
    cuuint64_t reserved = 0;
    if (calls_.cuDeviceGetGraphMemAttribute == nullptr ||
        calls_.cuDeviceGetGraphMemAttribute(device, CU_GRAPH_MEM_ATTR_RESERVED_MEM_CURRENT,
                                            &reserved) != CUDA_SUCCESS) {
        reserved = hoard.charged();
    }
    hoard.settle(*account(device), reserved, done);
}

void Ledger::graphs_trimmed(CUdevice device) {
    if (account(device) == nullptr) return;
    const host::UndisturbedLock lock(settling_);
    settle_graphs(device, 0);
}

GraphPlace Ledger::place_of(CUstream stream) const {
    GraphPlace place;
    if (stream != CU_STREAM_LEGACY) place.stream = stream;
    if (place.stream == CU_STREAM_PER_THREAD) place.thread = pthread_self();
    if (place.stream == nullptr || place.thread != 0) calls_.cuCtxGetCurrent(&place.context);
    return place;
}

bool Ledger::try_claim(KnownGraph::Need& need, const GraphPlace& place, std::uint64_t& claimed) {
    const host::UndisturbedLock lock(settling_);
    settle_graphs(need.device, 0);
    return hoards_[static_cast<std::size_t>(need.device)].claim(*account(need.device), need, place,
                                                                claimed);
}

bool Ledger::claim_graph(KnownGraph::Need& need, const GraphPlace& place, std::uint64_t& claimed) {
    Account* const account = this->account(need.device);
    if (account == nullptr || try_claim(need, place, claimed)) return true;
    if (need.bytes <= account->limit()) {
        trim(need.device);
        settle(need.device);
        if (try_claim(need, place, claimed)) return true;
    }
    say({account, need.device, 0, 0}, need.bytes);
    return false;
}

Ledger::GraphClaim::GraphClaim(Ledger& ledger, std::shared_ptr<KnownGraph> graph, CUstream stream)
    : ledger_(ledger), graph_(std::move(graph)) {
    if (graph_ == nullptr) return;
    const GraphPlace place = ledger_.place_of(stream);
    claimed_.reserve(graph_->needs.size());
    for (KnownGraph::Need& need : graph_->needs) {
        std::uint64_t claimed = 0;
        held_ = ledger_.claim_graph(need, place, claimed);
        if (!held_) break;
        claimed_.push_back(claimed);
    }
    if (!held_) settle();
}

Ledger::GraphClaim::~GraphClaim() noexcept(false) {
    if (held_) settle();
}

void Ledger::GraphClaim::settle() const {
    for (std::size_t i = 0; i < claimed_.size(); ++i) {
        const CUdevice device = graph_->needs[i].device;
        if (ledger_.account(device) == nullptr) continue;
        const host::UndisturbedLock lock(ledger_.settling_);
        ledger_.settle_graphs(device, claimed_[i]);
    }
}

void Ledger::trim(CUdevice device) {
    for (unsigned number = 1; number <= pools_.count(); ++number) {
        Pools::Pool& pool = pools_[number];
        const CUmemoryPool handle = pool.handle.load(std::memory_order_acquire);
        if (handle == nullptr || calls_.cuMemPoolTrimTo == nullptr ||
            pool.device.load(std::memory_order_relaxed) != device) {
            continue;
        }
        calls_.cuMemPoolTrimTo(handle, 0);
    }
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
    sweep([owner](Note note) { return note.owner == owner; });
    owners_.show(owner, nullptr);
}

void Ledger::primary_ended(CUdevice device) {
    sweep([device](Note note) {
        return note.owner == 0 && note.pool == 0 && static_cast<CUdevice>(note.device) == device;
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
