#include "core/bus/plugin_lock.h"

namespace porter::bus {
namespace {

thread_local std::mutex* t_held = nullptr;

// Afterwards this thread holds `wanted` and nothing else.
void hold(std::mutex* wanted) {
  if (t_held == wanted) return;
  if (t_held != nullptr) t_held->unlock();
  t_held = nullptr;
  if (wanted != nullptr) wanted->lock();
  t_held = wanted;
}

}  // namespace

PluginLock::PluginLock(std::mutex* mutex) : outer_(t_held) {
  hold(mutex);
}

PluginLock::~PluginLock() {
  hold(outer_);
}

}  // namespace porter::bus
