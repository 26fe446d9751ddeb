#include "shim/amd/drawing.h"

#include "shim/amd/engine_masks.h"
#include "shim/amd/share.h"

namespace ration::amd {
namespace {

std::string draw_engine(std::uint64_t bits, unsigned xcc, unsigned engine, const Gpu& gpu) {
    std::string text;
    unsigned enabled = 0;
    unsigned total = 0;
    for (unsigned array = 0; array < gpu.arrays_per_engine; ++array) {
        if (array > 0) text += '|';
        for (unsigned cu = 0; cu < gpu.cus_of_array(xcc, engine, array); ++cu, ++total) {
            const bool on = (bits >> total & 1U) != 0;
            text += on ? '#' : '.';
            enabled += on ? 1 : 0;
        }
    }
    return "SE" + std::to_string(engine) + " " + text + " " + std::to_string(enabled) + " of " +
           std::to_string(total);
}

std::vector<std::string> draw_xcc(const std::vector<std::uint64_t>& engines, unsigned xcc,
                                  const Gpu& gpu) {
    std::vector<std::string> lines;
    for (unsigned engine = 0; engine < engines.size(); ++engine) {
        lines.push_back(draw_engine(engines[engine], xcc, engine, gpu));
    }
    return lines;
}

std::string name_of(unsigned first, unsigned last) {
    const std::string name = "XCC" + std::to_string(first);
    return first == last ? name : name + "-" + std::to_string(last);
}

}  // namespace

std::vector<std::string> draw(const Mask& mask, const Gpu& gpu) {
    const auto bits = by_engine(mask.empty() ? whole(gpu).mask : mask, gpu);
    if (gpu.xccs == 1) return draw_xcc(bits[0], 0, gpu);
    std::vector<std::string> lines;
    for (unsigned first = 0; first < gpu.xccs;) {
        const auto drawn = draw_xcc(bits[first], first, gpu);
        unsigned last = first;
        while (last + 1 < gpu.xccs && draw_xcc(bits[last + 1], last + 1, gpu) == drawn) ++last;
        for (const std::string& line : drawn) lines.push_back(name_of(first, last) + " " + line);
        first = last + 1;
    }
    return lines;
}

}  // namespace ration::amd
