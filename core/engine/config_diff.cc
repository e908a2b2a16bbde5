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
      const std::string text = unified(file.destination, live_content(one, file.destination, fresh), after,
                                       walk.run.shield.waits());
      for (const std::string& line : base::split(base::trim(text), '\n'))
        lines.push_back(inventory::mask_text(line));
    } catch (const base::Error& problem) {
      if (problem.code() != base::Code::refused) throw;
      lines.push_back(file.destination + ": too large to be shown");
    }
  }
  return lines;
}

}  // namespace porter::engine
