// Node-wide allocation of a device's groups of SMs, by the locks of one file per device.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "shim/state/group_set.h"
#include "shim/state/lock_file.h"
#include "shim/state/locks.h"

namespace ration::state {

// How the driver of this process numbers the device's groups. Live processes must agree on it.
struct Layout {
    std::string driver;           // its version; another container may carry another libcuda
    unsigned split_flags = 0;     // as given to the driver
    std::vector<unsigned> sizes;  // SMs of each group, as the driver gave them; at most kMostGroups
};

struct Ask {
    enum class What {
        kCount,       // any `count` groups
        kNamed,       // those of `named`
        kWhole,       // the whole device; no layout is needed
        kPercentage,  // a percentage of it through MPS, on SMs that nobody knows: no exclusive
                      // partition beside it. Not exclusive, no layout, no scope.
    };
    What what = What::kCount;
    unsigned count = 0;
    GroupSet named;
    unsigned unit = 1;       // of kCount: so many groups are scheduled together
    bool exclusive = false;  // no other live partition of ration on these groups
    std::string scope;       // key (scope.h); "": this process alone
};

// For another process in the middle of taking, which lasts microseconds unless it was stopped there
// (SIGSTOP, a debugger).
inline constexpr std::chrono::milliseconds kLongestTransaction{10000};

struct Taken {
    enum class Outcome {
        kTaken,     // `groups` are this process's (all bits for kWhole, none for kPercentage)
        kBusy,      // others hold them; their end would help
        kMoment,    // another process is in the middle of taking: once more
        kRefused,   // what is asked for cannot be, or contradicts what live processes hold
        kUnusable,  // the lock file cannot be used
    };
    Outcome outcome = Outcome::kUnusable;
    GroupSet groups;
    bool joined = false;  // other members of the scope hold them too
    std::string why;      // unless taken: one line, without "ration: ", that says who is in the way
};

// One object for each device of a process. What it holds ends with the process, however that ends,
// and is not inherited by a forked child, for which the same object holds nothing.
//
// Nothing here changes signals, starts a thread or throws but std::bad_alloc, and nothing waits for
// groups: whoever does asks again (pauses.h). Whoever takes groups
// of several devices asks in the order of their UUIDs, since two that wait for each other both wait
// in vain. No turn is kept among those who wait.
class Groups {
  public:
    // Null and a reason if the lock file cannot be used: a read-only disk, somebody else's file
    // without rights, no descriptor left.
    static std::unique_ptr<Groups> open(const LockPlace& place, std::string_view uuid,
                                        std::string& why);
    ~Groups();
    Groups(const Groups&) = delete;
    Groups& operator=(const Groups&) = delete;

    // Answers what is held already, if something is. The first of a scope takes, later ones join:
    // they must ask for as many (or the same) groups and be as exclusive, else kRefused. One
    // attempt, which sleeps nowhere.
    Taken attempt(const Layout& layout, const Ask& ask);

    // The same, but it sleeps as long as another process is in the middle of taking, for
    // `transaction` at most: never kMoment.
    Taken take(const Layout& layout, const Ask& ask,
               std::chrono::milliseconds transaction = kLongestTransaction);

    // Gives all of it back. Members of the scope keep theirs.
    void release();

    // Is it held still? A program may have closed our descriptor, or opened and closed the lock
    // file, or somebody removed that. Then the same groups are taken once more.
    enum class Standing {
        kHeld,
        kRetaken,  // for a while others could take them
        kLost,     // nothing is held now; `why` says so
        kNothing,  // nothing was held
    };
    Standing standing(std::string& why);

  private:
    struct Hold {
        GroupSet groups;
        Ask ask;
        Layout layout;
        bool joined = false;
    };

    explicit Groups(std::unique_ptr<LockFile> file) : file_(std::move(file)) {}
    Taken transaction(const Layout& layout, const Ask& ask);
    Taken decide(const Layout& layout, const Ask& ask) const;
    Taken join(const Ask& ask, const Held& member) const;
    bool lock_all(const Layout& layout, const Ask& ask, const GroupSet& groups);
    bool be_present();
    void forget_parents();

    const std::unique_ptr<LockFile> file_;
    std::unique_ptr<Hold> hold_;    // what this process has taken
    std::uint32_t generation_ = 0;  // of the process that has taken it
    std::int64_t own_bytes_ = 0;    // of this process in the file (group_bytes.h)
};

// Another live process that holds something of a device.
struct Holder {
    pid_t pid = 0;  // 0 or less: in a PID namespace that this process does not see
    GroupSet groups;
    bool exclusive = false;   // no other partition may use `groups`
    bool whole = false;       // all groups, not exclusively
    bool percentage = false;  // of MPS: on SMs that nobody knows
};

// Who holds what of the device, for messages: makes, changes and waits for nothing. This process
// itself is not listed. Empty and `why` if the file exists but cannot be read.
std::vector<Holder> holders(const LockPlace& place, std::string_view uuid, std::string& why);

// "groups 0-3 held by pid 4711 (python3, uid 1001)"
std::string to_text(const Holder& holder);

}  // namespace ration::state
