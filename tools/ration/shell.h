// Text that a shell reads back as the same value.
#pragma once

#include <string>

namespace ration::tool {

enum class Shell { kSh, kFish };

// `value` as one word: quoted, whatever characters it has.
std::string quote(Shell shell, const std::string& value);

// One command that exports or removes a variable, with a newline.
std::string export_line(Shell shell, const std::string& name, const std::string& value);
std::string unset_line(Shell shell, const std::string& name);

// Commands that put `library` into LD_PRELOAD when they are evaluated: in front of what is there
// then, behind everything if a sanitizer runtime is among it, and not at all if it is there
// already.
std::string preload_lines(Shell shell, const std::string& library);

}  // namespace ration::tool
