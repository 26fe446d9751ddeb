#include "shim/policy/read.h"

#include <algorithm>

#include "shim/policy/draft.h"

namespace ration::policy {
namespace {

constexpr std::int64_t kSchema = 1;
constexpr std::size_t kNamesShown = 16;
constexpr std::size_t kMostCompared = 1000;

struct Defaults {
    OnError on_error = OnError::kFail;
    std::optional<Use> no_match;
};

void read_on_error(const std::string& key, const Value& value, Defaults& to, Report& report) {
    if (read_word(key, value, {"fail", "warn"}, report) == 1) to.on_error = OnError::kWarn;
}

void read_no_match(const std::string& key, const Value& value, Defaults& to, Report& report) {
    to.no_match = read_use(key, value, report);
}

constexpr Key<Defaults> kDefaultsKeys[] = {
    {"on_error", read_on_error},
    {"no_match", read_no_match},
};

void read_defaults(const std::string& key, const Value& value, Draft& draft, Report& report) {
    if (value.kind != Value::Kind::kTable) return report.wrong_type(key, value, "[defaults]");
    Defaults defaults;
    read_table(value, "[defaults]", kDefaultsKeys, defaults, report);
    if (draft.defaults) {
        report.add(value.where, "[defaults] is in " + format(*draft.defaults) +
                                    " already; allowed: one [defaults] in all files");
        return;
    }
    draft.defaults = report.place(value.where);
    draft.policy.on_error = defaults.on_error;
    draft.has_no_match = find_entry(value, "no_match") != nullptr;
    if (defaults.no_match) draft.policy.no_match = *defaults.no_match;
}

void read_locked(const std::string& key, const Value& value, Draft& draft, Report& report) {
    if (!read_boolean(key, value, report)) return;
    if (!draft.site) {
        report.add(value.where,
                   "locked = true outside of a site file; allowed: in /etc/ration and "
                   "/run/ration/policy.d");
        return;
    }
    draft.policy.locked = true;
    draft.locks.push_back(report.place(value.where));
}

void skip_schema(const std::string& /*key*/, const Value& /*value*/, Draft& /*draft*/,
                 Report& /*report*/) {}

constexpr Key<Draft> kTopKeys[] = {
    {"schema", skip_schema},  // read before all others
    {"locked", read_locked}, {"defaults", read_defaults}, {"partition", read_partitions},
    {"pool", read_pools},    {"rule", read_rules},
};

// Whether the file is written in the language that we know; other mistakes are noise if it is not.
bool check_schema(const Value& root, Report& report) {
    const Entry* schema = find_entry(root, "schema");
    if (schema == nullptr) {
        report.add({1, 1}, "schema is missing; allowed: schema = 1, before the first table");
        return true;
    }
    const Value& value = schema->value;
    if (value.kind != Value::Kind::kInteger) {
        report.wrong_type("schema", value, "1");
        return true;
    }
    if (value.integer == kSchema) return true;
    report.add(value.where, "schema " + std::to_string(value.integer) +
                                " is unknown to ration " RATION_VERSION "; allowed: 1");
    return false;
}

// For a text with mistakes: whether it may have been meant to lock. A slip of the pen must not open
// what its writer closed.
bool may_lock(std::string_view text, const std::optional<Value>& root) {
    const Entry* locked = root ? find_entry(*root, "locked") : nullptr;
    if (locked != nullptr && locked->value.kind == Value::Kind::kBoolean) {
        return locked->value.boolean;
    }
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = std::min(text.find('\n', at), text.size());
        const std::string_view line = text.substr(at, end - at);
        if (line.substr(0, line.find('#')).find("locked") != std::string_view::npos) return true;
        at = end + 1;
    }
    return false;
}

void read_source(const Source& source, Draft& draft) {
    draft.policy.files.push_back(source.file);
    draft.site = source.site;
    Report report(source.file, draft.problems);
    const std::size_t before = report.count();
    if (source.site && !source.weakness.empty()) {
        report.add({}, "the file " + source.weakness + "; " + kRootAlone);
    }
    const auto root = parse_document(source.file, source.text, draft.problems);
    if (root && check_schema(*root, report)) {
        read_table(*root, "the policy", kTopKeys, draft, report);
    } else {
        draft.incomplete = true;
    }
    const bool broken = report.count() != before;
    if (source.site && broken && may_lock(source.text, root)) draft.policy.locked = true;
}

bool defined(const Policy& policy, const std::string& name) {
    return policy.partitions.count(name) != 0 || policy.pools.count(name) != 0;
}

// Names that a `use` may have, as far as messages show them.
class UseNames {
  public:
    explicit UseNames(const Policy& policy) : policy_(policy), all_{"ignore", "deny"} {
        for (const auto& [name, partition] : policy.partitions) all_.push_back(name);
        for (const auto& [name, pool] : policy.pools) all_.push_back(name);
        shown_ = all_;
        if (shown_.size() > kNamesShown) {
            shown_.resize(kNamesShown);
            shown_.emplace_back("...");
        }
    }

    std::string shown() const { return join(shown_); }

    // A suggestion costs a comparison with every name: text made to be slow gets none.
    std::string hint(const std::string& name, std::size_t problems) const {
        for (const char* kind : {"partition.", "pool."}) {
            if (defined(policy_, kind + name)) {
                return " (did you mean \"" + (kind + name) + "\"?)";
            }
        }
        const bool affordable = all_.size() <= kMostCompared && problems <= kMostCompared;
        return affordable ? suggestion(name, all_) : std::string();
    }

  private:
    const Policy& policy_;
    std::vector<std::string> all_, shown_;
};

void check_use(const char* key, const Use& use, const UseNames& names, Draft& draft) {
    if (use.kind == Use::Kind::kIgnore || use.kind == Use::Kind::kDeny) return;
    if (defined(draft.policy, use.name)) return;
    draft.problems.push_back({use.place, key + (' ' + quote(use.name)) + " is not defined" +
                                             names.hint(use.name, draft.problems.size()) +
                                             "; allowed: " + names.shown()});
}

std::string partition_mistake(Scope scope, const Partition& partition) {
    const std::string mistake = scope_mistake(scope, partition);
    return mistake.empty() ? mistake : "scope of a rule for " + partition.name + mistake;
}

// Why processes that `use` sends somewhere cannot share it, for the first slot of which it is so.
std::string use_mistake(Scope scope, const Use& use, const Policy& policy) {
    const auto partition = policy.partitions.find(use.name);
    if (partition != policy.partitions.end()) return partition_mistake(scope, partition->second);
    const auto pool = policy.pools.find(use.name);
    if (pool == policy.pools.end()) return {};
    for (const Partition& slot : pool->second.slots) {
        const std::string mistake = partition_mistake(scope, slot);
        if (!mistake.empty()) return mistake;
    }
    return {};
}

bool gives(const Use& use) {
    return use.kind == Use::Kind::kPartition || use.kind == Use::Kind::kPool;
}

void check_rule_scope(const Rule& rule, Draft& draft) {
    if (!rule.scope) return;
    std::vector<const Use*> uses{&rule.use};
    for (const Use& use : rule.may_use) uses.push_back(&use);
    if (std::none_of(uses.begin(), uses.end(), [](const Use* use) { return gives(*use); })) {
        draft.problems.push_back({rule.scope_place,
                                  "scope of a rule that gives nothing to share; allowed: with a "
                                  "partition or a pool in use or may_use"});
    }
    for (const Use* use : uses) {
        const std::string mistake = use_mistake(*rule.scope, *use, draft.policy);
        if (!mistake.empty()) draft.problems.push_back({rule.scope_place, mistake});
    }
}

// What can be said only when every source has been read.
void check_whole(Draft& draft) {
    if (draft.incomplete) return;
    const UseNames names(draft.policy);
    check_use("no_match", draft.policy.no_match, names, draft);
    for (const Rule& rule : draft.policy.rules) {
        check_use("use", rule.use, names, draft);
        for (const Use& use : rule.may_use) check_use("may_use", use, names, draft);
        check_rule_scope(rule, draft);
    }
    if (draft.has_no_match) return;
    for (const Place& place : draft.locks) {
        draft.problems.push_back({place, std::string("locked = true without no_match; allowed: "
                                                     "with no_match in [defaults]: ") +
                                             kUseAllowed});
    }
}

// In the order of the text; the same mistake of several slots once.
void sort(Diagnostics& problems, const std::vector<std::string>& files) {
    std::map<std::string, std::size_t> order;
    for (const std::string& file : files) order.emplace(file, order.size());
    const auto key = [&](const Diagnostic& d) {
        return std::tuple(order[d.place.file], d.place.line, d.place.column);
    };
    std::stable_sort(problems.begin(), problems.end(),
                     [&](const Diagnostic& a, const Diagnostic& b) { return key(a) < key(b); });
    const auto same = [](const Diagnostic& a, const Diagnostic& b) {
        return a.text == b.text && a.place.file == b.place.file && a.place.line == b.place.line &&
               a.place.column == b.place.column;
    };
    problems.erase(std::unique(problems.begin(), problems.end(), same), problems.end());
}

Loaded read_all(const std::vector<Source>& sources) {
    Draft draft;
    for (const Source& source : sources) read_source(source, draft);
    check_whole(draft);
    sort(draft.problems, draft.policy.files);
    return {std::move(draft.policy), std::move(draft.problems)};
}

}  // namespace

Loaded read(const std::vector<Source>& sources) {
    try {
        return read_all(sources);
    } catch (...) {  // nothing but a want of memory throws
        Loaded failed;
        failed.policy.locked = std::any_of(sources.begin(), sources.end(),
                                           [](const Source& source) { return source.site; });
        failed.problems.push_back({{}, "no memory to read the policy"});
        return failed;
    }
}

}  // namespace ration::policy
