/* A process that uses both vendors' GPUs: by the HSA runtime and by the CUDA driver, which it
 * opens, in the order of its arguments, "hsa" and "cuda". Waits for the end of stdin at the end. */
#include <dlfcn.h>
#include <hsa/hsa.h>
#include <stdio.h>
#include <string.h>

static int cuda(void) {
    void* library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    int (*init)(unsigned) = NULL;
    if (library != NULL) *(void**)&init = dlsym(library, "cuInit");
    return init != NULL ? init(0) : -1;
}

int main(int argc, char** argv) {
    int failed = 0;
    for (int i = 1; i < argc; ++i) {
        const int code = strcmp(argv[i], "cuda") == 0 ? cuda() : (int)hsa_init();
        if (code != 0) fprintf(stderr, "%s: %d\n", argv[i], code), failed = 1;
    }
    puts("ready");
    fflush(stdout);
    while (getchar() != EOF) {
    }
    return failed;
}
