#pragma once
// One compiled hook in the private cache: the library, and a record of all that it was made from. A library
// is fresh when the recipe (compiler, flags, SDK) and the content of every file that the compiler read are
// still the same. Used by hook_compiler.cc alone.

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/base/cancel.h"
#include "core/base/clock.h"
#include "core/base/fd.h"

namespace porter::plugin {

class HookCache {
 public:
  // `root` is made 0700; throws base::Error(refused) when it is somebody else's. `recipe` is any text.
  HookCache(const std::filesystem::path& root, const std::filesystem::path& source,
            const std::string& recipe);

  // Excludes other threads and processes until the descriptor is closed. Throws base::Error(timeout) and
  // Interrupted.
  base::UniqueFd lock(base::Deadline deadline, const base::CancelToken& cancel) const;

  // The library, when it is fresh.
  std::optional<std::filesystem::path> fresh() const;
  // Takes a new library (a file in folder()) and the files it was made from; gives its final name, which
  // differs for different content. Atomic.
  std::filesystem::path store(const std::filesystem::path& library,
                              const std::vector<std::filesystem::path>& dependencies) const;

  // Of this source alone; for the compiler's temporary files.
  const std::filesystem::path& folder() const { return folder_; }

 private:
  void prune(const std::filesystem::path& keep) const;

  std::filesystem::path folder_;
  std::string recipe_;  // its digest
};

// The files of a make rule as compilers write them with -MD: "target: a b \⏎ c\ d".
std::vector<std::filesystem::path> parse_dependencies(std::string_view rule);

}  // namespace porter::plugin
