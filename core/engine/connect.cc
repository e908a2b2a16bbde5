#include "core/engine/connect.h"

#include <poll.h>

#include "core/transport/local_transport.h"

namespace porter::engine {
namespace {

// Long enough for a person at a prompt; each step on the way has a shorter one of its own
// (transport::SshPolicy).
constexpr std::chrono::minutes kConnectDeadline{10};

// An agent ends some seconds after its connection at the latest; nothing here can tell the moment. One that
// hears nothing any more, and is not told so, notices it later than we do: by half the idle deadline at most.
constexpr std::chrono::seconds kLockPatience{20};
constexpr int kLockLook = 50;  // milliseconds

std::unique_ptr<transport::Transport> open_transport(Run& run, const settings::Host& host) {
  if (host.local) return transport::make_local_transport(host.name);
  AskingPrompter prompter(run.around.asker);
  transport::SshPolicy policy = ssh_policy(run.around.world, run.request.known_hosts);
  // A broken connection is best told as one: before the agent's silence is noticed.
  policy.idle_timeout = run.project.idle_timeout * 3 / 4;
  policy.keepalive = run.project.idle_timeout / 6;
  return transport::connect_ssh(run.loops, ssh_target(host), policy, prompter,
                                base::Deadline::in(kConnectDeadline), run.shield.waits());
}

endpoint::DialOptions dial_options(const Run& run, const HostRun& host) {
  endpoint::DialOptions options;
  options.start =
      host.host.local ? endpoint::DialOptions::Start::child : endpoint::DialOptions::Start::pushed;
  options.become = host.become;
  options.agent_path = host.host.agent_path;
  options.run_id = run.request.run_id;
  options.idle_deadline = std::chrono::ceil<std::chrono::seconds>(run.project.idle_timeout);
  options.opening = host.opening;
  options.cancel = run.shield.waits();
  return options;
}

// A host that does not answer in time is one that cannot be reached, for the exit code as for the reader.
base::Error as_unreachable(const base::Error& error) {
  if (error.code() != base::Code::timeout) return error;
  base::Error same =
      base::Error(base::Code::unreachable, error.message()).at(error.where()).hint(error.hint_text());
  for (const std::string& step : error.trail())
    same.add_trail(step);
  return same;
}

}  // namespace

void dial_host(Run& run, HostRun& host) {
  {
    const Stats::Lap lap(run.stats, "connect", host.host.name);
    host.transport = open_transport(run, host.host);
  }
  const Stats::Lap lap(run.stats, "dial", host.host.name);
  host.endpoint = endpoint::Endpoint::dial(*host.transport, run.agents, dial_options(run, host));
}

void connect(Run& run, HostRun& host) {
  const auto began = std::chrono::steady_clock::now();
  try {
    run.connector(run, host);
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
    run.around.sink.handle(event::HostConnected{host.host.name, host.endpoint->where(), seconds});
  } catch (const base::Error& error) {
    host.failure = as_unreachable(error);
  } catch (const base::Interrupted&) {
    host.failure = base::Error(base::Code::interrupted, "interrupted");
  } catch (const std::exception& error) {
    host.failure = base::Error(base::Code::internal, error.what());
  }
}

void lock_again(Run& run, HostRun& host, const protocol::LockRequest& request) {
  const base::Deadline patience = base::Deadline::in(kLockPatience + run.project.idle_timeout / 2);
  for (;;) {
    try {
      return host.endpoint->lock(request);
    } catch (const base::Error& error) {
      if (error.code() != base::Code::locked || patience.passed()) throw;
    }
    pollfd stopped{run.shield.waits().descriptor(), POLLIN, 0};
    ::poll(&stopped, 1, kLockLook);
    run.shield.waits().check();
  }
}

transport::SshTarget ssh_target(const settings::Host& host) {
  transport::SshTarget target;
  target.name = host.name;
  target.address = host.address;
  target.port = host.port_given ? host.port : 0;
  target.user = host.user;
  if (!host.identity.empty()) target.identities.push_back(host.identity);
  target.jump = host.jump;
  return target;
}

transport::SshPolicy ssh_policy(const base::World& world, const std::string& known_hosts) {
  transport::SshPolicy policy = transport::SshPolicy::from(world);
  if (!known_hosts.empty()) policy.known_hosts = {world.directory / known_hosts};
  return policy;
}

std::optional<base::Secret> AskingPrompter::ask(transport::Question kind, const std::string& text) {
  const bool shown = kind == transport::Question::challenge_shown;
  return asker_.ask(shown ? event::QuestionKind::text : event::QuestionKind::secret, text);
}

}  // namespace porter::engine
