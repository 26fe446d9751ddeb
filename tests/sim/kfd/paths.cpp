#include "tests/sim/kfd/paths.h"

#include <charconv>
#include <string_view>

#include "tests/sim/kfd/kernel.h"
#include "tests/sim/kfd/topology.h"

namespace sim::kfd {
namespace {

struct Redirection {
    std::string_view from;
    std::string_view to;  // below the published root
};
constexpr Redirection kRedirections[] = {
    {"/sys/class/kfd", "/kfd"},
    {"/sys/devices/virtual/kfd", "/kfd"},
    {"/sys/module/amdgpu", "/module/amdgpu"},
    {"/proc/modules", "/modules"},
};

Place render_node(std::string_view number) {
    unsigned minor = 0;
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), minor);
    if (error == std::errc{} && end == number.data() + number.size()) {
        for (const Gpu& gpu : Kernel::get().node.gpus) {
            if (gpu.render_minor == minor) return {Place::Kind::Render, "", gpu.index};
        }
    }
    return {Place::Kind::Missing, "", 0};
}

}  // namespace

Place place_of(const char* text) {
    constexpr std::string_view kRender = "/dev/dri/renderD";
    if (text == nullptr || text[0] != '/') return {};
    const std::string_view path(text);
    if (path == "/dev/kfd") return {Place::Kind::Kfd, "", 0};
    if (path.starts_with(kRender)) return render_node(path.substr(kRender.size()));
    for (const Redirection& redirection : kRedirections) {
        if (!path.starts_with(redirection.from)) continue;
        const std::string_view rest = path.substr(redirection.from.size());
        if (!rest.empty() && rest.front() != '/') continue;
        return {Place::Kind::File,
                published_root() + std::string(redirection.to) + std::string(rest), 0};
    }
    return {};
}

}  // namespace sim::kfd
