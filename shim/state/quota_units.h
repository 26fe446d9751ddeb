// One memory quota for all processes of a scope, counted in units, each a lock: what a process had
// taken is free again when it ends, however it ends.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "shim/state/lock_file.h"
#include "shim/state/locks.h"

namespace ration::state {

inline constexpr std::uint64_t kBytesOfUnit = std::uint64_t{2} << 20;
inline constexpr unsigned kMostUnits = 1u << 20;  // 2 TiB

// One object for each device of a process that shares a quota. A forked child holds nothing of its
// parent's and counts anew. Nothing here changes signals, starts a thread or throws but
// std::bad_alloc. A take or give-back is a handful of system calls, so it is worth taking units in
// batches; none of them waits for another process.
//
// Members that were given different quotas: while a member with a smaller one lives, its quota
// holds for all; what others have taken beyond it they keep, and get no more.
class QuotaUnits {
  public:
    // `scope` is a key (scope.h), `quota` in units, rounded down by the caller and at most
    // kMostUnits. Null and a reason (one line, without "ration: ") if the lock file cannot be used.
    static std::unique_ptr<QuotaUnits> open(const LockPlace& place, std::string_view uuid,
                                            std::string_view scope, unsigned quota,
                                            std::string& why);
    ~QuotaUnits();
    QuotaUnits(const QuotaUnits&) = delete;
    QuotaUnits& operator=(const QuotaUnits&) = delete;

    // Takes as many units as there are, at most `most`; none, and 0, if there are fewer than
    // `least`. `why` is empty if the quota is used up, else it says what went wrong. Two members
    // that reach for the last units at once may both be refused.
    unsigned take(unsigned least, unsigned most, std::string& why);
    // At most what is held.
    void give_back(unsigned count);

    struct Usage {
        unsigned quota = 0;   // in force: the smallest of the living members
        unsigned own = 0;     // taken by this process
        unsigned others = 0;  // by the other members. Too small only where somebody locked more
                              // than 8,000 separate pieces
    };
    Usage usage();

  private:
    QuotaUnits(std::unique_ptr<LockFile> file, std::string_view scope, unsigned quota);
    bool be_member(std::string& why);
    unsigned quota_in_force() const;
    struct Room {
        std::vector<Span> gaps;  // free units by their number, the longest first
        unsigned units = 0;      // that may be taken of them
    };
    Room room_in(unsigned quota) const;
    unsigned gather(unsigned least, unsigned most, std::string& why);
    bool extend(unsigned count, unsigned quota, std::string& why);
    bool take_span(Span span, std::string& why);
    unsigned locked() const;
    void let_go(unsigned count);

    const std::unique_ptr<LockFile> file_;
    const std::int64_t units_;  // the byte of unit 0
    const unsigned quota_;
    std::uint32_t generation_ = 0;  // of the process that is a member; 0: none yet
    std::vector<Span> spans_;  // of units that this process has locked, by their number, sorted
    unsigned lacking_ = 0;     // held, but not locked any more since the locks were lost
};

}  // namespace ration::state
