#include <gtest/gtest.h>
#include <setjmp.h>

#include <algorithm>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "shim/cuda/quota/ledger.h"
#include "tests/unit/cancelled.h"

namespace ration::cuda::quota {
namespace {

constexpr std::uint64_t kMiB = 1ULL << 20;
constexpr CUdeviceptr kFirst = 0x7f0000000000;

template <class Handle>
Handle handle(std::uintptr_t number) {
    return reinterpret_cast<Handle>(number);
}

struct Node {
    CUgraphNodeType type;
    CUdeviceptr address = 0;
    std::size_t bytes = 0;
    CUmemLocation place{CU_MEM_LOCATION_TYPE_DEVICE, {0}};
    CUgraph child = nullptr;
};
Node allocation(std::uint64_t at, std::size_t bytes, CUdevice device = 0) {
    return {
        CU_GRAPH_NODE_TYPE_MEM_ALLOC, kFirst + at, bytes, {CU_MEM_LOCATION_TYPE_DEVICE, {device}}};
}
Node release(std::uint64_t at) { return {CU_GRAPH_NODE_TYPE_MEM_FREE, kFirst + at}; }
Node kernel() { return {CU_GRAPH_NODE_TYPE_KERNEL}; }
Node child(CUgraph graph) {
    return {CU_GRAPH_NODE_TYPE_GRAPH, 0, 0, {CU_MEM_LOCATION_TYPE_DEVICE, {0}}, graph};
}

// The driver's graphs, and what it has reserved for them.
struct FakeDriver {
    std::map<CUgraph, std::vector<Node>> graphs;
    std::map<CUdevice, std::uint64_t> reserved;
    std::map<CUdevice, std::uint64_t> at_work;  // what a trim leaves
    int asked = 0;
    CUstream captured = nullptr;
    CUcontext context = handle<CUcontext>(0xc0);
    CUdevice device = 0;
    std::function<void()> tool;  // that is told of the calls, but not of its own
    CUresult capture_says = CUDA_SUCCESS;
};
FakeDriver* fake = nullptr;

void tell_tool() {
    const auto tool = std::exchange(fake->tool, nullptr);
    if (tool == nullptr) return;
    tool();
    fake->tool = tool;
}

const Node& node_of(CUgraphNode node) { return *reinterpret_cast<const Node*>(node); }

Calls calls() {
    Calls calls;
    calls.cuCtxGetDevice = [](CUdevice* device) {
        *device = fake->device;
        return CUDA_SUCCESS;
    };
    calls.cuCtxGetCurrent = [](CUcontext* context) {
        *context = fake->context;
        return CUDA_SUCCESS;
    };
    calls.cuStreamIsCapturing = [](CUstream stream, CUstreamCaptureStatus* status) {
        ++fake->asked;
        *status = stream == fake->captured ? CU_STREAM_CAPTURE_STATUS_ACTIVE
                                           : CU_STREAM_CAPTURE_STATUS_NONE;
        return fake->capture_says;
    };
    calls.cuDeviceGetGraphMemAttribute = [](CUdevice device, CUgraphMem_attribute attribute,
                                            void* value) {
        EXPECT_EQ(attribute, CU_GRAPH_MEM_ATTR_RESERVED_MEM_CURRENT);
        ++fake->asked;
        *static_cast<cuuint64_t*>(value) = fake->reserved[device];
        tell_tool();
        return CUDA_SUCCESS;
    };
    calls.cuDeviceGraphMemTrim = [](CUdevice device) {
        tell_tool();
        fake->reserved[device] = std::min(fake->reserved[device], fake->at_work[device]);
        return CUDA_SUCCESS;
    };
    calls.cuGraphGetNodes = [](CUgraph graph, CUgraphNode* nodes, std::size_t* count) {
        const auto& all = fake->graphs[graph];
        for (std::size_t i = 0; nodes != nullptr && i < all.size(); ++i) {
            nodes[i] = reinterpret_cast<CUgraphNode>(const_cast<Node*>(&all[i]));
        }
        *count = all.size();
        return CUDA_SUCCESS;
    };
    calls.cuGraphNodeGetType = [](CUgraphNode node, CUgraphNodeType* type) {
        *type = node_of(node).type;
        return CUDA_SUCCESS;
    };
    calls.cuGraphChildGraphNodeGetGraph = [](CUgraphNode node, CUgraph* graph) {
        *graph = node_of(node).child;
        return CUDA_SUCCESS;
    };
    calls.cuGraphMemAllocNodeGetParams = [](CUgraphNode node, CUDA_MEM_ALLOC_NODE_PARAMS* made) {
        made->poolProps.location = node_of(node).place;
        made->bytesize = node_of(node).bytes;
        made->dptr = node_of(node).address;
        return CUDA_SUCCESS;
    };
    calls.cuGraphMemFreeNodeGetParams = [](CUgraphNode node, CUdeviceptr* freed) {
        *freed = node_of(node).address;
        return CUDA_SUCCESS;
    };
    return calls;
}

class GraphsTest : public testing::Test {
  protected:
    GraphsTest() { fake = &driver_; }

    CUgraph graph(std::vector<Node> nodes) {
        const auto made = handle<CUgraph>(0x1000 + driver_.graphs.size());
        driver_.graphs[made] = std::move(nodes);
        return made;
    }
    GraphNeeds needs(std::vector<Node> nodes) { return needs_of(calls(), graph(std::move(nodes))); }

    FakeDriver driver_;
};

TEST_F(GraphsTest, NeedWhatTheirAddressesSpan) {
    EXPECT_EQ(needs({kernel()}), GraphNeeds{});
    EXPECT_EQ(needs({}), GraphNeeds{});
    const GraphNeeds two{{0, 40 * kMiB, 10 * kMiB}};
    EXPECT_EQ(
        needs({allocation(0, 30 * kMiB), kernel(), release(0), allocation(100 * kMiB, 10 * kMiB)}),
        two);
    const GraphNeeds again{{0, 30 * kMiB, 0}};
    EXPECT_EQ(needs({allocation(0, 30 * kMiB), release(0), allocation(0, 20 * kMiB), release(0)}),
              again);
    // Which of the two is freed the driver's list does not say.
    const GraphNeeds kept_then{{0, 30 * kMiB, 30 * kMiB}};
    EXPECT_EQ(needs({allocation(0, 30 * kMiB), release(0), allocation(0, 20 * kMiB)}), kept_then);
    const GraphNeeds small{{0, 2 * kMiB, 2 * kMiB}};
    EXPECT_EQ(needs({allocation(512, 512), allocation(1024, 512), allocation(kMiB, kMiB)}), small);
    const GraphNeeds across{{0, 4 * kMiB, 4 * kMiB}};
    EXPECT_EQ(needs({allocation(kMiB, 2 * kMiB)}), across);
    EXPECT_EQ(needs({release(0)}), GraphNeeds{}) << "another graph's";
}

TEST_F(GraphsTest, NeedWhatTheirChildrenDo) {
    const CUgraph inner = graph({allocation(100 * kMiB, 10 * kMiB), release(100 * kMiB)});
    const CUgraph middle = graph({child(inner), kernel()});
    const GraphNeeds all{{0, 30 * kMiB, 20 * kMiB}};
    EXPECT_EQ(needs({allocation(0, 20 * kMiB), child(middle)}), all);
}

TEST_F(GraphsTest, NeedMemoryOfEachDevice) {
    Node on_host = allocation(200 * kMiB, 10 * kMiB);
    on_host.place = {CU_MEM_LOCATION_TYPE_HOST, {0}};
    const GraphNeeds both{{0, 20 * kMiB, 20 * kMiB}, {1, 10 * kMiB, 0}};
    EXPECT_EQ(needs({allocation(50 * kMiB, 10 * kMiB, 1), allocation(0, 20 * kMiB), on_host,
                     release(50 * kMiB)}),
              both);
}

TEST_F(GraphsTest, NeedNothingOfADriverThatHasNoSuchNodes) {
    Calls old = calls();
    old.cuGraphMemAllocNodeGetParams = nullptr;
    EXPECT_EQ(needs_of(old, graph({kernel()})), GraphNeeds{});
}

// One device, and launches as the ledger makes them.
class HoardTest : public testing::Test {
  protected:
    using Graph = std::shared_ptr<KnownGraph>;
    static Graph graph(std::uint64_t bytes, std::uint64_t kept) {
        return std::make_shared<KnownGraph>(GraphNeeds{{0, bytes, kept}});
    }
    static Graph passing(std::uint64_t mib) { return graph(mib * kMiB, 0); }
    static Graph keeping(std::uint64_t mib) { return graph(mib * kMiB, mib * kMiB); }
    static GraphPlace in(std::uintptr_t stream) { return {handle<CUstream>(stream)}; }

    // MiB claimed, or -1.
    long claim(const Graph& graph, const GraphPlace& place) {
        const std::uint64_t before = used();
        if (!hoard_.claim(account_, {graph, graph->needs.data(), place, ++number_})) return -1;
        return static_cast<long>(used() - before);
    }
    // After which the driver has so much.
    void launch(const Graph& graph, const GraphPlace& place, std::uint64_t mib) {
        ASSERT_GE(claim(graph, place), 0);
        settle(mib, number_);
    }
    void settle(std::uint64_t mib, std::uint64_t done = 0) {
        hoard_.end(done, true);
        hoard_.settle(account_, mib * kMiB);
    }
    std::uint64_t used() const { return account_.used() / kMiB; }

    Account account_{320 * kMiB};
    GraphHoard hoard_;
    std::uint64_t number_ = 0;  // the last claim's
};

TEST_F(HoardTest, ClaimsWhatALaunchMayTakeAndKeepsWhatItTook) {
    const Graph need = passing(100);
    EXPECT_EQ(claim(need, in(1)), 128) << "in steps of 32";
    EXPECT_EQ(used(), 128U);
    settle(96, number_);
    EXPECT_EQ(used(), 96U);
    settle(0);
    EXPECT_EQ(used(), 0U);
}

TEST_F(HoardTest, ClaimsTheLastOfAQuotaWithoutSteps) {
    const Graph rest = passing(90);
    ASSERT_TRUE(account_.take(230 * kMiB));
    EXPECT_EQ(claim(rest, in(1)), 90);
    settle(0, number_);
    const Graph more = passing(92);
    EXPECT_EQ(claim(more, in(1)), -1);
    EXPECT_EQ(used(), 230U);
}

TEST_F(HoardTest, ClaimsNothingTwiceInOneStream) {
    const Graph one = passing(100);
    const Graph other = passing(120);
    launch(one, in(1), 128);
    EXPECT_EQ(claim(one, in(1)), 0);
    settle(128, number_);
    EXPECT_EQ(claim(other, in(1)), 0) << "after the first one";
    settle(128, number_);
    EXPECT_EQ(claim(other, in(2)), 128) << "beside it";
}

TEST_F(HoardTest, ClaimsMoreBesideWhatIsKept) {
    const Graph kept = keeping(60);
    const Graph other = passing(50);
    launch(kept, in(1), 64);
    EXPECT_EQ(claim(kept, in(1)), 0) << "it must have been freed";
    settle(64, number_);
    EXPECT_EQ(claim(other, in(1)), 64);
    settle(128, number_);
    EXPECT_EQ(claim(other, in(1)), 0);
    EXPECT_EQ(used(), 128U);
}

TEST_F(HoardTest, BeginsAnewWhenNothingIsReserved) {
    const Graph kept = keeping(60);
    const Graph other = passing(60);
    launch(kept, in(1), 64);
    settle(0);
    launch(other, in(1), 64);
    EXPECT_EQ(claim(other, in(1)), 0) << "nobody else has any of it";
    settle(64, number_);
    EXPECT_EQ(claim(kept, in(1)), 0) << "after the other one";
    settle(64, number_);
    EXPECT_EQ(claim(other, in(1)), 64) << "beside what is kept again";
}

TEST_F(HoardTest, LeavesWhatOthersHaveClaimedAlone) {
    const Graph one = passing(60);
    const Graph other = passing(90);
    ASSERT_EQ(claim(one, in(1)), 64);
    const std::uint64_t first = number_;
    ASSERT_EQ(claim(other, in(2)), 96);
    settle(64, number_);
    EXPECT_EQ(used(), 128U) << "whose the 64 are is not known";
    settle(160, first);
    EXPECT_EQ(used(), 160U);
}

TEST_F(HoardTest, KeepsAClaimWhileItIsNotKnownWhoseMemoryIsThere) {
    const Graph need = passing(60);
    ASSERT_EQ(claim(need, in(1)), 64);
    settle(32);
    EXPECT_EQ(used(), 64U);
    settle(64, number_);
    EXPECT_EQ(used(), 64U);
}

TEST_F(HoardTest, ClaimsTheMostThatOneStreamNeeds) {
    ASSERT_EQ(claim(passing(100), in(1)), 128);
    const std::uint64_t first = number_;
    EXPECT_EQ(claim(passing(120), in(1)), 0) << "after the first one";
    EXPECT_EQ(claim(passing(200), in(1)), 96);
    const std::uint64_t third = number_;
    EXPECT_EQ(claim(passing(130), in(2)), -1) << "beside them";
    settle(0, first);
    EXPECT_EQ(used(), 224U) << "the driver has not seen the others yet";
    settle(128, third);
    EXPECT_EQ(used(), 128U);
}

TEST_F(HoardTest, ClaimsAllThatOneStreamKeeps) {
    const Graph kept = keeping(60);
    ASSERT_EQ(claim(kept, in(1)), 64);
    EXPECT_EQ(claim(kept, in(1)), 0) << "it must have been freed";
    EXPECT_EQ(claim(keeping(60), in(1)), 64);
}

TEST_F(HoardTest, KeepsNothingOfALaunchThatFailed) {
    launch(passing(60), in(2), 64);
    const Graph kept = keeping(60);
    ASSERT_EQ(claim(kept, in(1)), 64);
    hoard_.end(number_, false);
    settle(64);
    EXPECT_EQ(used(), 64U);
    EXPECT_EQ(claim(passing(60), in(2)), 0) << "nobody else has any of it";
}

TEST_F(HoardTest, EndsTheLaunchesThatAThreadHasLeft) {
    const Graph need = passing(60);
    ASSERT_TRUE(hoard_.claim(account_, {need, need->needs.data(), in(1), 1, 7, 0x1000}));
    EXPECT_FALSE(hoard_.end_left(8, 0x2000)) << "another thread";
    EXPECT_FALSE(hoard_.end_left(7, 0x800)) << "from within the driver";
    settle(0);
    EXPECT_EQ(used(), 64U);
    EXPECT_TRUE(hoard_.end_left(7, 0x1000));
    settle(0);
    EXPECT_EQ(used(), 0U);
    hoard_.end(1, true);
}

TEST_F(HoardTest, RemembersNothingOfWhatIsRefused) {
    const Graph one = passing(200);
    const Graph other = passing(200);
    launch(one, in(1), 224);
    EXPECT_EQ(claim(other, in(2)), -1);
    EXPECT_EQ(claim(one, in(1)), 0) << "it goes on in its stream";
}

TEST_F(HoardTest, TellsAFewHundredStreamsApart) {
    const Graph need = passing(2);
    constexpr std::uintptr_t kMost = 256;
    for (std::uintptr_t stream = 1; stream <= kMost + 1; ++stream) {
        ASSERT_GE(claim(need, in(stream)), 0);
        settle(64, number_);
    }
    EXPECT_EQ(claim(need, in(kMost + 1)), 32) << "it may be any stream's";
}

// The ledger's part: around the driver's calls.
class GraphLedgerTest : public GraphsTest {
  protected:
    explicit GraphLedgerTest(std::vector<std::uint64_t> limits = {100 * kMiB})
        : ledger_(calls(), accounts(limits),
                  [this](const std::string& line) { said_.push_back(line); }) {}

    static Ledger::Accounts accounts(const std::vector<std::uint64_t>& limits) {
        Ledger::Accounts result;
        for (const std::uint64_t limit : limits) {
            result.push_back(limit == 0 ? nullptr : std::make_unique<Account>(limit));
        }
        return result;
    }
    CUgraphExec instantiate(CUgraph graph, std::uintptr_t number) {
        CUgraphExec exec = nullptr;
        ledger_.make_graph(&exec, graph, [&] {
            exec = handle<CUgraphExec>(0x1000 * number);
            return CUDA_SUCCESS;
        });
        return exec;
    }
    CUgraphExec passing(std::uint64_t mib, std::uintptr_t number) {
        return instantiate(graph({allocation(0, mib * kMiB), release(0)}), number);
    }
    // After which the driver has reserved so much.
    CUresult launch(CUgraphExec exec, std::uint64_t mib, std::uintptr_t stream = 0x50) {
        return ledger_.launch_graph(exec, handle<CUstream>(stream), [&] {
            ++launched_;
            driver_.reserved[0] = std::max(driver_.reserved[0], mib * kMiB);
            return driver_says_;
        });
    }
    CUresult allocate(std::uint64_t mib) {
        CUdeviceptr pointer = 0;
        return ledger_.linear(&pointer, mib * kMiB, [&] {
            pointer = next_ += 4096;
            return CUDA_SUCCESS;
        });
    }
    std::uint64_t used(CUdevice device = 0) { return ledger_.account(device)->used() / kMiB; }

    CUresult driver_says_ = CUDA_SUCCESS;
    CUdeviceptr next_ = 0x7000'0000;
    int launched_ = 0;
    std::vector<std::string> said_;
    Ledger ledger_;
};

TEST_F(GraphLedgerTest, RefusesALaunchThatPassesTheQuota) {
    const CUgraphExec fits = passing(90, 1);
    const CUgraphExec more = passing(110, 2);
    EXPECT_EQ(used(), 0U) << "an executable graph has nothing yet";
    EXPECT_EQ(launch(more, 128), CUDA_ERROR_OUT_OF_MEMORY);
    EXPECT_EQ(launched_, 0) << "the driver is not asked";
    ASSERT_EQ(said_.size(), 1U);
    EXPECT_NE(said_[0].find("asked for 110 MiB"), std::string::npos) << said_[0];
    EXPECT_EQ(launch(fits, 96), CUDA_SUCCESS);
    EXPECT_EQ(used(), 96U);
    EXPECT_EQ(launch(fits, 96), CUDA_SUCCESS) << "with what it has already";
    EXPECT_EQ(used(), 96U);
    EXPECT_EQ(allocate(6), CUDA_SUCCESS) << "after a trim";
    EXPECT_EQ(launch(fits, 96), CUDA_SUCCESS);
    EXPECT_EQ(launch(fits, 96), CUDA_SUCCESS) << "96 and 6: what the driver took counts";
}

TEST_F(GraphLedgerTest, LetsALoopRunWhoseMemoryIsInUse) {
    const CUgraphExec one = passing(64, 1);
    const CUgraphExec other = passing(60, 2);
    driver_.at_work[0] = 64 * kMiB;
    for (int round = 0; round < 3; ++round) {
        EXPECT_EQ(launch(one, 64), CUDA_SUCCESS);
        EXPECT_EQ(launch(other, 64), CUDA_SUCCESS) << "in the same stream";
    }
    EXPECT_EQ(launch(other, 128, 0x51), CUDA_ERROR_OUT_OF_MEMORY) << "beside the first";
    driver_.at_work[0] = 0;
    EXPECT_EQ(launch(other, 64, 0x51), CUDA_SUCCESS) << "after it";
}

TEST_F(GraphLedgerTest, GivesBackWhatALaunchDidNotTake) {
    const CUgraphExec exec = passing(90, 1);
    driver_says_ = CUDA_ERROR_INVALID_VALUE;
    EXPECT_EQ(launch(exec, 0), CUDA_ERROR_INVALID_VALUE);
    EXPECT_EQ(used(), 0U);
    EXPECT_TRUE(cancelled_in([&] {
        ledger_.launch_graph(exec, nullptr, [] {
            pthread_testcancel();
            return CUDA_SUCCESS;
        });
    }));
    EXPECT_EQ(used(), 0U);
}

TEST_F(GraphLedgerTest, HasTheQuotaWhileItLaunches) {
    const CUgraphExec exec = passing(60, 1);
    ledger_.launch_graph(exec, nullptr, [&] {
        EXPECT_EQ(used(), 64U);
        EXPECT_EQ(allocate(40), CUDA_ERROR_OUT_OF_MEMORY) << "of another thread";
        return CUDA_SUCCESS;
    });
}

// What a profiler does that is told of every call: it comes back from inside of one, or has its own
// thread do so and waits.
TEST_F(GraphLedgerTest, LetsAToolComeBackFromWhatItAsks) {
    const CUgraphExec fits = passing(60, 1);
    const CUgraphExec more = passing(90, 2);
    unsigned told = 0;
    driver_.tool = [&] {
        const auto look = [&] {
            std::uint64_t free = 1000 * kMiB;
            std::uint64_t total = 1000 * kMiB;
            ledger_.narrow_info(free, total);
            EXPECT_LE(free, 100 * kMiB);
            allocate(80);
        };
        look();
        std::thread(look).join();
        ++told;
    };
    launch(fits, 64);
    EXPECT_GE(std::exchange(told, 0), 2U);
    driver_.at_work[0] = 64 * kMiB;
    EXPECT_EQ(launch(more, 96, 0x51), CUDA_ERROR_OUT_OF_MEMORY);
    EXPECT_GT(told, 2U) << "of a trim, too";
    allocate(80);
    ledger_.graphs_trimmed(0);
}

// The answer of a call is old where another launch has ended since.
TEST_F(GraphLedgerTest, GoesByNoOldAnswer) {
    const CUgraphExec exec = passing(60, 1);
    driver_.tool = [&] {
        driver_.tool = nullptr;
        launch(exec, 64);
    };
    ledger_.graphs_trimmed(0);
    EXPECT_EQ(used(), 64U);
}

TEST_F(GraphLedgerTest, EndsWithALaterLaunchWhatAHandlerLeft) {
    const CUgraphExec exec = passing(60, 1);
    for (int i = 0; i < 3; ++i) {
        static jmp_buf back;
        if (setjmp(back) == 0) {
            ledger_.launch_graph(exec, nullptr, []() -> CUresult { longjmp(back, 1); });
        }
        EXPECT_EQ(used(), 64U) << "the driver may be at it";
    }
    ledger_.launch_graph(exec, nullptr, [] { return CUDA_SUCCESS; });
    EXPECT_EQ(used(), 0U);
}

TEST_F(GraphLedgerTest, LetsTheDriverRefuseWhatItWouldAnyway) {
    driver_.capture_says = CUDA_ERROR_INVALID_CONTEXT;
    driver_says_ = CUDA_ERROR_INVALID_CONTEXT;
    EXPECT_EQ(launch(passing(400, 1), 0, 0), CUDA_ERROR_INVALID_CONTEXT);
    EXPECT_TRUE(said_.empty());
}

TEST_F(GraphLedgerTest, LeavesOtherGraphsAlone) {
    const CUgraphExec plain = instantiate(graph({kernel(), kernel()}), 1);
    EXPECT_EQ(launch(plain, 0), CUDA_SUCCESS);
    passing(60, 2);
    EXPECT_EQ(launch(plain, 0), CUDA_SUCCESS);
    EXPECT_EQ(launched_, 2);
    EXPECT_EQ(driver_.asked, 0) << "nothing is asked for them";
    driver_.captured = handle<CUstream>(0x77);
    EXPECT_EQ(launch(passing(400, 3), 0, 0x77), CUDA_SUCCESS) << "captured";
}

TEST_F(GraphLedgerTest, ForgetsWhatIsDestroyed) {
    const CUgraphExec exec = passing(400, 1);
    EXPECT_EQ(ledger_.destroy_graph(exec, [] { return CUDA_ERROR_INVALID_VALUE; }),
              CUDA_ERROR_INVALID_VALUE);
    EXPECT_EQ(launch(exec, 0), CUDA_ERROR_OUT_OF_MEMORY) << "it is still there";
    ledger_.destroy_graph(exec, [&] {
        instantiate(graph({kernel()}), 1);
        return CUDA_SUCCESS;
    });
    EXPECT_EQ(launch(exec, 0), CUDA_SUCCESS) << "another one, of the same handle";
    passing(400, 1);
    instantiate(graph({kernel()}), 1);
    EXPECT_EQ(launch(exec, 0), CUDA_SUCCESS) << "whose former end passed by";
}

TEST_F(GraphLedgerTest, KnowsWhatAnUpdateBrings) {
    const CUgraphExec exec = passing(60, 1);
    const CUgraph large = graph({allocation(0, 400 * kMiB), release(0)});
    ledger_.update_graph(exec, large, [] { return CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE; });
    EXPECT_EQ(launch(exec, 64), CUDA_SUCCESS);
    ledger_.update_graph(exec, large, [] { return CUDA_SUCCESS; });
    EXPECT_EQ(launch(exec, 64), CUDA_ERROR_OUT_OF_MEMORY);
}

TEST_F(GraphLedgerTest, CountsWhatIsUploadedAsItIsMade) {
    const auto make = [&](std::uint64_t mib) {
        CUgraphExec exec = nullptr;
        return ledger_.make_uploaded_graph(&exec, graph({allocation(0, mib * kMiB), release(0)}),
                                           nullptr, [&] {
                                               exec = handle<CUgraphExec>(0x1000);
                                               driver_.reserved[0] = mib * kMiB;
                                               return CUDA_SUCCESS;
                                           });
    };
    EXPECT_EQ(make(400), CUDA_ERROR_OUT_OF_MEMORY);
    EXPECT_EQ(make(64), CUDA_SUCCESS);
    EXPECT_EQ(used(), 64U);
    EXPECT_EQ(launch(handle<CUgraphExec>(0x1000), 64, 0), CUDA_SUCCESS);
}

TEST_F(GraphLedgerTest, GivesBackWhatIsTrimmed) {
    launch(passing(64, 1), 64);
    EXPECT_EQ(used(), 64U);
    driver_.reserved[0] = 0;
    ledger_.graphs_trimmed(0);
    EXPECT_EQ(used(), 0U);
    ledger_.graphs_trimmed(7);
}

// Graphs of several threads, each in a stream of its own, beside other memory: what the driver has
// never passes the quota, whichever of them it serves first.
TEST_F(GraphLedgerTest, IsExactAmongThreads) {
    constexpr unsigned kThreads = 4;
    std::vector<CUgraph> graphs;
    for (std::uint64_t mib = 10; mib <= 70; mib += 20) {
        graphs.push_back(graph({allocation(0, mib * kMiB), release(0)}));
    }
    static std::mutex mutex;  // the driver's
    static std::uint64_t reserved = 0;
    static std::uint64_t at_work = 0;
    reserved = at_work = 0;
    Calls threaded = calls();
    threaded.cuDeviceGetGraphMemAttribute = [](CUdevice, CUgraphMem_attribute, void* value) {
        const std::lock_guard lock(mutex);
        *static_cast<cuuint64_t*>(value) = reserved;
        return CUDA_SUCCESS;
    };
    threaded.cuDeviceGraphMemTrim = [](CUdevice) {
        const std::lock_guard lock(mutex);
        reserved = at_work;
        return CUDA_SUCCESS;
    };
    threaded.cuStreamIsCapturing = [](CUstream, CUstreamCaptureStatus* status) {
        *status = CU_STREAM_CAPTURE_STATUS_NONE;
        return CUDA_SUCCESS;
    };
    Ledger ledger(threaded, accounts({100 * kMiB}), [](const std::string&) {});
    std::uint64_t linear = 0;
    std::uint64_t most = 0;
    unsigned launched = 0;
    const auto work = [&](unsigned t) {
        const auto exec = handle<CUgraphExec>(0x100 + t);
        for (unsigned round = 0; round < 500; ++round) {
            const unsigned which = (round + t) % 4;
            CUgraphExec made = nullptr;
            ledger.make_graph(&made, graphs[which], [&] {
                made = exec;
                return CUDA_SUCCESS;
            });
            const std::uint64_t bytes = (10 + 20 * which) * kMiB;
            ledger.launch_graph(made, handle<CUstream>(0x50 + t), [&] {
                std::unique_lock lock(mutex);
                ++launched;
                at_work += bytes;
                reserved = std::max(reserved, at_work);
                most = std::max(most, reserved + linear);
                lock.unlock();
                std::this_thread::yield();
                lock.lock();
                at_work -= bytes;
                return CUDA_SUCCESS;
            });
            CUdeviceptr pointer = 0;
            const CUresult code = ledger.linear(&pointer, 8 * kMiB, [&] {
                const std::lock_guard lock(mutex);
                linear += 8 * kMiB;
                most = std::max(most, reserved + linear);
                pointer = 0x1000 * (t + 1);
                return CUDA_SUCCESS;
            });
            if (code == CUDA_SUCCESS) {
                ledger.free(pointer, [&] {
                    const std::lock_guard lock(mutex);
                    linear -= 8 * kMiB;
                    return CUDA_SUCCESS;
                });
            }
            ledger.destroy_graph(exec, [] { return CUDA_SUCCESS; });
        }
    };
    std::vector<std::thread> threads;
    for (unsigned t = 0; t < kThreads; ++t) threads.emplace_back(work, t);
    for (std::thread& thread : threads) thread.join();
    EXPECT_GT(launched, 0U);
    EXPECT_LE(most, 100 * kMiB);
    reserved = 0;
    ledger.graphs_trimmed(0);
    EXPECT_EQ(ledger.account(0)->left(), 100 * kMiB);
}

class GraphsOfTwoDevices : public GraphLedgerTest {
  protected:
    GraphsOfTwoDevices() : GraphLedgerTest({100 * kMiB, 200 * kMiB}) {}
};

TEST_F(GraphsOfTwoDevices, ClaimAllOrNothing) {
    const CUgraphExec exec =
        instantiate(graph({allocation(0, 60 * kMiB), allocation(100 * kMiB, 210 * kMiB, 1)}), 1);
    EXPECT_EQ(launch(exec, 64), CUDA_ERROR_OUT_OF_MEMORY);
    EXPECT_EQ(used(0), 0U);
    EXPECT_EQ(used(1), 0U);
    const CUgraphExec fits =
        instantiate(graph({allocation(0, 60 * kMiB), allocation(100 * kMiB, 190 * kMiB, 1)}), 2);
    ledger_.launch_graph(fits, nullptr, [&] {
        EXPECT_EQ(used(0), 64U);
        EXPECT_EQ(used(1), 192U);
        return CUDA_SUCCESS;
    });
}

class GraphsBesideNoQuota : public GraphLedgerTest {
  protected:
    GraphsBesideNoQuota() : GraphLedgerTest({100 * kMiB, 0}) {}
};

TEST_F(GraphsBesideNoQuota, AreLaunchedThere) {
    const CUgraphExec exec =
        instantiate(graph({allocation(0, 60 * kMiB), allocation(100 * kMiB, 210 * kMiB, 1)}), 1);
    EXPECT_EQ(launch(exec, 64), CUDA_SUCCESS);
    EXPECT_EQ(used(0), 64U);
}

}  // namespace
}  // namespace ration::cuda::quota
