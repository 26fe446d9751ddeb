#include "tests/sim/kfd/queues.h"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <ctime>
#include <thread>
#include <utility>

#include "tests/sim/kfd/log.h"

namespace sim::kfd {
namespace {

constexpr std::uint32_t kMaxPriority = 15;  // KFD_MAX_QUEUE_PRIORITY
constexpr std::uint32_t kMaxPercent = 100;  // KFD_MAX_QUEUE_PERCENTAGE

const char* type_name(std::uint32_t type) {
    switch (type) {
        case KFD_IOC_QUEUE_TYPE_COMPUTE:
            return "compute";
        case KFD_IOC_QUEUE_TYPE_SDMA:
            return "sdma";
        case KFD_IOC_QUEUE_TYPE_COMPUTE_AQL:
            return "aql";
        case KFD_IOC_QUEUE_TYPE_SDMA_XGMI:
            return "sdma_xgmi";
        default:
            return nullptr;
    }
}

// set_queue_properties_from_user() in kfd_chardev.c.
const char* refuse_properties(std::uint64_t ring_bytes, std::uint32_t percent,
                              std::uint32_t priority) {
    if (percent > kMaxPercent) return "more than 100 percent";
    if (priority > kMaxPriority) return "no such priority";
    if (ring_bytes != 0 && !std::has_single_bit(ring_bytes)) return "ring is no power of two";
    return nullptr;
}

}  // namespace

bool Queue::is_sdma() const {
    return type == KFD_IOC_QUEUE_TYPE_SDMA || type == KFD_IOC_QUEUE_TYPE_SDMA_XGMI;
}

std::uint64_t gpu_clock() {
    timespec now{};
    clock_gettime(CLOCK_BOOTTIME, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 100000000 +
           static_cast<std::uint64_t>(now.tv_nsec) / 10;
}

// The kernel gives the lowest number that is free, so numbers come back.
unsigned Queues::free_id() const {
    unsigned id = 0;
    while (queues_.contains(id)) ++id;
    return id;
}

int Queues::create(kfd_ioctl_create_queue_args& args, const char*& why) {
    const Gpu* gpu = node_.by_gpu_id(args.gpu_id);
    why = gpu == nullptr
              ? "no such GPU"
              : refuse_properties(args.ring_size, args.queue_percentage, args.queue_priority);
    if (why == nullptr && type_name(args.queue_type) == nullptr) why = "no such type of queue";
    if (why != nullptr) return -EINVAL;

    const std::lock_guard lock(mutex_);
    auto queue = std::make_unique<Queue>();
    queue->id = free_id();
    if (queue->id >= kDoorbells) return -ENOMEM;
    queue->gpu = gpu;
    queue->type = args.queue_type;
    queue->priority = args.queue_priority;
    queue->percent = args.queue_percentage;
    queue->ring = static_cast<std::byte*>(machine_.memory.host(args.ring_base_address));
    queue->bytes = args.ring_size;
    queue->read = static_cast<std::uint64_t*>(machine_.memory.host(args.read_pointer_address));
    queue->write = static_cast<std::uint64_t*>(machine_.memory.host(args.write_pointer_address));
    queue->doorbell = devices_.doorbell(queue->id);
    __atomic_store_n(queue->doorbell, queue->is_aql() ? ~std::uint64_t{0} : 0, __ATOMIC_RELEASE);
    args.queue_id = queue->id;
    args.doorbell_offset = queue->id * sizeof(std::uint64_t);
    log("create_queue", {{"queue", queue->id},
                         {"gpu", gpu->index},
                         {"type", type_name(queue->type)},
                         {"priority", queue->priority},
                         {"percent", queue->percent},
                         {"bytes", queue->bytes}});
    queues_.emplace(queue->id, std::move(queue));
    start_thread();
    return 0;
}

int Queues::update(const kfd_ioctl_update_queue_args& args) {
    if (refuse_properties(args.ring_size, args.queue_percentage, args.queue_priority) != nullptr) {
        return -EINVAL;
    }
    const std::lock_guard lock(mutex_);
    const auto found = queues_.find(args.queue_id);
    if (found == queues_.end()) return -EFAULT;
    found->second->percent = args.queue_percentage;
    found->second->priority = args.queue_priority;
    log("update_queue", {{"queue", args.queue_id},
                         {"percent", args.queue_percentage},
                         {"priority", args.queue_priority}});
    return 0;
}

int Queues::destroy(unsigned id) {
    const std::lock_guard lock(mutex_);
    const auto found = queues_.find(id);
    if (found == queues_.end()) return -EINVAL;
    const Queue& queue = *found->second;
    log("destroy_queue", {{"queue", id},
                          {"gpu", queue.gpu->index},
                          {"dispatches", queue.dispatches},
                          {"barriers", queue.barriers},
                          {"copies", queue.copies}});
    queues_.erase(found);
    return 0;
}

int Queues::set_cu_mask(const kfd_ioctl_set_cu_mask_args& args, const char*& why) {
    why = refuse_bits(args.num_cu_mask);
    if (why != nullptr) return -EINVAL;
    const auto* words = reinterpret_cast<const std::uint32_t*>(args.cu_mask_ptr);
    const Mask mask(words, words + std::min(args.num_cu_mask, kMaxMaskBits) / 32);
    const std::lock_guard lock(mutex_);
    const auto found = queues_.find(args.queue_id);
    if (found == queues_.end()) {
        why = "no such queue";
        return -EFAULT;
    }
    Queue& queue = *found->second;
    why = refuse_mask(queue.gpu->layout, mask);
    if (why != nullptr) return -EINVAL;
    queue.mask = mask;
    if (queue.is_sdma() || !logged()) return 0;  // an SDMA queue's is taken, and without effect
    const std::vector<Engines> engines = map_mask(queue.gpu->layout, mask);
    log("set_cu_mask", {{"queue", queue.id},
                        {"gpu", queue.gpu->index},
                        {"bits", args.num_cu_mask},
                        {"mask", hex(mask)},
                        {"cus", count_cus(engines)},
                        {"hangs", hangs(engines)},
                        {"engines", engines}});
    return 0;
}

bool Queues::exists(unsigned id) {
    const std::lock_guard lock(mutex_);
    return queues_.contains(id);
}

void Queues::start_thread() {
    if (thread_runs_) return;
    thread_runs_ = true;
    // The program's signals are for the program's threads.
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    std::thread([this] { serve(); }).detach();
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void Queues::awaited() {
    const std::lock_guard lock(mutex_);
    is_awaited_ = true;
    awaited_.notify_one();
}

// Doorbells are plain memory, so there is nothing to wait for but time, and a program that waits
// for an event. One that only looks at memory waits for no longer than it let the queues idle.
void Queues::serve() {
    using std::chrono::microseconds;
    constexpr microseconds kFirst{10};
    constexpr microseconds kLongest{5000};
    microseconds pause = kFirst;
    for (unsigned idle = 0;;) {
        if (step()) {
            idle = 0;
            pause = kFirst;
        } else if (++idle < 64) {
            std::this_thread::yield();
        } else if (rest(pause)) {
            pause = kFirst;
        } else {
            pause = std::min(pause * 2, kLongest);
        }
    }
}

bool Queues::rest(std::chrono::microseconds most) {
    std::unique_lock lock(mutex_);
    awaited_.wait_for(lock, most, [this] { return is_awaited_; });
    return std::exchange(is_awaited_, false);
}

bool Queues::step() {
    const std::lock_guard lock(mutex_);
    bool any = false;
    for (const auto& [id, queue] : queues_) {
        if (queue->percent == 0) continue;
        any |= queue->is_sdma() ? step_sdma(*queue, machine_) : step_aql(*queue, machine_);
    }
    return any;
}

}  // namespace sim::kfd
