/* SONAME libhsa-runtime64.so.1, symbols of version ROCR_1, as the real one. */
#include <errno.h>
#include <fcntl.h>
#include <linux/ioctl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "hip.h"

struct fake_hsa fake_hsa;

/* libkernel.so, if it is preloaded, says that this file is /dev/kfd. */
int fake_kfd(void) { return open("/dev/zero", O_RDWR | O_CLOEXEC); }

int hsa_init(void) {
    struct {
        uint32_t major, minor;
    } version = {0, 0};
    ++fake_hsa.init;
    const int kfd = fake_kfd();
    const int result = ioctl(kfd, _IOR('K', 1, version), &version);
    const int error = errno;
    close(kfd);
    if (result == 0) {
        ++fake_hsa.requests;
        return 0;
    }
    ++fake_hsa.refused;
    fake_hsa.refusal = error;
    return 0x1008;
}

int hsa_agent_get_info(uint64_t agent, int attribute, void* value) {
    *(uint32_t*)value = (uint32_t)(agent + (unsigned)attribute);
    return 0;
}
