#include "core/event/codec.h"

#include <array>
#include <limits>
#include <nlohmann/json.hpp>
#include <type_traits>

#include "core/base/error.h"
#include "core/base/text.h"

namespace porter::event {

using nlohmann::json;

NLOHMANN_JSON_SERIALIZE_ENUM(Level,
                             {{Level::debug, "debug"}, {Level::info, "info"}, {Level::warning, "warning"}})
NLOHMANN_JSON_SERIALIZE_ENUM(Outcome, {{Outcome::deployed, "deployed"},
                                       {Outcome::unchanged, "unchanged"},
                                       {Outcome::failed, "failed"},
                                       {Outcome::rolled_back, "rolled back"},
                                       {Outcome::not_activated, "not activated"},
                                       {Outcome::rollback_failed, "rollback failed"}})
NLOHMANN_JSON_SERIALIZE_ENUM(QuestionKind, {{QuestionKind::confirm, "confirm"},
                                            {QuestionKind::text, "text"},
                                            {QuestionKind::secret, "secret"}})

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(RunStarted, run_id, command, project, config, ref, message, user, hosts,
                                   modules)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(ModulePinned, module, version, commit)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(HostConnected, host, address, seconds)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Planned, module, host, unchanged, files_new, files_changed, files_deleted,
                                   bytes_to_send, paths, version, live, config_changes, handlers,
                                   own_procedure)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(SignalStarted, signal, module, host, handler, who)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(SignalFired, signal, module, host, handler, seconds, failed)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Progress, module, host, phase, done, total)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Talk, level, source, module, host, text)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Output, text)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(ModuleFinished, module, host, outcome, release_id, version, files_whole,
                                   files_delta, files_kept, files_deleted, bytes_sent, bytes_received,
                                   tree_bytes, seconds)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(SiteStatus, module, host, path, release_id, version, commit, config, made,
                                   user, message, drift_changed, drift_missing, notes)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(ReleaseFound, module, host, release_id, version, commit, made, user,
                                   message, current, pinned, bad)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(HistoryFound, module, host, when, action, release_id, previous, run_id,
                                   user, version, config, message)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(DriftFound, module, host, kind, path, what)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Checked, host, module, subject, verdict, text, fix)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Failure, host, module, code, text)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Question, id, kind, text)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(RunFinished, exit_code, cause, seconds, log, resume)

namespace {

// In the order of the variant.
constexpr std::array<const char*, std::variant_size_v<Event>> kNames = {
    "run_started", "module_pinned", "host_connected", "planned",         "signal_started", "signal_fired",
    "progress",    "talk",          "output",         "module_finished", "site_status",    "release",
    "history",     "drift",         "checked",        "failure",         "question",       "run_finished"};

bool fits_int(const json& number) {
  if (number.is_number_unsigned())
    return number.get<std::uint64_t>() <= std::uint64_t{std::numeric_limits<int>::max()};
  return number.is_number_integer() && number.get<std::int64_t>() >= std::numeric_limits<int>::min();
}

// nlohmann's conversions take any number for any other, and are undefined beyond the range of the field.
void check_numbers(const json& object, const json& like) {
  for (const auto& [key, wanted] : like.items()) {
    const auto found = object.find(key);
    if (found == object.end() || !found->is_number() || wanted.is_number_float()) continue;
    const bool fits = wanted.is_number_unsigned() ? found->is_number_unsigned() : fits_int(*found);
    if (!fits) throw base::Error(base::Code::protocol, "not an event: a number out of range: " + key);
  }
}

template <class Kind>
Event decode_kind(const json& object) {
  check_numbers(object, json(Kind()));
  return object.get<Kind>();
}

template <std::size_t kIndex = 0>
Event decode_as(std::size_t index, const json& object) {
  if constexpr (kIndex < std::variant_size_v<Event>) {
    if (index == kIndex) return decode_kind<std::variant_alternative_t<kIndex, Event>>(object);
    return decode_as<kIndex + 1>(index, object);
  } else {
    throw base::Error(base::Code::protocol, "an event of an unknown kind");
  }
}

}  // namespace

std::string name_of(const Event& event) {
  return kNames.at(event.index());
}
std::string name_of(Outcome outcome) {
  return json(outcome).get<std::string>();
}

std::string encode(const Event& event, base::WallTime time) {
  json object = std::visit([](const auto& value) { return json(value); }, event);
  object["event"] = name_of(event);
  object["time"] = base::format_iso(time);
  return object.dump(-1, ' ', false, json::error_handler_t::replace);
}

Event decode(std::string_view line) {
  try {
    const json object = json::parse(line);
    const std::string name = object.at("event").get<std::string>();
    std::size_t index = 0;
    while (index < kNames.size() && name != kNames.at(index))
      ++index;
    return decode_as(index, object);
  } catch (const json::exception& problem) {
    throw base::Error(base::Code::protocol, std::string("not an event: ") + problem.what());
  }
}

}  // namespace porter::event
