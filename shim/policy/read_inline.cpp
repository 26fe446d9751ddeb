#include <algorithm>

#include "shim/policy/amount.h"
#include "shim/policy/read.h"
#include "shim/policy/wording.h"

namespace ration::policy {
namespace {

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
        const bool several =
            !options_.share.empty() + !options_.cu.empty() + !options_.cu_mask.empty() > 1;
        const bool number =
            !options_.share.empty() || !options_.cu.empty() || !options_.cu_mask.empty();
        const bool beside = number || !options_.memory.empty() || !options_.device.empty();
        if (several) {
            problem(options_.cu_mask.empty() ? "--cu" : "--cu-mask",
                    "beside another size; allowed: one of --share, --cu and --cu-mask");
        }
        if (!options_.mig.empty() && beside) {
            problem("--mig",
                    "beside another limit; allowed: --mig alone, as a MIG instance is a "
                    "device with a size of its own");
        }
        if (options_.mig.empty() && !beside) {
            problem(
                options_.name.empty() ? "ration run" : "--name",
                "nothing to limit; allowed: --share, --cu, --cu-mask, --memory, --device or --mig");
        }
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
