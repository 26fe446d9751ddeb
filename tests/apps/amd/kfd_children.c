/* Forked children that have too little memory for a decision of their own: prints what the first
 * request of each is answered, /dev/kfd's and the same of another device. */
#include <errno.h>
#include <fcntl.h>
#include <linux/kfd_ioctl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static void* volatile taken;

static void use_up_memory(void) {
    const struct rlimit none = {0, 0};
    char stack[1 << 18]; /* which must not have to grow */
    explicit_bzero(stack, sizeof stack);
    setrlimit(RLIMIT_AS, &none);
    for (size_t size = 1 << 20; size >= 512; size /= 2) { /* a program's last bytes stay */
        do taken = malloc(size);
        while (taken != NULL);
    }
}

static const char* answer_in_child(int descriptor, unsigned long request, void* argument) {
    int status = 0;
    const pid_t child = fork();
    if (child == 0) {
        use_up_memory();
        _exit(ioctl(descriptor, request, argument) == 0 ? 0 : errno);
    }
    waitpid(child, &status, 0);
    if (!WIFEXITED(status)) return "a signal";
    return WEXITSTATUS(status) == 0 ? "taken" : strerrorname_np(WEXITSTATUS(status));
}

int main(void) {
    struct kfd_ioctl_get_version_args version = {0, 0};
    struct kfd_ioctl_destroy_queue_args queue = {0, 0};
    const int kfd = open("/dev/kfd", O_RDWR | O_CLOEXEC);
    const int other = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (ioctl(kfd, AMDKFD_IOC_GET_VERSION, &version) != 0) return 1;
    printf("{\"kfd\": \"%s\", ", answer_in_child(kfd, AMDKFD_IOC_DESTROY_QUEUE, &queue));
    printf("\"other\": \"%s\"}\n", answer_in_child(other, AMDKFD_IOC_DESTROY_QUEUE, &queue));
    return 0;
}
