// The node as sysfs shows it: /sys/class/kfd (the same as /sys/devices/virtual/kfd) and what
// lsmod reads, by which rocminfo looks for the driver.
#pragma once
#include <map>
#include <string>

#include "tests/sim/kfd/models.h"

namespace sim::kfd {

// Path below the root, text. A path that ends with a slash is an empty folder.
using Files = std::map<std::string, std::string>;

// "kfd/kfd/topology/...", "modules" and "module/...". Processors and memory of node 0 are this
// machine's.
Files topology_files(const Node& node);

// The folder that holds these files, below `parent`. Its name depends on what is in it, so it is
// made once, whole, and by whichever process is first. Empty if it could not be.
std::string publish(const Files& files, const std::string& parent);

// That of this process: beside the library, or in the folder for temporary files if that is
// read-only.
const std::string& published_root();

}  // namespace sim::kfd
