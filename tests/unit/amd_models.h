// AMD GPUs for tests. No hardware: numbers of CUs and engines as the vendor states them, which of
// them are switched off as a plausible guess.
#pragma once

#include <string>
#include <vector>

#include "shim/amd/cu_mask.h"
#include "shim/amd/topology.h"

namespace ration::amd {

struct Shape {
    const char* name;
    unsigned gfx;
    unsigned cus;
    unsigned xccs;
    unsigned engines;  // of each XCC
    unsigned arrays;   // of each engine
    unsigned most;     // CUs of an array
};

inline Gpu gpu_of(const Shape& shape, unsigned place = 0) {
    Gpu gpu;
    gpu.node = place + 1;
    gpu.place = place;
    gpu.index = place;
    gpu.gpu_id = 1000 + place;
    gpu.name = shape.name;
    gpu.uuid = "GPU-00000000000000a" + std::to_string(place);
    gpu.pci = "0000:1" + std::to_string(place) + ":00.0";
    gpu.gfx = shape.gfx;
    gpu.cus = shape.cus;
    gpu.engines = shape.engines * shape.xccs;
    gpu.arrays_per_engine = shape.arrays;
    gpu.xccs = shape.xccs;
    gpu.pairs = shape.gfx >= 100000;
    gpu.vram = 64ULL << 30U;
    gpu.array_cus = fill_arrays(gpu, shape.most);
    return gpu;
}

inline Gpu mi50() { return gpu_of({"vega20", 90006, 60, 1, 4, 1, 16}); }
inline Gpu mi100() { return gpu_of({"arcturus", 90008, 120, 1, 8, 1, 15}); }
inline Gpu mi210(unsigned place = 0) {
    return gpu_of({"aldebaran", 90010, 104, 1, 8, 1, 14}, place);
}
inline Gpu mi250x() { return gpu_of({"aldebaran", 90010, 110, 1, 8, 1, 14}); }
inline Gpu mi300x() { return gpu_of({"aqua_vanjaram", 90402, 304, 8, 4, 1, 10}); }
inline Gpu mi300x_cpx() { return gpu_of({"aqua_vanjaram", 90402, 38, 1, 4, 1, 10}); }
inline Gpu mi300a() { return gpu_of({"aqua_vanjaram", 90402, 228, 6, 4, 1, 10}); }
inline Gpu navi21() { return gpu_of({"navi21", 100300, 80, 1, 4, 2, 10}); }
inline Gpu navi21_cut() { return gpu_of({"navi21", 100300, 72, 1, 4, 2, 10}); }
inline Gpu navi31() { return gpu_of({"navi31", 110000, 96, 1, 6, 2, 8}); }

// Four engines, nothing switched off: the example of the shader masks in the documentation.
inline Gpu four_engines() { return gpu_of({"vega20", 90006, 64, 1, 4, 1, 16}); }

// XCCs that differ: the first one has an engine of 9 CUs less, the last one lacks two elsewhere.
inline Gpu uneven_xccs() {
    Gpu gpu = mi300x();
    gpu.array_cus[0] = 8;
    gpu.array_cus[3] = 10;
    gpu.array_cus[28] = 9;
    gpu.array_cus[31] = 10;
    unsigned sum = 0;
    for (const unsigned cus : gpu.array_cus) sum += cus;
    gpu.cus = sum;
    return gpu;
}

// One engine of eight has lost most of its CUs.
inline Gpu lopsided() {
    Gpu gpu = mi100();
    gpu.array_cus = {15, 15, 4, 15, 15, 15, 15, 15};
    gpu.cus = 109;
    return gpu;
}

// Pairs of which one has lost a CU; no such part is known.
inline Gpu half_pairs() {
    Gpu gpu = navi21();
    gpu.array_cus = {9, 10, 10, 10, 10, 10, 10, 9};
    gpu.cus = 78;
    return gpu;
}

inline std::vector<Gpu> all_models() {
    return {mi50(),         mi100(),       mi210(),    mi250x(),     mi300x(),
            mi300x_cpx(),   mi300a(),      navi21(),   navi21_cut(), navi31(),
            four_engines(), uneven_xccs(), lopsided(), half_pairs()};
}

// CUs that the mask enables, by XCC and engine.
inline std::vector<std::vector<unsigned>> by_engines(const Mask& mask, const Gpu& gpu) {
    std::vector<std::vector<unsigned>> counts(gpu.xccs,
                                              std::vector<unsigned>(gpu.engines_per_xcc()));
    const auto all = places(gpu);
    for (unsigned bit = 0; bit < all.size(); ++bit) {
        if (all[bit] && test(mask, bit)) ++counts[all[bit]->xcc][all[bit]->engine];
    }
    return counts;
}

}  // namespace ration::amd
