// A file that somebody wants to start, or to have audited.
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <string>

#include "tests/fuzz/fuzz.h"
#include "tools/ration/elf.h"
#include "tools/ration/failure.h"
#include "tools/ration/program.h"

namespace {

using namespace ration::tool;

// The bytes as an executable file with a path.
class File {
  public:
    File(const std::uint8_t* data, std::size_t size) : descriptor_(memfd_create("fuzz", 0)) {
        require(write(descriptor_, data, size) == static_cast<ssize_t>(size), "written");
        require(fchmod(descriptor_, 0755) == 0, "executable");
    }
    ~File() { close(descriptor_); }
    File(const File&) = delete;
    File& operator=(const File&) = delete;
    std::string path() const { return "/proc/self/fd/" + std::to_string(descriptor_); }

  private:
    int descriptor_;
};

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const File file(data, size);
    try {
        if (const auto elf = read_elf(file.path())) {
            require(elf->bits == 32 || elf->bits == 64, "bits");
            require(elf->interpreter.find('\0') == std::string::npos, "interpreter");
        }
        const auto names = exported_symbols(file.path());
        require(std::is_sorted(names.begin(), names.end()), "sorted");
    } catch (const Failure&) {
        // A damaged file, and said so.
    }
    const Program program = inspect_program({file.path(), "argument"});
    require(!program.arguments.empty() && program.arguments.back() == "argument", "arguments");
    require(program.obstacle.empty() == (program.code == 0), "an obstacle has an exit code");
    return 0;
}
