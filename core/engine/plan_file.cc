#include "core/engine/plan_file.h"

#include <fmt/format.h>

#include <map>
#include <nlohmann/json.hpp>

#include "core/base/digest.h"
#include "core/base/files.h"

namespace porter::engine {

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Terms, project, config, ref, adopt, arguments)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Basis, module, host, login, forced, live, live_root, composed, key,
                                   version)

namespace {

using base::Code;
using base::Error;
using nlohmann::json;

constexpr int kFormat = 1;
constexpr std::size_t kLimit = 64U << 20U;
constexpr const char* kAgain = "look again: porter-admin plan --out FILE";

constexpr auto kReplace = json::error_handler_t::replace;

// As plain JSON whatever bytes are in it, and the same for every layout of the file.
std::string digest_of(const json& plan) {
  return base::to_hex(base::sha256(plan.dump(-1, ' ', false, kReplace)));
}

Terms terms_of(const Run& run) {
  const Request& request = run.request;
  const auto& given = request.plugin_arguments;
  return {run.project.id, request.config, request.ref, request.adopt, given.empty() ? "" : digest_of(given)};
}

// A plan is flat. What is deep is refused before anything walks it by recursion.
json parse_plan(const std::string& text, const std::string& file) {
  constexpr int kDeepest = 8;
  return json::parse(text, [&](int depth, json::parse_event_t, const json&) {
    if (depth > kDeepest) throw Error(Code::bad_value, "is no plan: too deep").at(file);
    return true;
  });
}

std::string login_of(const HostRun& host) {
  const settings::Host& at = host.host;
  const std::string as = host.become.empty() ? "" : " as " + host.become;
  if (at.local) return "local" + as;
  const std::string port = at.port_given ? fmt::format(":{}", at.port) : "";
  const std::string jump = at.jump.empty() ? "" : " over " + at.jump;
  return fmt::format("{}{}{}{}{}{}", at.user, at.user.empty() ? "" : "@", at.address, port, jump, as);
}

Basis basis_of(const Deployment& one) {
  return {one.module_name(),
          one.host_name(),
          login_of(*one.host),
          one.module->forced,
          one.before.current,
          base::to_hex(one.before.seal.root_digest),
          base::to_hex(one.source_root),
          one.skip_key,
          one.version};
}

std::vector<Basis> all_of(const Walk& walk) {
  std::vector<Basis> all;
  for (const auto& one : walk.fleet.deployments)
    all.push_back(basis_of(*one));
  return all;
}

std::string or_nothing(const std::string& release) {
  return release.empty() ? "nothing" : release;
}

// What is asked for otherwise, for people; "" when nothing is.
std::string other_terms(const Terms& planned, const Terms& now) {
  const auto other = [](const char* what, const std::string& then, const std::string& today) {
    return fmt::format("the plan is one of {} \"{}\", and this is \"{}\"", what, then, today);
  };
  if (planned.project != now.project) return other("project", planned.project, now.project);
  if (planned.config != now.config) return other("config", planned.config, now.config);
  if (planned.ref != now.ref) return other("release", planned.ref, now.ref);
  if (planned.adopt != now.adopt)
    return now.adopt ? "the plan was made without --adopt" : "the plan was made with --adopt";
  return planned.arguments == now.arguments ? "" : "the plan was made with other arguments for plugins";
}

// What changed since, for people; "" when nothing did.
std::string change(const Basis& planned, const Basis& now) {
  if (planned.login != now.login) return fmt::format("is {} now, it was {}", now.login, planned.login);
  if (planned.forced != now.forced) return now.forced ? "the plan does not force it" : "the plan forces it";
  if (planned.live != now.live)
    return fmt::format("{} is live, it was {}", or_nothing(now.live), or_nothing(planned.live));
  if (planned.live_root != now.live_root) return "the seal of the live release is another";
  if (planned.composed != now.composed)
    return fmt::format("the source changed: {}, planned from {}", now.version, planned.version);
  return planned.key == now.key ? "" : "settings, hook or plugins are others";
}

}  // namespace

void write_plan(const Walk& walk, const std::filesystem::path& file) {
  const Request& request = walk.run.request;
  json plan = terms_of(walk.run);
  plan["porter_plan"] = kFormat;
  plan["run_id"] = request.run_id;
  plan["made"] = base::format_iso(walk.run.started);
  plan["by"] = Run::user();
  plan["targets"] = all_of(walk);
  plan = json::parse(plan.dump(-1, ' ', false, kReplace));  // as whoever reads the file will see it
  plan["digest"] = digest_of(plan);
  base::write_file(request.directory / file, plan.dump(2) + "\n");
}

Plan read_plan(const Request& request) {
  const std::string& file = request.plan_file;
  const std::string text = base::read_file(request.directory / file, kLimit);
  try {
    json plan = parse_plan(text, file);
    if (plan.at("porter_plan") != kFormat) throw Error(Code::bad_value, "a plan of another format").at(file);
    const std::string digest = plan.at("digest");
    plan.erase("digest");
    if (digest != digest_of(plan))
      throw Error(Code::bad_value, "the plan is not as it was written").at(file).hint(kAgain);
    Plan found{file, plan.get<Terms>(), {}};
    for (const Basis& basis : plan.at("targets").get<std::vector<Basis>>())
      found.targets.emplace(basis.module + " on " + basis.host, basis);
    return found;
  } catch (const json::exception& problem) {
    throw Error(Code::bad_value, fmt::format("is no plan: {}", problem.what()))
        .at(file)
        .hint("porter-admin plan --out FILE makes one");
  }
}

void hold_to_plan(const Walk& walk, const Plan& plan) {
  const std::string other = other_terms(plan.terms, terms_of(walk.run));
  if (!other.empty()) throw Error(Code::stale_plan, other).at(plan.file).hint(kAgain);
  std::map<std::string, Basis> planned = plan.targets;
  std::vector<Error> problems;
  const auto stale = [&](const std::string& place, const std::string& what) {
    problems.push_back(
        Error(Code::stale_plan, fmt::format("{}: {}", place, what)).at(plan.file).hint(kAgain));
  };
  for (const Basis& now : all_of(walk)) {
    const std::string place = now.module + " on " + now.host;
    const auto found = planned.find(place);
    const std::string what = found == planned.end() ? "is not in the plan" : change(found->second, now);
    if (!what.empty()) stale(place, what);
    if (found != planned.end()) planned.erase(found);
  }
  for (const auto& [place, basis] : planned)
    stale(place, "is in the plan, and would not be deployed");
  if (!problems.empty()) throw base::Errors(std::move(problems));
}

}  // namespace porter::engine
