#include "tools/ration/elf.h"

#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>

#include "tools/ration/failure.h"

namespace ration::tool {
namespace {

// An open ELF file; closes both the handle and the descriptor.
class Handle {
  public:
    explicit Handle(const std::string& path) : path_(path) {
        elf_version(EV_CURRENT);
        descriptor_ = open(path.c_str(), O_RDONLY | O_CLOEXEC);
        if (descriptor_ < 0) {
            throw Failure(kFailed, with_errno("cannot read " + path, errno));
        }
        elf_ = elf_begin(descriptor_, ELF_C_READ_MMAP, nullptr);
    }
    ~Handle() {
        elf_end(elf_);
        close(descriptor_);
    }
    Handle(const Handle&) = delete;
    Handle& operator=(const Handle&) = delete;

    // False for a file of another kind; one that begins like an ELF file must be one.
    bool is_elf() const {
        if (elf_ != nullptr && elf_kind(elf_) == ELF_K_ELF) {
            return true;
        }
        std::array<char, SELFMAG> magic{};
        if (pread(descriptor_, magic.data(), magic.size(), 0) == SELFMAG &&
            std::equal(magic.begin(), magic.end(), ELFMAG)) {
            damaged();
        }
        return false;
    }
    Elf* get() const { return elf_; }
    [[noreturn]] void damaged() const { throw Failure(kFailed, path_ + " is a damaged ELF file"); }

  private:
    std::string path_;
    int descriptor_ = -1;
    Elf* elf_ = nullptr;
};

std::string string_at(Elf* elf, std::size_t section, std::size_t offset) {
    const char* text = elf_strptr(elf, section, offset);
    return text == nullptr ? "" : text;
}

void read_dynamic(Elf* elf, Elf_Scn* section, const GElf_Shdr& header, ElfFile& file) {
    Elf_Data* data = elf_getdata(section, nullptr);
    GElf_Dyn entry;
    for (int i = 0; data != nullptr && gelf_getdyn(data, i, &entry) != nullptr; ++i) {
        if (entry.d_tag == DT_NULL) {
            break;
        }
        if (entry.d_tag == DT_NEEDED) {
            file.needed.push_back(string_at(elf, header.sh_link, entry.d_un.d_val));
        } else if (entry.d_tag == DT_SONAME) {
            file.soname = string_at(elf, header.sh_link, entry.d_un.d_val);
        }
    }
}

bool contains(Elf_Scn* section, std::string_view text) {
    Elf_Data* data = elf_rawdata(section, nullptr);
    if (data == nullptr || data->d_buf == nullptr) {
        return false;
    }
    const std::string_view bytes(static_cast<const char*>(data->d_buf), data->d_size);
    return bytes.find(text) != std::string_view::npos;
}

bool starts_with(const std::string& text, std::string_view beginning) {
    return text.compare(0, beginning.size(), beginning) == 0;
}

void read_sections(Elf* elf, ElfFile& file) {
    std::size_t names = 0;
    if (elf_getshdrstrndx(elf, &names) != 0) {
        return;
    }
    bool driver_name = false;
    bool runtime_text = false;
    for (Elf_Scn* section = nullptr; (section = elf_nextscn(elf, section)) != nullptr;) {
        GElf_Shdr header;
        if (gelf_getshdr(section, &header) == nullptr) {
            continue;
        }
        const std::string name = string_at(elf, names, header.sh_name);
        file.device_code = file.device_code || name == ".nv_fatbin";
        if (header.sh_type == SHT_DYNAMIC) {
            read_dynamic(elf, section, header, file);
        } else if (starts_with(name, ".rodata")) {
            driver_name = driver_name || contains(section, "libcuda.so.1");
            runtime_text = runtime_text || contains(section, "cuGetProcAddress");
        }
    }
    const bool shared = std::any_of(file.needed.begin(), file.needed.end(), [](const auto& needed) {
        return starts_with(needed, "libcudart.so");
    });
    file.static_cudart = driver_name && runtime_text && !shared;
}

void read_segments(Elf* elf, ElfFile& file) {
    std::size_t count = 0;
    std::size_t size = 0;
    const char* bytes = elf_rawfile(elf, &size);
    if (elf_getphdrnum(elf, &count) != 0) {
        return;
    }
    for (std::size_t i = 0; i < count; ++i) {
        GElf_Phdr header;
        if (gelf_getphdr(elf, static_cast<int>(i), &header) == nullptr) {
            continue;
        }
        file.dynamic = file.dynamic || header.p_type == PT_DYNAMIC;
        if (header.p_type == PT_INTERP && bytes != nullptr && header.p_offset < size &&
            header.p_filesz <= size - header.p_offset) {
            const std::string_view text(bytes + header.p_offset, header.p_filesz);
            file.interpreter = text.substr(0, text.find('\0'));
        }
    }
}

}  // namespace

std::optional<ElfFile> read_elf(const std::string& path) {
    const Handle handle(path);
    if (!handle.is_elf()) {
        return std::nullopt;
    }
    GElf_Ehdr header;
    if (gelf_getehdr(handle.get(), &header) == nullptr) {
        handle.damaged();
    }
    ElfFile file;
    file.bits = gelf_getclass(handle.get()) == ELFCLASS32 ? 32 : 64;
    file.little = header.e_ident[EI_DATA] == ELFDATA2LSB;
    file.machine = header.e_machine;
    file.executable = header.e_type == ET_EXEC || header.e_type == ET_DYN;
    read_segments(handle.get(), file);
    read_sections(handle.get(), file);
    return file;
}

std::vector<std::string> exported_symbols(const std::string& path) {
    const Handle handle(path);
    if (!handle.is_elf()) {
        throw Failure(kFailed, path + " is no ELF file");
    }
    std::vector<std::string> names;
    for (Elf_Scn* section = nullptr; (section = elf_nextscn(handle.get(), section)) != nullptr;) {
        GElf_Shdr header;
        if (gelf_getshdr(section, &header) == nullptr || header.sh_type != SHT_DYNSYM) {
            continue;
        }
        Elf_Data* data = elf_getdata(section, nullptr);
        GElf_Sym symbol;
        for (int i = 0; data != nullptr && gelf_getsym(data, i, &symbol) != nullptr; ++i) {
            const auto binding = GELF_ST_BIND(symbol.st_info);
            if (symbol.st_shndx != SHN_UNDEF && (binding == STB_GLOBAL || binding == STB_WEAK)) {
                names.push_back(string_at(handle.get(), header.sh_link, symbol.st_name));
            }
        }
    }
    std::sort(names.begin(), names.end());
    names.erase(std::unique(names.begin(), names.end()), names.end());
    return names;
}

std::string machine_name(std::uint16_t machine) {
    struct Known {
        std::uint16_t machine;
        const char* name;
    };
    static constexpr std::array<Known, 9> kKnown{{{EM_X86_64, "x86-64"},
                                                  {EM_AARCH64, "aarch64"},
                                                  {EM_386, "i386"},
                                                  {EM_ARM, "arm"},
                                                  {EM_PPC64, "ppc64"},
                                                  {EM_S390, "s390x"},
                                                  {EM_RISCV, "riscv"},
                                                  {EM_MIPS, "mips"},
                                                  {EM_CUDA, "CUDA device code"}}};
    for (const Known& known : kKnown) {
        if (known.machine == machine) {
            return known.name;
        }
    }
    return "machine " + std::to_string(machine);
}

std::uint16_t own_machine() {
#if defined(__x86_64__)
    return EM_X86_64;
#elif defined(__aarch64__)
    return EM_AARCH64;
#else
#error "libration.so knows x86-64 and aarch64"
#endif
}

}  // namespace ration::tool
