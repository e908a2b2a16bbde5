#include "core/engine/request.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <random>

#include "core/base/clock.h"
#include "core/base/error.h"

namespace porter::engine {

using nlohmann::json;

NLOHMANN_JSON_SERIALIZE_ENUM(Action, {{Action::deploy, "deploy"},
                                      {Action::run, "run"},
                                      {Action::settle, "settle"},
                                      {Action::resume, "resume"},
                                      {Action::rollback, "rollback"},
                                      {Action::status, "status"},
                                      {Action::releases, "releases"},
                                      {Action::history, "history"},
                                      {Action::diff, "diff"},
                                      {Action::freeze, "freeze"},
                                      {Action::unfreeze, "unfreeze"},
                                      {Action::doctor, "doctor"}})
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Request, action, run_id, directory, modules, with_dependencies, hosts,
                                   config, ref, force_all, force, dry_run, adopt, yes, interactive, message,
                                   lock_wait_seconds, overwrite_drift, plan_out, plan_file,
                                   detailed_exit_code, to_release, mark_release, mark, limit, known_hosts,
                                   debug, plugin_path, plugin_arguments, command)

std::string name_of(Action action) {
  return json(action).get<std::string>();
}

bool only_looks(Action action) {
  switch (action) {
    case Action::status:
    case Action::releases:
    case Action::history:
    case Action::diff:
    case Action::doctor:
      return true;
    default:
      return false;
  }
}

bool loads_handlers(Action action) {
  return action == Action::deploy || action == Action::rollback;
}

std::string encode(const Request& request) {
  // CBOR, not text: folder names and arguments are bytes, and need not be UTF-8.
  const std::vector<std::uint8_t> bytes = json::to_cbor(json(request));
  return {bytes.begin(), bytes.end()};
}

Request decode_request(std::string_view text) {
  try {
    return json::from_cbor(text.begin(), text.end()).get<Request>();
  } catch (const json::exception& problem) {
    throw base::Error(base::Code::protocol, std::string("not a request: ") + problem.what());
  }
}

std::string make_run_id() {
  std::random_device source;
  return fmt::format("{}-{:04x}", base::format_compact(std::chrono::system_clock::now()), source() & 0xFFFFU);
}

std::string make_release_id(const std::string& run_id, const std::string& commit) {
  const std::size_t dash = run_id.rfind('-');
  return fmt::format("{}-{:0<8}-{}", run_id.substr(0, dash), commit.substr(0, 8), run_id.substr(dash + 1));
}

}  // namespace porter::engine
