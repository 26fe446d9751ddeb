#include "shim/state/groups.h"

#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "shim/host/generation.h"
#include "shim/state/directory.h"
#include "shim/state/group_bytes.h"
#include "shim/state/group_view.h"
#include "shim/state/layout.h"
#include "shim/state/pauses.h"

namespace ration::state {
namespace {

using Outcome = Taken::Outcome;
using What = Ask::What;

// For what was lost: a call of the program is under way.
constexpr std::chrono::milliseconds kShortTransaction{500};

bool needs_layout(const Ask& ask) { return ask.what == What::kCount || ask.what == What::kNamed; }

GroupSet all_of(const Layout& layout) {
    GroupSet groups;
    for (std::size_t i = 0; i < layout.sizes.size() && i < kMostGroups; ++i) groups[i] = true;
    return groups;
}

std::string split_of(const Layout& layout) {
    std::string text = std::to_string(layout.split_flags);
    for (const unsigned size : layout.sizes) text += " " + std::to_string(size);
    return text;
}

// What cannot be on this device, whoever else is there. "" if it can.
std::string impossible(const Layout& layout, const Ask& ask) {
    if (!needs_layout(ask)) return "";
    const std::size_t total = layout.sizes.size();
    if (total == 0 || total > kMostGroups) return "this GPU cannot be split into groups";
    const std::string those = "this GPU has groups 0-" + std::to_string(total - 1);
    if (ask.what == What::kNamed) {
        const GroupSet missing = ask.named & ~all_of(layout);
        if (missing.any()) return "group " + to_text(missing) + " does not exist: " + those;
    }
    const std::size_t count = ask.what == What::kNamed ? ask.named.count() : ask.count;
    if (count == 0) return "no group is asked for: " + those;
    if (count > total) return std::to_string(count) + " groups are asked for: " + those;
    return "";
}

bool satisfies(const GroupSet& groups, const Ask& ask) {
    if (ask.what == What::kCount) return groups.count() == ask.count;
    return ask.what == What::kNamed ? groups == ask.named : groups.all();
}

Taken refused(std::string why) { return {Outcome::kRefused, {}, false, std::move(why)}; }
Taken busy(std::string why) { return {Outcome::kBusy, {}, false, std::move(why)}; }
Taken unusable(std::string why) { return {Outcome::kUnusable, {}, false, std::move(why)}; }
Taken taken(const GroupSet& groups, bool joined) { return {Outcome::kTaken, groups, joined, ""}; }

// A lock of another process in `region` but on `mine`.
std::optional<Held> another(int fd, Span region, std::int64_t mine) {
    const auto below = conflict(fd, {region.begin, mine});
    return below ? below : conflict(fd, {mine + 1, region.end});
}

std::string contradiction(int fd, const Layout& layout) {
    if (const auto held =
            another(fd, bytes::kDrivers, bytes::within(bytes::kDrivers, layout.driver))) {
        return process_text(held->pid) + " holds groups of this GPU under another driver than " +
               printable(layout.driver) + ", which may number them otherwise: use one libcuda";
    }
    if (const auto held =
            another(fd, bytes::kLayouts, bytes::within(bytes::kLayouts, split_of(layout)))) {
        return process_text(held->pid) +
               " holds groups of this GPU split otherwise: use one granularity on a device";
    }
    return "";
}

// What stands in the way of an exclusive grant, besides single groups.
std::string in_the_way_of_exclusive(int fd) {
    if (const auto held = conflict(fd, bytes::one(bytes::kPercentages))) {
        return process_text(held->pid) +
               " has a percentage of this GPU through MPS: nothing is exclusive beside it";
    }
    if (const auto held = conflict(fd, bytes::one(bytes::kWholes))) {
        return process_text(held->pid) + " has all of this GPU: nothing is exclusive beside it";
    }
    return "";
}

std::string too_few(const GroupSet& free, const Ask& ask, const std::string& who) {
    const std::string wanted = ask.what == What::kCount   ? std::to_string(ask.count)
                               : ask.what == What::kNamed ? to_text(ask.named)
                                                          : "all";
    return "groups wanted: " + wanted + "; free: " + to_text(free) + "; " + who;
}

}  // namespace

std::unique_ptr<Groups> Groups::open(const LockPlace& place, std::string_view uuid,
                                     std::string& why) {
    auto file = LockFile::open(place, "lock", uuid, why);
    if (!file) return nullptr;
    return std::unique_ptr<Groups>(new Groups(std::move(file)));
}

Groups::~Groups() { release(); }

// A forked child holds nothing of its parent's.
void Groups::forget_parents() {
    if (generation_ == host::generation()) return;
    hold_.reset();
    generation_ = host::generation();
    file_->keep_in_child();
}

void Groups::release() {
    const Turn turn(file_->turn());
    forget_parents();
    if (!hold_) return;
    if (file_->good()) unlock(file_->fd(), bytes::kEverything);
    hold_.reset();
}

// Locks the first free byte for processes.
bool Groups::be_present() {
    const auto first = static_cast<unsigned>(getpid());
    for (unsigned i = 0; i < bytes::kMostProcesses; ++i) {
        const std::int64_t place = (first + i) % bytes::kMostProcesses;
        own_bytes_ = bytes::kProcesses + bytes::kStride * place;
        if (lock(file_->fd(), bytes::one(own_bytes_), F_WRLCK)) return true;
        if (errno != EAGAIN && errno != EACCES) return false;
    }
    return false;
}

bool Groups::lock_all(const Layout& layout, const Ask& ask, const GroupSet& groups) {
    const int fd = file_->fd();
    const auto read = [fd](std::int64_t byte) { return lock(fd, bytes::one(byte), F_RDLCK); };
    const auto own = [&](std::int64_t byte) {
        return lock(fd, bytes::one(own_bytes_ + byte), F_WRLCK);
    };
    if (!be_present()) return false;
    if (ask.what == What::kPercentage) {
        return read(bytes::kPercentages) && own(bytes::kOfPercentage);
    }
    if (ask.what == What::kWhole && !ask.exclusive) {
        return read(bytes::kWholes) && own(bytes::kOfWhole);
    }
    const bool alone = ask.exclusive && ask.scope.empty();
    if (!lock_set(fd, ask.exclusive ? bytes::kExclusive : bytes::kShared, groups,
                  alone ? F_WRLCK : F_RDLCK) ||
        !lock_set(fd, own_bytes_ + bytes::kOfGroups, groups, F_WRLCK) ||
        (ask.exclusive && !own(bytes::kOfExclusive))) {
        return false;
    }
    if (needs_layout(ask) && !(read(bytes::within(bytes::kDrivers, layout.driver)) &&
                               read(bytes::within(bytes::kLayouts, split_of(layout))))) {
        return false;
    }
    if (ask.scope.empty()) return true;
    const std::int64_t scope = bytes::of_scope(ask.scope);
    return read(scope) && (!ask.exclusive || read(scope + bytes::kOfScopeExclusive)) &&
           lock_set(fd, scope + bytes::kOfGroups, groups, F_RDLCK);
}

// The grant of a scope that lives.
Taken Groups::join(const Ask& ask, const Held& member) const {
    const int fd = file_->fd();
    const std::int64_t scope = bytes::of_scope(ask.scope);
    const GroupSet groups = held_set(fd, scope + bytes::kOfGroups);
    const bool exclusive = conflict(fd, bytes::one(scope + bytes::kOfScopeExclusive)).has_value();
    if (satisfies(groups, ask) && exclusive == ask.exclusive) return taken(groups, true);
    return refused("the scope " + printable(ask.scope) + " has groups " + to_text(groups) +
                   (exclusive ? ", exclusively" : ", not exclusively") + ", through " +
                   process_text(member.pid) +
                   ": its processes must ask for the same, or end before others ask for more");
}

Taken Groups::decide(const Layout& layout, const Ask& ask) const {
    const int fd = file_->fd();
    if (auto why = impossible(layout, ask); !why.empty()) return refused(std::move(why));
    if (needs_layout(ask)) {
        if (auto why = contradiction(fd, layout); !why.empty()) return refused(std::move(why));
    }
    if (!ask.scope.empty()) {
        const auto member = conflict(fd, bytes::one(bytes::of_scope(ask.scope)));
        if (member) return join(ask, *member);
    }
    const GroupSet exclusive = held_set(fd, bytes::kExclusive);
    const bool marks_only =
        ask.what == What::kPercentage || (ask.what == What::kWhole && !ask.exclusive);
    if (marks_only) {
        if (exclusive.none())
            return taken(ask.what == What::kWhole ? ~GroupSet() : GroupSet(), false);
        return busy(holders_text(fd, true));
    }
    const GroupSet all = needs_layout(ask) ? all_of(layout) : ~GroupSet();
    GroupSet free = all & ~exclusive;
    if (ask.exclusive) {
        if (auto why = in_the_way_of_exclusive(fd); !why.empty()) return busy(std::move(why));
        free &= ~held_set(fd, bytes::kShared);
    }
    std::optional<GroupSet> chosen;
    if (ask.what != What::kCount) {
        const GroupSet& wanted = ask.what == What::kNamed ? ask.named : all;
        if ((wanted & ~free).none()) chosen = wanted;
    } else if (ask.exclusive) {
        chosen = best_fit(free, ask.count, ask.unit);
    } else {
        chosen = least_used(free, load_of(fd), ask.count, ask.unit);
    }
    if (chosen) return taken(*chosen, false);
    return busy(too_few(free, ask, holders_text(fd, !ask.exclusive)));
}

// With the transaction's byte locked.
Taken Groups::transaction(const Layout& layout, const Ask& ask) {
    const Taken result = decide(layout, ask);
    if (result.outcome != Outcome::kTaken) return result;
    if (!lock_all(layout, ask, result.groups)) return unusable(failure(file_->path()));
    // A thread that closes all descriptors in these microseconds takes our locks along.
    if (!file_->good() || !holds(file_->fd(), bytes::kTransaction)) {
        return unusable(file_->path() + ": the lock was lost while groups were taken");
    }
    hold_ = std::make_unique<Hold>(Hold{result.groups, ask, layout, result.joined});
    return result;
}

Taken Groups::attempt(const Layout& layout, const Ask& ask) {
    const Turn turn(file_->turn());
    forget_parents();
    if (hold_) return taken(hold_->groups, hold_->joined);
    std::string why;
    if (!file_->good() && !file_->repair(why)) return unusable(std::move(why));
    const Span mutex = bytes::one(bytes::kTransaction);
    if (!lock(file_->fd(), mutex, F_WRLCK)) {
        if (errno != EAGAIN && errno != EACCES) return unusable(failure(file_->path()));
        const auto held = conflict(file_->fd(), mutex);
        return {Outcome::kMoment,
                {},
                false,
                file_->path() + " is being changed by " + process_text(held ? held->pid : 0)};
    }
    // Also when memory runs out: nothing stays locked but what is held.
    struct End {
        const Groups& groups;
        ~End() {
            if (!groups.file_->good()) return;
            unlock(groups.file_->fd(),
                   groups.hold_ ? bytes::one(bytes::kTransaction) : bytes::kEverything);
        }
    };
    const End end{*this};
    return transaction(layout, ask);
}

Taken Groups::take(const Layout& layout, const Ask& ask, std::chrono::milliseconds transaction) {
    Pauses pauses(std::chrono::milliseconds(0), transaction);
    while (true) {
        Taken taken = attempt(layout, ask);
        const auto pause = pauses.after(taken);
        if (!pause) return taken;
        const timespec duration{0, static_cast<long>(pause->count())};
        nanosleep(&duration, nullptr);
    }
}

Groups::Standing Groups::standing(std::string& why) {
    Hold former;
    {
        const Turn turn(file_->turn());
        forget_parents();
        if (!hold_) return Standing::kNothing;
        if (file_->good() && holds(file_->fd(), own_bytes_)) return Standing::kHeld;
        former = std::move(*hold_);
        hold_.reset();
    }
    if (needs_layout(former.ask)) {
        former.ask.what = What::kNamed;
        former.ask.named = former.groups;
    }
    const Taken again = take(former.layout, former.ask, kShortTransaction);
    if (again.outcome == Outcome::kTaken) return Standing::kRetaken;
    why =
        "the lock on " + file_->path() +
        " was lost, because this program closed ration's descriptor or somebody removed the file, "
        "and cannot be taken again: " +
        again.why;
    return Standing::kLost;
}

}  // namespace ration::state
