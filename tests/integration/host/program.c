/* A C program whose process has a C++ runtime of its own (foreign_runtime.c). Exit status: what
 * cuInit answered, modulo 256. */
#include <dlfcn.h>
#include <stdio.h>

void _Znwm(void);

int main(void) {
    void* driver = dlopen("libcuda.so.1", RTLD_NOW);
    int (*init)(unsigned) = driver != NULL ? (int (*)(unsigned))dlsym(driver, "cuInit") : NULL;
    if (init == NULL || dlsym(RTLD_DEFAULT, "_Znwm") != (void*)_Znwm) return 255;
    const int result = init(0);
    printf("cuInit %d\n", result);
    return result % 256;
}
