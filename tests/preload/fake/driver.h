/* The fake driver's entry points, typed just enough for the scenarios, and what it counted. */
#pragma once

struct fake_driver {
    int init;                  /* calls of cuInit */
    int contexts;              /* calls of the context functions */
    int folded;                /* calls of cuCtxPushCurrent_v2, alias cuEventDestroy_v2 */
    unsigned long long flags;  /* of the last cuGetProcAddress */
    void* own_init;            /* what the driver's own dlsym of cuInit found */
    void (*during_init)(void); /* called inside cuInit, as an injected tool would be */
};
extern struct fake_driver fake_driver;

int cuInit(unsigned int flags);
int cuCtxCreate(void** context, unsigned flags, int device);
int cuCtxCreate_v2(void** context, unsigned flags, int device);
int cuCtxCreate_v3(void** context, void* params, int count, unsigned flags, int device);
int cuDevicePrimaryCtxRetain(void** context, int device);
int cuCtxSetCurrent(void* context);
int cuCtxPushCurrent(void* context);
int cuCtxPushCurrent_v2(void* context);
int cuEventDestroy_v2(void* event);
int cuMemFree_v2(unsigned long long pointer);
int cuGetProcAddress(const char* symbol, void** function, int version, unsigned long long flags);
int cuGetProcAddress_v2(const char* symbol, void** function, int version, unsigned long long flags,
                        int* status);
