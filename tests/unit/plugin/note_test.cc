#include "core/plugin/note.h"

#include <elf.h>
#include <fcntl.h>

#include <cstring>

#include "core/base/fd.h"
#include "core/base/text.h"
#include "core/plugin/elf_section.h"
#include "tests/support/catch.h"
#include "tests/unit/plugin/plugin_fixture.h"

using namespace porter;
using namespace porter::tests;
using Catch::Matchers::Contains;

namespace {

std::string refusal_of(const std::filesystem::path& file) {
  const base::Error error = error_of([&] { plugin::read_note(file); });
  CHECK(error.code() == base::Code::plugin_refused);
  CHECK(error.where().file == file.string());
  return error.message();
}

// A copy of acme.audit.so with some bytes of its ELF header changed.
template <class Change>
std::filesystem::path damaged(const PluginFolder& folder, Change change) {
  std::string bytes = base::read_file(folder.copy("acme.audit"));
  Elf64_Ehdr header = {};
  std::memcpy(&header, bytes.data(), sizeof header);
  change(header);
  std::memcpy(bytes.data(), &header, sizeof header);
  return folder.write("damaged.so", bytes);
}

}  // namespace

TEST_CASE("a plugin's note is read from its file", "[note]") {
  const PluginFolder folder;
  const plugin::PluginNote note = plugin::read_note(folder.copy("acme.audit"));
  CHECK(note.kind == "plugin");
  CHECK(note.name == "acme.audit");
  CHECK(note.version == "1.2");
  CHECK(note.summary == "writes a line for every release that arrived");
  CHECK(note.sdk == PORTER_SDK_VERSION);
  CHECK(note.fingerprint == PORTER_FINGERPRINT);
  CHECK(note.needs == std::vector<std::string>{"porter.Context/1"});
  REQUIRE(note.options.size() == 2);
  CHECK(note.options[0].name == "file");
  CHECK(note.options[0].type == OptionType::path);
  CHECK(note.options[0].default_text == "/var/log/acme-audit");
  CHECK(note.options[0].help == "where the lines go");
  CHECK(note.options[1].type == OptionType::duration);
  REQUIRE(note.arguments.size() == 1);
  CHECK(note.arguments[0].name == "audit-note");
  CHECK(note.arguments[0].type == ArgumentType::text);
}

TEST_CASE("a text file is no plugin", "[note]") {
  const PluginFolder folder;
  CHECK_THAT(
      refusal_of(folder.write("readme.so", "#!/bin/sh\necho this is no library at all, but long enough\n")),
      Contains("not an ELF file"));
  CHECK_THAT(refusal_of(folder.write("empty.so", "")), Contains("not an ELF file"));
}

TEST_CASE("a shared object without a note is no plugin", "[note]") {
  const PluginFolder folder;
  CHECK_THAT(refusal_of(folder.copy("acme.no_note")), Contains("no porter plugin note"));
}

TEST_CASE("a truncated plugin is refused at every length, with the numbers", "[note]") {
  const PluginFolder folder;
  const std::string whole = base::read_file(folder.copy("acme.audit"));
  for (std::size_t length = 4; length < whole.size(); length += 1 + whole.size() / 97) {
    const std::string text = refusal_of(folder.write("short.so", whole.substr(0, length)));
    CHECK_THAT(text, Contains("truncated") && Contains("the file has " + std::to_string(length)));
  }
}

TEST_CASE("foreign and damaged ELF files are named for what they are", "[note]") {
  const PluginFolder folder;
  const auto text_for = [&](auto change) { return refusal_of(damaged(folder, change)); };
  CHECK_THAT(text_for([](Elf64_Ehdr& h) { h.e_ident[EI_CLASS] = ELFCLASS32; }), Contains("32-bit"));
  CHECK_THAT(text_for([](Elf64_Ehdr& h) { h.e_ident[EI_DATA] = ELFDATA2MSB; }), Contains("byte order"));
  CHECK_THAT(text_for([](Elf64_Ehdr& h) { h.e_machine = EM_RISCV; }),
             Contains("built for machine riscv") && Contains("this host is " PORTER_FP_MACHINE));
  CHECK_THAT(text_for([](Elf64_Ehdr& h) { h.e_type = ET_REL; }), Contains("no shared object"));
  CHECK_THAT(text_for([](Elf64_Ehdr& h) { h.e_shentsize = 1; }), Contains("section table is damaged"));
  CHECK_THAT(text_for([](Elf64_Ehdr& h) { h.e_phoff = UINT64_MAX - 8; }), Contains("damaged"));
  CHECK_THAT(text_for([](Elf64_Ehdr& h) { h.e_shoff = 1ULL << 62U; }), Contains("truncated"));
  CHECK_THAT(text_for([](Elf64_Ehdr& h) { h.e_shstrndx = 0xfff0; }), Contains("no porter plugin note"));
}

TEST_CASE("a segment that ends beyond the file is refused, since loading it would kill the process",
          "[note]") {
  const PluginFolder folder;
  std::string bytes = base::read_file(folder.copy("acme.audit"));
  Elf64_Ehdr header = {};
  std::memcpy(&header, bytes.data(), sizeof header);
  Elf64_Phdr segment = {};
  std::memcpy(&segment, bytes.data() + header.e_phoff, sizeof segment);
  REQUIRE(segment.p_type == PT_LOAD);
  segment.p_filesz = segment.p_memsz = bytes.size() + 1;
  std::memcpy(bytes.data() + header.e_phoff, &segment, sizeof segment);
  CHECK_THAT(refusal_of(folder.write("segment.so", bytes)),
             Contains("truncated: its loaded segment ends at byte " + std::to_string(bytes.size() + 1)));
}

TEST_CASE("no byte of the headers can make the reader fail in another way", "[note]") {
  const PluginFolder folder;
  const std::string whole = base::read_file(folder.copy("acme.audit"));
  const auto file = folder.path() / "flipped.so";
  std::size_t refused = 0;
  const auto flip = [&](std::size_t at) {
    std::string bytes = whole;
    bytes[at] = static_cast<char>(~bytes[at]);
    folder.write("flipped.so", bytes);
    try {
      plugin::read_note(file);
    } catch (const base::Error& error) {
      CHECK(error.code() == base::Code::plugin_refused);
      ++refused;
    }
  };
  for (std::size_t at = 0; at < 512; ++at)
    flip(at);  // ELF header and segment table
  for (std::size_t at = whole.size() - 512; at < whole.size(); ++at)
    flip(at);  // the end of the section table
  CHECK(refused > 20);
}

TEST_CASE("exported symbols are seen without loading", "[note]") {
  const PluginFolder folder;
  const auto exports = [&](const std::string& name) {
    const auto file = folder.copy(name);
    const base::UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
    return plugin::elf_exports(fd.get(), "porter_plugin_entry", file);
  };
  CHECK(exports("acme.audit"));
  CHECK_FALSE(exports("acme.no_entry"));
}

TEST_CASE("a note's entries may be padded, and must be whole", "[note]") {
  using std::string_literals::operator""s;
  const std::string head = "kind=plugin\0\0\0name=a.b\0fingerprint=x\0\0\0\0"s;
  CHECK(plugin::parse_note(head + "later-key=of a newer SDK\0"s, "a.so").name == "a.b");
  const auto refused = [&](const std::string& more) {
    return error_of([&] { plugin::parse_note(head + more, "a.so"); }).message();
  };
  CHECK_THAT(refused("name=c.d\0"s), Contains("name twice"));
  CHECK_THAT(refused("just text\0"s), Contains("no key=value"));
  CHECK_THAT(refused("option=file\x1fpath\0"s), Contains("2 fields, expected 4"));
  CHECK_THAT(refused("option=file\x1f"
                     "colour\x1f\x1fhelp\0"s),
             Contains("unknown type \"colour\""));
  CHECK_THAT(error_of([] { plugin::parse_note("kind=plugin\0", "a.so"); }).message(),
             Contains("does not say its name"));
}
