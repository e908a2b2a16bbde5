#include "core/settings/module_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "core/base/text.h"

namespace porter::settings {
namespace {

using base::Code;
using base::Error;

// git-check-ref-format(1), as far as it matters here: what cannot be mistaken for an option, a range or a
// refspec.
bool is_safe_ref(std::string_view text) {
  if (text.empty() || text.front() == '-' || text.find("..") != std::string_view::npos) return false;
  if (text.find("@{") != std::string_view::npos) return false;
  return std::none_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) <= 0x20 || c == 0x7F ||
           std::string_view("~^:?*[\\").find(c) != std::string_view::npos;
  });
}

bool is_safe_version(std::string_view text) {
  return !text.empty() && text.front() != '-' && std::none_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) <= 0x20 || c == 0x7F;
  });
}

class ModuleReader {
 public:
  ModuleReader(const ModuleFile& file, std::vector<Error>& problems) : file_(file), problems_(problems) {}

  Module read() && {
    module_.name = file_.name;
    module_.folder = file_.folder;
    module_.where = {file_.ini.file, 0};
    module_.depends = file_.depends;
    module_.implied_ref = {"default", RefKind::implied, "", module_.where};
    for (const Section& section : file_.ini.sections)
      read_section(section);
    const bool broken = std::any_of(problems_.begin(), problems_.end(),
                                    [&](const Error& error) { return error.where().file == file_.ini.file; });
    if (find_section(file_.ini, "module") == nullptr && !broken) {
      report(Error(Code::missing, fmt::format("module \"{}\" has no [module] section", file_.name))
                 .at(module_.where)
                 .hint("[module] says at least path = …"));
    }
    return std::move(module_);
  }

 private:
  void report(Error&& error) { problems_.push_back(std::move(error)); }

  void read_section(const Section& section) {
    if (section.name == "module") check_paths(section);
    if (section.name == "scm") read_scm(section);
    if (section.name == "config_files") read_config_files(section);
    if (section.name == "shared") check_shared(section);
    if (section.name.rfind("release:", 0) == 0) read_ref(section);
    if (section.name.rfind("plugin:", 0) == 0) {
      module_.plugins.push_back({section.name.substr(7), section.where, section.options});
    }
  }

  // path, path-HOST, …: whether it may be relative depends on the host, the rest does not.
  void check_paths(const Section& section) {
    for (const Option& option : section.options) {
      const std::string name = canonical(option.name);
      if (name != "path" && name.rfind("path_", 0) != 0) continue;
      if (!option.text.empty() && option.text.front() == '~') {
        report(Error(Code::bad_value,
                     fmt::format("{}: \"~\" is not replaced; write the whole path", option.name))
                   .at(option.where));
        continue;
      }
      const std::vector<std::string> parts = base::split(option.text, '/');
      const bool climbs = std::find(parts.begin(), parts.end(), "..") != parts.end();
      const bool root = !option.text.empty() && option.text.find_first_not_of("/.") == std::string::npos;
      if (option.text.empty() || climbs || root) {
        report(Error(Code::bad_value, fmt::format("{}: expected a folder for this module alone, got \"{}\"",
                                                  option.name, option.text))
                   .at(option.where));
      }
    }
  }

  void read_scm(const Section& section) {
    const Option* url = find_option(section, "url");
    module_.scm_where = section.where;
    if (url == nullptr || url->text.empty()) {
      return report(Error(Code::missing, "[scm] has no url")
                        .at(section.where)
                        .hint("without [scm] the module's src/ or repo/ folder is taken"));
    }
    module_.scm_url = url->text;
    module_.scm_where = url->where;
  }

  void read_ref(const Section& section) {
    const Option* branch = find_option(section, "branch");
    const Option* tag = find_option(section, "tag");
    const Option* version = find_option(section, "version");
    Ref ref{section.name.substr(8), RefKind::implied, "", section.where};
    if (version != nullptr && (branch != nullptr || tag != nullptr)) {
      report(Error(Code::bad_value,
                   fmt::format("[{}] has a version and a branch or tag; it can have only one", section.name))
                 .at(version->where));
    }
    const Option* chosen = version != nullptr ? version : tag != nullptr ? tag : branch;
    if (chosen != nullptr) {
      ref.kind = chosen == version ? RefKind::version : chosen == tag ? RefKind::tag : RefKind::branch;
      ref.value = chosen->text;
      ref.where = chosen->where;
      const bool safe = ref.kind == RefKind::version ? is_safe_version(ref.value) : is_safe_ref(ref.value);
      if (!safe) {
        report(Error(Code::bad_value,
                     fmt::format("{}: \"{}\" is no name that can be used", chosen->name, ref.value))
                   .at(chosen->where));
      }
    }
    module_.refs.push_back(std::move(ref));
  }

  void read_config_files(const Section& section) {
    std::set<std::string> seen;
    for (const Option& option : section.options) {
      ConfigFile file{option.name, option.text, false, option.where};
      if (file.destination.back() == '?') {
        file.optional = true;
        file.destination = base::trim(file.destination.substr(0, file.destination.size() - 1));
      }
      if (file.source.empty()) file.source = file.destination;
      check_inner(option, "a destination below the tree", file.destination);
      check_inner(option, "a source below config/<config>/", file.source);
      if (!seen.insert(file.destination).second) {
        report(Error(Code::bad_value,
                     fmt::format("\"{}\" is listed twice, with ? and without", file.destination))
                   .at(option.where));
      }
      module_.config_files.push_back(std::move(file));
    }
  }

  void check_shared(const Section& section) {
    for (const Option& option : section.options) {
      for (const std::string& path : as_list(option))
        check_inner(option, "a path below the tree", path);
    }
  }

  void check_inner(const Option& option, std::string_view expected, const std::string& path) {
    if (is_inner_path(path)) return;
    report(Error(Code::bad_value, fmt::format("{}: expected {}, got \"{}\"", option.name, expected, path))
               .at(option.where)
               .hint("relative, without . and .. in it"));
  }

  const ModuleFile& file_;
  std::vector<Error>& problems_;
  Module module_;
};

}  // namespace

Module read_module(const ModuleFile& file, std::vector<Error>& problems) {
  return ModuleReader(file, problems).read();
}

}  // namespace porter::settings
