#include "shim/host/user_namespace.h"

#include <cstdio>

#include "shim/host/file.h"

namespace ration::host {
namespace {

bool is_unmapped(unsigned id, const char* map_file, const char* overflow_file) {
    constexpr std::size_t kLine = 256;
    const auto map = read_file(map_file, kLine);
    const auto overflow = read_file(overflow_file, kLine);
    if (!map || !overflow) return false;
    unsigned long long inside = 0;
    unsigned long long outside = 0;
    unsigned long long count = 0;
    const bool one =
        std::sscanf(map->text.c_str(), "%llu %llu %llu", &inside, &outside, &count) == 3;
    constexpr unsigned long long kAll = 4294967295;
    if (one && inside == 0 && outside == 0 && count == kAll) return false;
    return std::to_string(id) == overflow->text.substr(0, overflow->text.find('\n'));
}

}  // namespace

bool is_unmapped_user(uid_t user) {
    return is_unmapped(user, "/proc/self/uid_map", "/proc/sys/kernel/overflowuid");
}

bool is_unmapped_group(gid_t group) {
    return is_unmapped(group, "/proc/self/gid_map", "/proc/sys/kernel/overflowgid");
}

}  // namespace ration::host
