#include "shim/cuda/inventory.h"

#include <dlfcn.h>

#include "shim/cuda/nvml.h"

namespace ration::cuda {
namespace {

using nvml::kSuccess;
using nvml::Library;

// Calls a function that this library may lack.
template <class... Parameters, class... Arguments>
bool ok(nvml::Result (*function)(Parameters...), Arguments... arguments) {
    return function != nullptr && function(arguments...) == kSuccess;
}

// Loaded, initialised, and shut down and unloaded at the end: the program may use NVML itself,
// which counts its users.
class Session {
  public:
    Session() : handle_(dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL)) {
        if (handle_ == nullptr) return;
#define CALL(member, symbol, parameters) \
    library_.member = reinterpret_cast<decltype(library_.member)>(dlsym(handle_, #symbol));
        RATION_NVML_CALLS(CALL)
#undef CALL
        initialised_ = ok(library_.init);
    }
    ~Session() {
        if (initialised_) ok(library_.shutdown);
        if (handle_ != nullptr) dlclose(handle_);
    }
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;

    bool loaded() const { return handle_ != nullptr; }
    bool initialised() const { return initialised_; }
    const Library& library() const { return library_; }

  private:
    void* const handle_;
    Library library_;
    bool initialised_ = false;
};

std::string uuid_of(const Library& library, nvml::Device device) {
    char text[96] = "";
    return ok(library.uuid, device, text, unsigned{sizeof text}) ? text : "";
}

Device read_device(const Library& library, nvml::Device handle) {
    Device device;
    device.uuid = uuid_of(library, handle);
    char name[96] = "";
    if (ok(library.name, handle, name, unsigned{sizeof name})) device.name = name;
    nvml::PciInfo pci{};
    if (ok(library.pci, handle, &pci)) device.pci = pci.bus_id;
    nvml::Memory memory{};
    if (ok(library.memory, handle, &memory)) device.memory = memory.total;
    unsigned cores = 0;
    int major = 0;
    int minor = 0;
    if (ok(library.cores, handle, &cores) && ok(library.capability, handle, &major, &minor)) {
        device.sms = sms_of_cores(cores, major, minor);
    }
    return device;
}

// "NVIDIA A100-SXM4-40GB MIG 1g.5gb": the profile is the last word.
std::string profile_of(const Library& library, nvml::Device handle) {
    char name[96] = "";
    if (!ok(library.name, handle, name, unsigned{sizeof name})) return "";
    const std::string text = name;
    const std::size_t mark = text.rfind(" MIG ");
    return mark == std::string::npos ? "" : text.substr(mark + 5);
}

void read_instances(const Library& library, nvml::Device parent, Inventory& inventory) {
    unsigned now = 0;
    unsigned pending = 0;
    unsigned most = 0;
    if (!ok(library.mig_mode, parent, &now, &pending) || now != 1) return;
    if (!ok(library.mig_count, parent, &most)) return;
    // Indices have gaps where an instance was destroyed.
    for (unsigned i = 0; i < most; ++i) {
        nvml::Device handle = nullptr;
        if (!ok(library.mig_by_index, parent, i, &handle)) continue;
        MigInstance instance;
        instance.uuid = uuid_of(library, handle);
        instance.profile = profile_of(library, handle);
        nvml::Attributes attributes{};
        if (ok(library.attributes, handle, &attributes)) {
            instance.sms = attributes.multiprocessors;
            instance.memory = attributes.memory_mib << 20;
        }
        instance.parent = inventory.devices.size() - 1;
        inventory.instances.push_back(instance);
    }
}

}  // namespace

unsigned sms_of_cores(unsigned cores, int major, int minor) {
    const bool narrow = major == 7 || (major == 6 && minor == 0) || (major == 8 && minor == 0);
    return cores / (narrow ? 64 : 128);
}

Inventory read_inventory(bool with_mig) {
    Inventory inventory;
    const Session session;
    if (!session.loaded()) {
        inventory.problem = "libnvidia-ml.so.1 cannot be loaded";
        return inventory;
    }
    const Library& library = session.library();
    unsigned count = 0;
    if (!session.initialised() || !ok(library.count, &count)) {
        inventory.problem = "libnvidia-ml.so.1 cannot be initialised";
        return inventory;
    }
    for (unsigned i = 0; i < count; ++i) {
        nvml::Device handle = nullptr;
        // A device that fails keeps its place, so that the indices of the others stay right.
        const bool reachable = ok(library.by_index, i, &handle);
        inventory.devices.push_back(reachable ? read_device(library, handle) : Device{});
        if (reachable && with_mig) read_instances(library, handle, inventory);
    }
    return inventory;
}

}  // namespace ration::cuda
