#include "core/cli/trust.h"

#include <fmt/format.h>

#include <ostream>

#include "core/base/suggest.h"
#include "core/cli/load_project.h"
#include "core/cli/terminal.h"
#include "core/engine/connect.h"

namespace porter::cli {
namespace {

constexpr std::chrono::minutes kDeadline{5};

// Questions asked without a worker in between.
class TerminalAsker : public event::Asker {
 public:
  std::optional<base::Secret> ask(event::QuestionKind kind, const std::string& text) override {
    return ask_at_terminal({0, kind, text});
  }
};

const settings::Host& host_named(const settings::Project& project, const std::string& name) {
  if (const settings::Host* host = project.find_host(name)) return *host;
  std::vector<std::string> known;
  for (const settings::Host& host : project.hosts)
    known.push_back(host.name);
  const std::string near = base::did_you_mean(name, known);
  throw base::Error(base::Code::usage, fmt::format("the project has no host \"{}\"", name))
      .hint(near.empty() ? "porter-admin hosts lists them" : near);
}

}  // namespace

base::ExitCode trust_host(const Invocation& invocation, const base::World& world) {
  const settings::Project project = load_project(world, {});
  const settings::Host& host = host_named(project, invocation.name);
  if (host.local) {
    *world.out << fmt::format("{} is this machine: there is no key to trust\n", host.name);
    return base::ExitCode::ok;
  }
  TerminalAsker asker;
  engine::AskingPrompter prompter(asker);
  bool declined = false;
  const auto confirm = [&](const transport::HostKey& key) {
    *world.err << fmt::format("{} presents the key {} {}\n", host.name, key.type, key.fingerprint);
    if (invocation.request.yes) return true;
    declined = !asker.confirm("Is that the right one? Compare it on the host itself. [y/N] ");
    return !declined;
  };
  transport::SshLoops loops(1);
  const transport::HostKey key = transport::trust_host(
      loops, engine::ssh_target(host), engine::ssh_policy(world, invocation.request.known_hosts), prompter,
      confirm, base::Deadline::in(kDeadline), {});
  if (declined) {
    *world.err << "not trusted; nothing was written\n";
    return base::ExitCode::unreachable;
  }
  *world.out << fmt::format("{} is trusted: {} {}\n", host.name, key.type, key.fingerprint);
  return base::ExitCode::ok;
}

}  // namespace porter::cli
