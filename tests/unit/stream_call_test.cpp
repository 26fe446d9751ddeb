// How the layer's functions call the driver.
#include <gtest/gtest.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <thread>
#include <utility>

#include "shim/cuda/stream/domain.h"
#include "shim/cuda/stream/dormancy.h"
#include "shim/cuda/stream/implicit.h"
#include "tests/unit/stream_lab.h"

namespace ration::cuda::stream {
namespace {

template <Entry entry>
constexpr std::string_view form_of() {
    return kSymbols[static_cast<unsigned>(asynchronous_form<entry>())];
}
static_assert(form_of<Entry::cuMemcpyHtoD_v2_ptds>() == "cuMemcpyHtoDAsync_v2");
static_assert(form_of<Entry::cuMemcpyHtoD>() == "cuMemcpyHtoDAsync");
static_assert(form_of<Entry::cuMemcpy_ptds>() == "cuMemcpyAsync");
static_assert(form_of<Entry::cuMemcpy3DPeer>() == "cuMemcpy3DPeerAsync");
static_assert(form_of<Entry::cuMemsetD2D32_v2_ptds>() == "cuMemsetD2D32Async");
static_assert(form_of<Entry::cuMemsetD8>() == "cuMemsetD8Async");
static_assert(asynchronous_form<Entry::cuMemcpyDtoA_v2>() == Entry::kEnd);
static_assert(asynchronous_form<Entry::cuMemcpy2DUnaligned_v2>() == Entry::kEnd);

// Who makes the first blocking stream, and whether it sleeps, as wait_for_calls() does between two
// looks, or has its stream already.
std::atomic<pthread_t> maker{0};
std::atomic<bool> pausing{false};
std::atomic<bool> has_stream{false};

std::atomic<bool> inside{false};
std::atomic<bool> done{false};
CUresult stay(CUstream, CUhostFn, void*) {
    inside = true;
    inside.notify_all();
    for (;;) pause();
}

bool waits_a_second(const std::function<void()>& work) {
    const auto start = std::chrono::steady_clock::now();
    work();
    return std::chrono::steady_clock::now() - start >= std::chrono::seconds(1);
}

// The first blocking stream comes to the program only when each call that did not know of it has
// enqueued what it had to.
TEST(StreamCalls, AreOverBeforeTheFirstBlockingStreamIsThere) {
    const Report report = confined([](Lab& lab, Report& found) {
        real.cuLaunchHostFunc = [](CUstream, CUhostFn, void*) {
            inside = true;
            inside.notify_all();
            while (dormant() || !(pausing || has_stream)) sched_yield();
            done = true;
            return CUDA_SUCCESS;
        };
        std::thread enqueuing([&] { lab.cuda.cuLaunchHostFunc(nullptr, nullptr, nullptr); });
        inside.wait(false);
        maker = pthread_self();
        lab.stream(CU_STREAM_DEFAULT);
        found.set("done", done);
        has_stream = true;
        enqueuing.join();
    });
    EXPECT_TRUE(report["done"]);
}

// Not one that waits: it may be waiting for what the thread does next.
TEST(StreamCalls, ThatWaitKeepNobodyFromTheFirstBlockingStream) {
    const Report report = confined([](Lab& lab, Report& found) {
        real.cuStreamSynchronize = [](CUstream) {
            inside = true;
            inside.notify_all();
            done.wait(false);
            return CUDA_SUCCESS;
        };
        std::thread waiting([&] { lab.cuda.cuStreamSynchronize(nullptr); });
        inside.wait(false);
        found.set("patience", waits_a_second([&] { lab.stream(CU_STREAM_DEFAULT); }));
        done = true;
        done.notify_all();
        waiting.join();
    });
    EXPECT_FALSE(report["patience"]) << "was at its end";
}

// Nor do two that make the first ones at once wait for each other.
TEST(StreamCalls, OfTwoThreadsCanBothMakeTheFirstBlockingStream) {
    const Report report = confined([](Lab& lab, Report& found) {
        static std::atomic<int> making{0};
        static const auto create = real.cuStreamCreate;
        real.cuStreamCreate = [](CUstream* stream, unsigned flags) {
            const CUresult result = create(stream, flags);
            for (++making; making < 2;) sched_yield();
            return result;
        };
        found.set("patience", waits_a_second([&] {
                      std::thread other([&] {
                          lab.cuda.cuCtxSetCurrent(lab.primary);
                          lab.stream(CU_STREAM_DEFAULT);
                      });
                      lab.stream(CU_STREAM_DEFAULT);
                      other.join();
                  }));
    });
    EXPECT_FALSE(report["patience"]) << "was at its end";
}

// From within the driver nothing is translated.
TEST(StreamCalls, FromWithinTheDriverAreTheDrivers) {
    const Report report = confined([](Lab& lab, Report& found) {
        static Lab* nested = nullptr;
        static CUresult answer{};
        nested = &lab;
        real.cuLaunchHostFunc = [](CUstream, CUhostFn, void*) {
            answer = nested->cuda.cuStreamQuery(CU_STREAM_PER_THREAD);
            return CUDA_SUCCESS;
        };
        lab.cuda.cuLaunchHostFunc(nullptr, nullptr, nullptr);
        found.set("nested", answer);
        found.set("outside", lab.cuda.cuStreamQuery(CU_STREAM_PER_THREAD));
    });
    EXPECT_EQ(report["nested"], CUDA_ERROR_INVALID_HANDLE);
    EXPECT_EQ(report["outside"], CUDA_SUCCESS);
}

TEST(StreamCalls, ThatAreCancelledInTheDriverLeaveNothingTaken) {
    for (const bool awake : {false, true}) {
        const Report report = confined([awake](Lab& lab, Report& found) {
            CUstream stream = awake ? lab.stream(CU_STREAM_DEFAULT) : nullptr;
            const auto former = std::exchange(real.cuLaunchHostFunc, &stay);
            std::thread staying([&] {
                lab.cuda.cuCtxSetCurrent(lab.primary);
                lab.cuda.cuLaunchHostFunc(nullptr, nullptr, nullptr);
            });
            inside.wait(false);
            pthread_cancel(staying.native_handle());
            staying.join();
            real.cuLaunchHostFunc = former;
            found.set("free", !waits_a_second([] {
                          OrderLock& order = home().domain->order;
                          order.release(order.take());
                      }));
            lab.close(lab.stream(CU_STREAM_DEFAULT));
            found.set("write", lab.write(nullptr, 0, 1) + lab.write(stream, 0, 1));
            found.set("waits", lab.waits([&] { lab.cuda.cuStreamSynchronize(nullptr); }));
        });
        EXPECT_TRUE(report["free"]) << awake;
        EXPECT_EQ(report["write"], CUDA_SUCCESS) << awake;
        EXPECT_TRUE(report["waits"]) << awake;
    }
}

// As a signal handler may, in a thread that never calls again.
sigjmp_buf way_out;
void leave_by_longjmp(Lab& lab, CUstream stream) {
    std::thread([&lab, stream] {
        lab.cuda.cuCtxSetCurrent(lab.primary);
        if (setjmp(way_out) == 0) lab.cuda.cuLaunchHostFunc(stream, nullptr, nullptr);
    }).join();
}

TEST(StreamCalls, ThatAreLeftByLongjmpAreWaitedForOnce) {
    for (const bool blocking : {false, true}) {
        const Report report = confined([blocking](Lab& lab, Report& found) {
            CUstream stream = lab.stream(CU_STREAM_DEFAULT);
            const auto former =
                std::exchange(real.cuLaunchHostFunc,
                              [](CUstream, CUhostFn, void*) -> CUresult { longjmp(way_out, 1); });
            leave_by_longjmp(lab, blocking ? stream : nullptr);
            real.cuLaunchHostFunc = former;
            const auto work = [&] {
                lab.write(stream, 0, 1);
                lab.write(nullptr, 1, 2);
            };
            found.set("once", waits_a_second(work));
            found.set("ever", waits_a_second([&] {
                          for (int i = 0; i < 4; ++i) work();
                      }));
            lab.close(nullptr);
            lab.write(stream, 0, 3);
            found.set("waits", lab.waits([&] { lab.cuda.cuStreamSynchronize(stream); }));
        });
        EXPECT_TRUE(report["once"]) << blocking;
        EXPECT_FALSE(report["ever"]) << blocking;
        EXPECT_TRUE(report["waits"]) << blocking;
    }
}

// Nor does a handler that jumps out leave locked which streams there are.
TEST(StreamCalls, ThatAreInterruptedLeaveNoListLocked) {
    const Report report = confined([](Lab& lab, Report& found) {
        const auto in_thread = [&](auto work) {
            std::thread([&] {
                lab.cuda.cuCtxSetCurrent(lab.primary);
                work();
            }).join();
        };
        in_thread([&] { lab.write(CU_STREAM_PER_THREAD, 0, 1); });
        signal(SIGUSR1, [](int) { siglongjmp(way_out, 1); });
        const auto former = std::exchange(real.cuStreamQuery, [](CUstream) {
            raise(SIGUSR1);
            return CUDA_SUCCESS;
        });
        in_thread([&] {
            if (sigsetjmp(way_out, 1) == 0)
                lab.write(CU_STREAM_PER_THREAD, 0, 1);
            else
                found.set("jumped", 1);
        });
        real.cuStreamQuery = former;
        found.set("free", registry().try_lock());
        registry().unlock();
    });
    EXPECT_TRUE(report["jumped"]);
    EXPECT_TRUE(report["free"]);
}

// With every lock of the layer held by a thread that the child does not have.
TEST(StreamCalls, OfAForkedChildFailWithoutHanging) {
    const Report report = confined([](Lab& lab, Report& found) {
        CUstream stream = lab.stream(CU_STREAM_DEFAULT);
        lab.write(stream, 0, 1);
        registry().lock();
        const OrderLock::Held held = home().domain->order.take();
        const pid_t child = fork();
        if (child == 0) {
            const CUresult results[] = {lab.write(nullptr, 0, 1),
                                        lab.write(stream, 0, 1),
                                        lab.write(CU_STREAM_PER_THREAD, 0, 1),
                                        lab.cuda.cuStreamSynchronize(nullptr),
                                        lab.cuda.cuStreamCreate(&stream, 0),
                                        lab.cuda.cuStreamDestroy_v2(stream)};
            for (const CUresult each : results) {
                if (each != CUDA_ERROR_NOT_INITIALIZED) _exit(1);
            }
            _exit(0);
        }
        home().domain->order.release(held);
        registry().unlock();
        int status = -1;
        waitpid(child, &status, 0);
        found.set("status", status);
    });
    EXPECT_EQ(report["status"], 0);
}

// The end of the thread that has forked is no call, and comes without any.
TEST(StreamCalls, OfAThreadThatEndsInAForkedChildAreNotMissed) {
    const Report report = confined([](Lab& lab, Report& found) {
        pid_t child = -1;
        std::thread([&] {
            lab.cuda.cuCtxSetCurrent(lab.primary);
            lab.write(CU_STREAM_PER_THREAD, 0, 1);
            registry().lock();
            child = fork();
            if (child != 0) return registry().unlock();
            pthread_key_t last = 0;  // of all keys, and so after the layer's own
            pthread_key_create(&last, [](void*) { _exit(0); });
            pthread_setspecific(last, &last);
        }).join();
        int status = -1;
        const auto ended = [&] { return waitpid(child, &status, WNOHANG) != 0; };
        for (int i = 0; i < 500 && !ended(); ++i) usleep(10'000);
        if (status == -1) kill(child, SIGKILL);
        found.set("status", status);
    });
    EXPECT_EQ(report["status"], 0);
}

// cuMemcpyDtoD and fills of device memory are not waited for; other implicit work is, in its order.
TEST(StreamCalls, OnTheImplicitStreamWaitAsTheyDoInCuda) {
    const Report report = confined([](Lab& lab, Report& found) {
        CUstream stream = lab.stream(CU_STREAM_DEFAULT);
        lab.write(stream, 0, 9);
        lab.cuda.cuCtxSynchronize();
        lab.close(stream);
        found.set("fill", lab.cuda.cuMemsetD8_v2(lab.cell(1), 4, 1));
        found.set("copy", program<Entry::cuMemcpyDtoD_v2>()(lab.cell(2), lab.cell(0), 1));
        found.set("early", lab.read(1) + lab.read(2));
        char byte = 0;
        found.set("waits", lab.waits([&] {
            found.set("read", lab.cuda.cuMemcpyDtoH_v2(&byte, lab.cell(2), 1));
        }));
        found.set("late", lab.read(1) * 100 + lab.read(2) * 10 + byte);
    });
    for (const char* call : {"fill", "copy", "read"}) EXPECT_EQ(report[call], CUDA_SUCCESS) << call;
    EXPECT_EQ(report["early"], 0);
    EXPECT_TRUE(report["waits"]);
    EXPECT_EQ(report["late"], 400 + 90 + 9);
}

TEST(StreamCalls, KnowWhichMemoryIsWaitedFor) {
    real.cuPointerGetAttribute = [](void* out, CUpointer_attribute asked, CUdeviceptr pointer) {
        if (pointer == 0) return CUDA_ERROR_INVALID_VALUE;
        *static_cast<unsigned*>(out) = asked == CU_POINTER_ATTRIBUTE_IS_MANAGED
                                           ? static_cast<unsigned>(pointer == 3)
                                           : static_cast<unsigned>(pointer);
        return CUDA_SUCCESS;
    };
    constexpr CUdeviceptr kPageable = 0;
    constexpr CUdeviceptr kPinned = CU_MEMORYTYPE_HOST;
    constexpr CUdeviceptr kOnDevice = CU_MEMORYTYPE_DEVICE;
    constexpr CUdeviceptr kManaged = 3;
    EXPECT_FALSE(copy_is_waited_for(kOnDevice, kOnDevice, 1));
    for (const CUdeviceptr host : {kPageable, kPinned, kManaged}) {
        EXPECT_TRUE(copy_is_waited_for(host, kOnDevice, 1)) << host;
        EXPECT_TRUE(copy_is_waited_for(kOnDevice, host, 1)) << host;
    }
    EXPECT_TRUE(fill_is_waited_for(kPinned));
    EXPECT_TRUE(fill_is_waited_for(kManaged));
    EXPECT_FALSE(fill_is_waited_for(kOnDevice));
    CUDA_MEMCPY2D copy{};
    copy.srcMemoryType = CU_MEMORYTYPE_ARRAY;
    copy.dstMemoryType = CU_MEMORYTYPE_DEVICE;
    EXPECT_FALSE(copy_is_waited_for(&copy));
    copy.dstMemoryType = CU_MEMORYTYPE_UNIFIED;
    copy.dstDevice = kPinned;
    EXPECT_TRUE(copy_is_waited_for(&copy));
    copy.dstMemoryType = CU_MEMORYTYPE_HOST;
    EXPECT_TRUE(copy_is_waited_for(&copy));
}

}  // namespace

void tell_pause() {
    if (pthread_equal(maker, pthread_self()) != 0) pausing = true;
}

}  // namespace ration::cuda::stream

// In the place of libc's, for this program.
extern "C" int nanosleep(const timespec* time, timespec* left) {
    ration::cuda::stream::tell_pause();
    return static_cast<int>(syscall(SYS_nanosleep, time, left));
}
