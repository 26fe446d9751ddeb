// Graphs, events, clusters and occupancy where a green context is current.
#include <gtest/gtest.h>

#include <initializer_list>
#include <string>

#include "tests/gpu/support/home.h"
#include "tests/gpu/support/inspect.h"

namespace gpu {
namespace {

constexpr unsigned kFine = CU_DEV_SM_RESOURCE_SPLIT_IGNORE_SM_COSCHEDULING;

class GreenLaunch : public testing::Test {
  protected:
    void SetUp() override {
        if (!have_green()) GTEST_SKIP() << "CUDA " << part().driver;
    }
};

TEST_F(GreenLaunch, EventsGoAcrossContexts) {
    const Report report = in_home([](Lab& lab, const Home& home, Report& found) {
        Cuda& cuda = lab.cuda;
        CUevent of_home = lab.event(0);
        CUstream in_home = lab.stream(CU_STREAM_NON_BLOCKING);
        cuda.cuCtxSetCurrent(lab.primary);
        CUevent of_primary = lab.event(0);
        CUstream in_primary = lab.stream(CU_STREAM_NON_BLOCKING);
        found.set("home's in primary", cuda.cuEventRecord(of_home, in_primary));
        found.set("primary's in home", cuda.cuEventRecord(of_primary, in_home));
        cuda.cuCtxSynchronize();
        float time = 0;
        found.set("elapsed", cuda.cuEventElapsedTime(&time, of_home, of_primary));
        cuda.cuCtxSetCurrent(home.context());
        found.set("null in home", cuda.cuEventRecord(of_primary, nullptr));
        found.set("wait", cuda.cuStreamWaitEvent(in_primary, of_primary, 0));
        found.set("in primary's stream", static_cast<long long>(sms_of(cuda, in_primary).count()));
    });
    for (const char* call :
         {"home's in primary", "primary's in home", "elapsed", "null in home", "wait"}) {
        EXPECT_EQ(report[call], CUDA_SUCCESS) << call;
    }
    EXPECT_EQ(report["in primary's stream"], part().sms);
}

// Captured in a stream of the current context.
CUgraph captured(Lab& lab, SmProbe& probe, CUstream stream) {
    lab.cuda.cuStreamBeginCapture_v2(stream, CU_STREAM_CAPTURE_MODE_GLOBAL);
    probe.launch(stream);
    CUgraph graph{};
    lab.cuda.cuStreamEndCapture(stream, &graph);
    return graph;
}

TEST_F(GreenLaunch, APrimarysGraphOnTheHomesNullStream) {
    const Report report = in_home([](Lab& lab, const Home& home, Report& found) {
        Cuda& cuda = lab.cuda;
        cuda.cuCtxSetCurrent(lab.primary);
        SmProbe probe(cuda);
        CUgraph graph = captured(lab, probe, lab.stream(CU_STREAM_NON_BLOCKING));
        CUgraphExec exec{};
        found.set("instantiate", cuda.cuGraphInstantiateWithFlags(&exec, graph, 0));
        cuda.cuCtxSetCurrent(home.context());
        found.set("launch", cuda.cuGraphLaunch(exec, nullptr));
        found.set("synchronise", cuda.cuStreamSynchronize(nullptr));
        found.set("distinct", static_cast<long long>(probe.marked().count()));
        CUgraphExec second{};
        cuda.cuGraphInstantiateWithFlags(&second, graph, 0);
        cuda.cuGraphLaunch(second, nullptr);
        cuda.cuStreamSynchronize(nullptr);
        found.set("made there", static_cast<long long>(probe.marked().count()));
    });
    EXPECT_EQ(report["instantiate"], CUDA_SUCCESS);
    EXPECT_EQ(report["launch"], CUDA_SUCCESS);
    EXPECT_EQ(report["distinct"], part().sms);
    EXPECT_EQ(report["made there"], part().sms);
}

TEST_F(GreenLaunch, ANodeTellsTheContextOfItsCapture) {
    const Report report = in_home([](Lab& lab, const Home& home, Report& found) {
        Cuda& cuda = lab.cuda;
        if (cuda.cuGraphKernelNodeGetParams_v2 == nullptr || cuda.cuGraphNodeGetType == nullptr) {
            lacks_entry_point(found);
            return;
        }
        SmProbe probe(cuda);
        CUgraph graph = captured(lab, probe, lab.stream(CU_STREAM_NON_BLOCKING));
        CUgraphNode nodes[4]{};
        std::size_t count = 4;
        cuda.cuGraphGetNodes(graph, nodes, &count);
        found.set("nodes", static_cast<long long>(count));
        for (std::size_t i = 0; i < count && i < 4; ++i) {
            CUgraphNodeType type{};
            cuda.cuGraphNodeGetType(nodes[i], &type);
            if (type != CU_GRAPH_NODE_TYPE_KERNEL) continue;
            CUDA_KERNEL_NODE_PARAMS parameters{};
            found.set("get", cuda.cuGraphKernelNodeGetParams_v2(nodes[i], &parameters));
            found.set("is home", parameters.ctx == home.context());
            found.set("is primary", parameters.ctx == lab.primary);
            found.set("is null", parameters.ctx == nullptr);
            found.set("has func", parameters.func != nullptr);
            found.set("has kern", parameters.kern != nullptr);
        }
    });
    SKIP_WITHOUT_ENTRY_POINT(report);
    EXPECT_EQ(report["get"], CUDA_SUCCESS);
    EXPECT_TRUE(report["is home"]);
    EXPECT_TRUE(report["has func"]);
}

// The graph's kernel node; null: it has none, or the driver can't be asked.
CUgraphNode kernel_node(Cuda& cuda, CUgraph graph) {
    CUgraphNode nodes[4]{};
    std::size_t count = 4;
    cuda.cuGraphGetNodes(graph, nodes, &count);
    for (std::size_t i = 0; i < count && i < 4; ++i) {
        CUgraphNodeType type{};
        cuda.cuGraphNodeGetType(nodes[i], &type);
        if (type == CU_GRAPH_NODE_TYPE_KERNEL) return nodes[i];
    }
    return nullptr;
}

TEST_F(GreenLaunch, AKernelNodeStaysInTheHomeWhateverAnExecutableGraphIsTold) {
    const Report report = in_home([](Lab& lab, const Home& home, Report& found) {
        Cuda& cuda = lab.cuda;
        if (cuda.cuGraphKernelNodeSetParams_v2 == nullptr || cuda.cuGraphClone == nullptr) {
            lacks_entry_point(found);
            return;
        }
        SmProbe probe(cuda);
        CUstream stream = lab.stream(CU_STREAM_NON_BLOCKING);
        CUgraph graph = captured(lab, probe, stream);
        CUDA_KERNEL_NODE_PARAMS parameters{};
        cuda.cuGraphKernelNodeGetParams_v2(kernel_node(cuda, graph), &parameters);
        const auto sms = [&](CUgraphExec exec) {
            cuda.cuGraphLaunch(exec, stream);
            cuda.cuStreamSynchronize(stream);
            return static_cast<long long>(probe.marked().count());
        };
        CUgraphExec of_home{};
        cuda.cuGraphInstantiateWithFlags(&of_home, graph, 0);
        found.set("sms", home.sms);
        found.set("captured", sms(of_home));
        parameters.ctx = lab.primary;
        cuda.cuGraphExecKernelNodeSetParams_v2(of_home, kernel_node(cuda, graph), &parameters);
        found.set("executable", sms(of_home));
        CUgraph copy{};
        found.set("clone", cuda.cuGraphClone(&copy, graph));
        found.set("set", cuda.cuGraphKernelNodeSetParams_v2(kernel_node(cuda, copy), &parameters));
        CUgraph built{};
        CUgraphNode node{};
        cuda.cuGraphCreate(&built, 0);
        found.set("add", cuda.cuGraphAddKernelNode_v2(&node, built, nullptr, 0, &parameters));
    });
    SKIP_WITHOUT_ENTRY_POINT(report);
    for (const char* call : {"clone", "set", "add"}) EXPECT_EQ(report[call], CUDA_SUCCESS) << call;
    EXPECT_EQ(report["captured"], report["sms"]);
    EXPECT_EQ(report["executable"], report["sms"]) << "it stays where it was made";
}

constexpr const char* kNothing = R"(.version 7.8
.target sm_90
.address_size 64
.visible .entry nothing()
{
    ret;
}
)";

// Launches `blocks` blocks in clusters of `size`.
CUresult launch_cluster(Cuda& cuda, CUfunction kernel, unsigned blocks, unsigned size) {
    CUlaunchAttribute attribute{};
    attribute.id = CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION;
    attribute.value.clusterDim = {size, 1, 1};
    CUlaunchConfig config{};
    config.gridDimX = blocks;
    config.gridDimY = config.gridDimZ = 1;
    config.blockDimX = 64;
    config.blockDimY = config.blockDimZ = 1;
    config.attrs = &attribute;
    config.numAttrs = 1;
    const CUresult result = cuda.cuLaunchKernelEx(&config, kernel, nullptr, nullptr);
    return result == CUDA_SUCCESS ? cuda.cuCtxSynchronize() : result;
}

int most_clusters(Cuda& cuda, CUfunction kernel, unsigned size) {
    CUlaunchAttribute attribute{};
    attribute.id = CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION;
    attribute.value.clusterDim = {size, 1, 1};
    CUlaunchConfig config{};
    config.gridDimX = 64 * size;
    config.gridDimY = config.gridDimZ = 1;
    config.blockDimX = 1024;
    config.blockDimY = config.blockDimZ = 1;
    config.attrs = &attribute;
    config.numAttrs = 1;
    int clusters = -1;
    const CUresult result = cuda.cuOccupancyMaxActiveClusters(&clusters, kernel, &config);
    return result == CUDA_SUCCESS ? clusters : -static_cast<int>(result);
}

struct Nothing {
    explicit Nothing(Cuda& cuda) {
        loaded = cuda.cuModuleLoadData(&module, kNothing);
        if (loaded == CUDA_SUCCESS) cuda.cuModuleGetFunction(&kernel, module, "nothing");
    }
    CUresult loaded;
    CUmodule module = nullptr;
    CUfunction kernel = nullptr;
};

bool clusters_can_be_asked(Cuda& cuda) {
    int major = 0;
    cuda.cuDeviceGetAttribute(&major, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, 0);
    return major >= 9 && cuda.cuOccupancyMaxActiveClusters != nullptr;
}

// Groups as the first split makes them, and 2 SMs.
TEST_F(GreenLaunch, ClustersFitIntoCoscheduledGroups) {
    const Report report = in_child({}, [](Cuda& cuda, Report& found) {
        inspect_context(cuda, found);
        if (!clusters_can_be_asked(cuda)) {
            lacks_entry_point(found);
            return;
        }
        const Nothing nothing(cuda);
        found.set("loaded", nothing.loaded);
        const Split coarse = split(cuda, sms_of_device(cuda), 8);
        const Split fine = split(cuda, sms_of_device(cuda), 2, kFine);
        const std::pair<std::string, std::vector<CUdevResource>> kHomes[] = {
            {"whole", {}},
            {"one group", {coarse.groups[0]}},
            {"two groups", {coarse.groups[0], coarse.groups[1]}},
            {"far groups", {coarse.groups[0], coarse.groups[7]}},
            {"four groups",
             {coarse.groups[0], coarse.groups[1], coarse.groups[2], coarse.groups[3]}},
            {"rest", {coarse.rest}},
            {"fine", {fine.groups[0]}},
            {"four fine", {fine.groups[0], fine.groups[1], fine.groups[2], fine.groups[3]}}};
        for (const auto& [name, groups] : kHomes) {
            if (!groups.empty()) {
                const Green green = make_green(cuda, groups);
                found.set(name + " made", green.result);
                if (green.result != CUDA_SUCCESS) continue;
                cuda.cuCtxSetCurrent(green.context);
            }
            for (const unsigned size : {1U, 2U, 4U, 8U}) {
                const std::string what = name + " " + std::to_string(size);
                found.set(what, launch_cluster(cuda, nothing.kernel, 64, size));
                found.set(what + " most", most_clusters(cuda, nothing.kernel, size));
            }
        }
    });
    SKIP_WITHOUT_ENTRY_POINT(report);
    for (const char* size : {"1", "2", "4", "8"}) {
        for (const char* name : {"whole ", "one group ", "two groups ", "four groups "}) {
            EXPECT_EQ(report[std::string(name) + size], CUDA_SUCCESS) << name << size;
        }
    }
    for (const char* name : {"fine ", "four fine ", "rest "}) {
        EXPECT_EQ(report[name + std::string("2")], CUDA_SUCCESS) << name;
        EXPECT_EQ(report[name + std::string("4")], CUDA_ERROR_INVALID_CLUSTER_SIZE) << name;
        EXPECT_EQ(report[name + std::string("8")], CUDA_ERROR_INVALID_CLUSTER_SIZE) << name;
        EXPECT_EQ(report[name + std::string("4 most")], 0) << name;
    }
    const struct {
        const char* name;
        int clusters[4];  // of 1, 2, 4 and 8 blocks
    } kMeasured[] = {{"whole ", {264, 132, 62, 30}},
                     {"one group ", {16, 8, 4, 2}},
                     {"far groups ", {32, 16, 8, 4}},
                     {"rest ", {24, 12, 0, 0}},
                     {"four fine ", {16, 8, 0, 0}}};
    if (!part().measured()) return;
    for (const auto& each : kMeasured) {
        for (int i = 0; i < 4; ++i) {
            const std::string what = each.name + std::to_string(1 << i) + " most";
            EXPECT_EQ(report[what], each.clusters[i]) << what;
        }
    }
}

TEST_F(GreenLaunch, LargeClustersNeedMoreThanAGroup) {
    const Report report = in_child({}, [](Cuda& cuda, Report& found) {
        inspect_context(cuda, found);
        if (!clusters_can_be_asked(cuda) || cuda.cuFuncSetAttribute == nullptr) {
            lacks_entry_point(found);
            return;
        }
        const Nothing nothing(cuda);
        found.set("allow",
                  cuda.cuFuncSetAttribute(nothing.kernel,
                                          CU_FUNC_ATTRIBUTE_NON_PORTABLE_CLUSTER_SIZE_ALLOWED, 1));
        found.set("whole", launch_cluster(cuda, nothing.kernel, 64, 16));
        const Split coarse = split(cuda, sms_of_device(cuda), 8);
        const Split wide = split(cuda, sms_of_device(cuda), 16);
        const Split marked = split(cuda, sms_of_device(cuda), 16,
                                   CU_DEV_SM_RESOURCE_SPLIT_MAX_POTENTIAL_CLUSTER_SIZE);
        found.set("groups of 16", static_cast<long long>(wide.groups.size()));
        found.set("marked groups", static_cast<long long>(marked.groups.size()));
        found.set("marked size", marked.groups.empty() ? 0 : marked.groups[0].sm.smCount);
        const std::pair<std::string, std::vector<CUdevResource>> kHomes[] = {
            {"one group", {coarse.groups[0]}},
            {"two groups", {coarse.groups[0], coarse.groups[1]}},
            {"wide", {wide.groups[0]}}};
        for (const auto& [name, groups] : kHomes) {
            cuda.cuCtxSetCurrent(make_green(cuda, groups).context);
            found.set(name, launch_cluster(cuda, nothing.kernel, 64, 16));
        }
    });
    SKIP_WITHOUT_ENTRY_POINT(report);
    EXPECT_EQ(report["allow"], CUDA_SUCCESS);
    EXPECT_EQ(report["whole"], CUDA_SUCCESS);
    for (const char* name : {"one group", "two groups", "wide"}) {
        EXPECT_EQ(report[name], CUDA_ERROR_INVALID_CLUSTER_SIZE) << name;
    }
}

TEST_F(GreenLaunch, OccupancyIsThatOfItsSms) {
    const Report report = in_home([](Lab& lab, const Home& home, Report& found) {
        Cuda& cuda = lab.cuda;
        if (cuda.cuOccupancyMaxPotentialBlockSize == nullptr) {
            lacks_entry_point(found);
            return;
        }
        CUmodule module{};
        cuda.cuModuleLoadData(&module, kNothing);
        CUfunction kernel{};
        found.set("function", cuda.cuModuleGetFunction(&kernel, module, "nothing"));
        found.set("home sms", home.sms);
        for (CUcontext context : {home.context(), lab.primary}) {
            const std::string of = context == lab.primary ? "primary " : "home ";
            cuda.cuCtxSetCurrent(context);
            int grid = -1;
            int block = -1;
            found.set(of + "result",
                      cuda.cuOccupancyMaxPotentialBlockSize(&grid, &block, kernel, nullptr, 0, 0));
            found.set(of + "grid", grid);
            found.set(of + "block", block);
            int blocks = -1;
            cuda.cuOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, kernel, 256, 0);
            found.set(of + "blocks", blocks);
        }
        if (cuda.cuFuncGetModule != nullptr) {
            cuda.cuCtxSetCurrent(home.context());
            CUmodule of_kernel{};
            found.set("get module", cuda.cuFuncGetModule(&of_kernel, kernel));
            found.set("same module", of_kernel == module);
        }
    });
    SKIP_WITHOUT_ENTRY_POINT(report);
    EXPECT_EQ(report["home result"], CUDA_SUCCESS);
    EXPECT_EQ(report["home grid"] * part().sms, report["primary grid"] * report["home sms"]);
    EXPECT_EQ(report["home block"], report["primary block"]);
    EXPECT_EQ(report["home blocks"], report["primary blocks"]);
}

TEST_F(GreenLaunch, CapturesToAGraphAndTheirDependencies) {
    const Report report = in_home([](Lab& lab, const Home&, Report& found) {
        Cuda& cuda = lab.cuda;
        if (cuda.cuStreamBeginCaptureToGraph == nullptr ||
            cuda.cuStreamUpdateCaptureDependencies == nullptr || cuda.cuGraphCreate == nullptr) {
            lacks_entry_point(found);
            return;
        }
        CUgraph graph{};
        found.set("create", cuda.cuGraphCreate(&graph, 0));
        CUstream stream = lab.stream(CU_STREAM_NON_BLOCKING);
        found.set("begin", cuda.cuStreamBeginCaptureToGraph(stream, graph, nullptr, nullptr, 0,
                                                            CU_STREAM_CAPTURE_MODE_GLOBAL));
        found.set("launch", lab.launch(stream));
        CUgraphNode node{};
        std::size_t count = 1;
        cuda.cuGraphGetNodes(graph, &node, &count);
        found.set("nodes", static_cast<long long>(count));
        found.set("update", cuda.cuStreamUpdateCaptureDependencies(
                                stream, nullptr, 0, CU_STREAM_SET_CAPTURE_DEPENDENCIES));
        found.set("next", lab.launch(stream));
        found.set("back", cuda.cuStreamUpdateCaptureDependencies(
                              stream, &node, 1, CU_STREAM_ADD_CAPTURE_DEPENDENCIES));
        CUgraph ended{};
        found.set("end", cuda.cuStreamEndCapture(stream, &ended));
        found.set("same", ended == graph);
        found.set("null", cuda.cuStreamBeginCaptureToGraph(nullptr, graph, nullptr, nullptr, 0,
                                                           CU_STREAM_CAPTURE_MODE_GLOBAL));
        cuda.cuStreamEndCapture(nullptr, &ended);
        cuda.cuCtxSetCurrent(lab.primary);
        found.set("primary's null",
                  cuda.cuStreamBeginCaptureToGraph(nullptr, graph, nullptr, nullptr, 0,
                                                   CU_STREAM_CAPTURE_MODE_GLOBAL));
    });
    SKIP_WITHOUT_ENTRY_POINT(report);
    for (const char* call :
         {"create", "begin", "launch", "update", "next", "back", "end", "null"}) {
        EXPECT_EQ(report[call], CUDA_SUCCESS) << call;
    }
    EXPECT_EQ(report["nodes"], 1);
    EXPECT_TRUE(report["same"]);
    EXPECT_EQ(report["primary's null"], CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
}

}  // namespace
}  // namespace gpu
