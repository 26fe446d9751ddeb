// An ioctl that is not for a GPU, as the program has it linked and at libc's own address. Run once
// bare and once preloaded, the difference of the differences is what the preloaded jump adds. No
// descriptor: the kernel's part is as short as it can be.
#include <benchmark/benchmark.h>
#include <dlfcn.h>
#include <sys/ioctl.h>

#include <cstdio>

namespace {

using Ioctl = int (*)(int, unsigned long, ...);

// dlsym would hand out the preloaded one.
Ioctl address_in_libc() {
    void* const libc = dlopen("libc.so.6", RTLD_NOW | RTLD_NOLOAD);
    for (const char* version : {"GLIBC_2.2.5", "GLIBC_2.17"}) {
        if (void* const address = dlvsym(libc, "ioctl", version)) {
            return reinterpret_cast<Ioctl>(address);
        }
    }
    return nullptr;
}

void call(benchmark::State& state, Ioctl function) {
    int waiting = 0;
    for (auto _ : state) benchmark::DoNotOptimize(function(-1, FIONREAD, &waiting));
}

}  // namespace

int main(int argc, char** argv) {
    const Ioctl direct = address_in_libc();
    if (direct == nullptr) {
        std::fputs("ioctl_call: libc's own ioctl is hidden\n", stderr);
        return 1;
    }
    benchmark::RegisterBenchmark("linked", call, static_cast<Ioctl>(&ioctl));
    benchmark::RegisterBenchmark("driver", call, direct);
    benchmark::Initialize(&argc, argv);
    benchmark::RunSpecifiedBenchmarks();
    return 0;
}
