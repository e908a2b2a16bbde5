#include "core/plugin/elf_section.h"

#include <elf.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>
#include <vector>

#include "core/base/error.h"

namespace porter::plugin {
namespace {

constexpr std::uint64_t kLargestSection = 1U << 20U;

#if defined(__x86_64__)
constexpr std::uint16_t kThisMachine = EM_X86_64;
#elif defined(__aarch64__)
constexpr std::uint16_t kThisMachine = EM_AARCH64;
#else
#error "this machine's ELF number is not known here"
#endif

std::string machine_name(std::uint16_t machine) {
  switch (machine) {
    case EM_386:
      return "i386";
    case EM_ARM:
      return "arm";
    case EM_X86_64:
      return "x86_64";
    case EM_AARCH64:
      return "aarch64";
    case EM_PPC64:
      return "ppc64";
    case EM_S390:
      return "s390";
    case EM_RISCV:
      return "riscv";
    default:
      return fmt::format("number {}", machine);
  }
}

class ElfFile {
 public:
  ElfFile(int descriptor, const std::filesystem::path& shown_path) : fd_(descriptor), path_(shown_path) {
    struct stat status = {};
    if (::fstat(fd_, &status) != 0) base::throw_errno(path_.string());
    if (!S_ISREG(status.st_mode)) refuse("it is no regular file");
    size_ = static_cast<std::uint64_t>(status.st_size);
  }

  std::optional<std::string> section(std::string_view wanted) {
    read_header();
    check_segments();
    return find(wanted);
  }

  bool exports(std::string_view symbol) {
    read_header();
    check_segments();
    const std::vector<Elf64_Shdr> sections = read_sections();
    for (const Elf64_Shdr& each : sections) {
      if (each.sh_type == SHT_DYNSYM && each.sh_link < sections.size())
        return table_exports(each, sections[each.sh_link], symbol);
    }
    return false;
  }

 private:
  [[noreturn]] void refuse(const std::string& reason) const {
    throw base::Error(base::Code::plugin_refused, reason).at(path_.string());
  }

  // Everything is read through here: a range that leaves the file is a truncated file.
  void need(std::string_view what, std::uint64_t offset, std::uint64_t length) const {
    if (offset <= size_ && length <= size_ - offset) return;
    if (offset > UINT64_MAX - length)
      refuse(fmt::format("the file is damaged: its {} has no possible place", what));
    refuse(fmt::format("the file is truncated: its {} ends at byte {}, the file has {}", what,
                       offset + length, size_));
  }

  void read_bytes(std::string_view what, std::uint64_t offset, std::span<char> into) const {
    need(what, offset, into.size());
    std::size_t done = 0;
    while (done < into.size()) {
      const ssize_t got =
          ::pread(fd_, into.data() + done, into.size() - done, static_cast<off_t>(offset + done));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) base::throw_errno(path_.string());
      if (got == 0) refuse(fmt::format("the file became shorter while its {} was read", what));
      done += static_cast<std::size_t>(got);
    }
  }

  template <class T>
  std::vector<T> read_table(std::string_view what, std::uint64_t offset, std::uint64_t count) const {
    static_assert(std::is_trivially_copyable_v<T>);
    std::vector<T> table(count);  // count is a 16-bit number of the file, or checked against its size
    read_bytes(what, offset, {reinterpret_cast<char*>(table.data()), count * sizeof(T)});
    return table;
  }

  void read_header() {
    char magic[SELFMAG] = {};
    if (size_ >= SELFMAG) read_bytes("header", 0, magic);
    if (std::memcmp(magic, ELFMAG, SELFMAG) != 0)
      refuse("it is not an ELF file: no plugin, and no shared object at all");
    unsigned char identity[EI_NIDENT] = {};
    read_bytes("header", 0, {reinterpret_cast<char*>(identity), EI_NIDENT});
    if (identity[EI_CLASS] == ELFCLASS32) refuse("it is a 32-bit file; this porter-admin is 64-bit");
    if (identity[EI_CLASS] != ELFCLASS64) refuse("it is an ELF file of an unknown class");
    if (identity[EI_DATA] != ELFDATA2LSB) refuse("its byte order is not this machine's");
    header_ = read_table<Elf64_Ehdr>("header", 0, 1).front();
    check_header();
  }

  void check_header() const {
    if (header_.e_machine != kThisMachine) {
      refuse(fmt::format("it was built for machine {}, this host is {}", machine_name(header_.e_machine),
                         machine_name(kThisMachine)));
    }
    if (header_.e_type != ET_DYN) refuse("it is an ELF file, but no shared object");
    if (header_.e_phnum > 0 && header_.e_phentsize != sizeof(Elf64_Phdr))
      refuse("its segment table is damaged");
    if (header_.e_shnum > 0 && header_.e_shentsize != sizeof(Elf64_Shdr))
      refuse("its section table is damaged");
  }

  // A segment beyond the end of the file would kill the process inside dlopen (SIGBUS).
  void check_segments() const {
    for (const Elf64_Phdr& segment :
         read_table<Elf64_Phdr>("segment table", header_.e_phoff, header_.e_phnum)) {
      if (segment.p_type != PT_LOAD) continue;
      need("loaded segment", segment.p_offset, segment.p_filesz);
      if (segment.p_filesz > segment.p_memsz)
        refuse("a loaded segment is damaged: larger in the file than in memory");
    }
  }

  std::vector<Elf64_Shdr> read_sections() const {
    auto sections = read_table<Elf64_Shdr>("section table", header_.e_shoff, header_.e_shnum);
    for (const Elf64_Shdr& each : sections) {
      if (each.sh_type != SHT_NOBITS && each.sh_type != SHT_NULL)
        need("section", each.sh_offset, each.sh_size);
    }
    return sections;
  }

  std::optional<std::string> find(std::string_view wanted) const {
    const std::vector<Elf64_Shdr> sections = read_sections();
    if (header_.e_shstrndx >= sections.size()) return std::nullopt;
    const Elf64_Shdr& names = sections[header_.e_shstrndx];
    for (const Elf64_Shdr& each : sections) {
      if (each.sh_type != SHT_NULL && name_is(names, each.sh_name, wanted)) return content(each);
    }
    return std::nullopt;
  }

  bool table_exports(const Elf64_Shdr& table, const Elf64_Shdr& names, std::string_view wanted) const {
    need("symbol table", table.sh_offset, table.sh_size);  // bounds the count below
    const std::uint64_t count = table.sh_size / sizeof(Elf64_Sym);
    for (const Elf64_Sym& symbol : read_table<Elf64_Sym>("symbol table", table.sh_offset, count)) {
      const bool defined = symbol.st_shndx != SHN_UNDEF && ELF64_ST_BIND(symbol.st_info) != STB_LOCAL;
      if (defined && name_is(names, symbol.st_name, wanted)) return true;
    }
    return false;
  }

  bool name_is(const Elf64_Shdr& names, std::uint64_t offset, std::string_view wanted) const {
    if (names.sh_type != SHT_STRTAB || offset > names.sh_size || names.sh_size - offset < wanted.size() + 1)
      return false;
    std::string name(wanted.size() + 1, 'x');
    read_bytes("section name", names.sh_offset + offset, name);
    return std::string_view(name).substr(0, wanted.size()) == wanted && name.back() == '\0';
  }

  std::string content(const Elf64_Shdr& section) const {
    if (section.sh_type == SHT_NOBITS) refuse("its plugin note is damaged: it has no bytes in the file");
    if (section.sh_size > kLargestSection) {
      refuse(fmt::format("its plugin note has {} bytes; the limit is {}", section.sh_size, kLargestSection));
    }
    std::string bytes(section.sh_size, '\0');
    read_bytes("plugin note", section.sh_offset, bytes);
    return bytes;
  }

  int fd_;
  const std::filesystem::path& path_;
  std::uint64_t size_ = 0;
  Elf64_Ehdr header_ = {};
};

}  // namespace

std::optional<std::string> read_elf_section(int descriptor, std::string_view section,
                                            const std::filesystem::path& shown_path) {
  return ElfFile(descriptor, shown_path).section(section);
}

bool elf_exports(int descriptor, std::string_view symbol, const std::filesystem::path& shown_path) {
  return ElfFile(descriptor, shown_path).exports(symbol);
}

}  // namespace porter::plugin
