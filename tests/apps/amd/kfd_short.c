/* Makes a queue by a request that ends before the type of the queue, which the kernel takes for a
 * compute queue, whatever lies behind it: that of a DMA queue. */
#include <fcntl.h>
#include <linux/kfd_ioctl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>

int main(int count, char** arguments) {
    struct kfd_ioctl_create_queue_args request = {0};
    typedef char Short[offsetof(struct kfd_ioctl_create_queue_args, queue_type)];
    const int kfd = open("/dev/kfd", O_RDWR | O_CLOEXEC);
    if (count != 2) return 2;
    request.gpu_id = (unsigned)strtoul(arguments[1], NULL, 10);
    request.queue_type = KFD_IOC_QUEUE_TYPE_SDMA;
    printf("%d\n", ioctl(kfd, AMDKFD_IOWR(0x02, Short), &request));
    return 0;
}
