#pragma once
// porter::Module: what a handler is given. One Module is one module of the project on one host (for
// module-scope signals: on no host yet). It belongs to the host program and lives until the end of the run; a
// plugin may keep the reference. All calls are [any-thread] unless said otherwise; handlers of one plugin run
// one at a time.
//
// The virtual functions of this class are frozen: never reordered, never removed, none added. Everything
// newer is a service: module.service<porter::Target>().

#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include <porter/signal.h>

namespace porter {

class Module;

// A handler. An exception that leaves it ends the signal and fails the deploy, naming the plugin; nothing is
// swallowed.
using Handler = std::function<void(Module&, const Payload&)>;

enum class Criticality {
  required,  // an exception fails the deploy (default)
  observer,  // an exception is reported and the signal goes on
};

enum class Repeat {
  every_host,  // default
  once,        // only on the first host of a run (database migrations)
};

struct HandlerOptions {
  Criticality criticality = Criticality::required;
  Repeat repeat = Repeat::every_host;
  // Handlers run in the order of their priority, lowest first; equal ones in push order.
  int priority = 0;
};

class Module {
 public:
  virtual ~Module() = default;

  // Appends a handler. Order: defaults of porter-admin, then deployment.so, then plugins as the ini lists
  // them.
  virtual void push_signal_handler(const Signal& signal, Handler handler, const HandlerOptions& options) = 0;
  // Removes the handler pushed last; false when there was none.
  virtual bool pop_signal_handler(const Signal& signal) = 0;
  // pop, then push: what the last handler did, this one does instead. For SIG_SOURCE_SEND, SIG_ACTIVATE and
  // SIG_DEPLOY that replaces the default.
  virtual void replace_signal_handler(const Signal& signal, Handler handler,
                                      const HandlerOptions& options) = 0;
  // Emits a signal now, on the calling thread; returns when all handlers ran, throws what the first failing
  // one threw.
  virtual void signal(const Signal& signal, const Payload& payload) = 0;

  // The effective value: "OPTION-HOST", "OPTION-GROUP", "OPTION-CONFIG", then "OPTION" of [section]; nothing
  // when the file does not set it and it has no declared default.
  virtual std::optional<std::string> get_config_value(std::string_view section,
                                                      std::string_view option) const = 0;
  // The module's folder config/<config> on this machine; absolute, may not exist.
  virtual std::string get_config_dir() const = 0;
  // On the target: the complete tree of this deploy (from SIG_SOURCE_POST_SEND on; before, where it will be).
  virtual std::string destpath() const = 0;
  // On the target: the path that applications use, <path>/current, or <path> with layout = inplace.
  virtual std::string livepath() const = 0;
  // A plugin's own command line argument ("update-crontab"): its value, "" for a flag that is set, nothing
  // when it was not given.
  virtual std::optional<std::string> argument(std::string_view name) const = 0;

  // A service by its versioned id, or null when this host program does not have it. Use service<T>().
  virtual void* find_service(std::string_view id) = 0;

  // --- conveniences, inline: no part of the frozen table ---

  // T names its id as T::kId. Throws std::runtime_error when the host program is too old to have it.
  template <class T>
  T& service() {
    void* found = find_service(T::kId);
    if (found == nullptr) throw std::runtime_error("this porter-admin has no service " + std::string(T::kId));
    return *static_cast<T*>(found);
  }

  void push_signal_handler(const Signal& signal, Handler handler) {
    push_signal_handler(signal, std::move(handler), HandlerOptions());
  }
  void push_signal_handler(const Signal& signal, std::function<void(Module&)> handler) {
    push_signal_handler(signal, adapt(std::move(handler)), HandlerOptions());
  }
  void replace_signal_handler(const Signal& signal, Handler handler) {
    replace_signal_handler(signal, std::move(handler), HandlerOptions());
  }
  void replace_signal_handler(const Signal& signal, std::function<void(Module&)> handler) {
    replace_signal_handler(signal, adapt(std::move(handler)), HandlerOptions());
  }
  void emit(const Signal& which, const Payload& payload = {}) { signal(which, payload); }

  std::string get_config_value(std::string_view section, std::string_view option,
                               std::string_view otherwise) const {
    return get_config_value(section, option).value_or(std::string(otherwise));
  }
  bool has_argument(std::string_view name) const { return argument(name).has_value(); }

 private:
  static Handler adapt(std::function<void(Module&)> handler) {
    return [handler = std::move(handler)](Module& module, const Payload&) { handler(module); };
  }
};

}  // namespace porter
