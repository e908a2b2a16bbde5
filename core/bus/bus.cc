#include "core/bus/bus.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <boost/signals2/signal.hpp>
#include <cstdint>
#include <map>
#include <mutex>
#include <utility>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/bus/guarded_call.h"

namespace porter::bus {
namespace {

using Generation = std::uint64_t;
constexpr Generation kAlive = UINT64_MAX;

// One emission, as the slots see it.
struct Emission {
  Generation generation;  // the handlers that were there when it began take part
  Module& module;
  const Payload& payload;
};

struct Entry {
  Owner owner;
  Handler handler;
  HandlerOptions options;
  std::string once_key;
  Generation born = 0;
  std::atomic<Generation> died = kAlive;
  boost::signals2::connection connection;

  bool takes_part(Generation generation) const { return born <= generation && generation < died.load(); }
};

// One signal's handlers. The connection order inside Signals2 is (priority, push order).
struct Channel {
  std::string name;
  boost::signals2::signal<void(const Emission&)> slots;
  std::vector<std::shared_ptr<Entry>> entries;  // in push order
  std::vector<std::shared_ptr<Entry>> retired;  // popped while an emission may still need them
  std::map<std::string, int> pushed;            // by owner, ever: numbers the once handlers
  int running = 0;
};

thread_local std::vector<std::string> t_emitting;

// Counts how deep this thread is inside signals.
class Depth {
 public:
  explicit Depth(const std::string& signal) {
    if (t_emitting.size() >= kDeepest) throw too_deep(signal);
    t_emitting.push_back(signal);
  }
  ~Depth() { t_emitting.pop_back(); }
  Depth(const Depth&) = delete;
  Depth& operator=(const Depth&) = delete;

 private:
  static base::Error too_deep(const std::string& signal) {
    std::vector<std::string> chain = t_emitting;
    chain.push_back(signal);
    return base::Error(base::Code::plugin_failed,
                       fmt::format("signal {} was emitted from handlers {} deep: {}", signal, kDeepest,
                                   base::join(chain, " > ")))
        .hint("a handler of this chain emits, directly or through another, the signal that it handles");
  }
};

}  // namespace

struct Bus::State {
  State(Place its_place, std::shared_ptr<RunRegistry> its_registry, Watcher& its_watcher)
      : place(std::move(its_place)), registry(std::move(its_registry)), watcher(its_watcher) {}

  const Place place;
  const std::shared_ptr<RunRegistry> registry;
  Watcher& watcher;

  mutable std::mutex mutex;  // guards what follows; never held while a handler runs
  std::map<std::string, Channel, std::less<>> channels;  // nodes never move, none is removed
  Generation generation = 1;

  Channel& channel_of(const Signal& signal);
  void push_locked(Channel& channel, std::shared_ptr<Entry> entry);
  bool pop_locked(Channel& channel);
  std::shared_ptr<Entry> make_entry(Channel& channel, Handler handler, const HandlerOptions& options);
  void run(const Channel& channel, const Entry& entry, const Emission& emission);
  void run_unless_done(const Channel& channel, const Entry& entry, const std::function<void()>& code);
  void disconnect_retired(Channel& channel);
};

Channel& Bus::State::channel_of(const Signal& signal) {
  const auto [found, fresh] = channels.try_emplace(std::string(signal.name()));
  if (fresh) found->second.name = found->first;
  return found->second;
}

std::shared_ptr<Entry> Bus::State::make_entry(Channel& channel, Handler handler,
                                              const HandlerOptions& options) {
  auto entry = std::make_shared<Entry>();
  entry->owner = current_owner();
  entry->handler = std::move(handler);
  entry->options = options;
  const int index = channel.pushed[entry->owner.name]++;
  entry->once_key = fmt::format("{}\n{}\n{}\n{}", entry->owner.name, place.module, channel.name, index);
  return entry;
}

void Bus::State::push_locked(Channel& channel, std::shared_ptr<Entry> entry) {
  entry->born = ++generation;
  entry->connection = channel.slots.connect(
      entry->options.priority,
      [this, &channel, entry](const Emission& emission) {
        if (entry->takes_part(emission.generation)) run(channel, *entry, emission);
      },
      boost::signals2::at_back);
  channel.entries.push_back(std::move(entry));
}

bool Bus::State::pop_locked(Channel& channel) {
  if (channel.entries.empty()) return false;
  channel.entries.back()->died = ++generation;
  channel.retired.push_back(std::move(channel.entries.back()));
  channel.entries.pop_back();
  return true;
}

void Bus::State::run_unless_done(const Channel& channel, const Entry& entry,
                                 const std::function<void()>& code) {
  const auto guarded = [&] { guarded_call({entry.owner, channel.name, place}, *registry, watcher, code); };
  if (entry.options.repeat == Repeat::every_host) return guarded();
  const std::string subject =
      fmt::format("{}, {} ({})", entry.owner.describe(), channel.name, place.describe());
  registry->once(entry.once_key, subject, guarded);
}

void Bus::State::run(const Channel& channel, const Entry& entry, const Emission& emission) {
  const auto code = [&] { entry.handler(emission.module, emission.payload); };
  if (entry.options.criticality == Criticality::required) return run_unless_done(channel, entry, code);
  try {
    run_unless_done(channel, entry, code);
  } catch (const base::Error& error) {
    watcher.observer_failed(error);
  } catch (const base::Errors& errors) {
    for (const base::Error& error : errors.all())
      watcher.observer_failed(error);
  }
}

// Handlers may own anything; they are destroyed outside of the lock.
void Bus::State::disconnect_retired(Channel& channel) {
  std::vector<std::shared_ptr<Entry>> gone;
  {
    const std::lock_guard guard(mutex);
    if (channel.running > 0) return;
    gone.swap(channel.retired);
  }
  for (const auto& entry : gone)
    entry->connection.disconnect();
}

Bus::Bus(Place place, std::shared_ptr<RunRegistry> registry, Watcher& watcher)
    : state_(std::make_unique<State>(std::move(place), std::move(registry), watcher)) {}

Bus::~Bus() = default;

void Bus::push(const Signal& signal, Handler handler, const HandlerOptions& options) {
  const std::lock_guard guard(state_->mutex);
  Channel& channel = state_->channel_of(signal);
  state_->push_locked(channel, state_->make_entry(channel, std::move(handler), options));
}

bool Bus::pop(const Signal& signal) {
  std::unique_lock guard(state_->mutex);
  Channel& channel = state_->channel_of(signal);
  const bool popped = state_->pop_locked(channel);
  guard.unlock();
  state_->disconnect_retired(channel);
  return popped;
}

void Bus::replace(const Signal& signal, Handler handler, const HandlerOptions& options) {
  std::unique_lock guard(state_->mutex);
  Channel& channel = state_->channel_of(signal);
  state_->pop_locked(channel);
  state_->push_locked(channel, state_->make_entry(channel, std::move(handler), options));
  guard.unlock();
  state_->disconnect_retired(channel);
}

void Bus::emit(const Signal& signal, Module& module, const Payload& payload) {
  std::unique_lock guard(state_->mutex);
  Channel& channel = state_->channel_of(signal);
  const Emission emission = {state_->generation, module, payload};
  const Depth depth(channel.name);
  ++channel.running;
  guard.unlock();
  const auto leave = [&] {
    guard.lock();
    --channel.running;
    guard.unlock();
    state_->disconnect_retired(channel);
  };
  try {
    channel.slots(emission);
  } catch (...) {
    leave();
    throw;
  }
  leave();
}

void Bus::call(const Owner& owner, const std::string& what, const std::function<void()>& code) {
  guarded_call({owner, what, state_->place}, *state_->registry, state_->watcher, code);
}

std::vector<HandlerInfo> Bus::handlers(const Signal& signal) const {
  std::vector<HandlerInfo> found;
  {
    const std::lock_guard guard(state_->mutex);
    const auto channel = state_->channels.find(signal.name());
    if (channel == state_->channels.end()) return found;
    for (const auto& entry : channel->second.entries)
      found.push_back({entry->owner, entry->options});
  }
  std::stable_sort(found.begin(), found.end(), [](const HandlerInfo& a, const HandlerInfo& b) {
    return a.options.priority < b.options.priority;
  });
  return found;
}

}  // namespace porter::bus
