#include "shim/state/group_view.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <map>

#include "shim/host/file.h"
#include "shim/state/directory.h"
#include "shim/state/group_bytes.h"
#include "shim/state/layout.h"

namespace ration::state {
namespace {

// Enough for 800 processes with a run of groups each. Whoever locks thousands of pieces makes each
// question slower as well.
constexpr unsigned kBudget = 4096;
// For spreading the load: while a process is taking, others wait for it.
constexpr unsigned kSmallBudget = 256;

void note_lock(Holder& holder, Span own) {
    // Neighbouring bytes that one process has locked are one lock.
    for (std::int64_t byte = own.begin; byte < own.end; ++byte) {
        if (byte == bytes::kOfWhole) holder.whole = true;
        if (byte == bytes::kOfPercentage) holder.percentage = true;
        if (byte == bytes::kOfExclusive) holder.exclusive = true;
        const std::int64_t group = byte - bytes::kOfGroups;
        if (group >= 0 && group < kMostGroups)
            holder.groups[static_cast<std::size_t>(group)] = true;
    }
}

std::string groups_text(const Holder& holder) {
    if (holder.percentage) return "a percentage through MPS";
    if (holder.whole || holder.groups.all()) return "all groups";
    return (holder.groups.count() == 1 ? "group " : "groups ") + to_text(holder.groups);
}

}  // namespace

GroupSet held_set(int fd, std::int64_t base) {
    GroupSet groups;
    scan(fd, {base, base + kMostGroups}, kBudget, [&](const Held& held) {
        for (std::int64_t byte = held.span.begin; byte < held.span.end; ++byte) {
            groups[static_cast<std::size_t>(byte - base)] = true;
        }
    });
    return groups;
}

bool lock_set(int fd, std::int64_t base, const GroupSet& groups, short type) {
    for (unsigned group = 0; group < kMostGroups; ++group) {
        if (!groups[group]) continue;
        const unsigned begin = group;
        while (group < kMostGroups && groups[group]) ++group;
        if (!lock(fd, {base + begin, base + group}, type)) return false;
    }
    return true;
}

std::vector<Holder> holders_in(int fd, unsigned budget) {
    std::map<std::int64_t, Holder> by_place;
    const Span all{bytes::kProcesses, bytes::kProcesses + bytes::kStride * bytes::kMostProcesses};
    scan(fd, all, budget, [&](const Held& held) {
        // One lock lies in one process's place, unless somebody plays with the file.
        const std::int64_t place = (held.span.begin - all.begin) / bytes::kStride;
        const std::int64_t begin = all.begin + place * bytes::kStride;
        Holder& holder = by_place[place];
        holder.pid = held.pid;
        note_lock(holder, {held.span.begin - begin,
                           std::min(held.span.end - begin, std::int64_t{bytes::kStride})});
    });
    std::vector<Holder> holders;
    for (auto& [place, holder] : by_place) holders.push_back(std::move(holder));
    return holders;
}

Load load_of(int fd) {
    Load load{};
    for (const Holder& holder : holders_in(fd, kSmallBudget)) {
        for (unsigned group = 0; group < kMostGroups; ++group) load[group] += holder.groups[group];
    }
    return load;
}

std::string process_text(pid_t pid) {
    if (pid <= 0) return "a process of another container";
    std::string text = "pid " + std::to_string(pid);
    const std::string folder = "/proc/" + std::to_string(pid);
    struct stat info;
    const auto name = host::read_file((folder + "/comm").c_str(), 64);
    if (!name || stat(folder.c_str(), &info) != 0) return text;
    std::string_view command = name->text;
    if (command.ends_with('\n')) command.remove_suffix(1);
    return text + " (" + printable(command) + ", uid " + std::to_string(info.st_uid) + ")";
}

std::string to_text(const Holder& holder) {
    return groups_text(holder) + (holder.exclusive ? " held by " : " used by ") +
           process_text(holder.pid);
}

std::string holders_text(int fd, bool exclusive_only) {
    // By the groups themselves: the processes' places would take many more questions.
    std::vector<Holder> all;
    const auto look = [&](std::int64_t base, bool exclusive) {
        scan(fd, {base, base + kMostGroups}, kBudget, [&](const Held& held) {
            auto holder = std::find_if(all.begin(), all.end(), [&](const Holder& one) {
                return one.pid == held.pid && one.exclusive == exclusive;
            });
            if (holder == all.end()) {
                holder = all.insert(holder, Holder{});
                holder->pid = held.pid;
                holder->exclusive = exclusive;
            }
            for (std::int64_t byte = held.span.begin; byte < held.span.end; ++byte) {
                holder->groups[static_cast<std::size_t>(byte - base)] = true;
            }
        });
    };
    look(bytes::kExclusive, true);
    if (!exclusive_only) look(bytes::kShared, false);
    constexpr std::size_t kNamed = 4;
    std::string text;
    for (std::size_t i = 0; i < all.size() && i < kNamed; ++i) {
        text += (i == 0 ? "" : ", ") + to_text(all[i]);
    }
    return all.size() > kNamed ? text + " and others" : text;
}

std::vector<Holder> holders(const LockPlace& place, std::string_view uuid, std::string& why) {
    const std::string path = lock_path(place, "lock", uuid);
    if (path.empty()) return {};
    const LockFileReader file(path);
    if (file.fd() >= 0) return holders_in(file.fd(), kBudget);
    if (file.error() != ENOENT) {
        errno = file.error();
        why = failure(path);
    }
    return {};
}

}  // namespace ration::state
