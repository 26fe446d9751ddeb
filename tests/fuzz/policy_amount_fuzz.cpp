// The small languages: a value within its bounds, or an error of one line.
#include <strings.h>

#include <string>

#include "shim/policy/amount.h"
#include "shim/policy/subject.h"
#include "shim/policy/wording.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace ration::policy;

template <typename T>
const T* value_of(const Reading<T>& reading) {
    require(reading.value.has_value() == reading.error.empty(), "a value or an error");
    require(reading.error.find('\n') == std::string::npos, "an error is one line");
    return reading.value ? &*reading.value : nullptr;
}

// UUIDs are read in small letters.
bool same_but_for_case(std::string_view one, std::string_view other) {
    return one.size() == other.size() && strncasecmp(one.data(), other.data(), one.size()) == 0;
}

// Arguments of a command line, one a line.
std::vector<std::string> lines_of(std::string_view text) {
    std::vector<std::string> out;
    for (std::size_t at = 0; at <= text.size();) {
        const std::size_t end = std::min(text.find('\n', at), text.size());
        out.emplace_back(text.substr(at, end - at));
        at = end + 1;
    }
    return out;
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto share = parse_share(text);
    if (const double* percent = value_of(share)) {
        require(*percent > 0 && *percent <= 100, "share range");
    }
    const auto memory = parse_memory(text);
    if (const Memory* amount = value_of(memory)) {
        const auto* bytes = std::get_if<std::uint64_t>(&amount->amount);
        require(bytes == nullptr || (*bytes >= 1U << 20U && *bytes <= 1ULL << 50U), "size range");
    }
    for (const bool bare : {false, true}) {
        const auto device = parse_device(text, bare);
        if (const DeviceSelector* selector = value_of(device)) {
            require(selector->index <= kMaxDeviceIndex && same_but_for_case(selector->text, text),
                    "device");
        }
    }
    const auto mig = parse_mig(text);
    if (const std::string* instance = value_of(mig))
        require(same_but_for_case(*instance, text), "mig");
    const auto engines = parse_cu_mask(text);
    if (const EngineMasks* masks = value_of(engines)) {
        require(!masks->empty() && masks->rbegin()->first <= kMaxEngine, "engines of a mask");
    }

    const std::string quoted = quote(text);
    require(quoted.size() <= 4 * 60 + 5, "a quotation is short");
    require(nearest(text, {"share", "memory"}).size() <= 6, "a suggestion is a candidate");
    for (const char* exe : {"/usr/bin/python3", "/bin/bash", "/usr/bin/julia", "/usr/bin/perl"}) {
        std::vector<std::string> arguments = lines_of(text);
        arguments.insert(arguments.begin(), exe);
        script_of(exe, arguments);
    }
    return 0;
}
