#include "shim/policy/diagnostic.h"

namespace ration::policy {

std::string format(const Diagnostic& diagnostic) {
    const Place& place = diagnostic.place;
    std::string out = place.file;
    if (place.line != 0) {
        out += ':' + std::to_string(place.line);
        if (place.column != 0) out += ':' + std::to_string(place.column);
    }
    if (!out.empty()) out += ": ";
    return out + diagnostic.text;
}

}  // namespace ration::policy
