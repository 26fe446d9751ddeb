/* The fake driver's entry points, typed just enough for the scenarios, and what it counted. */
#pragma once

struct fake_launch {
    void* function;
    unsigned size[6];
    unsigned shared;
    void* stream;
    void** parameters;
    void** extra;
};

struct fake_driver {
    int init;                  /* calls of cuInit */
    int contexts;              /* calls of the context functions */
    int folded;                /* calls of cuCtxPushCurrent_v2, alias cuModuleUnload */
    unsigned long long flags;  /* of the last cuGetProcAddress */
    void* own_init;            /* what the driver's own dlsym of cuInit found */
    struct fake_launch launch; /* the arguments of the last cuLaunchKernel */
    void (*during_init)(void); /* called inside cuInit, as an injected tool would be */
};
extern struct fake_driver fake_driver;

int cuInit(unsigned int flags);
int cuCtxCreate(void** context, unsigned flags, int device);
int cuCtxCreate_v2(void** context, unsigned flags, int device);
int cuCtxCreate_v3(void** context, void* params, int count, unsigned flags, int device);
/* Not in this driver. */
int cuCtxCreate_v4(void** context, void* params, unsigned flags, int device) __attribute__((weak));
int cuDevicePrimaryCtxRetain(void** context, int device);
int cuCtxSetCurrent(void* context);
int cuCtxPushCurrent(void* context);
int cuCtxPushCurrent_v2(void* context);
int cuLaunchKernel(void* function, unsigned grid_x, unsigned grid_y, unsigned grid_z,
                   unsigned block_x, unsigned block_y, unsigned block_z, unsigned shared,
                   void* stream, void** parameters, void** extra);
int cuModuleUnload(void* module);
int cuDriverGetVersion(int* version);
int cuGetProcAddress(const char* symbol, void** function, int version, unsigned long long flags);
int cuGetProcAddress_v2(const char* symbol, void** function, int version, unsigned long long flags,
                        int* status);
