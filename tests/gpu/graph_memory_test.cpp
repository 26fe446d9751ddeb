// Memory that graphs allocate: captured and built nodes, what a launch takes of the device, who may
// free it and when it comes back. As in the CUDA programming guide ("Graph memory nodes") and
// cuda.h.
#include <gtest/gtest.h>

#include <set>

#include "tests/gpu/support/inspect.h"
#include "tests/gpu/support/lab.h"

namespace gpu {
namespace {

constexpr std::size_t kSize = std::size_t{512} << 20;
constexpr long long kSizeMib = 512;
constexpr long long kSlackMib = 64;  // what a driver may keep for itself
constexpr auto kRelaxed = CU_STREAM_CAPTURE_MODE_RELAXED;
constexpr auto kAutoFree = CUDA_GRAPH_INSTANTIATE_FLAG_AUTO_FREE_ON_LAUNCH;

// A stream, graphs that allocate, and what the device has for them.
class Bench {
  public:
    explicit Bench(Lab& its_lab) : lab(its_lab), cuda(its_lab.cuda) {
        stream = lab.stream(CU_STREAM_NON_BLOCKING);
        other = lab.stream(CU_STREAM_NON_BLOCKING);
        before_ = free_mib();
    }

    static CUDA_MEM_ALLOC_NODE_PARAMS wanted(std::size_t bytes) {
        CUDA_MEM_ALLOC_NODE_PARAMS parameters{};
        parameters.poolProps.allocType = CU_MEM_ALLOCATION_TYPE_PINNED;
        parameters.poolProps.location = {CU_MEM_LOCATION_TYPE_DEVICE, {0}};
        parameters.bytesize = bytes;
        return parameters;
    }
    CUgraph graph() {
        CUgraph made{};
        cuda.cuGraphCreate(&made, 0);
        return made;
    }
    // A node that comes after `after`, if that isn't null.
    CUgraphNode allocate(CUgraph graph, CUgraphNode after, CUdeviceptr& memory,
                         std::size_t bytes = kSize) {
        CUDA_MEM_ALLOC_NODE_PARAMS parameters = wanted(bytes);
        CUgraphNode node{};
        result = cuda.cuGraphAddMemAllocNode(&node, graph, &after, after != nullptr ? 1 : 0,
                                             &parameters);
        memory = parameters.dptr;
        return node;
    }
    CUgraphNode release(CUgraph graph, CUgraphNode after, CUdeviceptr memory) {
        CUgraphNode node{};
        result = cuda.cuGraphAddMemFreeNode(&node, graph, &after, after != nullptr ? 1 : 0, memory);
        return node;
    }
    // Allocates and frees.
    CUgraph passing() {
        CUgraph made = graph();
        CUdeviceptr memory{};
        CUgraphNode node = allocate(made, nullptr, memory);
        release(made, node, memory);
        return made;
    }
    // Allocates alone.
    CUgraph keeping(CUdeviceptr& memory) {
        CUgraph made = graph();
        allocate(made, nullptr, memory);
        return made;
    }
    CUgraphExec instantiate(CUgraph graph, unsigned long long flags = 0) {
        CUgraphExec exec{};
        result = cuda.cuGraphInstantiateWithFlags(&exec, graph, flags);
        return exec;
    }
    // To its end.
    CUresult launch(CUgraphExec exec) {
        const CUresult launched = cuda.cuGraphLaunch(exec, stream);
        const CUresult end = cuda.cuStreamSynchronize(stream);
        return launched != CUDA_SUCCESS ? launched : end;
    }
    // Whether the memory can be written and read.
    bool works(CUdeviceptr memory) {
        unsigned char seen = 0;
        return cuda.cuMemsetD8_v2(memory + kSize - 1, 7, 1) == CUDA_SUCCESS &&
               cuda.cuMemcpyDtoH_v2(&seen, memory + kSize - 1, 1) == CUDA_SUCCESS && seen == 7;
    }

    long long value(CUgraphMem_attribute attribute) {
        cuuint64_t bytes = 0;
        result = cuda.cuDeviceGetGraphMemAttribute(0, attribute, &bytes);
        return static_cast<long long>(bytes) / kMiB;
    }
    long long reserved() { return value(CU_GRAPH_MEM_ATTR_RESERVED_MEM_CURRENT); }
    long long used() { return value(CU_GRAPH_MEM_ATTR_USED_MEM_CURRENT); }
    // MiB that are free fewer than at the beginning.
    long long taken() { return before_ - free_mib(); }
    void trim() { result = cuda.cuDeviceGraphMemTrim(0); }

    Lab& lab;
    Cuda& cuda;
    CUstream stream = nullptr;
    CUstream other = nullptr;
    CUresult result = CUDA_SUCCESS;  // of the last step

  private:
    long long free_mib() {
        std::size_t free = 0;
        std::size_t total = 0;
        cuda.cuMemGetInfo_v2(&free, &total);
        return static_cast<long long>(free) / kMiB;
    }
    long long before_ = 0;
};

Report ask(const std::function<void(Bench& bench, Report& found)>& work) {
    return in_child(Lab::environment(), [&](Cuda& cuda, Report& found) {
        Lab lab(cuda);
        Bench bench(lab);
        work(bench, found);
    });
}

class GraphMemory : public testing::Test {
  protected:
    void SetUp() override {
        constexpr int kFirst = 11040;
        if (part().driver < kFirst) GTEST_SKIP() << "CUDA " << part().driver;
    }
};

// The nodes' types in the order of the driver's list.
std::string types_of(Bench& bench, CUgraph graph) {
    CUgraphNode nodes[8]{};
    std::size_t count = 8;
    bench.cuda.cuGraphGetNodes(graph, nodes, &count);
    std::string types;
    for (std::size_t i = 0; i < count && i < 8; ++i) {
        CUgraphNodeType type{};
        bench.cuda.cuGraphNodeGetType(nodes[i], &type);
        types += std::to_string(type) + " ";
    }
    return types;
}

TEST_F(GraphMemory, ThatIsCapturedIsANodeAndTakesNothing) {
    const Report report = ask([](Bench& bench, Report& found) {
        Cuda& cuda = bench.cuda;
        cuda.cuStreamBeginCapture_v2(bench.stream, kRelaxed);
        CUdeviceptr memory{};
        found.set("allocate", cuda.cuMemAllocAsync(&memory, kSize, bench.stream));
        found.set("address", memory != 0);
        found.set("fill", cuda.cuMemsetD8Async(memory, 1, 64, bench.stream));
        found.set("free", cuda.cuMemFreeAsync(memory, bench.stream));
        CUgraph graph{};
        found.set("end", cuda.cuStreamEndCapture(bench.stream, &graph));
        found.set("types", types_of(bench, graph));
        CUgraphNode nodes[3]{};
        std::size_t count = 3;
        cuda.cuGraphGetNodes(graph, nodes, &count);
        CUDA_MEM_ALLOC_NODE_PARAMS parameters{};
        CUdeviceptr freed{};
        found.set("of allocation", cuda.cuGraphMemAllocNodeGetParams(nodes[0], &parameters));
        found.set("of free", cuda.cuGraphMemFreeNodeGetParams(nodes[2], &freed));
        found.set("same", parameters.dptr == memory && freed == memory);
        found.set("mib", static_cast<long long>(parameters.bytesize) / kMiB);
        found.set("device", parameters.poolProps.location.type == CU_MEM_LOCATION_TYPE_DEVICE &&
                                parameters.poolProps.location.id == 0);
        CUgraphExec exec = bench.instantiate(graph);
        found.set("instantiate", bench.result);
        found.set("taken", bench.taken());
        found.set("reserved", bench.reserved());
        found.set("launch", bench.launch(exec));
        found.set("then taken", bench.taken());
    });
    for (const char* step :
         {"allocate", "fill", "free", "end", "of allocation", "of free", "instantiate", "launch"}) {
        EXPECT_EQ(report[step], CUDA_SUCCESS) << step;
    }
    EXPECT_EQ(report.text("types"), "10 2 11 ");
    EXPECT_TRUE(report["address"]);
    EXPECT_TRUE(report["same"]);
    EXPECT_EQ(report["mib"], kSizeMib);
    EXPECT_TRUE(report["device"]);
    EXPECT_LE(report["taken"], kSlackMib);
    EXPECT_EQ(report["reserved"], 0);
    EXPECT_GE(report["then taken"], kSizeMib);
}

TEST_F(GraphMemory, IsTheDriversUntilItIsTrimmed) {
    const Report report = ask([](Bench& bench, Report& found) {
        CUgraph graph = bench.passing();
        CUgraphExec exec = bench.instantiate(graph);
        found.set("launch", bench.launch(exec));
        found.set("reserved", bench.reserved());
        found.set("used", bench.used());
        found.set("taken", bench.taken());
        found.set("again", bench.launch(exec));
        found.set("not more", bench.reserved());
        bench.cuda.cuGraphExecDestroy(exec);
        bench.cuda.cuGraphDestroy(graph);
        found.set("still reserved", bench.reserved());
        bench.trim();
        found.set("trim", bench.result);
        found.set("left reserved", bench.reserved());
        found.set("left", bench.taken());
    });
    for (const char* step : {"launch", "again", "trim"}) {
        EXPECT_EQ(report[step], CUDA_SUCCESS) << step;
    }
    EXPECT_GE(report["reserved"], kSizeMib);
    EXPECT_GE(report["used"], kSizeMib);
    EXPECT_GE(report["taken"], kSizeMib);
    EXPECT_EQ(report["not more"], report["reserved"]);
    EXPECT_GE(report["still reserved"], kSizeMib);
    EXPECT_EQ(report["left reserved"], 0);
    EXPECT_LE(report["left"], kSlackMib);
}

TEST_F(GraphMemory, ComesBackWithTheLaunchAfterATrim) {
    const Report report = ask([](Bench& bench, Report& found) {
        CUdeviceptr memory{};
        CUgraphExec exec = bench.instantiate(bench.keeping(memory), kAutoFree);
        bench.launch(exec);
        bench.cuda.cuMemFreeAsync(memory, bench.stream);
        bench.cuda.cuStreamSynchronize(bench.stream);
        bench.trim();
        found.set("none", bench.reserved());
        found.set("launch", bench.launch(exec));
        found.set("reserved", bench.reserved());
        found.set("works", bench.works(memory));
        bench.trim();
        found.set("unfreed", bench.reserved());
        found.set("works still", bench.works(memory));
    });
    EXPECT_EQ(report["none"], 0);
    EXPECT_EQ(report["launch"], CUDA_SUCCESS);
    EXPECT_GE(report["reserved"], kSizeMib);
    EXPECT_TRUE(report["works"]);
    EXPECT_GE(report["unfreed"], kSizeMib) << "what is not freed is not trimmed";
    EXPECT_TRUE(report["works still"]);
}

TEST_F(GraphMemory, ThatIsNotFreedForbidsTheNextLaunch) {
    const Report report = ask([](Bench& bench, Report& found) {
        CUdeviceptr memory{};
        CUgraphExec exec = bench.instantiate(bench.keeping(memory));
        found.set("early free", bench.cuda.cuMemFreeAsync(memory, bench.stream));
        found.set("launch", bench.launch(exec));
        found.set("works", bench.works(memory));
        found.set("second", bench.launch(exec));
        found.set("free async", bench.cuda.cuMemFreeAsync(memory, bench.stream));
        found.set("third", bench.launch(exec));
        found.set("free", bench.cuda.cuMemFree_v2(memory));
        found.set("free again", bench.cuda.cuMemFree_v2(memory));
        found.set("fourth", bench.launch(exec));
    });
    EXPECT_EQ(report["early free"], CUDA_ERROR_INVALID_VALUE);
    for (const char* step : {"launch", "free async", "third", "free", "fourth"}) {
        EXPECT_EQ(report[step], CUDA_SUCCESS) << step;
    }
    EXPECT_TRUE(report["works"]);
    EXPECT_EQ(report["second"], CUDA_ERROR_INVALID_VALUE);
    EXPECT_EQ(report["free again"], CUDA_ERROR_INVALID_VALUE);
}

TEST_F(GraphMemory, IsFreedByTheNextLaunchWhereThatIsAskedFor) {
    const Report report = ask([](Bench& bench, Report& found) {
        CUdeviceptr memory{};
        CUgraph graph = bench.keeping(memory);
        CUgraphExec exec = bench.instantiate(graph, kAutoFree);
        for (const char* step : {"first", "second", "third"}) found.set(step, bench.launch(exec));
        found.set("reserved", bench.reserved());
        bench.cuda.cuGraphExecDestroy(exec);
        bench.cuda.cuGraphDestroy(graph);
        bench.trim();
        found.set("outlives", bench.reserved());
        found.set("works", bench.works(memory));
        found.set("free", bench.cuda.cuMemFree_v2(memory));
        bench.trim();
        found.set("left", bench.reserved());
    });
    for (const char* step : {"first", "second", "third", "free"}) {
        EXPECT_EQ(report[step], CUDA_SUCCESS) << step;
    }
    EXPECT_GE(report["reserved"], kSizeMib);
    EXPECT_LT(report["reserved"], 2 * kSizeMib);
    EXPECT_GE(report["outlives"], kSizeMib) << "graph and executable graph";
    EXPECT_TRUE(report["works"]);
    EXPECT_EQ(report["left"], 0);
}

TEST_F(GraphMemory, IsFreedByAnotherGraph) {
    const Report report = ask([](Bench& bench, Report& found) {
        CUdeviceptr memory{};
        CUgraph owner = bench.keeping(memory);
        CUgraph freer = bench.graph();
        bench.release(freer, nullptr, memory);
        found.set("add", bench.result);
        bench.release(owner, nullptr, memory);
        found.set("no more in the owner", bench.result);
        CUgraphExec one = bench.instantiate(owner);
        CUgraphExec two = bench.instantiate(freer);
        for (const char* step : {"first", "second"}) {
            found.set(step, bench.launch(one));
            found.set(std::string(step) + " freed", bench.launch(two));
        }
        bench.trim();
        found.set("left", bench.reserved());
    });
    for (const char* step : {"add", "first", "first freed", "second", "second freed"}) {
        EXPECT_EQ(report[step], CUDA_SUCCESS) << step;
    }
    EXPECT_EQ(report["no more in the owner"], CUDA_ERROR_INVALID_VALUE);
    EXPECT_EQ(report["left"], 0);
}

TEST_F(GraphMemory, IsFreedOnceAndByItsNodesAlone) {
    const Report report = ask([](Bench& bench, Report& found) {
        CUgraph graph = bench.graph();
        CUdeviceptr memory{};
        CUdeviceptr plain{};
        bench.cuda.cuMemAlloc_v2(&plain, 4096);
        CUgraphNode made = bench.allocate(graph, nullptr, memory);
        bench.release(graph, made, 0x1234);
        found.set("no address", bench.result);
        bench.release(graph, made, plain);
        found.set("plain", bench.result);
        CUgraphNode freed = bench.release(graph, made, memory);
        found.set("free", bench.result);
        bench.release(graph, freed, memory);
        found.set("twice", bench.result);
        CUgraph second = bench.graph();
        bench.release(second, nullptr, memory);
        found.set("elsewhere", bench.result);
        CUgraphExec exec = bench.instantiate(graph);
        found.set("launch", bench.launch(exec));
        found.set("outside", bench.cuda.cuMemFreeAsync(memory, bench.stream));
        found.set("at once", bench.cuda.cuMemFree_v2(memory));
    });
    EXPECT_EQ(report["free"], CUDA_SUCCESS);
    EXPECT_EQ(report["launch"], CUDA_SUCCESS);
    for (const char* step : {"no address", "plain", "twice", "elsewhere", "outside", "at once"}) {
        EXPECT_EQ(report[step], CUDA_ERROR_INVALID_VALUE) << step;
    }
}

TEST_F(GraphMemory, KeepsItsGraphAsItIs) {
    const Report report = ask([](Bench& bench, Report& found) {
        Cuda& cuda = bench.cuda;
        CUgraph graph = bench.graph();
        CUdeviceptr memory{};
        CUgraphNode made = bench.allocate(graph, nullptr, memory);
        CUgraphNode freed = bench.release(graph, made, memory);
        CUgraph copy{};
        found.set("clone", cuda.cuGraphClone(&copy, graph));
        CUgraph parent = bench.graph();
        CUgraphNode child{};
        found.set("child", cuda.cuGraphAddChildGraphNode(&child, parent, nullptr, 0, graph));
        found.set("remove", cuda.cuGraphDestroyNode(freed));
        CUgraphExec exec = bench.instantiate(graph);
        found.set("instantiate", bench.result);
        bench.instantiate(graph);
        found.set("second", bench.result);
        cuda.cuGraphExecDestroy(exec);
        exec = bench.instantiate(graph);
        found.set("after its end", bench.result);
        cuda.cuGraphDestroy(graph);
        found.set("without its graph", bench.launch(exec));
    });
    for (const char* step : {"instantiate", "after its end", "without its graph"}) {
        EXPECT_EQ(report[step], CUDA_SUCCESS) << step;
    }
    for (const char* step : {"clone", "child", "remove", "second"}) {
        EXPECT_NE(report[step], CUDA_SUCCESS) << step;
    }
}

// cuda.h 12.9 and later: a child that is moved into its parent may allocate.
TEST_F(GraphMemory, MayBeThatOfAChildWhichIsMoved) {
    constexpr int kFirst = 12090;
    if (part().driver < kFirst) GTEST_SKIP() << "CUDA " << part().driver;
    const Report report = ask([](Bench& bench, Report& found) {
        Cuda& cuda = bench.cuda;
        CUgraph child = bench.passing();
        CUgraph parent = bench.graph();
        CUgraphNodeParams parameters{};
        parameters.type = CU_GRAPH_NODE_TYPE_GRAPH;
        parameters.graph.graph = child;
        parameters.graph.ownership = CU_GRAPH_CHILD_GRAPH_OWNERSHIP_MOVE;
        CUgraphNode node{};
        found.set("move", cuda.cuGraphAddNode_v2(&node, parent, nullptr, nullptr, 0, &parameters));
        CUgraph inside{};
        found.set("ask", cuda.cuGraphChildGraphNodeGetGraph(node, &inside));
        found.set("types", types_of(bench, inside));
        CUgraphExec exec = bench.instantiate(parent);
        found.set("instantiate", bench.result);
        found.set("launch", bench.launch(exec));
        found.set("again", bench.launch(exec));
        found.set("reserved", bench.reserved());
    });
    for (const char* step : {"move", "ask", "instantiate", "launch", "again"}) {
        EXPECT_EQ(report[step], CUDA_SUCCESS) << step;
    }
    EXPECT_EQ(report.text("types"), "10 11 ");
    EXPECT_GE(report["reserved"], kSizeMib);
}

// Within a graph by addresses, between graphs of one stream by mapping it again.
TEST_F(GraphMemory, IsSharedWhereItIsNotAliveAtOnce) {
    const Report report = ask([](Bench& bench, Report& found) {
        CUgraph graph = bench.graph();
        CUdeviceptr first{};
        CUdeviceptr second{};
        CUgraphNode node = bench.allocate(graph, nullptr, first);
        node = bench.release(graph, node, first);
        node = bench.allocate(graph, node, second);
        bench.release(graph, node, second);
        found.set("same", first == second);
        CUgraphExec one = bench.instantiate(graph);
        CUgraphExec two = bench.instantiate(bench.passing());
        found.set("launch", bench.launch(one));
        found.set("reserved", bench.reserved());
        found.set("other", bench.launch(two));
        found.set("both", bench.reserved());
        bench.cuda.cuGraphLaunch(one, bench.stream);
        found.set("queued", bench.cuda.cuGraphLaunch(two, bench.stream));
        bench.cuda.cuStreamSynchronize(bench.stream);
        found.set("after the queue", bench.reserved());
    });
    for (const char* step : {"launch", "other", "queued"}) {
        EXPECT_EQ(report[step], CUDA_SUCCESS) << step;
    }
    EXPECT_TRUE(report["same"]);
    EXPECT_LT(report["reserved"], 2 * kSizeMib);
    EXPECT_LT(report["both"], 2 * kSizeMib);
    EXPECT_LT(report["after the queue"], 2 * kSizeMib);
}

// What the blocks of 2 MiB have together in which the ranges lie.
std::uint64_t span_of(const std::vector<std::pair<CUdeviceptr, std::size_t>>& ranges) {
    constexpr CUdeviceptr kBlock = 2 * kMiB;
    std::set<CUdeviceptr> blocks;
    for (const auto& [first, bytes] : ranges) {
        for (CUdeviceptr at = first / kBlock; at * kBlock < first + bytes; ++at) blocks.insert(at);
    }
    return blocks.size() * kBlock;
}

// So whoever knows the nodes knows what a launch can take, but for a step.
TEST_F(GraphMemory, IsNoMoreThanItsAddressesSpanAndAStep) {
    const Report report = ask([](Bench& bench, Report& found) {
        constexpr std::size_t kSizes[] = {1, 1000, kMiB / 2, 3 * kMiB, 20 * kMiB, 100 * kMiB};
        std::vector<std::pair<CUdeviceptr, std::size_t>> ranges;
        CUgraph graph = bench.graph();
        CUgraphNode last{};
        for (const bool ends : {true, false}) {
            for (const std::size_t bytes : kSizes) {
                CUdeviceptr memory{};
                last = bench.allocate(graph, last, memory, bytes);
                ranges.emplace_back(memory, bytes);
                if (ends) last = bench.release(graph, last, memory);
            }
        }
        CUgraphExec exec = bench.instantiate(graph, kAutoFree);
        found.set("first", bench.launch(exec));
        found.set("second", bench.launch(exec));
        found.set("reserved", bench.reserved());
        found.set("span", static_cast<long long>(span_of(ranges)) / kMiB);
    });
    constexpr long long kStepMib = 32;
    EXPECT_EQ(report["first"], CUDA_SUCCESS);
    EXPECT_EQ(report["second"], CUDA_SUCCESS);
    EXPECT_GE(report["reserved"], 124) << "what is kept";
    // Measured: 160 MiB for 128 on an H100, since what is kept and what is freed grow apart.
    EXPECT_LE(report["reserved"], (report["span"] + kStepMib - 1) / kStepMib * kStepMib + kStepMib);
}

TEST_F(GraphMemory, IsNotSharedWhereItIsKept) {
    const Report report = ask([](Bench& bench, Report& found) {
        CUdeviceptr first{};
        CUdeviceptr second{};
        CUgraphExec one = bench.instantiate(bench.keeping(first));
        CUgraphExec two = bench.instantiate(bench.keeping(second));
        found.set("one", bench.launch(one));
        found.set("two", bench.launch(two));
        found.set("both", bench.reserved());
        found.set("used", bench.used());
        found.set("works", bench.works(first) && bench.works(second));
        bench.cuda.cuMemFree_v2(first);
        bench.trim();
        found.set("one left", bench.reserved());
    });
    EXPECT_EQ(report["one"], CUDA_SUCCESS);
    EXPECT_EQ(report["two"], CUDA_SUCCESS);
    EXPECT_GE(report["both"], 2 * kSizeMib);
    EXPECT_GE(report["used"], 2 * kSizeMib);
    EXPECT_TRUE(report["works"]);
    EXPECT_GE(report["one left"], kSizeMib);
    EXPECT_LT(report["one left"], 2 * kSizeMib);
}

TEST_F(GraphMemory, IsThereFromAnUploadOn) {
    const Report report = ask([](Bench& bench, Report& found) {
        CUgraphExec exec = bench.instantiate(bench.passing());
        found.set("before", bench.reserved());
        found.set("upload", bench.cuda.cuGraphUpload(exec, bench.stream));
        bench.cuda.cuStreamSynchronize(bench.stream);
        found.set("uploaded", bench.reserved());
        found.set("launch", bench.launch(exec));
        found.set("launched", bench.reserved());
        if (bench.cuda.cuGraphInstantiateWithParams == nullptr) return;
        bench.cuda.cuGraphExecDestroy(exec);
        bench.trim();
        CUDA_GRAPH_INSTANTIATE_PARAMS parameters{};
        parameters.flags = CUDA_GRAPH_INSTANTIATE_FLAG_UPLOAD;
        parameters.hUploadStream = bench.stream;
        found.set("instantiate",
                  bench.cuda.cuGraphInstantiateWithParams(&exec, bench.passing(), &parameters));
        bench.cuda.cuStreamSynchronize(bench.stream);
        found.set("at once", bench.reserved());
    });
    EXPECT_EQ(report["before"], 0);
    EXPECT_EQ(report["upload"], CUDA_SUCCESS);
    EXPECT_GE(report["uploaded"], kSizeMib);
    EXPECT_EQ(report["launch"], CUDA_SUCCESS);
    EXPECT_EQ(report["launched"], report["uploaded"]);
    if (!report.has("instantiate")) return;
    EXPECT_EQ(report["instantiate"], CUDA_SUCCESS);
    EXPECT_GE(report["at once"], kSizeMib);
}

// Several allocations, each less than the device has. What the driver reserved for the launch that
// failed stays, trimmed or not, and leaves the next launch too little (measured: H100).
TEST_F(GraphMemory, ThatTheDeviceDoesNotHaveFailsTheLaunch) {
    const Report report = ask([](Bench& bench, Report& found) {
        std::size_t free = 0;
        std::size_t total = 0;
        bench.cuda.cuMemGetInfo_v2(&free, &total);
        CUgraph graph = bench.graph();
        CUdeviceptr memory{};
        for (int i = 0; i < 3; ++i) {
            bench.allocate(graph, nullptr, memory, total / 2);
            found.set("allocate", bench.result);
        }
        CUgraphExec exec = bench.instantiate(graph);
        found.set("instantiate", bench.result);
        found.set("launch", bench.launch(exec));
        found.set("free", bench.cuda.cuMemFree_v2(memory));
    });
    EXPECT_EQ(report["allocate"], CUDA_SUCCESS);
    EXPECT_EQ(report["instantiate"], CUDA_SUCCESS);
    EXPECT_EQ(report["launch"], CUDA_ERROR_OUT_OF_MEMORY);
    EXPECT_EQ(report["free"], CUDA_ERROR_INVALID_VALUE) << "nothing was launched";
}

TEST_F(GraphMemory, HasMarksOfItsMostThatCanBeSetBack) {
    const Report report = ask([](Bench& bench, Report& found) {
        CUgraphExec exec = bench.instantiate(bench.passing());
        bench.launch(exec);
        bench.cuda.cuGraphExecDestroy(exec);
        bench.trim();
        found.set("reserved", bench.value(CU_GRAPH_MEM_ATTR_RESERVED_MEM_HIGH));
        found.set("used", bench.value(CU_GRAPH_MEM_ATTR_USED_MEM_HIGH));
        cuuint64_t none = 0;
        found.set("set", bench.cuda.cuDeviceSetGraphMemAttribute(
                             0, CU_GRAPH_MEM_ATTR_RESERVED_MEM_HIGH, &none));
        found.set("set used", bench.cuda.cuDeviceSetGraphMemAttribute(
                                  0, CU_GRAPH_MEM_ATTR_USED_MEM_HIGH, &none));
        found.set("no device", bench.cuda.cuDeviceGraphMemTrim(1000));
        found.set("no device's", bench.cuda.cuDeviceGetGraphMemAttribute(
                                     1000, CU_GRAPH_MEM_ATTR_RESERVED_MEM_HIGH, &none));
        found.set("reserved then", bench.value(CU_GRAPH_MEM_ATTR_RESERVED_MEM_HIGH));
        found.set("used then", bench.value(CU_GRAPH_MEM_ATTR_USED_MEM_HIGH));
    });
    EXPECT_GE(report["reserved"], kSizeMib);
    EXPECT_GE(report["used"], kSizeMib);
    EXPECT_EQ(report["set"], CUDA_SUCCESS);
    EXPECT_EQ(report["set used"], CUDA_SUCCESS);
    EXPECT_EQ(report["reserved then"], 0);
    EXPECT_EQ(report["used then"], 0);
    EXPECT_EQ(report["no device"], CUDA_ERROR_INVALID_DEVICE);
    EXPECT_EQ(report["no device's"], CUDA_ERROR_INVALID_DEVICE);
}

}  // namespace
}  // namespace gpu
