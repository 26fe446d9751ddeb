// What streams are made of: pieces of work that wait for other pieces. A piece whose turn has come
// runs at once, in the call that made it so, unless it is one that takes its own time: a kernel
// that waits for the host, or a function of the program. Everything is guarded by the driver's
// mutex.
#pragma once
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "tests/sim/driver/api.h"

namespace sim {

struct Work;
// Null stands for work that is done.
using WorkPtr = std::shared_ptr<Work>;

struct Task {
    // Done under the lock, when the rest is.
    std::function<void()> run;
    // If set: whether it has come to its end, asked again and again.
    std::function<bool()> ready = nullptr;
    // If set: run by a thread of the driver, without the lock.
    std::function<void()> on_host = nullptr;
    // What it is in a graph.
    CUgraphNodeType node = CU_GRAPH_NODE_TYPE_EMPTY;
};

struct Work {
    Task task;
    int waits_for = 0;  // pieces that are not done
    bool done = false;
    std::vector<WorkPtr> next = {};
};

inline bool pending(const WorkPtr& work) { return work != nullptr && !work->done; }

class Worker {
  public:
    explicit Worker(std::mutex& mutex) : mutex_(mutex) {}

    // Runs the task after all of `before`; null if that has happened already.
    WorkPtr submit(Task task, const std::vector<WorkPtr>& before);
    // Lets go of the lock until the work is done.
    void wait(std::unique_lock<std::mutex>& lock, const WorkPtr& work);

  private:
    void start(const WorkPtr& work);
    void finish(const WorkPtr& work);
    void start_thread(void* (*body)(void*), bool& started);
    [[noreturn]] void run_host_functions();
    [[noreturn]] void watch_gates();

    std::mutex& mutex_;
    std::condition_variable done_;
    std::condition_variable wake_;
    std::deque<WorkPtr> host_;    // functions of the program, one after the other
    std::vector<WorkPtr> gates_;  // kernels that wait for the host
    bool host_thread_ = false;
    bool gate_thread_ = false;
};

}  // namespace sim
