#include "core/engine/config_diff.h"

#include <algorithm>

#include "core/base/files.h"
#include "core/base/subprocess.h"
#include "core/base/text.h"
#include "core/inventory/mask.h"

namespace porter::engine {
namespace {

constexpr std::uint64_t kLargest = 256U << 10U;  // bytes; what is larger is no file to read line by line
constexpr std::chrono::seconds kDiffDeadline{30};

std::string live_content(const Deployment& one, const std::string& path, bool fresh) {
  if (fresh) return "";
  const std::string live = is_inplace(one) ? one.site() : one.site() + "/current";
  return one.host->endpoint->read_file(live + "/" + path, kLargest);
}

// diff(1) reads files; what is in them is nobody else's business.
std::string unified(const std::string& path, const std::string& before, const std::string& after,
                    const base::CancelToken& cancel) {
  const base::TemporaryFolder folder("porter-plan");
  base::write_file(folder.path() / "live", before, 0600);
  base::write_file(folder.path() / "new", after, 0600);
  base::Command diff;
  diff.arguments = {"diff", "-u", "--label", "live/" + path, "--label", "new/" + path, "live", "new"};
  diff.directory = folder.path();
  return base::run_command(diff, base::Deadline::in(kDiffDeadline), cancel).output;
}

std::ptrdiff_t count_changes(const std::string& diff) {
  const std::vector<std::string> lines = base::split(diff, '\n');
  return std::count_if(lines.begin(), lines.end(), [](const std::string& line) {
    return line.starts_with('+') || line.starts_with('-');
  });
}

// Secrets are hidden before the two are compared: some go over many lines.
void list_changes(const std::string& path, const std::string& before, const std::string& after,
                  const base::CancelToken& cancel, std::vector<std::string>& lines) {
  const std::string shown = unified(path, inventory::mask_text(before), inventory::mask_text(after), cancel);
  for (const std::string& line : base::split(shown, '\n')) {
    if (!line.empty()) lines.push_back(line);
  }
  if (count_changes(shown) < count_changes(unified(path, before, after, cancel)))
    lines.push_back(path + ": a secret changes; it is not shown");
}

}  // namespace

std::vector<std::string> config_changes(const Walk& walk, const Deployment& one,
                                        const std::vector<std::string>& paths) {
  std::vector<std::string> lines;
  for (const settings::ConfigFile& file : one.settings->config_files()) {
    const bool changed = std::find(paths.begin(), paths.end(), "~ " + file.destination) != paths.end();
    const bool fresh = std::find(paths.begin(), paths.end(), "+ " + file.destination) != paths.end();
    if (!changed && !fresh) continue;
    try {
      const std::string after = base::read_file(one.settings->config_folder() / file.source, kLargest);
      list_changes(file.destination, live_content(one, file.destination, fresh), after,
                   walk.run.shield.waits(), lines);
    } catch (const base::Error& problem) {
      if (problem.code() != base::Code::refused) throw;
      lines.push_back(file.destination + ": too large to be shown");
    }
  }
  return lines;
}

}  // namespace porter::engine
