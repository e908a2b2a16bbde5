#include "core/plugin/loader.h"

// Boost 1.74's own headers forget these three.
#include <fstream>
#include <string>
#include <vector>

#include <boost/dll/shared_library.hpp>

#include <cxxabi.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <system_error>
#include <utility>

#include "core/base/error.h"
#include "core/base/fd.h"
#include "core/base/text.h"
#include "core/plugin/elf_section.h"

namespace porter::plugin {
namespace {

namespace fs = std::filesystem;
namespace dll = boost::dll;
using EntryPoint = porter_plugin_entry_v1;

constexpr const char* kEntry = "porter_plugin_entry";

base::Error refusal(const fs::path& file, const std::string& reason) {
  return base::Error(base::Code::plugin_refused, reason).at(file.string());
}

struct stat status_of(const fs::path& file, int descriptor) {
  struct stat status = {};
  if (::fstat(descriptor, &status) != 0) base::throw_errno(file.string());
  return status;
}

bool same_file(const struct stat& a, const struct stat& b) {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino && a.st_size == b.st_size &&
         a.st_mtim.tv_sec == b.st_mtim.tv_sec && a.st_mtim.tv_nsec == b.st_mtim.tv_nsec;
}

void check_unchanged(const fs::path& file, const struct stat& checked) {
  struct stat now = {};
  if (::stat(file.c_str(), &now) == 0 && same_file(checked, now)) return;
  throw refusal(file, "the file was replaced while it was being loaded").hint("run the command again");
}

std::string demangled(const std::string& symbol) {
  int failed = 0;
  char* text = abi::__cxa_demangle(symbol.c_str(), nullptr, nullptr, &failed);
  std::string result = failed == 0 && text != nullptr ? text : symbol;
  std::free(text);
  return result;
}

// Of Boost's and the dynamic linker's sentence, what a person can use.
std::string loading_reason(const std::string& text) {
  const std::string undefined = "undefined symbol: ";
  const std::size_t found = text.find(undefined);
  if (found != std::string::npos) {
    const std::size_t begin = found + undefined.size();
    const std::size_t end = std::min(text.find_first_of(" )\t\n,", begin), text.size());
    return undefined + demangled(text.substr(begin, end - begin));
  }
  const std::string prefix = "dlerror system message: ";
  const std::size_t message = text.find(prefix);
  if (message == std::string::npos) return text;
  const std::size_t begin = message + prefix.size();
  return text.substr(begin,
                     text.rfind(')') == std::string::npos ? std::string::npos : text.rfind(')') - begin);
}

dll::shared_library open_library(const fs::path& file) {
  // Nothing of a plugin is ever unmapped: exceptions, std::functions and vtables of it may live on.
  const auto mode = static_cast<dll::load_mode::type>(static_cast<unsigned>(dll::load_mode::rtld_now) |
                                                      static_cast<unsigned>(RTLD_NODELETE));
  try {
    return dll::shared_library(file, mode);
  } catch (const std::system_error& error) {
    throw refusal(file, "loading failed: " + base::printable(loading_reason(error.what())))
        .hint("a symbol or library that it needs is not there: link it into the plugin");
  }
}

// Looked for in the file, since loading already runs the library's static constructors.
void check_exports(const fs::path& file, int descriptor) {
  if (elf_exports(descriptor, kEntry, file)) return;
  throw refusal(file, fmt::format("it has a plugin note, but does not export {}", kEntry))
      .hint("PORTER_PLUGIN(…) makes it; a linker version script may have hidden it");
}

void check_text(const fs::path& file, const char* field, const char* entry, const std::string& note) {
  if (entry != nullptr && note == entry) return;
  throw refusal(
      file, fmt::format("its note and its code do not agree: {} is \"{}\" in the note and \"{}\" in the code",
                        field, base::printable(note), entry == nullptr ? "nothing" : base::printable(entry)))
      .hint("rebuild the plugin from clean");
}

void check_entry(const EntryPoint& entry, const PluginNote& note) {
  if (entry.size < sizeof(EntryPoint) || entry.abi != PORTER_SDK_ABI) {
    throw refusal(note.path, fmt::format("its entry has {} bytes and ABI {}; expected {} bytes and ABI {}",
                                         entry.size, entry.abi, sizeof(EntryPoint), PORTER_SDK_ABI))
        .hint("rebuild the plugin with this porter-admin's SDK");
  }
  check_text(note.path, "fingerprint", entry.fingerprint, note.fingerprint);
  check_text(note.path, "kind", entry.kind, note.kind);
  check_text(note.path, "name", entry.name, note.name);
  if (entry.create == nullptr || entry.destroy == nullptr)
    throw refusal(note.path, "its entry has no create or destroy");
}

void* create(const EntryPoint& entry, const fs::path& file) {
  std::array<char, 512> reason = {};
  void* plugin = entry.create(reason.data(), static_cast<std::uint32_t>(reason.size()));
  reason.back() = '\0';
  if (plugin != nullptr) return plugin;
  throw base::Error(base::Code::plugin_failed,
                    fmt::format("the plugin's constructor failed: {}", base::printable(reason.data())))
      .at(file.string());
}

}  // namespace

struct LoadedPlugin::State {
  PluginNote note;
  dll::shared_library library;
  const EntryPoint* entry = nullptr;
  void* plugin = nullptr;

  State() = default;
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() {
    if (plugin != nullptr) entry->destroy(plugin);
  }
};

LoadedPlugin LoadedPlugin::load(const fs::path& file, const Expectation& expectation,
                                const TrustRules& rules) {
  const fs::path trusted = check_trusted(file, rules);
  const base::UniqueFd fd(::open(trusted.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd) base::throw_errno(trusted.string());
  const struct stat checked = status_of(trusted, fd.get());
  auto state = std::make_unique<State>();
  state->note = read_note(fd.get(), trusted);
  check_note(state->note, expectation);
  check_exports(trusted, fd.get());
  // By name rather than /proc/self/fd, so that $ORIGIN in the plugin's own run path holds. Only this user and
  // root can put another file there (check_trusted); that nobody did in between is looked at before and
  // after.
  check_unchanged(trusted, checked);
  state->library = open_library(trusted);
  check_unchanged(trusted, checked);
  state->entry = &state->library.get<const EntryPoint>(kEntry);
  check_entry(*state->entry, state->note);
  state->plugin = create(*state->entry, trusted);
  return LoadedPlugin(std::move(state));
}

LoadedPlugin::LoadedPlugin(std::unique_ptr<State> state) : state_(std::move(state)) {}
LoadedPlugin::LoadedPlugin(LoadedPlugin&&) noexcept = default;
LoadedPlugin& LoadedPlugin::operator=(LoadedPlugin&&) noexcept = default;
LoadedPlugin::~LoadedPlugin() = default;

const PluginNote& LoadedPlugin::note() const {
  return state_->note;
}

Plugin& LoadedPlugin::plugin() {
  return *static_cast<Plugin*>(state_->plugin);
}

}  // namespace porter::plugin
