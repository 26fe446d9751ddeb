#include "tests/sim/driver/resource.h"

#include <array>
#include <cstdint>
#include <cstring>

namespace sim {
namespace {

// In the bytes that cuda.h keeps for the driver.
struct Hidden {
    std::uint32_t magic;
    std::int32_t device;
    std::uint32_t split;
    SmGrain grain;
    std::array<std::uint8_t, kMostSms / 8> sms;
};
static_assert(sizeof(Hidden) <= sizeof(CUdevResource::_internal_padding));
constexpr std::uint32_t kMagic = 0x51d5e70f;

}  // namespace

CUdevResource pack(const SmResource& resource) {
    CUdevResource packed{};
    packed.type = CU_DEV_RESOURCE_TYPE_SM;
    packed.sm.smCount = static_cast<unsigned>(resource.sms.count());
    if (kDriverVersion >= 13000) {  // older headers have the count alone
        packed.sm.minSmPartitionSize = resource.grain.least;
        packed.sm.smCoscheduledAlignment = resource.grain.step;
    }
    Hidden hidden{kMagic, resource.device, resource.split, resource.grain, {}};
    for (std::size_t sm = 0; sm < kMostSms; ++sm) {
        if (resource.sms[sm]) {
            hidden.sms[sm / 8] = static_cast<std::uint8_t>(hidden.sms[sm / 8] | 1U << (sm % 8));
        }
    }
    std::memcpy(packed._internal_padding, &hidden, sizeof hidden);
    return packed;
}

CUresult unpack(const CUdevResource& packed, SmResource& resource) {
    Hidden hidden{};
    std::memcpy(&hidden, packed._internal_padding, sizeof hidden);
    if (packed.type != CU_DEV_RESOURCE_TYPE_SM || hidden.magic != kMagic) {
        return CUDA_ERROR_INVALID_RESOURCE_TYPE;
    }
    resource.device = hidden.device;
    resource.split = hidden.split;
    resource.grain = hidden.grain;
    for (std::size_t sm = 0; sm < kMostSms; ++sm) {
        resource.sms[sm] = (hidden.sms[sm / 8] >> (sm % 8) & 1) != 0;
    }
    return CUDA_SUCCESS;
}

}  // namespace sim
