#pragma once
// What the `[scm] url` of a module means. Pure; any thread.
//
//   user@host:path, host:path     ssh, as git writes it: a colon before the first slash
//   ssh:// https:// http://       git, as they stand
//   git+ssh:// git+https:// git+http://   the same without "git+"
//   git+file://PATH               a git repository on this machine; relative to the module's folder
//   git://REST                    porter's way to say "git clone REST", so what REST looks like decides:
//       scheme://…                that url (git://https://host/x.git)
//       user@host:path            ssh (git://git@host:repo.git gives git@host:repo.git)
//       /path ./path ../path      a repository on this machine
//       host/path, host:9418/path the real git protocol: a slash comes right after the host or its port
//       number
//   file://FOLDER                 a plain folder; relative to the module's folder
//   none://                       no files
//   ""                            the module's default folder
//   ruche:// archive+https://     known by name only
//
// Paths are taken literally (no %xx). Refused: anything that begins with '-' where git or ssh could read an
// option, control characters, and git's remote helpers (ext::…).

#include <filesystem>
#include <string>
#include <string_view>

namespace porter::source {

struct SourceUrl {
  enum class Kind { git, folder, none, module_default };
  Kind kind = Kind::module_default;
  // git: what git is given; folder: absolute path; otherwise "".
  std::string location;
};

// Throws Error(bad_value), or Error(unsupported) for what is only known by name.
SourceUrl parse_source_url(std::string_view url, const std::filesystem::path& module_folder);

// True for a repository on this machine.
bool is_local_repository(std::string_view location);

// The url as it may be shown: the password in "scheme://user:password@host" becomes ***.
std::string masked_url(std::string_view url);

}  // namespace porter::source
