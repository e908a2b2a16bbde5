// Endpoint::dial: optimistic. One exec starts the agent that an earlier contact left there; only when there
// is none, the machine is known from that same exec, the agent is pushed, and dialled again.

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <span>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/endpoint/agent_endpoint.h"
#include "core/endpoint/agent_script.h"
#include "core/transport/become.h"
#include "core/transport/transport.h"

namespace porter::endpoint {
namespace {

using base::Code;
using base::Error;

constexpr int kCannotExecute = 126;
constexpr int kShellSyntax = 2;  // a shell that took a damaged agent for a script
constexpr std::size_t kAgentPiece = 64U << 10U;
constexpr std::size_t kMaxOpening = 16U << 10U;  // twice as much in a command line, which holds 128 KiB

struct Machine {
  std::string system;
  std::string machine;
};

class Dialler {
 public:
  Dialler(transport::Transport& transport, const AgentBundle& bundle, const DialOptions& options)
      : transport_(transport),
        bundle_(bundle),
        options_(options),
        where_(transport.describe()),
        deadline_(base::Deadline::in(options.dial_deadline)) {}

  std::unique_ptr<Endpoint> dial() {
    if (options_.start == DialOptions::Start::child) {
      auto wire = greet();
      if (!wire->find_magic(deadline_)) throw_not_started(*wire);
      return finish(std::move(wire), bundle_.own(), Pushed::no);
    }
    auto wire = greet();
    if (wire->find_magic(deadline_)) return finish(std::move(wire), Pushed::no);
    push(machine_of(*wire));
    wire = greet();
    if (!wire->find_magic(deadline_)) throw_not_started(*wire);
    return finish(std::move(wire), Pushed::yes);
  }

 private:
  enum class Pushed { no, yes };

  std::vector<std::string> as_user(const std::vector<std::string>& arguments) const {
    return options_.become.empty() ? arguments
                                   : transport::become_without_password(options_.become, arguments);
  }

  // Becomes the agent, with these arguments.
  std::vector<std::string> agent(const std::vector<std::string>& arguments) const {
    std::vector<std::string> all = {bundle_.own().file.string()};
    if (options_.start == DialOptions::Start::pushed)
      all = {"sh", "-c", start_script(bundle_, options_.agent_path), "porter-agent"};
    all.insert(all.end(), arguments.begin(), arguments.end());
    return as_user(all);
  }

  // More channels to the same agent. The transport outlives them as it outlives the endpoint.
  Wire::Opener opener() const {
    return [transport = &transport_, start = agent({"--join"})](const std::string& token) {
      std::vector<std::string> arguments = start;
      arguments.push_back(token);
      return transport->start(arguments);
    };
  }

  std::unique_ptr<Wire> begin(const std::vector<std::string>& arguments) {
    return std::make_unique<Wire>(transport_.start(arguments), where_, options_.idle_deadline,
                                  options_.cancel);
  }

  std::string welcome() const {
    protocol::Welcome welcome;
    welcome.version = PORTER_VERSION;
    welcome.run_id = options_.run_id;
    welcome.idle_seconds = static_cast<std::uint32_t>(options_.idle_deadline.count());
    welcome.features = {std::string(protocol::kPacking)};
    return protocol::to_frame(welcome);
  }

  std::string opening() const {
    const Opening& opening = options_.opening;
    if (!opening.look.empty()) return protocol::to_frame(protocol::Look{opening.look});
    if (opening.run.empty()) return "";
    protocol::RunRequest request;
    request.arguments = opening.run;
    return protocol::to_frame(protocol::Run{request});
  }

  // Begins an agent and says in its command line what can be said before it answers: a channel of OpenSSH
  // takes no input before the program runs, which is a round trip later.
  std::unique_ptr<Wire> greet() {
    std::string first = opening();
    if (first.size() > kMaxOpening) first.clear();
    const std::string said = welcome() + first;
    auto wire = begin(
        agent({"--serve",
               base::to_hex(std::span(reinterpret_cast<const std::uint8_t*>(said.data()), said.size()))}));
    const std::size_t sites = options_.opening.look.size();
    if (!first.empty()) wire->expect_ahead(std::move(first), std::max<std::size_t>(sites, 1));
    return wire;
  }

  std::unique_ptr<Endpoint> finish(std::unique_ptr<Wire> wire, Pushed pushed) {
    return finish(std::move(wire), nullptr, pushed);
  }
  std::unique_ptr<Endpoint> finish(std::unique_ptr<Wire> wire, const BundledAgent& agent, Pushed pushed) {
    return finish(std::move(wire), &agent, pushed);
  }
  std::unique_ptr<Endpoint> finish(std::unique_ptr<Wire> wire, const BundledAgent* agent, Pushed pushed) {
    auto hello = wire->expect<protocol::HelloMessage>().hello;
    if (hello.major != protocol::kMajor)
      throw Error(Code::agent, fmt::format("{}: the agent speaks protocol {}, this porter-admin {}", where_,
                                           hello.major, protocol::kMajor));
    if (agent == nullptr) agent = bundle_.find(hello.machine);
    if (agent == nullptr || agent->digest != hello.digest)
      throw Error(Code::agent, fmt::format("{}: the agent there is {}, this installation's is {}", where_,
                                           base::to_hex(hello.digest),
                                           agent == nullptr ? "none" : base::to_hex(agent->digest)))
          .hint("remove porter-agent-* from ~/.cache/porter there and deploy again");
    if (std::find(hello.features.begin(), hello.features.end(), protocol::kPacking) != hello.features.end())
      wire->start_packing();
    wire->set_opener(opener());
    wire->start_pulse();
    return std::make_unique<AgentEndpoint>(std::move(wire), std::move(hello), pushed == Pushed::yes);
  }

  // What went wrong when there was no greeting: sudo, the shell, or the agent itself.
  [[noreturn]] void throw_not_started(const Wire& wire) const {
    const transport::ExitStatus status = wire.end_of_process();
    const std::string errors = wire.errors();
    if (!options_.become.empty()) {
      if (const auto why = transport::explain_become_failure(where_, options_.become, "porter-agent", errors))
        throw Error(*why);
    }
    std::string said = wire.noise();
    if (!errors.empty()) said += (said.empty() ? "" : "\n") + errors;
    throw Error(Code::agent, fmt::format("{}: the agent did not start ({}){}", where_, status.describe(),
                                         said.empty() ? "" : "; it said: " + said))
        .hint(
            "check that the account has a POSIX shell, and that start-up files such as .bashrc end quietly");
  }

  Machine machine_of(const Wire& wire) {
    const transport::ExitStatus status = wire.end_of_process();
    const std::string noise = wire.noise();
    const std::size_t at = noise.rfind(kAbsent);
    if (at != std::string::npos) return parse_machine(noise.substr(at + kAbsent.size()));
    // The file is there and could not be run, or ended at once without a word: damaged by a crash, say. It is
    // replaced.
    const bool damaged =
        status.ok() || status.status == kCannotExecute || status.status == kShellSyntax || status.signal > 0;
    if (!damaged) throw_not_started(wire);
    auto probe = begin(as_user({"sh", "-c", "uname -s -m"}));
    if (probe->find_magic(deadline_))
      throw Error(Code::protocol, where_ + ": uname answered with a greeting");
    if (!probe->end_of_process().ok()) throw_not_started(wire);
    const std::vector<std::string> lines = base::split(base::trim(probe->noise()), '\n');
    if (lines.empty() || lines.back().find(' ') == std::string::npos) throw_not_started(wire);
    return parse_machine(lines.back());
  }

  static Machine parse_machine(std::string_view text) {
    const std::vector<std::string> words = base::split(text.substr(0, text.find('\n')), ' ');
    return {words[0], words.size() > 1 ? words[1] : ""};
  }

  const BundledAgent& agent_for(const Machine& machine) const {
    if (machine.system != "Linux")
      throw Error(Code::agent, fmt::format("{}: runs {} on {}; porter-agent needs Linux", where_,
                                           base::printable(machine.system), base::printable(machine.machine)))
          .hint("deploy to a Linux host, or reach that one from a Linux machine by a plugin of your own");
    const BundledAgent* agent = bundle_.find(machine.machine);
    if (agent != nullptr) return *agent;
    const std::string name = base::printable(machine.machine);
    throw Error(Code::agent, fmt::format("{}: is a {} machine; this installation has agents for {}", where_,
                                         name, base::join(bundle_.machines(), ", ")))
        .hint(machine.machine == "aarch64"
                  ? fmt::format("build porter-agent on an aarch64 machine and put it at {}",
                                (bundle_.folder() / "porter-agent-aarch64").string())
                  : std::string("porter-agent exists for x86_64 and aarch64"));
  }

  void push(const Machine& machine) {
    const BundledAgent& agent = agent_for(machine);
    base::while_doing("installing the agent on " + where_, [&] {
      transport::Process process = transport_.start(
          as_user({"sh", "-c", install_script(agent, machine.machine, options_.agent_path)}));
      const std::string said = upload(process, agent);
      if (said.find(kInstalled) == std::string::npos) throw_not_installed(process, said);
    });
  }

  // Feeds the agent and gives back what was said. Over a slow line both go on at once.
  std::string upload(const transport::Process& process, const BundledAgent& agent) const {
    const int fd = process.stream.get();
    base::set_nonblocking(fd);
    feed(fd, agent);
    ::shutdown(fd, SHUT_WR);
    std::string said;
    std::array<std::byte, 4096> buffer;
    while (said.size() < protocol::kMaxNoise) {
      base::wait_readable(fd, deadline_, options_.cancel);
      const std::size_t got = base::read_some(fd, buffer);
      if (got == 0) break;
      said.append(reinterpret_cast<const char*>(buffer.data()), got);
    }
    return said;
  }

  // Piece by piece: it may go to many hosts at once. Of a file that is another by now the last piece is held
  // back, without which nothing is installed.
  void feed(int to, const BundledAgent& agent) const {
    const base::UniqueFd from(::open(agent.file.c_str(), O_RDONLY | O_CLOEXEC));
    if (!from) base::throw_errno(agent.file.string());
    base::Sha256 digest;
    std::array<std::byte, kAgentPiece> buffer;
    for (std::uint64_t left = agent.size; left > 0;) {
      const std::size_t most = std::min<std::uint64_t>(buffer.size(), left);
      const std::span<const std::byte> piece(buffer.data(),
                                             base::read_some(from.get(), std::span(buffer).first(most)));
      digest.update(piece);
      left -= piece.size();
      const bool last = left == 0 || piece.empty();
      if (last && digest.finish() != agent.digest)
        throw Error(Code::agent, agent.file.string() + ": changed since this program started")
            .hint("run it again");
      if (!send_all(to, piece)) return;
    }
  }

  // False when it was refused early; what is said then tells why.
  bool send_all(int to, std::span<const std::byte> bytes) const {
    while (!bytes.empty()) {
      const ssize_t put = ::send(to, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (put > 0) bytes = bytes.subspan(static_cast<std::size_t>(put));
      if (put < 0 && errno != EAGAIN && errno != EINTR) return false;
      if (put < 0) base::wait_writable(to, deadline_, options_.cancel);
    }
    return true;
  }

  [[noreturn]] void throw_not_installed(const transport::Process& process, const std::string& said) const {
    const transport::ExitStatus status = process.wait(deadline_, options_.cancel);
    const std::size_t at = said.rfind(kNotInstalled);
    std::string reason = at == std::string::npos ? status.describe() : said.substr(at + kNotInstalled.size());
    const std::string errors = process.errors->get();
    if (!errors.empty()) reason += "; it said: " + errors;
    throw Error(Code::agent, fmt::format("{}: the agent could not be installed: {}", where_,
                                         base::printable_lines(base::trim(reason))))
        .hint("[host:…] agent_path = FOLDER names a place where programs may be kept and run");
  }

  transport::Transport& transport_;
  const AgentBundle& bundle_;
  const DialOptions& options_;
  const std::string where_;
  const base::Deadline deadline_;
};

}  // namespace

std::unique_ptr<Endpoint> Endpoint::dial(transport::Transport& transport, const AgentBundle& bundle,
                                         const DialOptions& options) {
  return Dialler(transport, bundle, options).dial();
}

}  // namespace porter::endpoint
