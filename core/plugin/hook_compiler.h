#pragma once
// A module's hook: deployment.cpp beside its ini, compiled on demand, or a ready-made deployment.so.
// deployment.cpp wins when both are there: the source is what people edit, and a stale library beside it must
// not run unnoticed. Compiled hooks live in a private cache folder and are made again only when the source, a
// file it includes, the flags, the SDK or the compiler changed. Safe between threads and processes (flock).

#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "core/base/cancel.h"
#include "core/base/clock.h"
#include "core/base/world.h"
#include "core/plugin/trust.h"

namespace porter::plugin {

enum class HookOrigin {
  ready_made,  // deployment.so as it is
  compiled,    // just now
  cached,      // nothing had changed
};

struct Hook {
  std::filesystem::path library;
  HookOrigin origin = HookOrigin::ready_made;
};

struct HookSettings {
  std::filesystem::path cache;        // private folder for compiled hooks; made 0700 when it is not there
  std::filesystem::path sdk_include;  // the folder that holds porter/porter.h
  std::string compiler;               // $CXX: program and arguments; empty: c++, g++ or clang++ from PATH
  std::string search_path;            // $PATH
  TrustRules trust;
  std::function<void(const std::filesystem::path& source)> compiling;  // told before a compilation starts
};

// <cache folder>/hooks, the SDK beside the executable (../include) and $CXX. Throws base::Error(missing) when
// there is no SDK.
HookSettings hook_settings(const base::World& world, const std::filesystem::path& executable);

// The hook of the module whose folder this is, or nothing when it has none. Throws base::Error:
// plugin_refused with file, line and the compiler's words when it does not compile; missing when there is no
// compiler; timeout and Interrupted as usual.
std::optional<Hook> module_hook(const std::filesystem::path& module_folder, const HookSettings& settings,
                                base::Deadline deadline, const base::CancelToken& cancel);

}  // namespace porter::plugin
