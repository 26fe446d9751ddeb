#include "shim/policy/subject.h"

#include <sys/auxv.h>
#include <unistd.h>

#include <atomic>
#include <climits>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <string_view>

#include "shim/host/file.h"

namespace ration::policy {
namespace {

using host::read_file;

// The kernel allows a quarter of the stack limit; 6 MiB are its usual most.
constexpr std::size_t kLongestCommandLine = std::size_t{8} << 20U;
constexpr std::size_t kLongestCgroups = std::size_t{64} << 10U;
constexpr std::size_t kLongestHost = 256;

std::string resolved(const char* path) {
    if (path == nullptr) return {};
    const std::unique_ptr<char, void (*)(void*)> real(realpath(path, nullptr), std::free);
    return real ? std::string(real.get()) : std::string(path);
}

std::string read_exe() {
    std::string path(PATH_MAX, '\0');
    const ssize_t length = readlink("/proc/self/exe", path.data(), path.size());
    if (length <= 0) {
        // No /proc: what execve was given.
        return resolved(reinterpret_cast<const char*>(getauxval(AT_EXECFN)));
    }
    path.resize(static_cast<std::size_t>(length));
    // The file was replaced, by an upgrade, under the running program (fs/d_path.c).
    constexpr std::string_view kDeleted = " (deleted)";
    if (path.size() > kDeleted.size() && access(path.c_str(), F_OK) != 0 &&
        path.compare(path.size() - kDeleted.size(), kDeleted.size(), kDeleted) == 0) {
        path.resize(path.size() - kDeleted.size());
    }
    return path;
}

std::vector<std::string> read_arguments() {
    std::vector<std::string> out;
    const auto file = read_file("/proc/self/cmdline", kLongestCommandLine);
    if (!file || file->text.empty()) {
        out.emplace_back(program_invocation_name);
        return out;
    }
    const std::string_view text = file->text;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = std::min(text.find('\0', at), text.size());
        out.emplace_back(text.substr(at, end - at));
        at = end + 1;
    }
    return out;
}

std::string read_cgroup() {
    const auto file = read_file("/proc/self/cgroup", kLongestCgroups);
    return file ? cgroup_of(file->text) : std::string();
}

std::string read_host() {
    char name[kLongestHost] = {};
    if (gethostname(name, sizeof name - 1) != 0) return {};
    return name;
}

std::vector<gid_t> read_groups() {
    std::vector<gid_t> out;
    const int count = getgroups(0, nullptr);
    if (count > 0) {
        out.resize(static_cast<std::size_t>(count));
        const int got = getgroups(count, out.data());
        out.resize(static_cast<std::size_t>(got > 0 ? got : 0));
    }
    out.push_back(getegid());
    return out;
}

class ThisProcess final : public Subject {
  public:
    ThisProcess() : pid_(getpid()) {}

    const std::string& exe() const override { return once(exe_, read_exe); }
    const std::string& script() const override {
        return once(script_, [this] { return script_of(exe(), arguments()); });
    }
    const std::string& argv() const override {
        return once(argv_, [this] {
            std::string joined;
            for (const std::string& argument : arguments()) {
                if (&argument != &arguments().front()) joined += ' ';
                joined += argument;
            }
            return joined;
        });
    }
    std::optional<std::string> env(const std::string& name) const override {
        const char* value = getenv(name.c_str());
        return value == nullptr ? std::nullopt : std::optional<std::string>(value);
    }
    uid_t uid() const override { return geteuid(); }
    const std::vector<gid_t>& groups() const override { return once(groups_, read_groups); }
    const std::string& cgroup() const override { return once(cgroup_, read_cgroup); }
    const std::string& host() const override { return once(host_, read_host); }

    pid_t pid() const { return pid_; }

  private:
    // std::call_once would need thread-local storage of libstdc++. The mutex is recursive because
    // the script is made from the executable and the arguments.
    template <typename T, typename Make>
    const T& once(std::optional<T>& slot, Make make) const {
        const std::lock_guard<std::recursive_mutex> lock(mutex_);
        if (!slot) slot = make();
        return *slot;
    }
    const std::vector<std::string>& arguments() const { return once(arguments_, read_arguments); }

    pid_t pid_;
    mutable std::recursive_mutex mutex_;
    mutable std::optional<std::string> exe_, script_, argv_, cgroup_, host_;
    mutable std::optional<std::vector<std::string>> arguments_;
    mutable std::optional<std::vector<gid_t>> groups_;
};

std::atomic<const ThisProcess*> current{nullptr};

}  // namespace

std::string cgroup_of(std::string_view text) {
    std::string_view first;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        const std::string_view line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        // ID:CONTROLLERS:PATH; version 2 is "0::PATH".
        if (line.substr(0, 3) == "0::") return std::string(line.substr(3));
        const std::size_t colon = line.find(':');
        if (colon == std::string_view::npos) continue;
        const std::size_t path = line.find(':', colon + 1);
        if (path != std::string_view::npos && first.empty()) first = line.substr(path + 1);
    }
    return std::string(first);
}

// After a fork the answers are new ones (the child may have been moved to another cgroup), and so
// is the mutex, which another thread may have held. What is replaced stays: somebody may look at
// it.
const Subject& this_process() {
    const ThisProcess* known = current.load(std::memory_order_acquire);
    if (known != nullptr && known->pid() == getpid()) return *known;
    auto fresh = std::make_unique<ThisProcess>();
    if (current.compare_exchange_strong(known, fresh.get(), std::memory_order_acq_rel)) {
        return *fresh.release();
    }
    return *known;
}

}  // namespace ration::policy
