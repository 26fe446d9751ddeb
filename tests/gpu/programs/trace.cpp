// A profiler in small: a library that the driver loads by CUDA_INJECTION64_PATH, as it loads the
// vendor's own. Counts the kernels, copies and runtime calls of the program by CUPTI's records and
// writes them to the file that TRACE_TO names, as one JSON line.
#include <cupti.h>

#include <cstdio>
#include <cstdlib>
#include <map>
#include <mutex>
#include <string>

namespace {

struct Counts {
    std::mutex mutex;
    std::map<std::string, int> of;
};
Counts& counts() {
    static auto* all = new Counts;  // CUPTI may bring records after destructors have run
    return *all;
}

void count(const std::string& what) { ++counts().of[what]; }

void note(CUpti_Activity* record) {
    switch (record->kind) {
        case CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL: {
            const auto* kernel = reinterpret_cast<CUpti_ActivityKernel10*>(record);
            count("kernel " + std::string(kernel->name) +
                  (kernel->end > kernel->start ? "" : ", untimed"));
            break;
        }
        case CUPTI_ACTIVITY_KIND_MEMCPY:
            count("copy of kind " +
                  std::to_string(reinterpret_cast<CUpti_ActivityMemcpy6*>(record)->copyKind));
            break;
        case CUPTI_ACTIVITY_KIND_RUNTIME: {
            const auto* call = reinterpret_cast<CUpti_ActivityAPI*>(record);
            const char* name = nullptr;
            cuptiGetCallbackName(CUPTI_CB_DOMAIN_RUNTIME_API, call->cbid, &name);
            count("call " + std::string(name == nullptr ? "?" : name));
            break;
        }
        default:
            break;
    }
}

void give(uint8_t** buffer, size_t* size, size_t* records) {
    *size = 1 << 20;
    *buffer = static_cast<uint8_t*>(std::aligned_alloc(8, *size));
    *records = 0;
}

void take(CUcontext, uint32_t, uint8_t* buffer, size_t, size_t valid) {
    const std::lock_guard lock(counts().mutex);
    CUpti_Activity* record = nullptr;
    while (cuptiActivityGetNextRecord(buffer, valid, &record) == CUPTI_SUCCESS) note(record);
    std::free(buffer);
}

void write_down() {
    cuptiActivityFlushAll(CUPTI_ACTIVITY_FLAG_FLUSH_FORCED);
    const char* path = std::getenv("TRACE_TO");
    std::FILE* file = path == nullptr ? nullptr : std::fopen(path, "w");
    if (file == nullptr) return;
    const std::lock_guard lock(counts().mutex);
    const char* before = "{";
    for (const auto& [what, number] : counts().of) {
        std::fprintf(file, "%s\"%s\": %d", before, what.c_str(), number);
        before = ", ";
    }
    std::fprintf(file, "}\n");
    std::fclose(file);
}

}  // namespace

extern "C" __attribute__((visibility("default"))) int InitializeInjection() {
    counts();
    bool good = cuptiActivityRegisterCallbacks(give, take) == CUPTI_SUCCESS;
    for (const auto kind : {CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL, CUPTI_ACTIVITY_KIND_MEMCPY,
                            CUPTI_ACTIVITY_KIND_RUNTIME}) {
        good = good && cuptiActivityEnable(kind) == CUPTI_SUCCESS;
    }
    std::atexit(write_down);
    return good;
}
