#include "core/cli/arguments.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/error.h"
#include "core/base/suggest.h"
#include "core/base/text.h"
#include "core/cli/flags.h"
#include "core/cli/version.h"

namespace porter::cli {
namespace {

// The command line while it is built and parsed; its members are what CLI11 writes into.
class Parser {
 public:
  Parser(const std::vector<PluginArgument>& plugins, const base::World& world)
      : world_(world), flags_(app_, plugins) {
    app_.require_subcommand(0, 1);
    app_.add_flag("--version", version_, "show the version");
  }

  Invocation parse(std::vector<std::string> arguments) {
    // What follows -- is somebody else's command line; CLI11 would look for flags of ours in it.
    const auto dashes = std::find(arguments.begin(), arguments.end(), "--");
    std::vector<std::string> foreign;
    if (dashes != arguments.end()) foreign.assign(dashes + 1, arguments.end());
    arguments.erase(dashes, arguments.end());
    std::reverse(arguments.begin(), arguments.end());  // as CLI11 wants it
    try {
      app_.parse(std::move(arguments));
    } catch (const CLI::CallForHelp&) {
      return text(help_of(app_));
    } catch (const CLI::ParseError& problem) {
      throw explain(problem);
    }
    if (version_) return text(fmt::format("porter-admin {}", kVersion));
    Invocation out = flags_.take();
    if (out.command == Command::none) return text(help_of(app_));
    return finish(std::move(out), std::move(foreign));
  }

 private:
  static Invocation text(std::string what) {
    Invocation invocation;
    invocation.text = std::move(what);
    return invocation;
  }

  // The help of the innermost command that was named.
  static std::string help_of(CLI::App& app) {
    CLI::App* shown = &app;
    std::string before;
    while (!shown->get_subcommands().empty()) {
      before += (before.empty() ? "" : " ") + shown->get_name();
      shown = shown->get_subcommands().front();
    }
    return shown->help(before);
  }

  Invocation finish(Invocation out, std::vector<std::string> foreign) {
    engine::Request& request = out.request;
    const bool runs = request.action == engine::Action::run;
    // All that the worker carries out takes words: modules, or a program.
    if (!foreign.empty() && out.command != Command::supervised) {
      throw base::Error(base::Code::usage, fmt::format("unknown argument or command \"{}\"", foreign.front()))
          .hint(help_command());
    }
    std::vector<std::string>& words = runs ? request.command : request.modules;
    words.insert(words.end(), foreign.begin(), foreign.end());
    if (runs && words.empty()) {
      throw base::Error(base::Code::usage, "run: no program was given")
          .hint("porter-admin run --host NAME -- CMD ARG…");
    }
    request.directory = world_.directory;
    request.interactive = world_.in_is_terminal && world_.err_is_terminal;
    return out;
  }

  // The command that was being parsed, for the names it knows.
  CLI::App* innermost() {
    CLI::App* found = &app_;
    while (!found->get_subcommands().empty())
      found = found->get_subcommands().front();
    return found;
  }

  static void collect(const CLI::App* from, std::vector<std::string>& known) {
    for (const CLI::Option* option : from->get_options()) {
      for (const std::string& name : option->get_lnames())
        known.push_back("--" + name);
    }
    for (const CLI::App* sub : from->get_subcommands([](const CLI::App*) { return true; })) {
      if (sub->get_name().empty())
        collect(sub, known);  // an option group
      else
        known.push_back(sub->get_name());
    }
  }

  // "porter-admin hosts trust --help"
  std::string help_command() {
    std::string command = app_.get_name();
    for (CLI::App* at = &app_; !at->get_subcommands().empty();) {
      at = at->get_subcommands().front();
      command += " " + at->get_name();
    }
    return command + " --help";
  }

  base::Error explain(const CLI::ParseError& problem) {
    if (dynamic_cast<const CLI::ExtrasError*>(&problem) == nullptr)
      return base::Error(base::Code::usage, problem.what()).hint(help_command());
    std::vector<std::string> left = innermost()->remaining(true);
    if (left.empty()) left = app_.remaining(true);
    const std::string word = left.empty() ? "" : left.front().substr(0, left.front().find('='));
    const char* kind = word.starts_with("-") ? "flag" : "argument or command";
    return base::Error(base::Code::usage, fmt::format("unknown {} \"{}\"", kind, word)).hint(hint_for(word));
  }

  std::string hint_for(const std::string& word) {
    std::vector<std::string> known;
    collect(innermost(), known);
    if (std::find(known.begin(), known.end(), word) != known.end())
      return fmt::format("{} belongs behind the command it is for: {}", word, help_command());
    const std::string near = base::did_you_mean(word, known);
    return near.empty() ? help_command() : near;
  }

  const base::World& world_;
  CLI::App app_{
      "porter-admin puts the modules of a project on hosts: atomically, and sending only what changed.",
      "porter-admin"};
  Flags flags_;
  bool version_ = false;
};

}  // namespace

Invocation parse_arguments(const std::vector<std::string>& arguments,
                           const std::vector<PluginArgument>& plugins, const base::World& world) {
  return Parser(plugins, world).parse(arguments);
}

std::vector<std::string> plugin_path_of(const std::vector<std::string>& arguments) {
  static constexpr std::string_view kFlag = "--plugin-path";
  std::vector<std::string> path;
  for (std::size_t i = 0; i < arguments.size() && arguments[i] != "--"; ++i) {
    if (arguments[i] == kFlag && i + 1 < arguments.size()) path.push_back(arguments[i + 1]);
    if (arguments[i].starts_with(std::string(kFlag) + "="))
      path.push_back(arguments[i].substr(kFlag.size() + 1));
  }
  return path;
}

}  // namespace porter::cli
