#pragma once
// A module with its bus, and a watcher that writes down what it is told.

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/bus/bus.h"
#include "tests/support/bus_module.h"
#include "tests/support/error_of.h"

namespace porter::tests {

struct Notebook : bus::Watcher {
  void handler_started(const bus::Owner& owner, const std::string& signal, const bus::Place& place) override {
    const std::lock_guard guard(mutex);
    told.push_back("+" + owner.name + " " + signal + " " + place.module + "/" + place.host);
  }
  void handler_ran(const bus::HandlerRun& run) override {
    const std::lock_guard guard(mutex);
    runs.push_back(run);
    told.push_back("-" + run.owner.name + " " + run.signal);
  }
  void observer_failed(const base::Error& error) override { failures.push_back(error.message()); }
  void warning(const bus::Owner&, const bus::Place&, const std::string& text) override {
    warnings.push_back(text);
  }

  std::mutex mutex;
  std::vector<bus::HandlerRun> runs;
  std::vector<std::string> told;  // "+…" when foreign code starts, "-…" when any code ends
  std::vector<std::string> failures;
  std::vector<std::string> warnings;
};

struct Stage {
  std::shared_ptr<bus::RunRegistry> registry = std::make_shared<bus::RunRegistry>();
  Notebook notebook;
  BusModule module{{"root", "testing"}, registry, notebook};
  std::string log;

  // A handler that adds its name to the log.
  Handler says(const std::string& name) {
    return [this, name](Module&, const Payload&) { log += name + " "; };
  }
};

inline bus::Owner plugin(const std::string& name) {
  return {bus::OwnerKind::plugin, name, "1.0"};
}

}  // namespace porter::tests
