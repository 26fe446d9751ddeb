// Graphs whose nodes allocate, where this process counts its own memory.
#include "shim/engine/memory_call.h"
#include "shim/engine/memory_hooks.h"

namespace ration {
namespace {

using cuda::quota::Ledger;
using engine::counted;
using engine::meant_by;

template <Hook row, class... Rest>
CUresult instantiate(CUgraphExec* exec, CUgraph graph, Rest... rest) {
    return counted<row>(
        [&](Ledger& ledger, auto call) { return ledger.make_graph(exec, graph, call); }, exec,
        graph, rest...);
}

template <Hook row>
CUresult instantiate_by(CUgraphExec* exec, CUgraph graph, CUDA_GRAPH_INSTANTIATE_PARAMS* parameters,
                        bool own) {
    return counted<row>(
        [&](Ledger& ledger, auto call) {
            const bool uploads = parameters != nullptr &&
                                 (parameters->flags & CUDA_GRAPH_INSTANTIATE_FLAG_UPLOAD) != 0;
            if (!uploads) return ledger.make_graph(exec, graph, call);
            const CUstream stream = parameters->hUploadStream;
            const CUresult result =
                ledger.make_uploaded_graph(exec, graph, own ? meant_by(stream) : stream, call);
            if (result == CUDA_ERROR_OUT_OF_MEMORY) {
                parameters->hErrNode_out = nullptr;
                parameters->result_out = CUDA_GRAPH_INSTANTIATE_ERROR;
            }
            return result;
        },
        exec, graph, parameters);
}

template <Hook row>
CUresult launch(CUgraphExec exec, CUstream stream, CUstream meant) {
    return counted<row>(
        [&](Ledger& ledger, auto call) { return ledger.launch_graph(exec, meant, call); }, exec,
        stream);
}

template <Hook row, class... Rest>
CUresult update(CUgraphExec exec, CUgraph graph, Rest... rest) {
    return counted<row>(
        [&](Ledger& ledger, auto call) { return ledger.update_graph(exec, graph, call); }, exec,
        graph, rest...);
}

}  // namespace

CUresult memory_hook::cuGraphInstantiate(CUgraphExec* exec, CUgraph graph, CUgraphNode* error,
                                         char* text, std::size_t size) {
    return instantiate<Hook::cuGraphInstantiate>(exec, graph, error, text, size);
}

CUresult memory_hook::cuGraphInstantiate_v2(CUgraphExec* exec, CUgraph graph, CUgraphNode* error,
                                            char* text, std::size_t size) {
    return instantiate<Hook::cuGraphInstantiate_v2>(exec, graph, error, text, size);
}

CUresult memory_hook::cuGraphInstantiateWithFlags(CUgraphExec* exec, CUgraph graph,
                                                  unsigned long long flags) {
    return instantiate<Hook::cuGraphInstantiateWithFlags>(exec, graph, flags);
}

CUresult memory_hook::cuGraphInstantiateWithParams(CUgraphExec* exec, CUgraph graph,
                                                   CUDA_GRAPH_INSTANTIATE_PARAMS* parameters) {
    return instantiate_by<Hook::cuGraphInstantiateWithParams>(exec, graph, parameters, false);
}

CUresult memory_hook::cuGraphInstantiateWithParams_ptsz(CUgraphExec* exec, CUgraph graph,
                                                        CUDA_GRAPH_INSTANTIATE_PARAMS* parameters) {
    return instantiate_by<Hook::cuGraphInstantiateWithParams_ptsz>(exec, graph, parameters, true);
}

CUresult memory_hook::cuGraphExecUpdate(CUgraphExec exec, CUgraph graph, CUgraphNode* error,
                                        CUgraphExecUpdateResult* why) {
    return update<Hook::cuGraphExecUpdate>(exec, graph, error, why);
}

CUresult memory_hook::cuGraphExecUpdate_v2(CUgraphExec exec, CUgraph graph,
                                           CUgraphExecUpdateResultInfo* why) {
    return update<Hook::cuGraphExecUpdate_v2>(exec, graph, why);
}

CUresult memory_hook::cuGraphExecDestroy(CUgraphExec exec) {
    return counted<Hook::cuGraphExecDestroy>(
        [&](Ledger& ledger, auto call) { return ledger.destroy_graph(exec, call); }, exec);
}

CUresult memory_hook::cuGraphLaunch(CUgraphExec exec, CUstream stream) {
    return launch<Hook::cuGraphLaunch>(exec, stream, stream);
}

CUresult memory_hook::cuGraphLaunch_ptsz(CUgraphExec exec, CUstream stream) {
    return launch<Hook::cuGraphLaunch_ptsz>(exec, stream, meant_by(stream));
}

CUresult memory_hook::cuGraphUpload(CUgraphExec exec, CUstream stream) {
    return launch<Hook::cuGraphUpload>(exec, stream, stream);
}

CUresult memory_hook::cuGraphUpload_ptsz(CUgraphExec exec, CUstream stream) {
    return launch<Hook::cuGraphUpload_ptsz>(exec, stream, meant_by(stream));
}

CUresult memory_hook::cuDeviceGraphMemTrim(CUdevice device) {
    return counted<Hook::cuDeviceGraphMemTrim>(
        [&](Ledger& ledger, auto call) {
            const CUresult result = call();
            if (result == CUDA_SUCCESS) ledger.graphs_trimmed(device);
            return result;
        },
        device);
}

}  // namespace ration
