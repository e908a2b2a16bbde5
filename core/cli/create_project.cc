#include "core/cli/create_project.h"

#include <fmt/format.h>

#include <array>
#include <ostream>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/text.h"

namespace porter::cli {
namespace {

struct Template {
  const char* path;
  const char* content;  // {name} is the project's name
};

constexpr std::array kTemplates = {
    Template{"project.ini", R"([project]
name = {name}
depends = web

[hosts]
; NAME = user@host:port for SSH; local: deploys on this machine
laptop = local:

[config:testing]
hosts = laptop
)"},
    Template{"web/web.ini", R"([module]
path = deployed/web              ; on a local: host a relative path counts from this project's folder
keep_releases = 5

; no [scm]: the files are in src/

[config_files]
settings.ini = settings.ini      ; from config/<config>/
)"},
    Template{"web/src/index.html", "<h1>It works.</h1>\n"},
    Template{"web/config/testing/settings.ini", "[web]\ndebug = yes\n"},
};

// A folder that a person can type, and a text that stands in project.ini for itself.
void check_name(const std::string& name) {
  const bool plain = !name.empty() && name.front() != '-' && name.front() != '.' &&
                     name.find_first_of("/\n\r;") == std::string::npos && base::trim(name) == name &&
                     base::printable(name) == name;
  if (!plain) {
    throw base::Error(base::Code::usage,
                      fmt::format("\"{}\" cannot be a project's folder", base::printable(name)))
        .hint("a plain name such as my-project");
  }
}

std::string filled(std::string text, const std::string& name) {
  constexpr std::string_view kMark = "{name}";
  std::string value;
  for (const char each : name)
    value += each == '%' ? std::string("%%") : std::string(1, each);  // no interpolation
  if (const std::size_t at = text.find(kMark); at != std::string::npos) text.replace(at, kMark.size(), value);
  return text;
}

}  // namespace

void create_project(const std::string& name, const base::World& world) {
  check_name(name);
  const std::filesystem::path folder = world.directory / name;
  if (std::filesystem::exists(std::filesystem::symlink_status(folder))) {
    throw base::Error(base::Code::refused, fmt::format("{} exists already", folder.string()))
        .hint("choose another name");
  }
  for (const Template& file : kTemplates) {
    const std::filesystem::path path = folder / file.path;
    base::make_folders(path.parent_path());
    base::write_file(path, filled(file.content, name));
  }
  *world.out << fmt::format("made {}\n", folder.string()) << std::flush;
  *world.err << fmt::format("next: cd {} && porter-admin deploy --config testing\n", base::quote_shell(name));
}

}  // namespace porter::cli
