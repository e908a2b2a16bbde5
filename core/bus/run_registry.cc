#include "core/bus/run_registry.h"

#include <condition_variable>
#include <map>
#include <thread>

#include "core/base/error.h"
#include "core/bus/plugin_lock.h"

namespace porter::bus {
namespace {

enum class Phase { running, done, failed };

struct Once {
  Phase phase = Phase::running;
  std::thread::id runner;
};

}  // namespace

struct RunRegistry::State {
  std::mutex mutex;
  std::map<std::string, std::mutex> locks;  // nodes never move
  std::map<std::string, Once> once;
  std::condition_variable finished;

  // True when the caller is the one that runs it.
  bool claim(const std::string& key, const std::string& subject);
  void finish(const std::string& key, Phase phase);
};

bool RunRegistry::State::claim(const std::string& key, const std::string& subject) {
  const PluginLock::Unlocked while_waiting;
  std::unique_lock guard(mutex);
  const auto [found, fresh] = once.try_emplace(key);
  Once& entry = found->second;
  if (fresh) entry.runner = std::this_thread::get_id();
  if (fresh || (entry.phase == Phase::running && entry.runner == std::this_thread::get_id())) return fresh;
  finished.wait(guard, [&] { return entry.phase != Phase::running; });
  if (entry.phase == Phase::failed)
    throw base::Error(base::Code::plugin_failed,
                      subject + ": runs once for all hosts, and failed on the first");
  return false;
}

void RunRegistry::State::finish(const std::string& key, Phase phase) {
  const std::lock_guard guard(mutex);
  once.at(key).phase = phase;
  finished.notify_all();
}

RunRegistry::RunRegistry() : state_(std::make_unique<State>()) {}

RunRegistry::~RunRegistry() = default;

std::mutex* RunRegistry::lock_of(const Owner& owner) {
  if (owner.kind == OwnerKind::program) return nullptr;
  const std::lock_guard guard(state_->mutex);
  return &state_->locks[owner.name];
}

void RunRegistry::once(const std::string& key, const std::string& subject,
                       const std::function<void()>& work) {
  if (!state_->claim(key, subject)) return;
  try {
    work();
  } catch (...) {
    state_->finish(key, Phase::failed);
    throw;
  }
  state_->finish(key, Phase::done);
}

}  // namespace porter::bus
