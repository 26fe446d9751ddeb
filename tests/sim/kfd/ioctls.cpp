// The ioctls of /dev/kfd: one function each, and the table that finds them.
#include <sys/ioctl.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <iterator>

#include "tests/sim/kfd/kernel.h"
#include "tests/sim/kfd/log.h"

namespace sim::kfd {
namespace {

// Newer than the headers of Linux 6.1; of its argument nothing is read.
struct RuntimeEnable {
    std::uint64_t r_debug;
    std::uint32_t mode_mask;
    std::uint32_t capabilities_mask;
};
constexpr unsigned long kRuntimeEnable = AMDKFD_IOWR(0x25, RuntimeEnable);

int refused(const char* ioctl, int error, const char* why) {
    log("refused", {{"ioctl", ioctl}, {"errno", -error}, {"why", why}});
    return error;
}

int get_version(Kernel&, kfd_ioctl_get_version_args& args) {
    args.major_version = 1;
    args.minor_version = 14;
    return 0;
}

int create_queue(Kernel& kernel, kfd_ioctl_create_queue_args& args) {
    const char* why = "no queue left";
    const int error = kernel.queues.create(args, why);
    return error != 0 ? refused("CREATE_QUEUE", error, why) : 0;
}

int destroy_queue(Kernel& kernel, kfd_ioctl_destroy_queue_args& args) {
    return kernel.queues.destroy(args.queue_id);
}

int update_queue(Kernel& kernel, kfd_ioctl_update_queue_args& args) {
    return kernel.queues.update(args);
}

// The kernel looks the queue up before it judges the mask (pqm_update_mqd()), so an error to inject
// waits for a queue.
int set_cu_mask(Kernel& kernel, kfd_ioctl_set_cu_mask_args& args) {
    const char* why = "injected";
    int error = kernel.queues.exists(args.queue_id) ? -kernel.faults.next("SET_CU_MASK") : 0;
    if (error == 0) error = kernel.queues.set_cu_mask(args, why);
    return error != 0 ? refused("SET_CU_MASK", error, why) : 0;
}

int get_clock_counters(Kernel&, kfd_ioctl_get_clock_counters_args& args) {
    args.gpu_clock_counter = gpu_clock();
    args.cpu_clock_counter = args.gpu_clock_counter * 10;
    args.system_clock_counter = args.cpu_clock_counter;
    args.system_clock_freq = 1000000000;
    return 0;
}

int create_event(Kernel& kernel, kfd_ioctl_create_event_args& args) {
    if (args.event_page_offset != 0) {
        // With the first event comes the handle of the memory for the mailboxes.
        kernel.event_page = kernel.memory.host_of_handle(args.event_page_offset);
        if (kernel.event_page == nullptr) return -EINVAL;
    }
    const std::uint32_t id =
        kernel.events.create(args.auto_reset != 0, args.event_type == KFD_IOC_EVENT_SIGNAL);
    if (id == 0) return -ENOSPC;
    args.event_id = id;
    args.event_trigger_data = id;
    args.event_slot_index = id;
    // The thunk gives a signal a mailbox only if this is not zero.
    args.event_page_offset = std::uint64_t{1} << 62;
    return 0;
}

int destroy_event(Kernel& kernel, kfd_ioctl_destroy_event_args& args) {
    return kernel.events.destroy(args.event_id) ? 0 : -EINVAL;
}

int set_event(Kernel& kernel, kfd_ioctl_set_event_args& args) {
    return kernel.events.set(args.event_id) ? 0 : -EINVAL;
}

int reset_event(Kernel& kernel, kfd_ioctl_reset_event_args& args) {
    return kernel.events.reset(args.event_id) ? 0 : -EINVAL;
}

// With an event that is a signal, the first word of the union is the age that the waiter last saw
// (struct kfd_hsa_signal_event_data, Linux 6.5). Events of other types are never set here.
std::vector<Events::Awaited> read_awaited(const kfd_ioctl_wait_events_args& args) {
    const auto* data = reinterpret_cast<const kfd_event_data*>(args.events_ptr);
    std::vector<Events::Awaited> awaited(args.num_events);
    std::transform(data, data + args.num_events, awaited.begin(), [](const kfd_event_data& event) {
        Events::Awaited one{event.event_id, 0};
        std::memcpy(&one.last_age, &event, sizeof one.last_age);
        return one;
    });
    return awaited;
}

void write_ages(const std::vector<Events::Awaited>& awaited,
                const kfd_ioctl_wait_events_args& args) {
    auto* data = reinterpret_cast<kfd_event_data*>(args.events_ptr);
    for (std::size_t i = 0; i < awaited.size(); ++i) {
        std::memcpy(static_cast<void*>(&data[i]), &awaited[i].last_age, sizeof awaited[i].last_age);
    }
}

int wait_events(Kernel& kernel, kfd_ioctl_wait_events_args& args) {
    std::vector<Events::Awaited> awaited = read_awaited(args);
    kernel.queues.awaited();
    const Events::Wait end = kernel.events.wait(awaited, args.wait_for_all != 0, args.timeout);
    switch (end) {
        case Events::Wait::Complete:
            write_ages(awaited, args);
            args.wait_result = KFD_IOC_WAIT_RESULT_COMPLETE;
            return 0;
        case Events::Wait::Timeout:
            args.wait_result = KFD_IOC_WAIT_RESULT_TIMEOUT;
            return 0;
        case Events::Wait::Missing:
        case Events::Wait::Gone:
            break;
    }
    args.wait_result = KFD_IOC_WAIT_RESULT_FAIL;
    return end == Events::Wait::Missing ? -EINVAL : -EIO;
}

int get_tile_config(Kernel&, kfd_ioctl_get_tile_config_args& args) {
    args.gb_addr_config = 0x24000042;
    args.num_banks = 0;
    args.num_ranks = 0;
    args.num_tile_configs = 0;
    args.num_macro_tile_configs = 0;
    return 0;
}

int get_process_apertures(Kernel& kernel, kfd_ioctl_get_process_apertures_new_args& args) {
    auto* aperture =
        reinterpret_cast<kfd_process_device_apertures*>(args.kfd_process_device_apertures_ptr);
    const auto gpus = static_cast<std::uint32_t>(kernel.node.gpus.size());
    for (std::uint32_t i = 0; aperture != nullptr && i < std::min(args.num_of_nodes, gpus); ++i) {
        aperture[i] = {};
        aperture[i].lds_base = 0x1000000000000;
        aperture[i].lds_limit = 0x10000ffffffff;
        aperture[i].scratch_base = 0x2000000000000;
        aperture[i].scratch_limit = 0x20000ffffffff;
        aperture[i].gpuvm_base = 0x1000000;
        aperture[i].gpuvm_limit = 0x7fffffffffff;
        aperture[i].gpu_id = kernel.node.gpus[i].gpu_id;
    }
    args.num_of_nodes = gpus;
    return 0;
}

int allocate_memory(Kernel& kernel, kfd_ioctl_alloc_memory_of_gpu_args& args) {
    const int error = kernel.memory.allocate(args);
    return error != 0 ? refused("ALLOC_MEMORY_OF_GPU", error, "not enough memory") : 0;
}

int free_memory(Kernel& kernel, kfd_ioctl_free_memory_of_gpu_args& args) {
    return kernel.memory.release(args.handle);
}

int map_memory(Kernel&, kfd_ioctl_map_memory_to_gpu_args& args) {
    args.n_success = args.n_devices;
    return 0;
}

int unmap_memory(Kernel&, kfd_ioctl_unmap_memory_from_gpu_args& args) {
    args.n_success = args.n_devices;
    return 0;
}

int available_memory(Kernel& kernel, kfd_ioctl_get_available_memory_args& args) {
    const Gpu* gpu = kernel.node.by_gpu_id(args.gpu_id);
    if (gpu == nullptr) return -EINVAL;
    args.available = kernel.memory.available(*gpu);
    return 0;
}

int allocate_gws(Kernel& kernel, kfd_ioctl_alloc_queue_gws_args& args) {
    if (!kernel.queues.exists(args.queue_id)) return -EINVAL;
    args.first_gws = 0;
    return 0;
}

int set_xnack_mode(Kernel&, kfd_ioctl_set_xnack_mode_args& args) {
    if (args.xnack_enabled > 0) return -EPERM;
    args.xnack_enabled = 0;
    return 0;
}

// What changes nothing that can be seen here.
template <typename Args>
int nothing(Kernel&, Args&) {
    return 0;
}

struct Row {
    unsigned number;
    const char* name;  // behind AMDKFD_IOC_
    std::size_t size;
    int (*call)(Kernel&, void*);
    bool injects = false;  // the errors itself
};

template <typename Args>
Args argument_of(int (*)(Kernel&, Args&));

template <auto handler>
constexpr Row row(unsigned long request, const char* name, bool injects = false) {
    using Args = decltype(argument_of(handler));
    return {static_cast<unsigned>(_IOC_NR(request)), name, sizeof(Args),
            [](Kernel& kernel, void* data) { return handler(kernel, *static_cast<Args*>(data)); },
            injects};
}

constexpr Row kRows[] = {
    row<get_version>(AMDKFD_IOC_GET_VERSION, "GET_VERSION"),
    row<create_queue>(AMDKFD_IOC_CREATE_QUEUE, "CREATE_QUEUE"),
    row<destroy_queue>(AMDKFD_IOC_DESTROY_QUEUE, "DESTROY_QUEUE"),
    row<update_queue>(AMDKFD_IOC_UPDATE_QUEUE, "UPDATE_QUEUE"),
    row<set_cu_mask>(AMDKFD_IOC_SET_CU_MASK, "SET_CU_MASK", true),
    row<allocate_gws>(AMDKFD_IOC_ALLOC_QUEUE_GWS, "ALLOC_QUEUE_GWS"),
    row<allocate_memory>(AMDKFD_IOC_ALLOC_MEMORY_OF_GPU, "ALLOC_MEMORY_OF_GPU"),
    row<free_memory>(AMDKFD_IOC_FREE_MEMORY_OF_GPU, "FREE_MEMORY_OF_GPU"),
    row<map_memory>(AMDKFD_IOC_MAP_MEMORY_TO_GPU, "MAP_MEMORY_TO_GPU"),
    row<unmap_memory>(AMDKFD_IOC_UNMAP_MEMORY_FROM_GPU, "UNMAP_MEMORY_FROM_GPU"),
    row<available_memory>(AMDKFD_IOC_AVAILABLE_MEMORY, "AVAILABLE_MEMORY"),
    row<create_event>(AMDKFD_IOC_CREATE_EVENT, "CREATE_EVENT"),
    row<destroy_event>(AMDKFD_IOC_DESTROY_EVENT, "DESTROY_EVENT"),
    row<set_event>(AMDKFD_IOC_SET_EVENT, "SET_EVENT"),
    row<reset_event>(AMDKFD_IOC_RESET_EVENT, "RESET_EVENT"),
    row<wait_events>(AMDKFD_IOC_WAIT_EVENTS, "WAIT_EVENTS"),
    row<get_clock_counters>(AMDKFD_IOC_GET_CLOCK_COUNTERS, "GET_CLOCK_COUNTERS"),
    row<get_tile_config>(AMDKFD_IOC_GET_TILE_CONFIG, "GET_TILE_CONFIG"),
    row<get_process_apertures>(AMDKFD_IOC_GET_PROCESS_APERTURES_NEW, "GET_PROCESS_APERTURES_NEW"),
    row<set_xnack_mode>(AMDKFD_IOC_SET_XNACK_MODE, "SET_XNACK_MODE"),
    row<nothing<kfd_ioctl_set_memory_policy_args>>(AMDKFD_IOC_SET_MEMORY_POLICY,
                                                   "SET_MEMORY_POLICY"),
    row<nothing<kfd_ioctl_set_scratch_backing_va_args>>(AMDKFD_IOC_SET_SCRATCH_BACKING_VA,
                                                        "SET_SCRATCH_BACKING_VA"),
    row<nothing<kfd_ioctl_set_trap_handler_args>>(AMDKFD_IOC_SET_TRAP_HANDLER, "SET_TRAP_HANDLER"),
    row<nothing<kfd_ioctl_acquire_vm_args>>(AMDKFD_IOC_ACQUIRE_VM, "ACQUIRE_VM"),
    row<nothing<RuntimeEnable>>(kRuntimeEnable, "RUNTIME_ENABLE"),
};

const Row* find_row(unsigned number) {
    const auto* found = std::find_if(std::begin(kRows), std::end(kRows),
                                     [&](const Row& row) { return row.number == number; });
    return found == std::end(kRows) ? nullptr : found;
}

}  // namespace

// As kfd_ioctl() in kfd_chardev.c: an argument that is shorter than the kernel's is filled up with
// zeros and one that is longer is cut, so that runtime and kernel may be of different age.
int Kernel::ioctl(unsigned long request, void* argument) {
    const auto number = static_cast<unsigned>(_IOC_NR(request));
    const Row* row = find_row(number);
    if (row == nullptr) {
        log("unknown_ioctl", {{"number", number}});
        return -EINVAL;
    }
    const int fault = row->injects ? 0 : faults.next(row->name);
    if (fault != 0) return refused(row->name, -fault, "injected");
    alignas(8) std::array<std::byte, 256> copy{};
    const std::size_t bytes = std::min<std::size_t>(_IOC_SIZE(request), copy.size());
    if (bytes != 0 && argument == nullptr) return -EFAULT;
    if ((_IOC_DIR(request) & _IOC_WRITE) != 0) std::memcpy(copy.data(), argument, bytes);
    const int result = row->call(*this, copy.data());
    if ((_IOC_DIR(request) & _IOC_READ) != 0) std::memcpy(argument, copy.data(), bytes);
    return result;
}

}  // namespace sim::kfd
