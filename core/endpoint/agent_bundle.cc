#include "core/endpoint/agent_bundle.h"

#include <fmt/format.h>
#include <sys/utsname.h>

#include <algorithm>
#include <cstdlib>

#include "core/base/error.h"

namespace porter::endpoint {
namespace {

constexpr std::string_view kPrefix = "porter-agent-";

std::string this_machine() {
  utsname names{};
  return ::uname(&names) == 0 ? std::string(static_cast<const char*>(names.machine)) : std::string("unknown");
}

}  // namespace

AgentBundle AgentBundle::open(const std::filesystem::path& folder) {
  AgentBundle bundle;
  bundle.folder_ = folder;
  std::error_code problem;
  for (const auto& entry : std::filesystem::directory_iterator(folder, problem)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with(kPrefix) || !entry.is_regular_file()) continue;
    bundle.agents_.emplace(name.substr(kPrefix.size()),
                           BundledAgent{entry.path(), base::sha256_of_file(entry.path()), entry.file_size()});
  }
  if (bundle.find(this_machine()) == nullptr)
    throw base::Error(base::Code::agent,
                      fmt::format("{}: {}{} is not there", folder.string(), kPrefix, this_machine()))
        .hint("install porter-admin as a whole, or set PORTER_AGENTS to the folder that holds its agents");
  return bundle;
}

std::filesystem::path AgentBundle::folder_for(const std::filesystem::path& program) {
  if (const char* chosen = std::getenv("PORTER_AGENTS"); chosen != nullptr && *chosen != '\0') return chosen;
  return std::filesystem::absolute(program).parent_path().parent_path() / "lib" / "porter" / "agents";
}

const BundledAgent* AgentBundle::find(std::string_view machine) const {
  const auto found = agents_.find(machine);
  return found == agents_.end() ? nullptr : &found->second;
}

std::vector<std::string> AgentBundle::machines() const {
  std::vector<std::string> names;
  for (const auto& [name, agent] : agents_)
    names.push_back(name);
  std::sort(names.rbegin(), names.rend());
  return names;
}

const BundledAgent& AgentBundle::own() const {
  return *find(this_machine());
}

}  // namespace porter::endpoint
