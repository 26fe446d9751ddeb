// A program that does as it is told on stdin, a word at a time: use a device in a thread, and
// disturb that thread.
//   use0, use1   begins in a new thread; ends with "use0 CODE"
//   handle       has the thread run a signal handler: "handled"
//   jump         the handler leaves by siglongjmp: "jumped SAME", SAME: nothing became current
//   fork         the handler forks: "child CODE", of the child's own call
//   cancel       cancels and joins the thread: "cancelled YES"
#include <cuda.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static pthread_t thread;
static sigjmp_buf outside;
static volatile sig_atomic_t order;  // the first letter of the word
static volatile sig_atomic_t child;

static void say(const char* word, int number) {
    char line[64];
    const int length = snprintf(line, sizeof line, "%s %d\n", word, number);
    (void)!write(1, line, (size_t)length);
}

static void handle(int signal) {
    (void)signal;
    if (order == 'h') say("handled", 0);
    if (order == 'j') siglongjmp(outside, 1);
    if (order != 'f') return;
    const pid_t made = fork();
    if (made == 0) child = 1;
    if (made > 0) waitpid(made, NULL, 0);
}

static CUresult first_use(CUdevice device) {
    CUcontext context;
    CUresult code = cuInit(0);
    if (code == CUDA_SUCCESS) code = cuDevicePrimaryCtxRetain(&context, device);
    if (code == CUDA_SUCCESS) code = cuCtxSetCurrent(context);
    return code;
}

static void* use(void* word) {
    const char* const name = word;
    CUcontext now = NULL;
    if (sigsetjmp(outside, 1) != 0) {
        cuCtxGetCurrent(&now);
        say("jumped", now == NULL);
        return NULL;
    }
    const CUresult code = first_use(name[3] - '0');
    if (child) {
        say("child", (int)code);
        _exit(0);
    }
    say(name, (int)code);
    return NULL;
}

int main(void) {
    char word[16];
    signal(SIGUSR1, &handle);
    while (scanf("%15s", word) == 1) {
        void* result = NULL;
        if (strncmp(word, "use", 3) == 0) {
            pthread_create(&thread, NULL, &use, word[3] == '0' ? "use0" : "use1");
        } else if (strchr("hjf", word[0]) != NULL) {
            order = word[0];
            pthread_kill(thread, SIGUSR1);
        } else {
            pthread_cancel(thread);
            pthread_join(thread, &result);
            say(word, result == PTHREAD_CANCELED);
        }
    }
    return 0;
}
