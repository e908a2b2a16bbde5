#pragma once
// Fixture plugins in a private folder, where who owns the checkout does not matter.

#include <filesystem>
#include <string>

#include "core/base/files.h"
#include "core/plugin/finder.h"
#include "tests/support/error_of.h"

namespace porter::tests {

class PluginFolder {
 public:
  const std::filesystem::path& path() const { return folder_.path(); }

  std::filesystem::path copy(const std::string& name) const {
    const auto built = plugin::running_executable().parent_path() / "plugins" / (name + ".so");
    std::filesystem::copy_file(built, path() / (name + ".so"),
                               std::filesystem::copy_options::overwrite_existing);
    std::filesystem::permissions(path() / (name + ".so"), std::filesystem::perms(0644));
    return path() / (name + ".so");
  }

  std::filesystem::path write(const std::string& name, const std::string& content) const {
    base::make_folders((path() / name).parent_path());
    base::write_file(path() / name, content);
    return path() / name;
  }

 private:
  base::TemporaryFolder folder_;
};

}  // namespace porter::tests
