// Takes and holds memory as its standard input says, for quotas that several processes share.
// Each line has one JSON line for an answer: `alloc MIB`, `free` (all of it), `told`.
#include <iostream>
#include <string>
#include <vector>

#include "distinct.cuh"

namespace {

std::vector<void*> held;

int alloc(size_t mebibytes) {
    void* memory = nullptr;
    const cudaError_t code = cudaMalloc(&memory, mebibytes << 20);
    (void)cudaGetLastError();
    if (code == cudaSuccess) held.push_back(memory);
    return code;
}

void free_all() {
    for (void* memory : held) MUST(cudaFree(memory));
    held.clear();
}

void tell() {
    size_t free = 0;
    size_t total = 0;
    MUST(cudaMemGetInfo(&free, &total));
    const Sms seen = distinct_sms();
    std::printf("{\"free\": %zu, \"total\": %zu, \"sms\": %d, \"mask\": \"", free >> 20,
                total >> 20, seen.count());
    for (const unsigned word : seen.words) std::printf("%08x", word);
    std::printf("\"}\n");
}

}  // namespace

int main() {
    MUST(cudaFree(nullptr));
    std::string what;
    while (std::cin >> what) {
        size_t mebibytes = 0;
        if (what == "alloc" && std::cin >> mebibytes) {
            std::printf("{\"code\": %d}\n", alloc(mebibytes));
        } else if (what == "free") {
            free_all();
            std::printf("{\"code\": 0}\n");
        } else {
            tell();
        }
        std::fflush(stdout);
    }
}
