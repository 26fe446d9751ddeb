// What the fake engine counted. A scenario finds it through scenario.h's engine().
#pragma once

#ifdef __cplusplus
#include <atomic>
using Counter = std::atomic<int>;
#else
typedef _Atomic int Counter;
#endif

struct FakeEngine {
    Counter attached;  /* calls of ration_engine_attach */
    Counter installed; /* those that the front obeyed */
    Counter hooked;    /* calls that reached a hook */
    Counter nested;    /* of these, from inside the driver */

    Counter amd_attached;  /* calls of ration_engine_attach_amd */
    Counter amd_installed; /* those that the front obeyed */
    Counter amd_hooked;    /* calls of HIP and HSA that reached a hook */
    Counter amd_nested;    /* of these, from inside the same library */
    Counter amd_ioctls;    /* requests that reached a hook */
};

#ifdef __cplusplus
extern "C" __attribute__((visibility("default"))) FakeEngine fake_engine;
#endif
