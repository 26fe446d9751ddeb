#include "shim/policy/decide.h"

#include <algorithm>

#include "shim/policy/glob.h"
#include "shim/policy/wording.h"

namespace ration::policy {
namespace {

constexpr const char* kChoiceVariable = "RATION_USE";

std::string name_of(const Use& use) {
    if (use.kind == Use::Kind::kIgnore) return "ignore";
    if (use.kind == Use::Kind::kDeny) return "deny";
    return use.name;
}

std::string words(const std::vector<const char*>& names) {
    return join(std::vector<std::string>(names.begin(), names.end()));
}

class Decider {
  public:
    Decider(const Policy& policy, const Subject& subject) : policy_(policy), subject_(subject) {}

    Decision decide() {
        Names names;
        const auto rule = std::find_if(
            policy_.rules.begin(), policy_.rules.end(),
            [&](const Rule& candidate) { return matches(candidate.match, subject_, names); });
        const Use* use = &policy_.no_match;
        decision_.on_error = policy_.on_error;
        decision_.place = use->place;
        if (rule != policy_.rules.end()) {
            use = &rule->use;
            decision_.rule = &*rule;
            decision_.on_error = rule->on_error.value_or(policy_.on_error);
            decision_.place = rule->place;
        }
        if (const Use* chosen = choose(*use)) apply(*chosen);
        set_scope();
        return std::move(decision_);
    }

  private:
    // What a process says of itself is no want of a share that on_error may forgive: by a wrong
    // RATION_USE or rank it would free itself.
    void fail(std::string text) {
        decision_.kind = Decision::Kind::kError;
        decision_.on_error = OnError::kFail;
        decision_.error = std::move(text);
    }

    void set_scope() {
        const Rule* const rule = decision_.rule;
        if (rule != nullptr && rule->scope) decision_.partition.scope = *rule->scope;
        if (decision_.partition.scope != Scope::kCgroup) return;
        const std::vector<std::string> none;
        decision_.partition.scope_cgroup =
            scope_cgroup(rule == nullptr ? none : rule->match.cgroup, subject_.cgroup());
    }

    // What RATION_USE makes of the rule's use; nullptr after an error.
    const Use* choose(const Use& use) {
        const auto wanted = subject_.env(kChoiceVariable);
        if (!wanted || wanted->empty() || *wanted == name_of(use)) return &use;
        const std::string asked = kChoiceVariable + ('=' + one_line(*wanted, 60));
        if (decision_.rule == nullptr) {
            fail(asked + ", but no rule of the policy matches this process: unset " +
                 kChoiceVariable);
            return nullptr;
        }
        std::vector<std::string> offered{name_of(use)};
        for (const Use& option : decision_.rule->may_use) {
            if (*wanted == name_of(option)) {
                decision_.chosen_by = kChoiceVariable;
                return &option;
            }
            offered.push_back(name_of(option));
        }
        if (offered.size() == 1) {
            fail(asked + ", but the policy offers no choice here, only " + offered.front() +
                 ": unset " + kChoiceVariable);
        } else {
            fail(asked + " is not offered: set it to one of " + join(offered));
        }
        return nullptr;
    }

    void apply(const Use& use) {
        switch (use.kind) {
            case Use::Kind::kIgnore:
                decision_.kind = Decision::Kind::kIgnore;
                return;
            case Use::Kind::kDeny:
                decision_.kind = Decision::Kind::kDeny;
                return;
            case Use::Kind::kPartition: {
                const auto found = policy_.partitions.find(use.name);
                if (found == policy_.partitions.end()) return undefined(use);
                return grant(found->second);
            }
            case Use::Kind::kPool: {
                const auto found = policy_.pools.find(use.name);
                if (found == policy_.pools.end()) return undefined(use);
                return take_slot(found->second);
            }
        }
    }

    void undefined(const Use& use) { fail(use.name + " is not defined by the policy"); }

    void grant(const Partition& partition) {
        decision_.kind = Decision::Kind::kPartition;
        decision_.partition = partition;
    }

    void take_slot(const Pool& pool) {
        decision_.pool = &pool;
        const std::size_t slots = pool.slots.size();
        if (slots == 0) return fail(pool.name + " has no slots");
        const std::string range = slots == 1 ? "0" : "0 to " + std::to_string(slots - 1);
        const auto rank = local_rank(subject_);
        if (!rank) {
            return fail(pool.name + " gives its slots by local rank, and none of " +
                        words({kRankVariables.begin(), kRankVariables.end()}) +
                        " is set: set RATION_RANK (" + range + ")");
        }
        decision_.rank_variable = rank->variable;
        const std::string found = rank->variable + '=' + one_line(rank->text, 60);
        if (!rank->number) {
            return fail(found + " is not a number: " + pool.name + " has the ranks " + range);
        }
        decision_.rank = rank->number;
        if (*rank->number >= slots) {
            return fail(found + ", but " + pool.name + " has " + std::to_string(slots) +
                        (slots == 1 ? " slot" : " slots") + ", ranks " + range +
                        ": give it more slots or start fewer processes");
        }
        grant(pool.slots[*rank->number]);
    }

    const Policy& policy_;
    const Subject& subject_;
    Decision decision_;
};

}  // namespace

std::string scope_cgroup(const std::vector<std::string>& globs, const std::string& cgroup) {
    for (std::size_t end = 0; end < cgroup.size();) {
        end = std::min(cgroup.find('/', end + 1), cgroup.size());
        const std::string above = cgroup.substr(0, end);
        const bool matched = std::any_of(globs.begin(), globs.end(), [&](const std::string& glob) {
            return glob_matches(glob, above);
        });
        if (matched) return above;
    }
    return cgroup;
}

Decision decide(const Policy& policy, const Subject& subject) {
    try {
        return Decider(policy, subject).decide();
    } catch (...) {  // nothing but a want of memory throws
        Decision failed;
        failed.kind = Decision::Kind::kError;
        failed.error = "no memory to decide: retry";
        return failed;
    }
}

}  // namespace ration::policy
