// What is wrong with a policy, and where.
#pragma once

#include <string>
#include <vector>

namespace ration::policy {

// A place in a file. line and column count from 1, the column in bytes; 0 means "the whole file".
struct Place {
    std::string file;
    unsigned line = 0;
    unsigned column = 0;
};

// One mistake. `text` says what is wrong and what is allowed, without a trailing full stop.
struct Diagnostic {
    Place place;
    std::string text;
};

using Diagnostics = std::vector<Diagnostic>;

// "file:line:column"; the parts that are 0 are left out.
std::string format(const Place& place);

// "file:line:column: text"
std::string format(const Diagnostic& diagnostic);

}  // namespace ration::policy
