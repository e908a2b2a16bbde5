#include "core/cli/flags.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/settings/value.h"

namespace porter::cli {

using engine::Action;

namespace {

constexpr std::chrono::hours kLongestLockWait(365 * 24);

// An empty value is a variable of a script that is not set: without it more would be done than was meant.
std::string refuse_empty(const std::string& value) {
  return value.empty() ? "is given without a value" : "";
}

}  // namespace

const char* const kExitCodes =
    "Exit codes: 0 ok, 1 internal, 2 usage or configuration, 3 there are changes (--detailed-exitcode),\n"
    "4 some hosts failed, 5 failed and nothing activated, 6 failed and rolled back, 7 rollback failed,\n"
    "8 unreachable or host key refused, 9 locked, 10 plugin refused, 11 refused by the state of the target,\n"
    "130 interrupted.";

Flags::Flags(CLI::App& app, const std::vector<PluginArgument>& plugins) : app_(app) {
  // First: commands inherit both.
  app_.set_help_flag("-h,--help", "show this help");
  app_.footer(kExitCodes);
  add_deploy(plugins);
  add_plan(plugins);
  add_rollback();
  add_resume();
  add_looks();
  add_freeze();
  add_run();
  add_hosts();
  add_others();
}

CLI::App* Flags::command(const std::string& name, const std::string& help, Command which, CLI::App* parent) {
  CLI::App* made = (parent != nullptr ? parent : &app_)->add_subcommand(name, help);
  made->callback([this, which] {
    if (out_.command == Command::none) out_.command = which;  // the innermost is called first
  });
  return made;
}

// A command that the worker carries out.
CLI::App* Flags::action(const std::string& name, const std::string& help, Action which) {
  CLI::App* made = app_.add_subcommand(name, help);
  made->callback([this, which] {
    out_.command = Command::supervised;
    out_.request.action = which;
  });
  add_targets(made);
  add_talk(made);
  return made;
}

void Flags::add_targets(CLI::App* to) {
  to->add_option("--host", out_.request.hosts,
                 "hosts: names, groups, globs, web[01:20], @tag, !not; may be given several times")
      ->allow_extra_args(false)
      ->check(refuse_empty);
  to->add_option("--config", out_.request.config,
                 "the environment: config/NAME/ of each module, [config:NAME]")
      ->check(refuse_empty);
  to->add_option("--known-hosts", out_.request.known_hosts,
                 "known hosts in this file instead of ~/.ssh/known_hosts")
      ->check(refuse_empty);
}

void Flags::add_modules(CLI::App* to, const std::string& help) {
  to->add_option("modules", out_.request.modules, help);
}

void Flags::add_talk(CLI::App* to) {
  to->add_flag("--json", json_, "one event a line as JSON on stdout");
  to->add_flag("-v,--verbose", verbose_, "more words");
  to->add_flag("-q,--quiet", quiet_, "only results and errors");
  to->add_option("-d,--debug", out_.request.debug, "stats: say at the end where the time went")
      ->allow_extra_args(false)
      ->check(CLI::IsMember({"stats"}));
}

void Flags::add_lock_wait(CLI::App* to) {
  to->add_option("--lock-wait", lock_wait_,
                 "wait this long for somebody else's lock: 30s, 5m (default: do not wait)")
      ->check(refuse_empty);
}

void Flags::add_handlers(CLI::App* to) {
  to->add_option("--plugin-path", out_.request.plugin_path,
                 "look for plugins here first; may be given several times")
      ->allow_extra_args(false);
}

// What decides which files are to be there.
void Flags::add_source(CLI::App* to) {
  add_modules(to, "modules to deploy (default: all, dependencies first)");
  to->add_flag("--no-deps", no_dependencies_, "only the named modules, without what they depend on");
  to->add_option("-r,--release", out_.request.ref, "which [release:NAME] of the source to take")
      ->capture_default_str()
      ->check(refuse_empty);
  forces_.push_back(to->add_option("--force", force_names_,
                                   "deploy these modules though nothing changed: a,b; all when empty")
                        ->expected(0, 1));
  to->add_flag("--adopt", out_.request.adopt, "take over a target folder that somebody else filled");
  add_handlers(to);
}

void Flags::add_deploy(const std::vector<PluginArgument>& plugins) {
  CLI::App* deploy = action("deploy", "put modules on hosts", Action::deploy);
  add_source(deploy);
  deploy->add_flag("--dry-run", out_.request.dry_run, "show what would be done, and change nothing");
  deploy
      ->add_option("--plan", out_.request.plan_file,
                   "only what `plan --out FILE` planned; refused when target or source changed since")
      ->check(refuse_empty);
  deploy->add_flag("--overwrite-drift", out_.request.overwrite_drift,
                   "layout inplace: deploy over files that were edited on the target");
  deploy->add_flag("--yes", out_.request.yes, "confirm everything beforehand");
  deploy->add_option("-m,--message", out_.request.message, "why, for the history");
  add_lock_wait(deploy);
  for (const PluginArgument& argument : plugins)
    add_plugin_argument(deploy, argument);
}

void Flags::add_plan(const std::vector<PluginArgument>& plugins) {
  CLI::App* plan = action("plan", "show what a deploy would do, and change nothing", Action::deploy);
  plan->preparse_callback([this](std::size_t) { out_.request.dry_run = true; });
  add_source(plan);
  plan->add_option("--out", out_.request.plan_out, "write the plan to this file, for deploy --plan")
      ->check(refuse_empty);
  plan->add_flag("--detailed-exitcode", out_.request.detailed_exit_code,
                 "exit 3 when there is something to deploy");
  for (const PluginArgument& argument : plugins)
    add_plugin_argument(plan, argument);
}

void Flags::add_rollback() {
  CLI::App* rollback =
      action("rollback", "make an older release live again, on all hosts or none", Action::rollback);
  add_modules(rollback, "modules to roll back (default: all, dependencies first)");
  rollback
      ->add_option("--to", out_.request.to_release,
                   "to this release, or what ran after this run (default: what ran before the last deploy)")
      ->check(refuse_empty);
  rollback->add_flag("--yes", out_.request.yes, "confirm everything beforehand");
  rollback->add_option("-m,--message", out_.request.message, "why, for the history");
  add_handlers(rollback);
  add_lock_wait(rollback);
}

void Flags::add_resume() {
  CLI::App* resume = command(
      "resume", "go on with a run that ended early, with the very source it began with", Command::resume);
  resume->add_option("run", out_.request.run_id, "which run (default: list them)");
  resume->add_flag("--yes", out_.request.yes, "confirm everything beforehand");
  add_talk(resume);
}

void Flags::add_looks() {
  const std::string which = "modules to look at (default: all)";
  add_modules(action("status", "what runs where", Action::status), which);
  CLI::App* releases = action("releases", "list the releases on the hosts, or mark one", Action::releases);
  add_modules(releases, which);
  std::vector<CLI::Option*> marks;
  const auto add_mark = [&](const std::string& flag, const std::string& mark, const std::string& help) {
    const auto take = [this, mark](const std::string& id) {
      out_.request.mark = mark;
      out_.request.mark_release = id;
    };
    CLI::Option* made = releases->add_option_function<std::string>(flag, take, help)->check(refuse_empty);
    for (CLI::Option* other : marks)
      made->excludes(other);
    marks.push_back(made);
  };
  add_mark("--pin", "pin", "never remove this release by itself");
  add_mark("--unpin", "unpin", "take the pin away");
  add_mark("--good", "good", "take the mark of a bad release away, so that it is offered again");
  add_lock_wait(releases);
  CLI::App* history = action("history", "who put what where, when and why", Action::history);
  add_modules(history, which);
  out_.request.limit = 20;
  history->add_option("--limit", out_.request.limit, "lines for each module and host")->capture_default_str();
  CLI::App* diff = action("diff", "what was changed on the hosts since it was deployed", Action::diff);
  add_modules(diff, which);
  diff->add_flag("--detailed-exitcode", out_.request.detailed_exit_code, "exit 3 when there is drift");
  CLI::App* doctor =
      action("doctor", "look for what would keep a deploy from working, and how to mend it", Action::doctor);
  add_modules(doctor, which);
  add_handlers(doctor);
}

void Flags::add_freeze() {
  CLI::App* freeze = action("freeze", "let nobody deploy a config until it is unfrozen", Action::freeze);
  add_modules(freeze, "modules to freeze (default: all)");
  freeze->add_option("-m,--message", out_.request.message, "why; everybody who is refused reads it");
  add_lock_wait(freeze);
  CLI::App* unfreeze = action("unfreeze", "let a config be deployed again", Action::unfreeze);
  add_modules(unfreeze, "modules to unfreeze (default: all)");
  add_lock_wait(unfreeze);
}

void Flags::add_run() {
  CLI::App* run = action("run", "run a program on hosts: run --host NAME -- CMD ARG…", Action::run);
  run->add_option("command", out_.request.command, "the program and its arguments, after --");
}

void Flags::add_hosts() {
  CLI::App* hosts = command("hosts", "list the hosts of the project", Command::hosts);
  hosts->add_flag("--json", json_, "as JSON");
  CLI::App* trust = command("trust", "show a host's key and remember it", Command::hosts_trust, hosts);
  trust->add_option("name", out_.name, "the host, as the project calls it")->required();
  trust->add_option("--known-hosts", out_.request.known_hosts, "remember it in this file");
  trust->add_flag("--yes", out_.request.yes, "do not ask");
}

void Flags::add_others() {
  CLI::App* plugins = command("plugins", "list the plugins that can be found", Command::plugins);
  plugins->add_option("name", out_.name, "only this one, with its options and arguments");
  plugins->add_option("--plugin-path", out_.request.plugin_path, "look here first")->allow_extra_args(false);
  plugins->add_flag("--json", json_, "as JSON");
  CLI::App* create = command("create-project", "make a project that deploys at once to this machine",
                             Command::create_project);
  create->alias("create_project");
  create->add_option("name", out_.name, "its name and folder")->required();
  CLI::App* explain =
      command("explain", "what a key of the project files means, and which line sets it", Command::explain);
  explain->add_option("key", out_.name, "keep_releases, module.path, plugin:NAME, …")->required();
}

void Flags::add_plugin_argument(CLI::App* to, const PluginArgument& argument) {
  const std::string flag = "--" + argument.name;
  CLI::App*& group = groups_[{to, argument.plugin}];
  if (group == nullptr) group = to->add_option_group(argument.plugin);
  std::map<std::string, std::string>& given = out_.request.plugin_arguments;
  if (to->get_option_no_throw(flag) != nullptr) {
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

std::uint32_t Flags::lock_wait_seconds() const {
  if (lock_wait_.empty()) return 0;
  const auto wait = settings::parse_duration(lock_wait_);
  if (wait && *wait <= kLongestLockWait)
    return static_cast<std::uint32_t>(std::chrono::ceil<std::chrono::seconds>(*wait).count());
  throw base::Error(base::Code::usage, fmt::format("--lock-wait {}: expected a duration of at most 365d",
                                                   base::printable(lock_wait_)))
      .hint("for example 30s, 5m, 1h");
}

Invocation Flags::take() {
  engine::Request& request = out_.request;
  // What is put somewhere needs what it depends on; everything else is done to exactly what is named.
  request.with_dependencies = request.action == Action::deploy && !no_dependencies_;
  request.force = base::comma_list(force_names_);
  const bool forced =
      std::any_of(forces_.begin(), forces_.end(), [](const CLI::Option* one) { return one->count() > 0; });
  request.force_all = forced && request.force.empty();
  out_.format = json_ ? Format::json : Format::people;
  out_.detail = quiet_ ? Detail::quiet : verbose_ ? Detail::verbose : Detail::normal;
  request.lock_wait_seconds = lock_wait_seconds();
  return out_;
}

}  // namespace porter::cli
