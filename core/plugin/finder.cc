#include "core/plugin/finder.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>
#include <system_error>

#include "core/base/error.h"
#include "core/base/suggest.h"
#include "core/base/text.h"

namespace porter::plugin {
namespace {

namespace fs = std::filesystem;

constexpr int kDeepestFolder = 8;  // below a folder of the search path: my/private/plugin.so
constexpr std::string_view kSuffix = ".so";

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

bool is_dotted_name(const std::string& name) {
  for (const std::string& piece : base::split(name, '.')) {
    if (piece.empty() || !std::all_of(piece.begin(), piece.end(), is_name_character)) return false;
  }
  return true;
}

std::string with_slashes(std::string name) {
  std::replace(name.begin(), name.end(), '.', '/');
  return name;
}

std::optional<fs::path> in_folder(const fs::path& folder, const std::string& name) {
  for (const std::string& relative : {name, with_slashes(name)}) {
    const fs::path candidate = folder / (relative + std::string(kSuffix));
    std::error_code failed;
    if (fs::is_regular_file(candidate, failed)) return candidate;
  }
  return std::nullopt;
}

// "my/private/plugin.so" below the folder → "my.private.plugin"; nothing for what is no plugin's name.
std::optional<std::string> name_of(const fs::path& relative) {
  std::string name = relative.string();
  if (!name.ends_with(kSuffix)) return std::nullopt;
  name.resize(name.size() - kSuffix.size());
  std::replace(name.begin(), name.end(), '/', '.');
  if (!is_dotted_name(name)) return std::nullopt;
  return name;
}

std::vector<FoundPlugin> in_folder(const SearchFolder& folder) {
  std::vector<FoundPlugin> found;
  std::error_code failed;
  auto walk =
      fs::recursive_directory_iterator(folder.path, fs::directory_options::skip_permission_denied, failed);
  while (!failed && walk != fs::recursive_directory_iterator()) {
    if (walk.depth() >= kDeepestFolder) walk.disable_recursion_pending();
    const fs::path file = walk->path();
    std::error_code unreadable;
    const auto name = name_of(file.lexically_relative(folder.path));
    if (name && walk->is_regular_file(unreadable)) found.push_back({*name, file, folder.origin, false});
    walk.increment(failed);
  }
  std::sort(found.begin(), found.end(), [](const FoundPlugin& a, const FoundPlugin& b) {
    return std::tie(a.name, a.file) < std::tie(b.name, b.file);
  });
  return found;
}

class PathMaker {
 public:
  explicit PathMaker(const base::World& world) : world_(world) {}

  void add(const fs::path& folder, const std::string& origin) {
    const fs::path absolute = (world_.directory / folder).lexically_normal();
    const auto same = [&](const SearchFolder& each) { return each.path == absolute; };
    if (!folder.empty() && std::none_of(path_.begin(), path_.end(), same))
      path_.push_back({absolute, origin});
  }

  SearchPath take() { return std::move(path_); }

 private:
  const base::World& world_;
  SearchPath path_;
};

base::Error not_found(const std::string& name, const SearchPath& path) {
  std::string text = fmt::format("there is no plugin \"{}\"; these folders were searched:", name);
  for (const SearchFolder& folder : path) {
    std::error_code failed;
    const bool there = fs::is_directory(folder.path, failed);
    text += fmt::format("\n  {} ({}{})", base::printable(folder.path.string()), folder.origin,
                        there ? "" : "; there is no such folder");
  }
  std::vector<std::string> known;
  for (const FoundPlugin& each : list_plugins(path))
    known.push_back(each.name);
  const std::string near = base::did_you_mean(name, known);
  return base::Error(base::Code::missing, text)
      .hint(near.empty() ? "porter-admin plugins lists what is there; --plugin-path FOLDER adds a folder"
                         : near);
}

}  // namespace

SearchPath search_path(const base::World& world, const SearchSources& sources) {
  PathMaker maker(world);
  for (const fs::path& folder : sources.options)
    maker.add(folder, "--plugin-path");
  for (const std::string& folder : base::split(world.variable("PORTER_PLUGIN_PATH").value_or(""), ':'))
    maker.add(folder, "PORTER_PLUGIN_PATH");
  for (const fs::path& folder : sources.settings)
    maker.add(folder, "[plugins] path");
  maker.add(world.home() / ".local/lib/porter/plugins", "user");
  maker.add(sources.executable.parent_path() / "../lib/porter/plugins", "installed");
  return maker.take();
}

fs::path running_executable() {
  std::error_code failed;
  fs::path executable = fs::read_symlink("/proc/self/exe", failed);
  if (failed) throw base::Error(base::Code::io, "/proc/self/exe: " + failed.message());
  return executable;
}

FoundPlugin find_plugin(const std::string& name, const SearchPath& path) {
  if (!is_dotted_name(name)) {
    throw base::Error(base::Code::bad_value, fmt::format("\"{}\" is no plugin name", base::printable(name)))
        .hint("letters, digits, - and _, in pieces that a dot separates: my.private.plugin");
  }
  for (const SearchFolder& folder : path) {
    if (const auto file = in_folder(folder.path, name)) return {name, *file, folder.origin, false};
  }
  throw not_found(name, path);
}

std::vector<FoundPlugin> list_plugins(const SearchPath& path) {
  std::vector<FoundPlugin> all;
  std::set<std::string> seen;
  for (const SearchFolder& folder : path) {
    for (FoundPlugin& each : in_folder(folder)) {
      each.shadowed = !seen.insert(each.name).second;
      all.push_back(std::move(each));
    }
  }
  return all;
}

}  // namespace porter::plugin
