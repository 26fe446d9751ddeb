// A thread of the program's that is cancelled while it is inside of us.
#pragma once

#include <gtest/gtest.h>
#include <pthread.h>

#include <barrier>
#include <utility>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#endif

namespace ration {

// AddressSanitizer does not notice that a cancelled thread leaves its frames, and stumbles over one
// that had variables with an address: a body has none.
struct LeavesItsFrames {
    ~LeavesItsFrames() {
#ifdef __SANITIZE_ADDRESS__
        __asan_handle_no_return();
#endif
    }
};

// Runs `body` in a thread that is asked to be cancelled before it begins, and acts on that at its
// first cancellation point. True if it was cancelled.
template <class Body>
bool cancelled_in(Body body) {
    struct Start {
        Body body;
        std::barrier<> asked{2};
    } start{std::move(body)};
    pthread_t thread{};
    const auto run = [](void* data) -> void* {
        const LeavesItsFrames guard;
        auto& own = *static_cast<Start*>(data);
        int former = 0;
        pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &former);
        own.asked.arrive_and_wait();
        own.asked.arrive_and_wait();
        pthread_setcancelstate(former, nullptr);
        own.body();
        return nullptr;
    };
    EXPECT_EQ(pthread_create(&thread, nullptr, run, &start), 0);
    start.asked.arrive_and_wait();
    pthread_cancel(thread);
    start.asked.arrive_and_wait();
    void* result = nullptr;
    pthread_join(thread, &result);
    return result == PTHREAD_CANCELED;
}

}  // namespace ration
