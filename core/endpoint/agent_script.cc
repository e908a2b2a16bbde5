#include "core/endpoint/agent_script.h"

#include <fmt/format.h>

#include <vector>

#include "core/base/text.h"

namespace porter::endpoint {
namespace {

constexpr std::size_t kDigestCharacters = 32;

// A folder as shell text. `ours` must belong to the user: others can write where it is looked for, or could
// have made it first.
struct Candidate {
  std::string folder;
  std::string condition;  // tested before it counts; "" is always
  bool ours = true;
};

std::string quoted_path(const std::string& path) {
  if (path.starts_with("~/")) return "\"$HOME\"/" + base::quote_shell(path.substr(2));
  return base::quote_shell(path);
}

std::vector<Candidate> candidates(const std::string& agent_path) {
  std::vector<Candidate> out;
  if (!agent_path.empty()) out.push_back({quoted_path(agent_path), "", false});
  out.push_back({"\"$HOME\"/.cache/porter", "[ -n \"$HOME\" ]", true});
  out.push_back({"/var/tmp/porter-\"$(id -u)\"", "", true});
  return out;
}

// The shell variable n becomes the agent's file name. Only where there is a choice the machine is asked: that
// is a program more to start. An agent for another machine does not run, which is noticed.
std::string choose_name(const AgentBundle& bundle) {
  const auto name = [&](const std::string& machine) {
    return base::quote_shell(agent_file_name(machine, bundle.find(machine)->digest));
  };
  const std::vector<std::string> machines = bundle.machines();
  if (machines.size() == 1) return fmt::format("n={}; ", name(machines.front()));
  std::string script = "case \"$(uname -m)\" in ";
  for (const std::string& machine : machines)
    script += fmt::format("{}) n={};; ", base::quote_shell(machine), name(machine));
  return script + "*) n=;; esac; ";
}

}  // namespace

std::string agent_file_name(std::string_view machine, const base::Digest& digest) {
  return fmt::format("porter-agent-{}-{}", machine, base::to_hex(digest).substr(0, kDigestCharacters));
}

std::string start_script(const AgentBundle& bundle, const std::string& agent_path) {
  std::string script = choose_name(bundle);
  for (const Candidate& candidate : candidates(agent_path)) {
    script += fmt::format("d={}; f=\"$d/$n\"; if [ -n \"$n\" ] && [ -f \"$f\" ] && [ -x \"$f\" ]",
                          candidate.folder);
    if (!candidate.condition.empty()) script += " && " + candidate.condition;
    if (candidate.ours) script += " && [ -O \"$d\" ] && [ -O \"$f\" ]";
    script += "; then exec \"$f\" \"$@\"; fi; ";
  }
  return script + fmt::format("echo; echo \"{}$(uname -s) $(uname -m)\"; exit 87", kAbsent);
}

std::string install_script(const BundledAgent& agent, std::string_view machine,
                           const std::string& agent_path) {
  std::string script = "umask 077; t=; ";
  // A place counts when we can make a file there and the file could be executed (noexec mounts).
  script +=
      "try() { d=$1; mkdir -p \"$d\" 2>/dev/null || return 1; "
      "if [ \"$2\" = ours ]; then [ -O \"$d\" ] || return 1; chmod 700 \"$d\" || return 1; fi; "
      "t=$(mktemp \"$d/.new-XXXXXX\" 2>/dev/null) || { t=; return 1; }; "
      "if chmod 700 \"$t\" && [ -x \"$t\" ]; then return 0; fi; rm -f \"$t\"; t=; return 1; }; ";
  std::string tries;
  for (const Candidate& candidate : candidates(agent_path)) {
    if (!tries.empty()) tries += " || ";
    const std::string attempt = fmt::format("try {} {}", candidate.folder, candidate.ours ? "ours" : "given");
    tries +=
        candidate.condition.empty() ? attempt : fmt::format("{{ {} && {}; }}", candidate.condition, attempt);
  }
  script += fmt::format(
      "{} || {{ echo \"{}no place to put it: tried {}\"; exit 88; }}; ", tries, kNotInstalled,
      agent_path.empty() ? "~/.cache/porter and /var/tmp" : "agent_path, ~/.cache/porter and /var/tmp");
  script += "trap 'rm -f \"$t\"' EXIT; trap 'exit 1' HUP INT TERM PIPE; cat > \"$t\"; s=$(wc -c < \"$t\"); ";
  script += fmt::format("if [ \"$s\" -ne {0} ]; then echo \"{1}only $s of {0} bytes arrived\"; exit 89; fi; ",
                        agent.size, kNotInstalled);
  script +=
      "if command -v sha256sum >/dev/null 2>&1; then h=$(sha256sum < \"$t\"); h=${h%% *}; "
      "else h=$(\"$t\" --digest); fi; ";
  script += fmt::format(
      "if [ \"$h\" = {0} ]; then :; else echo \"{1}it arrived as $h, sent was {0}\"; exit 90; fi; ",
      base::to_hex(agent.digest), kNotInstalled);
  script += "sync \"$t\" 2>/dev/null; ";
  script += fmt::format("mv -f \"$t\" \"$d\"/{} || exit 91; trap - EXIT; echo \"{}$d\"",
                        base::quote_shell(agent_file_name(machine, agent.digest)), kInstalled);
  return script;
}

}  // namespace porter::endpoint
