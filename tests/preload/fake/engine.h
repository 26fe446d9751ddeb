// What the fake engine counted. A scenario finds it through scenario.h's engine().
#pragma once

#ifdef __cplusplus
#include <atomic>
using Counter = std::atomic<int>;
#else
typedef _Atomic int Counter;
#endif

struct FakeEngine {
    Counter attached; /* calls of ration_engine_attach */
    Counter hooked;   /* calls that reached a hook */
    Counter nested;   /* of these, from inside the driver */
};

#ifdef __cplusplus
extern "C" __attribute__((visibility("default"))) FakeEngine fake_engine;
#endif
