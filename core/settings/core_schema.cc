// The table of the core's own sections. Order and wording are those of docs/configuration.md.

#include "core/settings/schema.h"

namespace porter::settings {
namespace {

using enum FileKind;

std::vector<OptionSpec> project_options() {
  return {
      {"name",
       Type::text,
       "",
       "Free text; the default is the folder's name. Its slug is the project's id.",
       {},
       Suffix::none},
      {"depends",
       Type::list,
       "",
       "The modules to deploy; what they depend on comes along, and first.",
       {},
       Suffix::none},
  };
}

std::vector<OptionSpec> host_options() {
  return {
      {"address",
       Type::text,
       "",
       "Name or IP address, or local:. A host that is not in [hosts] is made by it.",
       {},
       Suffix::none},
      {"port", Type::integer, "22", "SSH port. Without it ~/.ssh/config may name another.", {}, Suffix::none},
      {"user",
       Type::text,
       "",
       "Who logs in. Without it ~/.ssh/config or the operator's own name decides.",
       {},
       Suffix::none},
      {"identity",
       Type::path,
       "",
       "Private key file; ~/ is the operator's home, else it counts from the project's folder.",
       {},
       Suffix::none},
      {"jump", Type::text, "", "Jump host, as user@host:port.", {}, Suffix::none},
      {"tags", Type::list, "", "Names that --host @tag selects.", {}, Suffix::none},
      {"become", Type::text, "", "Work on the target as this user, by sudo.", {}, Suffix::none},
      {"agent_path",
       Type::path,
       "",
       "Folder on the target for the agent, when the usual ones cannot execute programs; absolute.",
       {},
       Suffix::none},
      {"vars.*",
       Type::text,
       "",
       "Variables of this host, for templates and hooks: vars.NAME = value.",
       {},
       Suffix::none},
  };
}

std::vector<OptionSpec> config_options() {
  return {
      {"hosts",
       Type::list,
       "",
       "Which hosts --config NAME means when there is no --host; patterns as for --host.",
       {},
       Suffix::none},
      {"confirm",
       Type::boolean,
       "no",
       "Ask before anything changes; without a terminal --yes is needed.",
       {},
       Suffix::none},
  };
}

std::vector<OptionSpec> plugins_options() {
  return {
      {"path",
       Type::list,
       "",
       "Folders with plugins, searched before the user's and the system's; relative ones count from the "
       "file's folder.",
       {},
       Suffix::none},
      {"trust", Type::list, "", "Folders or plugin files that may be group-writable.", {}, Suffix::none},
  };
}

std::vector<OptionSpec> module_options() {
  return {
      {"path", Type::path, "",
       "Where the module goes on the target: absolute. On a local: host a relative path counts from the "
       "project's folder."},
      {"depends", Type::list, "", "Modules that are deployed before this one.", {}, Suffix::none},
      {"layout",
       Type::choice,
       "releases",
       "releases: every deploy is a new folder, switched in one step. inplace: the tree is the path itself, "
       "switched file by file.",
       {"releases", "inplace"}},
      {"keep_releases", Type::integer, "5", "How many releases stay on the target; at least 1."},
      {"exclude", Type::list, "", "Patterns of files that are not sent."},
      {"max_delete", Type::limit, "none", "More deletions than this stop the run before anything changes."},
      {"build",
       Type::words,
       "",
       "Program that runs in the private checkout, on the operator's side, once per run.",
       {},
       Suffix::config},
      {"become", Type::text, "", "Work on the target as this user, by sudo; stronger than the host's."},
      {"generated", Type::list, "",
       "Patterns of files that the running application writes into its tree; they are no drift."},
      {"link",
       Type::choice,
       "auto",
       "How unchanged files get into a new release. hard saves space, but an application that writes in "
       "place then changes old releases.",
       {"auto", "reflink", "copy", "hard"}},
      {"durability",
       Type::choice,
       "full",
       "full: files are on disk before a release is used. none: leave it to the system.",
       {"full", "none"}},
      {"delete",
       Type::choice,
       "listed",
       "What a deploy may delete: listed: files that an earlier deploy brought; unknown: everything that is "
       "not in the source.",
       {"listed", "unknown"}},
      {"special",
       Type::choice,
       "refuse",
       "Pipes, sockets and devices in the source: refuse: an error that names them; skip: they are left out.",
       {"refuse", "skip"}},
      {"owners",
       Type::choice,
       "no",
       "Owner and group of what a plain folder holds: no: whoever deploys. names: as in the source, by name. "
       "numbers: as in the source, by number.",
       {"no", "names", "numbers"}},
      {"xattrs", Type::boolean, "no",
       "Whether extended attributes, access control lists and capabilities of what a plain folder holds are "
       "kept."},
  };
}

std::vector<OptionSpec> deploy_options() {
  return {
      {"handler_timeout",
       Type::duration,
       "30min",
       "How long one handler of a plugin or hook may take, what it runs on the target included; then the "
       "deploy is ended and put back.",
       {},
       Suffix::none},
      {"idle_timeout",
       Type::duration,
       "60s",
       "How long the other end of a connection may give no sign of life; then both ends give up. From 1s to "
       "1h.",
       {},
       Suffix::none},
  };
}

std::vector<OptionSpec> release_options() {
  return {
      {"branch", Type::text, "", "The newest commit of this branch.", {}, Suffix::none},
      {"tag", Type::text, "", "This tag, or a commit id; stronger than branch.", {}, Suffix::none},
      {"version",
       Type::text,
       "",
       "This version, for sources that have versions instead of commits.",
       {},
       Suffix::none},
  };
}

SectionSpec later(const std::string& name, const std::vector<FileKind>& files, const std::string& help) {
  return {name, files, help, "", {}, true, false};
}

std::vector<SectionSpec> make_sections() {
  return {
      {"project",
       {project},
       "The project itself.",
       "[project]\nname = My great project\ndepends = root",
       project_options()},
      {"hosts",
       {project},
       "The targets: NAME = user@host:port. A range or a comma list makes a group of hosts; local: is this "
       "machine, without SSH.",
       "[hosts]\ntesting    = deploy@testing-host.tld:2222\nproduction = deploy@web[01:20].example.org\nv6   "
       "      = deploy@[2001:db8::1]:22\nlaptop     = local:",
       {},
       true},
      {"host:",
       {project, defaults},
       "More about one host, or about every host of a group.",
       "[host:testing]\ntags = canary\nidentity = ~/.ssh/deploy\nvars.workers = 4",
       host_options()},
      {"config:",
       {project},
       "An environment, chosen by --config.",
       "[config:production]\nhosts = production\nconfirm = yes",
       config_options()},
      {"modules",
       {project},
       "NAME = FOLDER, when a module's folder is not called like the module.",
       "[modules]\nmodule1 = workers/module1",
       {},
       true},
      {"plugins",
       {project, defaults},
       "Where plugins are looked for.",
       "[plugins]\npath = plugins",
       plugins_options()},
      {"module",
       {module, project, defaults},
       "The module itself. In project.ini and in the user's and the site's porter.ini: defaults for every "
       "module (without path and depends).",
       "[module]\npath = /srv/apps/root\npath-testing = /home/deploy/root\ndepends = module1\nmax_delete = "
       "25%\nbuild = ./build.sh --quiet",
       module_options()},
      {"scm",
       {module},
       "Where the source comes from; without it the module's src/ or repo/ folder.",
       "[scm]\nurl = git://git@host:repo.git",
       {{"url",
         Type::url,
         "",
         "git://…, https://….git, ssh://…, user@host:path, git+file://…, file://DIR, none://, "
         "archive+https://…",
         {},
         Suffix::none}}},
      {"release:",
       {module},
       "Which state of the source -r/--release NAME takes; the usual NAME is stable.",
       "[release:stable]\nbranch = release/0.1.2",
       release_options()},
      {"config_files",
       {module},
       "DESTINATION = SOURCE: files from the module's config/CONFIG/ that are sent with the tree. Without "
       "SOURCE it is called like DESTINATION. A trailing ? on DESTINATION: may be absent.",
       "[config_files]\nlocal_settings.py = settings/local_settings.py\ndebug.ini? = debug.ini",
       {},
       true},
      {"shared",
       {module},
       "What survives releases and is linked into each.",
       "[shared]\npaths = var/uploads, .env",
       {{"paths", Type::list, "", "Files and folders below the tree."}}},
      {"plugin:",
       {module, project, defaults},
       "In a module's ini: uses the plugin of that dotted name, with these options. Elsewhere: defaults for "
       "modules that use it.",
       "[plugin:porter.plugins.crontab]\nfile = web.crontab",
       {}},
      {"deploy",
       {project, defaults},
       "How a deploy goes about its work.",
       "[deploy]\nhandler_timeout = 2h",
       deploy_options()},
      later("packages", {module}, "Requirements that are resolved against the repositories."),
      later("versions", {module}, "Pinned versions of packages."),
      later("repository:", {project, defaults}, "A repository of packages."),
      later("hub", {project, defaults}, "The inventory server."),
  };
}

}  // namespace

const std::vector<SectionSpec>& core_sections() {
  static const std::vector<SectionSpec> sections = make_sections();
  return sections;
}

}  // namespace porter::settings
