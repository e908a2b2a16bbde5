#pragma once
// Signals: what a deploy says while it walks. Each has porter's code or a new one; plugins may define more by
// name.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>

namespace porter {

class Signal {
 public:
  // A signal of porter-admin itself. `name` is a literal.
  constexpr Signal(std::uint32_t code, std::string_view name) : code_(code), name_(name) {}
  // A plugin's own signal, known by its name alone ("supervisor-launcher-updated"). The name must outlive
  // every use: a literal or a static.
  static constexpr Signal named(std::string_view name) { return {0, name}; }

  constexpr std::uint32_t code() const { return code_; }
  constexpr std::string_view name() const { return name_; }
  friend constexpr bool operator==(const Signal& a, const Signal& b) { return a.name_ == b.name_; }

 private:
  std::uint32_t code_;
  std::string_view name_;
};

// In firing order. "module" scope: once a run and module, before any host; "host" scope: per module and host.
inline constexpr Signal SIG_SOURCE_PREPARE{
    0x10, "SIG_SOURCE_PREPARE"};                         // module: the private checkout is there; build in it
inline constexpr Signal SIG_DEPLOY{0x30, "SIG_DEPLOY"};  // module: the procedure itself; replace to own it
inline constexpr Signal SIG_DEPLOY_START{
    0x20, "SIG_DEPLOY_START"};  // host: connected, lock held, stage is made next
inline constexpr Signal SIG_SOURCE_PRE_SEND{0x01, "SIG_SOURCE_PRE_SEND"};  // host: before the tree is sent
inline constexpr Signal SIG_SOURCE_SEND{
    0x03, "SIG_SOURCE_SEND"};  // host: default sends the composed tree; replace to send otherwise
inline constexpr Signal SIG_SOURCE_POST_SEND{
    0x02, "SIG_SOURCE_POST_SEND"};  // host: destpath() is complete; touch only it
inline constexpr Signal SIG_PRE_ACTIVATE{0x22, "SIG_PRE_ACTIVATE"};  // host: past the barrier; stop services
inline constexpr Signal SIG_ACTIVATE{0x23, "SIG_ACTIVATE"};  // host: default switches to the new release
inline constexpr Signal SIG_POST_ACTIVATE{
    0x24, "SIG_POST_ACTIVATE"};  // host: the new release is live; start services
inline constexpr Signal SIG_HEALTH_CHECK{0x25, "SIG_HEALTH_CHECK"};    // host: throw to take the release back
inline constexpr Signal SIG_DEPLOY_FINISH{0x21, "SIG_DEPLOY_FINISH"};  // host: done and committed
inline constexpr Signal SIG_DEPLOY_FAILED{0x26, "SIG_DEPLOY_FAILED"};  // host: before the undo
inline constexpr Signal SIG_ROLLBACK{
    0x27,
    "SIG_ROLLBACK"};  // host: `to` is live instead of `from`: after `rollback`, or the undo of what failed

// What a signal carries: names and text. porter's keyword arguments.
using Payload = std::map<std::string, std::string>;

// What a run is at, for those who have to know more than the signal's name.
enum class Phase {
  stage,     // the new release is being made; nothing is live
  activate,  // a new release becomes live
  rollback,  // an older one becomes live, or with SIG_ROLLBACK the one that was live before
};

// The payload of SIG_PRE_ACTIVATE, SIG_ACTIVATE, SIG_POST_ACTIVATE, SIG_HEALTH_CHECK, SIG_DEPLOY_FINISH,
// SIG_DEPLOY_FAILED and SIG_ROLLBACK, typed: context_of(payload).
struct SignalContext {
  Phase phase = Phase::stage;
  std::string error;  // of SIG_DEPLOY_FAILED, and of a SIG_ROLLBACK that follows it; else ""
  std::string from;   // release id that was live before; "" for none
  std::string to;     // that becomes, or became, live; "" when a first deploy was taken back: nothing is
};

inline Payload to_payload(const SignalContext& context) {
  constexpr const char* kPhases[] = {"stage", "activate", "rollback"};
  return {{"phase", kPhases[static_cast<int>(context.phase)]},
          {"error", context.error},
          {"from", context.from},
          {"to", context.to}};
}

inline SignalContext context_of(const Payload& payload) {
  const auto text = [&](const char* name) {
    const auto found = payload.find(name);
    return found == payload.end() ? std::string() : found->second;
  };
  const std::string phase = text("phase");
  SignalContext context;
  if (phase == "activate") context.phase = Phase::activate;
  if (phase == "rollback") context.phase = Phase::rollback;
  context.error = text("error");
  context.from = text("from");
  context.to = text("to");
  return context;
}

}  // namespace porter
