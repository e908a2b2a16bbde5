#pragma once
// A plugin in this process. Only the worker loads plugins; a library stays mapped until the process ends
// (types, exceptions and std::functions of a plugin may outlive any plan). Boost.DLL does the loading; it is
// seen by loader.cc alone.

#include <filesystem>
#include <memory>

#include <porter/plugin.h>

#include "core/plugin/doorway.h"
#include "core/plugin/note.h"
#include "core/plugin/trust.h"

namespace porter::plugin {

class LoadedPlugin {
 public:
  // Checks who owns the file, reads and checks its note, loads that very file and makes its porter::Plugin.
  // Throws base::Error(plugin_refused); none of the plugin's code has run then, unless the message says that
  // it is the loading itself that failed.
  static LoadedPlugin load(const std::filesystem::path& file, const Expectation& expectation,
                           const TrustRules& rules);

  LoadedPlugin(LoadedPlugin&&) noexcept;
  LoadedPlugin& operator=(LoadedPlugin&&) noexcept;
  // Gives the porter::Plugin back to its library. Every handler of the plugin must be gone or idle.
  ~LoadedPlugin();

  const PluginNote& note() const;
  // register_signal_handlers() is called through bus::Bus::call, which guards it.
  Plugin& plugin();

 private:
  struct State;
  explicit LoadedPlugin(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace porter::plugin
