#include <algorithm>

#include "shim/policy/amount.h"
#include "shim/policy/draft.h"
#include "shim/policy/read.h"
#include "shim/policy/wording.h"

namespace ration::policy {
namespace {

// Options that are read as the key of a partition is.
struct AsKey {
    const char* key;
    const char* option;
    std::string Inline::*value;
    Value::Kind kind;
};
constexpr AsKey kAsKeys[] = {
    {"sm", "--sm", &Inline::sm, Value::Kind::kInteger},
    {"sm_groups", "--sm-groups", &Inline::sm_groups, Value::Kind::kString},
    {"mechanism", "--green", &Inline::mechanism, Value::Kind::kString},
    {"granularity", "--granularity", &Inline::granularity, Value::Kind::kString},
    {"exclusive", "--exclusive", &Inline::exclusive, Value::Kind::kBoolean},
    {"wait", "--wait", &Inline::wait, Value::Kind::kString},
    {"scope", "--scope", &Inline::scope, Value::Kind::kString},
};

// Where text is not of the kind it stays a string, which the key's reader refuses.
Value value_of(const std::string& text, Value::Kind kind) {
    Value value;
    value.kind = Value::Kind::kString;
    value.text = text;
    const auto number = parse_unsigned(text);
    if (kind == Value::Kind::kInteger && number) {
        value.kind = kind;
        value.integer = *number;
    } else if (kind == Value::Kind::kBoolean && (text == "1" || text == "0")) {
        value.kind = kind;
        value.boolean = text == "1";
    }
    return value;
}

constexpr const char* kSizes = "--share, --sm, --sm-groups, --cu and --cu-mask";

class InlineReader {
  public:
    explicit InlineReader(const Inline& options) : options_(options) {}

    Loaded read() {
        partition_.name = "partition." + (options_.name.empty() ? "run" : options_.name);
        partition_.place.file = "the command line";
        take("--share", options_.share, partition_.share, parse_share);
        take("--cu", options_.cu, partition_.cu, parse_cu);
        take("--cu-mask", options_.cu_mask, partition_.cu_mask, parse_cu_mask);
        take("--memory", options_.memory, partition_.memory, parse_memory);
        take("--mig", options_.mig, partition_.mig, parse_mig);
        for (const AsKey& row : kAsKeys) take_as_key(row);
        read_devices();
        check();
        publish();
        return std::move(loaded_);
    }

  private:
    void problem(const char* option, std::string text) {
        loaded_.problems.push_back({{option, 0, 0}, std::move(text)});
    }

    template <typename T>
    void take(const char* option, const std::string& text, std::optional<T>& to,
              Reading<T> (*parse)(std::string_view)) {
        if (text.empty()) return;
        Reading<T> reading = parse(text);
        if (!reading.value) problem(option, std::move(reading.error));
        to = std::move(reading.value);
    }

    void take_as_key(const AsKey& row) {
        if ((options_.*row.value).empty()) return;
        const std::string option = row.option;
        Report report(option, loaded_.problems);
        find_partition_key(row.key)->read(row.key, value_of(options_.*row.value, row.kind),
                                          partition_, report);
    }

    // "0,2,GPU-..."
    void read_devices() {
        std::string_view rest = options_.device;
        while (!rest.empty()) {
            const std::size_t comma = std::min(rest.find(','), rest.size());
            auto reading = parse_device(rest.substr(0, comma), true);
            if (reading.value) {
                add_device(std::move(*reading.value));
            } else {
                problem("--device", std::move(reading.error) + ", separated by commas");
            }
            const bool last = comma == rest.size();
            rest.remove_prefix(last ? comma : comma + 1);
            if (!last && rest.empty()) problem("--device", "ends in a comma");
        }
    }

    void add_device(DeviceSelector device) {
        const bool twice =
            std::any_of(partition_.devices.begin(), partition_.devices.end(),
                        [&](const DeviceSelector& other) { return other.text == device.text; });
        if (twice) problem("--device", quote(device.text) + " is named twice");
        partition_.devices.push_back(std::move(device));
    }

    void check() {
        if (!options_.name.empty() && !is_name(options_.name)) {
            problem("--name", quote(options_.name) + "; allowed: " + kNameAllowed);
        }
        check_sizes();
        if (!loaded_.problems.empty()) return;
        // A place is the number of a row here.
        Diagnostics mistakes;
        const std::string nowhere;
        Report report(nowhere, mistakes);
        check_values(
            partition_, "the options",
            [](const char* key) {
                const auto row = std::find_if(
                    std::begin(kAsKeys), std::end(kAsKeys),
                    [&](const AsKey& each) { return std::string_view(each.key) == key; });
                return Position{static_cast<unsigned>(row - std::begin(kAsKeys)), 0};
            },
            report);
        for (Diagnostic& mistake : mistakes) {
            problem(kAsKeys[mistake.place.line].option, std::move(mistake.text));
        }
    }

    void check_sizes() {
        struct Size {
            const char* option;
            const std::string& text;
        };
        const Size sizes[] = {{"--share", options_.share},
                              {"--sm", options_.sm},
                              {"--sm-groups", options_.sm_groups},
                              {"--cu", options_.cu},
                              {"--cu-mask", options_.cu_mask}};
        const char* first = nullptr;
        for (const Size& size : sizes) {
            if (size.text.empty()) continue;
            if (first != nullptr) {
                problem(size.option,
                        std::string("beside ") + first + "; allowed: one of " + kSizes);
            } else {
                first = size.option;
            }
        }
        const bool how = std::any_of(std::begin(kAsKeys), std::end(kAsKeys), [&](const AsKey& row) {
            return !(options_.*row.value).empty();
        });
        const bool limit = first != nullptr || !options_.memory.empty() || !options_.device.empty();
        if (!options_.mig.empty() && (limit || how)) {
            problem("--mig",
                    "beside another limit; allowed: --mig alone, as a MIG instance is a "
                    "device with a size of its own");
        }
        if (options_.mig.empty() && !limit) {
            problem(first_given(), std::string("nothing to limit; allowed: ") +
                                       "--share, --sm, --sm-groups, --cu, --cu-mask, --memory, "
                                       "--device or --mig");
        }
    }

    const char* first_given() const {
        for (const InlineFlag& flag : kInlineFlags) {
            if (!(options_.*flag.value).empty()) return flag.option;
        }
        return "ration run";
    }

    void publish() {
        Rule rule;
        rule.place = partition_.place;
        rule.use = {Use::Kind::kPartition, partition_.name, partition_.place};
        loaded_.policy.rules.push_back(std::move(rule));
        loaded_.policy.partitions.emplace(partition_.name, partition_);
    }

    const Inline& options_;
    Partition partition_;
    Loaded loaded_;
};

}  // namespace

Loaded read_inline(const Inline& options) {
    try {
        return InlineReader(options).read();
    } catch (...) {  // nothing but a want of memory throws
        Loaded failed;
        failed.problems.push_back({{}, "no memory to read the flags"});
        return failed;
    }
}

}  // namespace ration::policy
