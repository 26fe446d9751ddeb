/* HSA without HIP: queues of every type on the first GPU, a mask of the program's own, a barrier.
 *
 * hsa_queues [MASK]; hsa_queues --orphan does it in a thread whose main thread has ended;
 * hsa_queues --then LIST does it a second time with another ROCR_VISIBLE_DEVICES.
 */
#include <hsa/hsa.h>
#include <hsa/hsa_ext_amd.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { kMaskBits = 320, kMaskWords = kMaskBits / 32 };

static int failures = 0;

static hsa_status_t check(const char* call, hsa_status_t status) {
    if (status != HSA_STATUS_SUCCESS) {
        printf("%s{\"call\": \"%s\", \"error\": %d}", failures++ == 0 ? "" : ", ", call,
               (int)status);
        fflush(stdout);
    }
    return status;
}
#define TRY(call, ...) check(#call, call(__VA_ARGS__))

static hsa_status_t first_gpu(hsa_agent_t agent, void* data) {
    hsa_device_type_t type;
    hsa_agent_get_info(agent, HSA_AGENT_INFO_DEVICE, &type);
    if (type != HSA_DEVICE_TYPE_GPU) return HSA_STATUS_SUCCESS;
    *(hsa_agent_t*)data = agent;
    return HSA_STATUS_INFO_BREAK;
}

/* One packet through the queue: it works if the signal falls. */
static void pass_barrier(hsa_queue_t* queue) {
    hsa_signal_t done;
    TRY(hsa_signal_create, 1, 0, NULL, &done);
    const uint64_t index = hsa_queue_add_write_index_relaxed(queue, 1);
    hsa_barrier_and_packet_t* packet =
        (hsa_barrier_and_packet_t*)queue->base_address + index % queue->size;
    memset((char*)packet + 2, 0, sizeof *packet - 2);
    packet->completion_signal = done;
    __atomic_store_n(&packet->header, HSA_PACKET_TYPE_BARRIER_AND, __ATOMIC_RELEASE);
    hsa_signal_store_screlease(queue->doorbell_signal, (hsa_signal_value_t)index);
    hsa_signal_wait_scacquire(done, HSA_SIGNAL_CONDITION_LT, 1, UINT64_MAX, HSA_WAIT_STATE_BLOCKED);
    TRY(hsa_signal_destroy, done);
}

static void print_mask(const char* name, const hsa_queue_t* queue) {
    uint32_t mask[kMaskWords] = {0};
    if (queue == NULL || hsa_amd_queue_cu_get_mask(queue, kMaskBits, mask) != HSA_STATUS_SUCCESS) {
        return;
    }
    printf(", \"%s\": \"0x", name);
    for (int word = kMaskWords - 1; word >= 0; --word) printf("%08x", mask[word]);
    printf("\"");
}

static hsa_queue_t* create(hsa_agent_t gpu, hsa_queue_type32_t type) {
    hsa_queue_t* queue = NULL;
    TRY(hsa_queue_create, gpu, 1024, type, NULL, NULL, UINT32_MAX, UINT32_MAX, &queue);
    return queue;
}

/* The program's exit code. */
static int use_queues(const char* own_mask) {
    const uint32_t mask[kMaskWords] = {own_mask != NULL ? (uint32_t)strtoul(own_mask, NULL, 16)
                                                        : 0};
    hsa_agent_t gpu = {0};
    uint32_t cus = 0;
    hsa_queue_t* multi = NULL;
    hsa_queue_t* masked = NULL;
    printf("{\"route\": \"hsa\", \"failed\": [");
    if (TRY(hsa_init) == HSA_STATUS_SUCCESS) {
        hsa_iterate_agents(first_gpu, &gpu);
    }
    if (gpu.handle != 0) {
        TRY(hsa_agent_get_info, gpu, (hsa_agent_info_t)HSA_AMD_AGENT_INFO_COMPUTE_UNIT_COUNT, &cus);
        multi = create(gpu, HSA_QUEUE_TYPE_MULTI);
        masked = create(gpu, HSA_QUEUE_TYPE_SINGLE);
        create(gpu, HSA_QUEUE_TYPE_COOPERATIVE);
        if (own_mask != NULL && masked != NULL)
            TRY(hsa_amd_queue_cu_set_mask, masked, kMaskBits, mask);
        if (multi != NULL) {
            TRY(hsa_amd_queue_set_priority, multi, HSA_AMD_QUEUE_PRIORITY_HIGH);
            pass_barrier(multi);
        }
    }
    printf("], \"gpu\": %s, \"cus\": %" PRIu32, gpu.handle != 0 ? "true" : "false", cus);
    print_mask("multi", multi);
    print_mask("masked", masked);
    puts("}");
    fflush(stdout);
    // After a queue could not be made, ROCr 5.2.3 hangs in hsa_queue_destroy about once in 200
    // times, without ration too.
    if (failures != 0) return 1;
    if (multi != NULL) hsa_queue_destroy(multi);
    if (masked != NULL) hsa_queue_destroy(masked);
    hsa_shut_down();
    return gpu.handle != 0 ? 0 : 1;
}

/* /proc/self loses its descriptors a moment after the thread has been joined. */
static void* orphan(void* main_thread) {
    pthread_join(*(pthread_t*)main_thread, NULL);
    while (access("/proc/self/fd/2", F_OK) == 0) sched_yield();
    exit(use_queues(NULL));
}

int main(int argc, char** argv) {
    static pthread_t main_thread;
    pthread_t other;
    if (argc > 2 && strcmp(argv[1], "--then") == 0) {
        const int first = use_queues(NULL);
        return setenv("ROCR_VISIBLE_DEVICES", argv[2], 1) + first + use_queues(NULL);
    }
    if (argc < 2 || strcmp(argv[1], "--orphan") != 0) return use_queues(argc > 1 ? argv[1] : NULL);
    main_thread = pthread_self();
    if (pthread_create(&other, NULL, orphan, &main_thread) != 0) return 1;
    pthread_exit(NULL);
}
