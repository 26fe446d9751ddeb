// Calls on a stream that change nothing that can be seen here: where managed memory should be, and
// a stream's attributes.
#include "tests/sim/driver/copy.h"

using sim::Driver;
using sim::or_own;
using sim::Until;

namespace {

CUresult nothing(const char* symbol, CUstream stream, CUdeviceptr pointer, std::size_t bytes) {
    return sim::on_memory(
        symbol, stream, {{pointer, bytes}}, Until::Submitted, [] {}, CU_GRAPH_NODE_TYPE_EMPTY);
}

CUresult prefetch(const char* symbol, CUstream stream, CUdeviceptr pointer, std::size_t bytes,
                  CUdevice device) {
    return sim::on_stream(symbol, stream, [=](Driver& driver, CUstream found, auto& lock) {
        if (device != CU_DEVICE_CPU && !driver.valid(device)) return CUDA_ERROR_INVALID_DEVICE;
        if (bytes == 0 || !driver.covers(pointer, bytes)) return CUDA_ERROR_INVALID_VALUE;
        return submit(driver, found, lock, Until::Submitted, {[] {}});
    });
}

CUdevice device_of(const CUmemLocation& place) {
    return place.type == CU_MEM_LOCATION_TYPE_DEVICE ? place.id : CU_DEVICE_CPU;
}

// A length of 0 means all of the allocation.
CUresult attach(const char* symbol, CUstream stream, CUdeviceptr pointer, std::size_t bytes) {
    return nothing(symbol, stream, pointer, bytes != 0 ? bytes : 1);
}

bool known(CUstreamAttrID attribute) {
    return attribute == CU_STREAM_ATTRIBUTE_SYNCHRONIZATION_POLICY ||
           attribute == CU_STREAM_ATTRIBUTE_ACCESS_POLICY_WINDOW ||
           attribute == CU_STREAM_ATTRIBUTE_PRIORITY ||
           attribute == CU_STREAM_ATTRIBUTE_MEM_SYNC_DOMAIN ||
           attribute == CU_STREAM_ATTRIBUTE_MEM_SYNC_DOMAIN_MAP;
}

CUresult get(const char* symbol, CUstream handle, CUstreamAttrID attribute,
             CUstreamAttrValue* value) {
    return sim::on_stream(symbol, handle, [=](Driver&, CUstream stream, auto&) {
        if (value == nullptr || !known(attribute)) return CUDA_ERROR_INVALID_VALUE;
        *value = CUstreamAttrValue{};
        if (attribute == CU_STREAM_ATTRIBUTE_PRIORITY) {
            value->priority = stream->priority;
        } else if (const auto set = stream->attributes.find(attribute);
                   set != stream->attributes.end()) {
            *value = set->second;
        }
        return CUDA_SUCCESS;
    });
}

CUresult set(const char* symbol, CUstream handle, CUstreamAttrID attribute,
             const CUstreamAttrValue* value) {
    return sim::on_stream(symbol, handle, [=](Driver&, CUstream stream, auto&) {
        if (value == nullptr || !known(attribute)) return CUDA_ERROR_INVALID_VALUE;
        if (attribute == CU_STREAM_ATTRIBUTE_PRIORITY) {
            stream->priority = std::clamp(value->priority, sim::kGreatestPriority, 0);
        } else {
            stream->attributes[attribute] = *value;
        }
        return CUDA_SUCCESS;
    });
}

CUresult copy(const char* symbol, CUstream to, CUstream from, bool own) {
    return sim::on_stream(symbol, own ? or_own(to) : to, [=](Driver& driver, CUstream into, auto&) {
        CUresult result{};
        CUstream source = driver.find_stream(own ? or_own(from) : from, result);
        if (source != nullptr) into->attributes = source->attributes;
        return result;
    });
}

}  // namespace

CUresult cuMemPrefetchAsync(CUdeviceptr pointer, std::size_t bytes, CUdevice device,
                            CUstream stream) {
    return prefetch("cuMemPrefetchAsync", stream, pointer, bytes, device);
}
CUresult cuMemPrefetchAsync_ptsz(CUdeviceptr pointer, std::size_t bytes, CUdevice device,
                                 CUstream stream) {
    return prefetch("cuMemPrefetchAsync_ptsz", or_own(stream), pointer, bytes, device);
}
CUresult cuMemPrefetchAsync_v2(CUdeviceptr pointer, std::size_t bytes, CUmemLocation place,
                               unsigned, CUstream stream) {
    return prefetch("cuMemPrefetchAsync_v2", stream, pointer, bytes, device_of(place));
}
CUresult cuMemPrefetchAsync_v2_ptsz(CUdeviceptr pointer, std::size_t bytes, CUmemLocation place,
                                    unsigned, CUstream stream) {
    return prefetch("cuMemPrefetchAsync_v2_ptsz", or_own(stream), pointer, bytes, device_of(place));
}

CUresult cuStreamAttachMemAsync(CUstream stream, CUdeviceptr pointer, std::size_t bytes, unsigned) {
    return attach("cuStreamAttachMemAsync", stream, pointer, bytes);
}
CUresult cuStreamAttachMemAsync_ptsz(CUstream stream, CUdeviceptr pointer, std::size_t bytes,
                                     unsigned) {
    return attach("cuStreamAttachMemAsync_ptsz", or_own(stream), pointer, bytes);
}

CUresult cuStreamGetAttribute(CUstream stream, CUstreamAttrID attribute, CUstreamAttrValue* value) {
    return get("cuStreamGetAttribute", stream, attribute, value);
}
CUresult cuStreamGetAttribute_ptsz(CUstream stream, CUstreamAttrID attribute,
                                   CUstreamAttrValue* value) {
    return get("cuStreamGetAttribute_ptsz", or_own(stream), attribute, value);
}
CUresult cuStreamSetAttribute(CUstream stream, CUstreamAttrID attribute,
                              const CUstreamAttrValue* value) {
    return set("cuStreamSetAttribute", stream, attribute, value);
}
CUresult cuStreamSetAttribute_ptsz(CUstream stream, CUstreamAttrID attribute,
                                   const CUstreamAttrValue* value) {
    return set("cuStreamSetAttribute_ptsz", or_own(stream), attribute, value);
}
CUresult cuStreamCopyAttributes(CUstream to, CUstream from) {
    return copy("cuStreamCopyAttributes", to, from, false);
}
CUresult cuStreamCopyAttributes_ptsz(CUstream to, CUstream from) {
    return copy("cuStreamCopyAttributes_ptsz", to, from, true);
}
