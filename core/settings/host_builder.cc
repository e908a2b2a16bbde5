#include "core/settings/host_builder.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "core/base/suggest.h"
#include "core/base/text.h"
#include "core/settings/target.h"

namespace porter::settings {
namespace {

using base::Code;
using base::Error;

constexpr std::string_view prefix = "host:";
constexpr std::size_t most_hosts = 10000;

// "web01.example.org" gives "web01"; an IP address stays whole.
std::string short_name(const std::string& address) {
  const bool numeric = address.find_first_not_of("0123456789.:") == std::string::npos;
  return numeric ? address : address.substr(0, address.find('.'));
}

Host make_host(const std::string& name, const Target& target, const base::Location& where) {
  Host host;
  host.name = name;
  host.address = target.address;
  host.port = target.port;
  host.port_given = target.port_given;
  host.user = target.user;
  host.local = target.local;
  host.where = where;
  return host;
}

class HostBuilder {
 public:
  HostBuilder(const ProjectFiles& files, std::vector<Error>& problems) : files_(files), problems_(problems) {}

  Hosts build() && {
    if (const Section* section = find_section(files_.project, "hosts")) {
      for (const Option& option : section->options)
        guarded(option.where, [&] { add_entry(option); });
    }
    shorten_names();
    for (const Section& section : files_.project.sections)
      define_long_form(section);
    check_unique();
    // The nearer file is applied last, and a host after its group.
    for (auto file = files_.defaults.rbegin(); file != files_.defaults.rend(); ++file)
      apply_file(*file, false);
    apply_file(files_.project, true);
    return std::move(made_);
  }

 private:
  template <class Work>
  void guarded(const base::Location& where, Work&& work) {
    try {
      work();
    } catch (Error& error) {
      problems_.push_back(error.where().file.empty() ? std::move(error).at(where) : std::move(error));
    }
  }

  void add_entry(const Option& option) {
    if (!is_safe_name(option.name)) {
      throw Error(Code::bad_value, fmt::format("\"{}\" is no name for a host", option.name))
          .hint("letters, digits and . - _ are allowed, with no - at the start");
    }
    std::vector<std::string> targets;
    const std::vector<std::string> pieces = as_list(option);
    for (const std::string& piece : pieces) {
      for (std::string& target : expand_ranges(piece))
        targets.push_back(std::move(target));
    }
    if (made_.hosts.size() + targets.size() > most_hosts) {
      throw Error(Code::bad_value, fmt::format("the project has more than {} hosts", most_hosts));
    }
    if (targets.empty()) {
      throw Error(Code::bad_value,
                  fmt::format("{}: expected user@host:port or local:, got nothing", option.name));
    }
    const bool group = targets.size() > 1 || targets.front() != pieces.front();
    if (!group) {
      made_.hosts.push_back(make_host(option.name, parse_target(targets.front()), option.where));
      return;
    }
    made_.groups.push_back({option.name, {}, option.where});
    for (const std::string& text : targets) {
      const Target target = parse_target(text);
      Host host = make_host(target.address, target, option.where);
      host.groups.push_back(option.name);
      made_.hosts.push_back(std::move(host));
    }
  }

  // Members of groups get their short names, where these name one host only.
  void shorten_names() {
    std::multiset<std::string> taken;
    for (const Group& group : made_.groups)
      taken.insert(group.name);
    for (const Host& host : made_.hosts)
      taken.insert(host.groups.empty() ? host.name : short_name(host.address));
    for (Host& host : made_.hosts) {
      if (host.groups.empty()) continue;
      if (const std::string name = short_name(host.address); taken.count(name) == 1) host.name = name;
    }
    for (Group& group : made_.groups) {
      for (const Host& host : made_.hosts) {
        const bool member =
            std::find(host.groups.begin(), host.groups.end(), group.name) != host.groups.end();
        if (member) group.hosts.push_back(host.name);
      }
    }
  }

  void check_unique() {
    std::map<std::string, std::pair<std::string, int>> seen;  // canonical name → name, line
    for (const Group& group : made_.groups) {
      seen.try_emplace(canonical(group.name), group.name, group.where.line);
    }
    for (const Host& host : made_.hosts) {
      const auto [entry, fresh] = seen.try_emplace(canonical(host.name), host.name, host.where.line);
      if (!fresh) report_twin(host, entry->second.first, entry->second.second);
    }
  }

  void report_twin(const Host& host, const std::string& other, int line) {
    const std::string what = host.name == other
                                 ? fmt::format("host \"{}\" is already defined in line {}", host.name, line)
                                 : fmt::format(
                                       "\"{}\" and \"{}\" of line {} differ only in case or in - and _, "
                                       "which option-{} cannot tell apart",
                                       host.name, other, line, host.name);
    problems_.push_back(Error(Code::bad_value, what)
                            .at(host.where)
                            .hint("give each host an entry of its own, with another name"));
  }

  // [host:NAME] with an address makes a host that [hosts] does not have.
  void define_long_form(const Section& section) {
    if (section.name.rfind(prefix, 0) != 0) return;
    const std::string name = section.name.substr(prefix.size());
    const Option* address = find_option(section, "address");
    if (address == nullptr || find_host(name) != nullptr || find_group(name) != nullptr) return;
    guarded(section.where, [&] {
      if (!is_safe_name(name))
        throw Error(Code::bad_value, fmt::format("\"{}\" is no name for a host", name));
      made_.hosts.push_back(make_host(name, parse_target(address->text), section.where));
    });
  }

  void apply_file(const IniFile& file, bool must_exist) {
    for (const bool groups : {true, false}) {
      for (const Section& section : file.sections) {
        if (section.name.rfind(prefix, 0) != 0) continue;
        const std::string name = section.name.substr(prefix.size());
        if (name.empty()) continue;  // reported with all unknown sections
        if (groups && find_group(name) != nullptr) apply_to_group(section, *find_group(name));
        if (!groups && find_host(name) != nullptr) apply(section, *find_host(name), true);
        const bool unknown = find_host(name) == nullptr && find_group(name) == nullptr;
        if (groups && unknown && must_exist && find_option(section, "address") == nullptr)
          report_unknown(section, name);
      }
    }
  }

  void report_unknown(const Section& section, const std::string& name) {
    constexpr std::size_t enough = 200;  // more are not shown, and suggestions take time
    std::vector<std::string> known;
    if (problems_.size() < enough) {
      for (const Host& host : made_.hosts)
        known.push_back(host.name);
      for (const Group& group : made_.groups)
        known.push_back(group.name);
    }
    std::string hint = base::did_you_mean(name, known);
    if (hint.empty()) hint = "give it an address, or an entry in [hosts]";
    problems_.push_back(Error(Code::missing, fmt::format("[hosts] has no host or group \"{}\"", name))
                            .at(section.where)
                            .hint(hint));
  }

  void apply_to_group(const Section& section, const Group& group) {
    if (const Option* address = find_option(section, "address")) {
      problems_.push_back(
          Error(Code::bad_value, fmt::format("\"{}\" is a group of hosts, so it has no address", group.name))
              .at(address->where));
    }
    bool first = true;
    for (Host& host : made_.hosts) {
      const bool member = std::find(host.groups.begin(), host.groups.end(), group.name) != host.groups.end();
      if (member) apply(section, host, std::exchange(first, false));
    }
  }

  // A group's section is applied to many hosts, but its mistakes are reported once.
  void apply(const Section& section, Host& host, bool report) {
    std::vector<Error> found;
    std::swap(found, problems_);
    for (const Option& option : section.options)
      guarded(option.where, [&] { apply_option(option, host); });
    std::swap(found, problems_);
    if (report) std::move(found.begin(), found.end(), std::back_inserter(problems_));
  }

  void apply_option(const Option& option, Host& host) {
    const std::string name = canonical(option.name);
    if (name == "address" && host.groups.empty()) apply_address(option, host);
    if (name == "port") apply_port(option, host);
    if (name == "user") host.user = safe(option);
    if (name == "become") host.become = safe(option);
    if (name == "tags") host.tags = as_list(option);
    if (name == "identity") host.identity = key_file(option.text);
    if (name == "agent_path") host.agent_path = absolute(option);
    if (name == "jump") apply_jump(option, host);
    if (name.rfind("vars.", 0) == 0) host.vars[option.name.substr(5)] = option.text;
  }

  void apply_address(const Option& option, Host& host) {
    const Target target = parse_target(option.text);
    host.address = target.address;
    host.local = target.local;
    if (!target.user.empty()) host.user = target.user;
    if (target.port_given) {
      host.port = target.port;
      host.port_given = true;
    }
  }

  void apply_port(const Option& option, Host& host) {
    if (!base::parse_integer(option.text)) return;  // reported with all wrong types
    const std::int64_t port = as_integer(option);
    if (port < 1 || port > 65535) {
      throw Error(Code::bad_value, fmt::format("port: expected 1 to 65535, got {}", port));
    }
    host.port = static_cast<int>(port);
    host.port_given = true;
  }

  void apply_jump(const Option& option, Host& host) {
    if (!option.text.empty() && parse_target(option.text).local) {
      throw Error(Code::bad_value, "jump: local: is no jump host");
    }
    host.jump = option.text;
  }

  static std::string safe(const Option& option) {
    if (!option.text.empty() && !is_safe_name(option.text)) {
      throw Error(Code::bad_value,
                  fmt::format("{}: \"{}\" is no user name that can be used", option.name, option.text))
          .hint("letters, digits and . - _ are allowed, with no - at the start");
    }
    return option.text;
  }

  static std::string absolute(const Option& option) {
    if (!option.text.empty() && option.text.front() != '/') {
      throw Error(Code::bad_value,
                  fmt::format("{}: expected an absolute path, got \"{}\"", option.name, option.text));
    }
    return option.text;
  }

  std::filesystem::path key_file(const std::string& text) const {
    if (text.empty()) return {};
    const bool at_home = text.rfind("~/", 0) == 0;
    if (at_home && files_.home.empty())
      throw Error(Code::bad_value, "identity: ~/ cannot be used, since HOME is not set");
    return (at_home ? files_.home / text.substr(2) : files_.folder / text).lexically_normal();
  }

  Host* find_host(const std::string& name) {
    const auto found = std::find_if(made_.hosts.begin(), made_.hosts.end(),
                                    [&](const Host& host) { return host.name == name; });
    return found == made_.hosts.end() ? nullptr : &*found;
  }
  Group* find_group(const std::string& name) {
    const auto found = std::find_if(made_.groups.begin(), made_.groups.end(),
                                    [&](const Group& group) { return group.name == name; });
    return found == made_.groups.end() ? nullptr : &*found;
  }

  const ProjectFiles& files_;
  std::vector<Error>& problems_;
  Hosts made_;
};

}  // namespace

Hosts build_hosts(const ProjectFiles& files, std::vector<Error>& problems) {
  return HostBuilder(files, problems).build();
}

}  // namespace porter::settings
