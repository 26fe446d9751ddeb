// The calls of libdrm and libdrm_amdgpu that ROCr makes. They stand before the real ones, which
// would speak to a kernel driver that is not there.
#include <amdgpu.h>
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "tests/sim/kfd/kernel.h"

#define SIM_EXPORT extern "C" __attribute__((visibility("default")))

// What the opaque handle of libdrm_amdgpu stands for.
struct amdgpu_device {
    const sim::kfd::Gpu* gpu;
    int fd;
};

SIM_EXPORT int drmOpenRender(int minor) {
    const std::string path = "/dev/dri/renderD" + std::to_string(minor);
    return open(path.c_str(), O_RDWR | O_CLOEXEC);
}

SIM_EXPORT int drmClose(int fd) { return close(fd); }

SIM_EXPORT int drmCommandWriteRead(int, unsigned long, void*, unsigned long) { return -EINVAL; }

SIM_EXPORT int amdgpu_device_initialize(int fd, std::uint32_t* major, std::uint32_t* minor,
                                        amdgpu_device_handle* handle) {
    sim::kfd::DeviceFile file{};
    if (!sim::kfd::device_of(fd, file) || file.is_kfd) return -ENODEV;
    *major = 3;
    *minor = 57;
    // A descriptor of its own: ROCr 6 closes the one that it came with.
    const int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    *handle = new amdgpu_device{&sim::kfd::Kernel::get().node.gpus[file.gpu], own};
    return 0;
}

SIM_EXPORT int amdgpu_device_deinitialize(amdgpu_device_handle handle) {
    close(handle->fd);
    delete handle;
    return 0;
}

SIM_EXPORT int amdgpu_device_get_fd(amdgpu_device_handle handle) { return handle->fd; }

SIM_EXPORT const char* amdgpu_get_marketing_name(amdgpu_device_handle handle) {
    return handle->gpu->model->name;
}

// ROCr 5.5 and newer refuse a GPU without this.
SIM_EXPORT int amdgpu_query_gpu_info(amdgpu_device_handle handle, amdgpu_gpu_info* info) {
    constexpr std::uint32_t kFamilyArctic = 141;  // AMDGPU_FAMILY_AI
    constexpr std::uint32_t kFamilyNavi = 143;    // AMDGPU_FAMILY_NV
    const sim::kfd::Gpu& gpu = *handle->gpu;
    *info = {};
    info->asic_id = gpu.model->device_id;
    info->family_id = gpu.model->pairs() ? kFamilyNavi : kFamilyArctic;
    info->chip_external_rev = 0x28;
    info->num_shader_engines = gpu.model->engines;
    info->num_shader_arrays_per_engine = gpu.model->arrays;
    info->gpu_counter_freq = 100000;  // kHz
    info->gb_addr_cfg = 0x24000042;
    info->cu_active_number = gpu.layout.total();
    info->vram_bit_width = 4096;
    return 0;
}
