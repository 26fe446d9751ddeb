#include "shim/state/quota_units.h"

#include <algorithm>
#include <cerrno>
#include <new>
#include <utility>

#include "shim/host/generation.h"
#include "shim/state/directory.h"
#include "shim/state/group_bytes.h"

namespace ration::state {
namespace {

// A device's quota file, byte for byte: for each scope, by the hash h of its key, from
// 2^61 + 2^22 h on
//   + k          unit k: write, by the process that has taken it
//   + 2^21 + q   read: a member that was given a quota of q units
constexpr std::int64_t kScopes = std::int64_t{1} << 61;
constexpr std::int64_t kStride = std::int64_t{1} << 22;
constexpr std::int64_t kQuotas = std::int64_t{1} << 21;
constexpr int kHashBits = 39;  // 2^61 + 2^39 * 2^22 is 2^62
static_assert(kMostUnits < kQuotas && kQuotas + kMostUnits < kStride);

std::int64_t units_of(std::string_view scope) {
    return kScopes + static_cast<std::int64_t>(bytes::hash(scope) >> (64 - kHashBits)) * kStride;
}

constexpr unsigned kBudget = 16384;
constexpr int kRounds = 8;

unsigned length(Span span) { return static_cast<unsigned>(span.end - span.begin); }
bool lower(const Span& a, const Span& b) { return a.begin < b.begin; }

// What `taken`, sorted, leaves of [0, quota).
std::vector<Span> gaps(const std::vector<Span>& taken, unsigned quota) {
    std::vector<Span> free;
    std::int64_t begin = 0;
    for (const Span& span : taken) {
        if (span.begin >= quota) break;
        if (begin < span.begin) free.push_back({begin, span.begin});
        begin = std::max(begin, span.end);
    }
    if (begin < quota) free.push_back({begin, quota});
    return free;
}

// The beginning, or the middle where what lies below is another's that may want to grow.
Span place_in(Span gap, unsigned count) {
    const std::int64_t middle = gap.begin + (gap.end - gap.begin) / 2;
    const bool roomy = gap.begin > 0 && gap.end - middle >= std::int64_t{2} * count;
    const std::int64_t begin = roomy ? middle : gap.begin;
    return {begin, std::min(gap.end, begin + count)};
}

}  // namespace

std::unique_ptr<QuotaUnits> QuotaUnits::open(const LockPlace& place, std::string_view uuid,
                                             std::string_view scope, unsigned quota,
                                             std::string& why) {
    auto file = LockFile::open(place, "quota", uuid, why);
    if (!file) return nullptr;
    std::unique_ptr<QuotaUnits> units(new QuotaUnits(std::move(file), scope, quota));
    const Turn turn(units->file_->turn());
    if (!units->be_member(why)) return nullptr;
    return units;
}

QuotaUnits::QuotaUnits(std::unique_ptr<LockFile> file, std::string_view scope, unsigned quota)
    : file_(std::move(file)), units_(units_of(scope)), quota_(std::min(quota, kMostUnits)) {}

QuotaUnits::~QuotaUnits() {
    const Turn turn(file_->turn());
    const bool ours = generation_ == host::generation() && file_->good();
    if (ours) unlock(file_->fd(), {units_, units_ + kStride});
}

unsigned QuotaUnits::locked() const {
    unsigned count = 0;
    for (const Span& span : spans_) count += length(span);
    return count;
}

// Sees to it that this process is a member whose locks are there, and takes lost ones again, as far
// as they are free.
bool QuotaUnits::be_member(std::string& why) {
    if (generation_ != host::generation()) {
        // The parent's list, which another thread of it may have been changing when it forked:
        // neither used nor freed.
        new (&spans_) std::vector<Span>();
        lacking_ = 0;
        generation_ = 0;
        file_->keep_in_child();
    }
    const bool there = generation_ != 0 && file_->good();
    if (there && (spans_.empty() || holds(file_->fd(), units_ + spans_.front().begin))) return true;
    lacking_ += locked();
    spans_.clear();
    if (!file_->good() && !file_->repair(why)) return false;
    if (!lock(file_->fd(), bytes::one(units_ + kQuotas + quota_), F_RDLCK)) {
        why = failure(file_->path());
        return false;
    }
    generation_ = host::generation();
    std::string ignored;
    if (lacking_ > 0) lacking_ -= gather(1, lacking_, ignored);
    return true;
}

unsigned QuotaUnits::quota_in_force() const {
    const std::int64_t quotas = units_ + kQuotas;
    unsigned quota = quota_;
    while (const auto smaller = conflict(file_->fd(), {quotas, quotas + quota})) {
        quota = static_cast<unsigned>(smaller->span.begin - quotas);
    }
    return quota;
}

QuotaUnits::Room QuotaUnits::room_in(unsigned quota) const {
    std::vector<Span> taken = spans_;
    const bool all = scan(file_->fd(), {units_, units_ + kMostUnits}, kBudget, [&](Held held) {
        taken.push_back({held.span.begin - units_, held.span.end - units_});
    });
    if (!all) return {};
    std::sort(taken.begin(), taken.end(), lower);
    unsigned count = 0;
    for (const Span& span : taken) count += length(span);
    Room room{gaps(taken, quota), quota - std::min(quota, count)};
    std::stable_sort(room.gaps.begin(), room.gaps.end(),
                     [](Span a, Span b) { return length(a) > length(b); });
    return room;
}

bool QuotaUnits::take_span(Span span, std::string& why) {
    if (!lock(file_->fd(), {units_ + span.begin, units_ + span.end}, F_WRLCK)) {
        if (errno != EAGAIN && errno != EACCES) why = failure(file_->path());
        return false;
    }
    const auto next = std::lower_bound(spans_.begin(), spans_.end(), span, lower);
    const bool joins = next != spans_.begin() && std::prev(next)->end == span.begin;
    if (joins) {
        std::prev(next)->end = span.end;
    } else {
        spans_.insert(next, span);
    }
    return true;
}

// The units above the highest ones of this process, which costs little. Not where somebody has
// units above the quota, from before it was the smallest: then what is free needs counting.
bool QuotaUnits::extend(unsigned count, unsigned quota, std::string& why) {
    if (spans_.empty() || spans_.back().end + count > quota) return false;
    if (conflict(file_->fd(), {units_ + quota, units_ + kMostUnits})) return false;
    return take_span({spans_.back().end, spans_.back().end + count}, why);
}

unsigned QuotaUnits::gather(unsigned least, unsigned most, std::string& why) {
    const unsigned quota = quota_in_force();
    if (extend(most, quota, why)) return most;
    unsigned count = 0;
    for (int round = 0; round < kRounds && count < most; ++round) {
        const Room room = room_in(quota);
        if (count + room.units < least || room.units == 0) break;
        const unsigned goal = std::min(most, count + room.units);
        for (const Span& gap : room.gaps) {
            if (count == goal) break;
            const Span span = place_in(gap, goal - count);
            // Most likely another member was quicker: what is free is another question now.
            if (!take_span(span, why)) break;
            count += length(span);
        }
    }
    if (count >= least) return count;
    let_go(count);
    return 0;
}

unsigned QuotaUnits::take(unsigned least, unsigned most, std::string& why) {
    const Turn turn(file_->turn());
    why.clear();
    if (!be_member(why) || least == 0 || least > most) return 0;
    return gather(least, most, why);
}

// The highest ones.
void QuotaUnits::let_go(unsigned count) {
    while (count > 0 && !spans_.empty()) {
        Span& last = spans_.back();
        const unsigned part = std::min(count, length(last));
        unlock(file_->fd(), {units_ + last.end - part, units_ + last.end});
        last.end -= part;
        count -= part;
        if (last.begin == last.end) spans_.pop_back();
    }
}

void QuotaUnits::give_back(unsigned count) {
    const Turn turn(file_->turn());
    std::string why;
    if (!be_member(why)) return;
    const unsigned unlocked = std::min(count, lacking_);
    lacking_ -= unlocked;
    let_go(count - unlocked);
}

QuotaUnits::Usage QuotaUnits::usage() {
    const Turn turn(file_->turn());
    std::string why;
    Usage usage;
    if (!be_member(why)) {
        usage.quota = quota_;
        usage.own = locked() + lacking_;
        return usage;
    }
    scan(file_->fd(), {units_, units_ + kMostUnits}, kBudget,
         [&](const Held& held) { usage.others += length(held.span); });
    usage.quota = quota_in_force();
    usage.own = locked() + lacking_;
    return usage;
}

}  // namespace ration::state
