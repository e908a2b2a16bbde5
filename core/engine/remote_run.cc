#include "core/engine/remote_run.h"

#include <fmt/format.h>

#include <atomic>

#include "core/base/text.h"
#include "core/engine/connect.h"
#include "core/engine/parallel.h"
#include "core/engine/prepare.h"

namespace porter::engine {
namespace {

void print_lines(Run& run, const HostRun& host, const std::string& text) {
  const std::string_view trimmed = base::trim(text);
  if (trimmed.empty()) return;
  std::string out;
  for (const std::string& line : base::split(trimmed, '\n')) {
    out += fmt::format("{}{}: {}", out.empty() ? "" : "\n", host.host.name, base::printable(line));
  }
  run.around.sink.handle(event::Output{out});
}

void run_on(Run& run, HostRun& host) {
  protocol::RunRequest request;
  request.arguments = run.request.command;
  host.opening.run = request.arguments;
  connect(run, host);
  if (host.failure) return;
  const protocol::RunResult result = host.endpoint->run(request);
  print_lines(run, host, result.output);
  print_lines(run, host, result.errors);
  if (result.ok()) return;
  const std::string how = result.signal != 0 ? fmt::format("killed by signal {}", result.signal)
                                             : fmt::format("exit status {}", result.status);
  host.failure = base::Error(base::Code::remote, fmt::format("{}: {}", run.request.command.front(), how));
}

}  // namespace

base::ExitCode run_on_hosts(Run& run) {
  load_project(run);
  std::vector<std::unique_ptr<HostRun>> hosts;
  std::vector<HostRun*> all;
  for (const settings::Host& host : choose_hosts(run)) {
    hosts.push_back(std::make_unique<HostRun>());
    hosts.back()->host = host;
    hosts.back()->become = host.become;
    all.push_back(hosts.back().get());
  }
  for_each_at_once<HostRun>(all, [&](HostRun& host) {
    try {
      run_on(run, host);
    } catch (const base::Error& error) {
      host.failure = error;
    } catch (const base::Interrupted&) {
      host.failure = base::Error(base::Code::interrupted, "interrupted");
    }
  });
  tell_stats(run, hosts);
  run.shield.user().check();
  bool failed = false;
  bool all_unreachable = true;
  for (const HostRun* host : all) {
    all_unreachable = all_unreachable && !host->endpoint;
    if (!host->failure) continue;
    failed = true;
    run.around.sink.handle(event::Failure{host->host.name, "", static_cast<int>(host->failure->code()),
                                          base::format_error(*host->failure)});
  }
  if (!failed) return base::ExitCode::ok;
  return all_unreachable ? base::ExitCode::unreachable : base::ExitCode::some_hosts_failed;
}

}  // namespace porter::engine
