// A whole project in two files (project.ini, a NUL byte, one module's ini), through schema, hosts and model.
// Mistakes come as one list of errors, each at a place; a project that loads has sound hosts.

#include "core/settings/project.h"
#include "core/settings/project_files.h"
#include "core/settings/target.h"
#include "tests/fuzz/fuzz.h"

using namespace porter;
using fuzz::require;

namespace {

settings::ProjectFiles files_of(std::string_view text) {
  settings::ProjectFiles files;
  files.folder = "/nowhere/project";
  files.home = "/nowhere/home";
  const std::size_t cut = std::min(text.find('\0'), text.size());
  files.project = settings::parse_ini(text.substr(0, cut), "project.ini", files.problems);
  if (cut == text.size()) return files;
  settings::ModuleFile module{"web", "/nowhere/project/web", {}, {}};
  module.ini = settings::parse_ini(text.substr(cut + 1), "web/web.ini", files.problems);
  files.modules.push_back(std::move(module));
  return files;
}

void check_project(const settings::Project& project) {
  for (const settings::Host& host : project.hosts) {
    require(host.local || settings::is_safe_address(host.address), "an address is safe");
    require(host.user.empty() || settings::is_safe_name(host.user), "a user is safe");
    require(host.port >= 1 && host.port <= 65535, "a port is one");
    for (const settings::Module& module : project.modules) {
      fuzz::accepts({base::Code::missing, base::Code::bad_value},
                    [&] { project.settings_for(module, host, "testing"); });
      if (project.hosts.size() > 20) return;
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    check_project(settings::make_project(files_of(fuzz::bytes_of(data, size)), nullptr));
  } catch (const base::Errors& errors) {
    for (const base::Error& error : errors.all())
      fuzz::check_shown(error);
  }
  return 0;
}
