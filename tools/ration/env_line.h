// What env(1) starts when a "#!" line names it.
#pragma once

#include <string>
#include <vector>

namespace ration::tool {

// The program and its first arguments that "#!/usr/bin/env ARGUMENT" starts, behind env's options
// and assignments; the kernel hands ARGUMENT over as one word, and -S splits it (env(1) of GNU
// coreutils 9). Empty if that cannot be said: env would start the script itself or only print, an
// option or an escape is not known, or the program would be looked for elsewhere than from here.
std::vector<std::string> env_command(const std::string& argument);

}  // namespace ration::tool
