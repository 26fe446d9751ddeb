#include "tests/sim/driver/work.h"

#include <pthread.h>
#include <signal.h>
#include <time.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

namespace sim {

WorkPtr Worker::submit(Task task, const std::vector<WorkPtr>& before) {
    const bool free = std::none_of(before.begin(), before.end(), pending);
    if (free && !task.on_host && (!task.ready || task.ready())) {
        task.run();
        return nullptr;
    }
    auto work = std::make_shared<Work>(Work{std::move(task)});
    for (const WorkPtr& each : before) {
        if (!pending(each)) continue;
        each->next.push_back(work);
        ++work->waits_for;
    }
    if (free) start(work);
    return work;
}

void Worker::wait(std::unique_lock<std::mutex>& lock, const WorkPtr& work) {
    done_.wait(lock, [&] { return !pending(work); });
}

// Only for work that takes its own time.
void Worker::start(const WorkPtr& work) {
    if (work->task.on_host) {
        host_.push_back(work);
        start_thread([](void* self) -> void* { static_cast<Worker*>(self)->run_host_functions(); },
                     host_thread_);
    } else {
        gates_.push_back(work);
        start_thread([](void* self) -> void* { static_cast<Worker*>(self)->watch_gates(); },
                     gate_thread_);
    }
}

// And all that can be done at once then, in the order in which it was submitted.
void Worker::finish(const WorkPtr& work) {
    std::deque<WorkPtr> finished{work};
    while (!finished.empty()) {
        const WorkPtr now = std::move(finished.front());
        finished.pop_front();
        if (now->task.run) now->task.run();
        now->done = true;
        now->task = {};
        for (WorkPtr& each : now->next) {
            if (--each->waits_for > 0) continue;
            if (each->task.on_host || each->task.ready) {
                start(each);
            } else {
                finished.push_back(std::move(each));
            }
        }
        now->next.clear();
    }
    done_.notify_all();
}

// Threads of the driver come with the first work that needs one, take no signals, and never end.
void Worker::start_thread(void* (*body)(void*), bool& started) {
    wake_.notify_all();
    if (std::exchange(started, true)) return;
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_t thread{};
    if (pthread_create(&thread, nullptr, body, this) != 0) std::abort();
    pthread_detach(thread);
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void Worker::run_host_functions() {
    std::unique_lock<std::mutex> lock(mutex_);
    for (;;) {
        wake_.wait(lock, [this] { return !host_.empty(); });
        const WorkPtr work = std::move(host_.front());
        host_.pop_front();
        lock.unlock();
        work->task.on_host();
        lock.lock();
        finish(work);
    }
}

// The host opens a gate by writing to memory, which tells nobody: so it is looked at.
void Worker::watch_gates() {
    std::unique_lock<std::mutex> lock(mutex_);
    for (;;) {
        wake_.wait(lock, [this] { return !gates_.empty(); });
        const auto open = std::stable_partition(
            gates_.begin(), gates_.end(), [](const WorkPtr& gate) { return !gate->task.ready(); });
        const std::vector<WorkPtr> opened(open, gates_.end());
        gates_.erase(open, gates_.end());
        for (const WorkPtr& gate : opened) finish(gate);
        lock.unlock();
        const timespec pause{0, 50'000};
        nanosleep(&pause, nullptr);
        lock.lock();
    }
}

}  // namespace sim
