#include "shim/policy/draft.h"
#include "shim/policy/glob.h"

namespace ration::policy {
namespace {

constexpr const char* kGlobAllowed = "a glob such as \"*/python3*\", or an array of globs";
constexpr unsigned kLargestId = 4294967294U;  // (uid_t)-1 means "none"

void read_globs(const std::string& key, const Value& value, std::vector<std::string>& to,
                Report& report) {
    for_each_item(key, value, report, [&](const Value& item) {
        if (item.kind != Value::Kind::kString) return report.wrong_type(key, item, kGlobAllowed);
        const std::string mistake = glob_mistake(item.text);
        if (!mistake.empty()) report.add(item.where, key + ' ' + mistake);
        to.push_back(item.text);
    });
}

// Users and groups: names, or numbers with or without quotation marks.
void read_names(const std::string& key, const Value& value, std::vector<std::string>& to,
                Report& report) {
    for_each_item(key, value, report, [&](const Value& item) {
        if (item.kind == Value::Kind::kInteger) {
            const unsigned number = read_integer(key, item, 0, kLargestId, report);
            to.push_back(std::to_string(number));
        } else if (item.kind != Value::Kind::kString) {
            report.wrong_type(key, item, "a name, a number, or an array of them");
        } else if (item.text.empty()) {
            report.add(item.where, key + " \"\" is no name; allowed: a name or a number");
        } else {
            to.push_back(item.text);
        }
    });
}

void read_env(const std::string& key, const Value& value, Rule& to, Report& report) {
    const char* allowed = "{ NAME = \"glob\" }, or with an array of globs";
    if (value.kind != Value::Kind::kTable) return report.wrong_type(key, value, allowed);
    if (value.entries.empty()) {
        report.add(value.where, std::string("env is an empty table; allowed: ") + allowed);
    }
    for (const Entry& entry : value.entries) {
        if (entry.key.empty() || entry.key.find('=') != std::string::npos) {
            report.add(entry.where, quote(entry.key) + " cannot be the name of a variable");
        }
        auto& [name, globs] = to.match.env.emplace_back();
        name = entry.key;
        read_globs(key + '.' + one_line(entry.key, 64), entry.value, globs, report);
    }
}

void read_rule_use(const std::string& key, const Value& value, Rule& to, Report& report) {
    if (auto use = read_use(key, value, report)) to.use = std::move(*use);
}

void read_may_use(const std::string& key, const Value& value, Rule& to, Report& report) {
    for_each_item(key, value, report, [&](const Value& item) {
        if (auto use = read_use(key, item, report)) to.may_use.push_back(std::move(*use));
    });
}

void read_rule_on_error(const std::string& key, const Value& value, Rule& to, Report& report) {
    const int index = read_word(key, value, {"fail", "warn"}, report);
    if (index >= 0) to.on_error = index == 0 ? OnError::kFail : OnError::kWarn;
}

void read_rule_scope(const std::string& key, const Value& value, Rule& to, Report& report) {
    to.scope = read_scope(key, value, report);
    to.scope_place = report.place(value.where);
}

template <std::vector<std::string> Match::*kMember>
void globs(const std::string& key, const Value& value, Rule& to, Report& report) {
    read_globs(key, value, to.match.*kMember, report);
}

template <std::vector<std::string> Match::*kMember>
void names(const std::string& key, const Value& value, Rule& to, Report& report) {
    read_names(key, value, to.match.*kMember, report);
}

constexpr Key<Rule> kKeys[] = {
    {"exe", globs<&Match::exe>},
    {"script", globs<&Match::script>},
    {"argv", globs<&Match::argv>},
    {"env", read_env},
    {"user", names<&Match::user>},
    {"group", names<&Match::group>},
    {"cgroup", globs<&Match::cgroup>},
    {"host", globs<&Match::host>},
    {"use", read_rule_use},
    {"may_use", read_may_use},
    {"on_error", read_rule_on_error},
    {"scope", read_rule_scope},
};

}  // namespace

std::optional<Use> read_use(const std::string& key, const Value& value, Report& report) {
    using Kind = Use::Kind;
    if (value.kind != Value::Kind::kString) {
        report.wrong_type(key, value, kUseAllowed);
        return std::nullopt;
    }
    const std::string& text = value.text;
    const Place place = report.place(value.where);
    if (text == "ignore") return Use{Kind::kIgnore, {}, place};
    if (text == "deny") return Use{Kind::kDeny, {}, place};
    // A name without "partition." or "pool." is looked up too: the answer suggests the full one.
    return Use{text.rfind("pool.", 0) == 0 ? Kind::kPool : Kind::kPartition, text, place};
}

void read_rules(const std::string& key, const Value& value, Draft& draft, Report& report) {
    const char* allowed = "[[rule]] before each rule";
    if (value.kind != Value::Kind::kArray) return report.wrong_type(key, value, allowed);
    std::vector<Rule>& rules = draft.policy.rules;
    rules.reserve(rules.size() + value.items.size());
    for (const Value& item : value.items) {
        if (item.kind != Value::Kind::kTable) {
            report.wrong_type(key, item, allowed);
            continue;
        }
        Rule rule;
        rule.place = report.place(item.where);
        read_table(item, "[[rule]]", kKeys, rule, report);
        if (find_entry(item, "use") == nullptr) {
            report.add(item.where,
                       std::string("a rule without use; allowed: use = ") + kUseAllowed);
        }
        rules.push_back(std::move(rule));
    }
}

}  // namespace ration::policy
