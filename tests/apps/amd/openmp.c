/* OpenMP target regions by GCC, whose plug-in loads HSA by itself. */
#include <omp.h>
#include <stdio.h>

int main(void) {
    int numbers[1024] = {0};
    const int devices = omp_get_num_devices();
#pragma omp target teams distribute parallel for map(tofrom : numbers)
    for (int i = 0; i < 1024; ++i) numbers[i] = i;
    printf("{\"route\": \"openmp\", \"devices\": %d}\n", devices);
    return devices > 0 ? 0 : 1;
}
