// What the layer does in place of each row of streams.def: Call<Entry::x>::call.
#pragma once

#include <errno.h>

#include <cstddef>
#include <tuple>
#include <type_traits>

#include "shim/cuda/stream/answers.h"
#include "shim/cuda/stream/capture.h"
#include "shim/cuda/stream/dormancy.h"
#include "shim/cuda/stream/entry.h"
#include "shim/cuda/stream/implicit.h"
#include "shim/cuda/stream/order.h"
#include "shim/cuda/stream/thread.h"

namespace ration::cuda::stream {

// The layer has its say in a call that is not dormant: it is the program's, and of this process.
inline bool has_say(const Inside& inside) { return !inside.nested() && is_own_process(); }

class ErrnoKept {
  public:
    ErrnoKept() : kept_(errno) {}
    ~ErrnoKept() { errno = kept_; }
    ErrnoKept(const ErrnoKept&) = delete;
    ErrnoKept& operator=(const ErrnoKept&) = delete;

  private:
    const int kept_;
};

// The one stream among the parameters.
template <class... A>
CUstream& stream_of(A&... arguments) {
    static_assert((std::is_same_v<A, CUstream> + ... + 0) == 1);
    return std::get<CUstream&>(std::tie(arguments...));
}

// Calls the driver in the order of the stream that `named` is.
template <class Driver>
CUresult in_order(const Named& named, Driver driver) {
    Ordered ordered(named);
    if (const CUresult refusal = ordered.refusal()) return refusal;
    const CUresult result = driver();
    ordered.result(result);
    return result;
}

template <Entry entry, Kind kind = Row<entry>::kind, class F = typename Row<entry>::Function>
struct Call;

// Work in a stream among the parameters. Inlined up to the driver's call: this is the way of every
// launch of every confined program.
template <Entry entry, class... A>
struct Call<entry, Kind::enqueue, CUresult (*)(A...)> {
    static constexpr bool kOwn = kOwnDefault<entry>;

    static CUresult call(A... arguments) {
        Thread* const thread = known_thread();
        if (thread == nullptr) [[unlikely]] {
            return first(arguments...);
        }
        const Counted inside(*thread);
        if (!dormant() || names_own(stream_of(arguments...), kOwn)) [[unlikely]] {
            return awake(inside, arguments...);
        }
        return Row<entry>::driver()(arguments...);
    }

    // Apart, so that nothing is called on the way to the driver: the arguments stay where they are.
    [[gnu::cold, gnu::noinline]] static CUresult first(A... arguments) {
        enrol();
        return call(arguments...);
    }

    [[gnu::noinline]] static CUresult awake(const Inside& inside, A... arguments) {
        if (!has_say(inside)) return Row<entry>::driver()(arguments...);
        const ErrnoKept kept;
        CUstream& stream = stream_of(arguments...);
        const Named named = resolve(stream, kOwn);
        stream = named.stream;
        return in_order(named, [&] { return Row<entry>::driver()(arguments...); });
    }
};

// The same where an event may bring a capture into the stream, which the NULL stream's may not.
template <Entry entry>
struct Call<entry, Kind::wait_event, CUresult (*)(CUstream, CUevent, unsigned)> {
    using Plain = Call<entry, Kind::enqueue>;

    static CUresult call(CUstream stream, CUevent event, unsigned flags) {
        if (captures.load(std::memory_order_relaxed) == 0) {
            return Plain::call(stream, event, flags);
        }
        {
            const Inside inside;
            const ErrnoKept kept;
            const bool legacy = has_say(inside) && !names_own(stream, Plain::kOwn) &&
                                resolve(stream, false).what == Named::What::kNull;
            if (const CUresult refusal = legacy ? wait_in_legacy(event) : CUDA_SUCCESS) {
                return refusal;
            }
        }
        return Plain::call(stream, event, flags);
    }
};

// The same with the stream in a launch's configuration, which stays the program's.
template <Entry entry, class... A>
struct Call<entry, Kind::launch, CUresult (*)(const CUlaunchConfig*, A...)> {
    static constexpr bool kOwn = kOwnDefault<entry>;

    static CUresult call(const CUlaunchConfig* config, A... arguments) {
        const Counted inside(this_thread());
        if (config == nullptr || (dormant() && !names_own(config->hStream, kOwn))) {
            return Row<entry>::driver()(config, arguments...);
        }
        return awake(inside, config, arguments...);
    }

    [[gnu::noinline]] static CUresult awake(const Inside& inside, const CUlaunchConfig* config,
                                            A... arguments) {
        if (!has_say(inside)) return Row<entry>::driver()(config, arguments...);
        const ErrnoKept kept;
        const Named named = resolve(config->hStream, kOwn);
        CUlaunchConfig copy = *config;
        copy.hStream = named.stream;
        return in_order(named, [&] { return Row<entry>::driver()(&copy, arguments...); });
    }
};

// Work in the NULL stream without any stream among the parameters, nor a synchronisation.
template <Entry entry, class... A>
struct Call<entry, Kind::legacy, CUresult (*)(A...)> {
    static CUresult call(A... arguments) {
        const Counted inside(this_thread());
        if (dormant() || !has_say(inside)) return Row<entry>::driver()(arguments...);
        const ErrnoKept kept;
        const Named named = resolve(nullptr, false);
        return in_order(named, [&] { return Row<entry>::driver()(arguments...); });
    }
};

// Copies and fills in the implicit stream: in its order like their asynchronous form, then waited
// for as NVIDIA says that they are, without a lock.
template <Entry entry, class... A>
struct Call<entry, Kind::implicit, CUresult (*)(A...)> {
    static constexpr bool kOwn = kOwnDefault<entry>;

    static CUresult call(A... arguments) {
        const Counted inside(this_thread());
        if (!kOwn && dormant()) return Row<entry>::driver()(arguments...);
        return awake(inside, arguments...);
    }

    [[gnu::noinline]] static CUresult awake(const Inside& inside, A... arguments) {
        if (!has_say(inside)) return Row<entry>::driver()(arguments...);
        const ErrnoKept kept;
        const Named named = resolve(nullptr, kOwn);
        if (named.what == Named::What::kOther) return Row<entry>::driver()(arguments...);
        const CUresult result =
            in_order(named, [&] { return asynchronous<entry>(named.stream, arguments...); });
        if (result != CUDA_SUCCESS || !is_waited_for<entry>(arguments...)) return result;
        return real.cuStreamSynchronize(named.stream);
    }
};

// How far a stream is: a question, or until it is done. Nothing is enqueued, so a thread that waits
// here keeps nobody from waking the layer.
template <Entry entry, class... A>
struct Call<entry, Kind::wait, CUresult (*)(A...)> {
    static constexpr bool kOwn = kOwnDefault<entry>;

    static CUresult call(A... arguments) {
        const Inside inside;
        CUstream& stream = stream_of(arguments...);
        if ((dormant() && !names_own(stream, kOwn)) || !has_say(inside)) {
            return Row<entry>::driver()(arguments...);
        }
        const ErrnoKept kept;
        const Named named = resolve(stream, kOwn);
        if (named.code != CUDA_SUCCESS) return named.code;
        if (named.what == Named::What::kNull) {
            if (const CUresult refusal = join_null(*named.domain)) return refusal;
        }
        stream = named.stream;
        return Row<entry>::driver()(arguments...);
    }
};

// A question that any stream answers by itself. Only the per-thread default stream needs another
// handle.
template <Entry entry, class... A>
struct Call<entry, Kind::ask, CUresult (*)(A...)> {
    static CUresult call(A... arguments) {
        const Inside inside;
        CUresult code = CUDA_SUCCESS;
        if (has_say(inside)) (put_own(arguments, code), ...);
        return code != CUDA_SUCCESS ? code : Row<entry>::driver()(arguments...);
    }

    template <class Argument>
    static void put_own(Argument&, CUresult&) {}
    static void put_own(CUstream& stream, CUresult& code) {
        if (!names_own(stream, kOwnDefault<entry>)) return;
        const ErrnoKept kept;
        const Named named = resolve(stream, kOwnDefault<entry>);
        stream = named.stream;
        if (named.code != CUDA_SUCCESS) code = named.code;
    }
};

// The rest: whoever answers gets the driver's function, and whether stream 0 is the thread's own.
template <Entry entry, Kind kind, class... A>
struct Call<entry, kind, CUresult (*)(A...)> {
    static CUresult call(A... arguments) {
        const Counted inside(this_thread());
        const auto driver = Row<entry>::driver();
        if (!has_say(inside)) return driver(arguments...);
        const ErrnoKept kept;
        return answer(On<kind>{kOwnDefault<entry>}, driver, arguments...);
    }
};

}  // namespace ration::cuda::stream
