#include "core/plugin/note.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "core/base/error.h"
#include "core/base/fd.h"
#include "core/base/text.h"
#include "core/plugin/elf_section.h"

namespace porter::plugin {
namespace {

constexpr std::string_view kSection = ".porter.plugin";
constexpr char kFieldSeparator = '\x1f';  // PORTER_OPTION and PORTER_ARGUMENT write it

constexpr std::array kOptionTypes = {
    std::pair{"text", OptionType::text},       std::pair{"boolean", OptionType::boolean},
    std::pair{"integer", OptionType::integer}, std::pair{"list", OptionType::list},
    std::pair{"path", OptionType::path},       std::pair{"url", OptionType::url},
    std::pair{"secret", OptionType::secret},   std::pair{"duration", OptionType::duration}};
constexpr std::array kArgumentTypes = {std::pair{"flag", ArgumentType::flag},
                                       std::pair{"text", ArgumentType::text}};

base::Error refusal(const PluginNote& note, const std::string& reason) {
  return base::Error(base::Code::plugin_refused, reason).at(note.path.string());
}

template <class Type, std::size_t Count>
Type type_of(const PluginNote& note, const std::array<std::pair<const char*, Type>, Count>& known,
             const std::string& text) {
  for (const auto& [name, type] : known) {
    if (text == name) return type;
  }
  throw refusal(note, fmt::format("its note has an unknown type \"{}\"; it may want a newer porter-admin",
                                  base::printable(text)));
}

std::vector<std::string> fields(const PluginNote& note, std::string_view value, std::size_t count) {
  std::vector<std::string> pieces = base::split(value, kFieldSeparator);
  if (pieces.size() != count) {
    throw refusal(note, fmt::format("its note is damaged: \"{}\" has {} fields, expected {}",
                                    base::printable(value), pieces.size(), count));
  }
  return pieces;
}

void add_option(PluginNote& note, std::string_view value) {
  std::vector<std::string> pieces = fields(note, value, 4);
  note.options.push_back({pieces[0], type_of(note, kOptionTypes, pieces[1]), pieces[2], pieces[3]});
}

void add_argument(PluginNote& note, std::string_view value) {
  std::vector<std::string> pieces = fields(note, value, 3);
  note.arguments.push_back({pieces[0], type_of(note, kArgumentTypes, pieces[1]), pieces[2]});
}

void add_entry(PluginNote& note, std::string_view entry) {
  const std::size_t equals = entry.find('=');
  if (equals == std::string_view::npos)
    throw refusal(note, fmt::format("its note is damaged: \"{}\" is no key=value", base::printable(entry)));
  const std::string_view key = entry.substr(0, equals);
  const std::string_view value = entry.substr(equals + 1);
  const std::array texts = {std::pair{"kind", &note.kind},       std::pair{"name", &note.name},
                            std::pair{"version", &note.version}, std::pair{"summary", &note.summary},
                            std::pair{"sdk", &note.sdk},         std::pair{"fingerprint", &note.fingerprint}};
  for (const auto& [name, field] : texts) {
    if (key != name) continue;
    if (!field->empty()) throw refusal(note, fmt::format("its note says {} twice: one plugin a file", name));
    *field = value;
    return;
  }
  if (key == "needs") note.needs.emplace_back(value);
  if (key == "option") add_option(note, value);
  if (key == "argument") add_argument(note, value);
  // Keys that this program does not know are a newer SDK's; what matters to both sides is in the fingerprint.
}

}  // namespace

PluginNote parse_note(std::string_view section, const std::filesystem::path& shown_path) {
  PluginNote note;
  note.path = shown_path;
  // The linker aligns entries with more NULs than their own.
  for (const std::string& entry : base::split(section, '\0')) {
    if (!entry.empty()) add_entry(note, entry);
  }
  // Compilers put the entries in any order; people see one.
  const auto by_name = [](const auto& a, const auto& b) { return a.name < b.name; };
  std::sort(note.options.begin(), note.options.end(), by_name);
  std::sort(note.arguments.begin(), note.arguments.end(), by_name);
  for (const auto& [name, field] : {std::pair{"kind", &note.kind}, std::pair{"name", &note.name},
                                    std::pair{"fingerprint", &note.fingerprint}}) {
    if (field->empty()) throw refusal(note, fmt::format("its porter plugin note does not say its {}", name));
  }
  return note;
}

PluginNote read_note(int descriptor, const std::filesystem::path& shown_path) {
  const auto section = read_elf_section(descriptor, kSection, shown_path);
  if (!section) {
    throw base::Error(base::Code::plugin_refused,
                      "it has no porter plugin note: a shared object, but no plugin")
        .at(shown_path.string())
        .hint("a plugin has PORTER_PLUGIN(…) in one of its source files (docs/plugin-guide.md)");
  }
  return parse_note(*section, shown_path);
}

PluginNote read_note(const std::filesystem::path& file) {
  // Non-blocking: a fifo of that name must not hold the run up.
  const base::UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd && errno == ENOENT)
    throw base::Error(base::Code::plugin_refused, "there is no such file").at(file.string());
  if (!fd) base::throw_errno(file.string());
  return read_note(fd.get(), file);
}

}  // namespace porter::plugin
