/* A HIP and an HSA runtime of a few functions for the front's tests, and what they counted. */
#pragma once
#include <stddef.h>
#include <stdint.h>

struct fake_hip {
    int init;         /* calls of hipInit */
    int streams;      /* calls of hipStreamCreateWithFlags, where every stream is made */
    int outside;      /* of these, calls that came by way of hipStreamCreate */
    int last_version; /* of hipGetProcAddress */
};
extern struct fake_hip fake_hip;

struct fake_hsa {
    int init;     /* calls of hsa_init */
    int requests; /* ioctls of the fake /dev/kfd that were answered */
    int refused;  /* and that failed */
    int refusal;  /* errno of the last of these */
};
extern struct fake_hsa fake_hsa;

int hipInit(unsigned flags);
int hipStreamCreate(void** stream);
int hipStreamCreateWithFlags(void** stream, unsigned flags);
int hipMemGetInfo(size_t* available, size_t* total);
int hipMalloc(void** pointer, size_t bytes);
int hipGetProcAddress(const char* symbol, void** function, int version, uint64_t flags,
                      int* status);

int hsa_init(void);
int hsa_agent_get_info(uint64_t agent, int attribute, void* value);
int fake_kfd(void); /* a descriptor that stands for /dev/kfd */
