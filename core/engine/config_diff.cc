#include "core/engine/config_diff.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "core/base/files.h"
#include "core/engine/composition.h"
#include "core/engine/config_text.h"

namespace porter::engine {
namespace {

namespace fs = std::filesystem;
using protocol::PathKind;

constexpr std::uint64_t kLargest = 256U << 10U;  // bytes; what is larger is no file to read line by line
constexpr std::uint32_t kOthers = 077;

struct Content {
  std::string text;
  bool is_private = false;
};

void check_size(std::uintmax_t size) {
  if (size > kLargest) throw base::Error(base::Code::refused, "too large to be shown");
}

Content new_content(const fs::path& source) {
  check_size(fs::file_size(source));
  const auto mode = static_cast<std::uint32_t>(fs::status(source).permissions());
  return {base::read_file(source, kLargest), (mode & kOthers) == 0};
}

Content live_content(const Deployment& one, const std::string& path) {
  const std::string file = (is_inplace(one) ? one.site() : one.site() + "/current") + "/" + path;
  const protocol::PathState state = one.host->endpoint->stat(file);
  if (state.kind == PathKind::missing) return {};
  if (state.kind != PathKind::file)
    throw base::Error(base::Code::refused, fmt::format("{} is live there, and gives way to a file",
                                                       state.kind == PathKind::folder ? "a folder"
                                                       : state.kind == PathKind::link ? "a link"
                                                                                      : "no regular file"));
  check_size(state.size);
  return {one.host->endpoint->read_file(file, kLargest), (state.mode & kOthers) == 0};
}

std::vector<std::string> changes_of(const Deployment& one, const settings::ConfigFile& file,
                                    const fs::path& source, bool fresh) {
  const std::string& path = file.destination;
  const Content before = fresh ? Content() : live_content(one, path);
  const Content after = new_content(source);
  const bool is_private = before.is_private || after.is_private;
  return describe_changes(path, before.text, after.text, is_private ? Shown::names : Shown::simple_values);
}

}  // namespace

std::vector<std::string> config_changes(const Deployment& one, const std::vector<std::string>& paths) {
  std::vector<std::string> lines;
  const auto listed = [&](const std::string& path) {
    return std::find(paths.begin(), paths.end(), path) != paths.end();
  };
  for (const settings::ConfigFile& file : one.settings->config_files()) {
    const bool fresh = listed("+ " + file.destination);
    if (!fresh && !listed("~ " + file.destination)) continue;
    const auto source = config_source(*one.settings, file);
    if (!source) continue;  // the file is the module's own
    try {
      const std::vector<std::string> changes = changes_of(one, file, *source, fresh);
      lines.insert(lines.end(), changes.begin(), changes.end());
    } catch (const base::Error& problem) {
      if (problem.code() != base::Code::refused) throw;
      lines.push_back(file.destination + ": " + problem.message());
    }
  }
  return lines;
}

}  // namespace porter::engine
