#pragma once
// One section or exported symbol of an ELF64 shared object, by name: a bounded reader that trusts no number
// of the file. Written from the System V ABI (gABI 4.1, chapters 4 and 5) and elf(5). It finds what would
// harm the process inside dlopen (a truncated file kills it) or be reported wrongly by it (a foreign
// machine).

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace porter::plugin {

// The section's bytes, or nothing when the file is a sound shared object of this machine without such a
// section. Throws base::Error(plugin_refused): not an ELF file, 32-bit, another machine or byte order, no
// shared object, truncated, a section above 1 MiB.
std::optional<std::string> read_elf_section(int descriptor, std::string_view section,
                                            const std::filesystem::path& shown_path);

// Whether the shared object exports a symbol of that name. Throws as above.
bool elf_exports(int descriptor, std::string_view symbol, const std::filesystem::path& shown_path);

}  // namespace porter::plugin
