// What a path means on the simulated node.
#pragma once
#include <string>

namespace sim::kfd {

struct Place {
    enum class Kind {
        Other,    // not ours
        File,     // `path` is to be used instead
        Kfd,      // /dev/kfd
        Render,   // /dev/dri/renderD<128 + gpu>
        Missing,  // there is no such render node
    };
    Kind kind = Kind::Other;
    std::string path;
    unsigned gpu = 0;
};

// Cheap for what is not ours. nullptr is Other.
Place place_of(const char* path);

}  // namespace sim::kfd
