#include "shim/policy/diagnostic.h"

namespace ration::policy {

std::string format(const Place& place) {
    std::string out = place.file;
    if (place.line != 0) {
        out += ':' + std::to_string(place.line);
        if (place.column != 0) out += ':' + std::to_string(place.column);
    }
    return out;
}

std::string format(const Diagnostic& diagnostic) {
    const std::string place = format(diagnostic.place);
    return place.empty() ? diagnostic.text : place + ": " + diagnostic.text;
}

}  // namespace ration::policy
