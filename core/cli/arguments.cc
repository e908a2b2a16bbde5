#include "core/cli/arguments.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include <algorithm>

#include "core/base/error.h"
#include "core/base/exit_code.h"
#include "core/base/suggest.h"
#include "core/base/text.h"
#include "core/cli/version.h"

namespace porter::cli {
namespace {

constexpr const char* kExitCodes =
    "Exit codes: 0 ok, 1 internal, 2 usage or configuration, 4 some hosts failed, 5 failed and nothing "
    "activated,\n"
    "6 failed and rolled back, 7 rollback failed, 8 unreachable or host key refused, 9 locked, 10 plugin "
    "refused,\n"
    "11 refused by the state of the target, 130 interrupted.";

// The command line while it is built and parsed; its members are what CLI11 writes into.
class Parser {
 public:
  Parser(const std::vector<PluginArgument>& plugins, const base::World& world) : world_(world) {
    app_.require_subcommand(0, 1);
    app_.set_help_flag("-h,--help", "show this help");
    app_.add_flag("--version", version_, "show the version");
    app_.footer(kExitCodes);
    add_deploy(plugins);
    add_run();
    add_create_project();
    add_plugins();
    add_hosts();
    add_explain();
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
    if (out_.command == Command::none) return text(help_of(app_));
    return finish(std::move(foreign));
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

  CLI::App* command(const std::string& name, const std::string& help, Command which,
                    CLI::App* parent = nullptr) {
    CLI::App* made = (parent != nullptr ? parent : &app_)->add_subcommand(name, help);
    made->callback([this, which] {
      if (out_.command == Command::none) out_.command = which;  // the innermost is called first
    });
    return made;
  }

  void add_targets(CLI::App* to) {
    to->add_option("--host", out_.request.hosts,
                   "hosts: names, groups, globs, web[01:20], @tag, !not; may be given several times")
        ->allow_extra_args(false);
    to->add_option("--config", out_.request.config,
                   "the environment: config/NAME/ of each module, [config:NAME]");
    to->add_option("--known-hosts", out_.request.known_hosts,
                   "known hosts in this file instead of ~/.ssh/known_hosts");
  }

  void add_talk(CLI::App* to) {
    to->add_flag("--json", json_, "one event a line as JSON on stdout");
    to->add_flag("-v,--verbose", verbose_, "more words");
    to->add_flag("-q,--quiet", quiet_, "only results and errors");
  }

  void add_deploy(const std::vector<PluginArgument>& plugins) {
    CLI::App* deploy = command("deploy", "put modules on hosts", Command::deploy);
    deploy->add_option("modules", out_.request.modules,
                       "modules to deploy (default: all, dependencies first)");
    add_targets(deploy);
    deploy->add_flag("--no-deps", no_dependencies_, "only the named modules, without what they depend on");
    deploy->add_option("-r,--release", out_.request.ref, "which [release:NAME] of the source to take")
        ->capture_default_str();
    force_ = deploy
                 ->add_option("--force", force_names_,
                              "deploy these modules though nothing changed: a,b; all when empty")
                 ->expected(0, 1);
    deploy->add_flag("--dry-run", out_.request.dry_run, "show what would be done, and change nothing");
    deploy->add_flag("--adopt", out_.request.adopt, "take over a target folder that somebody else filled");
    deploy->add_flag("--yes", out_.request.yes, "confirm everything beforehand");
    deploy->add_option("-m,--message", out_.request.message, "why, for the history");
    deploy
        ->add_option("--plugin-path", out_.request.plugin_path,
                     "look for plugins here first; may be given several times")
        ->allow_extra_args(false);
    add_talk(deploy);
    for (const PluginArgument& argument : plugins)
      add_plugin_argument(deploy, argument);
    deploy->footer(kExitCodes);
  }

  void add_plugin_argument(CLI::App* deploy, const PluginArgument& argument) {
    const std::string flag = "--" + argument.name;
    CLI::App* group = groups_.contains(argument.plugin)
                          ? groups_[argument.plugin]
                          : (groups_[argument.plugin] = deploy->add_option_group(argument.plugin));
    std::map<std::string, std::string>& given = out_.request.plugin_arguments;
    if (deploy->get_option_no_throw(flag) != nullptr) {
      throw base::Error(
          base::Code::plugin_refused,
          fmt::format("plugin {} declares {}, which porter-admin has itself", argument.plugin, flag))
          .hint("the plugin's author has to choose another name");
    }
    if (argument.takes_text) {
      group->add_option_function<std::string>(
          flag, [&given, name = argument.name](const std::string& value) { given[name] = value; },
          argument.help);
    } else {
      group->add_flag_callback(
          flag, [&given, name = argument.name] { given[name] = ""; }, argument.help);
    }
  }

  void add_run() {
    CLI::App* run = command("run", "run a program on hosts: run --host NAME -- CMD ARG…", Command::run);
    add_targets(run);
    add_talk(run);
    run->add_option("command", out_.request.command, "the program and its arguments, after --");
    run->footer(kExitCodes);
  }

  void add_create_project() {
    CLI::App* create = command("create-project", "make a project that deploys at once to this machine",
                               Command::create_project);
    create->alias("create_project");
    create->add_option("name", out_.name, "its name and folder")->required();
  }

  void add_plugins() {
    CLI::App* plugins = command("plugins", "list the plugins that can be found", Command::plugins);
    plugins->add_option("name", out_.name, "only this one, with its options and arguments");
    plugins->add_option("--plugin-path", out_.request.plugin_path, "look here first")
        ->allow_extra_args(false);
    plugins->add_flag("--json", json_, "as JSON");
  }

  void add_hosts() {
    CLI::App* hosts = command("hosts", "list the hosts of the project", Command::hosts);
    hosts->add_flag("--json", json_, "as JSON");
    CLI::App* trust = command("trust", "show a host's key and remember it", Command::hosts_trust, hosts);
    trust->add_option("name", out_.name, "the host, as the project calls it")->required();
    trust->add_option("--known-hosts", out_.request.known_hosts, "remember it in this file");
    trust->add_flag("--yes", out_.request.yes, "do not ask");
  }

  void add_explain() {
    CLI::App* explain =
        command("explain", "what a key of the project files means, and which line sets it", Command::explain);
    explain->add_option("key", out_.name, "keep_releases, module.path, plugin:NAME, …")->required();
  }

  Invocation finish(std::vector<std::string> foreign) {
    engine::Request& request = out_.request;
    const bool takes_more = out_.command == Command::run || out_.command == Command::deploy;
    if (!foreign.empty() && !takes_more) {
      throw base::Error(base::Code::usage, fmt::format("unknown argument or command \"{}\"", foreign.front()))
          .hint(help_command());
    }
    std::vector<std::string>& words = out_.command == Command::run ? request.command : request.modules;
    words.insert(words.end(), foreign.begin(), foreign.end());
    if (out_.command == Command::run && words.empty()) {
      throw base::Error(base::Code::usage, "run: no program was given")
          .hint("porter-admin run --host NAME -- CMD ARG…");
    }
    request.with_dependencies = !no_dependencies_;
    request.force = base::comma_list(force_names_);
    request.force_all = force_->count() > 0 && request.force.empty();
    request.action = out_.command == Command::run ? engine::Action::run : engine::Action::deploy;
    request.directory = world_.directory;
    request.interactive = world_.in_is_terminal && world_.err_is_terminal;
    out_.format = json_ ? Format::json : Format::people;
    out_.detail = quiet_ ? Detail::quiet : verbose_ ? Detail::verbose : Detail::normal;
    return out_;
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
  Invocation out_;
  std::map<std::string, CLI::App*> groups_;
  CLI::Option* force_ = nullptr;
  std::string force_names_;
  bool no_dependencies_ = false;
  bool version_ = false;
  bool json_ = false;
  bool verbose_ = false;
  bool quiet_ = false;
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
