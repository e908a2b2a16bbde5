// Files that claim to be plugins: the reader of ELF sections and symbols, then the note. The first byte
// decides between a file and the bytes of a note alone.

#include <sys/mman.h>

#include "core/base/fd.h"
#include "core/plugin/doorway.h"
#include "core/plugin/elf_section.h"
#include "core/plugin/note.h"
#include "tests/fuzz/fuzz.h"

using namespace porter;
using fuzz::require;

namespace {

void check_note(const plugin::PluginNote& note) {
  require(!note.kind.empty() && !note.name.empty() && !note.fingerprint.empty(), "a note says who it is");
  fuzz::accepts({base::Code::plugin_refused}, [&] { plugin::check_note(note, {}); });
}

void take_file(std::string_view bytes) {
  const base::UniqueFd file(::memfd_create("fuzz", MFD_CLOEXEC));
  base::write_all(file.get(), bytes);
  fuzz::accepts({base::Code::plugin_refused}, [&] { check_note(plugin::read_note(file.get(), "fuzz.so")); });
  fuzz::accepts({base::Code::plugin_refused},
                [&] { plugin::elf_exports(file.get(), "porter_plugin_create", "fuzz.so"); });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes = fuzz::bytes_of(data, size);
  if (bytes.starts_with('\x7F') || size == 0) {
    take_file(bytes);
  } else {
    fuzz::accepts({base::Code::plugin_refused}, [&] { check_note(plugin::parse_note(bytes, "fuzz.so")); });
  }
  return 0;
}
