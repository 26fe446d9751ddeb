#include "tests/sim/kfd/faults.h"

#include <cerrno>
#include <charconv>
#include <climits>
#include <iterator>
#include <optional>

#include "tests/sim/node/text.h"

namespace sim::kfd {
namespace {

struct Name {
    const char* name;
    int error;
};
constexpr Name kNames[] = {{"EINVAL", EINVAL}, {"EBUSY", EBUSY},   {"ENOMEM", ENOMEM},
                           {"EINTR", EINTR},   {"EAGAIN", EAGAIN}, {"EFAULT", EFAULT},
                           {"EPERM", EPERM},   {"ENODEV", ENODEV}, {"ENOSPC", ENOSPC}};

std::optional<unsigned long> number(const std::string& text) {
    unsigned long value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

std::optional<int> errno_of(const std::string& text) {
    for (const Name& known : kNames) {
        if (text == known.name) return known.error;
    }
    const auto value = number(text);
    if (!value || *value == 0 || *value > 4095) return std::nullopt;
    return static_cast<int>(*value);
}

// Cuts "MARK NUMBER" off the end of `text`; `otherwise` if there is none, nothing if it is no
// number.
std::optional<unsigned long> cut(std::string& text, char mark, unsigned long otherwise) {
    const auto at = text.find(mark);
    if (at == std::string::npos) return otherwise;
    const auto value = number(text.substr(at + 1));
    text.resize(at);
    return value;
}

}  // namespace

Faults::Faults(const std::string& description) {
    if (description.empty()) return;
    for (const std::string& item : split(description, ',')) {
        if (!add(trim(item))) error_ = "SIM_KFD_FAIL: not IOCTL=ERROR[*COUNT][@FIRST]: " + item;
    }
}

bool Faults::add(const std::string& item) {
    const auto equals = item.find('=');
    if (equals == std::string::npos || equals == 0) return false;
    std::string value = item.substr(equals + 1);
    const auto first = cut(value, '@', 1);
    const auto count = cut(value, '*', ULONG_MAX);
    const auto error = errno_of(value);
    if (!first || *first == 0 || !count || !error) return false;
    faults_.push_back({item.substr(0, equals), *error, *count, *first, 0});
    return true;
}

int Faults::next(const std::string& ioctl) {
    const std::lock_guard lock(mutex_);
    int error = 0;
    for (Fault& fault : faults_) {
        if (fault.ioctl != ioctl) continue;
        const unsigned long call = ++fault.calls;
        if (error == 0 && call >= fault.first && call - fault.first < fault.count) {
            error = fault.error;
        }
    }
    return error;
}

}  // namespace sim::kfd
