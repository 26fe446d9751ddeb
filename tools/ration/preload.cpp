#include "tools/ration/preload.h"

#include <algorithm>
#include <array>
#include <climits>
#include <cstdlib>
#include <filesystem>
#include <string_view>

#include "shim/host/file.h"
#include "tools/ration/failure.h"

namespace ration::tool {
namespace {

namespace fs = std::filesystem;

// The separators of LD_PRELOAD, ld.so(8).
constexpr const char* kSeparators = ": ";

std::vector<std::string> entries_of(const std::string& list) {
    std::vector<std::string> entries;
    for (std::size_t begin = 0; begin < list.size();) {
        const auto end = std::min(list.find_first_of(kSeparators, begin), list.size());
        if (end > begin) {
            entries.push_back(list.substr(begin, end - begin));
        }
        begin = end + 1;
    }
    return entries;
}

std::vector<fs::path> library_candidates() {
    std::error_code error;
    const fs::path folder = fs::read_symlink("/proc/self/exe", error).parent_path();
    // Relative candidates would preload whatever somebody has put into the current folder.
    if (!folder.is_absolute()) {
        throw Failure(kRefused,
                      "cannot read /proc/self/exe, so where libration.so lies is not known: mount "
                      "/proc or set RATION_LIBRARY to its full path");
    }
    const fs::path lib = folder.parent_path() / "lib";
    return {folder / kPreloadFile, lib / RATION_TRIPLET / "ration" / kPreloadFile,
            lib / "ration" / kPreloadFile,
            folder.parent_path() / "lib64" / "ration" / kPreloadFile};
}

std::string found_library() {
    std::error_code error;
    const char* named = getenv("RATION_LIBRARY");
    if (named != nullptr && *named != '\0') {
        if (!fs::is_regular_file(named, error)) {
            throw Failure(kRefused, std::string("RATION_LIBRARY: ") + named + " is no file");
        }
        return fs::absolute(named).string();
    }
    std::string tried;
    for (const fs::path& candidate : library_candidates()) {
        if (fs::is_regular_file(candidate, error)) {
            return candidate.lexically_normal().string();
        }
        tried += (tried.empty() ? "" : ", ") + candidate.parent_path().lexically_normal().string();
    }
    throw Failure(kRefused, "no libration.so in " + tried +
                                "; install ration again or set RATION_LIBRARY to its full path");
}

}  // namespace

std::string library_path() {
    std::string path = found_library();
    // The loader splits at colons and spaces and expands $ORIGIN and its like.
    if (path.find_first_of(": $\n") != std::string::npos) {
        throw Failure(kRefused, path +
                                    ": LD_PRELOAD cannot carry a path with a colon, a space, a"
                                    " dollar sign or a newline; install ration elsewhere");
    }
    return path;
}

bool is_sanitizer_runtime(const std::string& library) {
    static constexpr std::array<std::string_view, 5> kRuntimes{
        "libasan.so", "libtsan.so", "libhwasan.so", "liblsan.so", "libclang_rt."};
    const std::string name(host::base_name(library));
    return std::any_of(kRuntimes.begin(), kRuntimes.end(), [&](std::string_view runtime) {
        return name.compare(0, runtime.size(), runtime) == 0;
    });
}

std::string sanitizer_runtime(const std::vector<std::string>& needed) {
    const auto found = std::find_if(needed.begin(), needed.end(), is_sanitizer_runtime);
    return found == needed.end() ? "" : *found;
}

std::string merge_preload(const std::string& existing, const std::string& library,
                          const std::string& first) {
    std::vector<std::string> entries = entries_of(existing);
    entries.erase(std::remove_if(entries.begin(), entries.end(),
                                 [](const std::string& entry) {
                                     return host::base_name(entry) == kPreloadFile;
                                 }),
                  entries.end());
    auto place = std::find_if(entries.rbegin(), entries.rend(), is_sanitizer_runtime).base();
    if (place == entries.begin() && !first.empty()) {
        place = entries.insert(place, first) + 1;
    }
    entries.insert(place, library);
    std::string result;
    for (const std::string& entry : entries) {
        result += (result.empty() ? "" : ":") + entry;
    }
    return result;
}

}  // namespace ration::tool
