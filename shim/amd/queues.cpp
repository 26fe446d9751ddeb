#include "shim/amd/queues.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <optional>

#include "shim/amd/program_memory.h"
#include "shim/host/undisturbed_lock.h"

namespace ration::amd {
namespace {

constexpr unsigned kBitsPerWord = 32;
constexpr unsigned kMostBits = 1024;  // the kernel looks at no more (kfd_ioctl_set_cu_mask)

// EINTR and EAGAIN mean "again", as ROCm's own thunk takes them; a kernel that answers nothing else
// must not hold the program for ever.
constexpr std::chrono::milliseconds kPatience{500};
constexpr std::chrono::microseconds kFirstPause{1};
constexpr std::chrono::milliseconds kLongestPause{10};

std::chrono::steady_clock::time_point soon() {
    return std::chrono::steady_clock::now() + kPatience;
}

bool again(int error) { return error == EINTR || error == EAGAIN; }

// What a caller is told once it has been tried for long enough. ROCm's thunk repeats a request on
// EINTR and EAGAIN without end (kmtIoctl in libhsakmt), so neither may reach it.
int final_error(int error) {
    if (error == EAGAIN) return EBUSY;
    return error == EINTR ? EIO : error;
}

// The system call itself, since libc's function is a point of cancellation: a thread that ended
// here would leave a queue behind that has no mask.
void rest(std::chrono::nanoseconds time) {
    const timespec request{0, static_cast<long>(time.count())};
    syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &request, nullptr);
}

constexpr std::uint32_t kDmaByEngine = 4;  // KFD_IOC_QUEUE_TYPE_SDMA_BY_ENG_ID of newer headers

// Whatever is not known to be a DMA queue: a type of a later kernel is masked, or not to be had.
bool runs_work_groups(std::uint32_t type) {
    return type != KFD_IOC_QUEUE_TYPE_SDMA && type != KFD_IOC_QUEUE_TYPE_SDMA_XGMI &&
           type != kDmaByEngine;
}

// What a program's request holds; empty where the kernel is to say that it is malformed. nullopt:
// it cannot be read.
std::optional<Mask> mask_of(const kfd_ioctl_set_cu_mask_args& request) {
    const bool whole_words = request.num_cu_mask != 0 && request.num_cu_mask % kBitsPerWord == 0;
    if (!whole_words || request.cu_mask_ptr == 0) return Mask{};
    Mask mask(std::min(request.num_cu_mask, kMostBits) / kBitsPerWord);
    const auto* const words = reinterpret_cast<const void*>(request.cu_mask_ptr);
    const std::size_t bytes = mask.size() * sizeof mask[0];
    if (!can_read(words, bytes)) return std::nullopt;
    memcpy(mask.data(), words, bytes);
    return mask;
}

std::string bits_text(const Mask& mask) { return "CU mask " + hexadecimal(mask); }

}  // namespace

Queues::Queues(kfd::Ioctl real, std::function<bool(int)> is_device, std::vector<DeviceLimit> limits,
               Events events, bool unmasked_too)
    : real_(real),
      is_device_(std::move(is_device)),
      events_(std::move(events)),
      unmasked_too_(unmasked_too),
      limits_(std::move(limits)) {}

const DeviceLimit* Queues::find(std::uint32_t gpu_id) const {
    const auto found = std::find_if(limits_.begin(), limits_.end(), [&](const DeviceLimit& limit) {
        return limit.gpu.gpu_id == gpu_id;
    });
    return found == limits_.end() ? nullptr : &*found;
}

int Queues::apply(int descriptor, std::uint32_t queue, const Mask& mask,
                  std::chrono::steady_clock::time_point until) const {
    kfd_ioctl_set_cu_mask_args request{};
    request.queue_id = queue;
    request.num_cu_mask = static_cast<__u32>(mask.size() * kBitsPerWord);
    request.cu_mask_ptr = reinterpret_cast<__u64>(mask.data());
    std::chrono::nanoseconds pause = kFirstPause;
    while (real_(descriptor, AMDKFD_IOC_SET_CU_MASK, &request) < 0) {
        const int error = errno;
        if (!again(error) || std::chrono::steady_clock::now() >= until) return final_error(error);
        rest(pause);
        pause = std::min<std::chrono::nanoseconds>(2 * pause, kLongestPause);
    }
    return 0;
}

void Queues::served(int descriptor) {
    if (!descriptors_.empty() && descriptors_.back() == descriptor) return;
    std::erase(descriptors_, descriptor);
    descriptors_.push_back(descriptor);
}

int Queues::descriptor() const {
    const auto found = std::find_if(descriptors_.rbegin(), descriptors_.rend(), is_device_);
    return found == descriptors_.rend() ? -1 : *found;
}

// A queue without its mask would have the whole GPU.
int Queues::withdraw(const kfd::Call& call, std::uint32_t queue, int error) const {
    kfd_ioctl_destroy_queue_args request{};
    request.queue_id = queue;
    real_(call.descriptor, AMDKFD_IOC_DESTROY_QUEUE, &request);
    errno = error;
    return -1;
}

int Queues::create(const kfd::Call& call) {
    auto& request = call.as<kfd_ioctl_create_queue_args>();
    if (!runs_work_groups(request.queue_type)) return kfd::pass(real_, call);
    const host::UndisturbedLock lock(mutex_);
    const DeviceLimit* const limit = find(request.gpu_id);
    if (limit == nullptr) {
        events_.not_masked(
            "a queue on a GPU that the policy does not give to this process, or on which it "
            "cannot be kept (KFD id " +
            std::to_string(request.gpu_id) +
            "): leave ROCR_VISIBLE_DEVICES as it is at the first use of a GPU, and link the HSA "
            "runtime dynamically, or it passes ration by");
        errno = EPERM;
        return -1;
    }
    const int result = kfd::pass(real_, call);
    if (result < 0) return result;
    served(call.descriptor);
    Queue queue{request.gpu_id, {}, {}};
    if (!limit->mask.empty()) {
        if (const int error = apply(call.descriptor, request.queue_id, limit->mask, soon())) {
            events_.not_masked("the kernel refuses the " + bits_text(limit->mask) +
                               " for a queue on " + describe(limit->gpu) + ": " + strerror(error) +
                               "; run `ration doctor`");
            if (!unmasked_too_) return withdraw(call, request.queue_id, error);
        } else {
            queue.applied = limit->mask;
            events_.masked();
        }
    }
    queues_.insert_or_assign(request.queue_id, std::move(queue));
    return result;
}

int Queues::set_mask(const kfd::Call& call) {
    const host::UndisturbedLock lock(mutex_);
    const auto& request = call.as<kfd_ioctl_set_cu_mask_args>();
    const std::optional<Mask> read = mask_of(request);
    if (!read) {
        errno = EFAULT;
        return -1;
    }
    const Mask& asked = *read;
    const auto found = queues_.find(request.queue_id);
    if (asked.empty()) return kfd::pass(real_, call);
    if (found == queues_.end()) return set_mask_of_unknown(call);
    Queue& queue = found->second;
    const DeviceLimit* const limit = find(queue.gpu_id);
    if (limit == nullptr || limit->mask.empty()) {
        const int result = kfd::pass(real_, call);
        if (result < 0) return result;
        served(call.descriptor);
        queue.asked = queue.applied = asked;
        return result;
    }
    Mask both = within(asked, limit->mask, limit->gpu);
    if (both.empty()) {
        events_.asked_beyond("a queue on " + describe(limit->gpu) + " asks for " +
                             bits_text(asked) + ", of which the grant " + hexadecimal(limit->mask) +
                             " leaves nothing to run on: it keeps what it has; ask for CUs of the "
                             "grant");
        errno = EINVAL;
        return -1;
    }
    if (const int error = apply(call.descriptor, request.queue_id, both, soon())) {
        errno = error;
        return -1;
    }
    served(call.descriptor);
    queue.asked = asked;
    queue.applied = std::move(both);
    return 0;
}

int Queues::set_mask_of_unknown(const kfd::Call& call) const {
    const bool masks = std::any_of(limits_.begin(), limits_.end(),
                                   [](const DeviceLimit& limit) { return !limit.mask.empty(); });
    if (!masks) return kfd::pass(real_, call);
    errno = EFAULT;
    return -1;
}

int Queues::destroy(const kfd::Call& call) {
    const std::uint32_t queue = call.as<kfd_ioctl_destroy_queue_args>().queue_id;
    const host::UndisturbedLock lock(mutex_);
    const int result = kfd::pass(real_, call);
    if (result < 0) return result;
    served(call.descriptor);
    queues_.erase(queue);
    return result;
}

Queues::Replaced Queues::replace(std::vector<DeviceLimit> limits) {
    const host::UndisturbedLock lock(mutex_);
    limits_ = std::move(limits);
    Replaced replaced;
    const auto until = soon();
    for (const DeviceLimit& limit : limits_) {
        if (limit.mask.empty()) continue;
        for (auto& [number, queue] : queues_) {
            if (queue.gpu_id != limit.gpu.gpu_id) continue;
            Mask wanted =
                queue.asked.empty() ? limit.mask : within(queue.asked, limit.mask, limit.gpu);
            if (wanted.empty()) wanted = limit.mask;
            if (wanted == queue.applied) continue;
            const int device = descriptor();
            const int error = device < 0 ? EBADF : apply(device, number, wanted, until);
            if (error != 0) {
                replaced.failed.push_back({number, queue.gpu_id, error});
            } else {
                queue.applied = std::move(wanted);
                ++replaced.changed;
            }
        }
    }
    return replaced;
}

std::vector<DeviceLimit> Queues::limits() const {
    const host::UndisturbedLock lock(mutex_);
    return limits_;
}

unsigned Queues::live() const {
    const host::UndisturbedLock lock(mutex_);
    return static_cast<unsigned>(queues_.size());
}

}  // namespace ration::amd
