#pragma once
// The project model: what the files mean, validated as a whole. Made once, then only read; any thread may.
// Loading has two steps, since plugins are found by what the files say and bring schemas of their own:
//   ProjectFiles files = read_project_files(world.directory, world);
//   Project project = make_project(std::move(files), schemas);

#include <chrono>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/settings/module_settings.h"
#include "core/settings/project_files.h"
#include "core/settings/schema.h"

namespace porter::settings {

struct Host {
  std::string name;     // unique in the project
  std::string address;  // name or IP address; "localhost" for local:
  int port = 22;
  bool port_given = false;         // false: ~/.ssh/config may say otherwise
  std::string user;                // empty: not given
  std::filesystem::path identity;  // key file, absolute; empty: not given
  std::string jump;                // user@host:port of one jump host; empty: none
  std::vector<std::string> tags;
  std::string become;      // run the agent as this user; empty: no
  std::string agent_path;  // absolute folder on the target; empty: the usual candidates
  std::map<std::string, std::string> vars;
  bool local = false;  // the agent is a child process
  std::vector<std::string> groups;
  base::Location where;
};

struct Group {
  std::string name;
  std::vector<std::string> hosts;
  base::Location where;
};

struct Config {
  std::string name;
  std::vector<std::string> hosts;  // patterns as for --host; empty: see select_hosts()
  bool confirm = false;            // ask before anything is changed
  base::Location where;
  base::Location hosts_where;  // of the option hosts
};

enum class RefKind { branch, tag, version, implied };  // implied: the default branch, or the folder as it is

// One [release:NAME]: which state of the source to take.
struct Ref {
  std::string name;
  RefKind kind = RefKind::implied;
  std::string value;
  base::Location where;
};

struct PluginSection {
  std::string name;  // dotted, without "plugin:"
  base::Location where;
  std::vector<Option> options;
};

struct Module {
  std::string name;
  std::filesystem::path folder;  // absolute
  base::Location where;          // its ini
  std::vector<std::string> depends;
  std::string scm_url;  // empty: no [scm]
  base::Location scm_where;
  std::vector<Ref> refs;  // as in the ini; may be empty
  Ref implied_ref;        // what choose_ref() gives when there is no [release:*]
  std::vector<PluginSection> plugins;
  std::vector<ConfigFile> config_files;
};

struct Suffixes;

struct Project {
  std::string name;  // free text
  std::string id;    // its slug: a-z, 0-9 and '-'
  std::filesystem::path folder;
  std::vector<Host> hosts;  // in the order of the files, ranges expanded
  std::vector<Group> groups;
  std::vector<Config> configs;              // those with a [config:NAME]
  std::vector<std::string> config_folders;  // names of the modules' config/NAME/ folders
  std::vector<Module> modules;              // dependencies first
  std::vector<std::string> plugins;
  std::vector<std::filesystem::path> plugin_folders;
  std::vector<std::filesystem::path> trusted;
  // [deploy]; the schema's defaults, which also hold where no project is read (settling a dead run).
  std::chrono::milliseconds handler_timeout = std::chrono::minutes(30);  // more than 0, at most a year
  std::chrono::milliseconds idle_timeout = std::chrono::seconds(60);     // from a second to an hour
  std::map<std::string, PluginSchema> schemas;                           // of the plugins that were found
  std::shared_ptr<const ProjectFiles> files;
  std::shared_ptr<const Suffixes> suffixes;  // for settings_for()

  const Host* find_host(const std::string& host) const;
  const Module* find_module(const std::string& module) const;
  const Config* find_config(const std::string& config) const;

  // `config` may be empty. Throws base::Error when the module has no path for this host.
  ModuleSettings settings_for(const Module& module, const Host& host, const std::string& config) const;
};

// Validates everything. Throws base::Errors with all problems of all files.
Project make_project(ProjectFiles files, const PluginSchemas& schemas);

}  // namespace porter::settings
