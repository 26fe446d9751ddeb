// The queues of the process and the thread that empties them.
#pragma once
#include <chrono>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>

#include "tests/sim/kfd/queue.h"

namespace sim::kfd {

class Queues {
  public:
    Queues(const Node& node, const Devices& devices, Memory& memory, Events& events)
        : node_(node), devices_(devices), machine_{memory, events} {}

    // Each is 0 or -errno, as the ioctl of that name; `why` is set where it says more.
    int create(kfd_ioctl_create_queue_args& args, const char*& why);
    int update(const kfd_ioctl_update_queue_args& args);
    int destroy(unsigned id);
    int set_cu_mask(const kfd_ioctl_set_cu_mask_args& args, const char*& why);

    bool exists(unsigned id);

    // The program waits for an event: what its queues hold is to be looked at now.
    void awaited();

  private:
    unsigned free_id() const;
    void start_thread();
    [[noreturn]] void serve();
    // One packet of every queue that has one. False if none had.
    bool step();
    // True if the program began to wait meanwhile.
    bool rest(std::chrono::microseconds most);

    const Node& node_;
    const Devices& devices_;
    Machine machine_;
    std::mutex mutex_;
    bool thread_runs_ = false;
    bool is_awaited_ = false;
    std::condition_variable awaited_;
    std::map<unsigned, std::unique_ptr<Queue>> queues_;
};

}  // namespace sim::kfd
