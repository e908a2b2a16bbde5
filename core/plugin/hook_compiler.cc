#include "core/plugin/hook_compiler.h"

#include <fmt/format.h>
#include <porter/abi.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <system_error>
#include <utility>
#include <vector>

#include "core/base/digest.h"
#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/subprocess.h"
#include "core/base/text.h"
#include "core/plugin/compiler_words.h"
#include "core/plugin/hook_cache.h"

namespace porter::plugin {
namespace {

namespace fs = std::filesystem;

constexpr int kTries = 3;  // when a file is edited while it is being compiled

struct Compiler {
  std::vector<std::string> command;  // [0] absolute
  std::string version;
};

std::optional<fs::path> find_program(const std::string& name, const std::string& search_path) {
  const auto runs = [](const fs::path& file) {
    std::error_code closed;  // folders of PATH may be closed to this user
    return fs::is_regular_file(file, closed) && ::access(file.c_str(), X_OK) == 0;
  };
  if (name.find('/') != std::string::npos)
    return runs(name) ? std::optional(fs::absolute(name)) : std::nullopt;
  for (const std::string& folder : base::split(search_path, ':')) {
    if (fs::path(folder).is_absolute() && runs(fs::path(folder) / name)) return fs::path(folder) / name;
  }
  return std::nullopt;
}

base::Error no_compiler(const fs::path& source, const std::string& what) {
  return base::Error(base::Code::missing, "this hook has to be compiled, and " + what)
      .at(source.string())
      .hint(
          "install one (apt-get install g++), set CXX, or put a ready-made deployment.so in the place of "
          "deployment.cpp");
}

std::vector<std::string> compiler_command(const fs::path& source, const HookSettings& settings) {
  if (!settings.compiler.empty()) {
    std::vector<std::string> words = base::split_words(settings.compiler);
    const auto program = words.empty() ? std::nullopt : find_program(words.front(), settings.search_path);
    if (!program)
      throw no_compiler(source, fmt::format("CXX names \"{}\", which is not there", settings.compiler));
    words.front() = program->string();
    return words;
  }
  for (const char* name : {"c++", "g++", "clang++"}) {
    if (const auto program = find_program(name, settings.search_path)) return {program->string()};
  }
  throw no_compiler(source, "there is no C++ compiler on this machine");
}

// The compiler's surroundings must not change what it reads or how it speaks.
base::Command in_plain_surroundings(std::vector<std::string> arguments, const HookSettings& settings) {
  base::Command command;
  command.arguments = std::move(arguments);
  command.set_environment = {{"LC_ALL", "C"}};
  if (!settings.search_path.empty()) command.set_environment["PATH"] = settings.search_path;
  command.unset_environment = {"CPATH", "CPLUS_INCLUDE_PATH", "DEPENDENCIES_OUTPUT", "SUNPRO_DEPENDENCIES"};
  command.merge_output = true;
  return command;
}

Compiler find_compiler(const fs::path& source, const HookSettings& settings, base::Deadline deadline,
                       const base::CancelToken& cancel) {
  Compiler compiler;
  compiler.command = compiler_command(source, settings);
  std::vector<std::string> ask = compiler.command;
  ask.push_back("--version");
  const base::CommandResult said = base::run_command(in_plain_surroundings(ask, settings), deadline, cancel);
  if (!said.ok())
    throw no_compiler(source,
                      fmt::format("{} --version fails: {}", compiler.command.front(), said.describe()));
  compiler.version = said.output;
  return compiler;
}

// A hook must agree with this program's fingerprint: under a sanitizer that means the same sanitizer, whose
// functions stay undefined until the program gives them.
std::vector<std::string> flags(const fs::path& module_folder, const HookSettings& settings) {
  std::vector<std::string> all = {
      "-std=c++20", "-O1", "-fPIC", "-shared", "-fvisibility=hidden", "-fdiagnostics-color=never"};
  const std::string sanitizer = PORTER_FP_SANITIZER;
  all.push_back(sanitizer == "none" ? "-Wl,--no-undefined" : "-fsanitize=" + sanitizer);
  all.push_back("-I" + settings.sdk_include.string());
  all.push_back("-I" + module_folder.string());
  return all;
}

std::string sdk_digest(const HookSettings& settings) {
  std::map<std::string, std::string> headers;
  for (const auto& entry : fs::recursive_directory_iterator(settings.sdk_include / "porter")) {
    if (entry.is_regular_file())
      headers[entry.path().string()] = base::to_hex(base::sha256_of_file(entry.path()));
  }
  base::Sha256 all;
  for (const auto& [name, digest] : headers)
    all.update(name).update("\n").update(digest).update("\n");
  return base::to_hex(all.finish());
}

// The clock that the kernel stamps files with.
timespec file_clock_now() {
  timespec now = {};
  ::clock_gettime(CLOCK_REALTIME_COARSE, &now);
  return now;
}

bool written_after(const fs::path& file, const timespec& moment) {
  struct stat status = {};
  if (::stat(file.c_str(), &status) != 0) return true;
  return std::pair(status.st_mtim.tv_sec, status.st_mtim.tv_nsec) > std::pair(moment.tv_sec, moment.tv_nsec);
}

class Compilation {
 public:
  Compilation(fs::path source, const HookSettings& settings, base::Deadline deadline,
              const base::CancelToken& cancel)
      : source_(std::move(source)),
        settings_(settings),
        deadline_(deadline),
        cancel_(cancel),
        compiler_(find_compiler(source_, settings, deadline, cancel)),
        flags_(flags(source_.parent_path(), settings)),
        cache_(settings.cache, source_, recipe()) {}

  Hook hook() {
    const base::UniqueFd locked = cache_.lock(deadline_, cancel_);
    if (const auto library = cache_.fresh()) return {*library, HookOrigin::cached};
    if (settings_.compiling) settings_.compiling(source_);
    std::string before;
    for (int i = 0; i < kTries; ++i) {
      if (const auto library = try_compile(before)) return {*library, HookOrigin::compiled};
    }
    throw base::Error(base::Code::plugin_refused, "the hook changes while it is being compiled")
        .at(source_.string());
  }

 private:
  std::string recipe() const {
    std::string text = base::quote_shell(compiler_.command) + "\n" + base::quote_shell(flags_) + "\n" +
                       compiler_.version + "\n" + PORTER_FINGERPRINT + "\n" + sdk_digest(settings_);
    struct stat status = {};
    if (::stat(compiler_.command.front().c_str(), &status) == 0)
      text += fmt::format("\n{} {}", status.st_size, status.st_mtim.tv_sec);
    return text;
  }

  // Nothing when a file may have changed meanwhile: the library may be made from neither content. A time
  // stamp in the future proves nothing, so equal content before and after a second try is enough too.
  std::optional<fs::path> try_compile(std::string& before) const {
    const base::TemporaryFolder work("porter-hook");
    const fs::path library = cache_.folder() / "new.so";  // beside its final name; the lock is held
    const timespec start = file_clock_now();
    run_compiler(library, work.path() / "dependencies");
    std::vector<fs::path> files = parse_dependencies(base::read_file(work.path() / "dependencies"));
    for (fs::path& file : files)
      file = (source_.parent_path() / file).lexically_normal();
    const bool settled = std::none_of(files.begin(), files.end(),
                                      [&](const fs::path& each) { return written_after(each, start); });
    std::string after;
    for (const fs::path& file : files)
      after += base::to_hex(base::sha256_of_file(file)) + "\n";
    if (settled || after == before) return cache_.store(library, files);
    before = std::move(after);
    return std::nullopt;
  }

  void run_compiler(const fs::path& library, const fs::path& dependencies) const {
    std::vector<std::string> arguments = compiler_.command;
    arguments.insert(arguments.end(), flags_.begin(), flags_.end());
    for (const std::string& each :
         {std::string("-MD"), std::string("-MT"), std::string("hook"), std::string("-MF"),
          dependencies.string(), std::string("-o"), library.string(), source_.string()})
      arguments.push_back(each);
    base::Command command = in_plain_surroundings(std::move(arguments), settings_);
    command.directory = source_.parent_path();
    const base::CommandResult result = base::while_doing(
        "compiling " + source_.string(), [&] { return base::run_command(command, deadline_, cancel_); });
    if (!result.ok()) throw compile_error(source_, result.output, result.describe());
  }

  fs::path source_;
  const HookSettings& settings_;
  base::Deadline deadline_;
  const base::CancelToken& cancel_;
  Compiler compiler_;
  std::vector<std::string> flags_;
  HookCache cache_;
};

}  // namespace

HookSettings hook_settings(const base::World& world, const fs::path& executable) {
  HookSettings settings;
  settings.cache = world.cache_folder() / "hooks";
  settings.compiler = world.variable("CXX").value_or("");
  settings.search_path = world.variable("PATH").value_or("/usr/local/bin:/usr/bin:/bin");
  settings.sdk_include = (executable.parent_path() / "../include").lexically_normal();
  if (!fs::exists(settings.sdk_include / "porter/porter.h")) {
    throw base::Error(base::Code::missing, "the SDK headers are not beside this program")
        .at((settings.sdk_include / "porter/porter.h").string())
        .hint("install them (cmake --install … --component sdk), or use ready-made deployment.so hooks");
  }
  return settings;
}

std::optional<Hook> module_hook(const fs::path& module_folder, const HookSettings& settings,
                                base::Deadline deadline, const base::CancelToken& cancel) try {
  const fs::path source = module_folder / "deployment.cpp";
  if (fs::exists(source))
    return Compilation(check_trusted(source, settings.trust), settings, deadline, cancel).hook();
  const fs::path ready_made = module_folder / "deployment.so";
  if (fs::exists(ready_made)) return Hook{ready_made, HookOrigin::ready_made};
  return std::nullopt;
} catch (const fs::filesystem_error& error) {
  throw base::Error(base::Code::io, error.code().message()).at(error.path1().string());
}

}  // namespace porter::plugin
