/* Requests of /dev/kfd with pointers that are none: prints what the kernel is said to answer. */
#include <errno.h>
#include <fcntl.h>
#include <linux/kfd_ioctl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

static const char* answer(int kfd, unsigned long request, void* argument) {
    return ioctl(kfd, request, argument) == 0 ? "taken" : strerrorname_np(errno);
}

int main(void) {
    struct kfd_ioctl_set_cu_mask_args mask = {0, 32, 8};
    const int kfd = open("/dev/kfd", O_RDWR | O_CLOEXEC);
    printf("{\"create\": \"%s\", ", answer(kfd, AMDKFD_IOC_CREATE_QUEUE, (void*)8));
    printf("\"destroy\": \"%s\", ", answer(kfd, AMDKFD_IOC_DESTROY_QUEUE, (void*)8));
    printf("\"allocate\": \"%s\", ", answer(kfd, AMDKFD_IOC_ALLOC_MEMORY_OF_GPU, (void*)8));
    printf("\"request\": \"%s\", ", answer(kfd, AMDKFD_IOC_SET_CU_MASK, (void*)8));
    printf("\"mask\": \"%s\"}\n", answer(kfd, AMDKFD_IOC_SET_CU_MASK, &mask));
    return 0;
}
