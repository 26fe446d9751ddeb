#include "shim/cuda/totals.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <charconv>
#include <string_view>

#include "shim/policy/amount.h"
#include "shim/state/quiet_signals.h"

namespace ration::cuda {
namespace {

constexpr std::size_t kLongest = 4096;  // a node has at most a few dozen devices

std::string file_in(const std::string& folder) { return folder + "/devices"; }

bool trusted(int descriptor) {
    struct stat status {};
    return fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode) &&
           status.st_uid == geteuid() && (status.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

std::string read_all(const std::string& file) {
    const int descriptor = open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (descriptor < 0) return "";
    std::string text(kLongest, '\0');
    const ssize_t size = trusted(descriptor) ? read(descriptor, text.data(), text.size()) : 0;
    close(descriptor);
    text.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
    return text;
}

void add_line(std::string_view line, Totals& totals) {
    const std::size_t blank = line.find(' ');
    if (blank == std::string_view::npos) return;
    const std::string_view number = line.substr(blank + 1);
    unsigned sms = 0;
    const auto parsed = std::from_chars(number.data(), number.data() + number.size(), sms);
    const bool whole = parsed.ec == std::errc{} && parsed.ptr == number.data() + number.size();
    if (whole && sms > 0 && sms <= policy::kMostSms)
        totals[std::string(line.substr(0, blank))] = sms;
}

}  // namespace

Totals load_totals(const std::string& folder) {
    Totals totals;
    const std::string text = read_all(file_in(folder));
    std::string_view rest = text;
    for (std::size_t end = rest.find('\n'); end != std::string_view::npos; end = rest.find('\n')) {
        add_line(rest.substr(0, end), totals);
        rest.remove_prefix(end + 1);
    }
    return totals;
}

void store_totals(const std::string& folder, const Totals& totals) {
    std::string text;
    for (const auto& [uuid, sms] : totals) text += uuid + " " + std::to_string(sms) + "\n";
    if (text.size() > kLongest) return;
    const std::string fresh = file_in(folder) + "." + std::to_string(getpid());
    // Left behind by a process of this id that was killed in between.
    unlink(fresh.c_str());
    const int descriptor =
        open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (descriptor < 0) return;
    const state::QuietSignals guard;
    const bool written =
        write(descriptor, text.data(), text.size()) == static_cast<ssize_t>(text.size());
    close(descriptor);
    if (!written || rename(fresh.c_str(), file_in(folder).c_str()) != 0) unlink(fresh.c_str());
}

}  // namespace ration::cuda
