#include "tests/gpu/support/inspect.h"

#include <array>
#include <cstdio>

namespace gpu {
namespace {

// Marks the SM of every block in a bit mask. The spin keeps early blocks from making room for later
// ones, so that the grid spreads over all SMs there are.
constexpr const char* kSmidMask = R"(.version 6.3
.target sm_75
.address_size 64
.visible .entry smid_mask(.param .u64 mask)
{
    .reg .pred %again;
    .reg .b32 %sm, %word, %bit, %one;
    .reg .b64 %base, %offset, %start, %now, %spent;
    ld.param.u64 %base, [mask];
    cvta.to.global.u64 %base, %base;
    mov.u32 %sm, %smid;
    shr.u32 %word, %sm, 5;
    and.b32 %bit, %sm, 31;
    mov.u32 %one, 1;
    shl.b32 %one, %one, %bit;
    mul.wide.u32 %offset, %word, 4;
    add.s64 %base, %base, %offset;
    red.global.or.b32 [%base], %one;
    mov.u64 %start, %clock64;
spin:
    mov.u64 %now, %clock64;
    sub.s64 %spent, %now, %start;
    setp.lt.s64 %again, %spent, 200000;
    @%again bra spin;
    ret;
}
)";

constexpr std::size_t kMaskWords = SmMask().size() / 32;

std::string hex(const CUuuid& uuid) {
    std::string text;
    for (int i = 0; i < 16; ++i) {
        std::array<char, 4> digits{};
        std::snprintf(digits.data(), digits.size(), "%02x",
                      static_cast<unsigned char>(uuid.bytes[i]));
        if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
        text += digits.data();
    }
    return text;
}

void report_device(Cuda& cuda, CUdevice device, Report& report) {
    int value = -1;
    cuda.cuDeviceGetAttribute(&value, CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, device);
    report.set("sms", value);
    value = -1;
    report.set("mps_result",
               cuda.cuDeviceGetAttribute(&value, CU_DEVICE_ATTRIBUTE_MPS_ENABLED, device));
    report.set("mps", value);
    std::size_t total = 0;
    cuda.cuDeviceTotalMem_v2(&total, device);
    report.set("total_mib", static_cast<long long>(total) / kMiB);
    std::array<char, 128> name{};
    cuda.cuDeviceGetName(name.data(), name.size(), device);
    report.set("name", std::string(name.data()));
    report.set("uuid", uuid_text(cuda, device));
}

}  // namespace

std::string uuid_text(Cuda& cuda, CUdevice device) {
    CUuuid uuid{};
    cuda.cuDeviceGetUuid_v2(&uuid, device);
    return hex(uuid);
}

void inspect_device(Cuda& cuda, Report& report) {
    const CUresult init = cuda.cuInit(0);
    report.set("init", init);
    if (init != CUDA_SUCCESS) {
        report.set("again", cuda.cuInit(0));
        return;
    }
    int count = -1;
    cuda.cuDeviceGetCount(&count);
    report.set("count", count);
    CUdevice device{};
    cuda.cuDeviceGet(&device, 0);
    report_device(cuda, device, report);
}

void inspect_context(Cuda& cuda, Report& report) {
    inspect_device(cuda, report);
    if (report["init"] != CUDA_SUCCESS) return;
    CUcontext context{};
    const CUresult retained = cuda.cuDevicePrimaryCtxRetain(&context, 0);
    report.set("retain", retained);
    if (retained != CUDA_SUCCESS) return;
    cuda.cuCtxSetCurrent(context);
    CUexecAffinityParam affinity{};
    report.set("affinity_result",
               cuda.cuCtxGetExecAffinity(&affinity, CU_EXEC_AFFINITY_TYPE_SM_COUNT));
    report.set("affinity", affinity.param.smCount.val);
    int sms = -1;
    cuda.cuDeviceGetAttribute(&sms, CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, 0);
    report.set("sms_after", sms);
    std::size_t free = 0;
    std::size_t total = 0;
    cuda.cuMemGetInfo_v2(&free, &total);
    report.set("free_mib", static_cast<long long>(free) / kMiB);
    report.set("info_total_mib", static_cast<long long>(total) / kMiB);
}

SmProbe::SmProbe(Cuda& cuda) : cuda_(cuda) {
    cuda_.cuModuleLoadData(&module_, kSmidMask);
    cuda_.cuModuleGetFunction(&kernel_, module_, "smid_mask");
    cuda_.cuMemAlloc_v2(&mask_, kMaskWords * sizeof(unsigned));
}

SmProbe::~SmProbe() {
    cuda_.cuMemFree_v2(mask_);
    cuda_.cuModuleUnload(module_);
}

CUresult SmProbe::launch(CUstream stream) {
    void* parameters[] = {&mask_};
    const CUresult cleared = cuda_.cuMemsetD8Async(mask_, 0, kMaskWords * sizeof(unsigned), stream);
    if (cleared != CUDA_SUCCESS) return cleared;
    return cuda_.cuLaunchKernel(kernel_, 2048, 1, 1, 64, 1, 1, 0, stream, parameters, nullptr);
}

CUresult SmProbe::launch_cooperatively(CUstream stream, int sms, unsigned more) {
    constexpr int kThreads = 1024;
    int per_sm = 0;
    const CUresult known =
        cuda_.cuOccupancyMaxActiveBlocksPerMultiprocessor(&per_sm, kernel_, kThreads, 0);
    if (known != CUDA_SUCCESS) return known;
    void* parameters[] = {&mask_};
    return cuda_.cuLaunchCooperativeKernel(kernel_, static_cast<unsigned>(per_sm * sms) + more, 1,
                                           1, kThreads, 1, 1, 0, stream, parameters);
}

SmMask SmProbe::marked() {
    std::array<unsigned, kMaskWords> words{};
    cuda_.cuMemcpyDtoH_v2(words.data(), mask_, sizeof words);
    SmMask sms;
    for (std::size_t sm = 0; sm < sms.size(); ++sm) {
        sms[sm] = (words[sm / 32] >> (sm % 32) & 1) != 0;
    }
    return sms;
}

SmMask sms_of(Cuda& cuda, CUstream stream) {
    SmProbe probe(cuda);
    const bool ran =
        probe.launch(stream) == CUDA_SUCCESS && cuda.cuStreamSynchronize(stream) == CUDA_SUCCESS;
    return ran ? probe.marked() : SmMask();
}

int distinct_sms(Cuda& cuda) {
    const SmMask sms = sms_of(cuda, nullptr);
    return sms.any() ? static_cast<int>(sms.count()) : -1;
}

const Part& part() {
    static const Part asked = [] {
        const Report report = in_child({}, [](Cuda& cuda, Report& found) {
            int version = 0;
            cuda.cuDriverGetVersion(&version);
            found.set("driver", version);
            inspect_device(cuda, found);
        });
        return Part{static_cast<int>(report["sms"]),
                    report["total_mib"],
                    static_cast<int>(report["count"]),
                    static_cast<int>(report["driver"]),
                    report.text("name"),
                    "GPU-" + report.text("uuid")};
    }();
    return asked;
}

}  // namespace gpu
