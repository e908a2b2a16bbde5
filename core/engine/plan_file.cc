#include "core/engine/plan_file.h"

#include <fmt/format.h>

#include <map>
#include <nlohmann/json.hpp>

#include "core/base/files.h"

namespace porter::engine {

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Basis, module, host, live, live_root, composed, key, version)

namespace {

using base::Code;
using base::Error;
using nlohmann::json;

constexpr int kFormat = 1;
constexpr std::size_t kLimit = 64U << 20U;

Basis basis_of(const Deployment& one) {
  return {one.module_name(),
          one.host_name(),
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

// What changed since, for people; "" when nothing did.
std::string change(const Basis& planned, const Basis& now) {
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
  const json plan = {{"porter_plan", kFormat},   {"project", walk.run.project.id},
                     {"config", request.config}, {"ref", request.ref},
                     {"run_id", request.run_id}, {"made", base::format_iso(walk.run.started)},
                     {"by", Run::user()},        {"targets", all_of(walk)}};
  base::write_file(request.directory / file, plan.dump(2, ' ', false, json::error_handler_t::replace) + "\n");
}

Plan read_plan(const Request& request) {
  const std::string& file = request.plan_file;
  try {
    const json plan = json::parse(base::read_file(request.directory / file, kLimit));
    if (plan.at("porter_plan") != kFormat) throw Error(Code::bad_value, "a plan of another format").at(file);
    Plan found{file, {}};
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
  std::map<std::string, Basis> planned = plan.targets;
  std::vector<Error> problems;
  const auto stale = [&](const std::string& place, const std::string& what) {
    problems.push_back(Error(Code::stale_plan, fmt::format("{}: {}", place, what))
                           .at(plan.file)
                           .hint("look again: porter-admin plan --out FILE"));
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
