#pragma once
// The agents that this installation carries, one file per architecture, found beside the program. Values;
// used by dial().

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/digest.h"

namespace porter::endpoint {

struct BundledAgent {
  std::filesystem::path file;
  base::Digest digest{};
  std::uint64_t size = 0;
};

class AgentBundle {
 public:
  // Reads `folder` (…/lib/porter/agents, files named porter-agent-<machine>). Throws Error(agent) when this
  // machine's own is not there.
  static AgentBundle open(const std::filesystem::path& folder);
  // The folder that belongs to a program at `program` (…/bin/x or …/tests/x → …/lib/porter/agents);
  // $PORTER_AGENTS wins.
  static std::filesystem::path folder_for(const std::filesystem::path& program);

  // For `uname -m`; nullptr when this installation has none.
  const BundledAgent* find(std::string_view machine) const;
  // All machines that it has agents for, "x86_64" first.
  std::vector<std::string> machines() const;
  const std::filesystem::path& folder() const { return folder_; }
  // The one for this very machine: for local targets.
  const BundledAgent& own() const;

 private:
  AgentBundle() = default;

  std::filesystem::path folder_;
  std::map<std::string, BundledAgent, std::less<>> agents_;
};

}  // namespace porter::endpoint
