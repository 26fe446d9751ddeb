// What an ELF file says of itself. The only code that knows libelf is behind this header.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace ration::tool {

struct ElfFile {
    unsigned bits = 0;          // 32 or 64
    bool little = true;         // byte order
    std::uint16_t machine = 0;  // EM_*, <elf.h>
    bool executable = false;    // ET_EXEC or ET_DYN: something that execve(2) takes
    bool dynamic = false;       // has a dynamic section
    std::string interpreter;    // PT_INTERP; empty: static, or a shared library
    std::string soname;
    std::vector<std::string> needed;
    // The program carries device code of its own, as nvcc embeds it (section .nv_fatbin).
    bool device_code = false;
    // The CUDA runtime is linked in statically: it names the driver library that it will dlopen and
    // its own version string, while no libcudart.so is among `needed`.
    bool static_cudart = false;
};

// nullopt if the file is no ELF file; Failure(kFailed) if it can't be read or is damaged.
std::optional<ElfFile> read_elf(const std::string& path);

// Names that the file exports from its .dynsym, sorted, each once, without symbol versions.
std::vector<std::string> exported_symbols(const std::string& path);

// "x86-64", "aarch64", "i386", ... or "machine 123".
std::string machine_name(std::uint16_t machine);

// The machine and word size that this tool, and so libration.so beside it, is built for.
std::uint16_t own_machine();

}  // namespace ration::tool
