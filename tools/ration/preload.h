// Which libration.so is ours, and how it gets into LD_PRELOAD.
#pragma once

#include <string>
#include <vector>

namespace ration::tool {

inline constexpr const char* kPreloadFile = "libration.so";

// Full path of the libration.so that belongs to this executable: RATION_LIBRARY if set, else beside
// the executable (build tree), else ../lib/<triplet>/ration, ../lib/ration or ../lib64/ration of
// its folder (installed). Throws Failure(kRefused) if there is none, or if its path has a character
// that LD_PRELOAD can't carry.
std::string library_path();

// `existing` with `library` in it once: in front, but behind the last sanitizer runtime, which
// insists on being first; if there is none, `first` (a runtime's name, empty for none) goes before
// it. Other entries keep their order; any libration.so that was there is replaced.
std::string merge_preload(const std::string& existing, const std::string& library,
                          const std::string& first = {});

// The sanitizer runtime among a program's needed libraries, or empty. It aborts the program unless
// it is the first library of all, so LD_PRELOAD must name it in front of ours.
std::string sanitizer_runtime(const std::vector<std::string>& needed);

bool is_sanitizer_runtime(const std::string& library);

}  // namespace ration::tool
