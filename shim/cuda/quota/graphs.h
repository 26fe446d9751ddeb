// Graphs that allocate: which they are, and what their launches may take.
#pragma once

#include <atomic>
#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "shim/cuda/quota/account.h"
#include "shim/cuda/quota/blocks.h"
#include "shim/cuda/quota/graph_needs.h"

namespace ration::cuda::quota {

// Launches of one place run one after the other.
struct GraphPlace {
    CUstream stream = nullptr;
    CUcontext context = nullptr;  // of a default stream
    std::uint64_t thread = 0;     // of the per-thread default stream
    friend auto operator<=>(const GraphPlace&, const GraphPlace&) = default;
};

// An executable graph.
struct KnownGraph {
    explicit KnownGraph(const GraphNeeds& given) {
        for (const GraphNeed& each : given) needs.push_back({each});
    }

    struct Need : GraphNeed {
        unsigned counted_in = 0;  // GraphHoard: what it keeps
    };
    std::vector<Need> needs;  // never empty
};

// A launch on its way, from before the driver's call until that is over.
struct Flight {
    std::shared_ptr<KnownGraph> graph;
    KnownGraph::Need* need = nullptr;  // the graph's
    GraphPlace place;
    std::uint64_t number = 0;  // of the launch: one of each device's
    // Whose it is, and how deep in its stack: where that thread comes here again from less deep, a
    // handler has taken it out of the driver.
    std::uint64_t thread = 0;
    std::uintptr_t frame = 0;
};

// A device's memory for graphs. The driver keeps it until it is trimmed, uses it again for launches
// that cannot run at once, and takes more only where that does not do. By one thread at a time.
class GraphHoard {
  public:
    // Claims what a launch may add at most to what the driver has reserved and other launches may
    // still take. False, and nothing is claimed, if the account has not enough.
    bool claim(Account& account, Flight flight);

    // A launch is over; settle() gives back what it did not take. Not `launched`: the driver has
    // refused it. One that is not known any more is none.
    void end(std::uint64_t number, bool launched);
    // Of a thread's launches that were deeper in its stack, or as deep, none is left. Whether there
    // were any.
    bool end_left(std::uint64_t thread, std::uintptr_t frame);

    // `reserved`: bytes that the driver says it has for graphs, asked after the last end(). Of what
    // has been claimed since, any part may be among them. Whether anything is different now.
    bool settle(Account& account, std::uint64_t reserved);

    // Of the account; also beside the one thread.
    std::uint64_t charged() const { return charged_.load(std::memory_order_relaxed); }

  private:
    void ended(const Flight& flight);
    std::uint64_t level() const;
    std::uint64_t flying_in(const GraphPlace& place) const;
    bool is_first_of_its_graph(std::size_t index) const;
    void remember(const GraphPlace& place);

    std::uint64_t reserved_ = 0;
    std::atomic<std::uint64_t> charged_{0};
    std::vector<Flight> flights_;
    // What former launches may hold still. It only grows, until nothing is reserved: the driver
    // does not say whose its memory is.
    std::map<GraphPlace, std::uint64_t> most_;  // of what graphs free themselves
    std::uint64_t kept_ = 0;
    unsigned life_ = 1;  // how often that began anew
};

// Executable graphs with allocations.
class Graphs {
  public:
    // The driver has made it, or updated it, or refused to end it. Null, or without needs: what was
    // known by that handle is forgotten.
    void made(CUgraphExec exec, std::shared_ptr<KnownGraph> graph);
    void made(CUgraphExec exec, const GraphNeeds& needs) {
        made(exec, needs.empty() ? nullptr : std::make_shared<KnownGraph>(needs));
    }
    // While it ends: nobody finds it. Null: unknown.
    std::shared_ptr<KnownGraph> hide(CUgraphExec exec);

    // Without locks, and one load as long as no graph allocates.
    bool has(CUgraphExec exec) const {
        return any_.load(std::memory_order_relaxed) && known_.contains(key_of(exec));
    }
    // Null: it has just been destroyed.
    std::shared_ptr<KnownGraph> find(CUgraphExec exec);

  private:
    static std::uint64_t key_of(CUgraphExec exec) { return reinterpret_cast<std::uint64_t>(exec); }

    static constexpr std::size_t kBuckets = 64;
    std::atomic<bool> any_{false};
    Blocks known_{kBuckets};  // the keys alone
    std::mutex mutex_;
    std::map<CUgraphExec, std::shared_ptr<KnownGraph>> graphs_;
};

}  // namespace ration::cuda::quota
