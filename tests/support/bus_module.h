#pragma once
// A porter::Module for tests of plugins and the bus: settings and arguments from maps, signals through a real
// bus, no services but the ones given.

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <porter/module.h>

#include "core/bus/bus.h"

namespace porter::tests {

class BusModule : public Module {
 public:
  using Module::push_signal_handler;
  using Module::replace_signal_handler;

  BusModule(bus::Place place, std::shared_ptr<bus::RunRegistry> registry, bus::Watcher& watcher)
      : bus(std::move(place), std::move(registry), watcher) {}

  void push_signal_handler(const Signal& signal, Handler handler, const HandlerOptions& options) override {
    bus.push(signal, std::move(handler), options);
  }
  bool pop_signal_handler(const Signal& signal) override { return bus.pop(signal); }
  void replace_signal_handler(const Signal& signal, Handler handler, const HandlerOptions& options) override {
    bus.replace(signal, std::move(handler), options);
  }
  void signal(const Signal& signal, const Payload& payload) override { bus.emit(signal, *this, payload); }

  std::optional<std::string> get_config_value(std::string_view section,
                                              std::string_view option) const override {
    return find(settings, std::string(section) + "/" + std::string(option));
  }
  std::string get_config_dir() const override { return config_dir; }
  std::string destpath() const override { return "/srv/app/releases/1"; }
  std::string livepath() const override { return "/srv/app/current"; }
  std::optional<std::string> argument(std::string_view name) const override {
    return find(arguments, std::string(name));
  }
  void* find_service(std::string_view id) override {
    const auto found = services.find(std::string(id));
    return found == services.end() ? nullptr : found->second;
  }

  bus::Bus bus;
  std::map<std::string, std::string> settings;  // "section/option"
  std::map<std::string, std::string> arguments;
  std::map<std::string, void*> services;
  std::string config_dir;

 private:
  static std::optional<std::string> find(const std::map<std::string, std::string>& in,
                                         const std::string& key) {
    const auto found = in.find(key);
    return found == in.end() ? std::nullopt : std::optional(found->second);
  }
};

}  // namespace porter::tests
